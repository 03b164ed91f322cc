// SPDX-License-Identifier: MIT
// What the programs that measure have in common: kbench.c, sockets.c and ipc.c, each of which includes it once.
//
// They count in ticks of rdtime; under `qemu -icount shift=0,sleep=off` a tick is 100 instructions. They run as /init (or from a
// shell) on any riscv64 Linux-compatible kernel. bench/run.py reads the output: "name<TAB>ticks<TAB>operations".
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 5000, BLOCK = 65536, PAGE = 4096 };

static char buffer[BLOCK];
static unsigned long started;

static inline unsigned long rdtime(void) {
    unsigned long t;
    __asm__ volatile("rdtime %0" : "=r"(t));
    return t;
}

static void report(const char *name, unsigned long ticks, long operations) {
    printf("%s\t%lu\t%ld\n", name, ticks, operations);
    fflush(stdout);
}

// Runs the statement `n` times and reports it.
#define MEASURE(name, n, statement)                                                                          \
    do {                                                                                                     \
        started = rdtime();                                                                                  \
        for (long i = 0; i < (n); i++) {                                                                     \
            statement;                                                                                       \
        }                                                                                                    \
        report(name, rdtime() - started, (n));                                                               \
    } while (0)

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void set_up_as_init(void) {
    mkdir("/dev", 0755);
    mkdir("/tmp", 0755);
    mkdir("/proc", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    int fd = open("/dev/console", O_RDWR);
    if (fd >= 0)
        for (int i = 0; i < 3; i++)
            dup2(fd, i);
}
