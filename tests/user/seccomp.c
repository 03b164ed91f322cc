// SPDX-License-Identifier: MIT
// seccomp(2): what filters may be, what their answers do, who inherits them, and what tracers see of them.
#include "trace.h"
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define NR           offsetof(struct seccomp_data, nr)
#define ARG(i)       offsetof(struct seccomp_data, args[i])
#define LOAD(at)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IF_NOT(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, n)
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define CALL_ANSWERS(nr_, what)                                                                              \
    { LOAD(NR), IF_NOT(nr_, 1), ANSWER(what), ANSWER(SECCOMP_RET_ALLOW) }

static long seccomp(unsigned int op, unsigned int flags, void *args) {
    return syscall(SYS_seccomp, op, flags, args);
}

static long install(const struct sock_filter *code, size_t n, unsigned int flags) {
    struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)code};
    return seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static void no_new_privs(void) {
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

// From now on, call nr has this answer.
static void answer(unsigned int nr, unsigned int what) {
    struct sock_filter code[] = CALL_ANSWERS(nr, what);
    no_new_privs();
    CHECK(install(code, COUNT(code), 0) == 0);
}

// The number behind "NAME:\t" of a status file.
static long status_of(const char *path, const char *name) {
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            value = atol(line + strlen(name) + 1);
    }
    fclose(f);
    return value;
}

// How a child ends that runs fn.
static int end_of(int (*fn)(void *)) {
    int status;
    pid_t pid = test_fork(fn, NULL);
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

TEST_DIRECTORY(0777)

// ---- what a filter may be

TEST(the_calls_check_their_arguments) {
    struct sock_filter allow[] = {ANSWER(SECCOMP_RET_ALLOW)};
    struct sock_fprog none = {0, allow}, nowhere = {1, NULL}, long_one = {BPF_MAXINSNS + 1, allow};
    unsigned int action = SECCOMP_RET_TRAP;
    struct seccomp_notif_sizes sizes;
    no_new_privs();
    CHECK_ERRNO(seccomp(99, 0, NULL), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_STRICT, 0, allow), EINVAL);
    CHECK_ERRNO(install(allow, 1, 1u << 30), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_FILTER, 0, &none), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_FILTER, 0, &long_one), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_SET_MODE_FILTER, 0, &nowhere), EINVAL);
    CHECK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    action = SECCOMP_RET_LOG;
    CHECK(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
    action = 0x12340000;
    CHECK_ERRNO(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
    CHECK_ERRNO(seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
    CHECK_ERRNO(seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
    CHECK(seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 && sizes.seccomp_data == 64);
    CHECK(sizes.seccomp_notif == 80 && sizes.seccomp_notif_resp == 24);
    CHECK_ERRNO(prctl(PR_SET_SECCOMP, 7, NULL), EINVAL);
    CHECK(prctl(PR_GET_SECCOMP) == 0);
}

static int is_taken(const struct sock_filter *code, size_t n) {
    errno = 0;
    if (install(code, n, 0) == 0)
        return 1;
    CHECK(errno == EINVAL);
    return 0;
}
#define TAKEN(...)                                                                                           \
    is_taken((const struct sock_filter[]){__VA_ARGS__},                                                      \
             sizeof((const struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))
#define END ANSWER(SECCOMP_RET_ALLOW)

TEST(only_programs_that_are_safe_and_fit_are_taken) {
    no_new_privs();
    CHECK(TAKEN(END));
    CHECK(TAKEN(BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0)));
    CHECK(!TAKEN(BPF_STMT(BPF_RET | BPF_X, 0)) && !TAKEN(LOAD(0)));             // ends
    CHECK(!TAKEN(BPF_STMT(0xffff, 0), END) && !TAKEN(BPF_STMT(0x100, 0), END)); // instructions
    CHECK(TAKEN(LOAD(60), END) && !TAKEN(LOAD(64), END) && !TAKEN(LOAD(2), END) && !TAKEN(LOAD(~3u), END));
    CHECK(!TAKEN(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), END) &&
          !TAKEN(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), END));
    CHECK(!TAKEN(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), END) &&
          !TAKEN(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), END));
    CHECK(TAKEN(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), END));
    CHECK(!TAKEN(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), END) &&
          TAKEN(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 1), END));
    CHECK(!TAKEN(BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), END) &&
          TAKEN(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 31), END));
    CHECK(!TAKEN(BPF_STMT(BPF_ALU | 0x90 | BPF_K, 3), END)); // no remainders
    CHECK(TAKEN(BPF_STMT(BPF_JMP | BPF_JA, 0), END) && !TAKEN(BPF_STMT(BPF_JMP | BPF_JA, 1), END));
    CHECK(!TAKEN(BPF_STMT(BPF_JMP | BPF_JA, ~0u), END) && !TAKEN(BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 1), END));
    CHECK(!TAKEN(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 1, 0), END));
    CHECK(!TAKEN(BPF_STMT(BPF_ST, 16), END) && !TAKEN(BPF_STMT(BPF_LD | BPF_MEM, 3), END));
    CHECK(TAKEN(BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), END));
    // Written on one way only.
    CHECK(!TAKEN(BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 1, 0), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3),
                 END));
    CHECK(TAKEN(BPF_JUMP(BPF_JMP | BPF_JEQ, 0, 0, 2), BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LD | BPF_MEM, 3),
                END));
}

