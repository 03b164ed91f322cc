// SPDX-License-Identifier: MIT
// A call that takes long because of what its program has lets others have their turns meanwhile: a realtime thread of the same hart, which
// wakes 5,000 times a second, goes on.
#include "test.h"
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

TEST_DIRECTORY(0755)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef SYS_riscv_hwprobe
#define SYS_riscv_hwprobe 258
#endif
#define MANY  20000
#define TURNS 5 // at least

static volatile unsigned long *turns; // of the realtime thread

static void take_turns(void) {
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        ++*turns;
    }
}

static void start(void) {
    cpu_set_t one;
    struct rlimit files = {MANY + 100, MANY + 100};
    struct sched_param p = {.sched_priority = 50};
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    turns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(turns != MAP_FAILED && !sched_setaffinity(0, sizeof(one), &one) &&
          !setrlimit(RLIMIT_NOFILE, &files));
    pid_t pid = fork();
    if (!pid)
        take_turns();
    CHECK(pid > 0 && !syscall(SYS_sched_setscheduler, pid, SCHED_FIFO, &p));
    while (!*turns)
        usleep(1000);
}

// The turns that others have in what `call` does; as many as expected, unless the host's processor is elsewhere again and again.
static void lets_others_run(unsigned long (*call)(void)) {
    unsigned long n = 0;
    start(); // before there is anything that the thread's process would have, too
    for (int tries = 0; tries < 5 && n < TURNS; tries++)
        n = call();
    printf("  %lu turns\n", n);
    CHECK(n >= TURNS);
}

static char *areas;

static void make_areas(void) {
    int fd = test_make("page", "x");
    CHECK(!ftruncate(fd, 4096));
    areas = mmap(NULL, MANY * 8192ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(areas != MAP_FAILED);
    for (int n = 0; n < MANY; n++)
        CHECK(mmap(areas + n * 8192ul, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
}

static unsigned long fork_with_areas(void) {
    if (!areas)
        make_areas();
    unsigned long before = *turns;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    unsigned long had = *turns - before;
    CHECK(test_wait_exit(pid) == 0);
    return had;
}

TEST(who_has_thousands_of_areas_lets_others_run_while_he_forks) {
    lets_others_run(fork_with_areas);
}

static unsigned long unmap_areas(void) {
    make_areas();
    unsigned long before = *turns;
    CHECK(!munmap(areas, MANY * 8192ul));
    return *turns - before;
}

TEST(who_unmaps_thousands_of_areas_lets_others_run) {
    lets_others_run(unmap_areas);
}

static unsigned long unmap_zeros(void) {
    const size_t size = 600ul << 21;
    char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED && !madvise(p, size, MADV_POPULATE_READ));
    unsigned long before = *turns;
    CHECK(!munmap(p, size));
    return *turns - before;
}

TEST(who_unmaps_many_pages_that_were_only_read_lets_others_run) {
    lets_others_run(unmap_zeros);
}

static unsigned long probe_often(void) {
    enum { PAIRS = 100000 };
    struct pair {
        int64_t key;
        uint64_t value;
    } *pairs = calloc(PAIRS, sizeof(*pairs));
    CHECK(pairs);
    unsigned long before = *turns;
    CHECK(!syscall(SYS_riscv_hwprobe, pairs, PAIRS, 0, NULL, 0));
    unsigned long had = *turns - before;
    free(pairs);
    return had;
}

TEST(who_asks_for_many_pairs_of_hwprobe_lets_others_run) {
    lets_others_run(probe_often);
}

// "../a/../a" and so on, from deep within a part of a file system that is mounted, after something was moved there.
static unsigned long walk_up_and_down(void) {
    enum { DEPTH = 4000 };
    static char name[4000];
    struct stat st;
    if (!*name) {
        CHECK(!unshare(CLONE_NEWNS) && !mkdir("m", 0755) && !mount("none", "m", "tmpfs", 0, NULL) &&
              !chdir("m") && !mkdir("part", 0755) && !mkdir("on", 0755) && !mkdir("moved", 0755));
        CHECK(!rename("moved", "part/moved") && !mount("part", "on", NULL, MS_BIND, NULL) && !chdir("on"));
        for (int i = 0; i < DEPTH; i++)
            CHECK(!mkdir("a", 0755) && !chdir("a"));
        for (size_t i = 0; i + 5 < sizeof(name); i += 5)
            memcpy(name + i, "../a/", 5);
    }
    unsigned long before = *turns;
    CHECK(!stat(name, &st));
    return *turns - before;
}

TEST(who_walks_up_and_down_deep_below_lets_others_run) {
    lets_others_run(walk_up_and_down);
}

enum { SETS = 40, EACH = MANY / SETS };

static unsigned long close_what_is_watched(void) {
    int event = eventfd(0, 0), more[EACH], sets[SETS];
    for (int n = 0; n < EACH; n++)
        CHECK((more[n] = dup(event)) >= 0);
    for (int s = 0; s < SETS; s++) {
        sets[s] = epoll_create1(0);
        for (int n = 0; n < EACH; n++)
            CHECK(!epoll_ctl(sets[s], EPOLL_CTL_ADD, more[n], &(struct epoll_event){.events = EPOLLIN}));
    }
    unsigned long before = *turns;
    CHECK(!close(event));
    for (int n = 0; n < EACH; n++)
        CHECK(!close(more[n]));
    unsigned long had = *turns - before;
    for (int s = 0; s < SETS; s++)
        CHECK(!close(sets[s]));
    return had;
}

TEST(who_closes_what_thousands_of_entries_of_epoll_watch_lets_others_run) {
    lets_others_run(close_what_is_watched);
}

static unsigned long close_set(void) {
    int event = eventfd(0, 0), set = epoll_create1(0), fds[MANY];
    for (int n = 0; n < MANY; n++)
        CHECK((fds[n] = dup(event)) >= 0 &&
              !epoll_ctl(set, EPOLL_CTL_ADD, fds[n], &(struct epoll_event){.events = EPOLLIN}));
    unsigned long before = *turns;
    CHECK(!close(set));
    unsigned long had = *turns - before;
    for (int n = 0; n < MANY; n++)
        CHECK(!close(fds[n]));
    return had;
}

TEST(who_closes_a_set_of_thousands_lets_others_run) {
    lets_others_run(close_set);
}

static unsigned long lock_all(void) {
    int fd = test_make("locks", "x");
    struct flock l = {.l_type = F_RDLCK, .l_len = 1};
    for (int n = 0; n < MANY; n++, l.l_start += 2)
        CHECK(!fcntl(fd, F_SETLK, &l));
    unsigned long before = *turns;
    CHECK(!fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}));
    unsigned long had = *turns - before;
    CHECK(!close(fd));
    return had;
}

TEST(who_puts_one_lock_in_the_place_of_thousands_lets_others_run) {
    lets_others_run(lock_all);
}
