// SPDX-License-Identifier: MIT
// Extended attributes of tmpfs, and capabilities of files.
#include "test.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

TEST_DIRECTORY(0777)

static char value[70000], names[70000];

// A file for the test, in a tmpfs of its own.
static void start(void) {
    char dir[32];
    snprintf(dir, sizeof(dir), "of-%d", getpid());
    CHECK(mkdir(dir, 0777) == 0 && mount("tmpfs", dir, "tmpfs", 0, "nr_inodes=100,mode=777") == 0 &&
          chdir(dir) == 0);
    CHECK(close(test_make("f", "")) == 0);
}

static int is_value(const char *path, const char *name, const char *expected) {
    ssize_t n = getxattr(path, name, value, sizeof(value));
    return n == (ssize_t)strlen(expected) && !memcmp(value, expected, (size_t)n);
}

TEST(attributes_are_kept) {
    start();
    CHECK(listxattr("f", names, sizeof(names)) == 0);
    CHECK(setxattr("f", "user.b", "bee", 3, 0) == 0 && setxattr("f", "user.a", "", 0, 0) == 0);
    CHECK(setxattr("f", "trusted.t", "tee", 3, XATTR_CREATE) == 0 &&
          setxattr("f", "security.s", "s", 1, 0) == 0);
    CHECK(is_value("f", "user.b", "bee") && is_value("f", "user.a", "") &&
          getxattr("f", "user.b", NULL, 0) == 3);
    CHECK_ERRNO(getxattr("f", "user.b", value, 2), ERANGE);
    CHECK_ERRNO(getxattr("f", "user.c", value, 9), ENODATA);
    CHECK_ERRNO(setxattr("f", "user.b", "x", 1, XATTR_CREATE), EEXIST);
    CHECK_ERRNO(setxattr("f", "user.c", "x", 1, XATTR_REPLACE), ENODATA);
    CHECK_ERRNO(removexattr("f", "user.c"), ENODATA);
    CHECK_ERRNO(setxattr("f", "user.", "x", 1, 0), EINVAL);
    CHECK_ERRNO(setxattr("f", "other.x", "x", 1, 0), EOPNOTSUPP);
    CHECK_ERRNO(setxattr("f", "none", "x", 1, 0), EOPNOTSUPP);
    static const char all[] = "user.b\0user.a\0trusted.t\0security.s";
    CHECK(listxattr("f", NULL, 0) == sizeof(all));
    CHECK(listxattr("f", names, sizeof(names)) == sizeof(all) && !memcmp(names, all, sizeof(all)));
    CHECK_ERRNO(listxattr("f", names, sizeof(all) - 1), ERANGE);
    CHECK(setxattr("f", "user.b", "other", 5, XATTR_REPLACE) == 0 && is_value("f", "user.b", "other"));
    CHECK(rename("f", "g") == 0 && link("g", "h") == 0 && is_value("h", "user.b", "other"));
    int fd = open("h", O_RDONLY);
    CHECK(fremovexattr(fd, "user.b") == 0 && fsetxattr(fd, "user.z", "zed", 3, 0) == 0 &&
          is_value("g", "user.z", "zed"));
    CHECK(fgetxattr(fd, "user.z", value, 3) == 3 && flistxattr(fd, NULL, 0) == 35);
    CHECK(setxattr(".", "user.dir", "yes", 3, 0) == 0 && is_value(".", "user.dir", "yes"));
}

