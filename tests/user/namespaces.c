// SPDX-License-Identifier: MIT
// User, mount and UTS namespaces: who may make them, what a capability in one is worth, what one sees of ids, mounts and names.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define USER 1000

TEST_DIRECTORY(0777)

static void become_user(void) {
    CHECK(!setgid(USER) && !setuid(USER));
    CHECK(!prctl(PR_SET_DUMPABLE, 1)); // else the files in /proc are root's
}

// A user namespace in which USER is root.
static void become_root_within(unsigned long more) {
    become_user();
    CHECK(!unshare(CLONE_NEWUSER | more));
    CHECK(!test_put("/proc/self/setgroups", "deny") && !test_put("/proc/self/uid_map", "0 1000 1") &&
          !test_put("/proc/self/gid_map", "0 1000 1"));
}

static ino_t number(const char *name) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    CHECK(!stat(path, &st));
    return st.st_ino;
}

// ---- user namespaces

TEST(without_a_map_all_ids_are_the_overflow_id) {
    become_user();
    CHECK(!unshare(CLONE_NEWUSER));
    CHECK(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534);
    CHECK_ERRNO(setuid(0), EINVAL);
    CHECK_ERRNO(syscall(SYS_setresuid, 0, -1, -1), EINVAL);
    CHECK(strtoul(strstr(test_read("/proc/self/status"), "CapEff:") + 7, NULL, 16) >> CAP_SYS_ADMIN & 1);
}

TEST(one_may_map_oneself_once) {
    become_root_within(0);
    CHECK(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
    CHECK(!strcmp(test_read("/proc/self/uid_map"), "         0       1000          1\n"));
    CHECK(!strcmp(test_read("/proc/self/setgroups"), "deny\n"));
    CHECK_ERRNO(test_put("/proc/self/uid_map", "0 1000 1"), EPERM);
    CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
    CHECK_ERRNO(test_put("/proc/self/setgroups", "allow"), EPERM);
    CHECK_ERRNO(setuid(1), EINVAL);
}

TEST(maps_that_are_not_ones_own_are_refused) {
    static const char *const wrong[] = {"0",
                                        "0 1000",
                                        "0 1000 0",
                                        "x 1000 1",
                                        "0 1000 1 1",
                                        "0 1000 1\n0 1001 1",
                                        "0 1000 1\n1 1000 1",
                                        "4294967295 1000 1",
                                        "0 4294967295 2",
                                        "0 1000 -1"};
    become_user();
    CHECK(!unshare(CLONE_NEWUSER));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        CHECK_ERRNO(test_put("/proc/self/uid_map", wrong[i]), EINVAL);
    char much[5000]; // what is cut off would be another map
    memset(much, ' ', sizeof(much) - 1);
    much[sizeof(much) - 1] = 0;
    memcpy(much, "0 1000 1\n", 9);
    CHECK_ERRNO(test_put("/proc/self/uid_map", much), EINVAL);
    CHECK_ERRNO(test_put("/proc/self/uid_map", "0 0 1"), EPERM);
    CHECK_ERRNO(test_put("/proc/self/uid_map", "0 1001 1"), EPERM);
    CHECK_ERRNO(test_put("/proc/self/uid_map", "0 1000 2"), EPERM);
    CHECK_ERRNO(test_put("/proc/self/gid_map", "0 1000 1"), EPERM); // before setgroups is denied
    CHECK_ERRNO(test_put("/proc/1/uid_map", "0 1000 1"), EACCES);
    CHECK(!test_put("/proc/self/uid_map", "  5 1000\t1 \n"));
    CHECK(getuid() == 5);
}

static int map_child(void *arg) {
    int *pipes = arg;
    char c;
    CHECK(!unshare(CLONE_NEWUSER) && write(pipes[1], "u", 1) == 1);
    CHECK(read(pipes[2], &c, 1) == 1);
    CHECK(getuid() == 10 && getgid() == 20);
    CHECK(!setgroups(2, (gid_t[]){21, 20}) && !setresuid(15, 15, 15));
    gid_t groups[4];
    CHECK(getgroups(4, groups) == 2 && groups[0] == 20 && groups[1] == 21);
    CHECK(strstr(test_read("/proc/self/status"), "Uid:\t15\t15\t15\t15\n"));
    return 0;
}

TEST(root_may_map_ranges_for_others) {
    int pipes[4];
    char path[64], c;
    CHECK(!pipe(pipes) && !pipe(pipes + 2));
    pid_t pid = test_fork(map_child, pipes);
    CHECK(read(pipes[0], &c, 1) == 1);
    snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
    CHECK(!test_put(path, "10 0 1\n11 100000 100\n"));
    snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
    CHECK(!test_put(path, "20 0 1\n21 200000 100\n"));
    CHECK(write(pipes[3], "g", 1) == 1 && test_wait_exit(pid) == 0);
}

TEST(capabilities_within_are_none_outside) {
    struct stat st;
    become_root_within(0);
    CHECK_ERRNO(mount("t", test_place, "tmpfs", 0, NULL), EPERM); // the mounts are others' still
    CHECK_ERRNO(sethostname("x", 1), EPERM);
    CHECK_ERRNO(mknod("device", S_IFCHR | 0666, 0x103), EPERM);
    CHECK_ERRNO(kill(1, 0), EPERM);
    CHECK_ERRNO(setpriority(0, 0, -5), EACCES);
    CHECK_ERRNO(open("/proc/sys/kernel/hostname", O_WRONLY), EACCES);
    CHECK(!stat("/", &st) && st.st_uid == 65534);
    CHECK_ERRNO(chmod("/", 0777), EPERM);
    CHECK_ERRNO(open("/proc/kmsg", O_RDONLY), EACCES);
    CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
    CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 1), EPERM);
}

