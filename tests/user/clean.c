// SPDX-License-Identifier: MIT
// What goes out of the kernel is what it means to tell, and nothing that lay about on its stack or heap. On a sanitized kernel
// (make SANITIZE=1), which fills both with patterns, that is seen by looking for these; addresses of the kernel's are looked for
// everywhere.
#include "test.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/rtc.h>
#include <linux/stat.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>

TEST_DIRECTORY(0755)

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define FILL 0x11

static unsigned char area[16 * 4096] __attribute__((aligned(4096)));

static unsigned char *part(unsigned int n) {
    return area + 4096 * n;
}

// Four in a row of what a sanitized kernel fills stacks, free objects, free pages and red zones with.
static bool is_poison(const unsigned char *p) {
    return (*p == 0xcc || *p == 0x6b || *p == 0xaa || *p == 0xbb) && p[1] == *p && p[2] == *p && p[3] == *p;
}

static bool is_kernel_address(uint64_t v) {
    return v >= 0xffffffc000000000ull &&
           v < 0xfffffffffff00000ull; // above these: errors, small negative numbers
}

static void look(const char *what, const unsigned char *p, size_t n) {
    for (size_t i = 0; i + 8 <= n; i++) {
        uint64_t v;
        memcpy(&v, p + i, sizeof(v));
        if (is_poison(p + i) || (((uintptr_t)p + i) % 8 == 0 && is_kernel_address(v))) {
            printf("# %s: byte %zu on is 0x%016llx\n", what, i, (unsigned long long)v);
            test_fail(__FILE__, __LINE__, what);
        }
    }
}

