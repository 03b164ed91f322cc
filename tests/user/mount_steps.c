// SPDX-License-Identifier: MIT
// Mounts made step by step: fsopen(2) and its kin, open_tree(2), move_mount(2), mount_setattr(2). The same program passes on Linux.
#include "mounts.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

TEST_DIRECTORY(0777)

// In a directory of the test's own.
static void start(void) {
    char name[] = "stepsXXXXXX";
    CHECK(mkdtemp(name) && chmod(name, 0777) == 0 && chdir(name) == 0 &&
          getcwd(test_place, sizeof(test_place)));
}

static int fsopen(const char *name, unsigned int flags) {
    return (int)syscall(SYS_fsopen, name, flags);
}
static int fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux) {
    return (int)syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}
static int fsmount(int fd, unsigned int flags, unsigned int attributes) {
    return (int)syscall(SYS_fsmount, fd, flags, attributes);
}
static int fspick(int dfd, const char *path, unsigned int flags) {
    return (int)syscall(SYS_fspick, dfd, path, flags);
}
static int change(int dfd, const char *path, unsigned int flags, uint64_t set, uint64_t clear) {
    struct mount_attr attr = {.attr_set = set, .attr_clr = clear};
    return (int)syscall(SYS_mount_setattr, dfd, path, flags, &attr, sizeof(attr));
}

// A tmpfs that is nowhere, of so many inodes.
static int make_tmpfs(const char *inodes, unsigned int attributes) {
    int s = fsopen("tmpfs", FSOPEN_CLOEXEC), m;
    CHECK(s >= 0 && fsconfig(s, FSCONFIG_SET_STRING, "source", "mine", 0) == 0);
    CHECK(fsconfig(s, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) == 0);
    CHECK(fsconfig(s, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
    CHECK((m = fsmount(s, FSMOUNT_CLOEXEC, attributes)) >= 0 && close(s) == 0);
    return m;
}

// The line of /proc/self/mounts of the place `at` here.
static const char *line_of(const char *at) {
    static char line[1024];
    char place[512], whole[128];
    FILE *f = fopen("/proc/self/mounts", "r");
    bool found = false;
    CHECK(f && snprintf(whole, sizeof(whole), "%s%s", test_place, at) > 0);
    while (!found && fgets(line, sizeof(line), f))
        found = sscanf(line, "%*s %511s", place) == 1 && !strcmp(place, whole);
    fclose(f);
    return found ? line : NULL;
}

// ---- file systems

TEST(file_system_is_made_step_by_step) {
    struct statvfs st;
    start();
    dir("m");
    int m = make_tmpfs("100", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
    CHECK(fcntl(m, F_GETFL) & O_PATH && fcntl(m, F_GETFD) == FD_CLOEXEC && !line_of("/m"));
    int f = openat(m, "before", O_CREAT | O_WRONLY, 0644); // it can be used where it is: nowhere
    CHECK(f >= 0 && close(f) == 0 && lay(m, "m") == 0 && there("m/before"));
    const char *line = line_of("/m");
    CHECK(line && !strncmp(line, "mine ", 5) && strstr(line, "nosuid") && strstr(line, "noatime") &&
          strstr(line, "nr_inodes=100"));
    CHECK(statvfs("m", &st) == 0 && st.f_files == 100 && st.f_flag & ST_NOSUID);
    CHECK(close(m) == 0 && there("m/before") && umount2("m", 0) == 0 && !there("m/before"));
}

TEST(what_was_laid_nowhere_goes_with_its_descriptor) {
    int m = make_tmpfs("100", 0), f = openat(m, "file", O_CREAT | O_RDWR, 0644), d = openat(m, ".", O_PATH);
    CHECK(m >= 0 && f >= 0 && d >= 0 && close(m) == 0);
    CHECK(write(f, "x", 1) == 1 && faccessat(d, "file", F_OK, 0) == 0); // who is there stays
    start();
    dir("m");
    CHECK_ERRNO(lay(d, "m"), EINVAL);
}

TEST(words_are_refused_at_their_time) {
    char text[200];
    CHECK_ERRNO(fsopen("nosuch", 0), ENODEV);
    CHECK_ERRNO(fsopen("tmpfs", 2), EINVAL);
    int s = fsopen("tmpfs", 0), m;
    CHECK(s >= 0);
    CHECK_ERRNO(fsmount(s, 0, 0), EINVAL); // nothing is there
    CHECK_ERRNO(fsconfig(s, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_SET_STRING, "source", NULL, 0), EINVAL);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_SET_STRING, NULL, "x", 0), EINVAL);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_CMD_CREATE, "x", NULL, 0), EINVAL);
    CHECK_ERRNO(fsconfig(s, 99, NULL, NULL, 0), EOPNOTSUPP);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
    CHECK_ERRNO(fsconfig(0, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(fsconfig(999, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBADF);
    memset(text, 'x', sizeof(text));
    CHECK(fsconfig(s, FSCONFIG_SET_STRING, "source", "one", 0) == 0);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_SET_STRING, "source", "two", 0), EINVAL);
    CHECK(read(s, text, sizeof(text)) > 2 && text[0] == 'e' && text[1] == ' ');
    CHECK_ERRNO(read(s, text, sizeof(text)), ENODATA);
    CHECK(fsconfig(s, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_SET_FLAG, "ro", NULL, 0), EBUSY);
    CHECK_ERRNO(fsmount(s, 0, MOUNT_ATTR__ATIME), EINVAL);
    CHECK((m = fsmount(s, 0, 0)) >= 0);
    CHECK_ERRNO(fsmount(s, 0, 0), EBUSY);
}