TEST(files_belong_to_whom_the_map_says) {
    struct stat st;
    become_root_within(0);
    int fd = open("made", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && !fstat(fd, &st) && st.st_uid == 0 && st.st_gid == 0);
    CHECK_ERRNO(fchown(fd, 1, -1), EINVAL);
    CHECK(!fchown(fd, 0, 0));
}

TEST(set_user_id_programs_of_unmapped_users_give_nothing) {
    test_make_program("of-root", 0x20000, 04755);
    become_root_within(0);
    pid_t pid = fork();
    if (!pid) {
        execl("of-root", "of-root", NULL);
        _exit(1);
    }
    CHECK(test_wait_exit(pid) == 42);
    CHECK(!strstr(test_read("/proc/self/status"), "Uid:\t65534"));
}

TEST(a_namespace_of_threads_that_share_is_refused) {
    CHECK_ERRNO(syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | CLONE_FS | SIGCHLD), 0l, 0l, 0l, 0l),
                EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, (unsigned long)(CLONE_NEWNS | CLONE_FS | SIGCHLD), 0l, 0l, 0l, 0l),
                EINVAL);
    CHECK(!chdir("/") && !mkdir("/tmp/jail", 0755) && !chroot("/tmp/jail"));
    CHECK_ERRNO(unshare(CLONE_NEWUSER), EPERM);
}

TEST(user_namespaces_are_at_most_32_deep) {
    int depth = 0;
    become_user();
    for (; depth < 40 && !unshare(CLONE_NEWUSER); depth++)
        CHECK(!test_put("/proc/self/uid_map", depth ? "0 0 1" : "0 1000 1") &&
              !test_put("/proc/self/setgroups", "deny") &&
              !test_put("/proc/self/gid_map", depth ? "0 0 1" : "0 1000 1"));
    CHECK(depth >= 32 && depth <= 33);
}

TEST(who_made_it_may_do_all_in_it_and_a_sibling_nothing) {
    become_user();
    pid_t child = fork();
    if (!child) {
        CHECK(!unshare(CLONE_NEWUSER));
        raise(SIGSTOP);
        pause();
    }
    CHECK(waitpid(child, NULL, WUNTRACED) == child);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWUSER);
    uid_t owner;
    CHECK(!ioctl(fd, NS_GET_OWNER_UID, &owner) && owner == USER);
    CHECK_ERRNO(setns(fd, CLONE_NEWUTS), EINVAL);
    CHECK(!setns(fd, CLONE_NEWUSER) && getuid() == 65534);
    CHECK_ERRNO(setns(fd, CLONE_NEWUSER), EINVAL);
    CHECK_ERRNO(ioctl(fd, NS_GET_PARENT), EPERM);
    CHECK(!kill(child, SIGKILL));
}