// Each sum is an answer to getppid: its errno.
#define COMPUTES(errno_, ...)                                                                                \
    do {                                                                                                     \
        struct sock_filter code_[] = {LOAD(NR),                                                              \
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),                \
                                      ANSWER(SECCOMP_RET_ALLOW),                                             \
                                      __VA_ARGS__,                                                           \
                                      BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),                 \
                                      BPF_STMT(BPF_RET | BPF_A, 0)};                                         \
        pid_t pid_ = fork();                                                                                 \
        if (!pid_) {                                                                                         \
            no_new_privs();                                                                                  \
            long failed_ = install(code_, COUNT(code_), 0);                                                  \
            errno = 0;                                                                                       \
            _exit(failed_ || syscall(SYS_getppid, 7, 1ul << 32 | 5) != -1 || errno != (errno_));             \
        }                                                                                                    \
        CHECK(test_wait_exit(pid_) == 0);                                                                    \
    } while (0)
#define A_IS(k)     BPF_STMT(BPF_LD | BPF_IMM, k)
#define X_IS(k)     BPF_STMT(BPF_LDX | BPF_IMM, k)
#define DO_K(op, k) BPF_STMT(BPF_ALU | (op) | BPF_K, k)
#define DO_X(op)    BPF_STMT(BPF_ALU | (op) | BPF_X, 0)

TEST(filters_compute_as_bpf_says) {
    COMPUTES(7, LOAD(ARG(0)));
    COMPUTES(6, LOAD(ARG(1)), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(ARG(1) + 4), DO_X(BPF_ADD));
    COMPUTES(12, A_IS(40), DO_K(BPF_SUB, 28));
    COMPUTES(42, A_IS(6), X_IS(7), DO_X(BPF_MUL));
    COMPUTES(10, A_IS(~0u), DO_K(BPF_RSH, 28), DO_K(BPF_AND, 10));
    COMPUTES(9, A_IS(15), X_IS(6), DO_X(0xa0));
    COMPUTES(5, A_IS(~0u - 4), BPF_STMT(BPF_ALU | BPF_NEG, 0));
    COMPUTES(8, A_IS(1), X_IS(3), DO_X(BPF_LSH));
    COMPUTES(64, BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0));
    COMPUTES(3, A_IS(7), X_IS(2), DO_X(BPF_DIV));
    COMPUTES(11, X_IS(11), BPF_STMT(BPF_STX, 15), A_IS(1), BPF_STMT(BPF_LD | BPF_MEM, 15));
    COMPUTES(2, A_IS(0x80000000), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 0, 2), A_IS(2),
             BPF_STMT(BPF_JMP | BPF_JA, 1), A_IS(1));
    COMPUTES(2, A_IS(6), X_IS(4), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 2), A_IS(2),
             BPF_STMT(BPF_JMP | BPF_JA, 1), A_IS(1));
    COMPUTES(4095, A_IS(0xffff));
}

