// SPDX-License-Identifier: MIT
// TCP over a line that loses, doubles and reorders, which the loopback device of debug kernels can be made.
#include "inet.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/wait.h>

static int c, d, l, port;

static void set_faults(const char *faults) {
    int fd = open("/proc/sys/net/core/loopback_faults", O_WRONLY);
    CHECK(fd >= 0 && write(fd, faults, strlen(faults)) == (ssize_t)strlen(faults));
    close(fd);
}

// Small segments, so that there are many.
static void connect_over(const char *faults) {
    l = listener(&port, 5);
    c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(set_number(c, IPPROTO_TCP, TCP_MAXSEG, 1400) == 0 && connect4(c, "127.0.0.1", port) == 0);
    CHECK((d = accept(l, NULL, NULL)) >= 0 && set_number(d, IPPROTO_TCP, TCP_MAXSEG, 1400) == 0);
    set_faults(faults);
}

static void transfer(const char *faults) {
    connect_over(faults);
    test_keeps_order(c, d);
    set_faults("0 0 0");
}

TEST(what_is_lost_is_sent_again) {
    transfer("20 0 0");
}

TEST(what_is_doubled_is_read_once) {
    transfer("0 100 0");
}

TEST(what_comes_late_is_put_in_its_place) {
    transfer("0 0 100");
}

TEST(all_of_it_at_once) {
    transfer("10 50 50");
}

TEST(connections_are_made_and_ended) {
    set_faults("50 100 100");
    for (int i = 0; i < 10; i++) {
        l = listener(&port, 5);
        c = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(connect4(c, "127.0.0.1", port) == 0 && (d = accept(l, NULL, NULL)) >= 0);
        char b;
        CHECK(write(c, "x", 1) == 1 && shutdown(c, SHUT_WR) == 0 && read(d, &b, 1) == 1 &&
              read(d, &b, 1) == 0);
        close(c), close(d), close(l);
    }
    set_faults("0 0 0");
}

// A test that ends early leaves nothing to those that follow.
__attribute__((constructor)) static void mend(void) {
    set_faults("0 0 0");
}
