// SPDX-License-Identifier: MIT
// What one takes from a process, or asks about it, while that ends, closes or becomes another program.
#include "races.h"
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>

static pid_t child;
static int child_pidfd = -1;

static void make_child(void) {
    child = fork();
    CHECK(child >= 0);
    if (!child)
        for (;;)
            pause();
    CHECK((child_pidfd = (int)syscall(SYS_pidfd_open, child, 0)) >= 0);
}

static void kill_child(void) {
    CHECK(!kill(child, SIGKILL));
}

// The same open file, or that there is no process any more; nothing else.
static void take_files(void) {
    for (int i = 0; i < 20; i++) {
        int fd = (int)syscall(SYS_pidfd_getfd, child_pidfd, 0, 0);
        CHECK(fd >= 0 || errno == ESRCH || errno == EBADF);
        if (fd < 0)
            return;
        CHECK(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, 0) == 0);
        CHECK(!close(fd));
    }
}

static void ask_and_advise(void) {
    static char page[4096] __attribute__((aligned(4096)));
    struct iovec v = {page, sizeof(page)};
    for (int i = 0; i < 20; i++) {
        for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++) {
            errno = 0;
            long r = syscall(SYS_kcmp, getpid(), child, type, 0, 0);
            CHECK((r >= 0 && r <= 2) || errno == ESRCH);
        }
        CHECK(syscall(SYS_process_madvise, child_pidfd, &v, 1, MADV_COLD, 0) == 4096 || errno == ESRCH);
        (void)syscall(SYS_ioprio_set, 1, child, 2 << 13 | 3);
    }
}

static void end_child(void) {
    CHECK(waitpid(child, NULL, 0) == child && !close(child_pidfd));
}

TEST(what_is_taken_from_one_that_ends_is_whole_or_not_there) {
    CHECK(run_race(&(struct race){make_child, {kill_child, take_files, ask_and_advise}, end_child}) > 0);
}

// ---- a clock that is made faster and slower never goes back

static void change_rate(void) {
    for (int i = 0; i < 20; i++)
        CHECK(syscall(SYS_adjtimex, &(struct timex){.modes = ADJ_TICK, .tick = i % 2 ? 9000 : 11000}) >= 0);
}

static void read_clock(int by_call) {
    struct timespec last = {0}, now;
    for (int i = 0; i < 500; i++, last = now) {
        CHECK(!(by_call ? syscall(SYS_clock_gettime, CLOCK_REALTIME, &now)
                        : clock_gettime(CLOCK_REALTIME, &now)));
        CHECK(now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));
    }
}
static void read_by_call(void) {
    read_clock(1);
}
static void read_by_vdso(void) {
    read_clock(0);
}

TEST(a_clock_whose_rate_changes_does_not_go_back) {
    CHECK(run_race(&(struct race){NULL, {change_rate, read_by_call, read_by_vdso}, NULL}) > 0);
    CHECK(syscall(SYS_adjtimex, &(struct timex){.modes = ADJ_TICK, .tick = 10000}) >= 0);
}
