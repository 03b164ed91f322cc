// SPDX-License-Identifier: MIT
// What is one thread's and what is the process's; waiting, usage, groups, scripts: as Linux has them.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

// ---- priorities

static pid_t other_tid;
static void *idle_thread(void *arg) {
    other_tid = gettid();
    pthread_barrier_wait(arg);
    for (;;)
        pause();
    return NULL;
}

TEST(setpriority_of_a_tid_is_that_threads_alone) {
    pthread_barrier_t b;
    pthread_t t;
    pthread_barrier_init(&b, NULL, 2);
    CHECK(!pthread_create(&t, NULL, idle_thread, &b));
    pthread_barrier_wait(&b);
    CHECK(!setpriority(PRIO_PROCESS, other_tid, 5));
    CHECK(getpriority(PRIO_PROCESS, other_tid) == 5 && getpriority(PRIO_PROCESS, 0) == 0);
    CHECK(!setpriority(PRIO_PROCESS, 0, 3) && getpriority(PRIO_PROCESS, other_tid) == 5);
    CHECK(!setpgid(0, 0) && !setpriority(PRIO_PGRP, 0, 7));
    CHECK(getpriority(PRIO_PROCESS, other_tid) == 7 && getpriority(PRIO_PROCESS, getpid()) == 7);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 99999, 1), ESRCH);
}

TEST(setpriority_asks_who_the_thread_is) {
    pid_t parent = getpid(), pid = fork();
    if (!pid) {
        CHECK(!setuid(1000));
        CHECK_ERRNO(setpriority(PRIO_PROCESS, parent, 5), EPERM);
        CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, -5), EACCES);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

// ---- usage

static void burn(long ms) {
    struct timespec t;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

static long children_ms(void) {
    struct rusage r;
    CHECK(!getrusage(RUSAGE_CHILDREN, &r));
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

static pid_t burning_child(void) {
    pid_t pid = fork();
    if (!pid) {
        burn(60);
        _exit(0);
    }
    return pid;
}

TEST(usage_of_children_is_of_those_that_were_waited_for) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = burning_child();
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD); // when it has ended
    CHECK(children_ms() == 0);
    signal(SIGCHLD, SIG_DFL);
    CHECK(test_wait_exit(burning_child()) == 0 && children_ms() >= 50);
}

// ---- pidfds

static int pidfd_of(pid_t pid) {
    return syscall(SYS_pidfd_open, pid, 0);
}

TEST(a_zombie_takes_signals_until_it_is_waited_for) {
    siginfo_t info;
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    int fd = pidfd_of(pid);
    CHECK(fd >= 0 && !waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    CHECK(!syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) &&
          !syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    CHECK(!kill(pid, SIGTERM) && test_wait_exit(pid) == 0);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH);
}

// A process's number may be another's once it has been waited for; what its pidfd names is never that.
TEST(waitid_of_a_pidfd_waits_for_that_process_alone) {
    siginfo_t info;
    volatile pid_t pid, again = 0;
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        return;                     // all numbers once: that takes a while, and needs one hart only
    while ((pid = vfork()) < 300) { // lower ones are not given out again
        if (!pid)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    int fd = pidfd_of(pid);
    CHECK(fd >= 0 && test_wait_exit(pid) == 0);
    CHECK_ERRNO(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
    for (volatile int i = 0; i < 40000 && again != pid; i++) {
        again = vfork();
        if (!again)
            _exit(7);
        if (again != pid)
            waitpid(again, NULL, 0);
    }
    CHECK(again == pid);
    CHECK_ERRNO(waitid(P_PIDFD, fd, &info, WEXITED), ECHILD);
    CHECK(test_wait_exit(again) == 7);
}

// ---- clocks

static struct timespec process_time(void) {
    struct timespec t;
    CHECK(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t));
    return t;
}

static void *burn_forever(void *arg) {
    for (volatile int *go = arg; *go;)
        ;
    return NULL;
}

static long kernel_nanosleep(int clock, int flags, const struct timespec *t, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, t, left);
}

TEST(one_can_sleep_by_the_processs_time) {
    volatile int go = 1;
    struct timespec t = {0, 40000000}, start = process_time(), end;
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, burn_forever, (void *)&go));
    CHECK(!kernel_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
    end = process_time();
    CHECK((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec >= 40000000);
    end.tv_nsec += 20000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    CHECK(!kernel_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &end, NULL));
    start = process_time();
    CHECK(start.tv_sec > end.tv_sec || (start.tv_sec == end.tv_sec && start.tv_nsec >= end.tv_nsec));
    CHECK(!kernel_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &end, NULL));
    go = 0;
    pthread_join(thread, NULL);
}

static void nothing(int sig) {
    (void)sig;
}

