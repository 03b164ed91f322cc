// SPDX-License-Identifier: MIT
// What sockets, waiting for many descriptors, tracing, and the larger files of /proc cost (bench.h tells how it is counted).
#define _GNU_SOURCE
#include "bench.h"
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { BLOCKS = 500 }; // of 64 KiB

// A child that sends back each byte or datagram it gets.
static void echo(int fd) {
    if (fork() == 0) {
        for (int i = 0; i < ROUNDS; i++)
            if (read(fd, buffer, 1) != 1 || write(fd, buffer, 1) != 1)
                _exit(1);
        _exit(0);
    }
}

// A child that reads 64 KiB blocks until there are no more.
static void drain(int fd, int other) {
    if (fork() == 0) {
        close(other);
        while (read(fd, buffer, BLOCK) > 0)
            ;
        _exit(0);
    }
    close(fd);
}

// To one who drains it.
static void send_file(const char *name, int to) {
    int file = memfd_create("file", 0);
    must(write(file, buffer, BLOCK) == BLOCK, "write");
    MEASURE(name, BLOCKS, {
        off_t at = 0;
        must(sendfile(to, file, &at, BLOCK) == BLOCK, "sendfile");
    });
    close(file);
}

static void send_descriptor(int s, int fd) {
    char control[CMSG_SPACE(sizeof(fd))] = {0};
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    must(sendmsg(s, &m, 0) == 1, "sendmsg");
}

