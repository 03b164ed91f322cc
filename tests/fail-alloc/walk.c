// SPDX-License-Identifier: MIT
// /init of a debug kernel whose allocations fail on purpose (kernel/mm/fail_alloc.h). Each operation is made again and again,
// with the 1st, 2nd, 3rd, ... allocation failing in it, until it is through before its time comes. What a program sees then
// is success, or an error that says there is no memory; and nothing of it is left behind: as many objects of each kind are
// in use as before (/proc/slabinfo), and as much memory is free.
//
// Prints "ok NAME" and "not ok NAME" as the user tests do, and "DONE". With the argument `devices` the operations are devices.c's; with `storm` (for fail_alloc=1/N) all
// operations are made for a while in several processes at once; that the machine goes on is what counts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "walk.h"

enum {
    DEEPEST = 4000,
    REPEAT = 8,
    OBJECTS_LEFT = 5,
    KB_LEFT = 28,
    KB_A_HART = 256,
    CACHES = 64,
    STORM_ROUNDS = 60,
    STORM_PROCESSES = 6
};

// ---- operations: 0, or the error. All that they make is gone when their process has ended.

static int wait_for(pid_t pid) {
    int status;
    if (pid < 0)
        return errno;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

static int do_fork(void) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return wait_for(pid);
}

static int do_vfork_exec(void) {
    char *argv[] = {"walk", "nothing", NULL};
    pid_t pid;
    int err = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
    return err ? err : wait_for(pid);
}

// In a process of its own: behind the point of no return what fails ends it.
static int do_exec(void) {
    char *argv[] = {"walk", "report", NULL};
    execve("/proc/self/exe", argv, environ);
    return errno;
}

static int do_script(void) {
    char *argv[] = {"/script", NULL};
    execve("/script", argv, environ);
    return errno;
}

static void *nothing(void *arg) {
    return arg;
}

static int do_thread(void) {
    pthread_t t;
    int err = pthread_create(&t, NULL, nothing, NULL);
    return err ? err : pthread_join(t, NULL);
}

static int do_mmap(void) {
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    for (int i = 0; i < 1 << 20; i += 65536)
        p[i] = 1;
    if (mprotect(p + 4096, 8192, PROT_READ) || munmap(p + 65536, 4096))
        return errno;
    p = mremap(p + 131072, 65536, 1 << 22, MREMAP_MAYMOVE);
    return p == MAP_FAILED ? errno : 0;
}

static int do_map_file(void) {
    int fd = open("/proc/self/exe", O_RDONLY);
    if (fd < 0)
        return errno;
    volatile char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return errno;
    (void)p[4096];
    p[0] = 1;
    return 0;
}

static int do_shared(void) {
    volatile char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    p[0] = p[1 << 19] = 1;
    int fd = memfd_create("walk", MFD_ALLOW_SEALING);
    return fd < 0 || write(fd, "text", 4) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 ? errno : 0;
}

static int do_files(void) {
    char name[300], to[300];
    memset(name, 'n', 200), memset(to, 'm', 250);
    name[200] = to[250] = '\0';
    unlink(name), unlink(to);
    int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd < 0)
        return errno;
    int err = error_of(write(fd, "text", 4)) ?: error_of(rename(name, to)) ?: error_of(pwrite(fd, "x", 1, 1 << 21))
           ?: error_of(flock(fd, LOCK_EX)) ?: error_of(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    struct flock lock = {.l_type = F_WRLCK, .l_len = 10};
    err = err ?: error_of(fcntl(fd, F_SETLK, &lock));
    close(fd);
    unlink(name), unlink(to);
    return err;
}

static int do_names(void) {
    char target[3000];
    memset(target, 't', sizeof(target)), target[sizeof(target) - 1] = '\0';
    int err = error_of(mkdir("d", 0700)) ?: error_of(symlink(target, "d/s")) ?: error_of(mknod("d/f", S_IFIFO | 0600, 0))
           ?: error_of(link("d/f", "d/l")) ?: error_of(access("d/none", F_OK) && errno == ENOENT ? 0 : -1);
    int fd = open("d/f", O_RDWR | O_NONBLOCK);
    err = err ?: error_of(fd) ?: error_of(write(fd, "text", 4));
    unlink("d/s"), unlink("d/f"), unlink("d/l"), rmdir("d");
    return err;
}

