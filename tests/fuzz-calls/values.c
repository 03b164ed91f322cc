// SPDX-License-Identifier: MIT
// Arguments. Most fit their parameter, so that calls get past their first check; some are of the kind that breaks things:
// numbers at the edges, addresses at a page's end, below 256, in the kernel's half, structures of random small numbers.
#define _GNU_SOURCE
#include "tests/fuzz-calls/calls.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096ul
#define ARENA_SIZE (64 * PAGE)
#define USER_END   (1ul << 38)

static unsigned char *arena;    // readable and writable, but for its last page, which is not there
static unsigned char *readonly; // a page
static __thread bool own_names; // only names in the program's directory
static __thread size_t used;    // of the arena

// ---- random numbers: xorshift64*

static __thread uint64_t state = 1;

void random_start(uint64_t seed, uint64_t worker, uint64_t program) {
    state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (worker + 1) * 0xbf58476d1ce4e5b9ull ^
            (program + 1) * 0x94d049bb133111ebull;
    if (!state)
        state = 1;
    for (int i = 0; i < 8; i++)
        random_bits();
}

uint64_t random_bits(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

unsigned int random_below(unsigned int n) {
    return (unsigned int)((random_bits() >> 32) % n);
}

bool one_in(unsigned int n) {
    return random_below(n) == 0;
}

#define ONE_OF(array) (array)[random_below(sizeof(array) / sizeof((array)[0]))]

// ---- numbers

static unsigned long number(void) {
    static const unsigned long edges[] = {0,
                                          1,
                                          2,
                                          7,
                                          8,
                                          255,
                                          256,
                                          4095,
                                          4096,
                                          4097,
                                          65535,
                                          65536,
                                          0x7fffffff,
                                          0x80000000,
                                          0xffffffff,
                                          0x100000000,
                                          0x7fffffffffffffff,
                                          0x8000000000000000,
                                          -1ul,
                                          -2ul,
                                          -4096ul,
                                          USER_END,
                                          USER_END - 1};
    switch (random_below(4)) {
    case 0:
        return ONE_OF(edges);
    case 1:
        return 1ul << random_below(64);
    case 2:
        return random_bits() >> random_below(64);
    }
    return random_below(64);
}

static unsigned long file(void) {
    static const unsigned long odd[] = {-1ul, -100ul, 63, 64, 1023, 1024, 0x7fffffff, 0x100000003};
    return one_in(12) ? ONE_OF(odd) : random_below(56);
}

static unsigned long process(void) {
    switch (random_below(6)) {
    case 0:
        return 0;
    case 1:
        return number();
    case 2:
        return (unsigned long)getppid();
    case 3:
        return (unsigned long)getpid() + 1 + random_below(3);
    }
    return (unsigned long)getpid();
}

static unsigned long size(void) {
    static const unsigned long usual[] = {0,  1,   2,   4,   8,   16,  24,   32,   56,   64,
                                          88, 100, 128, 255, 256, 257, 1000, 4096, 8192, 65536};
    return one_in(8) ? number() : ONE_OF(usual);
}

static unsigned long bits(void) {
    unsigned long flags = 0;
    if (one_in(10))
        return number();
    for (unsigned int n = random_below(4); n; n--)
        flags |= 1ul << random_below(24);
    return flags;
}

// ---- memory

// n bytes of the arena, sometimes such that they end where it ends.
static unsigned char *room(size_t n) {
    if (one_in(8))
        return arena + ARENA_SIZE - PAGE - MIN(n, PAGE);
    if (used + n > ARENA_SIZE - PAGE)
        used = 0;
    unsigned char *at = arena + used;
    used += (n + 7) & ~7ul;
    return at + (one_in(6) ? random_below(8) : 0);
}

static void fill(unsigned char *at, size_t n) {
    for (size_t i = 0; i + 8 <= n; i += 8) {
        unsigned long value;
        switch (random_below(6)) {
        case 0:
            value = number();
            break;
        case 1:
            value = (unsigned long)room(64);
            break;
        case 2:
            value = random_below(56) | (unsigned long)random_below(40) << 32;
            break;
        case 3:
            value = 0;
            break;
        default:
            value = random_below(16);
        }
        memcpy(at + i, &value, 8);
    }
}

static unsigned long bad_pointer(void) {
    switch (random_below(6)) {
    case 0:
        return random_below(512);
    case 1:
        return (unsigned long)arena + ARENA_SIZE - PAGE - random_below(32);
    case 2:
        return (unsigned long)readonly + random_below(PAGE);
    case 3:
        return USER_END - random_below(300);
    case 4:
        return -1ul << 38 | random_bits() >> 26;
    }
    return number();
}

static unsigned long buffer(size_t n) {
    if (one_in(6))
        return one_in(2) ? 0 : bad_pointer();
    unsigned char *at = room(n);
    if (!one_in(3) && at + n <= arena + ARENA_SIZE - PAGE)
        fill(at, n);
    return (unsigned long)at;
}

static unsigned long address(void) {
    if (one_in(4))
        return bad_pointer();
    return (unsigned long)arena + PAGE * random_below(ARENA_SIZE / PAGE + 2) +
           0x10000 * (one_in(2) ? random_below(64) : 0) * 16;
}

static unsigned long path(void) {
    static const char *const own[] = {
        ".",
        "..",
        "a",
        "b",
        "c",
        "d",
        "d/a",
        "d/b",
        "d/e",
        "d/e/f",
        "link",
        "loop",
        "fifo",
        "a/",
        "d/../d/.",
        "tmpfs",
        "proc",
        "user.x",
        "system.posix_acl_access",
        "system.posix_acl_default",
        "size=1M",
        "remount",
        "",
    };
    static const char *const of_all[] = {
        "/tmp",
        "/",
        "/proc/self",
        "/dev/null",
        "/dev/zero",
        "/dev/tty",
        "/dev/ptmx",
        "/dev/full",
        "/dev/fd/6",
        "/bin/true",
        "/proc/self/fd/5",
        "/proc/self/mem",
        "/proc/self/maps",
        "/proc/self/stat",
        "/proc/mounts",
        "/proc/self/mountinfo",
        "/proc/self/environ",
        "/proc/self/oom_score_adj",
        "/proc/self/comm",
        "/proc/meminfo",
        "/proc/self/task",
        "/proc/1/maps",
        "/proc/self/exe",
        "/proc/self/cwd/a",
    };
    if (one_in(10))
        return buffer(64);
    const char *name = own_names || one_in(2) ? ONE_OF(own) : ONE_OF(of_all);
    char *at = (char *)room(300);
    if (one_in(20)) {
        memset(at, one_in(2) ? 'x' : '/', 256);
        at[255 + random_below(2)] = 0;
    } else {
        memcpy(at, name, strlen(name) + 1);
    }
    return (unsigned long)at;
}

static unsigned long vectors(void) {
    if (one_in(8))
        return bad_pointer();
    struct iovec v[8];
    for (int i = 0; i < 8; i++)
        v[i] = (struct iovec){(void *)buffer(64), one_in(8) ? number() : random_below(200)};
    unsigned char *at = room(sizeof(v));
    memcpy(at, v, MIN(sizeof(v), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return (unsigned long)at;
}

// Mostly short: a program that waits makes no calls.
static unsigned long times(void) {
    if (one_in(6))
        return buffer(64);
    long t[4];
    for (int i = 0; i < 4; i++)
        t[i] = i % 2 ? (long)random_below(1000000) : one_in(8) ? (long)number() : 0;
    unsigned char *at = room(sizeof(t));
    memcpy(at, t, MIN(sizeof(t), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return (unsigned long)at;
}

static unsigned long strings(void) {
    unsigned long list[3] = {path(), one_in(2) ? path() : 0, 0};
    unsigned char *at = room(sizeof(list));
    memcpy(at, list, MIN(sizeof(list), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return one_in(10) ? bad_pointer() : (unsigned long)at;
}

// Of this machine, and of others; sometimes of a listener of somebody's.
static unsigned long inet_name(void) {
    static const unsigned int addresses[] = {0x7f000001, 0x7f000001, 0,          0x7f010203,
                                             0x7fffffff, ~0u,        0xe0000001, 0x0a000001};
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a = {.in = {.sin_family = AF_INET}};
    unsigned short port = one_in(3) ? random_below(65536) : one_in(2) ? 0 : 32768 + random_below(28232);
    if (one_in(3)) {
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_addr.s6_addr[15] = random_below(2);
        a.in6.sin6_addr.s6_addr[0] = one_in(6) ? 0xff : 0;
    } else {
        a.in.sin_addr.s_addr = htonl(ONE_OF(addresses));
    }
    a.in.sin_port = htons(port); // in the same place in both
    unsigned char *at = room(sizeof(a));
    memcpy(at, &a, MIN(sizeof(a), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return (unsigned long)at;
}

// A request to a netlink socket: a header that is mostly right, and attributes whose lengths mostly are.
static unsigned long netlink_request(void) {
    struct {
        uint32_t len;
        uint16_t type, flags;
        uint32_t sequence, port;
        unsigned char body[112];
    } m = {16 + random_below(112),
           one_in(6) ? number() : 16 + random_below(88),
           one_in(2) ? 0x301 : 1 + random_below(0xf00),
           1,
           0,
           {0}};
    size_t at = one_in(4) ? random_below(100) : 4 * random_below(8);
    for (size_t i = 0; i < at; i++)
        m.body[i] = one_in(2) ? random_below(12) : 0;
    while (at + 8 <= sizeof(m.body)) {
        uint16_t attribute[2] = {one_in(8) ? number() : 4 + random_below(16), random_below(40)};
        memcpy(m.body + at, attribute, sizeof(attribute));
        for (size_t i = at + 4; i < at + 8; i++)
            m.body[i] = one_in(2) ? random_below(256) : 0;
        at += attribute[0] >= 4 && attribute[0] < 32 ? (attribute[0] + 3) & ~3 : 8;
    }
    if (one_in(8))
        m.len = number();
    unsigned char *to = room(sizeof(m));
    memcpy(to, &m, MIN(sizeof(m), (size_t)(arena + ARENA_SIZE - PAGE - to)));
    return (unsigned long)to;
}

// Of AF_UNIX: the names that the program has bound, and others.
static unsigned long socket_name(void) {
    if (one_in(2))
        return inet_name();
    static const char *const names[] = {"\0stream", "\0dgram", "sock", "\0", "a", "d/s", "fifo"};
    struct sockaddr_un a = {.sun_family = one_in(8) ? (unsigned short)random_below(48) : AF_UNIX};
    if (one_in(8))
        return buffer(128);
    memcpy(a.sun_path, ONE_OF(names), 4);
    if (one_in(2))
        memcpy(a.sun_path, one_in(2) ? "\0stream" : "\0dgram\0", 8);
    unsigned char *at = room(sizeof(a));
    memcpy(at, &a, MIN(sizeof(a), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return (unsigned long)at;
}

// Control data: descriptors, credentials, or anything.
static size_t control(unsigned char at[128]) {
    struct cmsghdr c = {.cmsg_level = SOL_SOCKET, .cmsg_type = one_in(4) ? (int)random_below(6) : SCM_RIGHTS};
    unsigned int n = one_in(8) ? random_below(26) : 1 + random_below(3);
    int data[26];
    for (int i = 0; i < 26; i++)
        data[i] = one_in(8) ? (int)number() : 3 + (int)random_below(56);
    if (one_in(4)) {
        c.cmsg_type = SCM_CREDENTIALS;
        n = 3;
        data[0] = getpid(), data[1] = getuid(), data[2] = getgid();
    }
    if (one_in(3)) {
        c.cmsg_level = one_in(2) ? SOL_IP : SOL_IPV6;
        c.cmsg_type = random_below(70);
        n = one_in(2) ? 1 : 3;
    }
    c.cmsg_len = one_in(8) ? number() : CMSG_LEN(n * sizeof(int));
    memcpy(at, &c, sizeof(c));
    memcpy(at + sizeof(c), data, n * sizeof(int));
    return one_in(8) ? random_below(128) : CMSG_SPACE(n * sizeof(int));
}

static unsigned long messages(void) {
    struct mmsghdr m[3];
    unsigned char data[128];
    if (one_in(8))
        return bad_pointer();
    for (int i = 0; i < 3; i++) {
        struct msghdr *h = &m[i].msg_hdr;
        *h = (struct msghdr){.msg_iov = (void *)vectors(), .msg_iovlen = random_below(one_in(20) ? 2000 : 5)};
        if (one_in(3))
            h->msg_name = (void *)socket_name(), h->msg_namelen = one_in(4)   ? (socklen_t)number()
                                                                  : one_in(2) ? 16
                                                                              : 9;
        if (!one_in(3)) {
            unsigned char *at = room(sizeof(data));
            h->msg_controllen = control(data);
            memcpy(at, data, MIN(sizeof(data), (size_t)(arena + ARENA_SIZE - PAGE - at)));
            h->msg_control = at;
        }
        m[i].msg_len = 0;
    }
    unsigned char *at = room(sizeof(m));
    memcpy(at, m, MIN(sizeof(m), (size_t)(arena + ARENA_SIZE - PAGE - at)));
    return (unsigned long)at;
}

static unsigned long value(enum type type) {
    switch (type) {
    case TYPE_FD:
        return file();
    case TYPE_DIR_FD:
        return one_in(3) ? file() : (unsigned long)AT_FDCWD;
    case TYPE_PID:
        return process();
    case TYPE_UID:
        return one_in(3) ? number() : one_in(2) ? -1ul : getuid();
    case TYPE_SIGNAL:
        return one_in(8) ? number() : random_below(66);
    case TYPE_SIZE:
        return size();
    case TYPE_OFFSET:
        return one_in(4) ? number() : random_below(20000);
    case TYPE_FLAGS:
        return bits();
    case TYPE_CHOICE:
        return one_in(12) ? number() : random_below(44);
    case TYPE_ADDRESS:
        return address();
    case TYPE_PATH:
        return path();
    case TYPE_IOV:
        return vectors();
    case TYPE_TIME:
        return times();
    case TYPE_STRINGS:
        return strings();
    case TYPE_SOCKET_NAME:
        return socket_name();
    case TYPE_MESSAGE:
        return messages();
    case TYPE_BUFFER:
        if (one_in(12))
            return netlink_request();
        return buffer(one_in(4) ? 4096 : 128);
    case TYPE_NUMBER:
        break;
    }
    return number();
}

// ---- what the types do not tell

static const unsigned long clone_flags[] = {0x100 /* VM */, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000,
                                            0x8000, 0x10000, 0x40000, 0x80000, 0x100000, 0x200000, 0x1000000,
                                            // new namespaces: mount, UTS, IPC, user, pid, network
                                            0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000,
                                            0x40000000};
static const unsigned long ioctls[] = {
    0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5409, 0x540b, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413,
    0x5414, 0x541b, 0x5420, 0x80045438, 0x541d, 0x541e, 0x5421, 0x5422, 0x5423, 0x5424, 0x5429, 0x8901,
    0x8905, 0x890b, 0x89e0, 0x5450, 0x8910, 0x8912, 0x8913, 0x8914, 0x8915, 0x8916, 0x891b, 0x891c, 0x8921,
    0x8922, 0x8927, 0x8933, 0x890b, 0x890c, 0x8954, 0x8955, 0x5451, 0x5452, 0x5456, 0x5457, 0x80045430,
    0x40045431, 0x80045432, 0x80045439, 0x5441, 0x894c,
    // flags of files, in both words
    0x80086601, 0x40086602, 0x801c581f, 0x401c5820};
static const unsigned long file_modes[] = {0010000, 0020000, 0100000, 0, 0140000, 0060000};

static void mmap_arguments(unsigned long a[]) {
    a[0] = one_in(3) ? 0 : address() & ~(PAGE - 1);
    a[1] = one_in(6) ? number() : PAGE * (1 + random_below(64));
    a[2] = random_below(8);
    a[3] = (one_in(2)   ? MAP_PRIVATE
            : one_in(2) ? MAP_SHARED
                        : 3u) |
           (one_in(2) ? MAP_ANONYMOUS : 0) | (one_in(6) ? MAP_FIXED : 0) |
           (one_in(8) ? (unsigned int)bits() & ~MAP_FIXED : 0);
    a[5] = one_in(4) ? number() : PAGE * random_below(8);
}

static void socket_arguments(const char *name, unsigned long a[]) {
    if (!strcmp(name, "socket") || !strcmp(name, "socketpair")) {
        a[0] = one_in(8)   ? random_below(48)
               : one_in(6) ? AF_NETLINK
               : one_in(2) ? AF_UNIX
               : one_in(2) ? AF_INET
                           : AF_INET6;
        a[1] = random_below(6) | (one_in(3) ? SOCK_NONBLOCK : 0) | (one_in(3) ? SOCK_CLOEXEC : 0);
        a[2] = one_in(6) ? random_below(20) : one_in(6) ? IPPROTO_ICMPV6 : 0;
    } else if (strstr(name, "sockopt")) {
        static const unsigned int levels[] = {SOL_SOCKET,  SOL_SOCKET,  SOL_IP,      SOL_IPV6,
                                              IPPROTO_TCP, IPPROTO_UDP, SOL_NETLINK, 255};
        a[1] = one_in(6) ? random_below(300) : ONE_OF(levels);
        a[2] = one_in(6) ? number() : random_below(84);
    } else if (!strcmp(name, "bind") || !strcmp(name, "connect")) {
        a[2] = one_in(4) ? number() : one_in(2) ? 2 + random_below(10) : one_in(2) ? 16 : 28;
    }
}

// A filter that mostly lets calls be made, behind instructions of all kinds, known or not.
static unsigned long filter(void) {
    static const unsigned short codes[] = {0x20, 0x00, 0x01, 0x60, 0x61, 0x02, 0x03, 0x04,
                                           0x14, 0x2c, 0x34, 0x5c, 0x6c, 0x84, 0x05, 0x15,
                                           0x25, 0x3d, 0x45, 0x07, 0x87, 0x80, 0x28, 0x94};
    static struct sock_filter code[6];
    static struct sock_fprog program;
    unsigned int n = random_below(sizeof(code) / sizeof(code[0]));
    for (unsigned int i = 0; i < n; i++)
        code[i] = (struct sock_filter){ONE_OF(codes), random_below(3), random_below(3),
                                       random_below(one_in(4) ? 90 : 16) & ~3u};
    code[n] = (struct sock_filter){6, 0, 0,
                                   one_in(200)  ? (unsigned int)number()
                                   : one_in(30) ? 0x7ffc0000
                                                : 0x7fff0000};
    program = (struct sock_fprog){(unsigned short)(n + 1), code};
    return one_in(8) ? buffer(64) : (unsigned long)&program;
}

static unsigned long mount_flags(void) {
    static const unsigned long kinds[] = {4096,    4096,    4096 | 16384, 32,     8192,
                                          1 << 17, 1 << 18, 1 << 19,      1 << 20}; // MS_BIND to MS_SHARED
    return one_in(4) ? bits() : ONE_OF(kinds) | (one_in(4) ? 16384 : 0);
}

// fsopen(2) and its kin.
static void mount_steps(const char *name, unsigned long a[]) {
    static const char *const types[] = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "9p", "nosuch"};
    static const char *const keys[] = {"source", "size", "nr_inodes", "mode", "ro", "nosuch"};
    if (!strcmp(name, "fsopen"))
        a[0] = (unsigned long)ONE_OF(types), a[1] = random_below(3);
    else if (!strcmp(name, "fsconfig")) // mostly in the order in which something comes of it
        a[1] = one_in(3) ? 6 : random_below(9),
        a[2] = one_in(3) || a[1] >= 6 ? 0 : (unsigned long)ONE_OF(keys),
        a[3] = a[1] == 1 ? (unsigned long)ONE_OF(keys) : 0, a[4] = one_in(8) ? number() : 0;
    else if (!strcmp(name, "open_tree"))
        a[2] = one_in(4) ? bits() : one_in(2) ? 1 : 0x8001;
    else if (!strcmp(name, "move_mount"))
        a[4] = one_in(4) ? bits() : 0x44;
    else if (!strcmp(name, "mount_setattr"))
        a[2] = one_in(4) ? bits() : 0x1000, a[4] = one_in(4) ? number() : 32;
}

// add_key(2) and its kin: mostly of the program's own keyrings.
static void key_arguments(const char *name, unsigned long a[]) {
    static const char *const types[] = {"user", "keyring", "logon", "nosuch", "", ".x"};
    static const char *const descriptions[] = {"a", "b", "c:d", "_ses", ""};
    unsigned long ring = one_in(6) ? number() : -(unsigned long)(1 + random_below(5));
    if (!strcmp(name, "add_key"))
        a[0] = (unsigned long)ONE_OF(types), a[1] = (unsigned long)ONE_OF(descriptions), a[4] = ring;
    else if (!strcmp(name, "request_key"))
        a[0] = (unsigned long)ONE_OF(types), a[1] = (unsigned long)ONE_OF(descriptions), a[2] = 0,
        a[3] = ring;
    else
        for (int i = 1; i < 5; i++)
            a[i] = one_in(2) ? ring : one_in(3) ? buffer(128) : one_in(2) ? size() : number();
    if (!strcmp(name, "keyctl") && a[0] == 10)
        a[2] = (unsigned long)ONE_OF(types), a[3] = (unsigned long)ONE_OF(descriptions);
}

static void special(const char *name, unsigned long a[]) {
    socket_arguments(name, a);
    if (!strcmp(name, "mmap"))
        mmap_arguments(a);
    else if (!strcmp(name, "ioctl"))
        a[1] = one_in(6) ? number() : ONE_OF(ioctls), a[2] = one_in(2) ? buffer(64) : random_below(16);
    else if (!strcmp(name, "fcntl"))
        a[1] = one_in(3) ? 1024 + random_below(16) : random_below(40),
        a[2] = one_in(2) ? buffer(32) : number();
    else if (!strcmp(name, "prctl"))
        a[0] = one_in(10) ? number() : random_below(64), a[1] = one_in(2) ? number() : buffer(64);
    else if (!strcmp(name, "futex"))
        a[1] =
            random_below(14) | (one_in(2) ? FUTEX_PRIVATE_FLAG : 0) | (one_in(6) ? FUTEX_CLOCK_REALTIME : 0);
    else if (!strcmp(name, "add_key") || !strcmp(name, "request_key") || !strcmp(name, "keyctl"))
        key_arguments(name, a);
    else if (!strcmp(name, "mknodat"))
        a[2] = ONE_OF(file_modes) | 0600;
    else if (!strcmp(name, "openat"))
        a[2] = random_below(4) | (one_in(2) ? O_CREAT : 0) | (bits() & ~0xful),
        a[3] = one_in(2) ? 0777 : bits();
    else if (!strcmp(name, "madvise"))
        a[2] = random_below(30);
    else if (!strcmp(name, "seccomp")) // not strict: that ends the program
        a[0] = one_in(8) ? number() | 1 : 1 + random_below(3), a[1] = one_in(2) ? 0 : random_below(64),
        a[2] = filter();
    else if (!strcmp(name, "mount"))
        a[2] = path(), a[3] = mount_flags();
    else
        mount_steps(name, a);
}

static bool is(const struct call *call, const char *name) {
    return !strcmp(call->name, name);
}

// ---- what would end the run

bool call_is_allowed(const struct call *call, bool root) {
    static const char *const never[] = {"exit", "exit_group", "rt_sigreturn", "reboot", "vhangup"};
    static const char *const not_by_root[] = {"chroot", "pivot_root", "settimeofday", "clock_settime",
                                              "syslog"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        if (!strcmp(call->name, never[i]))
            return false;
    }
    for (size_t i = 0; root && i < sizeof(not_by_root) / sizeof(not_by_root[0]); i++) {
        if (!strcmp(call->name, not_by_root[i]))
            return false;
    }
    return true;
}

// A clone without a stack of its own may not share memory; children end at once (program.c).
static void tame_clone(unsigned long a[]) {
    unsigned long flags = 0;
    for (unsigned int n = random_below(3); n; n--)
        flags |= ONE_OF(clone_flags);
    a[0] = (flags & ~0x100ul) | (one_in(2) ? SIGCHLD : random_below(65));
    if (a[0] & 0x10800)
        a[0] &= ~0x10800ul; // CLONE_SIGHAND and CLONE_THREAD go with CLONE_VM
    a[1] = 0;
}

// What there is to ask for. Root's programs trace nobody: a worker that one of them stops waits for ever.
static void tame_ptrace(unsigned long a[], bool root) {
    a[0] = one_in(2) ? 0x4200 + random_below(18) : random_below(35);
    if (root)
        a[1] = (unsigned long)getpid();
}

static void tame(const struct call *call, unsigned long a[CALL_PARAMETERS], bool root) {
    if (is(call, "clone"))
        tame_clone(a);
    if (is(call, "unshare") && one_in(2))
        a[0] = ONE_OF(clone_flags);
    if (is(call, "clone3"))
        a[1] = a[1] & ~63ul ? 24 : a[1]; // too small: its structure's flags are as random
    if (is(call, "ptrace"))
        tame_ptrace(a, root);
    if (root && is(call, "ioctl") && (a[1] == FS_IOC_SETFLAGS || a[1] == FS_IOC_FSSETXATTR))
        a[1] = FS_IOC_GETFLAGS; // no name that all need becomes immutable
    bool kills = is(call, "kill") || is(call, "tkill") || is(call, "tgkill") || is(call, "rt_sigqueueinfo") ||
                 is(call, "rt_tgsigqueueinfo") || is(call, "process_vm_writev") || is(call, "prlimit64") ||
                 is(call, "setpriority") || !strncmp(call->name, "sched_set", 9);
    if (root && kills) // root's programs leave the workers alone
        a[is(call, "setpriority") ? 1 : 0] = (unsigned long)getpid();
    if (root && (is(call, "sched_setscheduler") || is(call, "sched_setattr")))
        a[1] = 0; // no policy that keeps a hart for itself
    if ((is(call, "munmap") || is(call, "mmap") || is(call, "mremap") || is(call, "mprotect")) && one_in(2))
        a[0] =
            (unsigned long)arena + ARENA_SIZE + PAGE * random_below(64); // more often beside what values need
}

// ---- all of a call

// Whether a call changes what a name stands for: root may do that to names that all need.
static bool changes_names(const struct call *call) {
    static const char *const calls_that_do[] = {"mkdirat",  "mknodat",   "unlinkat", "symlinkat",
                                                "linkat",   "renameat2", "mount",    "umount2",
                                                "fchmodat", "fchmodat2", "fchownat", "truncate"};
    for (size_t i = 0; i < sizeof(calls_that_do) / sizeof(calls_that_do[0]); i++) {
        if (is(call, calls_that_do[i]))
            return true;
    }
    return false;
}

void make_arguments(const struct call *call, unsigned long arguments[CALL_PARAMETERS], bool root) {
    own_names = root && changes_names(call);
    for (unsigned int i = 0; i < CALL_PARAMETERS; i++)
        arguments[i] = i < call->parameters ? value(call->types[i]) : number();
    special(call->name, arguments);
    tame(call, arguments, root);
}

void values_init(void) {
    arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    readonly = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(arena + ARENA_SIZE - PAGE, PAGE);
    used = 0;
}