// Makes a call that fills parts of `area`, which has to succeed, and looks at all of it.
#define OUT(call)                                                                                            \
    do {                                                                                                     \
        memset(area, FILL, sizeof(area));                                                                    \
        CHECK((call) >= 0);                                                                                  \
        look(#call, area, sizeof(area));                                                                     \
    } while (0)
#define SYS(name, ...) OUT(syscall(SYS_##name, __VA_ARGS__))

TEST(attributes_of_files_go_out_clean) {
    int fd = test_make("f", "text");
    CHECK(symlink("f", "l") == 0);
    SYS(fstat, fd, part(0));
    SYS(newfstatat, AT_FDCWD, "f", part(0), 0);
    SYS(newfstatat, AT_FDCWD, "l", part(0), AT_SYMLINK_NOFOLLOW);
    SYS(newfstatat, AT_FDCWD, "/dev/null", part(0), 0);
    SYS(newfstatat, AT_FDCWD, "/proc/self/fd/0", part(0), 0);
    SYS(statx, AT_FDCWD, "f", 0, STATX_ALL, part(0));
    SYS(statx, AT_FDCWD, "/proc", 0, 0, part(0));
    SYS(statfs, "/", part(0));
    SYS(statfs, "/proc", part(0));
    SYS(fstatfs, fd, part(0));
    SYS(readlinkat, AT_FDCWD, "l", part(0), 4096);
    SYS(readlinkat, AT_FDCWD, "/proc/self/exe", part(0), 4096);
    SYS(getcwd, part(0), 4096);
    SYS(cachestat, fd, &(uint64_t[2]){0}, part(0), 0);
    long key = syscall(SYS_add_key, "user", "k", "text", 4, -2 /* the process's keyring */);
    SYS(keyctl, 6 /* KEYCTL_DESCRIBE */, key, part(0), 4096);
    SYS(keyctl, 11 /* KEYCTL_READ */, key, part(0), 4096);
    SYS(keyctl, 11, -2, part(0), 4096);
    SYS(keyctl, 31 /* KEYCTL_CAPABILITIES */, part(0), 64);
    memset(area, FILL, sizeof(area));
    *(unsigned int *)part(0) = 128;
    CHECK(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", part(0), part(1), 0) == 0);
    look("name_to_handle_at", area, sizeof(area));
    SYS(ioctl, fd, FS_IOC_FSGETXATTR, part(0));
    SYS(ioctl, fd, FS_IOC_GETFLAGS, part(0));
    struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
    memset(area, FILL, sizeof(area));
    memcpy(area, &lock, sizeof(lock));
    CHECK(fcntl(fd, F_GETLK, area) == 0);
    look("F_GETLK", area, sizeof(area));
}

TEST(directories_go_out_clean) {
    static const char *const paths[] = {
        ".", "/", "/dev", "/dev/pts", "/proc", "/proc/self", "/proc/self/fd", "/proc/self/task", "/sys"};
    for (int i = 0; i < 40; i++) {
        char name[60];
        snprintf(name, sizeof(name), "%.*s", i + 1,
                 "a-name-that-gets-longer-from-one-to-the-next-until-the-end");
        close(test_make(name, ""));
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        int fd = open(paths[i], O_RDONLY | O_DIRECTORY);
        CHECK(fd >= 0);
        for (long n = 1; n > 0;) {
            OUT(n = syscall(SYS_getdents64, fd, part(0), 4096));
        }
        close(fd);
    }
}

TEST(the_machine_and_the_process_go_out_clean) {
    SYS(uname, part(0));
    SYS(sysinfo, part(0));
    SYS(times, part(0));
    SYS(getrusage, RUSAGE_SELF, part(0));
    SYS(getrusage, RUSAGE_CHILDREN, part(0));
    SYS(getrusage, RUSAGE_THREAD, part(0));
    SYS(getrlimit, RLIMIT_NOFILE, part(0));
    SYS(prlimit64, 0, RLIMIT_STACK, NULL, part(0));
    SYS(getresuid, part(0), part(1), part(2));
    SYS(getresgid, part(0), part(1), part(2));
    SYS(getgroups, 64, part(0));
    SYS(sched_getparam, 0, part(0));
    SYS(sched_getattr, 0, part(0), 128, 0);
    SYS(sched_getaffinity, 0, 1024, part(0));
    SYS(sched_rr_get_interval, 0, part(0));
    SYS(getcpu, part(0), part(1), NULL);
    SYS(get_robust_list, 0, part(0), part(1));
    SYS(prctl, PR_GET_NAME, part(0), 0, 0, 0);
    SYS(prctl, PR_GET_PDEATHSIG, part(0), 0, 0, 0);
    SYS(prctl, PR_GET_CHILD_SUBREAPER, part(0), 0, 0, 0);
    SYS(mincore, area, sizeof(area), part(0));
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    SYS(capget, &header, part(0));
    struct iovec to = {part(0), 4096}, from = {part(8), 4096};
    SYS(process_vm_readv, getpid(), &to, 1, &from, 1, 0);
}

TEST(clocks_and_timers_go_out_clean) {
    struct itimerspec later = {.it_value.tv_sec = 1000}, soon = {.it_value.tv_nsec = 1};
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    for (int clock = 0; clock < 8; clock++) {
        SYS(clock_gettime, clock, part(0));
        SYS(clock_getres, clock, part(0));
    }
    SYS(gettimeofday, part(0), part(1));
    SYS(getitimer, ITIMER_REAL, part(0));
    OUT(syscall(SYS_setitimer, ITIMER_REAL, &(struct itimerval){.it_value.tv_sec = 1000}, part(0)));
    CHECK(timer_create(CLOCK_MONOTONIC, &none, &timer) == 0);
    SYS(timer_settime, timer, 0, &later, part(0));
    SYS(timer_gettime, timer, part(0));
    SYS(timer_create, CLOCK_MONOTONIC, &none, part(0));
    int fd = (int)syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
    SYS(timerfd_settime, fd, 0, &soon, part(0));
    SYS(timerfd_gettime, fd, part(0));
    SYS(read, fd, part(0), 8);
    SYS(nanosleep, (&(struct timespec){0, 1}), part(0));
}

static int exit_quietly(void *arg) {
    (void)arg;
    return 3;
}

TEST(adjustments_of_clocks_go_out_clean) {
    int rtc = open("/dev/rtc0", O_RDONLY);
    memset(area, FILL, sizeof(area));
    memset(area, 0, 4); // nothing is set
    CHECK(syscall(SYS_adjtimex, area) >= 0);
    look("adjtimex", area, sizeof(area));
    memset(area, FILL, sizeof(area));
    memset(area, 0, 4);
    CHECK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, area) >= 0);
    look("clock_adjtime", area, sizeof(area));
    CHECK(rtc >= 0);
    OUT(ioctl(rtc, RTC_RD_TIME, part(0)));
}

TEST(ends_of_children_go_out_clean) {
    pid_t a = test_fork(exit_quietly, NULL), b = test_fork(exit_quietly, NULL);
    SYS(waitid, P_PID, a, part(0), WEXITED | WNOWAIT, part(1));
    SYS(waitid, P_PID, a, part(0), WEXITED, part(1));
    SYS(wait4, b, part(0), 0, part(1));
}