TEST(attributes_have_owners) {
    start();
    CHECK(setxattr("f", "user.a", "x", 1, 0) == 0 && setxattr("f", "trusted.a", "x", 1, 0) == 0 &&
          setxattr("f", "security.a", "x", 1, 0) == 0);
    CHECK(symlink("f", "l") == 0 && mknod("p", S_IFIFO | 0666, 0) == 0 && chmod("f", 0604) == 0);
    CHECK_ERRNO(lsetxattr("l", "user.a", "x", 1, 0), EPERM);
    CHECK_ERRNO(setxattr("p", "user.a", "x", 1, 0), EPERM);
    CHECK_ERRNO(getxattr("p", "user.a", value, 1), ENODATA);
    CHECK(lsetxattr("l", "trusted.l", "link", 4, 0) == 0 && lgetxattr("l", "trusted.l", value, 9) == 4);
    CHECK_ERRNO(getxattr("l", "trusted.l", value, 9), ENODATA);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(77) == 0 && setuid(77) == 0);
        CHECK(is_value("f", "user.a", "x") && is_value("f", "security.a", "x"));
        CHECK_ERRNO(getxattr("f", "trusted.a", value, 1), ENODATA);
        CHECK_ERRNO(setxattr("f", "trusted.a", "x", 1, 0), EPERM);
        CHECK_ERRNO(setxattr("f", "user.a", "x", 1, 0), EACCES);
        CHECK_ERRNO(setxattr("f", "security.a", "x", 1, 0), EPERM);
        CHECK_ERRNO(removexattr("f", "security.a"), EPERM);
        CHECK(listxattr("f", names, 100) == 18); // without trusted.a
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(attributes_have_limits) {
    start();
    CHECK(setxattr("f", "user.big", value, 65536, 0) == 0 &&
          getxattr("f", "user.big", value, sizeof(value)) == 65536);
    CHECK_ERRNO(setxattr("f", "user.big", value, 65537, 0), E2BIG);
    CHECK_ERRNO(setxattr("f", "user.more", value, 65536, 0), ENOSPC); // they count as inodes
    CHECK(removexattr("f", "user.big") == 0 && setxattr("f", "user.more", value, 65536, 0) == 0);
    CHECK(unlink("f") == 0 && close(test_make("g", "")) == 0 &&
          setxattr("g", "user.more", value, 65536, 0) == 0);
    char name[300];
    memset(name, 'n', sizeof(name));
    memcpy(name, "user.", 5);
    name[256] = '\0';
    CHECK_ERRNO(setxattr("g", name, "x", 1, 0), ERANGE);
    name[255] = '\0';
    CHECK(setxattr("g", name, "x", 1, 0) == 0 && is_value("g", name, "x"));
    int watch = inotify_init1(IN_NONBLOCK);
    CHECK(inotify_add_watch(watch, "g", IN_ATTRIB) == 1 && removexattr("g", name) == 0 &&
          read(watch, value, 100) == 16);
}

struct caps {
    uint32_t magic, permitted, inheritable, permitted_high, inheritable_high, root;
};

// Exits with 1 for being able to, 2 for having it permitted alone.
static int try_program(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    CHECK(syscall(SYS_capget, &head, data) == 0);
    return (data[0].effective >> CAP_NET_ADMIN & 1) | (data[0].permitted >> CAP_NET_ADMIN & 1) << 1;
}

__attribute__((constructor)) static void be_program(void) {
    if (getenv("XATTR_PROGRAM"))
        _exit(try_program());
}

static void copy_program(const char *to) {
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0755);
    ssize_t n;
    CHECK(in >= 0 && out >= 0);
    while ((n = read(in, value, sizeof(value))) > 0)
        CHECK(write(out, value, (size_t)n) == n);
    CHECK(close(in) == 0 && close(out) == 0 && chmod(to, 0755) == 0);
}

static int run_as_user(const char *path) {
    pid_t pid = fork();
    if (!pid) {
        char *argv[] = {"x", NULL}, *env[] = {"XATTR_PROGRAM=1", NULL};
        CHECK(setgid(77) == 0 && setuid(77) == 0);
        execve(path, argv, env);
        _exit(100 + (errno == EPERM));
    }
    return test_wait_exit(pid);
}

