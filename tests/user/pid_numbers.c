// SPDX-License-Identifier: MIT
// Pid namespaces: what /proc and calls that tell of a process say to whom.
#include "pid_namespaces.h"
#include <linux/futex.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

TEST_DIRECTORY(0777)

// ---- /proc

static bool lists(const char *path, const char *name) {
    char command[128];
    snprintf(command, sizeof(command), "%s/%s", path, name);
    return !access(command, F_OK);
}

static int sees_proc(void *unused) {
    char link[32], text[64];
    struct stat st;
    (void)unused;
    CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount("proc", test_place, "proc", 0, NULL));
    CHECK(!chdir("/") && !chdir(test_place));
    pid_t pid = start(0, idle, NULL);
    CHECK(pid == 2 && lists(".", "1") && lists(".", "2") && !lists(".", "3"));
    ssize_t n = readlink("self", link, sizeof(link) - 1);
    CHECK(n == 1 && link[0] == '1');
    CHECK(readlink("thread-self", link, sizeof(link)) == 8 && !memcmp(link, "1/task/1", 8));
    int stat_pid, parent, group;
    CHECK(sscanf(test_read("2/stat"), "%d (%*[^)]) %*c %d %d ", &stat_pid, &parent, &group) == 3);
    CHECK(stat_pid == 2 && parent == 1 && group == 0);
    const char *status = test_read("2/status");
    CHECK(strstr(status, "\nTgid:\t2\n") && strstr(status, "\nPid:\t2\n") && strstr(status, "\nPPid:\t1\n"));
    CHECK(strstr(status, "\nNSpid:\t2\n") && strstr(status, "\nNSpgid:\t0\n"));
    CHECK(!stat("2/task/2", &st) && stat("2/task/3", &st) == -1);
    pid_t inner = start(CLONE_NEWPID, idle, NULL);
    CHECK(inner == 3);
    CHECK(strstr(test_read("3/status"), "\nNStgid:\t3\t1\n") &&
          strstr(test_read("3/status"), "\nNSpid:\t3\t1\n"));
    int fd = (int)syscall(SYS_pidfd_open, 3, 0);
    snprintf(text, sizeof(text), "self/fdinfo/%d", fd);
    CHECK(strstr(test_read(text), "Pid:\t3\nNSpid:\t3\t1\n"));
    return 0;
}

TEST(a_proc_mounted_within_shows_what_is_within) {
    CHECK(test_wait_exit(start(CLONE_NEWPID | CLONE_NEWNS, sees_proc, NULL)) == 0);
}

static int mounts_proc(void *unused) {
    (void)unused;
    return mount("proc", test_place, "proc", 0, NULL) ? errno : 0;
}

static int may_not_mount_proc(void *unused) {
    (void)unused;
    CHECK(!setgid(USER) && !setuid(USER));
    CHECK(test_wait_exit(start(CLONE_NEWUSER | CLONE_NEWNS, mounts_proc, NULL)) == EPERM);
    CHECK(test_wait_exit(start(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, mounts_proc, NULL)) == 0);
    return 0;
}

TEST(who_has_no_power_over_the_processes_mounts_no_proc) {
    CHECK(test_wait_exit(start(0, may_not_mount_proc, NULL)) == 0);
}

static int sees_old_proc(void *arg) {
    char link[32];
    (void)arg;
    ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);
    CHECK(n > 0);
    link[n] = '\0';
    CHECK(atoi(link) > 1);                                  // as those outside call us
    CHECK(strstr(test_read("/proc/self/status"), "\t1\n")); // NSpid
    return 0;
}

TEST(the_proc_outside_shows_both_numbers) {
    char path[64], text[64];
    CHECK(run_in_new(sees_old_proc, NULL) == 0);
    pid_t pid = start(CLONE_NEWPID, idle, NULL);
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    snprintf(text, sizeof(text), "\nNSpid:\t%d\t1\n", pid);
    CHECK(strstr(test_read(path), text));
    snprintf(text, sizeof(text), "\nNSpgid:\t%d\t0\n", getpgrp());
    CHECK(strstr(test_read(path), text));
    test_end(pid);
}

#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS  _IOR(0xb7, 6, int)
#define NS_GET_TGID_FROM_PIDNS _IOR(0xb7, 7, int)
#define NS_GET_PID_IN_PIDNS    _IOR(0xb7, 8, int)
#define NS_GET_TGID_IN_PIDNS   _IOR(0xb7, 9, int)
#endif

TEST(a_namespace_translates_numbers) {
    char path[64];
    pid_t pid = start(CLONE_NEWPID, idle, NULL);
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    int fd = open(path, O_RDONLY), other = open("/proc/self/ns/uts", O_RDONLY);
    CHECK(ioctl(fd, NS_GET_PID_FROM_PIDNS, 1) == pid && ioctl(fd, NS_GET_TGID_FROM_PIDNS, 1) == pid);
    CHECK(ioctl(fd, NS_GET_PID_IN_PIDNS, pid) == 1 && ioctl(fd, NS_GET_TGID_IN_PIDNS, pid) == 1);
    CHECK_ERRNO(ioctl(fd, NS_GET_PID_FROM_PIDNS, 2), ESRCH);
    CHECK_ERRNO(ioctl(fd, NS_GET_PID_IN_PIDNS, getpid()), ESRCH);
    CHECK_ERRNO(ioctl(other, NS_GET_PID_IN_PIDNS, pid), EINVAL);
    test_end(pid);
}

// ---- what tells of a process

