// SPDX-License-Identifier: MIT
// /proc/net and /sys/class/net. The same program passes on Linux.
#include "netlink.h"
#include <ctype.h>
#include <linux/inet_diag.h>
#include <netinet/tcp.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char text[1 << 20];

static size_t read_all(const char *path, size_t piece) {
    int f = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t got;
    CHECK(f >= 0);
    while ((got = read(f, text + n, piece)) > 0) {
        n += got;
        CHECK(n < sizeof(text) - piece);
    }
    CHECK(got == 0);
    text[n] = '\0';
    close(f);
    return n;
}

// The line with this in it, of what was read last.
static char *line_with(const char *what) {
    char *at = strstr(text, what);
    while (at && at > text && at[-1] != '\n')
        at--;
    return at;
}

static unsigned long inode_of(int fd) {
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    return st.st_ino;
}

static int bound(int family, int type, unsigned int *port) {
    struct sockaddr_storage a = {.ss_family = family};
    socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int s = socket(family, type, 0);
    if (family == AF_INET)
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&a)->sin6_addr = in6addr_loopback;
    CHECK(s >= 0 && bind(s, (void *)&a, len) == 0 && getsockname(s, (void *)&a, &len) == 0);
    *port = ntohs(((struct sockaddr_in *)&a)->sin_port);
    return s;
}

TEST(proc_net_is_a_link_to_each_process_own) {
    char to[64] = "";
    struct stat a, b;
    CHECK(readlink("/proc/net", to, sizeof(to) - 1) == 8 && !strcmp(to, "self/net"));
    CHECK(stat("/proc/net/tcp", &a) == 0 && stat("/proc/self/net/tcp", &b) == 0 &&
          stat("/proc/1/net/tcp", &b) == 0 && S_ISREG(a.st_mode));
    CHECK(stat("/proc/self/task/1/net", &b) == -1 && stat("/proc/1/task/1/net/dev", &b) == 0);
}

TEST(tcp_sockets_stand_in_proc_net_with_their_inodes) {
    unsigned int port, remote, local, state, tx, rx;
    unsigned long ino, slot;
    char key[64];
    int l = bound(AF_INET, SOCK_STREAM, &port), uid;
    CHECK(listen(l, 7) == 0);
    read_all("/proc/net/tcp", sizeof(text) / 2);
    CHECK(strchr(text, '\n') == text + 149); // lines of 150 characters
    snprintf(key, sizeof(key), "0100007F:%04X 00000000:0000 0A", port);
    char *line = line_with(key);
    CHECK(line && strchr(line, '\n') == line + 149);
    CHECK(sscanf(line, "%lu: %*x:%*x %*x:%x %x %x:%x %*x:%*x %*x %d %*d %lu", &slot, &remote, &state, &tx,
                 &rx, &uid, &ino) == 7);
    CHECK(remote == 0 && state == 10 && tx == 0 && rx == 0 && uid == (int)getuid() && ino == inode_of(l));
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    CHECK(getsockname(l, (void *)&a, &len) == 0);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(c, (void *)&a, sizeof(a)) == 0);
    read_all("/proc/net/tcp", 4096);
    line = line_with(key);
    CHECK(line && sscanf(line, "%lu: %*x:%*x %*x:%*x %*x %x:%x", &slot, &tx, &rx) == 3 && rx == 1);
    int s = accept(l, NULL, NULL);
    CHECK(s >= 0 && send(c, "12345", 5, 0) == 5 && poll(&(struct pollfd){s, POLLIN, 0}, 1, 5000) == 1);
    CHECK(getsockname(c, (void *)&a, &len) == 0);
    local = ntohs(a.sin_port);
    read_all("/proc/net/tcp", 4096);
    snprintf(key, sizeof(key), "0100007F:%04X 0100007F:%04X 01", port, local);
    line = line_with(key);
    CHECK(line && sscanf(line, "%lu: %*x:%*x %*x:%*x %*x %x:%x %*x:%*x %*x %d %*d %lu", &slot, &tx, &rx, &uid,
                         &ino) == 5);
    CHECK(rx == 5 && ino == inode_of(s));
    close(s), close(c), close(l);
    snprintf(key, sizeof(key), "0100007F:%04X 00000000:0000 0A", port);
    read_all("/proc/net/tcp", 4096);
    CHECK(!line_with(key));
}