TEST(capabilities_of_files_are_had) {
    start();
    struct caps c = {.magic = 0x02000001, .permitted = 1 << CAP_NET_ADMIN};
    copy_program("x");
    CHECK(run_as_user("./x") == 0);
    CHECK_ERRNO(setxattr("x", "security.capability", &c, 12, 0), EINVAL);
    CHECK_ERRNO(setxattr("x", "security.capability", &c, 24, 0), EINVAL);
    CHECK(setxattr("x", "security.capability", &c, 20, 0) == 0 && run_as_user("./x") == 3);
    c.magic = 0x02000000;
    CHECK(setxattr("x", "security.capability", &c, 20, 0) == 0 && run_as_user("./x") == 2);
    c.magic = 0x03000001;
    CHECK(setxattr("x", "security.capability", &c, 24, 0) == 0 && run_as_user("./x") == 3);
    pid_t pid = fork();
    if (!pid) {
        CHECK(prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) == 0);
        _exit(run_as_user("./x"));
    }
    CHECK(test_wait_exit(pid) == 101); // EPERM: it must have what it cannot
    pid = fork();
    if (!pid) {
        CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
        _exit(run_as_user("./x"));
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(mount("none", ".", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL) == 0 && run_as_user("./x") == 0);
    CHECK(mount("none", ".", NULL, MS_REMOUNT | MS_BIND, NULL) == 0 && run_as_user("./x") == 3);
    // They go with the content, and with the owner.
    int fd = open("x", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, "", 1) == 1 && close(fd) == 0);
    CHECK_ERRNO(getxattr("x", "security.capability", value, 100), ENODATA);
    CHECK(run_as_user("./x") == 0 && setxattr("x", "security.capability", &c, 24, 0) == 0 &&
          chown("x", 5, 5) == 0);
    CHECK_ERRNO(getxattr("x", "security.capability", value, 100), ENODATA);
}

TEST(sockets_tell_their_protocol) {
    static const struct {
        int family, type, protocol;
        const char *name;
    } all[] = {
        {AF_UNIX, SOCK_STREAM, 0, "UNIX-STREAM"},
        {AF_UNIX, SOCK_DGRAM, 0, "UNIX"},
        {AF_UNIX, SOCK_SEQPACKET, 0, "UNIX"},
        {AF_INET, SOCK_STREAM, 0, "TCP"},
        {AF_INET, SOCK_DGRAM, 0, "UDP"},
        {AF_INET, SOCK_RAW, IPPROTO_ICMP, "RAW"},
        {AF_INET6, SOCK_STREAM, 0, "TCPv6"},
        {AF_INET6, SOCK_DGRAM, 0, "UDPv6"},
        {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "RAWv6"},
        {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "NETLINK"},
    };
    static const char attribute[] = "system.sockprotoname";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char path[32];
        int fd = socket(all[i].family, all[i].type, all[i].protocol);
        ssize_t n = (ssize_t)strlen(all[i].name) + 1;
        CHECK(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        CHECK(getxattr(path, attribute, value, sizeof(value)) == n && !strcmp(value, all[i].name));
        CHECK(fgetxattr(fd, attribute, value, (size_t)n) == n && fgetxattr(fd, attribute, NULL, 0) == n);
        CHECK_ERRNO(fgetxattr(fd, attribute, value, (size_t)n - 1), ERANGE);
        CHECK(flistxattr(fd, names, sizeof(names)) == sizeof(attribute) && !strcmp(names, attribute));
        CHECK(flistxattr(fd, NULL, 0) == sizeof(attribute));
        CHECK_ERRNO(flistxattr(fd, names, sizeof(attribute) - 1), ERANGE);
        CHECK_ERRNO(fsetxattr(fd, attribute, "x", 1, 0), EOPNOTSUPP);
        CHECK_ERRNO(fremovexattr(fd, attribute), EOPNOTSUPP);
        CHECK_ERRNO(fgetxattr(fd, "system.other", value, 10), EOPNOTSUPP);
        CHECK(close(fd) == 0);
    }
    CHECK(close(test_make("plain", "")) == 0);
    CHECK_ERRNO(getxattr("plain", attribute, value, 10), EOPNOTSUPP);
}