TEST(events_go_out_clean) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 5};
    int p[2], set = epoll_create1(0), event = eventfd(1, 0);
    OUT(syscall(SYS_pipe2, part(0), 0));
    CHECK(pipe(p) == 0 && write(p[1], "text", 4) == 4);
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, event, &e) == 0);
    SYS(epoll_pwait, set, part(0), 8, 0, NULL, 8);
    SYS(read, event, part(0), 8);
    struct pollfd fds[2] = {{.fd = p[0], .events = POLLIN}, {.fd = p[1], .events = POLLOUT}};
    memset(area, FILL, sizeof(area));
    memcpy(area, fds, sizeof(fds));
    CHECK(syscall(SYS_ppoll, area, 2, NULL, NULL, 0) == 2);
    look("ppoll", area, sizeof(area));
    memset(area, 0, 16);
    area[p[0] / 8] |= (unsigned char)(1 << p[0] % 8);
    CHECK(syscall(SYS_pselect6, p[0] + 1, area, NULL, NULL, NULL, NULL) == 1);
    look("pselect6", area, sizeof(area));
    OUT(ioctl(p[0], FIONREAD, part(0)));
    SYS(read, p[0], part(0), 4096);
}

static void look_at_text(const char *path) {
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    SYS(read, fd, part(0), 4096);
    close(fd);
}

TEST(objects_of_system_v_go_out_clean) {
    int set = semget(IPC_PRIVATE, 3, 0600), queue = msgget(IPC_PRIVATE, 0600),
        memory = shmget(IPC_PRIVATE, 100, 0600);
    struct {
        long type;
        char text[3];
    } m = {1, "abc"};
    CHECK(set >= 0 && queue >= 0 && memory >= 0 && msgsnd(queue, &m, 3, 0) == 0);
    SYS(semctl, set, 0, IPC_STAT, part(0));
    SYS(semctl, 0, 0, IPC_INFO, part(0));
    SYS(semctl, 0, 0, SEM_INFO, part(0));
    SYS(semctl, set & 0x7fff, 0, SEM_STAT, part(0));
    SYS(semctl, set, 0, GETALL, part(0));
    SYS(msgctl, queue, IPC_STAT, part(0));
    SYS(msgctl, 0, IPC_INFO, part(0));
    SYS(msgctl, 0, MSG_INFO, part(0));
    SYS(msgctl, queue & 0x7fff, MSG_STAT, part(0));
    SYS(msgrcv, queue, part(0), 4096, 0L, 0);
    SYS(shmctl, memory, IPC_STAT, part(0));
    SYS(shmctl, 0, SHM_INFO, part(0));
    SYS(shmctl, memory & 0x7fff, SHM_STAT, part(0));
    look_at_text("/proc/sysvipc/sem");
    look_at_text("/proc/sysvipc/msg");
    look_at_text("/proc/sysvipc/shm");
    CHECK(semctl(set, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0);
    CHECK(shmctl(memory, IPC_RMID, NULL) == 0);
}

TEST(message_queues_and_watches_go_out_clean) {
    mqd_t q = mq_open("/clean", O_CREAT | O_RDWR, 0600, NULL);
    char path[64];
    CHECK(q >= 0 && mq_send(q, "abc", 3, 1) == 0);
    SYS(mq_getsetattr, q, NULL, part(0));
    SYS(read, q, part(0), 4096);
    SYS(mq_timedreceive, q, part(0), 8192, part(4), NULL);
    CHECK(mq_unlink("/clean") == 0);
    int fd = inotify_init1(IN_NONBLOCK);
    CHECK(fd >= 0 && inotify_add_watch(fd, ".", IN_ALL_EVENTS) == 1 && mkdir("name", 0700) == 0);
    CHECK(rmdir("name") == 0);
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    look_at_text(path);
    SYS(read, fd, part(0), 4096);
}

// Names, options, control data, errors: what they do not tell is not told.
static void look_at_sockets(int family, int type, int protocol) {
    static const int levels[] = {SOL_SOCKET,  IPPROTO_IP, IPPROTO_IPV6,  IPPROTO_TCP,
                                 IPPROTO_UDP, 255,        IPPROTO_ICMPV6};
    int s = socket(family, type, protocol);
    CHECK(s >= 0);
    for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
        for (int option = 0; option < 90; option++) {
            socklen_t len = 512;
            memset(area, FILL, 1024);
            if (levels[l] == SOL_SOCKET && option == SO_PEERCRED)
                continue; // nobody: 0 and twice -1, which looks like an address
            if (getsockopt(s, levels[l], option, area, &len) == 0)
                look("getsockopt", area, 1024);
        }
    socklen_t len = 128;
    memset(area, FILL, 1024);
    if (getsockname(s, (void *)area, &len) == 0)
        look("getsockname", area, 1024);
    close(s);
}

TEST(sockets_go_out_clean) {
    look_at_sockets(AF_UNIX, SOCK_STREAM, 0);
    for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
        look_at_sockets(family, SOCK_STREAM, 0);
        look_at_sockets(family, SOCK_DGRAM, 0);
        look_at_sockets(family, SOCK_RAW, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    }
}

TEST(messages_of_datagrams_go_out_clean) {
    static const int options[] = {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR, IP_RECVERR};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, SOCK_DGRAM, 0), nobody = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    CHECK(bind(s, (void *)&a, len) == 0 && bind(nobody, (void *)&a, len) == 0);
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        CHECK(setsockopt(s, IPPROTO_IP, options[i], &on, sizeof(on)) == 0);
    CHECK(getsockname(nobody, (void *)&a, &len) == 0 && close(nobody) == 0);
    CHECK(sendto(s, "x", 1, 0, (void *)&a, len) == 1 && getsockname(s, (void *)&a, &len) == 0);
    for (int i = 0; i < 2; i++) {
        memset(area, FILL, 4096);
        struct iovec iov = {area, 100};
        struct msghdr m = {.msg_name = area + 200,
                           .msg_namelen = 128,
                           .msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = area + 512,
                           .msg_controllen = 512};
        CHECK(i == 0 || recv(s, area, 1, MSG_DONTWAIT) == -1); // takes the error
        CHECK(i == 0 || sendto(s, "x", 1, 0, (void *)&a, len) == 1);
        CHECK(recvmsg(s, &m, i ? 0 : MSG_ERRQUEUE) == 1);
        look("recvmsg", area, 4096);
    }
}

