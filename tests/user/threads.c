// SPDX-License-Identifier: MIT
// Threads and futexes: through the C library's own locks, and by the bare system call.
#include "test.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long futex(uint32_t *addr, int op, uint32_t value, const void *timeout, uint32_t *addr2,
                  uint32_t value3) {
    return syscall(SYS_futex, addr, op, value, timeout, addr2, value3);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long counter;

static void *count_up(void *arg) {
    for (long i = 0; i < (long)arg; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(mutex_protects_a_counter_between_eight_threads) {
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&t[i], NULL, count_up, (void *)20000) == 0);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
    CHECK(counter == 160000);
}

static void *identity(void *arg) {
    return arg;
}

TEST(a_thousand_threads_come_and_go) {
    for (long i = 0; i < 1000; i++) {
        pthread_t t;
        void *result;
        CHECK(pthread_create(&t, NULL, identity, (void *)i) == 0);
        CHECK(pthread_join(t, &result) == 0 && result == (void *)i);
    }
}

static int turn;
static void *take_turns(void *arg) {
    int me = (int)(long)arg;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % 3 != me)
            pthread_cond_wait(&cond, &mutex);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(condition_variables_lose_no_wakeup) {
    pthread_t t[3];
    for (long i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, take_turns, (void *)i) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    CHECK(turn == 6000);
}

static pthread_barrier_t barrier;
static int arrived[4];
static void *meet(void *arg) {
    for (int i = 0; i < 500; i++) {
        arrived[(long)arg] = i + 1;
        pthread_barrier_wait(&barrier);
        for (int k = 0; k < 4; k++)
            if (arrived[k] != i + 1)
                return (void *)1;
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

TEST(barriers_meet) {
    pthread_t t[4];
    void *bad;
    pthread_barrier_init(&barrier, NULL, 4);
    for (long i = 0; i < 4; i++)
        CHECK(pthread_create(&t[i], NULL, meet, (void *)i) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(t[i], &bad) == 0 && !bad);
}

static sem_t ping, pong;
static void *answer(void *arg) {
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        while (sem_wait(&ping))
            ;
        sem_post(&pong);
    }
    return NULL;
}

TEST(semaphores_play_ping_pong) {
    pthread_t t;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    CHECK(pthread_create(&t, NULL, answer, NULL) == 0);
    for (int i = 0; i < 3000; i++) {
        sem_post(&ping);
        while (sem_wait(&pong))
            ;
    }
    CHECK(pthread_join(t, NULL) == 0);
}

TEST(process_shared_mutex_works_between_processes) {
    struct shared {
        pthread_mutex_t lock;
        long count;
    } *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&s->lock, &attr);
    pid_t pid[4];
    for (int k = 0; k < 4; k++)
        if (!(pid[k] = fork())) {
            for (int i = 0; i < 5000; i++) {
                pthread_mutex_lock(&s->lock);
                s->count++;
                pthread_mutex_unlock(&s->lock);
            }
            _exit(0);
        }
    for (int k = 0; k < 4; k++)
        CHECK(test_wait_exit(pid[k]) == 0);
    CHECK(s->count == 20000);
}

TEST(robust_mutex_tells_that_its_owner_died) {
    pthread_mutexattr_t attr;
    pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_init(m, &attr) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(pthread_mutex_lock(m));
    CHECK(test_wait_exit(pid) == 0);
    CHECK(pthread_mutex_lock(m) == EOWNERDEAD);
}

TEST(futex_wait_returns_EAGAIN_when_the_value_differs) {
    uint32_t word = 1;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EAGAIN);
}

TEST(futex_wait_times_out) {
    uint32_t word = 1;
    struct timespec t = {0, 20000000}, before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 1, &t, NULL, 0), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000l + after.tv_nsec - before.tv_nsec >= 20000000);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, &before, NULL, ~0u), ETIMEDOUT);
}