TEST(a_sleep_by_the_processs_time_is_interrupted_and_tells_what_is_left) {
    struct timespec t = {100, 0}, left = {0, 0};
    struct sigaction a = {.sa_handler = nothing};
    CHECK(!sigaction(SIGUSR1, &a, NULL));
    pid_t parent = getpid(), pid = fork();
    if (!pid) {
        for (int i = 0; i < 20; i++) {
            usleep(20000);
            kill(parent, SIGUSR1);
        }
        _exit(0);
    }
    CHECK_ERRNO(kernel_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, &left), EINTR);
    CHECK(left.tv_sec >= 98);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(clocks_that_one_cannot_sleep_by_are_told) {
    struct timespec t = {0, 1};
    CHECK_ERRNO(kernel_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EOPNOTSUPP);
    CHECK_ERRNO(kernel_nanosleep(CLOCK_MONOTONIC_RAW, 0, &t, NULL), EOPNOTSUPP);
    CHECK_ERRNO(kernel_nanosleep(CLOCK_REALTIME_COARSE, 0, &t, NULL), EOPNOTSUPP);
    CHECK_ERRNO(kernel_nanosleep(77, 0, &t, NULL), EINVAL);
}

TEST(timer_slack_is_kept_and_inherited) {
    CHECK(prctl(PR_GET_TIMERSLACK) == 50000);
    CHECK(!prctl(PR_SET_TIMERSLACK, 1234ul) && prctl(PR_GET_TIMERSLACK) == 1234);
    pid_t pid = fork();
    if (!pid) {
        CHECK(prctl(PR_GET_TIMERSLACK) == 1234);
        CHECK(!prctl(PR_SET_TIMERSLACK, 99ul) && prctl(PR_GET_TIMERSLACK) == 99);
        CHECK(!prctl(PR_SET_TIMERSLACK, 0ul) && prctl(PR_GET_TIMERSLACK) == 1234);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(!prctl(PR_SET_TIMERSLACK, 0ul) && prctl(PR_GET_TIMERSLACK) == 50000);
}

// ---- groups

TEST(a_process_may_have_65536_groups) {
    enum { MOST = 65536 };
    static gid_t groups[MOST + 1], got[MOST];
    for (int i = 0; i <= MOST; i++)
        groups[i] = (gid_t)i * 40503u % 1000003u + 5;
    CHECK(!syscall(SYS_setgroups, MOST, groups));
    CHECK(syscall(SYS_getgroups, 0, NULL) == MOST && syscall(SYS_getgroups, MOST, got) == MOST);
    for (int i = 1; i < MOST; i++)
        CHECK(got[i - 1] <= got[i]);
    CHECK_ERRNO(syscall(SYS_getgroups, MOST - 1, got), EINVAL);
    CHECK_ERRNO(syscall(SYS_setgroups, MOST + 1, groups), EINVAL);
    int fd = open("/tmp/of-a-group", O_CREAT | O_RDWR, 0060);
    CHECK(fd >= 0 && !fchmod(fd, 0060) && !fchown(fd, 0, groups[777]) && !setuid(1000) &&
          open("/tmp/of-a-group", O_RDWR) >= 0);
    CHECK_ERRNO(syscall(SYS_setgroups, 0, NULL), EPERM);
}

// ---- clone and execve

static void *unshare_and_change(void *arg) {
    int *fd = arg;
    CHECK(!unshare(CLONE_FS | CLONE_FILES) && !chdir("/tmp") && !close(*fd));
    *fd = fcntl(*fd, F_GETFD);
    return NULL;
}

TEST(unshare_gives_a_thread_its_own_files_and_working_directory) {
    char where[64];
    pthread_t t;
    int fd = open("/", O_RDONLY), theirs = fd;
    CHECK(!chdir("/") && !pthread_create(&t, NULL, unshare_and_change, &theirs) && !pthread_join(t, NULL));
    CHECK(theirs == -1 && fcntl(fd, F_GETFD) == 0);
    CHECK(getcwd(where, sizeof(where)) && !strcmp(where, "/"));
    CHECK_ERRNO(unshare(CLONE_PARENT), EINVAL);
}

TEST(what_nobody_shares_need_not_be_unshared) {
    CHECK(!unshare(0) && !unshare(CLONE_THREAD) && !unshare(CLONE_VM));
}

TEST(execveat_does_not_follow_a_symlink_if_told_so) {
    char *argv[] = {"x", NULL};
    unlink("/tmp/link-to-exec");
    test_make_program("/tmp/exits-with-42", 0x20000, 0755);
    CHECK(!symlink("exits-with-42", "/tmp/link-to-exec"));
    CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "/tmp/link-to-exec", argv, NULL, AT_SYMLINK_NOFOLLOW), ELOOP);
    pid_t pid = fork();
    if (!pid)
        syscall(SYS_execveat, AT_FDCWD, "/tmp/link-to-exec", argv, NULL, 0);
    CHECK(test_wait_exit(pid) == 42);
}

// ---- the first line of scripts: as much of it as Linux reads

static int run_script(void *path) {
    execl(path, path, (char *)NULL);
    return errno;
}

// A script "#!" + `fill` in front of `name` + `rest`, the first part of `length` bytes in all.
static int script(int length, const char *name, const char *rest) {
    char line[700];
    int blanks = length - 2 - (int)strlen(name);
    int n = snprintf(line, sizeof(line), "#!%*s%s%s", blanks, "", name, rest);
    int fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    CHECK(fd >= 0 && write(fd, line, n) == n && !close(fd));
    return test_wait_exit(test_fork(run_script, "/tmp/script"));
}

