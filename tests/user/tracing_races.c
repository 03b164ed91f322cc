// SPDX-License-Identifier: MIT
// ptrace(2) against everything that happens at the same moment: births, ends, execve, other tracers, SIGKILL. What counts is
// that the machine goes on, that nobody waits for ever, and that nobody is left behind.
#include "trace.h"
#include <pthread.h>
#include <stdbool.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

enum { ROUND_MS = 700, ALL_EVENTS = 0x7f };

static long milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((constructor)) static void as_another_program(void) {
    if (getenv("TRACING_NOTHING"))
        _exit(0);
}

static void *ends(void *arg) {
    return arg;
}

static void *executes(void *arg) {
    char *argv[] = {"tracing_races", NULL}, *envp[] = {"TRACING_NOTHING=1", NULL};
    execve("/proc/self/exe", argv, envp);
    return arg;
}

// Children that end, execute, have threads, are killed, one after the other.
static void live(void) {
    for (unsigned int i = 0;; i++) {
        pthread_t t;
        pid_t pid = fork();
        if (!pid) {
            if (i % 4 == 0)
                _exit(0);
            if (i % 4 == 1)
                executes(NULL);
            pthread_create(&t, NULL, i % 4 == 2 ? ends : executes, NULL);
            usleep(i % 300);
            _exit(0);
        }
        if (i % 3 == 0)
            kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
}

static pid_t start(void (*fn)(void)) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fn();
        _exit(0);
    }
    return pid;
}

// Lets all that stops go on, as strace does, until `end`.
static void keep_going(long end, long how) {
    int status;
    while (milliseconds() < end) {
        pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);
        if (pid <= 0) {
            sched_yield();
            continue;
        }
        int sig = status >> 8 & 0xff;
        bool plain = WIFSTOPPED(status) && !(status >> 16) && sig != (SIGTRAP | 0x80) && sig != SIGTRAP &&
                     sig != SIGSTOP;
        if (WIFSTOPPED(status))
            trace(how, pid, 0, plain ? sig : 0);
    }
}

TEST(births_ends_and_execve_under_a_tracer) {
    for (int i = 0; i < 2; i++) {
        pid_t pid = start(live);
        CHECK(trace(PTRACE_SEIZE, pid, 0, ALL_EVENTS | PTRACE_O_EXITKILL) == 0);
        keep_going(milliseconds() + ROUND_MS, i ? PTRACE_SYSCALL : PTRACE_CONT);
        kill(pid, SIGKILL);
        long end = milliseconds() + 5000;
        int status;
        bool gone = false;
        while (!gone && milliseconds() < end) {
            pid_t got = waitpid(-1, &status, __WALL);
            if (WIFSTOPPED(status))
                trace(PTRACE_CONT, got, 0, 0);
            gone = got == pid && !WIFSTOPPED(status);
        }
        CHECK(gone);
    }
}

static pid_t target;
static void attaches_again_and_again(void) {
    for (unsigned int i = 0;; i++) {
        int status;
        if (trace(i % 2 ? PTRACE_ATTACH : PTRACE_SEIZE, target, 0, 0)) {
            sched_yield();
            continue;
        }
        if (!(i % 2))
            trace(PTRACE_INTERRUPT, target, 0, 0);
        if (i % 5 == 0)
            _exit(0);
        if (waitpid(target, &status, __WALL) != target || !WIFSTOPPED(status))
            _exit(0);
        trace(PTRACE_DETACH, target, 0, 0);
    }
}

TEST(many_tracers_of_one_process_that_are_killed) {
    target = start(live);
    pid_t tracers[3] = {0};
    for (long end = milliseconds() + ROUND_MS; milliseconds() < end;) {
        for (int i = 0; i < 3; i++) {
            if (tracers[i] && milliseconds() % 2)
                kill(tracers[i], SIGKILL);
            if (!tracers[i] || waitpid(tracers[i], NULL, WNOHANG) == tracers[i])
                tracers[i] = start(attaches_again_and_again);
        }
        kill(target, SIGCONT);
    }
    for (int i = 0; i < 3; i++) {
        kill(tracers[i], SIGKILL);
        CHECK(waitpid(tracers[i], NULL, 0) == tracers[i]);
    }
    kill(target, SIGKILL);
    CHECK(waitpid(target, NULL, 0) == target);
}
