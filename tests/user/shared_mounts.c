// SPDX-License-Identifier: MIT
// Shared mounts: what is mounted below one of those that show the same is seen below the others (mount_namespaces(7), "Shared subtrees").
// The same program passes on Linux.
#include "mounts.h"
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>

TEST_DIRECTORY(0755)

static int type(const char *at, unsigned long flags) {
    return mount(NULL, at, NULL, flags, NULL);
}
// A file system on `at`, with a directory of that name in it.
static bool tmpfs(const char *at, const char *mark) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", at, mark);
    return mount("t", at, "tmpfs", 0, NULL) == 0 && mkdir(path, 0755) == 0;
}
// A shared file system on `at` with directories a to f.
static void begin(const char *at) {
    char path[128];
    dir(at);
    CHECK(mount("t", at, "tmpfs", 0, NULL) == 0 && type(at, MS_SHARED) == 0);
    for (char c = 'a'; c <= 'f'; c++) {
        snprintf(path, sizeof(path), "%s/%c", at, c);
        dir(path);
    }
}
static void end(const char *at) {
    CHECK(umount2(at, MNT_DETACH) == 0 && rmdir(at) == 0);
}

// The optional fields of the last mount on `at`, without the numbers; those go to numbers[].
static const char *shared_as(const char *at, long numbers[3]) {
    static char fields[200];
    char line[1000], place[128], wanted[128];
    snprintf(wanted, sizeof(wanted), "%s/%s", test_place, at);
    FILE *f = fopen("/proc/self/mountinfo", "r");
    CHECK(f);
    fields[0] = '\0';
    while (fgets(line, sizeof(line), f)) {
        int n, behind, used = 0;
        char word[64];
        if (sscanf(line, "%*d %*d %*s %*s %127s %*s%n", place, &behind) != 1 || strcmp(place, wanted))
            continue;
        fields[0] = '\0';
        for (const char *p = line + behind; sscanf(p, " %63s%n", word, &n) == 1 && strcmp(word, "-");
             p += n) {
            char *number = strchr(word, ':');
            if (number && numbers && used < 3)
                numbers[used++] = atol(number + 1);
            if (number)
                *number = '\0';
            strcat(strcat(fields, fields[0] ? " " : ""), word);
        }
    }
    fclose(f);
    return fields;
}
static bool is(const char *at, const char *fields) {
    return !strcmp(shared_as(at, NULL), fields);
}
static long number(const char *at, int i) {
    long numbers[3] = {0};
    shared_as(at, numbers);
    return numbers[i];
}

TEST(peers_see_what_is_mounted_on_each) {
    begin("m");
    dir("p");
    CHECK(bind_to("m", "p", 0) == 0 && is("m", "shared") && is("p", "shared") &&
          number("m", 0) == number("p", 0));
    CHECK(tmpfs("m/a", "x") && there("p/a/x") && is("m/a", "shared") && number("m/a", 0) == number("p/a", 0));
    CHECK(tmpfs("p/a/x", "y") && there("m/a/x/y"));
    CHECK(umount2("m/a/x", 0) == 0 && !there("p/a/x/y") && there("p/a/x"));
    CHECK(umount2("p/a", 0) == 0 && !there("m/a/x") && !there("p/a/x"));
    dir("q");
    CHECK(bind_to("m/b", "q", 0) == 0 && tmpfs("m/b", "x") && there("q/x")); // a part of it is a peer, too
    CHECK(umount2("m/b", 0) == 0 && !there("q/x"));
    dir("m/b/in");
    CHECK(tmpfs("m/b/in", "x") && there("q/in/x") && tmpfs("m/c", "x") && there("p/c/x"));
    CHECK(umount2("q/in", 0) == 0 && !there("m/b/in/x") && umount2("m/c", 0) == 0);
    end("q");
    end("p");
    end("m");
}

