// SPDX-License-Identifier: MIT
// Files of /proc about locks, interrupts, consoles and timers' slack, and the clock that goes on, as tools read them.
#include "test.h"
#include <fcntl.h>
#include <linux/rtc.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

TEST_DIRECTORY(0777)

// The whole file.
static const char *content(const char *path) {
    static char text[65536];
    int fd = open(path, O_RDONLY);
    ssize_t n, used = 0;
    CHECK(fd >= 0);
    while ((n = read(fd, text + used, sizeof(text) - 1 - (size_t)used)) > 0)
        used += n;
    CHECK(n == 0 && !close(fd));
    text[used] = '\0';
    return text;
}

static bool has(const char *path, const char *what) {
    return strstr(content(path), what) != NULL;
}

TEST(locks_are_told_with_who_has_them_and_where) {
    struct stat st;
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
    struct flock own = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100};
    char line[128], info[64];
    int fd = open("locked", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && !fstat(fd, &st) && !flock(fd, LOCK_SH) && !fcntl(fd, F_SETLK, &range));
    snprintf(line, sizeof(line), ": POSIX  ADVISORY  WRITE %d %02x:%02x:%lu 10 14\n", getpid(),
             major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
    CHECK(has("/proc/locks", line));
    snprintf(info, sizeof(info), "/proc/self/fdinfo/%d", fd);
    CHECK(has(info, line) && has(info, "lock:\t1: "));
    snprintf(line, sizeof(line), ": FLOCK  ADVISORY  READ %d %02x:%02x:%lu 0 EOF\n", getpid(),
             major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
    CHECK(has("/proc/locks", line) && has(info, line));
    CHECK(!fcntl(fd, F_OFD_SETLK, &own));
    snprintf(line, sizeof(line), ": OFDLCK ADVISORY  READ -1 %02x:%02x:%lu 100 EOF\n", major(st.st_dev),
             minor(st.st_dev), (unsigned long)st.st_ino);
    CHECK(has("/proc/locks", line) && has(info, line));
    snprintf(info, sizeof(info), ":%lu ", (unsigned long)st.st_ino);
    CHECK(!close(fd) && !has("/proc/locks", info));
}

// Where the line stands that tells of this file from there on; NULL: there is none.
static const char *line_of(const char *at, const struct stat *st, const char *what) {
    char inode[64];
    snprintf(inode, sizeof(inode), "%02x:%02x:%lu ", major(st->st_dev), minor(st->st_dev),
             (unsigned long)st->st_ino);
    for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const char *end = strchr(at, '\n'), *kind = strchr(at, ' '), *found = strstr(at, inode);
        if (end && found && found < end && !strncmp(kind + 1, what, strlen(what)))
            return at;
    }
    return NULL;
}

// The last that was set comes first, and each is followed by those that wait for it.
TEST(locks_are_told_with_those_that_wait_for_them) {
    struct stat st[2];
    int fds[4];
    pid_t waiting[2];
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(!sched_setaffinity(0, sizeof(one), &one)); // Linux has a list for each
    for (int i = 0; i < 4; i++) {
        fds[i] = open(i % 2 ? "one" : "other", O_CREAT | O_RDWR, 0600);
        CHECK(fds[i] >= 0 && !fstat(fds[i], &st[i % 2]));
    }
    CHECK(!flock(fds[0], LOCK_EX) && !flock(fds[1], LOCK_SH));
    const char *text = content("/proc/locks"), *older = line_of(text, &st[0], "FLOCK  ADVISORY  WRITE"),
               *newer = line_of(text, &st[1], "FLOCK  ADVISORY  READ ");
    CHECK(older && newer && newer < older && !line_of(text, &st[0], "->"));
    for (int i = 0; i < 2; i++) {
        int fd = open("other", O_RDWR);
        waiting[i] = fork();
        if (!waiting[i]) {
            flock(fd, LOCK_EX);
            _exit(0);
        }
        close(fd);
        for (int k = 0; k < 500 && !line_of(content("/proc/locks"), &st[0],
                                            i ? " -> FLOCK  ADVISORY  WRITE" : "-> FLOCK  ADVISORY  WRITE");
             k++)
            usleep(10000);
    }
    text = content("/proc/locks");
    older = line_of(text, &st[0], "FLOCK  ADVISORY  WRITE");
    const char *first = line_of(older, &st[0], "-> FLOCK  ADVISORY  WRITE"),
               *second = line_of(older, &st[0], " -> FLOCK  ADVISORY  WRITE");
    CHECK(older && first == strchr(older, '\n') + 1 && second == strchr(first, '\n') + 1);
    CHECK(atoi(first) == atoi(older) && atoi(second) == atoi(older));
    CHECK(atoi(strstr(first, "WRITE") + 5) == waiting[0] && atoi(strstr(second, "WRITE") + 5) == waiting[1]);
    CHECK(!flock(fds[0], LOCK_UN) && test_wait_exit(waiting[0]) == 0 && test_wait_exit(waiting[1]) == 0);
    CHECK(!line_of(content("/proc/locks"), &st[0], ""));
}

