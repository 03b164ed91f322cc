// SPDX-License-Identifier: MIT
// Namespaces are made, entered, read, mounted in and left at the same moment.
#include "races.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALL_NEW (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS)

TEST_DIRECTORY(0777)

static atomic_int resident;
static char paths[5][64];

static void in_a_process(void (*fn)(void)) {
    pid_t pid = fork();
    if (!pid) {
        fn();
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

// A process with namespaces of its own, which the racers look at while it ends.
static void make_resident(void) {
    static const char *const names[] = {"ns/mnt", "ns/user", "mountinfo", "mounts", "uid_map"};
    int ready[2];
    char c;
    CHECK(!pipe(ready));
    pid_t pid = fork();
    if (!pid) {
        CHECK(!unshare(ALL_NEW) && !mount("t", "place", "tmpfs", 0, NULL) && write(ready[1], "r", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(pid > 0 && read(ready[0], &c, 1) == 1 && !close(ready[0]) && !close(ready[1]));
    resident = pid;
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], sizeof(paths[i]), "/proc/%d/%s", pid, names[i]);
}

static void end_resident(void) {
    kill(resident, SIGKILL);
    waitpid(resident, NULL, 0);
}

static void enter(void) {
    int mounts = open(paths[0], O_RDONLY), users = open(paths[1], O_RDONLY);
    if (users >= 0 && !setns(users, CLONE_NEWUSER) && mounts >= 0 && !setns(mounts, CLONE_NEWNS)) {
        umount2("/", MNT_DETACH);
        mount("u", "/tmp", "tmpfs", 0, NULL);
        if (!unshare(CLONE_NEWNS))
            umount2("/tmp", MNT_DETACH);
    }
}

static void enter_in_a_process(void) {
    in_a_process(enter);
}

static void read_about(void) {
    char text[512];
    for (int i = 0; i < 5; i++) {
        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        while (read(fd, text, sizeof(text)) > 0)
            ;
        close(fd);
    }
}

TEST(a_namespace_ends_while_others_enter_and_read_it) {
    static const struct race r = {
        make_resident, {enter_in_a_process, end_resident, read_about, enter_in_a_process}, NULL};
    CHECK(!mkdir("place", 0777) && run_race(&r) > 0);
}

static void make_place(void) {
    CHECK(!mkdir("a", 0777) && !mkdir("a/below", 0777));
}

static void mount_there(void) {
    if (unshare(ALL_NEW))
        return;
    for (int i = 0; i < 4; i++) {
        mount("t", "a/below", "tmpfs", 0, NULL);
        mount("a", "a", NULL, MS_BIND | MS_REC, NULL);
        umount2("a/below", MNT_DETACH);
    }
}

static void mount_in_a_process(void) {
    in_a_process(mount_there);
}

static void take_name_away(void) {
    for (int i = 0; i < 10; i++) {
        rename("a/below", "a/other");
        rename("a/other", "a/below");
    }
    rmdir("a/below");
    rename("a", "b");
}

static void no_name_stays(void) {
    CHECK(rmdir("b/below") == 0 || errno == ENOENT);
    CHECK(rmdir("a") == 0 || rmdir("b") == 0);
}

TEST(names_go_while_others_mount_on_them) {
    static const struct race r = {
        make_place, {mount_in_a_process, take_name_away, mount_in_a_process}, no_name_stays};
    CHECK(run_race(&r) > 0);
}

static char of_process[64];

static void cover_resident(void) {
    if (!unshare(ALL_NEW)) {
        mount("t", of_process, "tmpfs", 0, NULL);
        mount("t", of_process, "tmpfs", 0, NULL);
    }
}

static void cover_in_a_process(void) {
    in_a_process(cover_resident);
}

static void make_covered(void) {
    make_resident();
    snprintf(of_process, sizeof(of_process), "/proc/%d", resident);
}

static void nothing_of_it_is_left(void) {
    CHECK(access(of_process, F_OK) == -1 && errno == ENOENT);
}

TEST(a_process_ends_while_others_mount_on_its_directory) {
    static const struct race r = {make_covered,
                                  {cover_in_a_process, end_resident, read_about, cover_in_a_process},
                                  nothing_of_it_is_left};
    CHECK((!access("place", F_OK) || !mkdir("place", 0777)) && run_race(&r) > 0);
}