TEST(futex_rejects_bad_addresses_and_operations) {
    uint32_t words[2] = {0};
    CHECK_ERRNO(futex((uint32_t *)((char *)words + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((uint32_t *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(words, 99, 0, NULL, NULL, 0), ENOSYS);
}

static uint32_t gate, second;
static int woken;
static void *wait_at_gate(void *arg) {
    uint32_t bits = (uint32_t)(long)arg;
    while (futex(&gate, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bits) == -1 && errno == EINTR)
        ;
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

TEST(futex_wake_bitset_wakes_only_those_who_match) {
    pthread_t a, b;
    pthread_create(&a, NULL, wait_at_gate, (void *)1);
    pthread_create(&b, NULL, wait_at_gate, (void *)2);
    while (futex(&gate, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 2) != 1)
        sched_yield();
    pthread_join(b, NULL);
    CHECK(woken == 1);
    while (futex(&gate, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) != 1)
        sched_yield();
    pthread_join(a, NULL);
}

TEST(futex_requeue_moves_waiters) {
    pthread_t t[3];
    gate = woken = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, wait_at_gate, (void *)0xffffffff);
    long moved = 0;
    while (moved < 3) {
        long n = futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)10, &second, 0);
        CHECK(n >= 0);
        moved += n;
        sched_yield();
    }
    CHECK(futex(&gate, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 0);
    CHECK(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 3);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    CHECK_ERRNO(futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &second, 5), EAGAIN);
}

static void *sleep_forever(void *arg) {
    for (;;)
        pause();
    return arg;
}

TEST(exit_group_ends_all_threads) {
    pid_t pid = fork();
    if (!pid) {
        pthread_t t;
        for (int i = 0; i < 5; i++)
            pthread_create(&t, NULL, sleep_forever, NULL);
        exit(11);
    }
    CHECK(test_wait_exit(pid) == 11);
}

TEST(the_process_lives_on_after_its_first_thread) {
    pid_t pid = fork();
    if (!pid) {
        pthread_t t;
        pthread_create(&t, NULL, sleep_forever, NULL);
        pthread_exit(NULL);
    }
    int status;
    usleep(20000);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM);
}

static void *exec_true(void *arg) {
    execl("/bin/true", "true", (char *)NULL);
    return arg;
}

TEST(exec_in_a_thread_replaces_the_whole_process) {
    pid_t pid = fork();
    if (!pid) {
        pthread_t t;
        pthread_create(&t, NULL, sleep_forever, NULL);
        pthread_create(&t, NULL, exec_true, NULL);
        pthread_join(t, NULL);
        _exit(1);
    }
    CHECK(test_wait_exit(pid) == 0);
}

static void *use_floats(void *arg) {
    double x = (double)(long)arg, sum = 0;
    for (int i = 0; i < 200000; i++) {
        sum += x * i;
        if (i % 1000 == 0)
            sched_yield();
    }
    return (void *)(sum == x * (199999.0 * 200000.0 / 2) ? 0l : 1l);
}

TEST(floating_point_registers_survive_switches) {
    pthread_t t[6];
    void *bad;
    for (long i = 0; i < 6; i++)
        pthread_create(&t[i], NULL, use_floats, (void *)(i + 1));
    for (int i = 0; i < 6; i++)
        CHECK(pthread_join(t[i], &bad) == 0 && !bad);
}

static void *cancel_me(void *arg) {
    char c;
    (void)!read(*(int *)arg, &c, 1);
    return NULL;
}

TEST(a_blocked_thread_can_be_cancelled) {
    int p[2];
    pthread_t t;
    void *result;
    CHECK(pipe(p) == 0);
    pthread_create(&t, NULL, cancel_me, p);
    usleep(1000);
    CHECK(pthread_cancel(t) == 0 && pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
}

TEST(futexes_of_memory_that_cannot_be_read) {
    int *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)none != MAP_FAILED);
    CHECK(syscall(SYS_futex, none, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) ==
          0); // an address is enough
    CHECK_ERRNO(syscall(SYS_futex, none, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_futex, none, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0), EFAULT);
    CHECK(mprotect(none, 4096, PROT_READ) == 0);
    CHECK(syscall(SYS_futex, none, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
    CHECK(munmap(none, 4096) == 0);
    CHECK(syscall(SYS_futex, none, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 0);
    CHECK_ERRNO(syscall(SYS_futex, none, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
}
