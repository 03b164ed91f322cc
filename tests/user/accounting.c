// SPDX-License-Identifier: MIT
// acct(2): records of processes that have ended. Each test has a pid namespace of its own, so that only what it makes is recorded there.
#include "test.h"
#include <fcntl.h>
#include <linux/acct.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0777)

#define USER   1234
#define LIMITS "/proc/sys/kernel/acct"

static struct acct_v3 records[64];

// How many there are in the file.
static int read_records(void) {
    int fd = open("records", O_RDONLY);
    ssize_t n = read(fd, records, sizeof(records));
    CHECK(n >= 0 && n % (ssize_t)sizeof(*records) == 0 && close(fd) == 0);
    return (int)(n / (ssize_t)sizeof(*records));
}

static void begin(void) {
    CHECK(close(open("records", O_CREAT | O_TRUNC | O_WRONLY, 0600)) == 0);
    CHECK(acct("records") == 0);
}

// Who ends it is the last of n + 1.
static void end_with(int n) {
    CHECK(acct(NULL) == 0 && read_records() == n + 1 && records[n].ac_pid == (uint32_t)getpid());
}

// fn as the init of a new pid namespace, in a file system of its own that says how much room it has: Linux writes to no other.
static void in_new(int (*fn)(void *)) {
    CHECK(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
    CHECK(mount("none", test_place, "tmpfs", 0, "size=400k") == 0 && chdir(test_place) == 0);
    CHECK(test_wait_exit(test_fork(fn, NULL)) == 0);
}

static pid_t ended(int (*fn)(void *), void *arg) {
    pid_t pid = test_fork(fn, arg);
    siginfo_t info;
    CHECK(waitid(P_PID, pid, &info, WEXITED) == 0);
    return pid;
}

// ---- what is refused

static int as_user(void *arg) {
    (void)arg;
    CHECK(setgid(USER) == 0 && setuid(USER) == 0);
    CHECK_ERRNO(acct("no-such-file"), EPERM);
    CHECK_ERRNO(acct(NULL), EPERM);
    CHECK(unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0);
    CHECK_ERRNO(acct(NULL), EPERM); // his own one's, too
    return 0;
}

TEST(acct_is_for_root_and_regular_files) {
    CHECK_ERRNO(acct("no-such-file"), ENOENT);
    CHECK_ERRNO(acct("."), EISDIR);
    CHECK_ERRNO(acct("/dev/null"), EACCES);
    CHECK_ERRNO(acct(""), ENOENT);
    CHECK_ERRNO(acct((char *)-1ul), EFAULT);
    CHECK(test_wait_exit(test_fork(as_user, NULL)) == 0);
}

// ---- records

static int exit_3(void *arg) {
    (void)arg;
    usleep(300000);
    for (clock_t end = clock() + CLOCKS_PER_SEC / 5; clock() < end;)
        ;
    return 3;
}

static int one(void *arg) {
    time_t before = time(NULL);
    (void)arg;
    begin();
    pid_t pid = ended(exit_3, NULL);
    CHECK(acct(NULL) == 0);
    ended(exit_3, NULL);
    end_with(1);
    struct acct_v3 r = records[0];
    CHECK(r.ac_version == 3 && r.ac_pid == (uint32_t)pid && r.ac_ppid == 1 && r.ac_exitcode == 0x300);
    CHECK(r.ac_flag & AFORK && !(r.ac_flag & (AXSIG | ACORE | ASU)));
    CHECK(r.ac_uid == 0 && r.ac_gid == 0 && r.ac_tty == 0 && !strcmp(r.ac_comm, "accounting"));
    CHECK((time_t)r.ac_btime >= before - 1 && (time_t)r.ac_btime <= time(NULL));
    CHECK(r.ac_etime >= 50 && r.ac_etime < 6000 && r.ac_utime + r.ac_stime >= 15); // hundredths of a second
    CHECK(r.ac_mem > 100 && r.ac_minflt > 0);
    return 0;
}

TEST(record_says_what_a_process_was) {
    in_new(one);
}

static int run_true(void *arg) {
    (void)arg;
    execl("/proc/self/exe", "accounting", "no-such-test", NULL);
    return 1;
}

static int die(void *arg) {
    struct rlimit none = {0, 0};
    (void)arg;
    CHECK(setrlimit(RLIMIT_CORE, &none) == 0 && setgid(USER + 1) == 0 && setuid(USER) == 0);
    raise(SIGSEGV);
    return 0;
}

static int use_privilege(void *arg) {
    struct rlimit r;
    (void)arg;
    CHECK(getrlimit(RLIMIT_NOFILE, &r) == 0);
    r.rlim_max++;
    CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0); // CAP_SYS_RESOURCE
    return 0;
}

static void *rest(void *arg) {
    return arg;
}