TEST(the_first_256_bytes_of_a_script_count) {
    test_make_program("/tmp/exits-with-42", 0x20000, 0755);
    CHECK(script(20, "/tmp/exits-with-42", "\n") == 42);
    CHECK(script(255, "/tmp/exits-with-42", "\n") == 42);             // the newline is the 256th
    CHECK(script(255, "/tmp/exits-with-42", " argument...\n") == 42); // a blank: the name is whole
    CHECK(script(256, "/tmp/exits-with-42", "\n") == ENOEXEC);
    CHECK(script(256, "/tmp/exits-with-42", "") == ENOEXEC); // as it may go on
    CHECK(script(255, "/tmp/exits-with-42", "") == 42);
    CHECK(script(300, "/tmp/exits-with-42", "\n") == ENOEXEC);
    CHECK(script(2, "", "   \n") == ENOEXEC);
}

TEST(a_script_whose_name_closes_with_execve_is_not_there) {
    char *argv[] = {"x", NULL};
    CHECK(script(20, "/tmp/exits-with-42", "\n") == 42);
    int fd = open("/tmp/script", O_RDONLY | O_CLOEXEC);
    CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH), ENOENT);
}

TEST(names_of_programs_keep_their_lines_whole) {
    char text[4096];
    CHECK(!prctl(PR_SET_NAME, "a b\nc\\d"));
    int fd = open("/proc/self/status", O_RDONLY);
    CHECK(read(fd, text, sizeof(text) - 1) > 0 && !strncmp(text, "Name:\ta b\\nc\\\\d\n", 16));
}

TEST(shared_anonymous_memory_is_deleted_once) {
    char text[16384];
    int zero = open("/dev/zero", O_RDWR);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, zero, 0) != MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    int fd = open("/proc/self/maps", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(n > 0);
    text[n] = 0;
    CHECK(strstr(text, "/dev/zero (deleted)\n") && !strstr(text, "(deleted) (deleted)"));
}

// ---- /proc/PID/io

struct io {
    unsigned long rchar, wchar, syscr, syscw;
};

static struct io io_of_self(void) {
    struct io io;
    FILE *f = fopen("/proc/self/io", "r");
    CHECK(f && fscanf(f, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: 0\nwrite_bytes: 0\n",
                      &io.rchar, &io.wchar, &io.syscr, &io.syscw) == 4);
    fclose(f);
    return io;
}

static int write_700_bytes(void *fd) {
    static char text[350];
    return pwrite(*(int *)fd, text, 350, 0) != 350 || write(*(int *)fd, text, 350) != 350;
}

TEST(proc_io_counts_what_a_process_and_its_children_read_and_write) {
    char text[1000] = "";
    int fd = open("/tmp/io", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct io first = io_of_self(), second = io_of_self(), third;
    unsigned long own = second.rchar - first.rchar; // of reading the file itself, give or take a digit
    CHECK(own > 50 && own < 200 && second.syscw == first.syscw);
    CHECK(write(fd, text, 1000) == 1000 && pread(fd, text, 900, 0) == 900 && read(fd, text, 10) == 0);
    CHECK(test_wait_exit(test_fork(write_700_bytes, &fd)) == 0);
    third = io_of_self();
    CHECK(third.wchar - second.wchar == 1700 && third.syscw - second.syscw == 3);
    CHECK(third.rchar - second.rchar - 900 - own < 8 &&
          third.syscr - second.syscr == second.syscr - first.syscr + 2);
}

TEST(proc_io_is_shown_to_who_may_look_into_the_process) {
    char name[40], text[100];
    snprintf(name, sizeof(name), "/proc/%d/io", getppid());
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0 && !setresuid(1000, 1000, 1000));
    CHECK_ERRNO(read(fd, text, sizeof(text)), EACCES);
    CHECK_ERRNO(open(name, O_RDONLY), EACCES);
}

// ---- numbers of threads

TEST(a_threads_number_names_its_process) {
    pthread_barrier_t b;
    pthread_t t;
    struct rlimit limit = {0};
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    uint32_t sets[6] = {0};
    pthread_barrier_init(&b, NULL, 2);
    CHECK(!pthread_create(&t, NULL, idle_thread, &b));
    pthread_barrier_wait(&b);
    CHECK(getpgid(other_tid) == getpgid(0) && getsid(other_tid) == getsid(0));
    CHECK(!prlimit(other_tid, RLIMIT_NOFILE, NULL, &limit) && limit.rlim_cur);
    header.pid = other_tid;
    CHECK(!syscall(SYS_capget, &header, sets) && sets[0]);
    CHECK_ERRNO(setpgid(other_tid, 0), EINVAL); // but it is no process
    CHECK_ERRNO(setpgid(99999, 0), ESRCH);
    CHECK_ERRNO(prlimit(99999, RLIMIT_NOFILE, NULL, &limit), ESRCH);
}