TEST(terminals_go_out_clean) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0, number;
    char path[40];
    CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0 && ioctl(master, TIOCGPTN, &number) == 0);
    snprintf(path, sizeof(path), "/dev/pts/%d", number);
    int slave = open(path, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    OUT(ioctl(slave, TCGETS, part(0)));
    OUT(ioctl(slave, 0x5405 /* TCGETA */, part(0)));
    OUT(ioctl(slave, TIOCGWINSZ, part(0)));
    OUT(ioctl(slave, FIONREAD, part(0)));
    OUT(ioctl(slave, TIOCGETD, part(0)));
    OUT(ioctl(master, TIOCGPTN, part(0)));
    CHECK(write(slave, "text\n", 5) == 5);
    SYS(read, master, part(0), 4096);
    int serial = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (serial >= 0)
        OUT(ioctl(serial, 0x541e /* TIOCGSERIAL */, part(0)));
}

static struct {
    siginfo_t info;
    ucontext_t context;
    unsigned char below[512];
} seen;

static void keep(int sig, siginfo_t *info, void *context) {
    (void)sig;
    seen.info = *info;
    seen.context = *(ucontext_t *)context;
}

static void deliver(int sig, int how) {
    union sigval value = {.sival_int = 1};
    memset(&seen, FILL, sizeof(seen));
    if (how == 0)
        raise(sig);
    else if (how == 1)
        sigqueue(getpid(), sig, value);
    else
        kill(getpid(), sig);
    look("a signal's frame", (const unsigned char *)&seen, sizeof(seen));
}

TEST(signals_go_out_clean) {
    struct sigaction act = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
    for (int how = 0; how < 3; how++)
        deliver(SIGUSR1, how);
    SYS(rt_sigaction, SIGUSR1, NULL, part(0), 8);
    SYS(rt_sigprocmask, SIG_BLOCK, NULL, part(0), 8);
    SYS(rt_sigpending, part(0), 8);
    SYS(sigaltstack, NULL, part(0));
    SYS(sigaltstack, &stack, part(0));
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    raise(SIGUSR2);
    SYS(rt_sigtimedwait, &set, part(0), NULL, 8);
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 1});
    SYS(rt_sigtimedwait, &set, part(0), NULL, 8);
}

static jmp_buf *back_to;

static void keep_and_leave(int sig, siginfo_t *info, void *context) {
    keep(sig, info, context);
    siglongjmp(*back_to, 1);
}

TEST(faults_go_out_clean) {
    struct sigaction act = {.sa_sigaction = keep_and_leave, .sa_flags = SA_SIGINFO};
    jmp_buf here;
    back_to = &here;
    memset(&seen, FILL, sizeof(seen));
    CHECK(sigaction(SIGSEGV, &act, NULL) == 0);
    if (!sigsetjmp(here, 1))
        *(volatile int *)16 = 1;
    look("a fault's frame", (const unsigned char *)&seen, sizeof(seen));
}

