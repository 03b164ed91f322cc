// SPDX-License-Identifier: MIT
// Access control lists (acl(5)) of files in a tmpfs.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

TEST_DIRECTORY(0777)

// A tmpfs of the test's own, which is where it is.
static void start(void) {
    char dir[32];
    snprintf(dir, sizeof(dir), "of-%d", getpid());
    CHECK(unshare(CLONE_NEWNS) == 0 && mkdir(dir, 0777) == 0 &&
          mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=100,mode=777") == 0 && chdir(dir) == 0);
    umask(022);
    CHECK(close(test_make("f", "text")) == 0);
}

// A list as the attribute has it, from "u::rwx u:1000:r-- g::r-x g:100:--- m::rwx o::r--".
static size_t encode(const char *text, char *out) {
    const struct posix_acl_xattr_header head = {POSIX_ACL_XATTR_VERSION};
    size_t n = sizeof(head);
    memcpy(out, &head, n);
    for (const char *at = text; *at;) {
        struct posix_acl_xattr_entry e = {.e_id = ACL_UNDEFINED_ID};
        char kind = *at, *end;
        bool named = at[2] != ':';
        if (named)
            e.e_id = (uint32_t)strtoul(at + 2, &end, 10);
        else
            end = (char *)at + 2;
        e.e_tag = kind == 'u'   ? named ? ACL_USER : ACL_USER_OBJ
                  : kind == 'g' ? named ? ACL_GROUP : ACL_GROUP_OBJ
                  : kind == 'm' ? ACL_MASK
                                : ACL_OTHER;
        e.e_perm = (end[1] == 'r' ? 4 : 0) | (end[2] == 'w' ? 2 : 0) | (end[3] == 'x' ? 1 : 0);
        memcpy(out + n, &e, sizeof(e));
        n += sizeof(e);
        at = end[4] ? end + 5 : end + 4;
    }
    return n;
}

static int set(const char *path, const char *name, const char *text) {
    char value[1024];
    return setxattr(path, name, value, encode(text, value), 0);
}

static bool is(const char *path, const char *name, const char *text) {
    char value[1024], expected[1024];
    size_t n = encode(text, expected);
    return getxattr(path, name, value, sizeof(value)) == (ssize_t)n && !memcmp(value, expected, n);
}

static bool has_none(const char *path, const char *name) {
    return getxattr(path, name, NULL, 0) == -1 && errno == ENODATA;
}

static mode_t mode_of(const char *path) {
    struct stat st;
    CHECK(!lstat(path, &st));
    return st.st_mode & 07777;
}

// Which of read, write and execute somebody may, as "rwx".
static const char *may(const char *path, uid_t uid, gid_t gid, gid_t other_group) {
    static char text[4];
    int bits = 0;
    pid_t pid = fork();
    if (!pid) {
        if (setgroups(1, &other_group) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
            _exit(8);
        for (int i = 0; i < 3; i++)
            bits |= access(path, 1 << i) ? 0 : 1 << i;
        _exit(bits);
    }
    bits = test_wait_exit(pid);
    snprintf(text, sizeof(text), "%c%c%c", bits & 4 ? 'r' : '-', bits & 2 ? 'w' : '-', bits & 1 ? 'x' : '-');
    return bits & 8 ? "?" : text;
}

TEST(acl_of_a_file_is_kept_and_its_mode_follows) {
    start();
    CHECK(has_none("f", ACCESS) && mode_of("f") == 0644);
    CHECK(set("f", ACCESS, "u::rw- u:1000:rwx u:7:--- g::r-- g:50:-w- m::rw- o::---") == 0);
    CHECK(mode_of("f") == 0660);
    CHECK(is("f", ACCESS, "u::rw- u:1000:rwx u:7:--- g::r-- g:50:-w- m::rw- o::---"));
    char names[128];
    CHECK(!setxattr("f", "user.x", "", 0, 0));
    CHECK(listxattr("f", names, sizeof(names)) == 31 && !memcmp(names, ACCESS "\0user.x", 31));
    CHECK_ERRNO(getxattr("f", ACCESS, names, 10), ERANGE);
    CHECK(chmod("f", 0417) == 0 &&
          is("f", ACCESS, "u::r-- u:1000:rwx u:7:--- g::r-- g:50:-w- m::--x o::rwx"));
    CHECK(!setxattr("f", ACCESS, "", 0, XATTR_CREATE) && has_none("f", ACCESS) && mode_of("f") == 0417);
    CHECK(!removexattr("f", ACCESS)); // though there is none
    // What a mode can say is one.
    CHECK(!set("f", ACCESS, "u::rwx g::r-x o::r--") && has_none("f", ACCESS) && mode_of("f") == 0754);
    CHECK(!set("f", ACCESS, "u::rw- g::rw- m::r-- o::---") && is("f", ACCESS, "u::rw- g::rw- m::r-- o::---"));
    CHECK(!removexattr("f", ACCESS) && has_none("f", ACCESS) && mode_of("f") == 0640);
    CHECK(listxattr("f", names, sizeof(names)) == 7);
}

TEST(acl_says_who_may) {
    start();
    CHECK(chown("f", 10, 20) == 0);
    CHECK(set("f", ACCESS, "u::r-- u:11:rwx u:12:--- g::r-x g:30:rw- g:31:--x m::rwx o::-w-") == 0);
    CHECK(!strcmp(may("f", 10, 20, 30), "r--")); // the owner, whatever else
    CHECK(!strcmp(may("f", 11, 20, 31), "rwx") && !strcmp(may("f", 12, 20, 30), "---"));
    CHECK(!strcmp(may("f", 13, 20, 99), "r-x") && !strcmp(may("f", 13, 99, 30), "rw-"));
    CHECK(!strcmp(may("f", 13, 31, 99), "--x") &&
          !strcmp(may("f", 13, 31, 30), "rwx")); // each by one of both
    CHECK(!strcmp(may("f", 13, 99, 98), "-w-"));
    CHECK(chmod("f", 0454) == 0); // the mask
    CHECK(!strcmp(may("f", 11, 20, 31), "r-x") && !strcmp(may("f", 13, 99, 30), "r--"));
    CHECK(!strcmp(may("f", 13, 99, 98), "r--") && !strcmp(may("f", 12, 98, 99), "---"));
    CHECK(chmod("f", 0404) == 0); // a mask of nothing: the mode counts
    CHECK(!strcmp(may("f", 11, 98, 99), "r--") && !strcmp(may("f", 13, 20, 99), "---"));
    CHECK(!strcmp(may("f", 0, 0, 0), "rw-")); // there is nobody who may execute it
}

TEST(acl_takes_from_one_what_all_others_may) {
    start();
    CHECK(mkdir("d", 0777) == 0 && chmod("d", 0777) == 0);
    CHECK(set("d", ACCESS, "u::rwx u:11:--- g::rwx m::rwx o::rwx") == 0 && mode_of("d") == 0777);
    CHECK(!strcmp(may("d", 11, 98, 99), "---") && !strcmp(may("d", 12, 98, 99), "rwx"));
    CHECK(!strcmp(may("d/.", 11, 98, 99), "---"));
}

TEST(acl_of_a_directory_is_what_new_files_get) {
    start();
    CHECK(mkdir("d", 0700) == 0);
    CHECK(set("d", DEFAULT, "u::rwx u:11:rw- g::r-x m::rwx o::r-x") == 0 && mode_of("d") == 0700);
    CHECK(has_none("d", ACCESS) && is("d", DEFAULT, "u::rwx u:11:rw- g::r-x m::rwx o::r-x"));
    CHECK(close(open("d/f", O_CREAT | O_WRONLY, 0666)) == 0 && mode_of("d/f") == 0664); // without the umask
    CHECK(is("d/f", ACCESS, "u::rw- u:11:rw- g::r-x m::rw- o::r--") && has_none("d/f", DEFAULT));
    CHECK(mkdir("d/d", 0750) == 0 && mode_of("d/d") == 0750);
    CHECK(is("d/d", ACCESS, "u::rwx u:11:rw- g::r-x m::r-x o::---"));
    CHECK(is("d/d", DEFAULT, "u::rwx u:11:rw- g::r-x m::rwx o::r-x"));
    CHECK(mknod("d/p", S_IFIFO | 0606, 0) == 0 && is("d/p", ACCESS, "u::rw- u:11:rw- g::r-x m::--- o::r--"));
    CHECK(symlink("f", "d/l") == 0 && mode_of("d/l") == 0777 && has_none("d/l", DEFAULT));
    int s = socket(AF_UNIX, SOCK_STREAM, 0), t = open("d", O_TMPFILE | O_RDWR, 0600);
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "d/s"};
    CHECK(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && mode_of("d/s") == 0755);
    CHECK(t >= 0 && fgetxattr(t, ACCESS, NULL, 0) == 44);
    // Changes of one do not show in the others.
    CHECK(set("d", DEFAULT, "u::r-- g::-wx o::-wx") == 0 &&
          is("d/d", DEFAULT, "u::rwx u:11:rw- g::r-x m::rwx o::r-x"));
    CHECK(close(open("d/g", O_CREAT | O_WRONLY, 0666)) == 0 && mode_of("d/g") == 0422 &&
          has_none("d/g", ACCESS));
    CHECK(mkdir("d/e", 0777) == 0 && mode_of("d/e") == 0433 && is("d/e", DEFAULT, "u::r-- g::-wx o::-wx"));
    CHECK(removexattr("d", DEFAULT) == 0 && has_none("d", DEFAULT));
    CHECK(close(open("d/h", O_CREAT | O_WRONLY, 0666)) == 0 && mode_of("d/h") == 0644);
    CHECK(is("d/f", ACCESS, "u::rw- u:11:rw- g::r-x m::rw- o::r--"));
}

TEST(acl_of_a_file_is_its_owners_to_change) {
    start();
    CHECK(chown("f", 10, 20) == 0 && chmod("f", 02664) == 0);
    pid_t pid = fork();
    if (!pid) { // another may read and not set it
        CHECK(!setgroups(0, NULL) && !setresgid(99, 99, 99) && !setresuid(11, 11, 11));
        CHECK_ERRNO(set("f", ACCESS, "u::rwx g::rwx o::rwx"), EPERM);
        CHECK_ERRNO(set("f", ACCESS, "u::rwx"), EPERM);
        CHECK_ERRNO(removexattr("f", ACCESS), EPERM);
        CHECK(has_none("f", ACCESS));
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    pid = fork();
    if (!pid) { // one who is not in the group sets no program free to run as that
        CHECK(!setgroups(0, NULL) && !setresgid(99, 99, 99) && !setresuid(10, 10, 10));
        CHECK(set("f", ACCESS, "u::rwx u:1:rwx g::rwx m::rwx o::rwx") == 0 && mode_of("f") == 0777);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(chmod("f", 02775) == 0 && set("f", ACCESS, "u::rwx u:1:rwx g::rwx m::r-x o::rwx") == 0);
    CHECK(mode_of("f") == 02757);
}

TEST(acl_that_makes_no_sense_is_refused) {
    static const char *const bad[] = {
        "u::rwx",
        "u::rwx g::rwx",
        "u::rwx u:1:rwx g::rwx o::rwx", // named ones need a mask
        "u::rwx g::rwx g:1:rwx o::rwx",
        "u::rwx g::rwx o::rwx m::rwx",
        "u::rwx g::rwx u:1:rwx m::rwx o::rwx",
        "u::rwx u::rwx g::rwx o::rwx",
        "g::rwx u::rwx o::rwx",
        "u::rwx g::rwx m::rwx m::rwx o::rwx",
        "u:1:rwx g::rwx m::rwx o::rwx",
    };
    char value[1024];
    start();
    CHECK(mkdir("d", 0700) == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_ERRNO(set("f", ACCESS, bad[i]), EINVAL);
        CHECK_ERRNO(set("d", DEFAULT, bad[i]), EINVAL);
    }
    size_t n = encode("u::rwx g::rwx o::rwx", value);
    CHECK_ERRNO(setxattr("f", ACCESS, value, n - 1, 0), EINVAL);
    CHECK_ERRNO(setxattr("f", ACCESS, value, 3, 0), EINVAL);
    value[4 + 2] = 8; // a permission that is none
    CHECK_ERRNO(setxattr("f", ACCESS, value, n, 0), EINVAL);
    value[4] = 3;
    CHECK_ERRNO(setxattr("f", ACCESS, value, n, 0), EINVAL);
    value[0] = 3;
    CHECK_ERRNO(setxattr("f", ACCESS, value, n, 0), EOPNOTSUPP);
    value[0] = 2;
    CHECK(setxattr("f", ACCESS, value, 4, 0) == 0); // nobody: it goes
    CHECK_ERRNO(set("f", ACCESS, "u::rwx u:4294967295:rwx g::rwx m::rwx o::rwx"), EINVAL);
    CHECK(set("f", ACCESS, "u::rw- u:5:r-- u:5:rwx g::rwx m::rwx o::rwx") == 0); // the first counts
    CHECK(!strcmp(may("f", 5, 98, 99), "r--"));
    CHECK_ERRNO(set("f", DEFAULT, "u::rwx g::rwx o::rwx"), EACCES);
    CHECK(removexattr("f", DEFAULT) == 0);
    CHECK_ERRNO(set("/proc/self/status", ACCESS, "u::rwx g::rwx o::rwx"), EOPNOTSUPP);
    CHECK_ERRNO(getxattr("/proc/self/status", ACCESS, NULL, 0), EOPNOTSUPP);
    CHECK_ERRNO(getxattr("f", "system.posix_acl_other", NULL, 0), EOPNOTSUPP);
    CHECK(symlink("f", "l") == 0);
    CHECK_ERRNO(lsetxattr("l", ACCESS, value, encode("u::rwx g::rwx o::rwx", value), 0), EOPNOTSUPP);
    CHECK_ERRNO(lgetxattr("l", ACCESS, NULL, 0), EOPNOTSUPP);
    CHECK(mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK_ERRNO(set("f", ACCESS, "u::rwx g::rwx o::rwx"), EROFS);
}

TEST(acl_that_changes_is_told_of) {
    struct inotify_event e;
    start();
    int fd = inotify_init1(IN_NONBLOCK);
    CHECK(inotify_add_watch(fd, "f", IN_ATTRIB) == 1);
    CHECK(set("f", ACCESS, "u::rwx u:1:rwx g::rwx m::rwx o::rwx") == 0);
    CHECK(read(fd, &e, sizeof(e)) == sizeof(e) && e.mask == IN_ATTRIB);
}

// The longest list, thousands of times: what it takes is the file system's and has an end.
TEST(acl_is_as_long_as_an_attribute_may_be) {
    enum { ENTRIES = 8191 };
    static char value[65536], back[65536];
    start();
    CHECK(mkdir("d", 0777) == 0);
    const struct posix_acl_xattr_header head = {POSIX_ACL_XATTR_VERSION};
    memcpy(value, &head, sizeof(head));
    for (int i = 0; i < ENTRIES; i++) {
        uint16_t tag = i == 0             ? ACL_USER_OBJ
                       : i == ENTRIES - 3 ? ACL_GROUP_OBJ
                       : i == ENTRIES - 2 ? ACL_MASK
                       : i == ENTRIES - 1 ? ACL_OTHER
                                          : ACL_USER;
        struct posix_acl_xattr_entry e = {tag, 7, tag == ACL_USER ? (uint32_t)i : ACL_UNDEFINED_ID};
        memcpy(value + 4 + 8 * i, &e, sizeof(e));
    }
    size_t n = 4 + 8 * ENTRIES;
    CHECK(setxattr("d", DEFAULT, value, n, 0) == 0 &&
          getxattr("d", DEFAULT, back, sizeof(back)) == (ssize_t)n);
    CHECK(!memcmp(value, back, n));
    CHECK(mkdir("d/e", 0777) == 0 || errno == ENOSPC);
    CHECK(setxattr("f", ACCESS, value, n, 0) == 0 || errno == ENOSPC);
    CHECK(removexattr("d", DEFAULT) == 0);
    for (int i = 0; i < 200; i++)
        CHECK(setxattr("f", ACCESS, value, n, 0) == 0 && removexattr("f", ACCESS) == 0);
}

// Modes and lists change together: who may at no time may at none.
TEST(acl_and_mode_change_at_once) {
    struct utsname u;
    start();
    if (uname(&u) || !strstr(u.release, "drupe")) // Linux changes one after the other
        return;
    CHECK(chmod("f", 0600) == 0 && chown("f", 10, 20) == 0);
    pid_t pid = fork(), reader;
    if (!pid) {
        for (;;) {
            set("f", ACCESS, "u::rw- u:5:--- g::--- m::rwx o::---");
            set("f", ACCESS, "u::rw- g::--- o::---");
        }
    }
    reader = fork();
    if (!reader) {
        CHECK(!setgroups(0, NULL) && !setresgid(20, 20, 20) && !setresuid(11, 11, 11));
        for (int i = 0; i < 20000; i++)
            CHECK(access("f", R_OK) == -1);
        _exit(0);
    }
    int code = test_wait_exit(reader);
    test_end(pid);
    CHECK(code == 0);
}
