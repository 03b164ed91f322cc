// SPDX-License-Identifier: MIT
// What the tests of pid namespaces are made of.
#pragma once
#include "test.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define USER 1000

static pid_t raw_clone(unsigned long flags) {
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

// A child that runs fn(arg), in namespaces of its own as the flags say.
static pid_t start(unsigned long flags, int (*fn)(void *), void *arg) {
    fflush(stdout);
    pid_t pid = raw_clone(flags);
    CHECK(pid >= 0);
    if (!pid)
        _exit(fn(arg));
    return pid;
}

static int __attribute__((unused)) run_in_new(int (*fn)(void *), void *arg) {
    return test_wait_exit(start(CLONE_NEWPID, fn, arg));
}

static void wait_for(int fd) {
    char c;
    CHECK(read(fd, &c, 1) == 1);
}

static void tell(int fd) {
    CHECK(write(fd, "x", 1) == 1);
}

static int __attribute__((noreturn, unused)) idle(void *unused) {
    (void)unused;
    for (;;)
        pause();
}