static int sends(void *arg) {
    int *s = arg, one = 1;
    CHECK(getpid() == 1);
    CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    CHECK(send(s[1], "x", 1, 0) == 1);
    return 0;
}

static pid_t received_from(int s) {
    char byte, control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    CHECK(recvmsg(s, &m, 0) == 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
    return ((struct ucred *)CMSG_DATA(c))->pid;
}

static int receives(void *arg) {
    int *s = arg;
    struct ucred peer;
    socklen_t len = sizeof(peer);
    CHECK(received_from(s[1]) == 0);
    CHECK(!getsockopt(s[1], SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid == 0);
    int own[2];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, own));
    CHECK(!getsockopt(own[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.pid == 1);
    return 0;
}

TEST(credentials_tell_the_number_that_the_receiver_has) {
    int s[2], one = 1;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    for (int i = 0; i < 2; i++)
        CHECK(!setsockopt(s[i], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    pid_t pid = start(CLONE_NEWPID, sends, s);
    CHECK(received_from(s[0]) == pid && test_wait_exit(pid) == 0);
    CHECK(send(s[0], "x", 1, 0) == 1);
    CHECK(run_in_new(receives, s) == 0);
}

static int locks(void *arg) {
    int fd = open("lock", O_RDWR), *p = arg;
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    CHECK(!fcntl(fd, F_GETLK, &l) && l.l_type == F_WRLCK && l.l_pid == 0); // who is outside
    l = (struct flock){.l_type = F_WRLCK, .l_start = 10, .l_len = 1};
    CHECK(!fcntl(fd, F_SETLK, &l));
    CHECK(!fcntl(fd, F_SETOWN, 1) && fcntl(fd, F_GETOWN) == 1);
    tell(p[1]);
    idle(NULL);
}

TEST(a_lock_is_held_by_whom_the_asker_knows) {
    int p[2], fd = test_make("lock", "x");
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    CHECK(!pipe(p) && !fcntl(fd, F_SETLK, &l));
    pid_t pid = start(CLONE_NEWPID, locks, p);
    wait_for(p[0]);
    l = (struct flock){.l_type = F_WRLCK, .l_start = 10, .l_len = 1};
    CHECK(!fcntl(fd, F_GETLK, &l) && l.l_pid == pid);
    test_end(pid);
}

static int has_terminal(void *unused) {
    int master, slave;
    (void)unused;
    CHECK(!openpty(&master, &slave, NULL, NULL, NULL) && setsid() == 1 && !ioctl(slave, TIOCSCTTY, 0));
    CHECK(tcgetpgrp(slave) == 1 && tcgetsid(slave) == 1);
    pid_t pid = start(0, idle, NULL);
    CHECK(pid == 2 && !setpgid(2, 2) && !signal(SIGTTOU, SIG_IGN));
    CHECK(!tcsetpgrp(slave, 2) && tcgetpgrp(slave) == 2 && tcgetpgrp(master) == 2);
    CHECK_ERRNO(tcsetpgrp(slave, 3), ESRCH);
    CHECK(write(master, "\003", 1) == 1);
    int status;
    CHECK(waitpid(2, &status, 0) == 2 && WTERMSIG(status) == SIGINT);
    return 0;
}

TEST(a_terminal_has_groups_by_their_numbers_within) {
    CHECK(run_in_new(has_terminal, NULL) == 0);
}

static int owns_futex(void *unused) {
    unsigned int word = 0;
    timer_t timer;
    struct sigevent e = {.sigev_notify = 4 /* SIGEV_THREAD_ID */, .sigev_signo = SIGUSR1};
    clockid_t clock;
    (void)unused;
    CHECK(!syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) && word == 1);
    CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
    CHECK(!syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) && word == 0);
    memcpy((char *)&e + 16, &(int){1}, sizeof(int)); // sigev_notify_thread_id
    CHECK(!syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &timer));
    struct timespec now;
    CHECK(!clock_getcpuclockid(1, &clock) && !clock_gettime(clock, &now));
    return 0;
}

TEST(futexes_timers_and_clocks_take_numbers_within) {
    CHECK(run_in_new(owns_futex, NULL) == 0);
}

static int ends(void *unused) {
    (void)unused;
    return 0;
}

static int forks_traced(void *unused) {
    (void)unused;
    CHECK(!ptrace(PTRACE_TRACEME, 0, 0, 0) && !kill(getpid(), SIGSTOP));
    pid_t pid = start(0, ends, NULL);
    waitpid(pid, NULL, 0);
    return 0;
}

static int traces(void *unused) {
    int status;
    unsigned long message = 0;
    (void)unused;
    pid_t pid = start(0, forks_traced, NULL);
    CHECK(pid == 2 && waitpid(2, &status, 0) == 2 && WIFSTOPPED(status));
    CHECK(!ptrace(PTRACE_SETOPTIONS, 2, 0, PTRACE_O_TRACEFORK) && !ptrace(PTRACE_CONT, 2, 0, 0));
    CHECK(waitpid(2, &status, 0) == 2 && status >> 8 == (SIGTRAP | PTRACE_EVENT_FORK << 8));
    CHECK(!ptrace(PTRACE_GETEVENTMSG, 2, 0, &message) && message == 3);
    CHECK(waitpid(3, &status, __WALL) == 3 && WIFSTOPPED(status));
    return 0;
}

TEST(a_tracer_is_told_its_own_numbers) {
    CHECK(run_in_new(traces, NULL) == 0);
}