TEST(texts_of_the_kernel_go_out_clean) {
    static const char *const paths[] = {"/proc/meminfo",
                                        "/proc/stat",
                                        "/proc/cpuinfo",
                                        "/proc/mounts",
                                        "/proc/self/stat",
                                        "/proc/self/statm",
                                        "/proc/self/status",
                                        "/proc/self/maps",
                                        "/proc/self/smaps",
                                        "/proc/self/smaps_rollup",
                                        "/proc/self/limits",
                                        "/proc/self/auxv",
                                        "/proc/self/environ",
                                        "/proc/self/cmdline",
                                        "/proc/self/mountinfo",
                                        "/proc/self/fdinfo/0",
                                        "/proc/self/oom_score_adj",
                                        "/proc/devices",
                                        "/proc/filesystems",
                                        "/proc/interrupts",
                                        "/proc/softirqs",
                                        "/proc/consoles",
                                        "/proc/locks",
                                        "/proc/self/timerslack_ns",
                                        "/proc/uptime",
                                        "/proc/loadavg",
                                        "/proc/version",
                                        "/proc/slabinfo",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/sys/kernel/random/uuid",
                                        "/sys/class/tty/console/active"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        int fd = open(paths[i], O_RDONLY);
        CHECK(fd >= 0);
        for (long n = 1; n > 0;) {
            OUT(n = read(fd, part(0), 3 * 4096));
        }
        close(fd);
    }
    int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
    for (int i = 0; i < 20; i++) {
        memset(area, FILL, sizeof(area));
        if (read(log, area, 4096) > 0)
            look("/dev/kmsg", area, sizeof(area));
    }
    SYS(syslog, 3, part(0), 4096);
}

// Every answer to a question about links, addresses, routes, neighbours, rules and sockets, whole and as it is queued.
TEST(answers_of_netlink_go_out_clean) {
    static const struct {
        int protocol, type;
    } questions[] = {{0, 18}, {0, 22}, {0, 26}, {0, 30}, {0, 34}, {0, 200}, {4, 20}};
    struct {
        unsigned int len;
        unsigned short type, flags;
        unsigned int sequence, port;
        unsigned char body[56];
    } m = {.flags = 0x301, .sequence = 1};
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, questions[i].protocol);
        m.len = sizeof(m);
        m.type = questions[i].type;
        memset(m.body, 0, sizeof(m.body));
        if (questions[i].protocol == 4) {
            m.body[0] = AF_UNIX;
            memset(m.body + 4, 0xff, 4);  // all states
            memset(m.body + 12, 0x7f, 1); // all that is shown
        }
        CHECK(s >= 0 && send(s, &m, sizeof(m), 0) == sizeof(m));
        for (;;) {
            memset(area, FILL, sizeof(area));
            if (recv(s, area, sizeof(area), 0) <= 0)
                break;
            for (size_t at = 0; at < sizeof(area); at += 4) // "for ever" is no address
                if (!memcmp(area + at, "\377\377\377\377", 4))
                    memset(area + at, 0, 4);
            look("an answer of netlink", area, sizeof(area));
        }
        close(s);
    }
}

// New memory is zeros, and so is what lies behind a file's end and in its holes.
TEST(new_memory_is_zeros) {
    size_t n = 4 << 20;
    for (int flags = MAP_PRIVATE; flags <= MAP_PRIVATE + 1; flags++) {
        unsigned char *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
                                (flags == MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS, -1, 0);
        CHECK(p != MAP_FAILED);
        for (size_t i = 0; i < n; i++)
            CHECK(p[i] == 0);
        CHECK(munmap(p, n) == 0);
    }
    int fd = test_make("hole", "text");
    CHECK(pwrite(fd, "end", 3, 70000) == 3 && ftruncate(fd, 80000) == 0);
    unsigned char *p = mmap(NULL, 81920, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    for (size_t i = 4; i < 81920; i++)
        CHECK(p[i] == 0 || (i >= 70000 && i < 70003));
    CHECK(pread(fd, area, 60000, 4) == 60000);
    for (size_t i = 0; i < 60000; i++)
        CHECK(area[i] == 0);
}

// What execve puts on the stack, and what a program finds in its registers.
TEST(a_new_program_starts_clean) {
    extern char **environ;
    const unsigned char *from = (const unsigned char *)((uintptr_t)environ & ~15ul);
    const unsigned char *top = (const unsigned char *)(((uintptr_t)environ | 4095) + 1);
    look("the stack above the environment's vector", from, (size_t)(top - from));
}
