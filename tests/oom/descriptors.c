// SPDX-License-Identifier: MIT
// Descriptors of all kinds, locks and leases (ways.h).
#define _GNU_SOURCE
#include "ways.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void open_files(void) {
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
}

static void open_pipes(void) {
    static char block[65536];
    for (int p[2]; pipe2(p, O_NONBLOCK) == 0;)
        while (write(p[1], block, sizeof(block)) > 0)
            ;
}

static void large_pipes(void) {
    static char block[65536];
    for (int p[2]; pipe2(p, O_NONBLOCK) == 0;) {
        (void)fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
        while (write(p[1], block, sizeof(block)) > 0)
            ;
    }
}

static void open_ptys(void) {
    static char block[4096];
    for (int fd; (fd = open("/dev/ptmx", O_RDWR | O_NONBLOCK)) >= 0;)
        (void)!write(fd, block, sizeof(block));
}

static void eventfds(void) {
    while (eventfd(0, 0) >= 0)
        ;
}

static void timerfds(void) {
    while (timerfd_create(CLOCK_MONOTONIC, 0) >= 0)
        ;
}

static void epoll_sets(void) {
    struct epoll_event e = {.events = EPOLLIN};
    int watched[256], n = 0;
    while (n < 256 && (watched[n] = eventfd(0, 0)) >= 0)
        n++;
    for (int set; (set = epoll_create1(0)) >= 0;)
        for (int i = 0; i < n; i++)
            if (epoll_ctl(set, EPOLL_CTL_ADD, watched[i], &e))
                break;
}

static void leases(void) {
    for (int fd; (fd = open("/tmp/leased", O_CREAT | O_RDONLY, 0600)) >= 0;)
        if (fcntl(fd, F_SETLEASE, F_RDLCK))
            break;
}

void files_of_many(void) {
    in_children(open_files);
}
void pipes_of_many(void) {
    in_children(open_pipes);
}
void large_pipes_of_many(void) {
    in_children(large_pipes);
}
void ptys_of_many(void) {
    in_children(open_ptys);
}
void eventfds_of_many(void) {
    in_children(eventfds);
}
void timerfds_of_many(void) {
    in_children(timerfds);
}
void epoll_sets_of_many(void) {
    in_children(epoll_sets);
}
void leases_of_many(void) {
    in_children(leases);
}

void locks(void) {
    int fd = open("/tmp/locked", O_CREAT | O_RDWR, 0600);
    for (off_t i = 0; i < 100000; i++) {
        struct flock l = {.l_type = F_WRLCK, .l_start = 1000000 - 2 * i, .l_len = 1};
        if (fcntl(fd, F_SETLK, &l))
            break;
    }
}
