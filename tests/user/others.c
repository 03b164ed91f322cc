// SPDX-License-Identifier: MIT
// What one process does with another's: pidfd_getfd(2), process_madvise(2), kcmp(2), ioprio_set(2); and beside these
// cachestat(2), remap_file_pages(2), close_range(2), vhangup(2).
#include "test.h"
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

TEST_DIRECTORY(0777)

static void become_nobody(void) {
    CHECK(!setresgid(1000, 1000, 1000) && !setresuid(1000, 1000, 1000));
}

// ---- pidfd_getfd

static int pidfd_open_(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int getfd(int pidfd, int fd, unsigned int flags) {
    return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}

TEST(pidfd_getfd_gives_the_same_open_file) {
    int fd = test_make("shared", "0123456789"), null = open("/dev/null", O_RDONLY), copy;
    pid_t pid = test_start_idle(NULL, NULL);
    int pidfd = pidfd_open_(pid);
    CHECK(fd >= 0 && pidfd >= 0);
    CHECK((copy = getfd(pidfd, fd, 0)) >= 0 && copy != fd);
    CHECK(fcntl(copy, F_GETFD) == FD_CLOEXEC);
    CHECK(lseek(fd, 3, SEEK_SET) == 3 && lseek(copy, 0, SEEK_CUR) == 3); // one position
    CHECK_ERRNO(getfd(pidfd, fd, 1), EINVAL);
    CHECK_ERRNO(getfd(pidfd, 999, 0), EBADF);
    CHECK_ERRNO(getfd(pidfd, -1, 0), EBADF);
    CHECK_ERRNO(getfd(null, fd, 0), EBADF);
    CHECK_ERRNO(getfd(-1, fd, 0), EBADF);
    test_end(pid);
    CHECK_ERRNO(getfd(pidfd, fd, 0), ESRCH);
}

static int cannot_take(void *pidfd) {
    become_nobody();
    return getfd(*(int *)pidfd, 0, 0) != -1 || errno != EPERM;
}

TEST(pidfd_getfd_is_for_those_who_may_trace) {
    pid_t pid = test_start_idle(NULL, NULL);
    int pidfd = pidfd_open_(pid);
    CHECK(pidfd >= 0 && test_wait_exit(test_fork(cannot_take, &pidfd)) == 0);
    test_end(pid);
}

// ---- process_madvise

static long advise(int pidfd, const void *addr, size_t n, int advice, unsigned int flags) {
    struct iovec v = {(void *)addr, n};
    return syscall(SYS_process_madvise, pidfd, &v, 1, advice, flags);
}

static int cannot_advise(void *pidfd) {
    static char page[4096] __attribute__((aligned(4096)));
    become_nobody();
    return advise(*(int *)pidfd, page, 4096, MADV_COLD, 0) != -1 || errno != EACCES;
}

TEST(process_madvise_counts_the_bytes_it_advised) {
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED && !munmap(m + 4096, 4096));
    pid_t pid = test_start_idle(NULL, NULL);
    int pidfd = pidfd_open_(pid);
    struct iovec v[2] = {{m, 4096}, {m + 4096, 8192}};
    CHECK(advise(pidfd, m, 4096, MADV_COLD, 0) == 4096);
    CHECK(advise(pidfd, m, 4096, MADV_PAGEOUT, 0) == 4096);
    CHECK(syscall(SYS_process_madvise, pidfd, v, 2, MADV_COLD, 0) == 4096);
    CHECK_ERRNO(advise(pidfd, m + 4096, 4096, MADV_WILLNEED, 0), ENOMEM);
    CHECK_ERRNO(advise(pidfd, m, 4096, MADV_COLD, 1), EINVAL);
    CHECK_ERRNO(advise(pidfd, m + 1, 4096, MADV_COLD, 0), EINVAL);
    CHECK_ERRNO(advise(pidfd, m, 4096, MADV_DONTNEED, 0), EINVAL); // of another's, nothing is lost
    CHECK_ERRNO(advise(-1, m, 4096, MADV_COLD, 0), EBADF);
    CHECK(syscall(SYS_process_madvise, pidfd, NULL, 0, MADV_COLD, 0) == 0);
    CHECK_ERRNO(syscall(SYS_process_madvise, pidfd, v, 1025, MADV_COLD, 0), EINVAL);
    CHECK(test_wait_exit(test_fork(cannot_advise, &pidfd)) == 0);
    test_end(pid);
    CHECK_ERRNO(advise(pidfd, m, 4096, MADV_COLD, 0), ESRCH);
}

