// SPDX-License-Identifier: MIT
// Pid namespaces: numbers within and as those outside have them, the init of one, its end, entering one.
#include "pid_namespaces.h"
#include <linux/nsfs.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

TEST_DIRECTORY(0777)

// ---- numbers

static int is_3(void *unused) {
    (void)unused;
    return getpid() == 3 && getppid() == 1 ? 3 : 1;
}

static int first(void *unused) {
    (void)unused;
    CHECK(getpid() == 1 && syscall(SYS_gettid) == 1 && getppid() == 0);
    CHECK(syscall(SYS_set_tid_address, NULL) == 1);
    CHECK(getpgrp() == 0 && getsid(0) == 0); // they are outside
    CHECK(setsid() == 1 && getpgid(0) == 1 && getsid(1) == 1);
    pid_t two = start(0, idle, NULL), three = start(0, is_3, NULL);
    CHECK(two == 2 && three == 3);
    int status;
    CHECK(waitpid(3, &status, 0) == 3 && WEXITSTATUS(status) == 3);
    CHECK(!setpgid(2, 2) && getpgid(2) == 2 && !kill(-2, SIGKILL));
    CHECK(waitpid(-2, &status, 0) == 2 && WTERMSIG(status) == SIGKILL);
    CHECK_ERRNO(waitpid(2, &status, 0), ECHILD);
    return 0;
}

TEST(the_first_in_one_is_1_and_has_no_parent) {
    CHECK(run_in_new(first, NULL) == 0);
}

TEST(those_outside_have_their_own_numbers) {
    int tid = 0, status;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
    if (!pid)
        idle(NULL);
    CHECK(pid > 2 && tid == pid);
    CHECK(getpgid(pid) == getpgrp() && getsid(pid) == getsid(0));
    CHECK(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int child_settid(void *unused) {
    static int tid, parents;
    (void)unused;
    pid_t pid =
        (pid_t)syscall(SYS_clone, CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD, 0, &parents, 0, &tid);
    if (!pid)
        _exit(tid == 2 && getpid() == 2 ? 0 : 1);
    return pid == 2 && parents == 2 && test_wait_exit(2) == 0 ? 0 : 1;
}

TEST(a_child_is_told_its_number_within) {
    CHECK(run_in_new(child_settid, NULL) == 0);
}

static int nobody(void *arg) {
    pid_t outside = *(pid_t *)arg;
    struct rlimit64 limit;
    char byte;
    struct iovec v = {&byte, 1};
    CHECK_ERRNO(kill(outside, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tkill, outside, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, outside, outside, 0), ESRCH);
    CHECK_ERRNO(kill(-outside, 0), ESRCH);
    CHECK_ERRNO(getpgid(outside), ESRCH);
    CHECK_ERRNO(getsid(outside), ESRCH);
    CHECK_ERRNO(setpgid(outside, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_pidfd_open, outside, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getscheduler, outside), ESRCH);
    CHECK_ERRNO(syscall(SYS_prlimit64, outside, RLIMIT_CORE, NULL, &limit), ESRCH);
    CHECK_ERRNO(syscall(SYS_process_vm_readv, outside, &v, 1ul, &v, 1ul, 0ul), ESRCH);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, outside, 0, 0), ESRCH);
    CHECK_ERRNO(getpriority(PRIO_PROCESS, outside), ESRCH);
    CHECK_ERRNO(getpriority(PRIO_PGRP, outside), ESRCH);
    CHECK_ERRNO(waitpid(outside, NULL, 0), ECHILD);
    CHECK_ERRNO(fcntl(1, F_SETOWN, outside), ESRCH);
    CHECK_ERRNO(syscall(SYS_get_robust_list, outside, &v, &limit), ESRCH);
    return 0;
}

TEST(who_is_outside_has_no_number_within) {
    pid_t pid = start(0, idle, NULL);
    CHECK(!setpgid(pid, pid));
    CHECK(run_in_new(nobody, &pid) == 0);
    test_end(pid);
}

static int all(void *arg) {
    int *p = arg;
    pid_t pid[3];
    for (int i = 0; i < 3; i++)
        pid[i] = start(0, idle, NULL);
    CHECK(!kill(-1, SIGTERM)); // not to oneself
    for (int i = 0; i < 3; i++)
        CHECK(waitpid(pid[i], NULL, 0) == pid[i]);
    CHECK_ERRNO(kill(-1, SIGTERM), ESRCH);
    tell(p[1]);
    return 0;
}