TEST(all_locks_of_many_files_are_told) {
    enum { FILES = 40, EACH = 20 };
    char name[32], line[64];
    struct stat st;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        for (int k = 0; k < EACH; k++)
            CHECK(!fcntl(
                fd, F_SETLK,
                &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10 * k, .l_len = 1}));
    }
    const char *all = content("/proc/locks");
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "many%d", i);
        CHECK(!stat(name, &st));
        for (int k = 0; k < EACH; k++) {
            snprintf(line, sizeof(line), ":%lu %d %d\n", (unsigned long)st.st_ino, 10 * k, 10 * k);
            char *found = strstr(all, line);
            CHECK(found && !strstr(found + 1, line)); // once
        }
    }
}

TEST(interrupts_have_a_column_for_each_processor) {
    char last[32];
    snprintf(last, sizeof(last), "CPU%ld", sysconf(_SC_NPROCESSORS_ONLN) - 1);
    CHECK(has("/proc/interrupts", last) && has("/proc/interrupts", "IPI"));
    CHECK(has("/proc/softirqs", last) && has("/proc/softirqs", "NET_RX:"));
    CHECK(has("/proc/consoles", "ttyS0"));
}

TEST(sysrq_trigger_is_for_writing_and_for_root) {
    int fd = open("/proc/sysrq-trigger", O_WRONLY);
    struct stat st;
    CHECK(fd >= 0 && write(fd, "h", 1) == 1 && !close(fd));
    CHECK(!stat("/proc/sysrq-trigger", &st) && (st.st_mode & 07777) == 0200);
}

TEST(kinds_of_terminals_are_told_with_their_numbers) {
    const char *path = "/proc/tty/drivers";
    CHECK(!strncmp(content(path),
                   "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
                   "/dev/console         /dev/console    5       1 system:console\n"
                   "/dev/ptmx            /dev/ptmx       5       2 system\n",
                   3 * 62 - 8));
    const char *serial = strstr(content(path), "\nserial               /dev/ttyS       4 ");
    CHECK(serial && atoi(serial + 39) == 64);
    CHECK(has(path, "\npty_slave            /dev/pts      136 0-"));
    CHECK(has(path, " pty:slave\npty_master           /dev/ptm      128 0-"));
    CHECK(has("/proc/tty/ldiscs", "n_tty       0\n"));
}

TEST(timers_slack_is_read_and_set_in_proc) {
    CHECK(!prctl(PR_SET_TIMERSLACK, 12345) && has("/proc/self/timerslack_ns", "12345\n"));
    int fd = open("/proc/self/timerslack_ns", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "777", 3) == 3 && prctl(PR_GET_TIMERSLACK) == 777);
    CHECK_ERRNO(write(fd, "x", 1), EINVAL);
    CHECK(!setresuid(1000, 1000, 1000));
    CHECK(open("/proc/1/timerslack_ns", O_RDONLY) < 0 ||
          read(open("/proc/1/timerslack_ns", O_RDONLY), &(char){0}, 1) == -1);
}

TEST(the_clock_that_goes_on_is_read_and_set) {
    struct rtc_time t, other;
    struct timespec now;
    int fd = open("/dev/rtc0", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_ERRNO(open("/dev/rtc0", O_RDONLY), EBUSY);
    CHECK(!ioctl(fd, RTC_RD_TIME, &t) && !clock_gettime(CLOCK_REALTIME, &now));
    CHECK(t.tm_year >= 120 && t.tm_mon >= 0 && t.tm_mon < 12 && t.tm_mday >= 1 && t.tm_mday <= 31);
    CHECK(
        !ioctl(fd, RTC_SET_TIME,
               &(struct rtc_time){.tm_year = 100, .tm_mon = 1, .tm_mday = 29, .tm_hour = 23, .tm_min = 58}));
    CHECK(!ioctl(fd, RTC_RD_TIME, &other) && other.tm_year == 100 && other.tm_mon == 1 &&
          other.tm_mday == 29 && other.tm_hour == 23 && other.tm_min >= 58);
    CHECK(!ioctl(fd, RTC_SET_TIME, &t));
    CHECK_ERRNO(ioctl(fd, RTC_SET_TIME, &(struct rtc_time){.tm_year = 101, .tm_mon = 1, .tm_mday = 29}),
                EINVAL);
    CHECK_ERRNO(ioctl(fd, RTC_RD_TIME, 8), EFAULT);
    CHECK(!setresuid(1000, 1000, 1000));
    CHECK_ERRNO(ioctl(fd, RTC_SET_TIME, &t), EACCES);
}