// ---- kcmp

static long compare(pid_t a, pid_t b, int type, unsigned long x, unsigned long y) {
    return syscall(SYS_kcmp, a, b, type, x, y);
}

static int cannot_compare(void *pid) {
    become_nobody();
    return compare(getpid(), *(pid_t *)pid, KCMP_VM, 0, 0) != -1 || errno != EPERM;
}

TEST(kcmp_tells_what_two_share) {
    pid_t me = getpid(), child = test_start_idle(NULL, NULL);
    int fd = test_make("compared", "x"), other = open("compared", O_RDONLY), same = dup(fd);
    CHECK(compare(me, me, KCMP_FILE, fd, same) == 0);
    long order = compare(me, me, KCMP_FILE, fd, other);
    CHECK(order == 1 || order == 2);
    CHECK(compare(me, me, KCMP_FILE, other, fd) == 3 - order);
    CHECK(compare(me, child, KCMP_FILE, 0, 0) == 0); // a fork shares open files, but not what they are in
    for (int type = KCMP_VM; type <= KCMP_SIGHAND; type++) {
        CHECK(compare(me, me, type, 0, 0) == 0);
        CHECK(compare(me, child, type, 0, 0) > 0);
    }
    CHECK(compare(me, child, KCMP_IO, 0, 0) == 0 &&
          compare(me, child, KCMP_SYSVSEM, 0, 0) == 0); // none has any
    CHECK_ERRNO(compare(me, me, KCMP_FILE, fd, 999), EBADF);
    CHECK_ERRNO(compare(me, me, 99, 0, 0), EINVAL);
    CHECK_ERRNO(compare(me, me, -1, 0, 0), EINVAL);
    CHECK_ERRNO(compare(me, 999999, KCMP_VM, 0, 0), ESRCH);
    CHECK_ERRNO(compare(0, me, KCMP_VM, 0, 0), ESRCH);
    CHECK(test_wait_exit(test_fork(cannot_compare, &child)) == 0);
    test_end(child);
}

TEST(kcmp_finds_what_is_in_an_epoll_set) {
    struct epoll_event e = {.events = EPOLLIN};
    int set = epoll_create1(0), p[2], q[2];
    CHECK(!pipe(p) && !pipe(q) && !epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e));
    struct kcmp_epoll_slot slot = {.efd = (uint32_t)set, .tfd = (uint32_t)p[0]};
    pid_t me = getpid();
    CHECK(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot) == 0);
    CHECK(compare(me, me, KCMP_EPOLL_TFD, q[0], (unsigned long)&slot) > 0);
    slot.toff = 1;
    CHECK_ERRNO(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot), ENOENT);
    slot.efd = (uint32_t)p[0];
    CHECK_ERRNO(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot), EINVAL);
    CHECK_ERRNO(compare(me, me, KCMP_EPOLL_TFD, p[0], 8), EFAULT);
}

// ---- ioprio

enum { OF_PROCESS = 1, OF_GROUP, OF_USER };
#define PRIORITY(class, level) ((class) << 13 | (level))

static long io_set(int which, int who, int priority) {
    return syscall(SYS_ioprio_set, which, who, priority);
}
static long io_get(int which, int who) {
    return syscall(SYS_ioprio_get, which, who);
}

static int has_inherited(void *expected) {
    return io_get(OF_PROCESS, 0) != *(int *)expected;
}