static int do_pipe(void) {
    char text[40000] = "";
    int p[2];
    if (pipe2(p, O_NONBLOCK))
        return errno;
    return error_of(write(p[1], text, sizeof(text))) ?: error_of(fcntl(p[1], F_SETPIPE_SZ, 1 << 18))
           ?: error_of(read(p[0], text, sizeof(text)));
}

// A connection by name that carries a descriptor, and a long datagram.
static int do_sockets(void) {
    static char text[40000];
    static const struct sockaddr_un name = {AF_UNIX, "\0walk"};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {text, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int p[2], l = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
              s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (l < 0 || s < 0 || bind(l, (void *)&name, 7) || listen(l, 1) || connect(s, (void *)&name, 7))
        return errno;
    int a = accept(l, NULL, NULL);
    if (a < 0)
        return errno;
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &l, sizeof(l));
    int err = error_of(sendmsg(s, &m, 0)) ?: error_of(recvmsg(a, &m, MSG_PEEK)) ?: error_of(recvmsg(a, &m, 0));
    if (err || socketpair(AF_UNIX, SOCK_DGRAM, 0, p))
        return err ?: errno;
    return error_of(send(p[0], text, sizeof(text), 0)) ?: error_of(recv(p[1], text, sizeof(text), 0));
}

// Socket, request, answer, dump, notice, and a change that is taken back.
static int do_netlink(void) {
    struct {
        struct nlmsghdr h;
        struct ifaddrmsg a;
        struct rtattr t;
        unsigned char ip[4];
    } m = {{sizeof(m), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
           {.ifa_family = AF_INET},
           {8, IFA_LOCAL},
           {10, 99, 99, 1}};
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    static char text[8192];
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE), err = 0;
    if (s < 0 || bind(s, (void *)&own, sizeof(own)) || send(s, &m, sizeof(m), 0) < 0)
        return errno;
    if (recv(s, text, sizeof(text), 0) < 0 && errno != EAGAIN)
        return errno;
    m.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
    m.a.ifa_prefixlen = 32;
    m.a.ifa_index = 1;
    for (m.h.nlmsg_type = RTM_NEWADDR; m.h.nlmsg_type <= RTM_DELADDR; m.h.nlmsg_type++)
        if (send(s, &m, sizeof(m), 0) < 0)
            return errno;
    for (ssize_t n; (n = recv(s, text, sizeof(text), 0)) > 0 || errno == ENOBUFS;) {
        const struct nlmsghdr *h = (void *)text;
        int said = n <= 0                         ? -ENOBUFS
                   : h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error
                                                  : 0;
        if (said && said != -EADDRNOTAVAIL &&
            said != -EEXIST) // of an attempt before, which failed between the two
            err = -said;
    }
    return err;
}

// The machine's first one starts lwIP, and each failure leaves a start to be gone on with.
static int do_first_socket(void) {
    return error_of(socket(AF_INET, SOCK_DGRAM, 0));
}

// Datagrams to oneself, with control data, in a group; a raw socket that hears one; signals of a file. One that finds no memory on its
// way is lost, as any may be.
static int do_datagrams(void) {
    static char text[3000];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ip_mreq group = {.imr_multiaddr.s_addr = htonl(0xef010203),
                            .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int one = 1, s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
        r = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP);
    if (s < 0 || r < 0 || bind(s, (void *)&a, len) || getsockname(s, (void *)&a, &len))
        return errno;
    if (setsockopt(s, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) ||
        setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) || fcntl(s, F_SETOWN, getpid()) ||
        fcntl(s, F_SETSIG, SIGURG) || fcntl(s, F_SETFL, O_ASYNC | O_NONBLOCK))
        return errno;
    int err = error_of(sendto(s, text, sizeof(text), 0, (void *)&a, len));
    if (!err && (recv(s, text, sizeof(text), 0) < 0 || recv(r, text, sizeof(text), 0) < 0))
        err = errno == EAGAIN ? ENOBUFS : errno;
    return err;
}

