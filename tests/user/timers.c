// SPDX-License-Identifier: MIT
// Timers: when they rest and go on, what they count, that no number of them stops the machine, and which follow
// the clock when it is set.
#include "test.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define SIG   (SIGRTMIN + 4)
#define NEVER ((time_t)1 << 40)

static volatile sig_atomic_t hits;

static void count(int sig) {
    (void)sig;
    hits++;
}

static void block(int sig) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static int take(int sig, siginfo_t *info, long ns) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    struct timespec t = {0, ns};
    return sigtimedwait(&set, info, ns < 0 ? NULL : &t);
}

static void nap(long ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    CHECK(nanosleep(&t, NULL) == 0);
}

static long now_ns(clockid_t clock) {
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static timer_t make(clockid_t clock, int notify, int sig) {
    timer_t t;
    struct sigevent ev = {.sigev_notify = notify, .sigev_signo = sig};
    ev.sigev_value.sival_int = 5;
    CHECK(timer_create(clock, &ev, &t) == 0);
    return t;
}

static void set(timer_t t, int flags, long first, long every) {
    struct itimerspec spec = {{every / 1000000000, every % 1000000000},
                              {first / 1000000000, first % 1000000000}};
    CHECK(timer_settime(t, flags, &spec, NULL) == 0);
}

static long left(timer_t t) {
    struct itimerspec spec;
    CHECK(timer_gettime(t, &spec) == 0);
    return spec.it_value.tv_sec * 1000000000 + spec.it_value.tv_nsec;
}

static void burn(long ns) {
    for (long end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ns; now_ns(CLOCK_PROCESS_CPUTIME_ID) < end;)
        ;
}

// ---- many and fast ones

TEST(fastest_timers_leave_the_machine_to_others) {
    block(SIG);
    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < 300; i++)
        set(make(i % 3 ? CLOCK_MONOTONIC : CLOCK_REALTIME, SIGEV_SIGNAL, i % 2 ? SIG : SIGUSR1), 0, 1, 1);
    nap(20000000);
    burn(20000000);
}

static int run_storm(void *arg) {
    (void)arg;
    signal(SIG, count);
    for (int i = 0; i < 100; i++)
        set(make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG), 0, 1, 1);
    for (;;)
        pause();
    return 0;
}

TEST(fastest_timers_with_handlers_end_with_their_process) {
    pid_t pid[4];
    for (int i = 0; i < 4; i++)
        pid[i] = test_fork(run_storm, NULL);
    nap(50000000);
    for (int i = 0; i < 4; i++)
        CHECK(kill(pid[i], SIGKILL) == 0 && waitpid(pid[i], NULL, 0) == pid[i]);
}

TEST(fastest_interval_timers_leave_the_machine_to_others) {
    struct itimerval fast = {{0, 1}, {0, 1}};
    signal(SIGALRM, SIG_IGN);
    CHECK(setitimer(ITIMER_REAL, &fast, NULL) == 0);
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec ns = {{0, 1}, {0, 1}};
    CHECK(timerfd_settime(fd, 0, &ns, NULL) == 0);
    burn(20000000);
}

TEST(timers_are_counted_as_pending_signals) {
    struct rlimit limit = {10, 10};
    CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIG};
    timer_t t, first = 0;
    int made = 0;
    while (made < 100 && timer_create(CLOCK_MONOTONIC, &ev, &t) == 0) {
        if (!made++)
            first = t;
    }
    CHECK(errno == EAGAIN && made > 0 && made <= 10);
    CHECK(timer_delete(first) == 0 && timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
    ev.sigev_notify = SIGEV_NONE; // counts as well, in Linux too
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &ev, &t), EAGAIN);
}

// ---- overruns

TEST(taking_the_signal_tells_how_often_the_timer_expired) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    long before = now_ns(CLOCK_MONOTONIC);
    set(t, 0, 1000000, 1000000);
    nap(50000000);
    CHECK(take(SIG, &info, 0) == SIG && info.si_code == SI_TIMER && info.si_value.sival_int == 5);
    long most = (now_ns(CLOCK_MONOTONIC) - before) / 1000000;
    CHECK(info.si_overrun >= 45 && info.si_overrun < most && timer_getoverrun(t) == info.si_overrun);
    CHECK(left(t) > 0 && left(t) <= 1000000);
    CHECK(take(SIG, &info, -1) == SIG && info.si_overrun < 45);
    set(t, 0, 0, 1000000);
    CHECK(timer_getoverrun(t) == 0 && left(t) == 0);
}