static int divides_by_zero(void *arg) {
    struct sock_filter code[] = {X_IS(0), A_IS(SECCOMP_RET_ALLOW), DO_X(BPF_DIV), ANSWER(SECCOMP_RET_ALLOW)};
    (void)arg;
    no_new_privs();
    install(code, COUNT(code), 0);
    return 0;
}

TEST(a_division_by_0_answers_0_which_kills) {
    CHECK((end_of(divides_by_zero) & 0x7f) == SIGSYS);
}

TEST(a_chain_has_an_end) {
    struct sock_filter code[BPF_MAXINSNS];
    for (size_t i = 0; i < BPF_MAXINSNS; i++)
        code[i] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
    no_new_privs();
    int taken = 0;
    while (install(code, BPF_MAXINSNS, 0) == 0)
        taken++;
    CHECK(errno == ENOMEM && taken >= 3 &&
          taken <= 7); // of 32768, which Linux counts after it has translated them
    CHECK(status_of("/proc/self/status", "Seccomp_filters") == taken);
}

static int filters_without_leave(void *arg) {
    struct sock_filter code[] = CALL_ANSWERS(SYS_getppid, SECCOMP_RET_ERRNO);
    (void)arg;
    CHECK(setresuid(1000, 1000, 1000) == 0);
    CHECK_ERRNO(install(code, COUNT(code), 0), EACCES);
    no_new_privs();
    CHECK(install(code, COUNT(code), 0) == 0);
    return 0;
}

TEST(without_privileges_only_who_gains_none_may_filter) {
    CHECK(end_of(filters_without_leave) == 0);
    struct sock_filter code[] = CALL_ANSWERS(SYS_getppid, SECCOMP_RET_ERRNO);
    CHECK(install(code, COUNT(code), 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

// ---- answers

TEST(an_errno_is_what_the_call_returns) {
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 77);
    CHECK_ERRNO(syscall(SYS_getppid), 77);
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff); // the newest of equals counts
    CHECK_ERRNO(syscall(SYS_getppid), 4095);
    answer(SYS_gettid, SECCOMP_RET_ERRNO);
    CHECK(syscall(SYS_gettid) == 0);
    CHECK(getpid() > 0 && prctl(PR_GET_SECCOMP) == 2 && status_of("/proc/self/status", "Seccomp") == 2);
    CHECK(status_of("/proc/self/status", "Seccomp_filters") == 3);
    CHECK(status_of("/proc/self/status", "NoNewPrivs") == 1);
}

TEST(a_number_that_is_no_call_is_asked_about_too) {
    answer(4711, SECCOMP_RET_ERRNO | 77);
    CHECK_ERRNO(syscall(4711), 77);
    CHECK_ERRNO(syscall(4712), ENOSYS);
    answer((unsigned int)-1, SECCOMP_RET_ERRNO | 78);
    CHECK_ERRNO(syscall(-1), 78);
}

TEST(a_number_with_a_high_half_is_no_way_round) {
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 77);
    CHECK_ERRNO(syscall(1l << 32 | SYS_getppid), 77);
}

TEST(the_answer_that_allows_least_counts) {
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 1);
    answer(SYS_getppid, SECCOMP_RET_TRACE);
    answer(SYS_getppid, SECCOMP_RET_LOG);
    CHECK_ERRNO(syscall(SYS_getppid), 1);
    answer(SYS_getpgid, SECCOMP_RET_TRACE);
    CHECK_ERRNO(syscall(SYS_getpgid, 0), ENOSYS); // nobody traces
    answer(SYS_getsid, SECCOMP_RET_LOG);
    CHECK(getsid(0) >= 0);
}

static siginfo_t trapped;
static unsigned long trapped_pc, trapped_a0;