TEST(other_sockets_stand_in_their_files) {
    unsigned int u, u6, t6;
    char key[128];
    int a = bound(AF_INET, SOCK_DGRAM, &u), b = bound(AF_INET6, SOCK_DGRAM, &u6),
        c = bound(AF_INET6, SOCK_STREAM, &t6);
    unsigned long ino = 0;
    CHECK(listen(c, 1) == 0);
    read_all("/proc/net/udp", 4096);
    CHECK(strchr(text, '\n') == text + 127);
    snprintf(key, sizeof(key), "0100007F:%04X 00000000:0000 07", u);
    CHECK(line_with(key) &&
          sscanf(line_with(key), "%*d: %*x:%*x %*x:%*x %*x %*x:%*x %*x:%*x %*x %*d %*d %lu", &ino) == 1 &&
          ino == inode_of(a));
    read_all("/proc/net/udp6", 4096);
    snprintf(key, sizeof(key),
             "00000000000000000000000001000000:%04X 00000000000000000000000000000000:0000 07", u6);
    CHECK(line_with(key));
    read_all("/proc/net/tcp6", 4096);
    snprintf(key, sizeof(key),
             "00000000000000000000000001000000:%04X 00000000000000000000000000000000:0000 0A", t6);
    CHECK(line_with(key));
    int r = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    CHECK(r >= 0);
    read_all("/proc/net/raw", 4096);
    char *line = line_with(": 00000000:0001 00000000:0000 07 ");
    CHECK(line && sscanf(line, "%*d: %*x:%*x %*x:%*x %*x %*x:%*x %*x:%*x %*x %*d %*d %lu", &ino) == 1);
    CHECK(ino == inode_of(r));
    close(a), close(b), close(c), close(r);
}

TEST(udplite_sockets_have_files_of_their_own) {
    static const char *const files[] = {"/proc/net/udplite", "/proc/net/udplite6", "/proc/net/udp"};
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(45678), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 a6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(45679), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int s[] = {socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE)};
    CHECK(bind(s[0], (void *)&a, sizeof(a)) == 0 && bind(s[1], (void *)&a6, sizeof(a6)) == 0);
    static const char *const keys[] = {
        " 0100007F:B26E 00000000:0000 07 ",
        " 00000000000000000000000001000000:B26F 00000000000000000000000000000000:0000 07 "};
    for (int i = 0; i < 3; i++) {
        read_all(files[i], 4096);
        for (int k = 0; k < 2; k++)
            CHECK(!line_with(keys[k]) == (i != k));
        unsigned long ino;
        CHECK(i == 2 || (sscanf(line_with(keys[i]),
                                "%*d: %*x:%*x %*x:%*x %*x %*x:%*x %*x:%*x %*x %*d %*d %lu", &ino) == 1 &&
                         ino == inode_of(s[i])));
    }
    close(s[0]), close(s[1]);
}

// With more of them than a page has room for, in pieces of any size each is there once.
TEST(a_long_list_is_read_piece_by_piece_without_gaps) {
    enum { MANY = 200 };
    int s[MANY];
    unsigned int port[MANY];
    char key[64];
    for (int i = 0; i < MANY; i++)
        s[i] = bound(AF_INET, SOCK_DGRAM, &port[i]);
    static const size_t pieces[] = {1000, 4096, 77};
    for (size_t k = 0; k < 3; k++) {
        read_all("/proc/net/udp", pieces[k]);
        for (int i = 0; i < MANY; i++) {
            snprintf(key, sizeof(key), " 0100007F:%04X 00000000:0000 07", port[i]);
            char *at = strstr(text, key);
            CHECK(at && !strstr(at + 1, key));
        }
    }
    for (int i = 0; i < MANY; i++)
        close(s[i]);
}

