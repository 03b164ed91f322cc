// SPDX-License-Identifier: MIT
// What somebody without privileges tries with namespaces of his own.
#include "test.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define USER  1000
#define OTHER 1001
#define THIRD 1002

#define FSCONFIG_MAKE 6 // FSCONFIG_CMD_CREATE

TEST_DIRECTORY(0777)

static void become(uid_t uid) {
    CHECK(!setgid(uid) && !setuid(uid));
    CHECK(!prctl(PR_SET_DUMPABLE, 1)); // else the files in /proc are root's
}

static void become_root_within(uid_t uid, unsigned long more) {
    char map[32];
    become(uid);
    CHECK(!unshare(CLONE_NEWUSER | more));
    snprintf(map, sizeof(map), "0 %u 1", uid);
    CHECK(!test_put("/proc/self/setgroups", "deny") && !test_put("/proc/self/uid_map", map) &&
          !test_put("/proc/self/gid_map", map));
}

static const char *file_of(pid_t pid, const char *name) {
    static char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return path;
}

static void touch(const char *name) {
    CHECK(!close(open(name, O_CREAT | O_WRONLY, 0666)));
}

// ---- maps

static void have_user_namespace(void *arg) {
    (void)arg;
    become(USER);
    CHECK(!unshare(CLONE_NEWUSER) && !test_put("/proc/self/setgroups", "deny"));
}

// As a set-group-id program that is told to write what the other one wants, to what the other one has opened.
TEST(a_program_with_another_group_maps_no_group_for_who_opened_the_file) {
    pid_t pid = test_start_idle(have_user_namespace, NULL);
    CHECK(!setresgid(USER, USER, 42) && !setresuid(USER, USER, USER));
    int fd = open(file_of(pid, "gid_map"), O_WRONLY);
    CHECK(fd >= 0 && !setresgid(-1, 42, -1));
    CHECK_ERRNO(write(fd, "0 42 1", 6), EPERM);
    CHECK(!setresgid(-1, USER, -1) && write(fd, "0 1000 1", 8) == 8);
    test_end(pid);
}

static void unshare_user(void *arg) {
    (void)arg;
    CHECK(!prctl(PR_SET_DUMPABLE, 1) && !unshare(CLONE_NEWUSER));
}

static int within_three(void *arg) {
    int *go = arg;
    char c;
    CHECK(!unshare(CLONE_NEWUSER) && write(go[1], "u", 1) == 1 && read(go[2], &c, 1) == 1);
    CHECK(!setresgid(0, 0, 0) && !setresuid(0, 0, 0));
    pid_t pid = test_start_idle(unshare_user, NULL);
    CHECK_ERRNO(test_put(file_of(pid, "uid_map"), "0 0 3"), EPERM);
    CHECK_ERRNO(test_put(file_of(pid, "uid_map"), "0 0 2"), EPERM);
    CHECK(!test_put(file_of(pid, "uid_map"), "0 0 1\n1 1 1\n2 2 1"));
    test_end(pid);
    return 0;
}

// 1001 is not among the ids of the namespace above, though those on both sides are.
TEST(a_line_of_a_map_has_no_ids_that_the_one_above_has_not) {
    int go[4];
    char c;
    CHECK(!pipe(go) && !pipe(go + 2));
    pid_t pid = test_fork(within_three, go);
    CHECK(read(go[0], &c, 1) == 1);
    CHECK(!test_put(file_of(pid, "uid_map"), "0 1000 1\n1 5000 1\n2 1002 1\n"));
    CHECK(!test_put(file_of(pid, "gid_map"), "0 1000 10\n"));
    CHECK(write(go[3], "g", 1) == 1 && test_wait_exit(pid) == 0);
}

// ---- references

#define CHAIN 100

static int orders[2];
static pid_t chain[CHAIN];

static void link_of_chain(void *arg) {
    (void)arg;
    CHECK(!unshare(CLONE_NEWNS));
}