static void on_trap(int sig, siginfo_t *info, void *context) {
    (void)sig;
    trapped = *info;
    unsigned long *registers = (unsigned long *)&((ucontext_t *)context)->uc_mcontext;
    trapped_pc = registers[0];
    trapped_a0 = registers[10];
    registers[10] = 4242;
}

TEST(a_trap_is_a_signal_that_may_answer_for_the_call) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSYS, &action, NULL) == 0);
    answer(SYS_getppid, SECCOMP_RET_TRAP | 99);
    CHECK(syscall(SYS_getppid, 5) == 4242);
    CHECK(trapped.si_signo == SIGSYS && trapped.si_code == 1 && trapped.si_errno == 99);
    CHECK(trapped.si_syscall == SYS_getppid && trapped.si_arch == AUDIT_ARCH_RISCV64);
    CHECK((unsigned long)trapped.si_call_addr == trapped_pc && trapped_a0 == 5);
}

static int is_trapped(void *arg) {
    (void)arg;
    signal(SIGSYS, SIG_IGN);
    answer(SYS_getppid, SECCOMP_RET_TRAP);
    syscall(SYS_getppid);
    return 0;
}

static int is_killed(void *arg) {
    sigset_t all;
    (void)arg;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGSYS, SIG_IGN);
    answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    syscall(SYS_getppid);
    return 0;
}

static int has_unknown_answer(void *arg) {
    (void)arg;
    answer(SYS_getppid, 0x12340000);
    syscall(SYS_getppid);
    return 0;
}

TEST(kills_and_traps_nobody_catches_end_the_process) {
    CHECK((end_of(is_trapped) & 0x7f) == SIGSYS);
    CHECK((end_of(is_killed) & 0x7f) == SIGSYS);
    CHECK((end_of(has_unknown_answer) & 0x7f) == SIGSYS);
}

static void *calls(void *nr) {
    syscall((long)nr);
    return NULL;
}

static int loses_a_thread(void *arg) {
    pthread_t t;
    (void)arg;
    answer(SYS_getppid, SECCOMP_RET_KILL_THREAD);
    CHECK(pthread_create(&t, NULL, calls, (void *)SYS_getppid) == 0);
    while (status_of("/proc/self/status", "Threads") != 1) // a join would wait for what it can say no more
        usleep(1000);
    return 3;
}