TEST(slaves_get_and_do_not_give) {
    begin("m");
    dir("s");
    CHECK(bind_to("m", "s", 0) == 0 && type("s", MS_SLAVE) == 0 && is("s", "master") &&
          number("s", 0) == number("m", 0));
    CHECK(tmpfs("m/a", "x") && there("s/a/x") && is("s/a", "master") && number("s/a", 0) == number("m/a", 0));
    CHECK(tmpfs("s/b", "x") && !there("m/b/x") && is("s/b", ""));
    CHECK(umount2("s/a", 0) == 0 && there("m/a/x"));
    CHECK(umount2("m/a", 0) == 0 && tmpfs("m/a", "y") && there("s/a/y") && umount2("m/a", 0) == 0 &&
          !there("s/a/y"));
    dir("t");
    CHECK(type("s", MS_SHARED) == 0 && is("s", "shared master") && bind_to("s", "t", 0) == 0 &&
          is("t", "shared master") && number("t", 0) == number("s", 0) && number("t", 1) == number("m", 0));
    CHECK(tmpfs("m/c", "x") && there("s/c/x") && there("t/c/x") && is("t/c", "shared master") &&
          number("t/c", 0) == number("s/c", 0) && number("s/c", 1) == number("m/c", 0));
    CHECK(tmpfs("t/d", "x") && there("s/d/x") && !there("m/d/x") && is("t/d", "shared"));
    CHECK(umount2("m/c", 0) == 0 && !there("t/c/x"));
    end("t");
    end("s");
    end("m");
}

TEST(who_is_the_last_of_his_peers_leaves_his_slaves_to_their_master) {
    begin("m");
    dir("s");
    dir("t");
    CHECK(bind_to("m", "s", 0) == 0 && type("s", MS_SLAVE) == 0 && type("s", MS_SHARED) == 0 &&
          bind_to("s", "t", 0) == 0 && type("t", MS_SLAVE) == 0 && is("t", "master") &&
          number("t", 0) == number("s", 0));
    CHECK(type("s", MS_PRIVATE) == 0 && is("s", "") && is("t", "master") && number("t", 0) == number("m", 0));
    CHECK(tmpfs("m/a", "x") && !there("s/a/x") && there("t/a/x") && umount2("m/a", 0) == 0 &&
          !there("t/a/x"));
    CHECK(type("m", MS_SLAVE) == 0 && is("m", "") && is("t", "")); // there is nobody left who gives
    CHECK(type("m", MS_SHARED) == 0 && bind_to("m", "m", 0) == 0 && type("m", MS_SLAVE) == 0 &&
          is("m", "master"));
    CHECK(umount2("m", 0) == 0 && type("m", MS_SLAVE) == 0 &&
          is("m", "")); // alone: a slave of nobody is private
    end("t");
    end("s");
    end("m");
}

TEST(trees_are_laid_with_all_that_is_on_them) {
    begin("m");
    dir("p");
    dir("from");
    CHECK(bind_to("m", "p", 0) == 0 && tmpfs("from", "in") && tmpfs("from/in", "deep"));
    CHECK(bind_to("from", "m/a", MS_REC) == 0 && there("p/a/in/deep") && is("p/a/in", "shared") &&
          is("from", ""));
    CHECK(bind_to("m", "m/b", MS_REC) == 0 && there("p/b/a/in/deep") &&
          there("m/b/a/in/deep")); // a peer within itself
    CHECK(tmpfs("from/in/deep", "er") && !there("p/a/in/deep/er") && umount2("from/in/deep", 0) == 0);
    // What goes with m/b, a peer of m, goes from there as well.
    CHECK(umount2("m/b", MNT_DETACH) == 0 && !there("p/b/a") && !there("m/a/in") && !there("p/a/in") &&
          there("from/in/deep"));
    CHECK(mount("from", "m/c", NULL, MS_MOVE, NULL) == 0 && there("p/c/in/deep") && !there("from/in") &&
          is("m/c", "shared"));
    CHECK_ERRNO(mount("m/c", "from", NULL, MS_MOVE, NULL), EINVAL); // its parent is shared
    CHECK(tmpfs("from", "in") && type("from", MS_UNBINDABLE) == 0);
    CHECK_ERRNO(mount("from", "m/d", NULL, MS_MOVE, NULL), EINVAL);
    CHECK(umount2("from", MNT_DETACH) == 0);
    end("p");
    end("m");
    CHECK(rmdir("from") == 0);
}