static int unprivileged_priorities(void *pid) {
    become_nobody();
    CHECK_ERRNO(io_set(OF_PROCESS, *(pid_t *)pid, PRIORITY(2, 1)), EPERM);
    CHECK_ERRNO(io_set(OF_PROCESS, 0, PRIORITY(1, 1)), EPERM);
    CHECK(io_set(OF_PROCESS, 0, PRIORITY(3, 0)) == 0 && io_get(OF_PROCESS, 0) == PRIORITY(3, 0));
    CHECK(io_get(OF_PROCESS, *(pid_t *)pid) == PRIORITY(2, 6)); // everybody may look
    return 0;
}

TEST(a_priority_of_io_is_kept_and_inherited) {
    int expected = PRIORITY(2, 6);
    pid_t me = getpid();
    CHECK(!setpgid(0, 0));
    CHECK(io_get(OF_PROCESS, 0) == 0);            // none
    CHECK(io_get(OF_GROUP, 0) == PRIORITY(2, 4)); // what counts instead, of nice 0
    CHECK(io_set(OF_PROCESS, 0, expected) == 0 && io_get(OF_PROCESS, me) == expected);
    CHECK(test_wait_exit(test_fork(has_inherited, &expected)) == 0);
    CHECK(test_wait_exit(test_fork(unprivileged_priorities, &me)) == 0);
    CHECK(io_set(OF_GROUP, me, PRIORITY(2, 3)) == 0 && io_get(OF_GROUP, 0) == PRIORITY(2, 3));
    CHECK(io_set(OF_PROCESS, 0, PRIORITY(1, 0)) == 0 && io_get(OF_PROCESS, 0) == PRIORITY(1, 0));
    CHECK(io_set(OF_PROCESS, 0, 0) == 0 && io_get(OF_PROCESS, 0) == 0);
    CHECK_ERRNO(io_set(OF_PROCESS, 0, 1), EINVAL);
    CHECK_ERRNO(io_set(OF_PROCESS, 0, PRIORITY(4, 0)), EINVAL);
    CHECK_ERRNO(io_set(0, 0, 0), EINVAL);
    CHECK_ERRNO(io_get(9, 0), EINVAL);
    CHECK_ERRNO(io_get(OF_PROCESS, 999999), ESRCH);
    CHECK_ERRNO(io_set(OF_GROUP, 999999, PRIORITY(2, 1)), ESRCH);
    CHECK_ERRNO(io_get(OF_USER, 4711), ESRCH);
}

// ---- cachestat

struct range {
    uint64_t offset, length;
};
struct counts {
    uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static long count(int fd, uint64_t offset, uint64_t length, struct counts *c) {
    struct range r = {offset, length};
    return syscall(SYS_cachestat, fd, &r, c, 0);
}

static int may_not_count(void *fd) {
    struct counts c;
    become_nobody();
    return count(*(int *)fd, 0, 0, &c) != -1 || errno != EPERM;
}

TEST(cachestat_counts_the_pages_that_are_there) {
    struct counts c;
    struct range r = {0, 0};
    int fd = open("cached", O_CREAT | O_RDWR, 0644), p[2];
    CHECK(fd >= 0 && pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "x", 1, 5 * 4096) == 1);
    CHECK(!ftruncate(fd, 1ll << 40));
    CHECK(!count(fd, 0, 0, &c) && c.cached == 2 && !c.writeback && !c.evicted && !c.recently_evicted);
    CHECK(!count(fd, 0, 4096, &c) && c.cached == 1);
    CHECK(!count(fd, 4096, 4 * 4096, &c) && c.cached == 0);
    CHECK(!count(fd, 4096, 4 * 4096 + 1, &c) && c.cached == 1);
    CHECK(!count(fd, 4096, ~0ull, &c) && c.cached == 0); // the sum wraps, as Linux's does
    CHECK(!pipe(p) && !count(p[1], 0, 0, &c) && !c.cached);
    CHECK_ERRNO(syscall(SYS_cachestat, fd, &r, &c, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_cachestat, fd, 8, &c, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_cachestat, fd, &r, 8, 0), EFAULT);
    CHECK_ERRNO(count(-1, 0, 0, &c), EBADF);
    int reader = open("cached", O_RDONLY);
    CHECK(reader >= 0 && !chown("cached", 0, 0) && test_wait_exit(test_fork(may_not_count, &reader)) == 0);
}

