// SPDX-License-Identifier: MIT
// Terminals: the line discipline, job control and pseudoterminals, seen through a pty.
#include "test.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static int master, slave, number;
static char buffer[8192];

static void open_pty(void) {
    int n, unlock = 0;
    char name[32];
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0 && ioctl(master, TIOCGPTN, &n) == 0);
    snprintf(name, sizeof(name), "/dev/pts/%d", n);
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && isatty(slave));
}

static void type(const char *text) {
    CHECK(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

// What the master can read within a moment, as a string.
static const char *shown(void) {
    size_t n = 0;
    struct pollfd f = {master, POLLIN, 0};
    while (n < sizeof(buffer) - 1 && poll(&f, 1, 50) == 1 && (f.revents & POLLIN)) {
        ssize_t got = read(master, buffer + n, sizeof(buffer) - 1 - n);
        if (got <= 0)
            break;
        n += got;
    }
    buffer[n] = 0;
    return buffer;
}

static const char *line(void) {
    ssize_t n = read(slave, buffer, sizeof(buffer) - 1);
    CHECK(n >= 0);
    buffer[n] = 0;
    return buffer;
}

static int slave_ready(void) {
    struct pollfd f = {slave, POLLIN, 0};
    return poll(&f, 1, 50) == 1 && (f.revents & POLLIN);
}

static struct termios mode(void) {
    struct termios t;
    CHECK(tcgetattr(slave, &t) == 0);
    return t;
}

static void set_mode(struct termios t) {
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
}

static void raw(int min, int time) {
    struct termios t = mode();
    t.c_lflag &= ~(ICANON | ECHO | ISIG);
    t.c_cc[VMIN] = min;
    t.c_cc[VTIME] = time;
    set_mode(t);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

TEST(tty_lines_come_whole_and_one_at_a_time) {
    open_pty();
    type("hel");
    CHECK(!slave_ready());
    type("lo\rworld\n");
    CHECK(slave_ready());
    CHECK(!strcmp(line(), "hello\n") && !strcmp(line(), "world\n"));
    type("split\n");
    CHECK(read(slave, buffer, 2) == 2 && !memcmp(buffer, "sp", 2) && !strcmp(line(), "lit\n"));
}

TEST(tty_echoes_what_is_typed) {
    open_pty();
    type("ab\x01"
         "c\n");
    CHECK(!strcmp(shown(), "ab^Ac\r\n"));
}

TEST(tty_keys_edit_the_line) {
    open_pty();
    type("abc\x7f\x7fxy\n");
    CHECK(!strcmp(line(), "axy\n"));
    CHECK(!strcmp(shown(), "abc\b \b\b \bxy\r\n"));
    type("one two  \x17three\n");
    CHECK(!strcmp(line(), "one three\n"));
    type("gone\x15kept\n");
    CHECK(!strcmp(line(), "kept\n"));
    type("a\x16\x7f"
         "b\n");
    CHECK(!strcmp(line(), "a\x7f"
                          "b\n"));
    shown();
    type("xy\x12");
    CHECK(!strcmp(shown(), "xy^R\r\nxy"));
}

TEST(tty_erases_tabs_and_utf8) {
    open_pty();
    struct termios t = mode();
    t.c_iflag |= IUTF8;
    set_mode(t);
    type("ab\tc\x7f\x7f");
    CHECK(!strcmp(shown(), "ab\tc\b \b\b\b\b\b\b\b"));
    type("\xc3\xa4\x7f\n");
    CHECK(!strcmp(line(), "ab\n"));
}

TEST(tty_end_of_file) {
    open_pty();
    type("\x04");
    CHECK(slave_ready() && !strcmp(line(), ""));
    type("no newline\x04");
    CHECK(!strcmp(line(), "no newline"));
    type("abc\x04");
    CHECK(read(slave, buffer, 3) == 3);
    CHECK(!slave_ready());
}

TEST(tty_raw_reads_wait_for_min_and_time) {
    int n = -1;
    open_pty();
    raw(0, 0);
    CHECK(read(slave, buffer, 10) == 0);
    raw(3, 0);
    type("ab");
    CHECK(!slave_ready());
    CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 2);
    type("cde");
    CHECK(slave_ready() && read(slave, buffer, 10) == 5 && !memcmp(buffer, "abcde", 5));
    raw(0, 2);
    double start = seconds();
    CHECK(read(slave, buffer, 10) == 0 && seconds() - start >= 0.19);
    raw(5, 1);
    type("xy");
    start = seconds();
    CHECK(read(slave, buffer, 10) == 2 && seconds() - start >= 0.09);
    type("123456");
    CHECK(read(slave, buffer, 10) == 6);
}

TEST(tty_modes_change_with_input_waiting) {
    open_pty();
    type("partial");
    CHECK(!slave_ready());
    raw(1, 0);
    CHECK(slave_ready());
    struct termios t = mode();
    t.c_lflag |= ICANON;
    set_mode(t);
    CHECK(!strcmp(line(), "partial"));
}

TEST(tty_output_is_processed) {
    open_pty();
    CHECK(write(slave, "a\nb\n", 4) == 4 && !strcmp(shown(), "a\r\nb\r\n"));
    struct termios t = mode();
    t.c_oflag = OPOST | XTABS;
    set_mode(t);
    CHECK(write(slave, "\rab\tc\n", 6) == 6 && !strcmp(shown(), "\rab      c\n"));
    t.c_oflag = 0;
    set_mode(t);
    CHECK(write(slave, "x\ty\n", 4) == 4 && !strcmp(shown(), "x\ty\n"));
}

TEST(tty_input_is_mapped) {
    open_pty();
    raw(1, 0);
    struct termios t = mode();
    t.c_iflag = INLCR | IGNCR | ISTRIP;
    set_mode(t);
    type("a\r\n\xe1");
    CHECK(!strcmp(line(), "a\ra"));
}

static int write_held(void *arg) {
    (void)arg;
    return write(slave, "held", 4) != 4;
}

TEST(tty_output_stops_and_starts) {
    open_pty();
    type("\x13");
    usleep(20000);
    pid_t pid = test_fork(write_held, NULL);
    CHECK(!strcmp(shown(), ""));
    type("\x11");
    CHECK(!strcmp(shown(), "held") && test_wait_exit(pid) == 0);
    CHECK(tcflow(slave, TCOOFF) == 0);
    pid = test_fork(write_held, NULL);
    CHECK(!strcmp(shown(), ""));
    CHECK(tcflow(slave, TCOON) == 0 && !strcmp(shown(), "held") && test_wait_exit(pid) == 0);
}

TEST(tty_stopped_output_holds_writers_but_not_what_they_wrote) {
    struct pollfd f = {slave, POLLOUT, 0};
    int n = 0;
    open_pty();
    f.fd = slave;
    CHECK(write(slave, "before", 6) == 6 && tcflow(slave, TCOOFF) == 0);
    CHECK(ioctl(master, FIONREAD, &n) == 0 && n == 6 && !strcmp(shown(), "before"));
    CHECK(poll(&f, 1, 0) == 0 && fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
    CHECK(fcntl(slave, F_SETFL, 0) == 0);
    pid_t pid = test_fork(write_held, NULL);
    usleep(20000);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);
    CHECK(tcflow(slave, TCOON) == 0 && test_wait_exit(pid) == 0 && poll(&f, 1, 0) == 1);
    CHECK(!strcmp(shown(), "held"));
}

TEST(tty_queues_of_the_master_are_the_other_way_round) {
    open_pty();
    raw(1, 0);
    CHECK(write(slave, "abcd", 4) == 4 && tcflush(master, TCOFLUSH) == 0);
    CHECK(read(master, buffer, 2) == 2 && tcflush(master, TCIFLUSH) == 0);
    CHECK(write(slave, "ABCD", 4) == 4 && !strcmp(shown(), "ABCD"));
    type("in");
    CHECK(tcflush(master, TCIFLUSH) == 0 && slave_ready() && tcflush(master, TCOFLUSH) == 0 &&
          !slave_ready());
}

TEST(tty_writers_wait_for_the_other_side) {
    open_pty();
    pid_t pid = fork();
    if (!pid) {
        static char big[100000];
        memset(big, 'x', sizeof(big));
        _exit(write(slave, big, sizeof(big)) != sizeof(big));
    }
    size_t total = 0;
    while (total < 100000) {
        ssize_t n = read(master, buffer, sizeof(buffer));
        CHECK(n > 0);
        total += n;
    }
    CHECK(test_wait_exit(pid) == 0);
}

TEST(tty_a_flood_of_input_is_kept_for_readers) {
    open_pty();
    struct termios t = mode();
    t.c_lflag &= ~ECHO;
    set_mode(t);
    pid_t pid = fork();
    if (!pid) {
        for (int i = 0; i < 3000; i++) {
            char text[16];
            snprintf(text, sizeof(text), "%08d\n", i);
            type(text);
        }
        pause();
    }
    for (int i = 0; i < 3000; i++)
        CHECK(atoi(line()) == i && strlen(buffer) == 9);
    kill(pid, SIGKILL);
}

// ---- job control: the child leads a session on the terminal

static volatile sig_atomic_t caught;
static void catch (int sig) {
    caught = sig;
}

static void lead_session(void) {
    CHECK(setsid() > 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
    for (int sig = 1; sig < 32; sig++)
        if (sig == SIGINT || sig == SIGQUIT || sig == SIGTSTP || sig == SIGWINCH || sig == SIGHUP)
            sigaction(sig, &(struct sigaction){.sa_handler = catch}, NULL);
}

static int signals_leader(void *arg) {
    (void)arg;
    lead_session();
    CHECK(tcgetpgrp(slave) == getpid() && tcgetsid(slave) == getpid());
    int fd = open("/dev/tty", O_RDWR);
    CHECK(fd >= 0 && write(fd, "ready\n", 6) == 6);
    const int expect[] = {SIGINT, SIGQUIT, SIGTSTP, SIGWINCH};
    for (size_t i = 0; i < 4; i++) {
        caught = 0;
        CHECK(write(fd, "?", 1) == 1);
        while (!caught)
            usleep(1000);
        CHECK(caught == expect[i]);
    }
    return 0;
}

static void await(char c) {
    do
        CHECK(read(master, buffer, 1) == 1);
    while (*buffer != c);
}

TEST(tty_characters_and_size_send_signals) {
    open_pty();
    pid_t pid = test_fork(signals_leader, NULL);
    const char *const keys[] = {"\x03", "\x1c", "\x1a"};
    for (int i = 0; i < 3; i++) {
        await('?');
        usleep(20000);
        type(keys[i]);
    }
    await('?');
    usleep(20000);
    struct winsize size = {.ws_row = 33, .ws_col = 99}, got;
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0 && got.ws_row == 33 && got.ws_col == 99);
    CHECK(test_wait_exit(pid) == 0);
}

// Puts a group in the foreground that has gone when this returns its number.
static pid_t leave_group(void) {
    lead_session();
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (!job)
        for (;;)
            pause();
    CHECK(setpgid(job, job) == 0 && tcsetpgrp(slave, job) == 0 && kill(job, SIGKILL) == 0 &&
          waitpid(job, NULL, 0) == job);
    return job;
}

// Whoever gets a group's number next hears nothing of the terminal that it was in the foreground of.
TEST(tty_signals_nobody_who_has_the_number_of_a_group_that_is_gone) {
    int up[2];
    pid_t group;
    char c;
    open_pty();
    CHECK(pipe(up) == 0);
    pid_t leader = fork();
    if (!leader) {
        group = leave_group();
        CHECK(write(up[1], &group, sizeof(group)) == sizeof(group));
        for (;;)
            pause();
    }
    CHECK(read(up[0], &group, sizeof(group)) == sizeof(group));
    struct clone_args a = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&group, .set_tid_size = 1};
    pid_t other = syscall(SYS_clone3, &a, sizeof(a));
    if (!other) {
        CHECK(setsid() == group && write(up[1], "r", 1) == 1);
        for (;;)
            pause();
    }
    struct winsize size = {.ws_row = 33, .ws_col = 99};
    CHECK(other == group && read(up[0], &c, 1) == 1);
    CHECK(ioctl(master, TIOCSIG, SIGINT) == 0 && ioctl(master, TIOCSWINSZ, &size) == 0);
    type("\x03\x1c");
    close(master);
    usleep(50000);
    CHECK(waitpid(other, NULL, WNOHANG) == 0);
    test_end(leader);
    test_end(other);
}

static int background_leader(void *arg) {
    (void)arg;
    int status;
    lead_session();
    pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        char c;
        _exit(read(slave, &c, 1) == 1 && c == 'x' ? 7 : 1);
    }
    setpgid(pid, pid);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    CHECK(tcsetpgrp(slave, pid) == 0 && kill(-pid, SIGCONT) == 0);
    CHECK(write(slave, "?", 1) == 1);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    signal(SIGTTOU, SIG_IGN);
    CHECK(tcsetpgrp(slave, getpid()) == 0);
    return 0;
}

