// SPDX-License-Identifier: MIT
// Files that are watched, and go, while others watch them, or stop to.
#include "races.h"
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { BUSY = 30 };

static int instance, stale;

static void drain(int *ignored) {
    static char buf[65536] __attribute__((aligned(8)));
    ssize_t n;
    while ((n = read(instance, buf, sizeof(buf))) > 0) {
        for (char *p = buf; p < buf + n;
             p += sizeof(struct inotify_event) + ((struct inotify_event *)p)->len) {
            struct inotify_event *e = (void *)p;
            CHECK(e->mask && (e->len == 0 || memchr(e->name, 0, e->len)));
            *ignored += !!(e->mask & IN_IGNORED);
        }
    }
}

static void make_instance(void) {
    mkdir("/tmp/watched", 0700);
    CHECK((instance = inotify_init1(IN_NONBLOCK)) >= 0);
}
static int added;
static void add_and_remove(void) {
    for (int i = 0; i < BUSY; i++) {
        int wd = inotify_add_watch(instance, "/tmp/watched/f", IN_ALL_EVENTS);
        added = wd > added ? wd : added;
        if (wd > 0 && i % 2)
            inotify_rm_watch(instance, wd);
    }
}
static void make_and_unlink(void) {
    for (int i = 0; i < BUSY; i++) {
        int fd = open("/tmp/watched/f", O_CREAT | O_RDWR, 0600);
        CHECK(fd >= 0 && write(fd, "x", 1) == 1);
        unlink("/tmp/watched/f");
        close(fd);
    }
}
static void watch_directory(void) {
    for (int i = 0; i < BUSY; i++) {
        int wd = inotify_add_watch(instance, "/tmp/watched", IN_ALL_EVENTS | (i % 3 ? 0 : IN_ONESHOT));
        added = wd > added ? wd : added;
        if (wd > 0 && i % 2)
            inotify_rm_watch(instance, wd);
    }
}
// Each watch that there was has been told to be over, but those that are there.
static void all_are_over(void) {
    int ignored = 0, there = 0;
    drain(&ignored);
    for (int wd = 1; wd <= added; wd++)
        there += !inotify_rm_watch(instance, wd);
    CHECK(ignored + there == added);
    added = 0;
    CHECK(!close(instance));
}

TEST(every_watch_ends_once) {
    static const struct race r = {
        make_instance, {add_and_remove, make_and_unlink, watch_directory}, all_are_over};
    CHECK(run_race(&r) > 0);
}

static void make_and_watch(void) {
    make_instance();
    int fd = open("/tmp/watched/g", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && !close(fd) && inotify_add_watch(instance, "/tmp/watched", IN_ALL_EVENTS) > 0 &&
          inotify_add_watch(instance, "/tmp/watched/g", IN_ALL_EVENTS | IN_ONESHOT) > 0);
    stale = dup(instance);
    CHECK(stale >= 0);
}
static void close_both(void) {
    close(instance);
    close(stale);
}
static void use(void) {
    for (int i = 0; i < BUSY; i++) {
        int fd = open("/tmp/watched/g", O_RDWR);
        if (fd >= 0)
            close(fd);
        rename("/tmp/watched/g", "/tmp/watched/h");
        rename("/tmp/watched/h", "/tmp/watched/g");
    }
}
static void take_file_away(void) {
    unlink("/tmp/watched/g");
    unlink("/tmp/watched/h");
}

TEST(an_instance_may_go_while_it_is_told) {
    static const struct race r = {make_and_watch, {close_both, use, use}, take_file_away};
    CHECK(run_race(&r) > 0);
}

static void mount_and_watch(void) {
    make_instance();
    CHECK(!mount("tmpfs", "/tmp/watched", "tmpfs", 0, NULL));
    int fd = open("/tmp/watched/g", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && !close(fd) && inotify_add_watch(instance, "/tmp/watched/g", IN_ALL_EVENTS) == 1);
}
static void unmount(void) {
    CHECK(!umount2("/tmp/watched", MNT_DETACH));
}
static void remove_watch(void) {
    inotify_rm_watch(instance, 1);
}
static void over_once(void) {
    int ignored = 0;
    drain(&ignored);
    CHECK(ignored == 1 && !close(instance));
}

TEST(a_watch_ends_once_by_unmounting_and_removal) {
    static const struct race r = {mount_and_watch, {unmount, use, remove_watch}, over_once};
    CHECK(run_race(&r) > 0);
}
