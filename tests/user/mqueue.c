// SPDX-License-Identifier: MIT
// Message queues of POSIX.
#include "test.h"
#include <fcntl.h>
#include <mqueue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0755)

static char buf[8192];

static mqd_t make(const char *name, int flags, long count, long size) {
    struct mq_attr a = {.mq_maxmsg = count, .mq_msgsize = size};
    mq_unlink(name);
    mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
    CHECK(q >= 0);
    return q;
}

// True if the next message is this one.
static int is_next(mqd_t q, const char *text, unsigned int priority) {
    unsigned int p = 99;
    memset(buf, 0, sizeof(buf));
    return mq_receive(q, buf, sizeof(buf), &p) == (ssize_t)strlen(text) && !strcmp(buf, text) &&
           p == priority;
}

TEST(mq_open_finds_and_makes) {
    struct mq_attr a;
    mq_unlink("/mq-a");
    CHECK_ERRNO(mq_open("/mq-a", O_RDWR), ENOENT);
    mqd_t q = mq_open("/mq-a", O_CREAT | O_RDWR, 0640, NULL), again;
    CHECK(q >= 0 && mq_getattr(q, &a) == 0 && a.mq_flags == 0 && a.mq_maxmsg == 10 && a.mq_msgsize == 8192 &&
          a.mq_curmsgs == 0);
    CHECK(fcntl(q, F_GETFD) == FD_CLOEXEC && (again = mq_open("/mq-a", O_CREAT | O_WRONLY, 0600, NULL)) >= 0);
    CHECK_ERRNO(mq_open("/mq-a", O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    CHECK_ERRNO(mq_receive(again, buf, sizeof(buf), NULL), EBADF);
    CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
    CHECK_ERRNO(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
    a = (struct mq_attr){.mq_maxmsg = 0, .mq_msgsize = 1};
    CHECK_ERRNO(mq_open("/mq-b", O_CREAT | O_RDWR, 0600, &a), EINVAL);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(77) == 0 && setuid(77) == 0);
        CHECK_ERRNO(mq_open("/mq-a", O_RDONLY), EACCES);
        CHECK_ERRNO(mq_unlink("/mq-a"), EACCES);
        a = (struct mq_attr){.mq_maxmsg = 11, .mq_msgsize = 8};
        CHECK_ERRNO(mq_open("/mq-b", O_CREAT | O_RDWR, 0600, &a), EINVAL);
        a = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 8193};
        CHECK_ERRNO(mq_open("/mq-b", O_CREAT | O_RDWR, 0600, &a), EINVAL);
        char name[20];
        int n = 0;
        for (;; n++) {
            snprintf(name, sizeof(name), "/mq-many-%d", n);
            if (mq_open(name, O_CREAT | O_RDWR, 0600, NULL) < 0)
                break;
        }
        CHECK(errno == EMFILE && n == 9); // RLIMIT_MSGQUEUE
        while (n--) {
            snprintf(name, sizeof(name), "/mq-many-%d", n);
            CHECK(mq_unlink(name) == 0);
        }
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0 && mq_unlink("/mq-a") == 0);
    CHECK_ERRNO(mq_unlink("/mq-a"), ENOENT);
    CHECK(mq_send(q, "x", 1, 0) == 0 && mq_receive(q, buf, sizeof(buf), NULL) == 1);
}

TEST(mq_messages_come_by_priority) {
    mqd_t q = make("/mq-p", O_NONBLOCK, 4, 100);
    CHECK(mq_send(q, "low", 3, 1) == 0 && mq_send(q, "high", 4, 32767) == 0 &&
          mq_send(q, "low2", 4, 1) == 0 && mq_send(q, "", 0, 5) == 0);
    CHECK_ERRNO(mq_send(q, "x", 1, 0), EAGAIN);
    CHECK_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
    CHECK_ERRNO(mq_send(q, buf, 101, 0), EMSGSIZE);
    CHECK_ERRNO(mq_receive(q, buf, 99, NULL), EMSGSIZE);
    CHECK_ERRNO(mq_send(0, "x", 1, 0), EBADF);
    CHECK(is_next(q, "high", 32767) && is_next(q, "", 5) && is_next(q, "low", 1) && is_next(q, "low2", 1));
    CHECK_ERRNO(mq_receive(q, buf, 100, NULL), EAGAIN);
    struct mq_attr a = {.mq_flags = 0}, old;
    CHECK(mq_setattr(q, &a, &old) == 0 && old.mq_flags == O_NONBLOCK && !(fcntl(q, F_GETFL) & O_NONBLOCK));
    a.mq_flags = 1;
    CHECK_ERRNO(mq_setattr(q, &a, NULL), EINVAL);
    CHECK(mq_unlink("/mq-p") == 0);
}