static int loses_all_threads(void *arg) {
    pthread_t t;
    (void)arg;
    answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    CHECK(pthread_create(&t, NULL, calls, (void *)SYS_getppid) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    return 3;
}

TEST(a_thread_dies_alone_or_with_all) {
    CHECK(end_of(loses_a_thread) == 3 << 8);
    CHECK((end_of(loses_all_threads) & 0x7f) == SIGSYS);
}

// ---- strict

static int is_strict(void *arg) {
    int p[2];
    char c = 'x';
    CHECK(pipe(p) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    syscall(SYS_write, p[1], &c, 1);
    syscall(SYS_read, p[0], &c, 1);
    if (arg)
        syscall((long)arg);
    syscall(SYS_exit, 5);
    return 0;
}

static int is_strict_and_asks(void *arg) {
    (void)arg;
    return is_strict((void *)SYS_getppid);
}

static int is_filtered_and_strict(void *arg) {
    (void)arg;
    answer(SYS_getppid, SECCOMP_RET_ERRNO);
    CHECK_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
    return 7;
}

TEST(strict_leaves_four_calls) {
    CHECK(end_of(is_strict) == 5 << 8);
    CHECK(end_of(is_strict_and_asks) == SIGKILL);
    CHECK(end_of(is_filtered_and_strict) == 7 << 8);
}

// ---- who has them

static int becomes_another(void *arg) {
    (void)arg;
    answer(SYS_exit, SECCOMP_RET_KILL_PROCESS);
    answer(SYS_exit_group, SECCOMP_RET_KILL_PROCESS);
    execl("./seccomp-program", "program", NULL);
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(children_threads_and_programs_inherit) {
    pthread_t t;
    answer(SYS_getppid, SECCOMP_RET_ERRNO | 66);
    pid_t pid = fork();
    if (!pid) {
        errno = 0;
        _exit(syscall(SYS_getppid) != -1 || errno != 66);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(pthread_create(&t, NULL, calls, (void *)SYS_getppid) == 0 && pthread_join(t, NULL) == 0);
    test_make_program("seccomp-program", 0x10000, 0755);
    CHECK((end_of(becomes_another) & 0x7f) == SIGSYS);
    unlink("seccomp-program");
}

static pthread_barrier_t barrier;
static int their_errno;

static void *waits_and_asks(void *own) {
    if (own)
        answer(SYS_getsid, SECCOMP_RET_ERRNO | 3);
    pthread_barrier_wait(&barrier); // it is here
    pthread_barrier_wait(&barrier); // it has been filtered
    errno = 0;
    syscall(SYS_getppid);
    their_errno = errno;
    long nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    return (void *)nnp;
}

static void sync_with(void *own, unsigned int flags, long result, int error) {
    struct sock_filter code[] = CALL_ANSWERS(SYS_getppid, SECCOMP_RET_ERRNO | 88);
    pthread_t t;
    void *nnp;
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK(pthread_create(&t, NULL, waits_and_asks, own) == 0);
    pthread_barrier_wait(&barrier);
    no_new_privs();
    errno = 0;
    long got = install(code, COUNT(code), SECCOMP_FILTER_FLAG_TSYNC | flags);
    CHECK((result < 0   ? got == result
           : result > 0 ? got > 0 && got != gettid()
                        : got == 0) &&
          errno == error);
    pthread_barrier_wait(&barrier);
    CHECK(pthread_join(t, &nnp) == 0);
    CHECK(got || (their_errno == 88 && nnp == (void *)1));
    CHECK(!got || their_errno == 0);
    CHECK(prctl(PR_GET_SECCOMP) == (got ? 0 : 2));
}

TEST(all_threads_can_be_taken_along) {
    sync_with(NULL, 0, 0, 0);
    sync_with(NULL, 0, 0, 0); // a thread with a part of the chain
}

TEST(a_thread_with_other_filters_is_named) {
    sync_with(&barrier, 0, 1, 0);
}

TEST(a_thread_with_other_filters_can_be_an_error) {
    sync_with(&barrier, SECCOMP_FILTER_FLAG_TSYNC_ESRCH, -1, ESRCH);
}

static void *makes_threads(void *arg) {
    pthread_t t;
    for (int i = 0; i < 40; i++)
        CHECK(pthread_create(&t, NULL, calls, arg) == 0 && pthread_join(t, NULL) == 0);
    return NULL;
}

TEST(threads_come_and_go_while_all_are_taken_along) {
    struct sock_filter code[] = CALL_ANSWERS(SYS_getppid, SECCOMP_RET_ERRNO | 88);
    pthread_t makers[3];
    no_new_privs();
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&makers[i], NULL, makes_threads, (void *)SYS_getppid) == 0);
    for (int i = 0; i < 30; i++)
        CHECK(install(code, COUNT(code), SECCOMP_FILTER_FLAG_TSYNC) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(makers[i], NULL) == 0);
    CHECK(status_of("/proc/self/status", "Seccomp_filters") == 30);
    sync_with(NULL, 0, 0, 0);
}

TEST(privileges_are_not_gained_any_more) {
    test_make_program("seccomp-setuid", 0x10000, 04755);
    answer(SYS_getppid, SECCOMP_RET_ERRNO);
    CHECK(setresuid(1000, 1000, 1000) == 0);
    pid_t pid = fork();
    if (!pid) {
        execl("./seccomp-setuid", "program", NULL);
        _exit(1);
    }
    CHECK(test_wait_exit(pid) == 42);
    CHECK(status_of("/proc/self/status", "NoNewPrivs") == 1);
}

// ---- tracers

static int asks_under_a_filter(void) {
    answer(SYS_getppid, SECCOMP_RET_TRACE | 1234);
    long r = syscall(SYS_getppid, 1, 2);
    return r == 42 ? 0 : r == -1 && errno == ENOSYS ? 1 : r == getpid() ? 2 : 3;
}

// To the stop for seccomp.
static pid_t stopped_for_seccomp(void) {
    pid_t pid = traced_child(asks_under_a_filter, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD);
    unsigned long message;
    CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && wait_stop(pid) == EVENT(7));
    CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message) == 0 && message == 1234);
    return pid;
}

