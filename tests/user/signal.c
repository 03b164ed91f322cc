// SPDX-License-Identifier: MIT
// Signals: delivery, masks, flags, information, alternate stacks, restarts, timers.
#include "test.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t hits, order[16];
static volatile siginfo_t last;

static void count(int sig) {
    order[hits++ % 16] = sig;
}
static void inform(int sig, siginfo_t *info, void *context) {
    (void)context;
    last = *info;
    order[hits++ % 16] = sig;
}
static void handle(int sig, void (*fn)(int), int flags) {
    struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};
    CHECK(sigaction(sig, &sa, NULL) == 0);
}
static void handle_info(int sig, int flags) {
    struct sigaction sa = {.sa_sigaction = inform, .sa_flags = flags | SA_SIGINFO};
    CHECK(sigaction(sig, &sa, NULL) == 0);
}
static sigset_t set_of(int sig) {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, sig);
    return s;
}

TEST(raise_runs_the_handler_before_it_returns) {
    handle(SIGUSR1, count, 0);
    for (int i = 1; i <= 1000; i++) {
        CHECK(raise(SIGUSR1) == 0);
        CHECK(hits == i);
    }
}

TEST(blocked_signals_wait_until_unblocked) {
    sigset_t s = set_of(SIGUSR1), pending;
    handle(SIGUSR1, count, 0);
    sigprocmask(SIG_BLOCK, &s, NULL);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK(hits == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    CHECK(hits == 1);
}

TEST(realtime_signals_queue_in_order_with_values) {
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 1);
    sigaddset(&s, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    for (int i = 0; i < 3; i++) {
        union sigval v = {.sival_int = i};
        CHECK(sigqueue(getpid(), SIGRTMIN + 2, v) == 0);
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, v) == 0);
    }
    for (int i = 0; i < 6; i++) {
        siginfo_t info;
        CHECK(sigwaitinfo(&s, &info) == SIGRTMIN + 1 + i / 3);
        CHECK(info.si_value.sival_int == i % 3 && info.si_code == SI_QUEUE && info.si_pid == getpid());
    }
}

TEST(siginfo_names_the_sender) {
    handle_info(SIGUSR2, 0);
    CHECK(kill(getpid(), SIGUSR2) == 0);
    CHECK(hits == 1 && last.si_signo == SIGUSR2 && last.si_code == SI_USER && last.si_pid == getpid() &&
          last.si_uid == getuid());
    CHECK(raise(SIGUSR2) == 0 && hits == 2);
    CHECK(last.si_code == SI_TKILL);
}

TEST(the_handlers_mask_and_NODEFER_hold) {
    struct sigaction sa = {.sa_handler = count};
    sigset_t now;
    sigaddset(&sa.sa_mask, SIGUSR2);
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0 && hits == 1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
}

