// SPDX-License-Identifier: MIT
// Set-user-id and set-group-id bits of files and directories: who gets them, and what takes them away.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define SOMEONE 1000
#define GROUP   2000 // of the directory; SOMEONE is not in it

static mode_t mode_of(const char *path) {
    struct stat st;
    CHECK(!lstat(path, &st));
    return st.st_mode & 07777;
}

static gid_t group_of(const char *path) {
    struct stat st;
    CHECK(!lstat(path, &st));
    return st.st_gid;
}

static void become(const gid_t *group) {
    CHECK(!setgroups(group ? 1 : 0, group));
    CHECK(!setresgid(SOMEONE, SOMEONE, SOMEONE) && !setresuid(SOMEONE, SOMEONE, SOMEONE));
}

// /tmp/g is group GROUP's and gives its group to what is made in it.
static void enter_directory(void) {
    umask(0);
    mkdir("/tmp/g", 0777);
    CHECK(!chown("/tmp/g", 0, GROUP) && !chmod("/tmp/g", 02777) && !chdir("/tmp/g"));
    for (const char *const *name = (const char *const[]){"f", "n", "p", "l", "s", "u", NULL}; *name; name++)
        unlink(*name);
    rmdir("d");
}

static int make(const char *path, mode_t mode) {
    return open(path, O_RDWR | O_CREAT | O_EXCL, mode);
}

TEST(a_directory_gives_its_group_but_not_a_program_that_runs_as_it) {
    char proc[32];
    enter_directory();
    become(NULL);
    CHECK(make("f", 02777) >= 0 && mode_of("f") == 0777 && group_of("f") == GROUP);
    CHECK(!mknod("n", S_IFREG | 02777, 0) && mode_of("n") == 0777 && group_of("n") == GROUP);
    CHECK(!mkfifo("p", 02777) && mode_of("p") == 0777 && group_of("p") == GROUP);
    int fd = open(".", O_TMPFILE | O_RDWR, 02777);
    CHECK(fd >= 0);
    snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
    CHECK(!linkat(AT_FDCWD, proc, AT_FDCWD, "u", AT_SYMLINK_FOLLOW) && mode_of("u") == 0777 &&
          group_of("u") == GROUP);
    CHECK(!symlink("f", "s") && group_of("s") == GROUP);
    CHECK(!mkdir("d", 0755) && mode_of("d") == 02755 && group_of("d") == GROUP);
    CHECK(!link("f", "l") && mode_of("l") == 0777);
    // Nor does it afterwards.
    CHECK(!chmod("f", 06755) && mode_of("f") == 04755);
    CHECK(!chmod("d", 02777) && mode_of("d") == 0777);
}

TEST(the_umask_does_not_save_the_bit) {
    enter_directory();
    become(NULL);
    umask(010);
    CHECK(make("f", 02777) >= 0 && mode_of("f") == 0767);
    CHECK(make("n", 02767) >= 0 && mode_of("n") == 02767); // nobody runs it as the group: no harm
}

TEST(members_of_the_directorys_group_and_root_keep_the_bit) {
    enter_directory();
    CHECK(make("f", 02777) >= 0 && mode_of("f") == 02777 && group_of("f") == GROUP);
    gid_t group = GROUP;
    become(&group);
    CHECK(make("n", 02777) >= 0 && mode_of("n") == 02777 && group_of("n") == GROUP);
    CHECK(!chmod("n", 02755) && mode_of("n") == 02755);
}

// ---- what takes the bits away

static int fd;

static void with_bits(mode_t mode) {
    unlink("/tmp/g/f");
    fd = make("/tmp/g/f", 0666);
    CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
    CHECK(!fchown(fd, 0, GROUP) && !fchmod(fd, mode));
}

static int by_write(void) {
    return pwrite(fd, "x", 1, 0) == 1;
}
static int by_ftruncate(void) {
    return !ftruncate(fd, 5);
}
static int by_truncate(void) {
    return !truncate("/tmp/g/f", 5);
}
static int by_opening(void) {
    return open("/tmp/g/f", O_WRONLY | O_TRUNC) >= 0;
}
static int by_fallocate(void) {
    return !fallocate(fd, 0, 0, 100);
}
static int by_hole(void) {
    return !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5);
}
static int by_copy(void) {
    off_t from = 0, to = 5;
    return copy_file_range(fd, &from, fd, &to, 3, 0) == 3;
}
static int by_sendfile(void) {
    off_t from = 0;
    int other = memfd_create("m", 0);
    return write(other, "y", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0 && sendfile(fd, other, &from, 1) == 1;
}
static int by_writev(void) {
    return syscall(SYS_pwritev, fd, (long[]){(long)"z", 1}, 1, 0l, 0l) == 1;
}
static int by_nothing(void) {
    return write(fd, "", 0) == 0;
}

static mode_t after(int (*change)(void), mode_t before, int as_root) {
    with_bits(before);
    pid_t pid = fork();
    if (!pid) {
        if (!as_root)
            become(NULL);
        _exit(!change());
    }
    CHECK(test_wait_exit(pid) == 0);
    close(fd);
    return mode_of("/tmp/g/f");
}

TEST(changes_of_content_take_the_bits_away) {
    static int (*const changes[])(void) = {by_write, by_ftruncate, by_truncate, by_opening, by_fallocate,
                                           by_hole,  by_copy,      by_sendfile, by_writev};
    enter_directory();
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        CHECK(after(changes[i], 06777, 0) == 0777);
        CHECK(after(changes[i], 04767, 0) == 0767);
        CHECK(after(changes[i], 02767, 0) == 0767); // not a member of the group
        CHECK(after(changes[i], 06777, 1) == 06777);
    }
    CHECK(after(by_nothing, 06777, 0) == 06777);
}

TEST(a_change_of_owner_takes_the_bits_away_from_all_but_directories) {
    enter_directory();
    with_bits(06777);
    CHECK(!fchown(fd, SOMEONE, -1) && mode_of("f") == 0777);
    with_bits(06777);
    CHECK(!fchown(fd, -1, -1) && mode_of("f") == 0777);
    with_bits(06767);
    CHECK(!fchown(fd, SOMEONE, GROUP) && mode_of("f") == 02767); // root may give the group the bit
    CHECK(!mkdir("d", 0700) && !chmod("d", 06777) && !chown("d", SOMEONE, GROUP) && mode_of("d") == 06777);
    with_bits(06777);
    become(NULL);
    CHECK_ERRNO(fchown(fd, -1, -1), EPERM);
    CHECK(mode_of("f") == 06777);
    CHECK(make("n", 0777) >= 0 && !chmod("n", 04777) && !chown("n", -1, SOMEONE) && mode_of("n") == 0777);
}
