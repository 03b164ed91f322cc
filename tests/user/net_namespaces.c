// SPDX-License-Identifier: MIT
// Network namespaces: devices, addresses, ports, names, settings and counters are each one's own, and go with it.
#include "pid_namespaces.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define PORT       7777
#define OTHER_PORT 7788 // 1E6C

TEST_DIRECTORY(0777)

// ---- what the tests are made of

static int flags_of_lo(void) {
    struct ifreq r = {.ifr_name = "lo"};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(s >= 0 && !ioctl(s, SIOCGIFFLAGS, &r) && !close(s));
    return r.ifr_flags;
}

static int set_lo(bool up) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(s >= 0);
    int ret = ioctl(s, SIOCSIFFLAGS, &r);
    int err = errno;
    close(s);
    errno = err;
    return ret;
}

// On Linux the first one's is down until somebody brings it up.
__attribute__((constructor)) static void bring_up(void) {
    if (!geteuid())
        (void)set_lo(true);
}

static struct sockaddr_in at(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound(int type, uint16_t port) {
    struct sockaddr_in a = at(port);
    int one = 1, s = socket(AF_INET, type, 0);
    CHECK(s >= 0 && !setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    CHECK(!bind(s, (void *)&a, sizeof(a)));
    return s;
}

static int listener(uint16_t port) {
    int s = bound(SOCK_STREAM, port);
    CHECK(!listen(s, 5));
    return s;
}

static int try_connect(uint16_t port) {
    struct sockaddr_in a = at(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(s >= 0);
    if (!connect(s, (void *)&a, sizeof(a)))
        return s;
    int err = errno;
    close(s);
    errno = err;
    return -1;
}

static uint64_t cookie_of(int s) {
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    CHECK(!getsockopt(s, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) && len == sizeof(cookie) && cookie);
    return cookie;
}

static ino_t number_of(const char *path) {
    struct stat st;
    CHECK(!stat(path, &st));
    return st.st_ino;
}

static long number_in(const char *path) {
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !close(fd));
    return atol(text);
}

static int lines_in(const char *path) {
    char text[4096];
    int fd = open(path, O_RDONLY), lines = 0;
    ssize_t n;
    CHECK(fd >= 0);
    while ((n = read(fd, text, sizeof(text))) > 0)
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    close(fd);
    return lines;
}

static bool says(const char *path, const char *what) {
    static char text[1 << 16];
    int fd = open(path, O_RDONLY);
    ssize_t n, all = 0;
    CHECK(fd >= 0);
    while ((n = read(fd, text + all, sizeof(text) - 1 - (size_t)all)) > 0)
        all += n;
    text[all] = '\0';
    close(fd);
    return strstr(text, what);
}

static int in_new(int (*fn)(void *), void *arg) {
    return test_wait_exit(start(CLONE_NEWNET, fn, arg));
}

// Nobody special in the first user namespace, root in one of his own.
static void become_root_of_own(int flags) {
    CHECK(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER) && !prctl(PR_SET_DUMPABLE, 1));
    CHECK(!unshare(CLONE_NEWUSER | flags));
    CHECK(!test_put("/proc/self/setgroups", "deny") && !test_put("/proc/self/uid_map", "0 1000 1") &&
          !test_put("/proc/self/gid_map", "0 1000 1"));
}

// ---- what there is in a new one

static int finds_loopback_down(void *unused) {
    (void)unused;
    struct if_nameindex *names = if_nameindex();
    CHECK(names && !strcmp(names[0].if_name, "lo") && names[0].if_index == 1 && !names[1].if_name);
    CHECK(!(flags_of_lo() & (IFF_UP | IFF_RUNNING)) && flags_of_lo() & IFF_LOOPBACK);
    CHECK_ERRNO(try_connect(PORT), ENETUNREACH);
    CHECK(lines_in("/proc/net/dev") == 3 && lines_in("/proc/net/route") <= 1);
    CHECK(lines_in("/proc/net/if_inet6") == 0 && lines_in("/proc/net/tcp") == 1);
    CHECK(!set_lo(true) && flags_of_lo() & IFF_UP && lines_in("/proc/net/if_inet6") == 1);
    CHECK_ERRNO(try_connect(PORT), ECONNREFUSED);
    return 0;
}

TEST(a_new_one_has_loopback_and_that_is_down) {
    int l = listener(PORT);
    CHECK(in_new(finds_loopback_down, NULL) == 0);
    CHECK(flags_of_lo() & IFF_UP && try_connect(PORT) >= 0 && !close(l));
}

// ---- ports

static int talks_to_itself(void *unused) {
    char c;
    (void)unused;
    CHECK(!set_lo(true));
    CHECK_ERRNO(try_connect(PORT), ECONNREFUSED);
    int l = listener(PORT), u = bound(SOCK_DGRAM, PORT), s = try_connect(PORT), a = accept(l, NULL, NULL);
    CHECK(s >= 0 && a >= 0 && write(s, "i", 1) == 1 && read(a, &c, 1) == 1 && c == 'i');
    struct sockaddr_in to = at(PORT);
    CHECK(sendto(u, "u", 1, 0, (void *)&to, sizeof(to)) == 1 && recv(u, &c, 1, 0) == 1 && c == 'u');
    CHECK(lines_in("/proc/net/tcp") == 4 && lines_in("/proc/net/udp") == 2);
    return 0;
}

TEST(a_port_is_bound_in_each) {
    char c;
    int l = listener(PORT), u = bound(SOCK_DGRAM, PORT), lines = lines_in("/proc/net/tcp");
    CHECK(in_new(talks_to_itself, NULL) == 0);
    int s = try_connect(PORT), a = accept(l, NULL, NULL);
    CHECK(s >= 0 && a >= 0 && write(s, "o", 1) == 1 && read(a, &c, 1) == 1 && c == 'o');
    CHECK(recv(u, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(lines_in("/proc/net/tcp") == lines + 2);
}

// ---- names of UNIX sockets

static int unix_socket(const char *name, bool binds) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = *name ? strlen(name) : 1 + strlen(name + 1);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(a.sun_path, name, len);
    len += offsetof(struct sockaddr_un, sun_path);
    CHECK(s >= 0);
    if (binds ? !bind(s, (void *)&a, (socklen_t)len) && !listen(s, 5)
              : !connect(s, (void *)&a, (socklen_t)len))
        return s;
    int err = errno;
    close(s);
    errno = err;
    return -1;
}

static int uses_names(void *unused) {
    (void)unused;
    CHECK_ERRNO(unix_socket("\0abstract", false), ECONNREFUSED);
    CHECK(unix_socket("\0abstract", true) >= 0 && unix_socket("\0abstract", false) >= 0);
    CHECK(unix_socket("path", false) >= 0);
    CHECK(says("/proc/net/unix", "@abstract") && !says("/proc/net/unix", "@outer"));
    return 0;
}

TEST(abstract_names_are_each_ones_own_and_paths_are_not) {
    char c;
    int l = unix_socket("\0abstract", true), p = unix_socket("path", true);
    CHECK(l >= 0 && p >= 0 && unix_socket("\0outer", true) >= 0);
    CHECK(in_new(uses_names, NULL) == 0);
    CHECK(!test_poll(l, POLLIN));
    int a = accept(p, NULL, NULL);
    CHECK(a >= 0 && read(a, &c, 1) == 0 && cookie_of(a) != cookie_of(l));
    CHECK(says("/proc/net/unix", "@outer") && says("/proc/net/unix", " path"));
}

// ---- who is where

static int keeps_its_socket(void *unused) {
    char c;
    (void)unused;
    int s = socket(AF_INET, SOCK_STREAM, 0), back = open("/proc/self/ns/net", O_RDONLY);
    uint64_t outer = cookie_of(s);
    ino_t number = number_of("/proc/self/ns/net");
    CHECK(!unshare(CLONE_NEWNET) && number_of("/proc/self/ns/net") != number);
    int in = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(cookie_of(s) == outer && cookie_of(in) != outer);
    struct sockaddr_in a = at(PORT);
    CHECK(!connect(s, (void *)&a, sizeof(a)) && write(s, "k", 1) == 1);
    CHECK_ERRNO(connect(in, (void *)&a, sizeof(a)), ENETUNREACH);
    CHECK(!setns(back, CLONE_NEWNET) && number_of("/proc/self/ns/net") == number);
    int again = try_connect(PORT);
    CHECK(again >= 0 && cookie_of(again) == outer && read(again, &c, 1) == 0);
    CHECK_ERRNO(connect(in, (void *)&a, sizeof(a)), ENETUNREACH);
    CHECK_ERRNO(setns(back, CLONE_NEWUTS), EINVAL);
    return 0;
}

TEST(a_socket_stays_where_it_was_made) {
    char c;
    int l = listener(PORT);
    pid_t pid = start(0, keeps_its_socket, NULL);
    int a = accept(l, NULL, NULL);
    CHECK(a >= 0 && read(a, &c, 1) == 1 && c == 'k');
    CHECK(close(accept(l, NULL, NULL)) == 0 && test_wait_exit(pid) == 0);
}

static void pass(int by, int fd) {
    char control[CMSG_SPACE(sizeof(fd))] = {0};
    struct iovec v = {"x", 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    CHECK(sendmsg(by, &m, 0) == 1);
}

static int take(int by) {
    int fd;
    char control[CMSG_SPACE(sizeof(fd))], x;
    struct iovec v = {&x, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    CHECK(recvmsg(by, &m, 0) == 1 && CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

static int passes_a_connection(void *arg) {
    CHECK(!set_lo(true));
    int l = listener(PORT), s = try_connect(PORT), a = accept(l, NULL, NULL);
    CHECK(a >= 0);
    pass(*(int *)arg, l);
    pass(*(int *)arg, s);
    pass(*(int *)arg, a);
    return 0;
}

TEST(sockets_that_were_passed_on_keep_their_network) {
    int pair[2];
    char c;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK(in_new(passes_a_connection, &pair[1]) == 0);
    int l = take(pair[0]), s = take(pair[0]), a = take(pair[0]);
    CHECK(cookie_of(l) == cookie_of(s) && cookie_of(l) != cookie_of(pair[0]));
    CHECK(write(s, "p", 1) == 1 && read(a, &c, 1) == 1 && c == 'p');
    int again = socket(AF_INET, SOCK_STREAM, 0), here = listener(PORT);
    struct sockaddr_in to = at(PORT);
    CHECK(!connect(again, (void *)&to, sizeof(to)) && close(accept(here, NULL, NULL)) == 0);
    CHECK(!test_poll(l, POLLIN)); // nobody else is in there
    int fd = ioctl(l, SIOCGSKNS);
    CHECK(fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(!setns(fd, CLONE_NEWNET));
    int from_there = try_connect(PORT);
    CHECK(from_there >= 0 && close(accept(l, NULL, NULL)) == 0);
}

// ---- files that stand for one

TEST(a_mount_keeps_one) {
    CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CHECK(!close(open("kept", O_CREAT | O_RDONLY, 0600)));
    int here = open("/proc/self/ns/net", O_RDONLY);
    CHECK(here >= 0 && !unshare(CLONE_NEWNET) && !set_lo(true));
    ino_t number = number_of("/proc/self/ns/net");
    CHECK(!mount("/proc/self/ns/net", "kept", NULL, MS_BIND, NULL) && !setns(here, 0));
    CHECK(number_of("kept") == number && number_of("/proc/self/ns/net") != number);
    int there = open("kept", O_RDONLY), owner = ioctl(there, NS_GET_USERNS);
    CHECK(there >= 0 && owner >= 0 && ioctl(owner, NS_GET_NSTYPE) == CLONE_NEWUSER);
    CHECK_ERRNO(ioctl(there, NS_GET_PARENT), EINVAL);
    CHECK(!setns(there, CLONE_NEWNET) && flags_of_lo() & IFF_UP && !setns(here, 0));
    CHECK(!close(there) && !umount("kept"));
}

static int waits_in_it(void *arg) {
    int *p = arg;
    CHECK(!set_lo(true));
    int l = listener(OTHER_PORT);
    tell(p[1]);
    return accept(l, NULL, NULL) >= 0 ? 0 : 1;
}

TEST(it_is_entered_by_a_pidfd) {
    int ready[2];
    CHECK(!pipe(ready));
    pid_t pid = start(CLONE_NEWNET, waits_in_it, ready);
    wait_for(ready[0]);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    CHECK(pidfd >= 0 && !setns(pidfd, CLONE_NEWNET) && try_connect(OTHER_PORT) >= 0 &&
          test_wait_exit(pid) == 0);
}

TEST(proc_pid_net_is_of_that_process) {
    int ready[2];
    char path[64], link[64] = "";
    CHECK(!pipe(ready));
    pid_t pid = start(CLONE_NEWNET, waits_in_it, ready);
    wait_for(ready[0]);
    snprintf(path, sizeof(path), "/proc/%d/net/tcp", pid);
    CHECK(lines_in(path) == 2 && says(path, ":1E6C"));
    int kept = open(path, O_RDONLY);
    CHECK(kept >= 0 && !says("/proc/self/net/tcp", ":1E6C"));
    CHECK(readlink("/proc/net", link, sizeof(link)) > 0 && !strcmp(link, "self/net"));
    struct stat theirs, ours;
    CHECK(!stat(path, &theirs) && !stat("/proc/net/tcp", &ours) && theirs.st_ino != ours.st_ino);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, NULL, 0) == pid);
    char text[512];
    CHECK(read(kept, text, sizeof(text)) > 0); // and keeps that
}

// ---- power over one

static int is_its_master(void *unused) {
    (void)unused;
    int outer = socket(AF_INET, SOCK_DGRAM, 0), back = open("/proc/self/ns/net", O_RDONLY), mark = 7;
    struct sockaddr_in low = at(80);
    become_root_of_own(0);
    CHECK_ERRNO(set_lo(false), EPERM); // that is still the machine's
    CHECK_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
    CHECK_ERRNO(bind(outer, (void *)&low, sizeof(low)), EACCES);
    CHECK_ERRNO(setsockopt(outer, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), EPERM);
    CHECK_ERRNO(ioctl(outer, SIOCGSKNS), EPERM);
    CHECK_ERRNO(test_put("/proc/sys/net/ipv4/ip_default_ttl", "63\n"), EACCES);
    CHECK(!unshare(CLONE_NEWNET) && !set_lo(true));
    int in = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0 && !bind(in, (void *)&low, sizeof(low)));
    CHECK(!setsockopt(in, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
    CHECK(ioctl(in, SIOCGSKNS) >= 0);
    CHECK_ERRNO(bind(outer, (void *)&low, sizeof(low)), EACCES);
    CHECK_ERRNO(setsockopt(outer, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), EPERM);
    CHECK_ERRNO(setns(back, CLONE_NEWNET), EPERM);
    CHECK(!test_put("/proc/sys/net/ipv4/ip_default_ttl", "63\n"));
    return 0;
}

TEST(power_over_one_is_power_over_its_owner) {
    long ttl = number_in("/proc/sys/net/ipv4/ip_default_ttl");
    CHECK(test_wait_exit(start(0, is_its_master, NULL)) == 0);
    CHECK(number_in("/proc/sys/net/ipv4/ip_default_ttl") == ttl);
}

static int has_no_power(void *unused) {
    (void)unused;
    CHECK(!setresgid(USER, USER, USER) && !setresuid(USER, USER, USER));
    CHECK_ERRNO(unshare(CLONE_NEWNET), EPERM);
    CHECK_ERRNO(raw_clone(CLONE_NEWNET), EPERM);
    CHECK_ERRNO(set_lo(false), EPERM);
    return 0;
}

TEST(who_has_no_power_makes_none) {
    CHECK(test_wait_exit(start(0, has_no_power, NULL)) == 0);
}

// What is written goes where the writer is; so it must have been allowed to whoever opened it.
static int opens_a_setting(void *arg) {
    become_root_of_own(CLONE_NEWNET);
    int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY);
    CHECK(fd >= 0);
    pass(*(int *)arg, fd);
    return 0;
}

TEST(a_setting_that_was_passed_on_sets_nobody_elses) {
    int pair[2];
    long before = number_in("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK(test_wait_exit(start(0, opens_a_setting, &pair[1])) == 0);
    int fd = take(pair[0]);
    CHECK(!setresuid(USER, USER, 0));
    (void)!write(fd, "0\n", 2); // Linux remembers which it was opened for
    CHECK(number_in("/proc/sys/net/ipv4/ip_unprivileged_port_start") == before);
}

// ---- settings

static int sets_its_own(void *unused) {
    (void)unused;
    CHECK(number_in("/proc/sys/net/ipv4/ip_unprivileged_port_start") == 1024);
    CHECK(number_in("/proc/sys/net/core/somaxconn") == 4096);
    CHECK(!test_put("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000\n") && !set_lo(true));
    CHECK(!test_put("/proc/sys/net/core/somaxconn", "1\n"));
    CHECK(!test_put("/proc/sys/net/unix/max_dgram_qlen", "3\n"));
    CHECK(!test_put("/proc/sys/net/ipv4/ip_default_ttl", "17\n"));
    CHECK(!test_put("/proc/sys/net/ipv4/tcp_keepalive_time", "11\n"));
    struct sockaddr_in a = at(0);
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0), ttl = 0, idle = 0;
    CHECK(!bind(s, (void *)&a, len) && !getsockname(s, (void *)&a, &len) && ntohs(a.sin_port) == 40000);
    a = at(0);
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_DGRAM, 0), (void *)&a, len), EADDRINUSE);
    len = sizeof(ttl);
    CHECK(!getsockopt(s, IPPROTO_IP, IP_TTL, &ttl, &len) && ttl == 17);
    CHECK(!getsockopt(t, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &len) && idle == 11);
    return 0;
}

TEST(settings_are_each_ones_own) {
    CHECK(in_new(sets_its_own, NULL) == 0);
    CHECK(number_in("/proc/sys/net/ipv4/ip_local_port_range") == 32768);
    CHECK(number_in("/proc/sys/net/core/somaxconn") == 4096);
    CHECK(number_in("/proc/sys/net/unix/max_dgram_qlen") == 10 || // Debian's has more
          number_in("/proc/sys/net/unix/max_dgram_qlen") == 512);
    CHECK(number_in("/proc/sys/net/ipv4/ip_default_ttl") == 64);
}

// ---- netlink

static int link_listener(void) {
    struct sockaddr_nl a = {
        .nl_family = AF_NETLINK, .nl_pid = 4711, .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    CHECK(s >= 0 && !bind(s, (void *)&a, sizeof(a)));
    return s;
}

static int hears_its_own(void *unused) {
    char message[8192];
    (void)unused;
    int s = link_listener(); // at the same port
    CHECK(!set_lo(true) && recv(s, message, sizeof(message), 0) > 0);
    return 0;
}

TEST(notices_and_ports_of_netlink_are_each_ones_own) {
    char message[8192];
    int s = link_listener();
    CHECK(in_new(hears_its_own, NULL) == 0);
    CHECK(recv(s, message, sizeof(message), MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

// ---- /sys

static int mounts_sys(void *unused) {
    (void)unused;
    CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mkdir("sys", 0755) && !mkdir("outer", 0755));
    int here = open("/proc/self/ns/net", O_RDONLY);
    CHECK(!mount("s", "outer", "sysfs", 0, NULL) && !unshare(CLONE_NEWNET));
    CHECK(!mount("s", "sys", "sysfs", 0, NULL));
    CHECK(says("sys/class/net/lo/operstate", "down") && says("outer/class/net/lo/operstate", "unknown"));
    CHECK(!test_put("sys/class/net/lo/mtu", "1500\n"));
    CHECK(number_in("sys/class/net/lo/mtu") == 1500 && number_in("outer/class/net/lo/mtu") == 65536);
    CHECK(access("sys/class/net/eth0", F_OK) == -1);
    CHECK(!setns(here, 0) && number_in("sys/class/net/lo/mtu") == 1500); // of who mounted it
    CHECK(!umount("sys"));
    return 0;
}

TEST(sysfs_shows_that_of_who_mounted_it) {
    CHECK(test_wait_exit(start(CLONE_NEWNS, mounts_sys, NULL)) == 0);
}

static int may_not_mount_sys(void *unused) {
    (void)unused;
    CHECK(!mkdir("theirs", 0777));
    become_root_of_own(CLONE_NEWNS);
    CHECK_ERRNO(mount("s", "theirs", "sysfs", 0, NULL), EPERM); // it would show the machine's network
    return 0;
}

TEST(sysfs_of_anothers_network_is_not_mounted) {
    CHECK(test_wait_exit(start(0, may_not_mount_sys, NULL)) == 0);
}

// ---- what a device may be made

static void set_mtu(int mtu) {
    struct ifreq r = {.ifr_name = "lo", .ifr_mtu = mtu};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(s >= 0 && !ioctl(s, SIOCSIFMTU, &r) && !close(s));
}

// Who is root of a network may have packets that leave no room for data.
static int makes_lo_narrow(void *unused) {
    struct sockaddr_in a = at(PORT);
    char bytes[1000] = "";
    (void)unused;
    become_root_of_own(CLONE_NEWNET);
    CHECK(!set_lo(true));
    int s = bound(SOCK_DGRAM, PORT), connection, l = listener(OTHER_PORT), device = 1, bound_to_it;
    CHECK((connection = try_connect(OTHER_PORT)) >= 0);
    int other_end = accept(l, NULL, NULL);
    CHECK((bound_to_it = socket(AF_INET, SOCK_DGRAM, 0)) >= 0 &&
          !setsockopt(bound_to_it, SOL_SOCKET, SO_BINDTOIFINDEX, &device, sizeof(device)));
    for (int mtu = 67; mtu >= 0; mtu--) {
        set_mtu(mtu);
        CHECK_ERRNO(sendto(s, bytes, sizeof(bytes), MSG_DONTWAIT, (void *)&a, sizeof(a)), ENETUNREACH);
        (void)sendto(bound_to_it, bytes, sizeof(bytes), MSG_DONTWAIT, (void *)&a, sizeof(a));
        (void)send(connection, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    CHECK_ERRNO(try_connect(OTHER_PORT), ENETUNREACH);
    set_mtu(68);
    CHECK(!set_lo(false) && !set_lo(true)); // its address is there again
    CHECK(sendto(s, bytes, sizeof(bytes), 0, (void *)&a, sizeof(a)) == sizeof(bytes));
    CHECK(recv(s, bytes, sizeof(bytes), 0) == sizeof(bytes) && !close(other_end));
    return 0;
}

TEST(a_device_too_narrow_for_ipv4_has_none) {
    CHECK(test_wait_exit(start(0, makes_lo_narrow, NULL)) == 0);
}

// ---- ends

static int leaves_connections(void *unused) {
    (void)unused;
    CHECK(!set_lo(true));
    int l = listener(PORT), zero = 0;
    for (int i = 0; i < 8; i++) {
        int s = try_connect(PORT), a = i & 1 ? accept(l, NULL, NULL) : s;
        CHECK(s >= 0 && a >= 0 && write(s, "unread", 6) == 6);
        if (i & 2) // its end goes first
            close(s);
        if (i & 4)
            setsockopt(a, SOL_SOCKET, SO_RCVBUF, &zero, sizeof(zero));
    }
    struct sockaddr_in to = at(PORT);
    int u = bound(SOCK_DGRAM, PORT);
    CHECK(sendto(u, "unread", 6, 0, (void *)&to, sizeof(to)) == 6);
    return 0;
}

// Of what slabinfo calls so; -1: it has no such name, as Linux's has not.
static long objects_of(const char *name) {
    char line[256], found[32];
    long n = -1, active;
    FILE *f = fopen("/proc/slabinfo", "r");
    CHECK(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%31s %ld", found, &active) == 2 && !strcmp(found, name))
            n = active;
    CHECK(!fclose(f));
    return n;
}

TEST(many_end_with_connections_in_them) {
    CHECK(in_new(leaves_connections, NULL) == 0);
    long sockets = objects_of("inet_socket"), free = test_number_in("/proc/meminfo", "MemFree:");
    for (int i = 0; i < 100; i++)
        CHECK(in_new(leaves_connections, NULL) == 0);
    CHECK(objects_of("inet_socket") == sockets);
    CHECK(sockets < 0 || test_number_in("/proc/meminfo", "MemFree:") > free - 2048); // Linux clears up later
}

static int makes_many(void *of_linux) {
    become_root_of_own(0);
    long free = test_number_in("/proc/meminfo", "MemFree:");
    for (int i = 0; i < 1000; i++)
        CHECK(!unshare(CLONE_NEWNET));
    CHECK(*(bool *)of_linux || test_number_in("/proc/meminfo", "MemFree:") > free - 2048);
    return 0;
}

TEST(a_user_makes_thousands_one_after_the_other) {
    bool of_linux = objects_of("inet_socket") < 0;
    CHECK(test_wait_exit(start(0, makes_many, &of_linux)) == 0);
}

static int keeps_all(void *unused) {
    (void)unused;
    become_root_of_own(0);
    int n = 0;
    while (n < 100000 && !unshare(CLONE_NEWNET) && open("/proc/self/ns/net", O_RDONLY) >= 0)
        n++;
    CHECK(errno == ENOSPC || errno == EMFILE || errno == ENOMEM);
    return 0;
}

TEST(who_keeps_many_takes_them_from_nobody_else) {
    CHECK(test_wait_exit(start(0, keeps_all, NULL)) == 0);
    CHECK(in_new(finds_loopback_down, NULL) == 0);
}

static int ends_in_time_wait(void *arg) {
    CHECK(!set_lo(true));
    int l = listener(PORT), s = try_connect(PORT), a = accept(l, NULL, NULL);
    CHECK(a >= 0 && !shutdown(s, SHUT_RDWR) && !close(s) && !close(a) && !close(l));
    CHECK(says("/proc/net/tcp", " 06 "));
    tell(((int *)arg)[1]);
    return 0;
}

TEST(time_wait_keeps_none) {
    int p[2];
    CHECK(!pipe(p));
    for (int i = 0; i < 20; i++)
        CHECK(in_new(ends_in_time_wait, p) == 0);
}
