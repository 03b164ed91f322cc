// SPDX-License-Identifier: MIT
// Operations of walk.c on other processes.
#define _GNU_SOURCE
#include "walk.h"
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int look_at(pid_t pid) {
    static char page[4096] __attribute__((aligned(4096)));
    struct iovec v = {page, sizeof(page)};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno;
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    if (fd < 0 || syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd, 0) ||
        syscall(SYS_process_madvise, pidfd, &v, 1, MADV_COLD, 0) < 0)
        return errno;
    return 0;
}

int do_others(void) {
    pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (!pid)
        for (;;)
            pause();
    int err = look_at(pid);
    kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) == pid ? err : errno;
}

// Pages of a file turned round.
int do_remap(void) {
    int fd = memfd_create("remapped", 0);
    if (fd < 0 || ftruncate(fd, 4 * 4096))
        return errno;
    char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m == MAP_FAILED)
        return errno;
    for (int i = 0; i < 4; i++)
        if (syscall(SYS_remap_file_pages, m + i * 4096, 4096, 0, 3 - i, 0))
            return errno;
    return 0;
}