// ---- remap_file_pages

static long remap(void *addr, size_t n, unsigned long prot, unsigned long page) {
    return syscall(SYS_remap_file_pages, addr, n, prot, page, 0);
}

TEST(remap_file_pages_turns_a_mapping_round) {
    int fd = open("pages", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < 4; i++)
        CHECK(pwrite(fd, &(char){'a' + i}, 1, i * 4096) == 1);
    char *m = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(m != MAP_FAILED && m[0] == 'a');
    for (int i = 0; i < 4; i++)
        CHECK(remap(m + i * 4096, 4096, 0, 3 - i) == 0);
    CHECK(m[0] == 'd' && m[4096] == 'c' && m[2 * 4096] == 'b' && m[3 * 4096] == 'a');
    m[0] = 'X';
    char c;
    CHECK(pread(fd, &c, 1, 3 * 4096) == 1 && c == 'X');
    CHECK(remap(m, 2 * 4096, 0, 0) == 0 && m[0] == 'a' && m[4096] == 'b'); // over a seam
    CHECK_ERRNO(remap(m, 4096, PROT_READ, 0), EINVAL);
    CHECK_ERRNO(remap(m, 0, 0, 0), EINVAL);
    CHECK_ERRNO(remap(m + 3 * 4096, 2 * 4096, 0, 0), EINVAL);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERRNO(remap(private, 4096, 0, 0), EINVAL);
}

// ---- close_range