// A network of its own, in which a connection is made and left.
static int do_network(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    socklen_t len = sizeof(a);
    char text[512];
    if ((mkdir("net", 0700) && errno != EEXIST) || unshare(CLONE_NEWNET | CLONE_NEWNS))
        return errno;
    int s = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s < 0 || c < 0 || ioctl(s, SIOCSIFFLAGS, &r))
        return errno;
    if (mount("s", "net", "sysfs", 0, NULL) || umount2("net", MNT_DETACH))
        return errno;
    int fd = open("/proc/self/net/tcp", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof(text)) < 0)
        return errno;
    if (bind(s, (void *)&a, len) || listen(s, 4) ||
        getsockname(s, (void *)&a, &len)) // without memory lo has no address
        return errno == EADDRNOTAVAIL ? ENOBUFS : errno;
    if (connect(c, (void *)&a, len) && errno != EINPROGRESS)
        return errno == ECONNRESET || errno == ECONNREFUSED || errno == ENETUNREACH ? ENOBUFS : errno;
    return 0;
}

// A connection, data both ways and its end, which both sides do by a reset. A segment that finds no memory is sent again only later:
// here that counts as no memory.
static int do_tcp(void) {
    static char text[40000];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger hard = {1, 0};
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
        c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), d;
    if (l < 0 || c < 0 || bind(l, (void *)&a, len) || listen(l, 4) || getsockname(l, (void *)&a, &len))
        return errno;
    if (setsockopt(l, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) ||
        setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)))
        return errno;
    if (connect(c, (void *)&a, len) && errno != EINPROGRESS)
        return errno == ECONNRESET || errno == ECONNREFUSED ? ENOBUFS : errno;
    if ((d = accept4(l, NULL, NULL, SOCK_NONBLOCK)) < 0)
        return errno;
    for (int i = 0; i < 2; i++) {
        int from = i ? c : d, to = i ? d : c;
        ssize_t n = send(from, text, sizeof(text), MSG_NOSIGNAL);
        if (n < 0 || send(from, "u", 1, MSG_OOB | MSG_NOSIGNAL) < 0 || recv(to, text, sizeof(text), 0) < 0)
            return errno == ECONNRESET || errno == EPIPE || errno == ENOTCONN ? ENOBUFS : errno;
    }
    int file = memfd_create("lent", 0);
    off_t at = 0;
    if (file < 0 || ftruncate(file, sizeof(text)) || pwrite(file, text, sizeof(text), 0) < 0)
        return errno;
    if (sendfile(c, file, &at, sizeof(text)) < 0 || shutdown(c, SHUT_WR))
        return errno == ENOTCONN || errno == EPIPE || errno == EAGAIN ? ENOBUFS : errno;
    return 0;
}

static int do_udplite(void) {
    char text[3000] = "";
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int covered = 20, s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDPLITE);
    if (s < 0 || bind(s, (void *)&a, len) || getsockname(s, (void *)&a, &len) || connect(s, (void *)&a, len))
        return errno;
    if (setsockopt(s, IPPROTO_UDPLITE, 10, &covered, sizeof(covered)) || send(s, text, sizeof(text), 0) < 0)
        return errno;
    return error_of(recv(s, text, sizeof(text), 0));
}

// Many files that tell of a signal: more than its sender wakes for, in an epoll set.
static int do_signalfds(void) {
    struct epoll_event e = {.events = EPOLLIN}, got[32];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int epoll = epoll_create1(0), fd = -1;
    if (epoll < 0 || sigprocmask(SIG_BLOCK, &set, NULL))
        return errno;
    for (int i = 0; i < 20; i++) {
        fd = signalfd(-1, &set, SFD_NONBLOCK);
        if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
            return errno;
    }
    char text[sizeof(struct signalfd_siginfo)];
    if (kill(getpid(), SIGUSR1))
        return errno;
    return error_of(epoll_wait(epoll, got, 32, 1000)) ?: error_of(read(fd, text, sizeof(text)));
}