TEST(overruns_stop_at_their_limit) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIG);
    set(t, TIMER_ABSTIME, 1, 1); // since 1970
    CHECK(take(SIG, &info, -1) == SIG && info.si_overrun == 2147483647 && timer_getoverrun(t) == 2147483647);
}

TEST(a_timer_that_fires_once_has_no_overrun) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    set(t, 0, 1, 0);
    CHECK(take(SIG, &info, -1) == SIG && info.si_overrun == 0 && timer_getoverrun(t) == 0 && left(t) == 0);
    CHECK(take(SIG, &info, 10000000) == -1);
}

TEST(a_pending_signal_outlives_its_timer) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    set(t, 0, 1, 1);
    nap(2000000);
    CHECK(timer_delete(t) == 0 && take(SIG, &info, 0) == SIG && info.si_overrun == 0);
    CHECK(take(SIG, &info, 5000000) == -1);
}

TEST(a_made_up_timer_signal_moves_no_timer) {
    siginfo_t info = {.si_code = SI_TIMER};
    block(SIG);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    set(t, 0, 1000000000, 1);
    info.si_timerid = (int)(long)t;
    info.si_overrun = 7;
    CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIG, &info) == 0);
    CHECK(take(SIG, &info, 0) == SIG && info.si_overrun == 7 && timer_getoverrun(t) == 0);
    CHECK(take(SIG, &info, 2000000) == -1);
}

// ---- resting and going on

TEST(an_ignored_timer_goes_on_when_its_signal_is_caught) {
    signal(SIG, SIG_IGN);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    set(t, 0, 1000000, 1000000);
    nap(5000000);
    CHECK(left(t) > 0 && left(t) <= 1000000);
    signal(SIG, count);
    while (hits < 3)
        pause();
}

TEST(a_timer_whose_pending_signal_was_thrown_away_goes_on) {
    block(SIG);
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIG);
    set(t, 0, 1, 1000000);
    nap(2000000);
    signal(SIG, SIG_IGN);
    siginfo_t info;
    CHECK(take(SIG, &info, 0) == -1);
    signal(SIG, count);
    CHECK(take(SIG, &info, -1) == SIG && take(SIG, &info, -1) == SIG);
}

TEST(a_silent_timer_is_computed) {
    timer_t t = make(CLOCK_MONOTONIC, SIGEV_NONE, 0), once = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_NONE, 0);
    set(t, 0, 1000000, 7000000);
    set(once, 0, 1000000, 0);
    burn(20000000);
    CHECK(left(t) > 0 && left(t) <= 7000000 && left(once) == 0 && timer_getoverrun(t) == 0);
}

static int thread_tid;
static void *take_in_thread(void *arg) {
    siginfo_t *info = arg;
    __atomic_store_n(&thread_tid, gettid(), __ATOMIC_RELEASE);
    return (void *)(long)take(SIG, info, -1);
}

TEST(a_thread_gets_its_timer) {
    pthread_t thread;
    siginfo_t info = {0};
    void *sig;
    block(SIG);
    CHECK(pthread_create(&thread, NULL, take_in_thread, &info) == 0);
    while (!__atomic_load_n(&thread_tid, __ATOMIC_ACQUIRE))
        sched_yield();
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIG};
    ev.sigev_notify_thread_id = thread_tid;
    timer_t t;
    CHECK(timer_create(CLOCK_MONOTONIC, &ev, &t) == 0);
    set(t, 0, 1, 1000000);
    CHECK(pthread_join(thread, &sig) == 0 && (long)sig == SIG && info.si_code == SI_TIMER);
    nap(3000000); // to a thread that has gone
    CHECK(timer_delete(t) == 0);
    ev.sigev_notify_thread_id = thread_tid;
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &ev, &t), EINVAL);
}

TEST(itimer_goes_on_when_its_signal_is_taken) {
    siginfo_t info;
    block(SIGALRM);
    struct itimerval often = {{0, 2000}, {0, 1}}, now;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    nap(5000000);
    CHECK(getitimer(ITIMER_REAL, &now) == 0 && now.it_interval.tv_usec == 2000);
    for (int i = 0; i < 5; i++)
        CHECK(take(SIGALRM, &info, -1) == SIGALRM && info.si_code == SI_KERNEL);
    CHECK(getitimer(ITIMER_REAL, &now) == 0 && now.it_value.tv_usec > 0 && now.it_value.tv_usec <= 2000);
    often.it_value.tv_usec = 0;
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0 && getitimer(ITIMER_REAL, &now) == 0);
    CHECK(now.it_interval.tv_usec == 0);
}