static int with_threads(void *arg) {
    pthread_t t[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, rest, NULL) == 0 && pthread_join(t[i], NULL) == 0);
    return 0;
}

static int kinds(void *arg) {
    (void)arg;
    begin();
    ended(run_true, NULL);
    ended(die, NULL);
    ended(use_privilege, NULL);
    ended(with_threads, NULL);
    end_with(4);
    CHECK(!(records[0].ac_flag & AFORK));
    CHECK(records[1].ac_flag & AXSIG && records[1].ac_exitcode == SIGSEGV && records[1].ac_uid == USER &&
          records[1].ac_gid == USER + 1);
    CHECK(records[2].ac_flag & ASU && !(records[2].ac_flag & AXSIG));
    CHECK(records[3].ac_exitcode == 0);
    return 0;
}

TEST(record_says_how_a_process_ended) {
    in_new(kinds);
}

static int write_much(void *arg) {
    struct rlimit none = {0, 0};
    (void)arg;
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    return 0;
}

static int limited(void *arg) {
    (void)arg;
    begin();
    ended(write_much, NULL);
    end_with(1);
    CHECK(records[0].ac_exitcode == 0);
    return 0;
}

TEST(record_is_written_whatever_the_limits_of_who_ends) {
    in_new(limited);
}

static int on_terminal(void *arg) {
    (void)arg;
    begin();
    int master;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    if (!pid)
        _exit(0);
    CHECK(test_wait_exit(pid) == 0);
    end_with(1);
    CHECK(records[0].ac_tty >> 8 == 136 && close(master) == 0);
    return 0;
}

TEST(record_names_the_terminal) {
    in_new(on_terminal);
}

// ---- namespaces

static int inner_one(void *arg) {
    (void)arg;
    return 7;
}

static int inner(void *arg) {
    (void)arg;
    CHECK(ended(inner_one, NULL) == 2);
    return 0;
}

static int outer(void *arg) {
    (void)arg;
    begin();
    CHECK(unshare(CLONE_NEWPID) == 0 && test_wait_exit(test_fork(inner, NULL)) == 0);
    end_with(2);
    CHECK(records[0].ac_pid == 3 && records[0].ac_ppid == 2 && records[0].ac_exitcode == 0x700);
    CHECK(records[1].ac_pid == 2 && records[1].ac_ppid == 1);
    return 0;
}

TEST(namespace_records_those_within_it_by_its_own_numbers) {
    in_new(outer);
}

static int leave_it_on(void *arg) {
    (void)arg;
    begin();
    return 0;
}

TEST(records_end_with_their_namespace) {
    in_new(leave_it_on);
    CHECK(read_records() == 2 && records[0].ac_pid == 1 &&
          records[1].ac_pid == 1); // the init's, and the last
}

static int forks_for_a_second(void *arg) {
    struct timespec t;
    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (time_t end = t.tv_sec + 2; t.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &t))
        ended(inner_one, NULL);
    return 0;
}

static int race(void *arg) {
    pid_t forks[2];
    int left = 2;
    (void)arg;
    begin();
    CHECK(close(open("others", O_CREAT | O_WRONLY, 0600)) == 0);
    for (int i = 0; i < 2; i++)
        forks[i] = test_fork(forks_for_a_second, NULL);
    for (unsigned int n = 0; left; n++) {
        CHECK(truncate("records", 0) == 0 && truncate("others", 0) == 0);
        CHECK(acct(n % 3 == 0 ? "records" : n % 3 == 1 ? "others" : NULL) == 0);
        for (int i = 0; i < 2; i++)
            if (forks[i] && waitpid(forks[i], NULL, WNOHANG) == forks[i])
                forks[i] = 0, left--;
    }
    return 0;
}

TEST(records_change_their_place_while_processes_end) {
    in_new(race);
}

// ---- room

static int full(void *arg) {
    (void)arg;
    begin();
    ended(inner_one, NULL);
    CHECK(test_put(LIMITS, "100 99 0") == 0);
    end_with(1);
    CHECK(acct("records") == 0); // looks at once
    ended(inner_one, NULL);      // less than 99 % is free
    CHECK(read_records() == 2);
    CHECK(test_put(LIMITS, "5 2 0") == 0);
    ended(inner_one, NULL);
    end_with(3);
    return 0;
}

TEST(nothing_is_written_where_room_is_short) {
    CHECK(!strcmp(test_read(LIMITS), "4\t2\t30\n"));
    pid_t pid = fork();
    if (!pid) {
        in_new(full);
        exit(0);
    }
    int status = test_wait_exit(pid);
    CHECK(test_put(LIMITS, "4 2 30") == 0 && status == 0);
    CHECK(!strcmp(test_read(LIMITS), "4\t2\t30\n"));
}
