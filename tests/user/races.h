// SPDX-License-Identifier: MIT
// What races are made of.
#pragma once
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

// ---- others

static inline void in_a_process(void (*fn)(void)) {
    pid_t pid = fork();
    if (!pid) {
        fn();
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

// A process that has called fn(NULL) and waits, which the racers look at while it ends.
static atomic_int resident __attribute__((unused));

static inline void make_resident_of(void (*fn)(void *)) {
    atomic_store(&resident, test_start_idle(fn, NULL));
}

static inline void end_resident(void) {
    test_end(atomic_load(&resident));
}

// ---- rounds: every thread does its part of a round at the same moment

enum { MAX_RACERS = 4, MILLISECONDS = 1000, ROUNDS_ON_ONE_HART = 50 };

struct race {
    void (*before)(void); // NULL, or makes what a round needs; alone
    void (*part[MAX_RACERS])(void);
    void (*after)(void); // NULL, or checks what came of it and clears up; alone
};

static const struct race *race_now;
static atomic_int race_gate, race_done, race_over;
static int racers;

static void wait_until(atomic_int *n, int at_least) {
    for (int spins = 0; atomic_load(n) < at_least; spins++)
        if (spins > 1000 || sysconf(_SC_NPROCESSORS_ONLN) == 1)
            sched_yield();
}

static void *racer(void *part) {
    for (int round = 1;; round++) {
        wait_until(&race_gate, round);
        if (atomic_load(&race_over))
            return NULL;
        race_now->part[(long)part]();
        atomic_fetch_add(&race_done, 1);
    }
}

static long milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Rounds until the time is over; how many there were.
static inline int run_race(const struct race *r) {
    pthread_t threads[MAX_RACERS];
    long end = milliseconds() + MILLISECONDS;
    int rounds = 0, one = sysconf(_SC_NPROCESSORS_ONLN) == 1;
    race_now = r;
    for (racers = 0; racers < MAX_RACERS && r->part[racers]; racers++)
        CHECK(!pthread_create(&threads[racers], NULL, racer, (void *)(long)racers));
    while (milliseconds() < end && (!one || rounds < ROUNDS_ON_ONE_HART)) {
        if (r->before)
            r->before();
        atomic_store(&race_done, 0);
        atomic_store(&race_gate, ++rounds);
        wait_until(&race_done, racers);
        if (r->after)
            r->after();
    }
    atomic_store(&race_over, 1);
    atomic_store(&race_gate, rounds + 1);
    for (int i = 0; i < racers; i++)
        pthread_join(threads[i], NULL);
    return rounds;
}
