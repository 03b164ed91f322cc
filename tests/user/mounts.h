// SPDX-License-Identifier: MIT
// What tests of mounts are made of. The C library's <sys/mount.h> and <linux/mount.h> do not go together.
#pragma once
#include "test.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define MNT_DETACH      2
#define MNT_EXPIRE      4
#define UMOUNT_NOFOLLOW 8
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);

static inline int open_tree(int dfd, const char *path, unsigned int flags) {
    return (int)syscall(SYS_open_tree, dfd, path, flags);
}
// The tree that fd has, on `at`.
static inline int lay(int fd, const char *at) {
    return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
}
static inline void dir(const char *path) {
    CHECK(mkdir(path, 0755) == 0);
}
static inline bool there(const char *path) {
    return access(path, F_OK) == 0;
}
static inline int bind_to(const char *from, const char *to, unsigned long flags) {
    return mount(from, to, NULL, MS_BIND | flags, NULL);
}
