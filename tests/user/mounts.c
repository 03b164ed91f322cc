// SPDX-License-Identifier: MIT
// Mounts: bound, moved, changed, taken away, pivoted; and what /proc says of them.
#include "mounts.h"
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

static char text[1 << 16];

TEST_DIRECTORY(0755)

static void file(const char *path) {
    int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);
    CHECK(fd >= 0 && close(fd) == 0);
}
static void tmpfs(const char *at) {
    CHECK(mount("t", at, "tmpfs", 0, NULL) == 0);
}
// The fields of the last line of a file of /proc/self whose field `key` (from 0) is `value`.
static int line_of(const char *name, int key, const char *value, char *fields[32]) {
    static char line[4096];
    FILE *f = fopen(name, "r");
    int found = 0;
    CHECK(f);
    while (fgets(text, 4096, f)) {
        char copy[4096], *save, *word = strtok_r(strcpy(copy, text), " \n", &save);
        for (int i = 0; i < key && word; i++)
            word = strtok_r(NULL, " \n", &save);
        if (word && !strcmp(word, value)) {
            strcpy(line, text);
            found = 1;
        }
    }
    fclose(f);
    if (!found)
        return 0;
    int n = 0;
    for (char *save, *word = strtok_r(line, " \n", &save); word && n < 32;
         word = strtok_r(NULL, " \n", &save))
        fields[n++] = word;
    return n;
}
static const char *place(const char *name) {
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", test_place, name);
    return path;
}

TEST(a_recursive_bind_brings_what_is_mounted_below) {
    dir("m");
    dir("m/a");
    dir("m/b");
    dir("m/b/deep");
    dir("r");
    dir("s");
    tmpfs("m/a");
    file("m/a/inside");
    tmpfs("m/b/deep");
    dir("m/b/deep/er");
    tmpfs("m/b/deep/er");
    file("m/b/deep/er/est");
    CHECK(bind_to("m", "s", 0) == 0 && !there("s/a/inside"));
    CHECK(bind_to("m", "r", MS_REC) == 0 && there("r/a/inside") && there("r/b/deep/er/est"));
    CHECK_ERRNO(umount2("r", 0), EBUSY);
    tmpfs("m/b"); // later ones are its own
    CHECK(!there("m/b/deep") && there("r/b/deep/er/est") && umount2("m/b", 0) == 0);
    CHECK(umount2("r", MNT_DETACH) == 0 && !there("r/a") && there("m/b/deep/er/est"));
    CHECK(bind_to("m/b", "r", MS_REC) == 0 && there("r/deep/er/est") && umount2("r", MNT_DETACH) == 0);
    CHECK(bind_to("m", "m", MS_REC) == 0 && there("m/a/inside")); // into itself
    CHECK(umount2("m", MNT_DETACH) == 0 && there("m/a/inside"));
    CHECK(umount2("s", 0) == 0 && umount2("m/b/deep", MNT_DETACH) == 0 && umount2("m/a", 0) == 0 &&
          !there("m/a/inside"));
}

