// SPDX-License-Identifier: MIT
// A program: a directory with something of everything in it, open files of every kind, a child, other threads, and then its
// calls.
#define _GNU_SOURCE
#include "tests/fuzz-calls/calls.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOG_FD       200 // where a verbose program tells
#define THREADS_MAX  3
#define CALLS_A_TICK 16

static void nothing(int sig) {
    (void)sig;
}

// Ends calls that wait: a signal each few milliseconds, whatever the calls did to signals and timers.
static void interrupt_waits(void) {
    struct sigaction act = {.sa_handler = nothing};
    struct itimerval often = {{0, 4000}, {0, 4000}};
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &act, NULL);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void make_files(void) {
    int fd = open("a", O_CREAT | O_RDWR, 0644);
    if (write(fd, "#!/bin/sh\nexit 0\n", 17) != 17 || ftruncate(fd, 3 * 4096 + 100))
        _exit(0);
    close(fd);
    close(open("b", O_CREAT | O_RDWR, 0755));
    if (mkdir("d", 0777) || mkdir("d/e", 0777) || symlink("d/e", "link") || symlink("loop", "loop") ||
        mkfifo("fifo", 0666))
        _exit(0);
    close(open("d/a", O_CREAT | O_RDWR, 0644));
}

// What chattr(1) has fixed, which only root may do.
static void fix_files(void) {
    static const struct {
        const char *name;
        int flags;
    } fixed[] = {{"c", FS_IMMUTABLE_FL}, {"d/b", FS_APPEND_FL}, {"d/e", FS_IMMUTABLE_FL}};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        int fd = open(fixed[i].name, O_RDONLY | (i < 2 ? O_CREAT : 0), 0666);
        if (ioctl(fd, FS_IOC_SETFLAGS, &fixed[i].flags))
            _exit(0);
        close(fd);
    }
}

// Connected ones of each type, a listener with a connection that nobody has accepted, one that is bound, one that is nothing.
static void open_sockets(void) {
    struct sockaddr_un stream = {AF_UNIX, "\0stream"}, dgram = {AF_UNIX, "\0dgram"};
    int p[2];
    for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++)
        socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, p);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (void *)&stream, 9) == 0 && listen(listener, 3) == 0)
        fcntl(client, F_SETFL, O_NONBLOCK), connect(client, (void *)&stream, 9);
    bind(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), (void *)&dgram, 8);
    socket(AF_UNIX, SOCK_STREAM, 0);
    for (int protocol = 0; protocol <= 4; protocol += 2) // NETLINK_ROUTE, NETLINK_USERSOCK, NETLINK_SOCK_DIAG
        socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
}

// Of the internet's families: a connection that is not accepted, datagrams, raw and ping sockets. What is sent goes to 127.0.0.1 or ::1.
static void open_inet_sockets(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(listener, (void *)&a, sizeof(a)), listen(listener, 3), getsockname(listener, (void *)&a, &len);
    connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&a, len);
    a.sin_port = 0;
    int d = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    bind(d, (void *)&a, len), getsockname(d, (void *)&a, &len), connect(d, (void *)&a, len);
    socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);
    socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
}