TEST(unknown_option_makes_nothing) {
    int s = fsopen("tmpfs", 0);
    int set = fsconfig(s, FSCONFIG_SET_STRING, "nosuch", "1", 0),
        made = fsconfig(s, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    CHECK(s >= 0 && (set || made)); // Linux says it at the first, where the file system looks at once
    CHECK(set || fsmount(s, 0, 0) < 0);
}

TEST(what_is_mounted_is_configured_anew) {
    struct statvfs st;
    start();
    dir("m");
    CHECK(mount("t", "m", "tmpfs", 0, "nr_inodes=100") == 0);
    CHECK_ERRNO(fspick(AT_FDCWD, ".", 0), EINVAL); // no mount's root
    int s = fspick(AT_FDCWD, "m", FSPICK_CLOEXEC);
    CHECK(s >= 0 && fsconfig(s, FSCONFIG_SET_STRING, "nr_inodes", "200", 0) == 0);
    CHECK(fsconfig(s, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0 && statvfs("m", &st) == 0 &&
          st.f_files == 200);
    close(s);
    int f = open("m/file", O_CREAT | O_WRONLY, 0644);
    CHECK(f >= 0 && (s = fspick(AT_FDCWD, "m", 0)) >= 0 &&
          fsconfig(s, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0);
    CHECK_ERRNO(fsconfig(s, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY); // somebody writes
    CHECK(close(f) == 0 && close(s) == 0 && (s = fspick(AT_FDCWD, "m", 0)) >= 0);
    CHECK(fsconfig(s, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 &&
          fsconfig(s, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) == 0);
    CHECK_ERRNO(open("m/other", O_CREAT | O_WRONLY, 0644), EROFS);
    CHECK(close(s) == 0 && umount2("m", 0) == 0); // a configuration does not keep it
}

// ---- trees

TEST(copies_of_trees_are_laid_elsewhere) {
    start();
    dir("a"), dir("b");
    CHECK(mount("t", "a", "tmpfs", 0, NULL) == 0 && mkdir("a/in", 0755) == 0 &&
          mount("t", "a/in", "tmpfs", 0, NULL) == 0);
    CHECK(mkdir("a/in/deep", 0755) == 0);
    CHECK_ERRNO(open_tree(AT_FDCWD, "a", AT_RECURSIVE), EINVAL);
    int one = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE),
        all = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    CHECK(one >= 0 && all >= 0 && faccessat(one, "in/deep", F_OK, 0) != 0 &&
          faccessat(all, "in/deep", F_OK, 0) == 0);
    CHECK(lay(all, "b") == 0 && there("b/in/deep"));
    CHECK_ERRNO(lay(one, "nowhere"), ENOENT);
    CHECK(umount2("b", MNT_DETACH) == 0 && lay(one, "b") == 0 && there("b/in") && !there("b/in/deep"));
    CHECK(close(one) == 0 && there("b/in") && close(all) == 0);
}

TEST(place_is_opened_and_moved) {
    start();
    dir("a"), dir("b");
    CHECK(mount("t", "a", "tmpfs", 0, NULL) == 0 && mount(NULL, "a", NULL, (1 << 18), NULL) == 0 &&
          mkdir("a/x", 0755) == 0);
    int t = open_tree(AT_FDCWD, "a", OPEN_TREE_CLOEXEC); // no copy: the place itself
    CHECK(t >= 0 && lay(t, "b") == 0 && there("b/x") && !there("a/x"));
    CHECK(close(t) == 0 && there("b/x"));
    CHECK_ERRNO((int)syscall(SYS_move_mount, AT_FDCWD, "b/x", AT_FDCWD, "a", 0), EINVAL);
    CHECK((int)syscall(SYS_move_mount, AT_FDCWD, "b", AT_FDCWD, "a", 0) == 0 && there("a/x"));
}

// ---- attributes

TEST(attributes_change_all_or_none) {
    start();
    dir("a");
    CHECK(mount("t", "a", "tmpfs", 0, NULL) == 0 && mkdir("a/in", 0755) == 0 &&
          mount("t", "a/in", "tmpfs", 0, NULL) == 0);
    CHECK(change(AT_FDCWD, "a", AT_RECURSIVE, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0) == 0);
    CHECK(strstr(line_of("/a"), "nodev,noexec") && strstr(line_of("/a/in"), "nodev,noexec"));
    CHECK(change(AT_FDCWD, "a", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NODEV | MOUNT_ATTR__ATIME) == 0);
    CHECK(!strstr(line_of("/a"), "nodev") && strstr(line_of("/a"), "noatime") &&
          strstr(line_of("/a/in"), "nodev"));
    int f = open("a/in/file", O_CREAT | O_WRONLY, 0644);
    CHECK(f >= 0);
    CHECK_ERRNO(change(AT_FDCWD, "a", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0), EBUSY);
    CHECK(mkdir("a/may", 0755) == 0 && close(f) == 0); // the upper one could have been, and is not
    CHECK(change(AT_FDCWD, "a", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) == 0);
    CHECK_ERRNO(mkdir("a/in/dir", 0755), EROFS);
    CHECK_ERRNO(mkdir("a/dir", 0755), EROFS);
    CHECK(change(AT_FDCWD, "a", AT_RECURSIVE, 0, MOUNT_ATTR_RDONLY) == 0 && mkdir("a/in/dir", 0755) == 0);
}

TEST(attributes_are_refused_as_on_linux) {
    struct {
        struct mount_attr attr;
        uint64_t more;
    } large = {{.attr_set = MOUNT_ATTR_NODEV}, 0};
    start();
    dir("a"), dir("b");
    CHECK(mount("t", "a", "tmpfs", 0, NULL) == 0);
    CHECK_ERRNO(change(AT_FDCWD, "b", 0, MOUNT_ATTR_NODEV, 0), EINVAL);   // no mount's root
    CHECK_ERRNO(change(AT_FDCWD, "a", 0, MOUNT_ATTR_NOATIME, 0), EINVAL); // what was is not taken away
    CHECK_ERRNO(change(AT_FDCWD, "a", 0, 0, MOUNT_ATTR_NOATIME), EINVAL);
    CHECK_ERRNO(change(AT_FDCWD, "a", 0, 1u << 30, 0), EINVAL);
    CHECK_ERRNO(change(AT_FDCWD, "a", 0x10, MOUNT_ATTR_NODEV, 0), EINVAL);
    CHECK(change(AT_FDCWD, "nowhere", 0, 0, 0) == 0); // nothing is wanted
    CHECK_ERRNO((int)syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &large, 31), EINVAL);
    CHECK((int)syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &large, sizeof(large)) == 0);
    large.more = 1;
    CHECK_ERRNO((int)syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &large, sizeof(large)), E2BIG);
}

TEST(tree_that_is_nowhere_has_attributes) {
    start();
    dir("a");
    int m = make_tmpfs("100", 0);
    CHECK(change(m, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0) == 0);
    CHECK_ERRNO(mkdirat(m, "dir", 0755), EROFS);
    CHECK(lay(m, "a") == 0);
    CHECK_ERRNO(mkdir("a/dir", 0755), EROFS);
}

// ---- who may

static void be_nobody(void) {
    CHECK(setgid(12345) == 0 && setuid(12345) == 0);
}

TEST(users_may_not) {
    int m = make_tmpfs("100", 0);
    start();
    dir("a");
    be_nobody();
    CHECK_ERRNO(fsopen("tmpfs", 0), EPERM);
    CHECK_ERRNO(fspick(AT_FDCWD, "/", 0), EPERM);
    CHECK_ERRNO(lay(m, "a"), EPERM);
    CHECK_ERRNO(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EPERM);
    CHECK_ERRNO(change(AT_FDCWD, "/", 0, MOUNT_ATTR_NODEV, 0), EPERM);
    CHECK(open_tree(AT_FDCWD, "/", 0) >= 0);
}

TEST(in_a_namespace_of_ones_own_one_may) {
    CHECK(chmod(".", 0777) == 0);
    be_nobody();
    start();
    dir("a"), dir("b");
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
    CHECK(test_put("/proc/self/uid_map", "0 12345 1") == 0);
    int m = make_tmpfs("100", 0);
    CHECK(lay(m, "a") == 0);
    CHECK_ERRNO(mkdir("a/x", 0755), EOVERFLOW); // the group is not one of that namespace's
    CHECK(test_put("/proc/self/setgroups", "deny") == 0 && test_put("/proc/self/gid_map", "0 12345 1") == 0);
    CHECK(mkdir("a/x", 0755) == 0);
    int t = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE);
    CHECK(t >= 0 && lay(t, "b") == 0 && there("b/x"));
    // What was there before is not to be looked under, nor to be changed.
    CHECK_ERRNO(open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EINVAL);
    CHECK((t = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE)) >= 0);
    int s = fspick(AT_FDCWD, "/", 0);
    CHECK(s < 0 || fsconfig(s, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0);
}