TEST(netlink_sockets_stand_in_their_file) {
    int s = open_netlink(NETLINK_ROUTE);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 55001, .nl_groups = 5};
    unsigned int groups;
    unsigned long ino;
    CHECK(bind(s, (void *)&a, sizeof(a)) == 0);
    read_all("/proc/net/netlink", 4096);
    CHECK(!strncmp(
        text, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
        88));
    char *line = line_with(" 55001 ");
    CHECK(line && sscanf(line, "%*x 0 55001 %x %*d %*d %*d %*d %*d %lu", &groups, &ino) == 2 && groups == 5 &&
          ino == inode_of(s));
}

TEST(the_device_and_its_addresses_stand_in_proc_net) {
    unsigned long before, after;
    unsigned int port;
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    read_all("/proc/net/dev", 4096);
    char *line = line_with("    lo:");
    CHECK(line && sscanf(line, "    lo: %lu", &before) == 1);
    int s = bound(AF_INET, SOCK_DGRAM, &port);
    CHECK(getsockname(s, (void *)&a, &len) == 0 && sendto(s, "1234567890", 10, 0, (void *)&a, len) == 10);
    read_all("/proc/net/dev", 4096);
    CHECK(sscanf(line_with("    lo:"), "    lo: %lu", &after) == 1 && after >= before + 38);
    read_all("/proc/net/if_inet6", 4096);
    CHECK(line_with("00000000000000000000000000000001 01 80 10 80       lo\n"));
    read_all("/proc/net/route", 4096);
    CHECK(!strncmp(text,
                   "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
                   70) &&
          strchr(text, '\n') == text + 127);
    read_all("/proc/net/ipv6_route", 4096);
    CHECK(line_with("00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
                    "00000000000000000000000000000000 00000000"));
    read_all("/proc/net/arp", 4096);
    CHECK(!strcmp(text, "IP address       HW type     Flags       HW address            Mask     Device\n"));
}