// A segment of shared memory by a key, attached twice, inherited and removed. What stays if something fails is removed by the next.
static int do_segment(void) {
    int id = shmget(0x77a1, 3 * 4096, IPC_CREAT | 0600), err = 0;
    if (id < 0)
        return errno;
    char *a = shmat(id, NULL, 0), *b = a == (void *)-1 ? a : shmat(id, NULL, SHM_RDONLY);
    err = b == (void *)-1 ? errno : 0;
    if (!err) {
        a[0] = a[8192] = 1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        err = wait_for(pid);
    }
    return error_of(shmctl(id, IPC_RMID, NULL)) ?: err;
}

static int do_pty(void) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0, number;
    if (master < 0)
        return errno;
    if (ioctl(master, TIOCSPTLCK, &unlock) || ioctl(master, TIOCGPTN, &number))
        return errno;
    char path[40];
    snprintf(path, sizeof(path), "/dev/pts/%d", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    return slave < 0 ? errno : error_of(write(slave, "text\n", 5)) ?: error_of(write(master, "text\n", 5));
}

static int do_epoll(void) {
    int set = epoll_create1(0), outer = epoll_create1(0), event = eventfd(1, 0),
        timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got[2];
    if (set < 0 || outer < 0 || event < 0 || timer < 0)
        return errno;
    return error_of(epoll_ctl(set, EPOLL_CTL_ADD, event, &e)) ?: error_of(epoll_ctl(set, EPOLL_CTL_ADD, timer, &e))
           ?: error_of(epoll_ctl(outer, EPOLL_CTL_ADD, set, &e)) ?: error_of(epoll_wait(outer, got, 2, 0));
}

static int do_poll(void) {
    struct pollfd fds[600];
    for (int i = 0; i < 600; i++)
        fds[i] = (struct pollfd){.fd = i % 3, .events = POLLOUT};
    return error_of(poll(fds, 600, 0));
}

static int do_descriptors(void) {
    for (int i = 0; i < 300; i++) {
        if (dup(0) < 0)
            return errno;
    }
    return 0;
}

static int do_timers(void) {
    struct itimerspec soon = {.it_value.tv_nsec = 1}, never = {.it_value.tv_sec = 1000};
    struct sigevent by_signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &by_signal, &timer) || timer_settime(timer, 0, &never, NULL) ||
        timer_settime(timer, 0, &soon, NULL) || sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}))
        return errno;
    return 0;
}

static int do_identity(void) {
    gid_t groups[200] = {0};
    return error_of(setgroups(200, groups)) ?: error_of(setresgid(1000, 1001, 1002)) ?: error_of(setresuid(1000, 1001, 1002));
}

static int do_mount(void) {
    int err = error_of(mkdir("m", 0700)) ?: error_of(mount("none", "m", "tmpfs", 0, "size=1m"));
    if (!err)
        err = error_of(mount("m", "m", NULL, MS_BIND | MS_REC, NULL)) ?: error_of(umount("m"));
    while (!umount2("m", MNT_DETACH))
        ;
    rmdir("m");
    return err;
}

static int do_proc(void) {
    static const char *const paths[] = {
        "/proc/self/maps", "/proc/self/status",   "/proc/self/mountinfo", "/proc/meminfo",
        "/proc/stat",      "/proc/self/fdinfo/0", "/proc/1/cmdline",      "/sys/class/tty/console/active"};
    char text[4096];
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        int fd = open(paths[i], O_RDONLY);
        if (fd < 0 || read(fd, text, sizeof(text)) < 0)
            return errno;
        close(fd);
    }
    return error_of(readlink("/proc/self/exe", text, sizeof(text)))
               ?: error_of(getcwd(text, sizeof(text)) ? 0 : -1);
}

static int do_vectors(void) {
    static char buffer[1024];
    struct iovec v[500];
    int fd = open("/dev/null", O_WRONLY);
    for (int i = 0; i < 500; i++)
        v[i] = (struct iovec){buffer, 2};
    return fd < 0 ? errno : error_of(writev(fd, v, 500)) ?: error_of(process_vm_readv(getpid(), v, 500, v, 500, 0));
}

