// SPDX-License-Identifier: MIT
// A thousand connections a second for a minute: each is made when its millisecond has come, carries a byte, and ends; once the first seconds are
// over no more memory is used. It wants a machine whose time is counted in instructions (tests/programs/test_endurance.py).
#include "inet.h"
#include <time.h>

#define A_SECOND 1000
#define SECONDS  60
#define WARM     5       // seconds after which connections that are over are as many as they become
#define SLACK_KB 512     // that two looks at free memory may differ by
#define LATE_NS  5000000 // that a connection may end behind its millisecond: that of a few others

static long now(void) {
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static long free_kb(void) {
    return test_number_in("/proc/meminfo", "MemFree:");
}

static void connect_once(int l, int port) {
    char byte = 0;
    int c = socket(AF_INET, SOCK_STREAM, 0), d;
    CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
    CHECK(write(c, "x", 1) == 1 && read(d, &byte, 1) == 1 && byte == 'x');
    CHECK(close(c) == 0 && read(d, &byte, 1) == 0 && close(d) == 0);
}

TEST(a_thousand_connections_a_second_for_a_minute) {
    int port, l = listener(&port, 16);
    long begin = now(), before = 0, worst = 0;
    for (long i = 0; i < SECONDS * A_SECOND; i++) {
        long due = begin + i * (1000000000 / A_SECOND);
        struct timespec until = {due / 1000000000, due % 1000000000};
        CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
        connect_once(l, port);
        long late = now() - due;
        worst = late > worst ? late : worst;
        if (i == WARM * A_SECOND)
            before = free_kb();
    }
    long after = free_kb();
    printf("# the latest was done after %ld us; %ld kB of memory less\n", worst / 1000, before - after);
    CHECK(worst < LATE_NS);
    CHECK(before - after < SLACK_KB);
}