// ---- UTS

TEST(names_are_ones_own_in_a_uts_namespace) {
    char before[65], name[65];
    CHECK(!gethostname(before, sizeof(before)));
    ino_t old = number("uts");
    int first = open("/proc/self/ns/uts", O_RDONLY);
    CHECK(first >= 0 && !unshare(CLONE_NEWUTS) && number("uts") != old);
    CHECK(!gethostname(name, sizeof(name)) && !strcmp(name, before)); // a copy
    CHECK(!sethostname("inner", 5) && !gethostname(name, sizeof(name)) && !strcmp(name, "inner"));
    CHECK(!strcmp(test_read("/proc/sys/kernel/hostname"), "inner\n"));
    CHECK(!setns(first, 0) && !gethostname(name, sizeof(name)) && !strcmp(name, before) &&
          number("uts") == old);
}

// ---- mounts

TEST(mounts_in_a_namespace_are_not_seen_outside) {
    CHECK(!mkdir("m", 0755));
    pid_t pid = fork();
    if (!pid) {
        CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        CHECK(!mount("t", "m", "tmpfs", 0, NULL) && mknod("m/inside", S_IFREG | 0644, 0) == 0);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(access("m/inside", F_OK) == -1 && !strstr(test_read("/proc/self/mounts"), "/m tmpfs"));
}

TEST(root_of_a_user_namespace_may_mount_in_its_own) {
    char line[128];
    CHECK(!mkdir("of-user", 0755) && !chown("of-user", USER, USER));
    become_root_within(CLONE_NEWNS);
    CHECK(!mount("t", "of-user", "tmpfs", 0, "mode=700") && !mkdir("of-user/a", 0755));
    snprintf(line, sizeof(line), "%s/of-user tmpfs", test_place);
    CHECK(strstr(test_read("/proc/self/mounts"), line));
    CHECK(!mount("/proc", "of-user/a", NULL, MS_BIND | MS_REC, NULL));
    CHECK(!umount2("of-user/a", MNT_DETACH) && !umount("of-user"));
    CHECK_ERRNO(mount("d", "of-user", "devtmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(mount("t", "of-user", "tmpfs", 0, "uid=5"), EINVAL);
}

TEST(what_a_mount_hides_stays_hidden_from_those_who_may_less) {
    CHECK(!mkdir("c", 0777) && !mkdir("c/secret", 0777) && !mkdir("c/secret/deep", 0777));
    CHECK(!mkdir("other", 0777));
    CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(!mount("c", "c", NULL, MS_BIND, NULL) && !mount("t", "c/secret", "tmpfs", 0, NULL));
    become_root_within(CLONE_NEWNS);
    CHECK_ERRNO(umount("c/secret"), EINVAL);
    CHECK_ERRNO(umount2("c/secret", MNT_DETACH), EINVAL);
    CHECK_ERRNO(mount("c/secret", "other", NULL, MS_MOVE, NULL), EINVAL);
    CHECK_ERRNO(mount("c", "other", NULL, MS_BIND, NULL), EINVAL); // without MS_REC it would show
    CHECK(!mount("c", "other", NULL, MS_BIND | MS_REC, NULL) && access("other/secret/deep", F_OK) == -1);
    CHECK_ERRNO(umount("other/secret"), EINVAL);
    int root = open("other", O_PATH | O_DIRECTORY);
    CHECK(root >= 0 && !umount2("other", MNT_DETACH)); // the tree as a whole may go
    CHECK(faccessat(root, "secret/deep", F_OK, 0) == -1);
}

TEST(flags_of_a_mount_stay_for_those_who_may_less) {
    CHECK(!mkdir("ro", 0777));
    CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(!mount("t", "ro", "tmpfs", MS_NOSUID | MS_NODEV, NULL));
    CHECK(!mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL));
    become_root_within(CLONE_NEWNS);
    CHECK_ERRNO(mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL), EPERM);
    CHECK_ERRNO(mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL), EPERM);
    CHECK(
        !mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
}

TEST(others_mounts_keep_no_name_from_going) {
    int ready[2], done[2];
    char c;
    CHECK(!mkdir("place", 0777) && !mkdir("place2", 0777) && !pipe(ready) && !pipe(done));
    pid_t pid = fork();
    if (!pid) {
        CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        CHECK(!mount("t", "place", "tmpfs", 0, NULL) && !mount("t", "place2", "tmpfs", 0, NULL));
        CHECK_ERRNO(rmdir("place"), EBUSY); // one's own do
        CHECK(write(ready[1], "r", 1) == 1 && read(done[0], &c, 1) == 1);
        CHECK(!strstr(test_read("/proc/self/mounts"), "/place ") &&
              !strstr(test_read("/proc/self/mounts"), "/place2 "));
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK(!rmdir("place") && !mkdir("new", 0777) && !rename("new", "place2"));
    CHECK(write(done[1], "d", 1) == 1 && test_wait_exit(pid) == 0);
}

TEST(a_namespace_is_entered_by_its_file_and_by_a_pidfd) {
    int ready[2], done[2];
    char c, path[64];
    CHECK(!mkdir("e", 0755) && !pipe(ready) && !pipe(done));
    pid_t pid = fork();
    if (!pid) {
        CHECK(!unshare(CLONE_NEWNS | CLONE_NEWUTS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        CHECK(!mount("t", "e", "tmpfs", 0, NULL) && !mkdir("e/seen", 0755) && !sethostname("theirs", 6));
        CHECK(write(ready[1], "r", 1) == 1 && read(done[0], &c, 1) == 1);
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    int own = open("/proc/self/ns/mnt", O_RDONLY), fd = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(own >= 0 && fd >= 0 && access("e/seen", F_OK) == -1);
    CHECK_ERRNO(setns(fd, 0), EINVAL);
    CHECK(!setns(fd, CLONE_NEWNS | CLONE_NEWUTS) && !chdir(test_place) && !access("e/seen", F_OK));
    char name[65];
    CHECK(!gethostname(name, sizeof(name)) && !strcmp(name, "theirs"));
    CHECK(!setns(own, CLONE_NEWNS) && !chdir(test_place) && access("e/seen", F_OK) == -1);
    snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
    fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && !setns(fd, 0) && !chdir(test_place) && !access("e/seen", F_OK));
    CHECK(write(done[1], "d", 1) == 1 && test_wait_exit(pid) == 0);
    CHECK(!access("e/seen", F_OK)); // it lives as long as somebody is in it
}

TEST(a_mounted_namespace_outlives_its_processes) {
    char name[65];
    CHECK(close(open("keep", O_CREAT | O_WRONLY, 0644)) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(!unshare(CLONE_NEWUTS) && !sethostname("kept", 4));
        CHECK(!mount("/proc/self/ns/uts", "keep", NULL, MS_BIND, NULL));
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    int fd = open("keep", O_RDONLY);
    CHECK(fd >= 0 && !setns(fd, CLONE_NEWUTS) && !gethostname(name, sizeof(name)) && !strcmp(name, "kept"));
    CHECK(!close(fd) && !umount("keep"));
}

TEST(a_root_of_ones_own_is_pivoted_to) {
    CHECK(!mkdir("root", 0755));
    become_root_within(CLONE_NEWNS);
    CHECK(!mount("t", test_place, "tmpfs", 0, NULL) && !chdir(test_place) && !chroot(".") &&
          !mkdir("new", 0755));
    CHECK(!mount("new", "new", NULL, MS_BIND, NULL) && !mkdir("new/old", 0755) && !mkdir("new/here", 0755));
    CHECK(!syscall(SYS_pivot_root, "new", "new/old") && !chdir("/") && !access("/here", F_OK));
    CHECK(!access("/old/new", F_OK) && !umount2("/old", MNT_DETACH) && access("/old/new", F_OK) == -1);
}