TEST(unbindable_mounts_stay_out_of_binds) {
    char *f[32];
    dir("u");
    dir("ub");
    tmpfs("u");
    dir("u/x");
    tmpfs("u/x");
    file("u/x/in");
    CHECK(mount(NULL, "u/x", NULL, MS_UNBINDABLE, NULL) == 0);
    CHECK_ERRNO(bind_to("u/x", "ub", 0), EINVAL);
    CHECK(bind_to("u", "ub", MS_REC) == 0 && there("ub/x") && !there("ub/x/in") && umount2("ub", 0) == 0);
    CHECK(line_of("/proc/self/mountinfo", 4, place("u/x"), f) && !strcmp(f[6], "unbindable"));
    CHECK(mount(NULL, "u", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
    CHECK(bind_to("u", "ub", MS_REC) == 0 && there("ub/x/in"));
    CHECK_ERRNO(mount(NULL, "u", NULL, MS_PRIVATE | MS_SLAVE, NULL), EINVAL);
    CHECK_ERRNO(mount(NULL, "ub/x/..", NULL, MS_PRIVATE | MS_NOSUID, NULL), EINVAL);
    dir("nomount");
    CHECK_ERRNO(mount(NULL, "nomount", NULL, MS_PRIVATE, NULL), EINVAL);
    CHECK(umount2("ub", MNT_DETACH) == 0 && umount2("u", MNT_DETACH) == 0);
}

TEST(mounts_are_private_and_become_slaves_of_nobody) {
    CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);         // unshare(1)
    CHECK(mount(NULL, "/", NULL, MS_SILENT | MS_SLAVE | MS_REC, NULL) == 0); // bubblewrap
    CHECK_ERRNO(mount("none", "/", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
}

TEST(a_remount_looks_at_the_options_of_a_file_system_that_is_mounted_once_for_all) {
    static const char *const types[] = {"proc", "sysfs", "devpts", "devtmpfs", "tmpfs"};
    char *f[32], at[16];
    for (int i = 0; i < 5; i++) {
        snprintf(at, sizeof(at), "opt.%s", types[i]);
        dir(at);
        CHECK(mount(types[i], at, types[i], 0, NULL) == 0);
        CHECK_ERRNO(mount(NULL, at, NULL, MS_REMOUNT | MS_NOSUID, "nonsense"), EINVAL);
        CHECK_ERRNO(mount(NULL, at, NULL, MS_REMOUNT | MS_NOSUID, "mode=x"), EINVAL);
        CHECK(line_of("/proc/self/mounts", 1, place(at), f) && !strstr(f[3], "nosuid"));
        CHECK(mount(NULL, at, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL) == 0);
        CHECK(line_of("/proc/self/mounts", 1, place(at), f) && !strncmp(f[3], "ro,nosuid", 9));
        CHECK(mount(NULL, at, NULL, MS_REMOUNT, "") == 0 && umount2(at, 0) == 0);
    }
    dir("opt.pts");
    CHECK(mount("devpts", "opt.pts", "devpts", 0, "gid=5,mode=620") == 0);
    CHECK(mount(NULL, "opt.pts", NULL, MS_REMOUNT, "gid=5,mode=600") == 0);
    CHECK(line_of("/proc/self/mounts", 1, place("opt.pts"), f) && strstr(f[3], "mode=600"));
    CHECK(mount(NULL, "opt.pts", NULL, MS_REMOUNT, "gid=5,mode=620") == 0 && umount2("opt.pts", 0) == 0);
}

TEST(mounts_move_with_what_is_on_them_and_not_into_themselves) {
    char *f[32];
    dir("v1");
    dir("v2");
    tmpfs("v1");
    dir("v1/sub");
    tmpfs("v1/sub");
    file("v1/sub/in");
    file("v2f");
    CHECK_ERRNO(mount("v1", "v1/sub", NULL, MS_MOVE, NULL), ELOOP);
    CHECK_ERRNO(mount("v1", "v2f", NULL, MS_MOVE, NULL), EINVAL);
    CHECK_ERRNO(mount("v2", "v1", NULL, MS_MOVE, NULL), EINVAL);
    CHECK(mount("v1", "v2", NULL, MS_MOVE, NULL) == 0 && there("v2/sub/in") && !there("v1/sub"));
    CHECK(line_of("/proc/self/mounts", 1, place("v2/sub"), f) &&
          !line_of("/proc/self/mounts", 1, place("v1"), f));
    CHECK(umount2("v2", MNT_DETACH) == 0 && !there("v2/sub"));
}

TEST(a_mount_is_taken_away_once) {
    dir("w");
    tmpfs("w");
    dir("w/d");
    int fd = open("w/d", O_RDONLY | O_DIRECTORY), root = open("w", O_RDONLY | O_DIRECTORY);
    CHECK_ERRNO(umount2("w", 0), EBUSY);
    CHECK_ERRNO(umount2("w/d", MNT_DETACH), EINVAL);
    CHECK_ERRNO(umount2("w", 0x100), EINVAL);
    CHECK(umount2("w", MNT_DETACH) == 0 && fchdir(root) == 0);
    CHECK_ERRNO(umount2(".", MNT_DETACH), EINVAL);
    CHECK_ERRNO(umount2(".", 0), EINVAL);
    CHECK_ERRNO(mount("t", "d", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERRNO(bind_to(".", test_place, 0), EINVAL);
    CHECK_ERRNO(mount(NULL, ".", NULL, MS_REMOUNT, NULL), EINVAL);
    CHECK(there("d") && openat(fd, "new", O_CREAT | O_WRONLY, 0600) >= 0);
    CHECK(syscall(SYS_getcwd, text, sizeof(text)) > 0 && !strcmp(text, "(unreachable)/"));
    CHECK(fchdir(fd) == 0 && syscall(SYS_getcwd, text, sizeof(text)) > 0 && !strcmp(text, "(unreachable)/d"));
    CHECK(readlink("/proc/self/cwd", text, sizeof(text)) == 2 && !memcmp(text, "/d", 2));
    CHECK(chdir(test_place) == 0);
}

TEST(a_lazy_umount_takes_a_whole_tree_apart) {
    dir("z");
    tmpfs("z");
    dir("z/y");
    tmpfs("z/y");
    file("z/y/in");
    int fd = open("z", O_RDONLY | O_DIRECTORY);
    CHECK(umount2("z", MNT_DETACH) == 0);
    CHECK(faccessat(fd, "y", F_OK, 0) == 0);
    CHECK_ERRNO(faccessat(fd, "y/in", F_OK, 0), ENOENT);
}

TEST(an_expiring_mount_goes_if_nobody_came) {
    dir("e");
    tmpfs("e");
    CHECK_ERRNO(umount2("e", MNT_EXPIRE | MNT_DETACH), EINVAL);
    CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
    file("e/f");
    CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
    int fd = open("e", O_RDONLY | O_DIRECTORY);
    CHECK_ERRNO(umount2("e", MNT_EXPIRE), EBUSY);
    close(fd);
    CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
    CHECK(umount2("e", MNT_EXPIRE) == 0 && !there("e/f"));
}

TEST(a_bind_changes_flags_by_itself) {
    char *f[32];
    dir("o");
    dir("ob");
    tmpfs("o");
    file("o/f");
    CHECK(bind_to("o", "ob", MS_RDONLY) == 0); // not in one step
    int fd = open("ob/f", O_WRONLY);
    CHECK(fd >= 0);
    CHECK_ERRNO(mount(NULL, "ob", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
    close(fd);
    fd = open("o/f", O_WRONLY);
    CHECK(mount(NULL, "ob", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL) == 0);
    CHECK_ERRNO(open("ob/f", O_WRONLY), EROFS);
    CHECK_ERRNO(mkdir("ob/d", 0755), EROFS);
    CHECK_ERRNO(unlink("ob/f"), EROFS);
    CHECK(mkdir("o/d", 0755) == 0 && there("ob/d"));
    CHECK(line_of("/proc/self/mounts", 1, place("ob"), f) && !strncmp(f[3], "ro,nosuid,relatime", 18));
    CHECK(line_of("/proc/self/mountinfo", 4, place("ob"), f) && !strcmp(f[5], "ro,nosuid,relatime"));
    CHECK(!strncmp(f[9], "rw", 2));
    struct statvfs st;
    CHECK(statvfs("ob", &st) == 0 && (st.f_flag & ST_RDONLY) && (st.f_flag & ST_NOSUID));
    CHECK(mount(NULL, "ob", NULL, MS_BIND | MS_REMOUNT | MS_NOATIME, NULL) == 0);
    CHECK(line_of("/proc/self/mounts", 1, place("ob"), f) && !strncmp(f[3], "rw,noatime", 10));
    CHECK_ERRNO(mount(NULL, "ob/d", NULL, MS_BIND | MS_REMOUNT, NULL), EINVAL);
    close(fd);
    CHECK(umount2("ob", 0) == 0 && umount2("o", 0) == 0);
}

TEST(what_is_mounted_becomes_read_only_everywhere) {
    char *f[32];
    dir("q");
    dir("qb");
    tmpfs("q");
    file("q/f");
    CHECK(bind_to("q", "qb", 0) == 0);
    int fd = open("qb/f", O_RDWR);
    CHECK_ERRNO(mount(NULL, "q", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
    CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
    CHECK(mount(NULL, "q", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK_ERRNO(open("qb/f", O_WRONLY), EROFS);
    CHECK(line_of("/proc/self/mountinfo", 4, place("qb"), f) && !strncmp(f[5], "rw", 2) &&
          !strncmp(f[9], "ro", 2));
    CHECK(line_of("/proc/self/mounts", 1, place("qb"), f) && !strncmp(f[3], "ro", 2));
    CHECK_ERRNO(mount(NULL, "q", NULL, MS_REMOUNT, "nosuchoption=1"), EINVAL);
    CHECK_ERRNO(open("q/new", O_CREAT | O_WRONLY, 0600), EROFS);
    CHECK(mount(NULL, "q", NULL, MS_REMOUNT, NULL) == 0 && mkdir("qb/d", 0755) == 0);
    CHECK(umount2("qb", 0) == 0 && umount2("q", 0) == 0);
    CHECK(mount("t", "q", "tmpfs", MS_RDONLY, NULL) == 0);
    CHECK_ERRNO(mkdir("q/d", 0755), EROFS);
    CHECK(umount2("q", 0) == 0);
}

TEST(mountinfo_shows_which_part_is_mounted_and_names_in_octal) {
    char *f[32];
    dir("i");
    tmpfs("i");
    dir("i/a b");
    dir("i/a b/c");
    dir("on\tit");
    CHECK(bind_to("i/a b/c", "on\tit", 0) == 0);
    CHECK(line_of("/proc/self/mountinfo", 4, place("on\\011it"), f) && !strcmp(f[3], "/a\\040b/c"));
    CHECK(rmdir("i/a b/c") == 0);
    CHECK(line_of("/proc/self/mountinfo", 4, place("on\\011it"), f) && !strcmp(f[3], "/a\\040b/c//deleted"));
    CHECK_ERRNO(mount("t", "on\tit", "tmpfs", 0, NULL), ENOENT);
    CHECK(umount2("on\tit", 0) == 0 && umount2("i", 0) == 0);
}

TEST(mountpoints_stay) {
    dir("k");
    dir("k2");
    file("kf");
    file("kf2");
    tmpfs("k");
    CHECK(bind_to("kf2", "kf", 0) == 0);
    CHECK_ERRNO(rmdir("k"), EBUSY);
    CHECK_ERRNO(rename("k", "k3"), EBUSY);
    CHECK_ERRNO(rename("k2", "k"), EBUSY);
    CHECK_ERRNO(unlink("kf"), EBUSY);
    CHECK_ERRNO(mount("t", "kf", "tmpfs", 0, NULL), ENOTDIR);
    CHECK_ERRNO(bind_to("k2", "kf", 0), ENOTDIR);
    CHECK_ERRNO(bind_to("none", "k2", 0), ENOENT);
    CHECK_ERRNO(bind_to("", "k2", 0), EINVAL);
    CHECK(umount2("kf", 0) == 0 && umount2("k", 0) == 0 && unlink("kf") == 0 && rmdir("k") == 0);
}

TEST(places_in_proc_can_be_covered) {
    int inner = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    CHECK(inner >= 0);
    tmpfs("/proc/sys/kernel");
    file("/proc/sys/kernel/mine");
    CHECK(there("/proc/sys/kernel/mine") && !there("/proc/sys/kernel/hostname"));
    tmpfs("/proc/sys");
    CHECK(!there("/proc/sys/kernel") && umount2("/proc/sys", 0) == 0 && there("/proc/sys/kernel/mine"));
    CHECK(umount2("/proc/sys/kernel", 0) == 0 && there("/proc/sys/kernel/hostname"));
    file("pf");
    CHECK(bind_to("pf", "/proc/version", 0) == 0);
    int fd = open("/proc/version", O_RDONLY);
    CHECK(read(fd, text, 10) == 0 && close(fd) == 0 && umount2("/proc/version", 0) == 0);
    fd = open("/proc/version", O_RDONLY);
    CHECK(read(fd, text, 10) == 10);
}

TEST(links_are_not_followed_where_they_must_not_be) {
    dir("y");
    CHECK(mount("t", "y", "tmpfs", MS_NOSYMFOLLOW, NULL) == 0);
    file("y/f");
    CHECK(symlink("f", "y/l") == 0 && readlink("y/l", text, 9) == 1);
    CHECK_ERRNO(open("y/l", O_RDONLY), ELOOP);
    CHECK(mount(NULL, "y", NULL, MS_REMOUNT, NULL) == 0 && open("y/l", O_RDONLY) >= 0);
}

TEST(options_are_used_or_refused) {
    char *f[32];
    struct stat st;
    dir("opt");
    CHECK_ERRNO(mount("p", "opt", "proc", 0, "nosuch=1"), EINVAL);
    CHECK_ERRNO(mount("p", "opt", "proc", 0, "hidepid=9"), EINVAL);
    CHECK_ERRNO(mount("p", "opt", "devpts", 0, "nosuch=1"), EINVAL);
    CHECK_ERRNO(mount("p", "opt", "devpts", 0, "mode=99"), EINVAL);
    CHECK_ERRNO(mount("p", "opt", "devtmpfs", 0, "nosuch=1"), EINVAL);
    CHECK_ERRNO(mount("p", "opt", "pipefs", 0, NULL), EINVAL);
    CHECK(mount("p", "opt", "proc", 0, "hidepid=0") == 0 && umount2("opt", 0) == 0);
    CHECK(mount("p", "opt", "devpts", 0, "gid=5,mode=620,ptmxmode=666") == 0);
    CHECK(line_of("/proc/self/mounts", 1, place("opt"), f) && strstr(f[3], ",gid=5,mode=620,ptmxmode=666"));
    int fd = open("opt/ptmx", O_RDWR), n = -1;
    CHECK(fd >= 0 && ioctl(fd, TIOCGPTN, &n) == 0);
    snprintf(text, sizeof(text), "opt/%d", n);
    CHECK(stat(text, &st) == 0 && st.st_gid == 5 && (st.st_mode & 07777) == 0620 && close(fd) == 0);
    CHECK(mount("p", "opt", "devtmpfs", 0, "mode=0755") == 0);
    CHECK_ERRNO(mount("p", "opt", "devtmpfs", 0, NULL), EBUSY); // over itself
    CHECK(umount2("opt", 0) == 0 && umount2("opt", 0) == 0);
    CHECK(mount("t", "opt", "tmpfs", MS_SYNCHRONOUS | MS_NODEV, NULL) == 0);
    CHECK(line_of("/proc/self/mounts", 1, place("opt"), f) && !strncmp(f[3], "rw,sync,nodev,relatime", 22));
    fd = open("opt/gone", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && unlink("opt/gone") == 0);
    snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
    file("onto");
    CHECK_ERRNO(bind_to(text, "onto", 0), ENOENT);
    CHECK(close(fd) == 0 && umount2("opt", 0) == 0);
}

static long slab_kilobytes(void) {
    long n = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(text, 200, f))
        sscanf(text, "Slab: %ld", &n);
    fclose(f);
    return n;
}

TEST(places_in_proc_leave_nothing_behind) {
    long before = 0;
    for (int i = 0; i < 3000; i++) {
        if (i == 500)
            before = slab_kilobytes();
        CHECK(mount("t", "/proc/sys/kernel", "tmpfs", 0, NULL) == 0 && umount2("/proc/sys/kernel", 0) == 0);
    }
    CHECK(slab_kilobytes() < before + 200);
}

TEST(only_the_privileged_mount) {
    dir("n");
    pid_t pid = fork();
    if (!pid) {
        CHECK(setuid(1000) == 0);
        CHECK_ERRNO(mount("t", "n", "tmpfs", 0, NULL), EPERM);
        CHECK_ERRNO(mount("t", "none", "tmpfs", 0, NULL), ENOENT);
        CHECK_ERRNO(umount2("/proc", 0), EPERM);
        CHECK_ERRNO(syscall(SYS_pivot_root, ".", "."), EPERM);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

// ---- other roots

static int in_a_root_of_its_own(void) {
    char *f[32];
    CHECK_ERRNO(umount2("/", MNT_DETACH), EINVAL); // the root of all
    CHECK_ERRNO(syscall(SYS_pivot_root, "root", "root/old"), EINVAL);
    CHECK(!unshare(CLONE_NEWNS)); // what follows is no change for the tests that come
    CHECK(chdir("root") == 0 && mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0);
    CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
    CHECK(line_of("/proc/self/mountinfo", 4, "/", f) && !strcmp(f[3], "/") && !strcmp(f[7], "tmpfs"));
    CHECK(line_of("/proc/self/mounts", 2, "rootfs", f) == 0 && line_of("/proc/self/mounts", 1, "/", f));
    CHECK(mount("t2", "/x", "tmpfs", 0, NULL) == 0 && mkdir("/x/old", 0755) == 0 &&
          mkdir("/x/proc", 0755) == 0);
    CHECK_ERRNO(syscall(SYS_pivot_root, "/x", "/old"), EBUSY); // on the root's own mount
    CHECK_ERRNO(syscall(SYS_pivot_root, "/", "/x"), EBUSY);
    CHECK_ERRNO(syscall(SYS_pivot_root, "/x/proc", "/x/old"), EINVAL);
    int ready[2], go[2];
    char c;
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    pid_t other = fork(); // who has the same root goes along
    if (!other) {
        CHECK(write(ready[1], "r", 1) == 1 && read(go[0], &c, 1) == 1);
        _exit(!there("/old/x") || !there("/proc") || there("/x"));
    }
    CHECK(read(ready[0], &c, 1) == 1 && syscall(SYS_pivot_root, "/x", "/x/old") == 0);
    CHECK(there("/old/x") && there("/old/proc/self") && write(go[1], "g", 1) == 1);
    CHECK(test_wait_exit(other) == 0);
    CHECK(mount("/old/proc", "/proc", NULL, MS_MOVE, NULL) == 0);
    CHECK(line_of("/proc/self/mounts", 1, "/old", f) && line_of("/proc/self/mounts", 1, "/", f));
    CHECK(!strcmp(f[0], "t2"));
    // As pivot_root(2) tells how to do without a place for the old one.
    CHECK(umount2("/old", MNT_DETACH) == 0 && mount("t3", "/old", "tmpfs", 0, NULL) == 0 &&
          chdir("/old") == 0);
    CHECK(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
          mkdir("/proc", 0755) == 0);
    CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
    CHECK(line_of("/proc/self/mounts", 1, "/", f) && !strcmp(f[0], "t3"));
    CHECK(chroot("/proc") == 0);
    CHECK(line_of("/self/mounts", 1, "/", f) && !line_of("/self/mounts", 0, "t3", f));
    CHECK(syscall(SYS_getcwd, text, sizeof(text)) > 0 && !strncmp(text, "(unreachable)", 13));
    CHECK(fchdir(open("/", O_RDONLY)) == 0 && chroot("..") == 0);
    return 0;
}

TEST(roots_switch_and_pivot) {
    dir("root");
    tmpfs("root");
    dir("root/proc");
    dir("root/x");
    dir("root/old");
    pid_t pid = fork();
    if (!pid)
        _exit(in_a_root_of_its_own());
    CHECK(test_wait_exit(pid) == 0);
    CHECK(there("/proc/self") && there(test_place)); // nobody else's
}