TEST(timers_of_processor_time_go_on_when_taken) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIG),
            mine = make(CLOCK_THREAD_CPUTIME_ID, SIGEV_SIGNAL, SIG + 1);
    signal(SIG + 1, count);
    long begun = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    set(t, 0, 1000000, 1000000);
    set(mine, 0, 1000000, 1000000);
    burn(60000000);
    while (hits <= 2) // a host that stops the hart lets much time pass in few ticks
        burn(4000000);
    CHECK(take(SIG, &info, 0) == SIG && info.si_overrun >= 40);
    CHECK(info.si_overrun <=
          (now_ns(CLOCK_PROCESS_CPUTIME_ID) - begun) / 1000000); // how long it took, the host knows
    burn(60000000);
    CHECK(take(SIG, &info, 0) == SIG && left(t) > 0 && left(t) <= 1000000);
}

TEST(profiling_timers_tick_while_the_process_runs) {
    struct itimerval often = {{0, 1000}, {0, 1000}};
    signal(SIGPROF, count);
    signal(SIGVTALRM, count);
    CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &often, NULL) == 0);
    while (hits < 6)
        ;
}

// ---- setting the clock

static void step_clock(long seconds) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
    t.tv_sec += seconds;
    CHECK(clock_settime(CLOCK_REALTIME, &t) == 0);
}

TEST(relative_timers_do_not_follow_the_clock) {
    siginfo_t info;
    block(SIG);
    timer_t t = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIG), at = make(CLOCK_REALTIME, SIGEV_SIGNAL, SIG + 1);
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    struct itimerspec in_1000 = {{0, 0}, {1000, 0}};
    uint64_t n;
    block(SIG + 1);
    set(t, 0, 1000000000000, 0);
    set(at, TIMER_ABSTIME, now_ns(CLOCK_REALTIME) + 1000000000000, 0);
    CHECK(timerfd_settime(fd, 0, &in_1000, NULL) == 0);
    step_clock(100000);
    CHECK(take(SIG + 1, &info, -1) == SIG + 1);
    CHECK(take(SIG, &info, 0) == -1 && left(t) > 900000000000 && left(t) <= 1000000000000);
    CHECK_ERRNO(read(fd, &n, sizeof(n)), EAGAIN);
    step_clock(-100000);
}

TEST(timerfd_settime_tells_that_the_clock_was_set) {
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    struct itimerspec next = {{0, 0}, {NEVER >> 8, 0}}, now;
    int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    uint64_t n;
    CHECK(timerfd_settime(fd, flags, &next, NULL) == 0);
    step_clock(0);
    CHECK_ERRNO(timerfd_settime(fd, flags, &next, NULL), ECANCELED);
    CHECK(timerfd_gettime(fd, &now) == 0 && now.it_value.tv_sec > 0);
    CHECK_ERRNO(read(fd, &n, sizeof(n)), EAGAIN);
    CHECK(timerfd_settime(fd, flags, &next, NULL) == 0);
}

TEST(the_clock_has_its_limits) {
    struct timespec ts = {9223372036 - 30l * 365 * 24 * 3600, 0}, now;
    struct timeval tv = {ts.tv_sec, 0};
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
    CHECK_ERRNO(settimeofday(&tv, NULL), EINVAL);
    ts = (struct timespec){-1, 0};
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
    ts = (struct timespec){1, 1000000000};
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
    ts = (struct timespec){1, -1};
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
    tv = (struct timeval){1, -1};
    CHECK_ERRNO(settimeofday(&tv, NULL), EINVAL);
    CHECK_ERRNO(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    ts = (struct timespec){9223372035 - 30l * 365 * 24 * 3600, 999999999};
    CHECK(clock_settime(CLOCK_REALTIME, &ts) == 0 && clock_settime(CLOCK_REALTIME, &now) == 0);
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &now), EPERM);
    CHECK_ERRNO(clock_settime(CLOCK_REALTIME, &(struct timespec){9223372036, 0}), EINVAL);
}