// ---- at once

static atomic_bool over;

static void *move_about(void *arg) {
    int m = *(int *)arg;
    while (!over) {
        lay(m, "a");
        umount2("a", MNT_DETACH);
        int t = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | AT_RECURSIVE);
        if (t >= 0) {
            change(t, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0);
            lay(t, "b");
            close(t);
        }
        umount2("b", MNT_DETACH);
    }
    return NULL;
}

TEST(movers_and_closers_get_in_each_others_way) {
    pthread_t threads[3];
    start();
    dir("a"), dir("b");
    for (int round = 0; round < 8; round++) {
        int m = make_tmpfs("100", 0), s = fsopen("tmpfs", 0);
        over = false;
        for (int i = 0; i < 3; i++)
            CHECK(pthread_create(&threads[i], NULL, move_about, &m) == 0);
        for (int i = 0; i < 20; i++) {
            usleep(2000);
            int copy = dup(m);
            fsconfig(s, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
            int other = fsmount(s, 0, 0);
            close(copy);
            close(other);
        }
        close(m);
        close(s);
        over = true;
        for (int i = 0; i < 3; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
        while (umount2("a", MNT_DETACH) == 0 || umount2("b", MNT_DETACH) == 0)
            ;
    }
    CHECK(!line_of("/a") && !line_of("/b"));
}