TEST(close_range_unshares_only_for_its_caller) {
    int fd = open("/dev/null", O_RDONLY), status;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (!pid) {
        int bad =
            (int)syscall(SYS_close_range, 3, ~0u, 2 /* CLOSE_RANGE_UNSHARE */) || fcntl(fd, F_GETFD) != -1;
        _exit(bad);
    }
    CHECK(waitpid(pid, &status, 0) == pid && !status && fcntl(fd, F_GETFD) == 0);
    CHECK(!syscall(SYS_close_range, fd, fd, 4 /* CLOSE_RANGE_CLOEXEC */) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_ERRNO(syscall(SYS_close_range, fd, fd, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
}

// ---- vhangup

static int unprivileged_hangup(void *unused) {
    (void)unused;
    become_nobody();
    return syscall(SYS_vhangup) != -1 || errno != EPERM;
}

static int hangs_up(void *unused) {
    char buf[8];
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    (void)unused;
    signal(SIGHUP, SIG_IGN);
    if (setsid() < 0 || syscall(SYS_vhangup) || grantpt(master) || unlockpt(master)) // nothing to hang up: 0
        return 1;
    slave = open(ptsname(master), O_RDWR); // becomes ours
    if (slave < 0 || write(slave, "x", 1) != 1 || syscall(SYS_vhangup))
        return 2;
    if (read(slave, buf, 8) != 0 || write(slave, "x", 1) != -1 || errno != EIO)
        return 3;
    return open("/dev/tty", O_RDWR) != -1 || errno != ENXIO ? 4 : 0;
}

TEST(vhangup_takes_the_terminal_from_all_who_have_it) {
    CHECK(test_wait_exit(test_fork(unprivileged_hangup, NULL)) == 0);
    CHECK(test_wait_exit(test_fork(hangs_up, NULL)) == 0);
}

// ---- sched_setattr

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t times[3]; // runtime, deadline, period
    uint32_t clamps[2];
};

static struct attributes attributes(pid_t pid) {
    struct attributes a = {.size = 0};
    CHECK(syscall(SYS_sched_getattr, pid, &a, sizeof(a), 0) == 0);
    return a;
}

// Sets a slice of so many ns; the one that there is then.
static uint64_t set_slice(uint32_t policy, uint64_t ns) {
    struct attributes a = {.size = 48, .policy = policy, .times = {ns}};
    CHECK(syscall(SYS_sched_setattr, 0, &a, 0) == 0);
    return attributes(0).times[0];
}

// The C library's refuses.
static long set_policy(int policy, int priority) {
    return syscall(SYS_sched_setscheduler, 0, policy, &priority);
}

TEST(a_time_slice_can_be_a_threads_own) {
    const int normal = 0, batch = 3, keep_all = 0x18;
    uint64_t usual = attributes(0).times[0];
    CHECK(usual >= 100000 && usual <= 100000000);
    CHECK(set_slice(normal, 123456) == 123456 && set_slice(batch, 3000000) == 3000000);
    CHECK(set_slice(normal, 1) == 100000 && set_slice(normal, UINT64_MAX) == 100000000);
    CHECK(!set_policy(SCHED_BATCH, 0) && attributes(0).times[0] == 100000000);
    struct attributes kept = {.size = 48, .flags = keep_all, .times = {7000000}};
    CHECK(!syscall(SYS_sched_setattr, 0, &kept, 0) && attributes(0).times[0] == 100000000);
    // Those of a real-time policy have none, and have theirs again behind it.
    CHECK(!set_policy(SCHED_FIFO, 1) && attributes(0).times[0] == 0 && attributes(0).nice == 0);
    CHECK(!set_policy(SCHED_OTHER, 0) && attributes(0).times[0] == 100000000);
    pid_t child = test_start_idle(NULL, NULL);
    CHECK(attributes(child).times[0] == 100000000);
    test_end(child);
    CHECK(!set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
    child = test_start_idle(NULL, NULL);
    CHECK(attributes(child).times[0] == usual);
    test_end(child);
    CHECK(set_slice(normal, 0) == usual);
}

// Two that only count on one processor get on alike, however long their slices are.
TEST(slices_of_ones_own_get_no_larger_share) {
    enum { MS = 600 };
    volatile uint64_t *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cpu_set_t one;
    pid_t pids[2];
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            if (sched_setaffinity(0, sizeof(one), &one) || set_slice(0, i ? 20000000 : 100000) == 0)
                _exit(1);
            for (;;)
                counts[8 * i]++;
        }
    }
    usleep(MS * 1000);
    uint64_t a = counts[0], b = counts[8];
    test_end(pids[0]);
    test_end(pids[1]);
    CHECK(a > b / 3 && b > a / 3);
}

TEST(what_a_machine_of_one_speed_does_not_have_is_not_supported) {
    struct attributes attr = {.size = 56, .flags = 0x20 | 0x08 | 0x10, .clamps = {10, 20}};
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), EOPNOTSUPP);
    attr.flags = 0x1000;
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), EINVAL);
}

TEST(what_children_are_not_to_have_stays_so) {
    struct rlimit none = {0, 0};
    CHECK(!set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, 3) && !setrlimit(RLIMIT_RTPRIO, &none) &&
          !setrlimit(RLIMIT_NICE, &none) && !setresuid(4000, 4000, 4000));
    CHECK_ERRNO(set_policy(SCHED_FIFO, 3), EPERM);
    CHECK_ERRNO(set_policy(SCHED_RR | SCHED_RESET_ON_FORK, 3), EPERM);
    CHECK_ERRNO(set_policy(SCHED_OTHER, 0), EPERM);
    struct attributes a = {.size = 48, .policy = SCHED_FIFO, .priority = 3};
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), EPERM);
    CHECK(!set_policy(SCHED_FIFO | SCHED_RESET_ON_FORK, 2) &&
          !set_policy(SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
    CHECK_ERRNO(set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK, 0), EPERM);
}