TEST(packets_are_counted) {
    unsigned long before, after;
    unsigned int port;
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    read_all("/proc/net/snmp", 4096);
    CHECK(!strncmp(text, "Ip: Forwarding DefaultTTL InReceives", 36) &&
          sscanf(strstr(text, "\nUdp: ") + 1, "%*[^\n]\nUdp: %lu", &before) == 1);
    int s = bound(AF_INET, SOCK_DGRAM, &port);
    CHECK(getsockname(s, (void *)&a, &len) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(sendto(s, "x", 1, 0, (void *)&a, len) == 1);
    while (recv(s, buffer, 9, MSG_DONTWAIT) == 1)
        ;
    read_all("/proc/net/snmp", 4096);
    CHECK(sscanf(strstr(text, "\nUdp: ") + 1, "%*[^\n]\nUdp: %lu", &after) == 1 && after >= before + 3);
    read_all("/proc/net/sockstat", 4096);
    unsigned int used, udp;
    CHECK(sscanf(text, "sockets: used %u\n", &used) == 1 && used >= 1 &&
          sscanf(strstr(text, "UDP: "), "UDP: inuse %u", &udp) == 1 && udp >= 1);
    read_all("/proc/net/protocols", 4096);
    CHECK(line_with("TCP ") && line_with("UNIX") && line_with("NETLINK"));
}

// ---- /sys

static const char *attribute_of(const char *name) {
    char path[128];
    snprintf(path, sizeof(path), "/sys/class/net/lo/%s", name);
    size_t n = read_all(path, 4096);
    CHECK(n && text[n - 1] == '\n');
    text[n - 1] = '\0';
    return text;
}

TEST(loopback_stands_in_sys_class_net) {
    char to[64] = "";
    CHECK(readlink("/sys/class/net/lo", to, sizeof(to) - 1) > 0 &&
          !strcmp(to, "../../devices/virtual/net/lo"));
    CHECK(!strcmp(attribute_of("address"), "00:00:00:00:00:00") && !strcmp(attribute_of("mtu"), "65536"));
    CHECK(!strcmp(attribute_of("type"), "772") && !strcmp(attribute_of("ifindex"), "1"));
    CHECK(!strcmp(attribute_of("operstate"), "unknown") && !strcmp(attribute_of("carrier"), "1"));
    CHECK(!strcmp(attribute_of("flags"), "0x9") && !strcmp(attribute_of("tx_queue_len"), "1000"));
    CHECK(!strcmp(attribute_of("addr_len"), "6"));
    for (int i = 0; i < 2; i++)
        CHECK(isdigit((unsigned char)*attribute_of(i ? "statistics/rx_bytes" : "statistics/tx_bytes")));
    int f = open("/sys/class/net/lo/speed", O_RDONLY);
    CHECK(f >= 0);
    CHECK_ERRNO(read(f, text, 10), EINVAL);
}

TEST(the_mtu_is_changed_through_sys) {
    struct ifreq r = {.ifr_name = "lo"};
    int f = open("/sys/class/net/lo/mtu", O_RDWR), s = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(f >= 0 && write(f, "16436\n", 6) == 6 && ioctl(s, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == 16436);
    CHECK(!strcmp(attribute_of("mtu"), "16436"));
    CHECK(pwrite(f, "65536\n", 6, 0) == 6 && !strcmp(attribute_of("mtu"), "65536"));
    CHECK_ERRNO(pwrite(f, "many\n", 5, 0), EINVAL);
    CHECK_ERRNO(open("/sys/class/net/lo/mtu", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
}

// ---- sock_diag

TEST(sock_diag_tells_of_tcp_sockets) {
    unsigned int port;
    int l = bound(AF_INET, SOCK_STREAM, &port), s = open_netlink(NETLINK_SOCK_DIAG), found = 0, done = 0;
    struct {
        struct inet_diag_req_v2 q;
    } r = {{.sdiag_family = AF_INET,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_ext = 1 << (INET_DIAG_INFO - 1),
            .idiag_states = ~0u}};
    CHECK(listen(l, 9) == 0);
    struct request q = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r));
    struct inet_diag_bc_op code[] = {
        {INET_DIAG_BC_S_GE, 8, 12}, {0, 0, port}, {INET_DIAG_BC_S_LE, 8, 12}, {0, 0, port}};
    attribute(&q, INET_DIAG_REQ_BYTECODE, code, sizeof(code));
    post(s, &q);
    ssize_t n = next_packet(s);
    if (((struct nlmsghdr *)buffer)->nlmsg_type == NLMSG_ERROR)
        return; // Linux, without its module
    for (; !done; n = done ? 0 : next_packet(s))
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            const struct inet_diag_msg *m = NLMSG_DATA(h);
            done |= h->nlmsg_type == NLMSG_DONE;
            if (h->nlmsg_type == NLMSG_DONE)
                continue;
            CHECK(m->id.idiag_sport == htons(port) && m->idiag_state == 10 && m->idiag_wqueue == 9 &&
                  m->idiag_inode == inode_of(l));
            CHECK(m->id.idiag_src[0] == htonl(INADDR_LOOPBACK) && find(h, sizeof(*m), INET_DIAG_INFO));
            found++;
        }
    CHECK(found == 1);
    code[0].yes = 5; // not a step
    q = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r));
    attribute(&q, INET_DIAG_REQ_BYTECODE, code, sizeof(code));
    CHECK(answer_of(s, q) == -EINVAL);
    r.q.id.idiag_sport = htons(port);
    r.q.id.idiag_cookie[0] = r.q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    q = request(SOCK_DIAG_BY_FAMILY, 0, &r, sizeof(r));
    post(s, &q);
    next_packet(s);
    CHECK(((struct inet_diag_msg *)NLMSG_DATA((struct nlmsghdr *)buffer))->idiag_inode == inode_of(l));
    close(l);
    CHECK(answer_of(s, q) == -ENOENT);
}
