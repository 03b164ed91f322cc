// SPDX-License-Identifier: MIT
// What the tests of ptrace(2) have in common.
#pragma once
#include "test.h"
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define EVENT(e)   (SIGTRAP | (e) << 8)
#define CALL_STOP  (SIGTRAP | 0x80)
#define EVENT_STOP 128

// As asm/ptrace.h has them: pc, then x1 to x31.
struct registers {
    unsigned long pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a[8], s2_11[10], t3_6[4];
};
// As linux/ptrace.h has it.
struct call_info {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t ip, sp;
    union {
        struct {
            uint64_t nr, args[6];
        } entry;
        struct {
            int64_t rval;
            uint8_t is_error;
        } exit;
    };
};

static inline long trace(long request, pid_t pid, unsigned long addr, unsigned long data) {
    return syscall(SYS_ptrace, request, pid, addr, data);
}

// Waits for it; what a stop's status has in its upper bits, fails the test if it is none.
static inline int wait_stop(pid_t pid) {
    int status;
    CHECK(waitpid(pid, &status, __WALL) == pid);
    if (!WIFSTOPPED(status) && printf("# status %x\n", status))
        CHECK(WIFSTOPPED(status));
    return status >> 8;
}

static inline int wait_end(pid_t pid) {
    int status;
    CHECK(waitpid(pid, &status, __WALL) == pid);
    if (WIFSTOPPED(status) && printf("# status %x\n", status))
        CHECK(!WIFSTOPPED(status));
    return status;
}

static inline struct registers get_registers(pid_t pid) {
    struct registers r;
    struct iovec iov = {&r, sizeof(r)};
    CHECK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == 0 && iov.iov_len == sizeof(r));
    return r;
}

static inline void set_registers(pid_t pid, const struct registers *r) {
    struct iovec iov = {(void *)r, sizeof(*r)};
    CHECK(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == 0);
}

// A child that is traced by us, and stopped, before it does fn().
static inline pid_t traced_child(int (*fn)(void), unsigned long options) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        if (trace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP))
            _exit(99);
        _exit(fn());
    }
    CHECK(wait_stop(pid) == SIGSTOP);
    CHECK(trace(PTRACE_SETOPTIONS, pid, 0, options | PTRACE_O_EXITKILL) == 0);
    return pid;
}

// One that is not traced yet, and sleeps.
static inline pid_t sleeping_child(void) {
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        (void)!write(p[1], "x", 1);
        for (;;)
            pause();
    }
    CHECK(read(p[0], &c, 1) == 1);
    close(p[0]);
    close(p[1]);
    return pid;
}

static inline void end(pid_t pid) {
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(wait_end(pid) == SIGKILL);
}

static inline void go(pid_t pid, int sig) {
    CHECK(trace(PTRACE_CONT, pid, 0, sig) == 0);
}

// A line of /proc/PID/status, behind its name.
static inline void status_line(pid_t pid, const char *name, char line[100]) {
    char path[64], text[100];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    CHECK(f);
    *line = '\0';
    while (fgets(text, sizeof(text), f))
        if (!strncmp(text, name, strlen(name)))
            strcpy(line, text + strlen(name) + 1);
    fclose(f);
}

// Until its state is this letter.
static inline void wait_state(pid_t pid, char state) {
    char line[100];
    do
        status_line(pid, "State:", line);
    while (line[0] != state && !usleep(1000));
}