TEST(what_is_there_already_stays_on_top) {
    begin("m");
    dir("s");
    CHECK(bind_to("m", "s", 0) == 0 && type("s", MS_SLAVE) == 0 && tmpfs("s/a", "own"));
    CHECK(tmpfs("m/a", "x") && there("s/a/own") && !there("s/a/x"));
    CHECK(umount2("s/a", 0) == 0 && there("s/a/x") && tmpfs("s/a", "again"));
    CHECK(umount2("m/a", 0) == 0 && there("s/a/again") && umount2("s/a", 0) == 0 &&
          !there("s/a/x")); // it goes from below
    CHECK(tmpfs("m/b", "x") && tmpfs("s/b/x", "own") && umount2("m/b", 0) == 0 &&
          there("s/b/x/own")); // there is more on it
    CHECK(umount2("s/b/x", 0) == 0 && umount2("s/b", 0) == 0);
    CHECK(tmpfs("m/b", "x") && tmpfs("m/b/x", "y") && there("s/b/x/y") && umount2("m/b", MNT_DETACH) == 0 &&
          !there("s/b/x"));
    CHECK(tmpfs("m/c", "x") && tmpfs("m/c/x", "y") && tmpfs("s/c/x", "own") &&
          umount2("m/c", MNT_DETACH) == 0);
    CHECK(there("s/c/own") || there("s/c/x/own")); // Linux lays it where the lowest of those was that went
    end("s");
    end("m");
}

