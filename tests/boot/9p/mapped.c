// SPDX-License-Identifier: MIT
// mapped HOW PAGES FILE: makes the file, of so many pages, and writes to all of them through a mapping. Then by HOW: `exit`; `return`
// from main; `thread`, in which the leader leaves first; `signal`, by SIGTERM; `exec` of true; `stay`, until it is killed.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *leave(void *none) {
    usleep(1000);
    exit(0);
    return none;
}

int main(int argc, char **argv) {
    size_t n = argc == 4 ? (size_t)atol(argv[2]) * 4096 : 0;
    int fd = n ? open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;
    if (fd < 0 || ftruncate(fd, (off_t)n))
        return 1;
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return 2;
    memset(p, 'm', n);
    puts("written");
    fflush(stdout);
    pthread_t t;
    const char *how = argv[1];
    if (!strcmp(how, "exit"))
        exit(0);
    if (!strcmp(how, "thread") && !pthread_create(&t, NULL, leave, NULL))
        syscall(SYS_exit, 0);
    if (!strcmp(how, "signal"))
        raise(SIGTERM);
    if (!strcmp(how, "exec"))
        execlp("true", "true", NULL);
    while (!strcmp(how, "stay"))
        pause();
    return 0;
}