TEST(kill_of_all_is_of_all_within) {
    int p[2];
    CHECK(!pipe(p));
    pid_t outside = start(0, idle, NULL);
    CHECK(run_in_new(all, p) == 0);
    wait_for(p[0]);
    CHECK(!kill(outside, 0) && waitpid(outside, NULL, WNOHANG) == 0);
    test_end(outside);
}

static int numbers_wanted(void *unused) {
    (void)unused;
    pid_t want[2] = {77, 0};
    struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)want, .set_tid_size = 1};
    pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
    if (!pid)
        _exit(getpid() == 77 ? 0 : 1);
    CHECK(pid == 77);
    CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof(a)), EEXIST);
    CHECK(test_wait_exit(77) == 0);
    a.set_tid_size = 3;
    CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
    a.set_tid_size = 1;
    want[0] = 0;
    CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
    a.flags = CLONE_NEWPID;
    want[0] = 2; // there is no 1 yet
    CHECK_ERRNO(syscall(SYS_clone3, &a, sizeof(a)), EINVAL);
    return 0;
}

TEST(clone3_gives_the_number_that_is_wanted) {
    CHECK(run_in_new(numbers_wanted, NULL) == 0);
}

// ---- unshare

TEST(unshare_is_of_the_children) {
    pid_t me = getpid();
    struct stat mine, childrens;
    int status;
    CHECK(!unshare(CLONE_NEWPID) && getpid() == me);
    CHECK_ERRNO(readlink("/proc/self/ns/pid_for_children", test_place, 1), ENOENT); // nobody is there
    CHECK_ERRNO(unshare(CLONE_NEWPID), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, test_place, 0, 0, 0), EINVAL);
    pid_t init = start(0, idle, NULL), second = start(0, is_3, NULL);
    CHECK(!stat("/proc/self/ns/pid", &mine) && !stat("/proc/self/ns/pid_for_children", &childrens));
    CHECK(mine.st_ino != childrens.st_ino);
    CHECK(waitpid(second, &status, 0) == second && WEXITSTATUS(status) == 1); // it is 2
    CHECK(!kill(init, SIGKILL) && waitpid(init, NULL, 0) == init);
    CHECK_ERRNO(raw_clone(0), ENOMEM); // there is no init any more
}

static int make_one(void *unused) {
    (void)unused;
    CHECK(!setgid(USER) && !setuid(USER));
    CHECK_ERRNO(unshare(CLONE_NEWPID), EPERM);
    CHECK_ERRNO(raw_clone(CLONE_NEWPID), EPERM);
    return test_wait_exit(start(CLONE_NEWUSER | CLONE_NEWPID, first, NULL));
}

TEST(who_has_a_user_namespace_may_have_one) {
    CHECK(test_wait_exit(start(0, make_one, NULL)) == 0);
}

TEST(clone_refuses_what_cannot_be) {
    CHECK_ERRNO(
        syscall(SYS_clone, CLONE_NEWPID | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, test_place, 0, 0, 0),
        EINVAL);
}

static int deeper(void *arg) {
    int left = *(int *)arg - 1;
    if (!left) {
        CHECK_ERRNO(unshare(CLONE_NEWPID), ENOSPC);
        return 0;
    }
    return run_in_new(deeper, &left);
}

TEST(they_are_at_most_32_deep) {
    int depth = 32;
    CHECK(run_in_new(deeper, &depth) == 0);
}

// ---- signals

static volatile siginfo_t got;
static void note(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    got = *info;
}

static void handle(int sig) {
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(sig, &a, NULL));
}

static int attacker(void *unused) {
    (void)unused;
    CHECK(!kill(1, SIGKILL) && !kill(1, SIGTERM) && !kill(1, SIGSTOP) && !kill(1, SIGSEGV));
    CHECK(!kill(1, SIGUSR1));
    return 0;
}

static int unkillable(void *unused) {
    (void)unused;
    handle(SIGUSR1);
    CHECK(test_wait_exit(start(0, attacker, NULL)) == 0);
    CHECK(got.si_pid == 2 && got.si_code == SI_USER);
    CHECK(!kill(getpid(), SIGTERM) && !kill(1, SIGKILL));
    return 0;
}