static const struct operation operations[] = {
    {"fork", do_fork, false},
    {"spawn", do_vfork_exec, false},
    {"exec", do_exec, true},
    {"script", do_script, true},
    {"thread", do_thread, false},
    {"mmap", do_mmap, false},
    {"map_file", do_map_file, false},
    {"shared", do_shared, false},
    {"files", do_files, false},
    {"names", do_names, false},
    {"pipe", do_pipe, false},
    {"sockets", do_sockets, false},
    {"netlink", do_netlink, false},
    {"first_socket", do_first_socket, false},
    {"datagrams", do_datagrams, false},
    {"pty", do_pty, false},
    {"epoll", do_epoll, false},
    {"poll", do_poll, false},
    {"descriptors", do_descriptors, false},
    {"timers", do_timers, false},
    {"identity", do_identity, false},
    {"mount", do_mount, false},
    {"proc", do_proc, false},
    {"vectors", do_vectors, false},
    {"tcp", do_tcp, false},
    {"udplite", do_udplite, false},
    {"signalfds", do_signalfds, false},
    {"segment", do_segment, false},
    {"watches", do_watches, false},
    {"splice", do_splice, false},
    {"sysv", do_sysv, false},
    {"mqueue", do_mqueue, false},
    {"filters", do_filters, false},
    {"attributes", do_attributes, false},
    {"acl", do_acl, false},
    {"others", do_others, false},
    {"trace", do_trace, false},
    {"accounting", do_accounting, false},
    {"remap", do_remap, false},
    {"seal", do_seal, false},
    {"lease", do_lease, false},
    {"keys", do_keys, false},
    {"mount steps", do_mount_steps, false},
    {"mount shared", do_mount_shared, false},
    {"namespaces", do_namespaces, false},
    {"enter", do_enter, false},
    {"pids", do_pid_namespace, false},
    {"network", do_network, false},
};

// ---- one walk

// How an operation's process tells what came of it: nothing failed in it yet (the walk's end), or what it said.
enum { THROUGH = 100, TROUBLE = 101 };

static bool is_shortage(int err) {
    return err == 0 || err == ENOMEM || err == ENOSPC || err == ENFILE || err == EAGAIN || err == ENOBUFS ||
           err == ENOLCK;
}

// What has not happened when the operation is over will not.
static int report(int fd, int err) {
    char text[16] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    return n > 0 && text[0] != '0' ? THROUGH : err;
}

static int run_with_failure(const struct operation *o, int n) {
    char text[16];
    int fd = open("/proc/thread-self/fail-nth", O_RDWR);
    if (fd < 0 || dup2(fd, 9) != 9)
        return TROUBLE;
    if (o->may_die) // the loader's complaint
        dup2(open("/dev/null", O_WRONLY), 2);
    snprintf(text, sizeof(text), "%d", n);
    if (pwrite(9, text, strlen(text), 0) < 0)
        return TROUBLE;
    return report(9, o->run());
}

static const char *complaint(const struct operation *o, int n) {
    static char text[200];
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(run_with_failure(o, n));
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "allocation %d: killed by signal %d", n, WTERMSIG(status));
        return o->may_die ? "" : text;
    }
    if (o->may_die && WEXITSTATUS(status) == 127) // the program's loader cannot go on, and says why
        return "";
    if (WEXITSTATUS(status) == THROUGH)
        return NULL;
    snprintf(text, sizeof(text), "allocation %d: %s", n,
             WEXITSTATUS(status) == TROUBLE ? "cannot set fail-nth" : strerror(WEXITSTATUS(status)));
    return is_shortage(WEXITSTATUS(status)) ? "" : text;
}

// How deep it went; negative: something was wrong, which is told.
static int walk(const struct operation *o) {
    for (int n = 1; n <= DEEPEST; n++) {
        const char *said = complaint(o, n);
        if (!said)
            return n - 1;
        if (*said) {
            printf("# %s\n", said);
            return -1;
        }
    }
    printf("# no end after %d allocations\n", DEEPEST);
    return -1;
}

// ---- what is in use

struct cache {
    char name[32];
    long active;
};