TEST(tty_background_readers_stop) {
    open_pty();
    pid_t pid = test_fork(background_leader, NULL);
    await('?');
    type("x\n");
    CHECK(test_wait_exit(pid) == 0);
}

static int writer_leader(void *arg) {
    (void)arg;
    int status;
    lead_session();
    struct termios t = mode();
    t.c_lflag |= TOSTOP;
    set_mode(t);
    pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_IGN);
        CHECK(write(slave, "ignored", 7) == 7);
        signal(SIGTTOU, SIG_DFL);
        write(slave, "never", 5);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    kill(pid, SIGKILL);
    CHECK(write(slave, "!", 1) == 1);
    return 0;
}

TEST(tty_TOSTOP_stops_background_writers) {
    open_pty();
    pid_t pid = test_fork(writer_leader, NULL);
    await('!');
    CHECK(test_wait_exit(pid) == 0);
}

static int hangup_leader(void *arg) {
    (void)arg;
    lead_session();
    close(master);
    CHECK(write(slave, "?", 1) == 1);
    while (!caught)
        usleep(1000);
    CHECK(caught == SIGHUP);
    CHECK(read(slave, buffer, 1) == 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    return 0;
}

TEST(tty_hangs_up_when_the_master_goes) {
    open_pty();
    pid_t pid = test_fork(hangup_leader, NULL);
    await('?');
    close(slave);
    close(master);
    CHECK(test_wait_exit(pid) == 0);
}

static void look_for_the_terminal(int sig) {
    (void)sig;
    _exit(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 0 : 1);
}

enum { MANY = 12 };

// A session of many, so that telling all of them takes a while in which the first looks.
static int told_leader(void *arg) {
    int status, wrong = 0;
    (void)arg;
    lead_session();
    close(master);
    for (int i = 0; i < MANY; i++) {
        if (fork() == 0) {
            signal(SIGHUP, look_for_the_terminal);
            CHECK(write(slave, "!", 1) == 1);
            for (;;)
                pause();
        }
    }
    for (int i = 0; i < MANY; i++) {
        while (wait(&status) == -1 && errno == EINTR)
            ;
        wrong += status != 0;
    }
    return wrong;
}

TEST(tty_is_nobodys_before_anybody_hears_of_its_hangup) {
    for (int i = 0; i < 40; i++) {
        open_pty();
        pid_t pid = test_fork(told_leader, NULL);
        for (int n = 0; n < MANY; n++)
            await('!');
        close(master);
        CHECK(test_wait_exit(pid) == 0);
        close(slave);
    }
}

TEST(tty_master_sees_the_slave_close) {
    open_pty();
    CHECK(write(slave, "bye", 3) == 3 && close(slave) == 0);
    CHECK(!strcmp(shown(), "bye"));
    CHECK_ERRNO(read(master, buffer, 1), EIO);
    struct pollfd f = {master, POLLIN, 0};
    CHECK(poll(&f, 1, 0) == 1 && (f.revents & POLLHUP));
}

TEST(tty_names_and_errors) {
    int n;
    open_pty();
    CHECK(ioctl(master, TIOCGPTN, &n) == 0);
    char name[32];
    snprintf(name, sizeof(name), "/dev/pts/%d", n);
    CHECK(!strcmp(ttyname(slave), name));
    CHECK_ERRNO(ioctl(slave, TIOCGPGRP, &n), ENOTTY);
    int p[2];
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(ioctl(p[0], TCGETS, buffer), ENOTTY);
    CHECK(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(slave, buffer, 1), EAGAIN);
    CHECK_ERRNO(lseek(slave, 0, SEEK_CUR), ESPIPE);
}

TEST(tty_number_of_a_master_is_told_in_fdinfo) {
    char path[32], wanted[32];
    open_pty();
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    for (int i = 0; i < 2; i++) { // the terminal itself has its number in its name
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", i ? slave : master);
        snprintf(wanted, sizeof(wanted), "\ntty-index:\t%d\n", number);
        int info = open(path, O_RDONLY);
        ssize_t n = read(info, buffer, sizeof(buffer) - 1);
        CHECK(n > 0 && !close(info));
        buffer[n] = 0;
        CHECK(i ? !strstr(buffer, "tty-index") : strlen(strstr(buffer, "\ntty-index")) == strlen(wanted));
        CHECK(i || !strcmp(strstr(buffer, "\ntty-index"), wanted));
    }
}

TEST(tty_peer_of_a_master_has_a_name) {
    char name[32], text[32];
    open_pty();
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    CHECK(peer >= 0 && !strcmp(ttyname(peer), name));
    snprintf(text, sizeof(text), "/proc/self/fd/%d", peer);
    CHECK(readlink(text, buffer, sizeof(buffer)) == (ssize_t)strlen(name) &&
          !strncmp(buffer, name, strlen(name)));

    // A master's node bound over another: the name is beside that.
    CHECK(mkdir("/tmp/dev", 0755) == 0 && mkdir("/tmp/dev/pts", 0755) == 0 &&
          close(open("/tmp/dev/ptmx", O_CREAT, 0600)) == 0);
    CHECK(mount("/dev/pts/ptmx", "/tmp/dev/ptmx", NULL, MS_BIND, NULL) == 0);
    CHECK(mount("/dev/pts", "/tmp/dev/pts", NULL, MS_BIND, NULL) == 0);
    int other = open("/tmp/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0;
    CHECK(other >= 0 && ioctl(other, TIOCGPTN, &number) == 0 && ioctl(other, TIOCSPTLCK, &unlock) == 0);
    peer = ioctl(other, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    snprintf(name, sizeof(name), "/tmp/dev/pts/%d", number);
    snprintf(text, sizeof(text), "/proc/self/fd/%d", peer);
    CHECK(readlink(text, buffer, sizeof(buffer)) == (ssize_t)strlen(name) &&
          !strncmp(buffer, name, strlen(name)));
    CHECK(close(peer) == 0 && close(other) == 0);
    CHECK(umount("/tmp/dev/ptmx") == 0 && umount("/tmp/dev/pts") == 0);
    CHECK(unlink("/tmp/dev/ptmx") == 0 && rmdir("/tmp/dev/pts") == 0 && rmdir("/tmp/dev") == 0);
}

// A session leader without a terminal gets the first that it opens, unless it says O_NOCTTY. Which ways do it:
static int opens_without_control(void *arg) {
    (void)arg;
    char name[32];
    CHECK(setsid() > 0);
    CHECK(open("/dev/ptmx", O_RDWR) >= 0); // never one's terminal
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    int fds[] = {open(name, O_RDWR | O_NOCTTY), open(name, O_RDWR | O_CREAT | O_NOCTTY, 0600),
                 ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), open(name, O_WRONLY), open(name, O_PATH)};
    for (int i = 0; i < 5; i++) {
        CHECK(fds[i] >= 0 && !(fcntl(fds[i], F_GETFL) & O_NOCTTY));
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    }
    pid_t pid = fork();
    if (!pid)
        _exit(setsid() < 0 || ioctl(fds[0], TIOCSCTTY, 0) ||
              open("/dev/tty", O_RDWR) < 0); // as forkpty(3) has it
    CHECK(test_wait_exit(pid) == 0);
    return 0;
}

static int opens_with_control(void *how) {
    char name[32];
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    CHECK(setsid() > 0);
    CHECK((how ? ioctl(master, TIOCGPTPEER, O_RDWR) : open(name, O_RDWR | O_CREAT, 0600)) >= 0);
    CHECK(open("/dev/tty", O_RDWR) >= 0);
    return 0;
}

TEST(tty_becomes_its_opener_s_unless_that_says_no) {
    open_pty();
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    CHECK(test_wait_exit(test_fork(opens_without_control, NULL)) == 0);
    CHECK(test_wait_exit(test_fork(opens_with_control, NULL)) == 0);
    CHECK(test_wait_exit(test_fork(opens_with_control, "peer")) == 0);
}

TEST(tty_has_the_termios_of_system_v) {
    // What glibc's and musl's tcgetattr() do not use any more: half flags, eight control characters.
    struct {
        unsigned short iflag, oflag, cflag, lflag;
        unsigned char line, cc[8];
    } old;
    struct termios t;
    open_pty();
    CHECK(ioctl(slave, TCGETA, &old) == 0 && tcgetattr(slave, &t) == 0);
    CHECK(old.iflag == (unsigned short)t.c_iflag && old.lflag == (unsigned short)t.c_lflag &&
          old.cc[0] == t.c_cc[0]);
    old.lflag &= ~ECHO;
    old.cc[0] = 'x';
    CHECK(ioctl(slave, TCSETA, &old) == 0 && tcgetattr(slave, &t) == 0);
    CHECK(!(t.c_lflag & ECHO) && (t.c_lflag & IEXTEN) && t.c_cc[VINTR] == 'x' && t.c_cc[VWERASE] == 027);
    CHECK_ERRNO(ioctl(slave, TCSETA, NULL), EFAULT);
    CHECK(ioctl(slave, TCSETAW, &old) == 0 && ioctl(slave, TCSETAF, &old) == 0);
}

static int locks_a_terminal(void *arg) {
    struct termios t;
    return setgid(1000) || setuid(1000) || ioctl(*(int *)arg, TIOCGLCKTRMIOS, &t) ||
           ioctl(*(int *)arg, TIOCSLCKTRMIOS, &t) != -1 || errno != EPERM;
}

TEST(tty_keeps_what_is_locked_of_its_termios) {
    struct termios t, locked;
    open_pty();
    CHECK(ioctl(slave, TIOCGLCKTRMIOS, &locked) == 0 && !locked.c_lflag && !locked.c_cc[VINTR]);
    locked.c_lflag = ECHO;
    locked.c_oflag = OPOST;
    locked.c_cc[VINTR] = 1;
    CHECK(ioctl(slave, TIOCSLCKTRMIOS, &locked) == 0 && tcgetattr(slave, &t) == 0);
    t.c_lflag &= ~(ECHO | ICANON);
    t.c_oflag = 0;
    t.c_cc[VINTR] = 'x';
    t.c_cc[VQUIT] = 'y';
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && tcgetattr(slave, &t) == 0);
    CHECK((t.c_lflag & (ECHO | ICANON)) == ECHO && t.c_oflag == OPOST && t.c_cc[VINTR] == 3 &&
          t.c_cc[VQUIT] == 'y');
    // The master's side of it is the same; and what is locked is told.
    memset(&locked, 0, sizeof(locked));
    CHECK(ioctl(master, TIOCGLCKTRMIOS, &locked) == 0 && locked.c_lflag == ECHO && locked.c_cc[VINTR] == 1);
    CHECK(test_wait_exit(test_fork(locks_a_terminal, &slave)) == 0);
    memset(&locked, 0, sizeof(locked));
    CHECK(ioctl(slave, TIOCSLCKTRMIOS, &locked) == 0);
    t.c_lflag &= ~ECHO;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && tcgetattr(slave, &t) == 0 && !(t.c_lflag & ECHO));
    CHECK_ERRNO(ioctl(slave, TIOCSLCKTRMIOS, NULL), EFAULT);
}

TEST(tty_tells_which_serial_port_it_is) {
    // struct serial_struct: type, line, ... A pseudoterminal is none.
    int info[32], f = open("/dev/console", O_RDWR | O_NOCTTY);
    CHECK(f >= 0 && ioctl(f, TIOCGSERIAL, info) == 0);
    CHECK(info[0] == 4 && info[1] == 0); // PORT_16550A, ttyS0
    CHECK_ERRNO(ioctl(f, TIOCGSERIAL, NULL), EFAULT);
    open_pty();
    CHECK_ERRNO(ioctl(slave, TIOCGSERIAL, info), ENOTTY);
}