// Descriptors 3 and on, of every kind.
static void open_files(void) {
    int p[2];
    open("a", O_RDWR);
    open("a", O_RDONLY);
    open(".", O_RDONLY | O_DIRECTORY);
    open("b", O_WRONLY | O_APPEND);
    open("d", O_PATH);
    if (pipe2(p, 0) || pipe2(p, O_NONBLOCK | O_CLOEXEC))
        _exit(0);
    open("fifo", O_RDWR | O_NONBLOCK);
    eventfd(1, EFD_NONBLOCK);
    timerfd_create(CLOCK_MONOTONIC, 0);
    sigset_t signals;
    sigfillset(&signals);
    signalfd(-1, &signals, SFD_NONBLOCK);
    syscall(SYS_mq_open, "fuzz", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
    int watches = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(watches, ".", IN_ALL_EVENTS);
    inotify_add_watch(watches, "a", IN_ALL_EVENTS);
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    epoll_ctl(set, EPOLL_CTL_ADD, p[0], &event);
    open_sockets();
    open_inet_sockets();
    memfd_create("fuzz", MFD_ALLOW_SEALING);
    open("/dev/zero", O_RDWR);
    open("/dev/null", O_RDWR);
    open("/dev/full", O_RDWR);
    open("/dev/random", O_RDONLY);
    int terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), number = 0;
    unlockpt(terminal);
    if (syscall(SYS_ioctl, terminal, 0x80045430 /* TIOCGPTN */, &number) == 0) {
        char name[40];
        snprintf(name, sizeof(name), "/dev/pts/%d", number);
        open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    }
    open("/proc/self/stat", O_RDONLY);
    open("/proc/self/mem", O_RDWR);
    open("/proc/self/maps", O_RDONLY);
    open("/proc/self", O_RDONLY | O_DIRECTORY);
    open("/proc/mounts", O_RDONLY);
    syscall(SYS_pidfd_open, getpid(), 0);
    open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static void bound(int resource, rlim_t n) {
    struct rlimit limit = {n, n};
    setrlimit(resource, &limit);
}

static void become(const struct program *p) {
    bound(RLIMIT_AS, 256 << 20);
    bound(RLIMIT_FSIZE, 4 << 20);
    bound(RLIMIT_NOFILE, 256);
    bound(RLIMIT_CORE, 0);
    bound(RLIMIT_CPU, 20);
    if (p->root)
        return;
    uid_t id = 1000 + p->worker;
    bound(RLIMIT_NPROC, 24);
    bound(RLIMIT_SIGPENDING, 64);
    if (setresgid(id, id, id) || setresuid(id, id, id))
        _exit(0);
}

static void print_call(const struct call *call, const unsigned long a[]) {
    dprintf(LOG_FD, "    syscall(%ld /* %s */", call->number, call->name);
    for (unsigned int i = 0; i < call->parameters; i++)
        dprintf(LOG_FD, ", 0x%lx", a[i]);
    dprintf(LOG_FD, ");\n");
}

static void make_call(const struct program *p) {
    unsigned long a[CALL_PARAMETERS];
    const struct call *call = &calls[random_below(call_count)];
    if (p->only)
        call = call_find(p->only);
    if (!call_is_allowed(call, p->root) || (!strncmp(call->name, "execve", 6) && !one_in(6)))
        return;
    make_arguments(call, a, p->root);
    if (p->verbose)
        print_call(call, a);
    pid_t self = (pid_t)syscall(SYS_gettid);
    long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (!strncmp(call->name, "clone", 5) && result == 0 && (pid_t)syscall(SYS_gettid) != self)
        syscall(SYS_exit, 0);
    if (p->verbose)
        dprintf(LOG_FD, "    // = %ld\n", result);
}

static void make_calls(const struct program *p, unsigned int thread) {
    random_start(p->seed, p->worker, p->number * (THREADS_MAX + 1ul) + thread);
    for (unsigned int i = 0; i < p->calls; i++) {
        if (i % CALLS_A_TICK == 0)
            interrupt_waits();
        make_call(p);
    }
}

struct thread_argument {
    const struct program *program;
    unsigned int thread;
};

static void *run_thread(void *argument) {
    struct thread_argument *a = argument;
    make_calls(a->program, a->thread);
    return NULL;
}

void program_run(const struct program *p) {
    static struct thread_argument arguments[THREADS_MAX];
    char name[16];
    snprintf(name, sizeof(name), "%u.%u", p->worker, p->number);
    prctl(PR_SET_NAME, name); // a panic tells it
    random_start(p->seed, p->worker, p->number * (THREADS_MAX + 1ul));
    if (p->verbose)
        dup2(1, LOG_FD);
    int null =
        open("/dev/null", O_RDWR); // before rights go: one of root's programs may have taken them from it
    if (dup2(null, 0) || dup2(null, 1) != 1 || dup2(null, 2) != 2)
        _exit(0);
    become(p);
    make_files();
    if (p->root)
        fix_files();
    open_files();
    values_init();
    unsigned int threads = one_in(3) ? random_below(THREADS_MAX + 1) : 0;
    if (one_in(4) && fork() == 0) // somebody to wait for, signal and look into
        for (;;)
            pause();
    for (unsigned int i = 0; i < threads; i++) {
        pthread_t thread;
        arguments[i] = (struct thread_argument){p, i + 1};
        pthread_create(&thread, NULL, run_thread, &arguments[i]);
    }
    make_calls(p, 0);
    syscall(SYS_exit_group, 0);
    __builtin_unreachable();
}