static long free_kb(void) {
    char line[200];
    long kb = -1;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f))
        (void)sscanf(line, "MemFree: %ld", &kb);
    if (f)
        fclose(f);
    return kb;
}

static int look(struct cache *caches) {
    char line[300];
    int n = 0;
    FILE *f = fopen("/proc/slabinfo", "r");
    while (f && n < CACHES && fgets(line, sizeof(line), f))
        n += sscanf(line, "%31s %ld", caches[n].name, &caches[n].active) == 2;
    if (f)
        fclose(f);
    return n;
}

// Several harts each keep some free pages at hand.
static bool nothing_left(const struct cache *before, const struct cache *after, int n, long kb, bool tell) {
    long harts = sysconf(_SC_NPROCESSORS_ONLN), kb_left = harts > 1 ? harts * KB_A_HART : KB_LEFT;
    bool clean = n > 0 && kb <= kb_left;
    for (int i = 0; i < n; i++) {
        if (after[i].active - before[i].active <= OBJECTS_LEFT)
            continue;
        clean = false;
        if (tell)
            printf("# %ld objects of %s are left\n", after[i].active - before[i].active, before[i].name);
    }
    if (kb > kb_left && tell)
        printf("# %ld kB less are free\n", kb);
    return clean;
}

static void test(const struct operation *o) {
    static struct cache before[CACHES], after[CACHES];
    bool good = walk(o) >= 0; // fills caches, too
    int n = look(before);
    long kb = free_kb();
    int depth = good ? 0 : -1;
    for (int i = 0; i < REPEAT && depth >= 0; i++) // one object lost in one place are as many as this
        depth = walk(o);
    good = false;
    for (int tries = 20; depth >= 0 && !good && tries--;
         usleep(good ? 0 : 500000)) { // the ends of connections come late
        look(after);
        good = nothing_left(before, after, n, kb - free_kb(), !tries);
    }
    printf("%s failing_allocations_in_%s (%d)\n", good ? "ok" : "not ok", o->name, depth);
    fflush(stdout);
}

// ---- with fail_alloc=1/N

static void storm(void) {
    pid_t pids[STORM_PROCESSES];
    for (int i = 0; i < STORM_PROCESSES; i++) {
        if ((pids[i] = fork()) != 0)
            continue;
        char directory[20];
        snprintf(directory, sizeof(directory), "/s%d", i);
        mkdir(directory, 0700);
        if (chdir(directory))
            _exit(0);
        for (int round = 0; round < STORM_ROUNDS; round++) {
            const struct operation *o = &operations[(round + i) % (sizeof(operations) / sizeof(*operations))];
            pid_t pid = fork();
            if (pid == 0)
                _exit(o->run());
            wait_for(pid);
        }
        _exit(0);
    }
    for (int i = 0; i < STORM_PROCESSES; i++)
        wait_for(pids[i]);
    printf("ok machine_goes_on_while_allocations_fail\n");
}

static void set_up(void) {
    mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
    mount("none", "/proc", "proc", 0, NULL);
    mount("none", "/sys", "sysfs", 0, NULL);
    mount("none", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mount("none", "/dev/pts", "devpts", 0, NULL);
    mkdir("/work", 0700);
    if (chdir("/work"))
        return;
    int fd = open("/script", O_CREAT | O_WRONLY | O_TRUNC, 0755);
    if (fd >= 0 && write(fd, "#!/walk report\n", 15) == 15)
        close(fd);
}

int main(int argc, char **argv) {
    if (getpid() != 1)
        return argc > 1 && strcmp(argv[1], "report") == 0 ? report(9, 0) : 0;
    set_up();
    if (argc > 1 && strcmp(argv[1], "storm") == 0)
        storm();
    else if (argc > 1 && strcmp(argv[1], "devices") == 0)
        for (size_t i = devices_set_up() ? 0 : device_operation_count; i < device_operation_count; i++)
            test(&device_operations[i]);
    else if (argc > 1 && strcmp(argv[1], "nothing") == 0)
        ;
    else
        for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
            test(&operations[i]);
    printf("DONE\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