static pid_t start_link(int index, int links[2]) {
    int done[2];
    char c;
    CHECK(!pipe(done) && !pipe(orders));
    pid_t pid = fork();
    if (!pid) {
        pid_t next;
        link_of_chain(NULL);
        CHECK(write(done[1], "r", 1) == 1 && read(orders[0], &next, sizeof(next)) == sizeof(next));
        CHECK(!mount(file_of(next, "ns/mnt"), "f", NULL, MS_BIND, NULL) && write(done[1], "m", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(pid > 0 && read(done[0], &c, 1) == 1);
    links[0] = done[0];
    links[1] = orders[1];
    chain[index] = pid;
    CHECK(!close(done[1]) && !close(orders[0]));
    return pid;
}

// Each is kept by what is mounted in the one before: all go when the first does.
TEST(a_chain_of_mount_namespaces_ends_whole) {
    static int links[CHAIN][2];
    char c;
    struct rlimit more = {1024, 1024};
    touch("f");
    CHECK(!setrlimit(RLIMIT_NOFILE, &more));
    become_root_within(USER, CLONE_NEWNS);
    for (int i = 0; i < CHAIN; i++)
        start_link(i, links[i]);
    for (int i = CHAIN - 2; i >= 0; i--) {
        CHECK(write(links[i][1], &chain[i + 1], sizeof(pid_t)) == sizeof(pid_t) &&
              read(links[i][0], &c, 1) == 1);
        test_end(chain[i + 1]);
    }
    test_end(chain[0]);
    CHECK(!access("f", F_OK));
}

// Or the younger could be mounted in the older, which is mounted in it.
TEST(a_copy_of_the_mounts_has_no_files_of_mount_namespaces) {
    char text[8192];
    touch("f");
    touch("g");
    become_root_within(USER, CLONE_NEWNS);
    pid_t pid = test_start_idle(link_of_chain, NULL);
    CHECK(!mount(file_of(pid, "ns/mnt"), "f", NULL, MS_BIND, NULL));
    CHECK(!mount(file_of(pid, "ns/user"), "g", NULL, MS_BIND, NULL));
    CHECK(!unshare(CLONE_NEWNS));
    int fd = open("/proc/self/mounts", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK(!strstr(text, "/f nsfs") && strstr(text, "/g nsfs"));
    test_end(pid);
}

// ---- flags

static int mount_proc_again(void *unused) {
    (void)unused;
    CHECK_ERRNO(mount("p", "p", "proc", 0, NULL), EPERM);
    CHECK(!mount("p", "p", "proc", MS_RDONLY, NULL));
    CHECK_ERRNO(mount(NULL, "p", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
    CHECK_ERRNO(mount(NULL, "p", NULL, MS_REMOUNT, NULL), EPERM);
    return 0;
}

TEST(where_proc_is_read_only_another_is_too) {
    CHECK(!mkdir("p", 0777));
    CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(!mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    become(USER);
    CHECK(!unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID));
    CHECK(test_wait_exit(test_fork(mount_proc_again, NULL)) == 0);
}

// ---- what others see

static void cover_proc_of(void *arg) {
    pid_t pid = *(pid_t *)arg;
    become_root_within(USER, CLONE_NEWNS);
    CHECK(!mount("t", file_of(pid, ""), "tmpfs", 0, NULL));
}

// The number goes round to another process.
TEST(a_mount_over_a_process_that_has_ended_hides_none_that_has_its_number) {
    pid_t pid = fork();
    if (!pid) {
        for (;;)
            pause();
    }
    CHECK(pid > 0);
    pid_t other = test_start_idle(cover_proc_of, &pid);
    test_end(pid);
    CHECK(access(file_of(pid, "stat"), F_OK) == -1);
    struct stat st;
    CHECK(stat(file_of(pid, ""), &st) == -1);
    test_end(other);
}

// ---- limits

static void mount_all_there_is(void *arg) {
    (void)arg;
    become_root_within(USER, CLONE_NEWNS);
    CHECK(!mount("t", "m", "tmpfs", 0, NULL) && !mkdir("m/a", 0777));
    while (!mount("m", "m/a", NULL, MS_BIND | MS_REC, NULL))
        CHECK(!chdir("m/a") && !mkdir("m", 0777) && !mkdir("m/a", 0777));
    CHECK(errno == ENOSPC || errno == ENOENT || errno == EINVAL);
    while (!mount("/", ".", NULL, MS_BIND | MS_REC, NULL))
        ;
    CHECK(errno == ENOSPC);
    while (!mount("/", ".", NULL, MS_BIND, NULL))
        ;
    CHECK(errno == ENOSPC);
}

TEST(one_user_leaves_mounts_for_another) {
    CHECK(!mkdir("m", 0777));
    pid_t pid = test_start_idle(mount_all_there_is, NULL);
    become_root_within(OTHER, CLONE_NEWNS);
    CHECK(!mount("t", "m", "tmpfs", 0, NULL) && !umount("m"));
    (void)pid; // ends with the test
}

// Each doubles what there is, since "m" and all that it is bound on are peers.
static void double_what_is_shared(void *arg) {
    (void)arg;
    become_root_within(THIRD, CLONE_NEWNS);
    CHECK(!mount("t", "m", "tmpfs", 0, NULL) && !mkdir("m/a", 0777) &&
          !mount(NULL, "m", NULL, MS_SHARED, NULL));
    while (!mount("m", "m/a", NULL, MS_BIND, NULL))
        ;
    CHECK(errno == ENOSPC);
    while (!mount("/proc", "/proc", NULL, MS_BIND | MS_REC, NULL))
        ;
    CHECK(errno == ENOSPC);
}

TEST(who_has_no_room_for_what_is_shared_keeps_nobody_from_mounting) {
    CHECK((!mkdir("m", 0777) || errno == EEXIST) && !mkdir("shared", 0777));
    CHECK(!mount("t", "shared", "tmpfs", 0, NULL) && !mount(NULL, "shared", NULL, MS_SHARED, NULL) &&
          !mkdir("shared/a", 0777) && !mkdir("shared/b", 0777));
    pid_t pid = test_start_idle(double_what_is_shared, NULL);
    CHECK(!mount("t", "shared/a", "tmpfs", 0, NULL) && !mkdir("shared/a/in", 0777));
    test_end(pid);
    CHECK(!umount("shared/a") && !umount("shared") && !rmdir("shared"));
}

// A configuration holds a file system that is mounted nowhere: it counts as mounts do. (Linux counts neither.)
TEST(configurations_of_file_systems_are_a_users_own_to_use_up) {
    struct rlimit most = {4096, 4096};
    int fd, last = -1, n = 0;
    become_root_within(THIRD, CLONE_NEWNS);
    CHECK(!setrlimit(RLIMIT_NOFILE, &most));
    while ((fd = (int)syscall(SYS_fsopen, "tmpfs", 0)) >= 0) {
        CHECK(!syscall(SYS_fsconfig, fd, FSCONFIG_MAKE, NULL, NULL, 0));
        last = fd;
        n++;
    }
    CHECK(errno == ENOSPC && n > 100);
    while (n--)
        CHECK(!close(last--));
    CHECK((fd = (int)syscall(SYS_fsopen, "tmpfs", 0)) >= 0 && !close(fd));
}

// ---- pid and IPC namespaces

// Each the init of one in the one before; the last tells that it is there.
static int chain_of_inits(void *arg) {
    int *left = arg;
    unsigned long new_user = CLONE_NEWUSER; // of the first: it has all power in the others
    for (; --*left; new_user = 0) {
        pid_t pid = (pid_t)syscall(SYS_clone, new_user | CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0);
        CHECK(pid >= 0);
        while (pid)
            pause();
    }
    CHECK(write(left[1], "x", 1) == 1);
    for (;;)
        pause();
}

TEST(a_chain_of_pid_namespaces_ends_whole) {
    int p[2];
    char c;
    become(USER);
    for (int i = 0; i < 20; i++) {
        CHECK(!pipe(p));
        int left[2] = {32, p[1]};
        pid_t pid = test_fork(chain_of_inits, left);
        CHECK(read(p[0], &c, 1) == 1 && !close(p[1]));
        CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid && !close(p[0]));
        CHECK(kill(-1, SIGKILL) == 0 || errno == ESRCH);
    }
}

static void __attribute__((noreturn)) init_in_the_group_of_a_dead_child(void) {
    pid_t pid = fork();
    while (!pid)
        pause();
    CHECK(pid == 2 && !setpgid(pid, pid) && !setpgid(0, pid));
    CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid && getpgrp() == pid);
    _exit(7);
}

// The number of a child that has gone is still the init's group. (Linux's waits for itself, for ever.)
TEST(an_init_in_the_group_of_a_dead_child_ends) {
    int status = 0;
    become(USER);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (!pid)
        init_in_the_group_of_a_dead_child();
    CHECK(pid > 0);
    for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) != pid; i++)
        usleep(50000);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void __attribute__((noreturn)) fork_for_ever(void) {
    for (;;)
        if (fork() < 0)
            sched_yield();
}

// More processes come than go; they are the user's, and all gone with the init.
TEST(processes_that_multiply_end_with_their_init) {
    struct rlimit most = {100, 100};
    become(USER);
    CHECK(!setrlimit(RLIMIT_NPROC, &most));
    for (int i = 0; i < 5; i++) {
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (!pid)
            fork_for_ever();
        CHECK(pid > 0);
        usleep(50000);
        CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
        pid_t own = fork(); // there is room again
        if (!own)
            _exit(0);
        CHECK(own > 0 && waitpid(own, NULL, 0) == own);
    }
}

// Namespaces are counted, and a user's are not another's.
TEST(ipc_namespaces_are_a_users_own_to_use_up) {
    int fd[600], n = 0;
    become(USER);
    CHECK(!unshare(CLONE_NEWUSER));
    while (n < 600 && !unshare(CLONE_NEWIPC) && (fd[n] = open("/proc/self/ns/ipc", O_RDONLY)) >= 0) {
        CHECK(msgget(1, 0600 | 01000) >= 0);
        n++;
    }
    CHECK(n == 600 || errno == ENOSPC);
    while (n)
        CHECK(!close(fd[--n]));
    CHECK(!unshare(CLONE_NEWIPC));
}