TEST(the_init_is_not_ended_from_within) {
    CHECK(run_in_new(unkillable, NULL) == 0);
}

static int listener(void *arg) {
    int *p = arg;
    handle(SIGUSR1);
    tell(p[1]);
    while (!got.si_signo)
        usleep(1000);
    CHECK(got.si_signo == SIGUSR1 && got.si_pid == 0);
    idle(NULL);
}

TEST(from_outside_it_is_stopped_and_killed_but_no_more) {
    int p[2], status;
    CHECK(!pipe(p));
    pid_t pid = start(CLONE_NEWPID, listener, p);
    wait_for(p[0]);
    CHECK(!kill(pid, SIGTERM) && !kill(pid, SIGUSR1));
    usleep(50000);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(!kill(pid, SIGSTOP) && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    CHECK(!kill(pid, SIGCONT) && waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    CHECK(!kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
}

static int crash(void *unused) {
    (void)unused;
    *(volatile int *)0 = 1;
    return 0;
}

TEST(a_fault_ends_the_init) {
    int status;
    pid_t pid = start(CLONE_NEWPID, crash, NULL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

TEST(a_child_is_reported_by_the_number_that_its_parent_has) {
    sigset_t set;
    siginfo_t info;
    CHECK(!sigemptyset(&set) && !sigaddset(&set, SIGCHLD) && !sigprocmask(SIG_BLOCK, &set, NULL));
    pid_t pid = start(CLONE_NEWPID, is_3, NULL);
    CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == pid);
    memset(&info, 0, sizeof(info));
    CHECK(!waitid(P_PID, (id_t)pid, &info, WEXITED) && info.si_pid == pid && info.si_status == 1);
}

static int sends_by_pidfd(void *arg) {
    int *fd = arg;
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, *fd, SIGUSR1, NULL, 0), EINVAL);
    return 0;
}

TEST(a_pidfd_is_no_way_to_signal_those_above) {
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    CHECK(fd >= 0 && run_in_new(sends_by_pidfd, &fd) == 0);
}

static int signals_its_group(void *unused) {
    (void)unused;
    CHECK(!kill(0, SIGUSR1));
    return 0;
}

TEST(a_group_may_reach_out) {
    CHECK(!setpgid(0, 0));
    handle(SIGUSR1);
    CHECK(run_in_new(signals_its_group, NULL) == 0 && got.si_signo == SIGUSR1);
}

// ---- the init's duties, and its end

static int orphan(void *arg) {
    int *p = arg;
    while (getppid() != 1)
        usleep(1000);
    tell(p[1]);
    return 7;
}

static int parent_of_orphan(void *arg) {
    start(0, orphan, arg);
    return 0;
}

static int adopter(void *arg) {
    int *p = arg, status;
    CHECK(test_wait_exit(start(0, parent_of_orphan, arg)) == 0);
    wait_for(p[0]);
    CHECK(wait(&status) == 3 && WEXITSTATUS(status) == 7);
    return 0;
}

TEST(orphans_are_the_inits) {
    int p[2];
    CHECK(!pipe(p));
    CHECK(run_in_new(adopter, p) == 0);
}

static int subreaper(void *arg) {
    int status, *p = arg;
    CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t pid = start(CLONE_NEWPID, adopter, p); // whose orphan does not come here
    CHECK(test_wait_exit(pid) == 0);
    CHECK_ERRNO(wait(&status), ECHILD);
    return 0;
}

TEST(a_subreaper_outside_gets_none) {
    int p[2];
    CHECK(!pipe(p));
    CHECK(test_wait_exit(start(0, subreaper, p)) == 0);
}

static int holder(void *arg) {
    int *p = arg;
    CHECK(!signal(SIGTERM, SIG_IGN));
    tell(p[3]);
    idle(NULL);
}

static int nested_init(void *arg) {
    start(0, holder, arg);
    start(0, holder, arg);
    return holder(arg);
}

static int leaves_many(void *arg) {
    int *p = arg;
    for (int i = 0; i < 4; i++)
        start(0, holder, arg);
    start(CLONE_NEWPID, nested_init, arg);
    for (int i = 0; i < 7; i++)
        wait_for(p[2]);
    return 5;
}

TEST(with_the_init_all_end) {
    int p[4];
    char c;
    CHECK(!pipe(p) && !pipe(p + 2));
    pid_t pid = start(CLONE_NEWPID, leaves_many, p);
    CHECK(!close(p[1]));
    CHECK(test_wait_exit(pid) == 5);
    struct pollfd gone = {p[0], POLLIN, 0};
    CHECK(poll(&gone, 1, 0) == 1 && read(p[0], &c, 1) == 0); // nobody has it any more
}

static void *last_thread(void *arg) {
    int *p = arg;
    usleep(50000); // the leader has ended
    pid_t pid = start(0, holder, p);
    wait_for(p[2]);
    CHECK(pid > 3 && getpid() == 1 && !kill(pid, 0));
    _exit(6);
}

static int ends_by_thread(void *arg) {
    pthread_t thread;
    start(0, holder, arg);
    wait_for(((int *)arg)[2]);
    CHECK(!pthread_create(&thread, NULL, last_thread, arg));
    syscall(SYS_exit, 1);
    return 1;
}

TEST(the_end_is_that_of_the_last_thread) {
    int p[4];
    CHECK(!pipe(p) && !pipe(p + 2));
    CHECK(run_in_new(ends_by_thread, p) == 6);
}

static int restart(void *arg) {
    reboot(*(int *)arg);
    return 1;
}

TEST(reboot_ends_the_namespace) {
    int command = RB_AUTOBOOT, status;
    CHECK(waitpid(start(CLONE_NEWPID, restart, &command), &status, 0) > 0 && WTERMSIG(status) == SIGHUP);
    command = RB_POWER_OFF;
    CHECK(waitpid(start(CLONE_NEWPID, restart, &command), &status, 0) > 0 && WTERMSIG(status) == SIGINT);
    command = RB_DISABLE_CAD;
    CHECK(run_in_new(restart, &command) == 1);
}

// ---- entering

static int enter(pid_t pid, const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC), ret = setns(fd, CLONE_NEWPID);
    CHECK(fd >= 0 && !close(fd));
    return ret;
}

static int is_injected(void *unused) {
    (void)unused;
    CHECK(getpid() == 2 && getppid() == 0 && !kill(1, 0));
    return 9;
}

TEST(setns_is_of_the_children) {
    pid_t init = start(CLONE_NEWPID, idle, NULL), me = getpid();
    CHECK(!enter(init, "pid") && getpid() == me);
    CHECK(test_wait_exit(start(0, is_injected, NULL)) == 9);
    CHECK(!enter(me, "pid")); // back to one's own
    int fd = (int)syscall(SYS_pidfd_open, init, 0);
    CHECK(!setns(fd, CLONE_NEWPID));
    pid_t pid = start(0, idle, NULL);
    int status;
    CHECK(!kill(init, SIGKILL) && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
    CHECK(waitpid(init, NULL, 0) == init);
    CHECK_ERRNO(raw_clone(0), ENOMEM);
}

static int up(void *arg) {
    CHECK_ERRNO(setns(*(int *)arg, CLONE_NEWPID), EINVAL);
    return 0;
}

TEST(setns_does_not_lead_up) {
    int fd = open("/proc/self/ns/pid", O_RDONLY);
    CHECK(fd >= 0 && run_in_new(up, &fd) == 0);
}

TEST(the_init_waits_for_those_that_came_from_outside) {
    pid_t init = start(CLONE_NEWPID, idle, NULL);
    CHECK(!enter(init, "pid"));
    pid_t pid = start(0, idle, NULL);
    CHECK(!kill(init, SIGKILL));
    usleep(100000);
    CHECK(waitpid(init, NULL, WNOHANG) == 0); // we have not asked for the other one yet
    CHECK(waitpid(pid, NULL, 0) == pid && waitpid(init, NULL, 0) == init);
}

TEST(a_namespace_knows_its_parent) {
    pid_t init = start(CLONE_NEWPID, idle, NULL);
    char path[64];
    struct stat a, b;
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", init);
    int fd = open(path, O_RDONLY), up = ioctl(fd, NS_GET_PARENT);
    CHECK(fd >= 0 && up >= 0 && !fstat(up, &a) && !stat("/proc/self/ns/pid", &b) && a.st_ino == b.st_ino);
    CHECK(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWPID);
    CHECK_ERRNO(ioctl(up, NS_GET_PARENT), EPERM);
    test_end(init);
}