TEST(a_tracer_sees_the_call_and_may_answer_for_it) {
    struct {
        struct call_info info;
        uint32_t room[4];
    } c;
    pid_t pid = stopped_for_seccomp();
    CHECK(trace(0x420e, pid, sizeof(c), (unsigned long)&c) == 84); // with ret_data
    CHECK(c.info.op == 3 && c.info.entry.nr == SYS_getppid && c.info.entry.args[1] == 2);
    uint32_t data;
    memcpy(&data, (char *)&c + 80, sizeof(data));
    CHECK(data == 1234);
    struct registers r = get_registers(pid);
    r.a[7] = -1ul;
    r.a[0] = 42;
    set_registers(pid, &r);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

TEST(a_tracer_may_let_the_call_be_made) {
    pid_t pid = stopped_for_seccomp();
    struct registers r = get_registers(pid);
    r.a[7] = SYS_getpid;
    set_registers(pid, &r);
    go(pid, 0);
    CHECK(wait_end(pid) == 2 << 8);
}

static int kills_itself_by_filter(void) {
    answer(SYS_getppid, SECCOMP_RET_TRACE);
    answer(SYS_getpgid, SECCOMP_RET_KILL_PROCESS);
    syscall(SYS_getppid);
    return 0;
}

TEST(a_call_that_a_tracer_changed_is_looked_at_again) {
    pid_t pid = traced_child(kills_itself_by_filter, PTRACE_O_TRACESECCOMP);
    CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && wait_stop(pid) == EVENT(7));
    struct registers r = get_registers(pid);
    r.a[7] = SYS_getpgid;
    set_registers(pid, &r);
    go(pid, 0);
    CHECK((wait_end(pid) & 0x7f) == SIGSYS); // which is not shown to the tracer first
}

TEST(a_tracer_that_does_not_ask_is_not_told) {
    pid_t pid = traced_child(asks_under_a_filter, 0);
    go(pid, 0);
    CHECK(wait_end(pid) == 1 << 8);
}

TEST(a_privileged_tracer_reads_filters) {
    struct sock_filter code[8];
    uint64_t meta[2] = {0, 99};
    pid_t pid = stopped_for_seccomp();
    CHECK(trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0) == 4);
    CHECK(trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, (unsigned long)code) == 4);
    CHECK(code[1].k == SYS_getppid && code[2].k == (SECCOMP_RET_TRACE | 1234));
    CHECK_ERRNO(trace(PTRACE_SECCOMP_GET_FILTER, pid, 1, 0), ENOENT);
    CHECK(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(meta), (unsigned long)meta) == 16 && meta[1] == 0);
    CHECK_ERRNO(trace(PTRACE_SECCOMP_GET_METADATA, pid, 4, (unsigned long)meta), EINVAL);
    kill(pid, SIGKILL);
    CHECK(wait_end(pid) == SIGKILL);
}

TEST(a_privileged_tracer_suspends_filters) {
    pid_t pid = traced_child(kills_itself_by_filter, PTRACE_O_SUSPEND_SECCOMP | PTRACE_O_TRACESECCOMP);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

static int suspends_without_leave(void *arg) {
    (void)arg;
    CHECK(setresuid(1000, 1000, 1000) == 0);
    pid_t pid = traced_child(kills_itself_by_filter, 0);
    CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP), EPERM);
    CHECK_ERRNO(trace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0), EACCES);
    kill(pid, SIGKILL);
    CHECK(wait_end(pid) == SIGKILL);
    return 0;
}

TEST(others_do_neither) {
    CHECK(end_of(suspends_without_leave) == 0);
}
