// SPDX-License-Identifier: MIT
// What others have put where everybody may write, and names that one gives to others' files (fs.protected_* of proc_sys_fs(5)); and who may
// read the kernel's messages. The same program passes on Debian's Linux.
#include "test.h"
#include <fcntl.h>
#include <stdbool.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST_DIRECTORY(0755)

#define MALLORY 1001
#define ALICE   1002

static int (*deed)(const char *);

static int as_user(void *what) {
    const char **w = what;
    CHECK(setgid(atoi(w[0])) == 0 && setuid(atoi(w[0])) == 0);
    return deed(w[1]) ? errno : 0;
}

// The error of f(path), done by a user; 0: none.
static int as(int uid, int (*f)(const char *), const char *path) {
    char text[12];
    const char *what[] = {text, path};
    snprintf(text, sizeof(text), "%d", uid);
    deed = f;
    return test_wait_exit(test_fork(as_user, what));
}

static int reads(const char *path) {
    return open(path, O_RDONLY) < 0;
}
static int creates(const char *path) {
    return open(path, O_WRONLY | O_CREAT | O_NONBLOCK, 0666) < 0;
}
static int creates_for_reading(const char *path) {
    return open(path, O_RDONLY | O_CREAT | O_NONBLOCK, 0666) < 0;
}
static int links_to_secret(const char *path) {
    return symlink("../secret", path);
}
static int makes_fifo(const char *path) {
    return mkfifo(path, 0666) || chmod(path, 0666);
}
static int makes_file(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    return fd < 0 || fchmod(fd, 0666);
}
static int gives_a_name(const char *path) {
    return linkat(AT_FDCWD, path, AT_FDCWD, "all/name", 0) || unlink("all/name");
}

static void directory(const char *path, mode_t mode) {
    CHECK((mkdir(path, mode) == 0 || errno == EEXIST) && chmod(path, mode) == 0);
}

static void level(const char *name, const char *value) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/sys/fs/protected_%s", name);
    CHECK(test_put(path, value) == 0);
}

TEST(links_of_others_lead_nobody_where_all_may_write) {
    directory("tmp", 01777);
    directory("all", 0777);
    CHECK(close(test_make("secret", "s")) == 0 && chmod("secret", 0666) == 0);
    CHECK(as(MALLORY, links_to_secret, "tmp/l") == 0 && as(MALLORY, links_to_secret, "all/l") == 0);
    CHECK(as(MALLORY, reads, "tmp/l") == 0 && as(ALICE, reads, "tmp/l") == EACCES);
    CHECK(as(0, reads, "tmp/l") == EACCES); // root is who shall be misled
    CHECK(as(ALICE, creates, "tmp/l") == EACCES && as(ALICE, creates, "all/l") == 0);
    CHECK(as(ALICE, reads, "all/l") == 0);
    CHECK(symlink("../secret", "tmp/root") == 0 &&
          as(ALICE, reads, "tmp/root") == 0); // the directory's owner's
    CHECK(symlink("..", "tmp/up") == 0 && lchown("tmp/up", MALLORY, MALLORY) == 0);
    CHECK(as(ALICE, reads, "tmp/up/secret") == 0); // on the way
    CHECK(as(ALICE, reads, "tmp/up/") == EACCES && as(ALICE, reads, "tmp/up") == EACCES);
    CHECK(symlink("tmp/l", "first") == 0 && as(ALICE, reads, "first") == EACCES);
    level("symlinks", "0");
    CHECK(as(ALICE, reads, "tmp/l") == 0 && as(0, reads, "tmp/l") == 0);
    level("symlinks", "1");
    CHECK(as(ALICE, reads, "tmp/l") == EACCES);
}

TEST(nobody_names_files_that_he_could_not_write) {
    directory("all", 0777);
    CHECK(close(test_make("mine", "m")) == 0 && chown("mine", ALICE, ALICE) == 0 && chmod("mine", 0644) == 0);
    CHECK(close(test_make("open", "m")) == 0 && chmod("open", 0666) == 0);
    CHECK(close(test_make("program", "m")) == 0 && chmod("program", 04777) == 0);
    CHECK(close(test_make("grouped", "m")) == 0 && chmod("grouped", 02777) == 0);
    CHECK(mkfifo("fifo", 0666) == 0 && chmod("fifo", 0666) == 0);
    CHECK(as(ALICE, gives_a_name, "mine") == 0 && as(MALLORY, gives_a_name, "mine") == EPERM);
    CHECK(as(0, gives_a_name, "mine") == 0 && as(MALLORY, gives_a_name, "open") == 0);
    CHECK(as(MALLORY, gives_a_name, "program") == EPERM && as(MALLORY, gives_a_name, "grouped") == EPERM);
    CHECK(as(MALLORY, gives_a_name, "fifo") == EPERM && as(0, gives_a_name, "fifo") == 0);
    level("hardlinks", "0");
    CHECK(as(MALLORY, gives_a_name, "mine") == 0 && as(MALLORY, gives_a_name, "program") == 0);
    level("hardlinks", "1");
}

TEST(who_creates_gets_nothing_that_others_laid_there) {
    directory("tmp", 01777);
    directory("group", 01775);
    CHECK(chown("group", 0, ALICE) == 0);
    CHECK(as(MALLORY, makes_fifo, "tmp/fifo") == 0 && as(MALLORY, makes_file, "tmp/file") == 0);
    CHECK(makes_file("group/file") == 0 && chown("group/file", MALLORY, MALLORY) == 0);
    CHECK(as(ALICE, creates_for_reading, "tmp/fifo") == 0 && as(ALICE, creates, "tmp/file") == 0);
    level("fifos", "1");
    CHECK(as(ALICE, creates_for_reading, "tmp/fifo") == EACCES && as(ALICE, creates, "tmp/file") == 0);
    level("regular", "1");
    CHECK(as(ALICE, creates, "tmp/file") == EACCES && as(0, creates, "tmp/file") == EACCES);
    CHECK(as(MALLORY, creates, "tmp/file") == 0 && as(ALICE, reads, "tmp/file") == 0);
    CHECK(as(ALICE, creates, "group/file") == 0);
    level("regular", "2");
    CHECK(as(ALICE, creates, "group/file") == EACCES && as(ALICE, creates, "tmp/new") == 0);
    CHECK_ERRNO(test_put("/proc/sys/fs/protected_regular", "3"), EINVAL);
    level("regular", "0");
    level("fifos", "0");
}

static int reads_messages(const char *unused) {
    char text[100];
    (void)unused;
    return klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, sizeof(text)) < 0;
}
static int asks_their_size(const char *unused) {
    (void)unused;
    return klogctl(10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0) < 0;
}

TEST(messages_of_the_kernel_are_not_for_everybody) {
    CHECK(as(0, reads_messages, "") == 0 && as(0, reads, "/dev/kmsg") == 0);
    CHECK(as(ALICE, reads_messages, "") == EPERM && as(ALICE, asks_their_size, "") == EPERM);
    CHECK(as(ALICE, reads, "/dev/kmsg") == EPERM);
    CHECK(test_put("/proc/sys/kernel/dmesg_restrict", "0") == 0);
    CHECK(as(ALICE, reads_messages, "") == 0 && as(ALICE, asks_their_size, "") == 0);
    CHECK(as(ALICE, reads, "/dev/kmsg") == 0);
    CHECK(test_put("/proc/sys/kernel/dmesg_restrict", "1") == 0);
}
