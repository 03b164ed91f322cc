// SPDX-License-Identifier: MIT
// Operations of walk.c on other processes.
#define _GNU_SOURCE
#include "walk.h"
#include <elf.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static long traced[512]; // what is written into it makes a page of the child's own

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

// What `look` says of a child that calls `idles` for ever.
static int with_child(int (*idles)(void), int (*look)(pid_t pid)) {
    pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (!pid)
        for (;;)
            idles();
    int err = look(pid);
    kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) == pid ? err : errno;
}

int do_others(void) {
    return with_child(pause, look_at);
}

static int look_into(pid_t pid) {
    struct iovec registers = {(char[512]){0}, 512};
    int status;
    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
        waitpid(pid, &status, 0) != pid)
        return errno;
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &registers) ||
        ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &registers) || ptrace(PTRACE_POKEDATA, pid, traced, 1) ||
        ptrace(PTRACE_GETSIGINFO, pid, 0, &(siginfo_t){0}))
        return errno;
    if (ptrace(PTRACE_SYSCALL, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
        ptrace(PTRACE_DETACH, pid, 0, 0))
        return errno;
    return 0;
}

// A child that is stopped, looked into, written into and let go.
int do_trace(void) {
    return with_child(getppid, look_into);
}

// A record of a process that has ended; one that there is no memory for is not written.
int do_accounting(void) {
    int fd = open("records", O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || acct("records"))
        return errno;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    int err = pid < 0 ? errno : 0;
    if (pid > 0 && waitpid(pid, NULL, 0) != pid)
        err = errno;
    return acct(NULL) ? errno : err;
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

// A page in the middle is another area then.
int do_seal(void) {
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED || syscall(462 /* mseal */, m + 4096, 4096, 0))
        return errno;
    return 0;
}

// A lease that is broken, and its file by its handle.
int do_lease(void) {
    struct {
        unsigned int bytes;
        int type;
        char data[128];
    } handle = {.bytes = 128};
    int mount, fd = open("leased", O_RDONLY | O_CREAT, 0600);
    signal(SIGIO, SIG_IGN);
    if (fd < 0 || fcntl(fd, F_SETLEASE, F_RDLCK))
        return errno;
    if (open("leased", O_WRONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK)
        return errno;
    if (fcntl(fd, F_SETLEASE, F_UNLCK) ||
        syscall(SYS_name_to_handle_at, AT_FDCWD, "leased", &handle, &mount, 0) ||
        syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDWR) < 0)
        return errno;
    return 0;
}

// A session with a keyring in it, and a key that is found there.
int do_keys(void) {
    long ring = -1;
    if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0)
        return errno;
    if ((ring = syscall(SYS_add_key, "keyring", "ring", NULL, 0, -3)) < 0 ||
        syscall(SYS_add_key, "user", "key", "text", 4, ring) < 0)
        return errno;
    if (syscall(SYS_request_key, "user", "key", NULL, -2) < 0 || syscall(SYS_keyctl, 0, -4, 0) < 0)
        return errno;
    char text[4];
    int fd = open("/proc/keys", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text)) < 0)
        return errno;
    close(fd);
    return 0;
}

#define ALL_NEW (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)

static int put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int err = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return err;
}

// A process with all of its own, which mounts, and one with copies of them.
int do_namespaces(void) {
    int err;
    if (mkdir("spaces", 0700) && errno != EEXIST)
        return errno;
    if (unshare(ALL_NEW))
        return errno;
    if ((err = put("/proc/self/setgroups", "deny")) || (err = put("/proc/self/uid_map", "0 0 1")) ||
        (err = put("/proc/self/gid_map", "0 0 1")))
        return err;
    if (mount("t", "spaces", "tmpfs", 0, NULL) ||
        mount("/proc/self/ns/uts", "/proc/self/comm", NULL, MS_BIND, NULL) ||
        mount("/", "spaces", NULL, MS_BIND | MS_REC, NULL) || umount2("spaces", MNT_DETACH))
        return errno;
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(ALL_NEW | SIGCHLD), 0l, 0l, 0l, 0l);
    if (pid < 0)
        return errno;
    if (!pid)
        _exit(0);
    return waitpid(pid, NULL, 0) == pid ? 0 : errno;
}

// A pid namespace of its own, another below, and what /proc shows of it.
static int in_pid_namespace(void) {
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0l, 0l, 0l, 0l);
    if (pid < 0)
        return errno;
    if (!pid)
        _exit(getpid() != 1);
    int status, fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (waitpid(pid, &status, 0) != pid)
        return errno;
    if (mount("p", "spaces", "proc", 0, NULL) || fd < 0)
        return errno;
    close(fd);
    fd = open("spaces/self/status", O_RDONLY | O_CLOEXEC);
    char text[256];
    if (fd < 0 || read(fd, text, sizeof(text)) < 0)
        return errno;
    close(fd);
    return status;
}

int do_pid_namespace(void) {
    int status;
    if (mkdir("spaces", 0700) && errno != EEXIST)
        return errno;
    pid_t pid =
        (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | CLONE_NEWNS | SIGCHLD), 0l, 0l, 0l, 0l);
    if (pid < 0)
        return errno;
    if (!pid)
        _exit(in_pid_namespace());
    if (waitpid(pid, &status, 0) != pid)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int do_enter(void) {
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
    if (fd < 0 || pidfd < 0)
        return errno;
    if (unshare(CLONE_NEWUTS | CLONE_NEWNS) || setns(fd, CLONE_NEWUTS) ||
        setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS))
        return errno;
    return 0;
}