static void nothing(int sig) {
    (void)sig;
}

TEST(mq_waits_for_messages_and_room) {
    mqd_t q = make("/mq-w", 0, 1, 100);
    struct timespec past = {1, 0}, wrong = {1, -1};
    CHECK_ERRNO(mq_timedreceive(q, buf, 100, NULL, &past), ETIMEDOUT);
    CHECK_ERRNO(mq_timedreceive(q, buf, 100, NULL, &wrong), EINVAL);
    pid_t pid = fork();
    if (!pid)
        _exit(!is_next(q, "to you", 3));
    usleep(30000);
    CHECK(mq_send(q, "to you", 6, 3) == 0 && test_wait_exit(pid) == 0);
    CHECK(mq_send(q, "first", 5, 0) == 0);
    CHECK_ERRNO(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
    pid = fork();
    if (!pid)
        _exit(mq_send(q, "second", 6, 9) != 0);
    usleep(30000);
    CHECK(is_next(q, "first", 0) && test_wait_exit(pid) == 0 && is_next(q, "second", 9));
    struct sigaction act = {.sa_handler = nothing};
    CHECK(sigaction(SIGALRM, &act, NULL) == 0);
    alarm(1);
    CHECK_ERRNO(mq_receive(q, buf, 100, NULL), EINTR);
    CHECK(test_poll(q, POLLIN | POLLOUT) == POLLOUT && mq_send(q, "x", 1, 0) == 0 &&
          test_poll(q, POLLIN | POLLOUT) == POLLIN);
    CHECK(mq_unlink("/mq-w") == 0);
}

static volatile siginfo_t seen;
static void note(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    seen = *info;
}

TEST(mq_notify_sends_a_signal_once) {
    mqd_t q = make("/mq-n", 0, 3, 100);
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    CHECK(sigaction(SIGUSR1, &act, NULL) == 0 && mq_notify(q, &e) == 0);
    CHECK_ERRNO(mq_notify(q, &e), EBUSY);
    pid_t pid = fork();
    if (!pid) {
        CHECK_ERRNO(mq_notify(q, &e), EBUSY);
        CHECK(mq_notify(q, NULL) == 0); // not its own
        _exit(mq_send(q, "x", 1, 0) != 0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(seen.si_code == SI_MESGQ && seen.si_value.sival_int == 42 && seen.si_pid == pid);
    CHECK(mq_notify(q, &e) == 0 && mq_notify(q, NULL) == 0 && mq_notify(q, &e) == 0);
    seen.si_code = 0;
    CHECK(mq_send(q, "y", 1, 0) == 0 && seen.si_code == 0); // it was not empty
    CHECK(is_next(q, "x", 0) && is_next(q, "y", 0) && mq_send(q, "z", 1, 0) == 0 && seen.si_code == SI_MESGQ);
    e.sigev_signo = 999;
    CHECK_ERRNO(mq_notify(q, &e), EINVAL);
    e.sigev_notify = SIGEV_NONE;
    CHECK(mq_notify(q, &e) == 0 && mq_close(dup(q)) == 0); // any close of the process ends it
    CHECK(mq_notify(q, &e) == 0 && mq_unlink("/mq-n") == 0);
}

// Shares its parent's descriptors, and so closes none when it ends.
static int register_only(void *arg) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    return mq_notify(*(mqd_t *)arg, &e) ? errno : 0;
}

static int register_with_socket(void *arg) {
    static char cookie[32];
    struct sigevent e = {
        .sigev_notify = SIGEV_THREAD, .sigev_signo = ((int *)arg)[1], .sigev_value.sival_ptr = cookie};
    return syscall(SYS_mq_notify, *(mqd_t *)arg, &e) ? errno : 0;
}

static void run_sharing_files(int (*fn)(void *), void *arg) {
    static char stack[16384] __attribute__((aligned(16)));
    CHECK(test_wait_exit(clone(fn, stack + sizeof(stack), CLONE_FILES | CLONE_VM | SIGCHLD, arg)) == 0);
}

static long open_files(void) {
    long n = -1;
    FILE *f = fopen("/proc/sys/fs/file-nr", "r");
    CHECK(f && fscanf(f, "%ld", &n) == 1);
    fclose(f);
    return n;
}

TEST(mq_notify_forgets_who_has_gone) {
    mqd_t q = make("/mq-gone", 0, 3, 100);
    struct utsname u;
    run_sharing_files(register_only, &q);
    CHECK(!uname(&u));
    if (strstr(u.release, "drupe")) // Linux keeps it busy
        CHECK(register_only(&q) == 0 && register_only(&q) == EBUSY);
    CHECK(mq_close(q) == 0 && mq_unlink("/mq-gone") == 0);
    long before = open_files();
    for (int i = 0; i < 300; i++) {
        int both[2] = {make("/mq-gone", 0, 3, 100), socket(AF_NETLINK, SOCK_RAW, 0)};
        run_sharing_files(register_with_socket, both);
        CHECK(close(both[1]) == 0 && mq_unlink("/mq-gone") == 0);
        CHECK(syscall(SYS_close, both[0]) == 0);
    }
    CHECK(open_files() < before + 200);
}

// Another program that the process becomes did not ask for it.
TEST(mq_notify_is_for_the_program_that_asked) {
    mqd_t q = make("/mq-exec", 0, 3, 100);
    int go[2], back[2];
    char c;
    CHECK(pipe(go) == 0 && pipe(back) == 0);
    pid_t pid = fork();
    if (!pid) {
        struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
        CHECK(fcntl(q, F_SETFD, 0) == 0 && mq_notify(q, &e) == 0);
        CHECK(dup2(go[0], 0) == 0 && dup2(back[1], 1) == 1);
        execl("/bin/sh", "sh", "-c", "echo; read line; exit 7", NULL);
        _exit(1);
    }
    CHECK(close(back[1]) == 0 && read(back[0], &c, 1) == 1 && mq_send(q, "x", 1, 0) == 0);
    CHECK(write(go[1], "\n", 1) == 1 && test_wait_exit(pid) == 7 && mq_unlink("/mq-exec") == 0);
}

static int told[2];
static void tell(union sigval v) {
    CHECK(write(told[1], &v.sival_int, 1) == 1);
}

TEST(mq_notify_runs_a_thread) {
    mqd_t q = make("/mq-t", 0, 3, 100);
    char c = 0;
    struct sigevent e = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 7};
    CHECK(pipe(told) == 0 && mq_notify(q, &e) == 0 && mq_send(q, "x", 1, 0) == 0);
    CHECK(read(told[0], &c, 1) == 1 && c == 7 && mq_unlink("/mq-t") == 0);
}

TEST(mq_queues_are_files) {
    mqd_t q = make("/mq-f", 0, 3, 100);
    struct stat st;
    char text[200] = "";
    CHECK(mkdir("mq", 0755) == 0 && mount("mqueue", "mq", "mqueue", 0, NULL) == 0);
    CHECK(mq_send(q, "1234567", 7, 0) == 0 && stat("mq/mq-f", &st) == 0 && st.st_size == 80 &&
          (st.st_mode & 0777) == 0600);
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    CHECK(mq_notify(q, &e) == 0);
    int fd = open("mq/mq-f", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 0 && read(fd, text + 100, 10) == 0);
    char expected[200];
    snprintf(expected, sizeof(expected), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 7, 0,
             SIGUSR1, getpid());
    CHECK(!strcmp(text, expected));
    CHECK((fd = open("mq/mq-g", O_CREAT | O_RDWR, 0600)) >= 0 && unlink("mq/mq-f") == 0);
    CHECK_ERRNO(mq_open("/mq-f", O_RDONLY), ENOENT);
    CHECK(mq_send(fd, "x", 1, 0) == 0 && mq_unlink("/mq-g") == 0 && umount2("mq", MNT_DETACH) == 0);
}