TEST(what_is_in_use_in_one_place_does_not_go_from_any) {
    begin("m");
    dir("p");
    CHECK(bind_to("m", "p", 0) == 0 && tmpfs("m/a", "x"));
    int fd = open("p/a/x", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    CHECK_ERRNO(umount2("m/a", 0), EBUSY);
    CHECK(there("m/a/x") && there("p/a/x") && umount2("m/a", MNT_DETACH) == 0 && !there("p/a/x") &&
          close(fd) == 0);
    end("p");
    end("m");
}

// ---- namespaces

struct step {
    int to[2], from[2];
};
static void wait_for(int fd) {
    char c = 0;
    CHECK(read(fd, &c, 1) <= 1); // 0: the other has ended, which its status tells
}
static void tell(int fd) {
    signal(SIGPIPE, SIG_IGN);
    CHECK(write(fd, "x", 1) == 1 || errno == EPIPE); // the same
}

// Sees what the other mounts, and mounts itself.
static int in_namespace(void *arg) {
    struct step *s = arg;
    if (unshare(CLONE_NEWNS) || !is("m", "shared"))
        return 1;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (!there("m/a/x") || !tmpfs("m/b", "x"))
        return 2;
    tell(s->from[1]);
    wait_for(s->to[0]);
    return there("m/b/x");
}

static bool lesser(void) {
    return !unshare(CLONE_NEWUSER | CLONE_NEWNS) && !test_put("/proc/self/setgroups", "deny") &&
           !test_put("/proc/self/uid_map", "0 0 1") && !test_put("/proc/self/gid_map", "0 0 1");
}

static int in_lesser_namespace(void *arg) {
    struct step *s = arg;
    if (!lesser() || !is("m", "master"))
        return 1;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (!there("m/a/x") || !is("m/a", "master") || !tmpfs("m/b", "x"))
        return 2;
    errno = 0;
    if (type("m/a", MS_BIND | MS_REMOUNT) == 0 || errno != EPERM) // without MS_NODEV
        return 3;
    if (type("m/a", MS_BIND | MS_REMOUNT | MS_NODEV | MS_RDONLY) ||
        type("m/a", MS_BIND | MS_REMOUNT | MS_NODEV))
        return 5;
    if (type("/", MS_REC | MS_SHARED) || !tmpfs("m/c", "y"))
        return 4;
    tell(s->from[1]);
    wait_for(s->to[0]);
    return !there("m/b/x");
}

static void with_namespace(int (*fn)(void *), bool gives) {
    struct step s;
    begin("m");
    CHECK(pipe(s.to) == 0 && pipe(s.from) == 0);
    pid_t pid = test_fork(fn, &s);
    CHECK(close(s.to[0]) == 0 && close(s.from[1]) == 0);
    wait_for(s.from[0]);
    CHECK(mount("t", "m/a", "tmpfs", MS_NODEV, NULL) == 0 && mkdir("m/a/x", 0755) == 0);
    tell(s.to[1]);
    wait_for(s.from[0]);
    bool given = there("m/b/x"), more = there("m/c/y");
    CHECK(!given || umount2("m/b", 0) == 0);
    tell(s.to[1]);
    int status = test_wait_exit(pid);
    CHECK(status == 0);
    CHECK(given == gives && !more);
    CHECK(close(s.to[1]) == 0 && close(s.from[0]) == 0);
    end("m");
}

TEST(namespaces_share) {
    with_namespace(in_namespace, true);
}

TEST(namespaces_of_others_are_slaves) {
    with_namespace(in_lesser_namespace, false);
}

static int share_all(void *arg) {
    (void)arg;
    if (unshare(CLONE_NEWNS) || type("/", MS_REC | MS_PRIVATE) || type("/", MS_REC | MS_SHARED))
        return 1;
    if (!tmpfs("r", "old") || !is("r", "shared") || chdir("r"))
        return 2;
    errno = 0;
    if (syscall(SYS_pivot_root, ".", "old") == 0 || errno != EINVAL) // it would have to happen elsewhere, too
        return 3;
    if (type("/", MS_REC | MS_SLAVE) || type("/", MS_REC | MS_PRIVATE))
        return 4;
    return 0;
}

TEST(a_whole_tree_is_shared) {
    dir("r");
    CHECK(test_wait_exit(test_fork(share_all, NULL)) == 0 && rmdir("r") == 0);
    CHECK_ERRNO(type("/", MS_SHARED | MS_PRIVATE), EINVAL);
    CHECK_ERRNO(type("/", MS_SHARED | 2), EINVAL);
    dir("nomount");
    CHECK_ERRNO(type("nomount", MS_SHARED), EINVAL);
}

// ---- what goes with it

// What lay there when the namespace was made, and is locked, goes with that of who may more; but not if something more lies on it, and
// then it hides what it did.
static int in_older_lesser_namespace(void *arg) {
    struct step *s = arg;
    if (!lesser() || !tmpfs("m/c/in", "own") || !tmpfs("m/d/x", "own"))
        return 1;
    errno = 0;
    if (umount2("m/a", MNT_DETACH) == 0 || errno != EINVAL)
        return 2;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (there("m/a/x") || there("m/b/in") || !there("m/c/in/own") || !there("m/d/x/own"))
        return 3;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (!there("m/a/y") || there("m/d/y") || !there("m/d/x/own")) // it came under what stayed
        return 4;
    return 0;
}

TEST(what_is_locked_goes_with_that_of_who_may_more) {
    struct step s;
    begin("m");
    CHECK(tmpfs("m/a", "x") && tmpfs("m/b", "in") && tmpfs("m/b/in", "deep") && tmpfs("m/c", "in") &&
          tmpfs("m/d", "x"));
    CHECK(pipe(s.to) == 0 && pipe(s.from) == 0);
    pid_t pid = test_fork(in_older_lesser_namespace, &s);
    CHECK(close(s.to[0]) == 0 && close(s.from[1]) == 0);
    wait_for(s.from[0]);
    CHECK(umount2("m/a", 0) == 0 && umount2("m/b", MNT_DETACH) == 0 && umount2("m/c", MNT_DETACH) == 0 &&
          umount2("m/d", 0) == 0);
    tell(s.to[1]);
    wait_for(s.from[0]);
    CHECK(tmpfs("m/a", "y") && tmpfs("m/d", "y"));
    tell(s.to[1]);
    CHECK(test_wait_exit(pid) == 0);
    CHECK(close(s.to[1]) == 0 && close(s.from[0]) == 0);
    end("m");
}

static bool on_linux(void) {
    struct utsname u;
    return !uname(&u) && !strstr(u.release, "drupe");
}

// What is hidden in a namespace stays so in a lesser one when something comes below what hides it.
static int in_least_namespace(void *arg) {
    struct step *s = arg;
    if (!lesser())
        return 1;
    errno = 0;
    if (bind_to("m", "f", 0) == 0 || errno != EINVAL)
        return 2;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (!there("m/a/own"))
        return 3;
    errno = 0;
    if (!on_linux() &&
        (bind_to("m", "f", 0) == 0 || errno != EINVAL)) // Linux 6.12 looks at the lower one only
        return 4;
    tell(s->from[1]);
    wait_for(s->to[0]);
    if (!there("m/a/own") || bind_to("m", "f", 0) == 0)
        return 5;
    return 0;
}

static int hides(void *arg) {
    if (!lesser() || !tmpfs("m/a", "own"))
        return 10;
    return test_wait_exit(test_fork(in_least_namespace, arg));
}

TEST(what_comes_below_what_is_locked_is_locked) {
    struct step s;
    begin("m");
    dir("f");
    CHECK(pipe(s.to) == 0 && pipe(s.from) == 0);
    pid_t pid = test_fork(hides, &s);
    CHECK(close(s.to[0]) == 0 && close(s.from[1]) == 0);
    wait_for(s.from[0]);
    CHECK(tmpfs("m/a", "x"));
    tell(s.to[1]);
    wait_for(s.from[0]);
    CHECK(umount2("m/a", 0) == 0);
    tell(s.to[1]);
    CHECK(test_wait_exit(pid) == 0);
    CHECK(close(s.to[1]) == 0 && close(s.from[0]) == 0 && rmdir("f") == 0);
    end("m");
}

// What goes from a mount goes from its slave, too, and if it is the mount itself that lies there, it goes: the last of its group.
TEST(who_lies_on_his_slave_goes_with_what_lay_on_him) {
    begin("m");
    dir("p");
    CHECK(bind_to("m", "p", 0) == 0 && type("m", MS_SLAVE) == 0 && tmpfs("p/b", "x") && there("m/b/x"));
    CHECK(umount2("m/b", 0) == 0 && there("p/b/x") && mount("p", "m/b", NULL, MS_MOVE, NULL) == 0 &&
          there("m/b/b/x"));
    CHECK(umount2("m/b/b", 0) == 0 && is("m/b", "") && is("m", ""));
    CHECK_ERRNO(umount2("m/b", 0), EINVAL);
    end("m");
    for (int flags = 0; flags <= MNT_DETACH; flags += MNT_DETACH) { // and on all of him
        begin("m");
        CHECK(bind_to("m/b", "p", 0) == 0 && type("m", MS_SLAVE) == 0);
        int fd = open("p", O_PATH);
        CHECK(fd >= 0 && tmpfs("p", "x") && there("m/b/x") && umount2("m/b", 0) == 0);
        CHECK(syscall(SYS_move_mount, fd, "", AT_FDCWD, "m/b", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
              close(fd) == 0 && there("m/b/x") && !there("p/x"));
        CHECK(umount2("m/b", flags) == 0 && is("m/b", "") && is("m", ""));
        CHECK_ERRNO(umount2("m/b", 0), EINVAL);
        end("m");
    }
    CHECK(rmdir("p") == 0);
}

static int stays(void *arg) {
    struct step *s = arg;
    if (unshare(CLONE_NEWNS))
        return 1;
    tell(s->from[1]);
    wait_for(s->to[0]);
    return 0;
}

// It would keep itself.
TEST(no_namespace_gets_its_own_file) {
    struct step s;
    char path[64];
    begin("m");
    CHECK(close(open("m/f/ns", O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(pipe(s.to) == 0 && pipe(s.from) == 0);
    pid_t pid = test_fork(stays, &s);
    CHECK(close(s.to[0]) == 0 && close(s.from[1]) == 0);
    wait_for(s.from[0]);
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
    CHECK_ERRNO(bind_to(path, "m/f/ns", 0), EINVAL);
    CHECK(type("m", MS_PRIVATE) == 0 && bind_to(path, "m/f/ns", 0) == 0 && umount2("m/f/ns", 0) == 0);
    tell(s.to[1]);
    CHECK(test_wait_exit(pid) == 0);
    CHECK(close(s.to[1]) == 0 && close(s.from[0]) == 0);
    end("m");
}

// ---- by descriptors

TEST(trees_of_descriptors_are_peers) {
    struct mount_attr attr = {.propagation = MS_SHARED};
    begin("m");
    dir("p");
    CHECK(type("m", MS_PRIVATE) == 0 &&
          syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &attr, sizeof(attr)) == 0 && is("m", "shared"));
    attr.propagation = MS_SHARED | MS_PRIVATE;
    CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &attr, sizeof(attr)), EINVAL);
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "m", OPEN_TREE_CLONE);
    CHECK(fd >= 0 && syscall(SYS_move_mount, fd, "", AT_FDCWD, "p", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
          close(fd) == 0);
    CHECK(is("p", "shared") && number("p", 0) == number("m", 0) && tmpfs("p/a", "x") && there("m/a/x"));
    fd = (int)syscall(SYS_open_tree, AT_FDCWD, "m/a", OPEN_TREE_CLONE);
    CHECK(fd >= 0 && syscall(SYS_move_mount, fd, "", AT_FDCWD, "m/b", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
          close(fd) == 0);
    CHECK(there("p/b/x") && number("p/b", 0) == number("m/a", 0));
    end("p");
    end("m");
}

// ---- at once

static int churn(void *arg) {
    unsigned int n = *(unsigned int *)arg;
    char path[32];
    static const unsigned long kinds[] = {MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_SHARED};
    if (n & 1 && unshare(CLONE_NEWNS))
        return 1;
    for (unsigned int i = 0; i < 150; i++) {
        snprintf(path, sizeof(path), "%s/%c", (i + n) % 3 ? "m" : "p", 'a' + (char)((i + n) % 6));
        if (i % 4 < 2)
            mount("t", path, "tmpfs", 0, NULL);
        else if (i % 4 == 2)
            bind_to("q", path, MS_REC);
        else
            umount2(path, MNT_DETACH);
        if (i % 16 == 15)
            type("p", kinds[(i / 16 + n) % 4]);
        if (i % 8 == 7)
            while (umount2(path, MNT_DETACH) == 0)
                ;
    }
    return 0;
}

TEST(mounts_race) {
    unsigned int n[4];
    pid_t pids[4];
    begin("m");
    dir("p");
    CHECK(bind_to("m", "p", 0) == 0);
    begin("q");
    CHECK(type("q", MS_PRIVATE) == 0 && tmpfs("q/a", "x")); // else each bind of it would double what there is
    for (unsigned int i = 0; i < 4; i++) {
        n[i] = i;
        pids[i] = test_fork(churn, &n[i]);
    }
    for (int i = 0; i < 4; i++)
        CHECK(test_wait_exit(pids[i]) == 0);
    end("q");
    end("p");
    end("m");
}