TEST(RESETHAND_restores_the_default) {
    struct sigaction sa;
    handle(SIGUSR1, count, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK(hits == 1 && sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
}

TEST(SIGKILL_and_SIGSTOP_cannot_be_caught) {
    struct sigaction sa = {.sa_handler = count};
    CHECK_ERRNO(sigaction(SIGKILL, &sa, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
}

static int fd_pair[2];
static pid_t poke_after_it_sleeps(pid_t whom, int sig, const char *write_after) {
    pid_t pid = fork();
    if (pid)
        return pid;
    char path[64], state = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", whom);
    while (state != 'S') {
        FILE *f = fopen(path, "r");
        if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            _exit(1);
        fclose(f);
    }
    kill(whom, sig);
    if (write_after) {
        while (!hits) { // give the handler time: the parent's hits is not ours, so just yield a while
            usleep(20000);
            break;
        }
        (void)!write(fd_pair[1], write_after, strlen(write_after));
    }
    _exit(0);
}

TEST(without_RESTART_a_blocked_read_is_interrupted) {
    char c;
    CHECK(pipe(fd_pair) == 0);
    handle(SIGUSR1, count, 0);
    poke_after_it_sleeps(getpid(), SIGUSR1, NULL);
    CHECK_ERRNO(read(fd_pair[0], &c, 1), EINTR);
    CHECK(hits == 1);
}

TEST(with_RESTART_a_blocked_read_goes_on) {
    char c;
    CHECK(pipe(fd_pair) == 0);
    handle(SIGUSR1, count, SA_RESTART);
    poke_after_it_sleeps(getpid(), SIGUSR1, "x");
    CHECK(read(fd_pair[0], &c, 1) == 1 && c == 'x' && hits == 1);
}

TEST(nanosleep_tells_what_remains) {
    struct timespec want = {100, 0}, left = {0, 0};
    handle(SIGUSR1, count, SA_RESTART);
    poke_after_it_sleeps(getpid(), SIGUSR1, NULL);
    CHECK_ERRNO(nanosleep(&want, &left), EINTR);
    CHECK(left.tv_sec >= 60 && left.tv_sec < 100);
}

TEST(sigsuspend_swaps_the_mask_and_restores_it) {
    sigset_t block = set_of(SIGUSR1), none, now;
    sigemptyset(&none);
    handle(SIGUSR1, count, 0);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK(hits == 1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1));
}

TEST(sigtimedwait_times_out) {
    sigset_t s = set_of(SIGUSR1);
    struct timespec t = {0, 10000000};
    sigprocmask(SIG_BLOCK, &s, NULL);
    CHECK_ERRNO(sigtimedwait(&s, NULL, &t), EAGAIN);
}

static void *on_stack;
static void note_stack(int sig) {
    on_stack = &sig;
    hits++;
}

TEST(the_alternate_stack_is_used) {
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
    CHECK(sigaltstack(&ss, NULL) == 0);
    handle(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK((char *)on_stack >= stack && (char *)on_stack < stack + sizeof(stack));
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == stack && old.ss_flags == 0);
    ss.ss_size = 100;
    CHECK_ERRNO(sigaltstack(&ss, NULL), ENOMEM);
}

static sigjmp_buf jump;
static void escape(int sig) {
    (void)sig;
    siglongjmp(jump, 1);
}
static int overflow(int n) {
    volatile char frame[4096];
    memset((char *)frame, n, sizeof(frame));
    return overflow(n + 1) + frame[7];
}

TEST(stack_overflow_is_SIGSEGV_on_the_alternate_stack) {
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    CHECK(sigaltstack(&ss, NULL) == 0);
    handle(SIGSEGV, escape, SA_ONSTACK);
    if (sigsetjmp(jump, 1) == 0) {
        overflow(0);
        CHECK(!"reached");
    }
}

static void skip_instruction(int sig, siginfo_t *info, void *context) {
    last = *info;
    hits++;
    (void)sig;
#ifdef __riscv
    ucontext_t *uc = context;
    uc->uc_mcontext.__gregs[REG_PC] = uc->uc_mcontext.__gregs[REG_RA];
#else
    (void)context;
    siglongjmp(jump, 1);
#endif
}
__attribute__((noinline)) static int peek(volatile int *p) {
    int v;
#ifdef __riscv
    __asm__ volatile("lw %0, 0(%1)" : "=r"(v) : "r"(p));
#else
    v = *p;
#endif
    return v;
}

TEST(faults_carry_code_and_address) {
    struct sigaction sa = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO | SA_NODEFER};
    CHECK(sigaction(SIGSEGV, &sa, NULL) == 0 && sigaction(SIGBUS, &sa, NULL) == 0);
    if (!sigsetjmp(jump, 1))
        peek((int *)0x10);
    CHECK(hits == 1 && last.si_signo == SIGSEGV && last.si_code == SEGV_MAPERR &&
          last.si_addr == (void *)0x10);
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sigsetjmp(jump, 1))
        peek((int *)page);
    CHECK(hits == 2 && last.si_code == SEGV_ACCERR && last.si_addr == page);
}

TEST(an_illegal_instruction_is_SIGILL) {
    pid_t pid = fork();
    int status;
    if (!pid) {
#ifdef __riscv
        __asm__ volatile(".4byte 0");
#else
        __builtin_trap();
#endif
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
}

TEST(registers_and_floats_survive_a_handler) {
    double a = 1.5, b = 2.25;
    handle(SIGALRM, count, SA_RESTART);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    double sum = 0;
    long n = 0;
    while (hits < 20) {
        sum += a * b - 3.375;
        n++;
    }
    CHECK(sum == 0 && n > 0);
}

TEST(itimer_counts_down) {
    struct itimerval t = {{0, 0}, {100, 0}}, old;
    CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
    CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_sec >= 90 && old.it_value.tv_sec <= 100);
    memset(&t, 0, sizeof(t));
    CHECK(setitimer(ITIMER_REAL, &t, &old) == 0 && old.it_value.tv_sec >= 90);
}

TEST(posix_timers_deliver_their_value) {
    timer_t timer;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    struct itimerspec spec = {{0, 0}, {0, 1000000}};
    handle_info(SIGUSR1, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0 && timer_settime(timer, 0, &spec, NULL) == 0);
    while (!hits)
        usleep(1000);
    CHECK(last.si_code == SI_TIMER && last.si_value.sival_int == 77 && timer_delete(timer) == 0);
}

TEST(tgkill_reaches_one_thread_and_checks_ids) {
    handle(SIGUSR1, count, 0);
    CHECK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1) == 0 && hits == 1);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 99999999, SIGUSR1), ESRCH);
    CHECK_ERRNO(kill(99999999, 0), ESRCH);
}

TEST(other_users_may_not_be_signalled) {
    pid_t pid = fork();
    if (!pid) {
        if (setuid(1000))
            _exit(2);
        _exit(kill(getppid(), SIGTERM) == -1 && errno == EPERM ? 0 : 1);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(SIGCHLD_tells_how_the_child_ended) {
    handle_info(SIGCHLD, SA_RESTART);
    pid_t pid = fork();
    if (!pid)
        _exit(5);
    CHECK(test_wait_exit(pid) == 5);
    CHECK(hits == 1 && last.si_code == CLD_EXITED && last.si_status == 5 && last.si_pid == pid);
}

static void does_nothing(int sig) {
    (void)sig;
}

// The timer's interrupt comes at any moment of going to sleep, on the sleeper's own hart.
TEST(an_alarm_in_the_moment_of_going_to_sleep_wakes) {
    sigset_t alarm_set, none;
    sigemptyset(&none);
    sigemptyset(&alarm_set);
    sigaddset(&alarm_set, SIGALRM);
    signal(SIGALRM, does_nothing);
    CHECK(sigprocmask(SIG_BLOCK, &alarm_set, NULL) == 0);
    for (int i = 0; i < 4000; i++) {
        struct itimerval soon = {.it_value = {.tv_usec = 1 + i % 40}};
        CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
        CHECK(sigsuspend(&none) == -1 && errno == EINTR);
    }
}
