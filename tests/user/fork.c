// SPDX-License-Identifier: MIT
// fork, wait, exit, process groups and sessions.
#include "test.h"
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int exit_with(void *arg) {
    return *(int *)arg;
}

TEST(wait_gives_the_exit_status) {
    for (int i = 0; i < 256; i += 51)
        CHECK(test_wait_exit(test_fork(exit_with, &i)) == i);
}

TEST(wait_gives_the_signal_that_killed) {
    int status;
    pid_t pid = fork();
    if (!pid) {
        raise(SIGKILL);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(wait_without_children_is_ECHILD) {
    CHECK_ERRNO(wait(NULL), ECHILD);
    CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
}

TEST(wnohang_returns_0_while_the_child_runs) {
    int p[2];
    char c;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (!pid) {
        close(p[1]);
        _exit(read(p[0], &c, 1) != 0);
    }
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);
    close(p[1]);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(fork_copies_private_memory) {
    volatile int *stack = (int[]){1, 2, 3};
    int *heap = malloc(1 << 20);
    for (int i = 0; i < 1 << 18; i++)
        heap[i] = i;
    pid_t pid = fork();
    if (!pid) {
        for (int i = 0; i < 1 << 18; i++)
            if (heap[i] != i)
                _exit(1);
        memset(heap, 0, 1 << 20);
        stack[1] = 99;
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(stack[1] == 2);
    for (int i = 0; i < 1 << 18; i++)
        CHECK(heap[i] == i);
}

TEST(fork_shares_shared_memory) {
    int *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED);
    pid_t pid = fork();
    if (!pid) {
        *m = 42;
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(*m == 42);
}

TEST(fork_shares_file_offsets) {
    char b[4];
    int fd = open("/tmp/fork_offset", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, "abcdef", 6) == 6 && lseek(fd, 0, SEEK_SET) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(read(fd, b, 3) != 3);
    CHECK(test_wait_exit(pid) == 0);
    CHECK(read(fd, b, 1) == 1 && b[0] == 'd');
}

TEST(orphans_go_to_init) {
    int p[2];
    pid_t reported = 0;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (!pid) {
        pid_t me = getpid();
        if (fork() == 0) {
            while (getppid() == me)
                sched_yield();
            pid_t parent = getppid();
            _exit(write(p[1], &parent, sizeof(parent)) != sizeof(parent));
        }
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(read(p[0], &reported, sizeof(reported)) == sizeof(reported));
    CHECK(reported == 1);
}

TEST(setsid_makes_a_session_and_group_leader) {
    pid_t pid = fork();
    if (!pid) {
        if (setsid() != getpid() || getpgrp() != getpid() || getsid(0) != getpid())
            _exit(1);
        _exit(setsid() != -1 || errno != EPERM);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(stopped_and_continued_children_are_reported) {
    int status;
    pid_t pid = fork();
    if (!pid)
        for (;;)
            pause();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    CHECK(kill(pid, SIGTERM) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(waitid_can_leave_the_child_waitable) {
    siginfo_t info = {0};
    int code = 7;
    pid_t pid = test_fork(exit_with, &code);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 7 &&
          info.si_signo == SIGCHLD);
    CHECK(test_wait_exit(pid) == 7);
}

TEST(ignoring_SIGCHLD_reaps_by_itself) {
    int code = 0;
    signal(SIGCHLD, SIG_IGN);
    test_fork(exit_with, &code);
    CHECK_ERRNO(wait(NULL), ECHILD);
}

static volatile int seen;
static int note_and_exit(void *arg) {
    (void)arg;
    usleep(10000);
    seen = 1;
    _exit(3);
}

TEST(vfork_parent_waits_for_exec_or_exit) {
    static char stack[65536] __attribute__((aligned(16)));
    pid_t pid = clone(note_and_exit, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    CHECK(seen == 1);
    CHECK(test_wait_exit(pid) == 3);
}

TEST(a_thousand_forks_leak_nothing_visible) {
    int code = 5;
    for (int i = 0; i < 1000; i++)
        CHECK(test_wait_exit(test_fork(exit_with, &code)) == 5);
}

TEST(many_children_at_once) {
    int code = 1;
    for (int i = 0; i < 100; i++)
        test_fork(exit_with, &code);
    for (int i = 0; i < 100; i++) {
        int status;
        CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1);
    }
    CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(rusage_counts_the_time_of_children) {
    struct rusage ru;
    pid_t pid = fork();
    if (!pid) {
        for (volatile long i = 0; i < 30000000; i++)
            ;
        _exit(0);
    }
    CHECK(wait4(pid, NULL, 0, &ru) == pid);
    CHECK(ru.ru_utime.tv_sec > 0 || ru.ru_utime.tv_usec > 1000);
}

// read(2) of one byte with gp set to `gp`; returns what gp is afterwards.
static unsigned long gp_after_read(int fd, unsigned long gp) {
    char c;
    register long a0 __asm__("a0") = fd, a1 __asm__("a1") = (long)&c, a2 __asm__("a2") = 1;
    register long a7 __asm__("a7") = SYS_read;
    unsigned long saved;
    __asm__ volatile("mv %1, gp\n mv gp, %0\n ecall\n mv %0, gp\n mv gp, %1"
                     : "+r"(gp), "=&r"(saved), "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a7)
                     : "memory");
    return a0 == 1 ? gp : 0;
}

TEST(each_process_keeps_its_gp_over_calls_that_wait) {
    int to[2], from[2];
    char c = 0;
    CHECK(pipe(to) == 0 && pipe(from) == 0);
    pid_t pid = fork();
    if (!pid) {
        for (int i = 0; i < 100; i++)
            if (gp_after_read(to[0], 0x1111) != 0x1111 || write(from[1], &c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    close(from[1]);
    for (int i = 0; i < 100; i++) {
        CHECK(write(to[1], &c, 1) == 1);
        CHECK(gp_after_read(from[0], 0x2222) == 0x2222);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(an_open_directory_of_proc_is_good_for_pidfd_send_signal) {
    char name[32];
    int status, fd;
    pid_t pid = fork();
    if (!pid)
        for (;;)
            pause();
    snprintf(name, sizeof(name), "/proc/%d", pid);
    CHECK((fd = open(name, O_RDONLY | O_DIRECTORY)) >= 0);
    CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
    CHECK((fd = open("/proc", O_RDONLY | O_DIRECTORY)) >= 0);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), EBADF);
}

// A number that is none is looked for like any other: no table is indexed with it.
TEST(negative_numbers_name_no_process) {
    for (pid_t pid = -2; pid > -5000; pid--)
        CHECK_ERRNO(getpgid(pid), ESRCH);
    CHECK_ERRNO(getsid(-1), ESRCH);
    CHECK_ERRNO(getpgid(INT_MIN), ESRCH);
    CHECK_ERRNO(getsid(INT_MIN + 1023), ESRCH);
}

TEST(memory_that_is_not_to_be_forked_is_not) {
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char there;
    memset(m, 1, 3 * 4096);
    CHECK(madvise(m + 4096, 4096, MADV_DONTFORK) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(m[0] == 1 && m[8192] == 1 && mincore(m + 4096, 4096, &there) == -1 && errno == ENOMEM ? 0 : 1);
    CHECK(test_wait_exit(pid) == 0 && m[4096] == 1);
}