static int receive_descriptor(int s) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {buffer, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd = -1;
    must(recvmsg(s, &m, 0) == 1 && CMSG_FIRSTHDR(&m), "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

// A connected pair over the loopback device.
static void inet_pair(int type, int pair[2]) {
    struct sockaddr_in at[2] = {{.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at[0]);
    int one = 1;
    at[1] = at[0];
    for (int i = 0; i < 2; i++) {
        pair[i] = socket(AF_INET, type, 0);
        must(bind(pair[i], (struct sockaddr *)&at[i], len) == 0, "bind");
        getsockname(pair[i], (struct sockaddr *)&at[i], &len);
    }
    if (type == SOCK_DGRAM) {
        must(connect(pair[1], (struct sockaddr *)&at[0], len) == 0, "connect");
        must(connect(pair[0], (struct sockaddr *)&at[1], len) == 0, "connect");
        return;
    }
    int listener = pair[1];
    must(listen(listener, 1) == 0 && connect(pair[0], (struct sockaddr *)&at[1], len) == 0, "connect");
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void bench_connecting(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 8) == 0, "listen");
    getsockname(listener, (struct sockaddr *)&at, &len);
    MEASURE("TCP: connect, accept, close", ROUNDS / 5, {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        must(connect(s, (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
        close(accept(listener, NULL, NULL));
        close(s);
    });
    close(listener);
}

static void bench_inet(void) {
    int pair[2];
    inet_pair(SOCK_STREAM, pair);
    echo(pair[1]);
    MEASURE("TCP, two processes, round trip", ROUNDS, {
        must(write(pair[0], buffer, 1) == 1, "write");
        must(read(pair[0], buffer, 1) == 1, "read");
    });
    wait(NULL);
    drain(pair[1], pair[0]);
    MEASURE("TCP, 64 KiB to another process", BLOCKS, must(write(pair[0], buffer, BLOCK) == BLOCK, "write"));
    send_file("TCP, sendfile of 64 KiB", pair[0]);
    close(pair[0]);
    wait(NULL);
    inet_pair(SOCK_DGRAM, pair);
    echo(pair[1]);
    MEASURE("UDP, two processes, round trip", ROUNDS, {
        must(send(pair[0], buffer, 1, 0) == 1, "send");
        must(recv(pair[0], buffer, 1, 0) == 1, "recv");
    });
    wait(NULL);
    close(pair[0]), close(pair[1]);
    bench_connecting();
}

static void bench_epoll(void) {
    enum { SOCKETS = 1000 };
    int e = epoll_create1(0), pair[2], all[SOCKETS];
    struct epoll_event event = {.events = EPOLLIN};
    struct rlimit limit = {SOCKETS + 100, SOCKETS + 100};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < SOCKETS; i += 2) {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, all + i) == 0, "socketpair");
        for (int n = i; n < i + 2; n++)
            must(epoll_ctl(e, EPOLL_CTL_ADD, all[n], &event) == 0, "epoll_ctl");
    }
    MEASURE("epoll_wait on 1,000 sockets, one of them ready", ROUNDS, {
        write(all[i % SOCKETS ^ 1], buffer, 1);
        must(epoll_wait(e, &event, 1, -1) == 1, "epoll_wait");
        read(all[i % SOCKETS], buffer, 1);
    });
    for (int i = 0; i < SOCKETS; i++)
        close(all[i]);
    close(e);
    struct pollfd polled[100];
    must(pipe(pair) == 0, "pipe");
    for (int i = 0; i < 100; i++)
        polled[i] = (struct pollfd){.fd = i ? dup(pair[0]) : pair[0], .events = POLLIN};
    MEASURE("poll of 100 descriptors, none ready", ROUNDS, must(poll(polled, 100, 0) == 0, "poll"));
    for (int i = 0; i < 100; i++)
        close(polled[i].fd);
    close(pair[1]);
}

// All of a file of /proc, opened anew.
static void read_all(const char *name) {
    int fd = open(name, O_RDONLY);
    must(fd >= 0, name);
    while (read(fd, buffer, BLOCK) > 0)
        ;
    close(fd);
}

static void bench_proc(void) {
    enum { AREAS = 2000 };
    MEASURE("/proc/self/stat: open, read, close", 1000, read_all("/proc/self/stat"));
    char *map = mmap(NULL, AREAS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < AREAS; i += 2)
        mprotect(map + i * PAGE, PAGE, PROT_NONE);
    MEASURE("/proc/self/maps of 2,000 areas: open, read, close", 10, read_all("/proc/self/maps"));
    munmap(map, AREAS * PAGE);
}

static void bench_sockets(void) {
    int pair[2], null = open("/dev/null", O_WRONLY);
    must(pipe(pair) == 0, "pipe");
    drain(pair[0], pair[1]);
    MEASURE("pipe, 64 KiB to another process", BLOCKS, must(write(pair[1], buffer, BLOCK) == BLOCK, "write"));
    close(pair[1]);
    wait(NULL);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    echo(pair[1]);
    MEASURE("UNIX stream, two processes, round trip", ROUNDS, {
        must(write(pair[0], buffer, 1) == 1, "write");
        must(read(pair[0], buffer, 1) == 1, "read");
    });
    wait(NULL);
    drain(pair[1], pair[0]);
    MEASURE("UNIX stream, 64 KiB to another process", BLOCKS,
            must(write(pair[0], buffer, BLOCK) == BLOCK, "write"));
    send_file("UNIX stream, sendfile of 64 KiB", pair[0]);
    close(pair[0]);
    wait(NULL);
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
    echo(pair[1]);
    MEASURE("UNIX datagram, two processes, round trip", ROUNDS, {
        must(send(pair[0], buffer, 1, 0) == 1, "send");
        must(recv(pair[0], buffer, 1, 0) == 1, "recv");
    });
    wait(NULL);
    MEASURE("a descriptor sent, received and closed", ROUNDS, {
        send_descriptor(pair[0], null);
        close(receive_descriptor(pair[1]));
    });
    close(pair[0]), close(pair[1]);
    MEASURE("socketpair + close", ROUNDS, {
        must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
        close(pair[0]);
        close(pair[1]);
    });
}

// Linux's is down at first.
static void raise_loopback(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s >= 0)
        ioctl(s, SIOCSIFFLAGS, &lo);
    close(s);
}

// A traced child that does nothing but system calls: from one end of one to the next stop.
static void bench_tracing(void) {
    pid_t child = fork();
    if (!child) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        for (;;)
            syscall(SYS_getppid);
    }
    waitpid(child, NULL, 0);
    MEASURE("stop of a traced process at a system call, round trip", ROUNDS, {
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
        waitpid(child, NULL, 0);
    });
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(void) {
    if (getpid() == 1)
        set_up_as_init();
    printf("main\t%lu\t1\n", rdtime());
    raise_loopback();
    sleep(5); // a kernel's own start-up work shall be over
    bench_proc();
    bench_sockets();
    bench_epoll();
    bench_inet();
    bench_tracing();
    printf("end\n");
    fflush(stdout);
    if (getpid() == 1)
        reboot(RB_POWER_OFF);
    return 0;
}
