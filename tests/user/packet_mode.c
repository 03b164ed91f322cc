// SPDX-License-Identifier: MIT
// Packet mode of pseudoterminals (TIOCPKT, ioctl_tty(2)), by which screen and remote logins hear of flow control and of what is thrown away. The
// same program passes on Linux.
#include "test.h"
#include <asm/ioctls.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int master, slave;

static void open_pty(int packets) {
    int unlock = 0;
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0);
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && ioctl(master, TIOCPKT, &packets) == 0);
}

// The next packet's length, and its first byte; -1: there is none.
static int next(char *text, size_t n) {
    return (int)read(master, text, n);
}

static int events_within(int ms) {
    struct pollfd p = {master, POLLIN | POLLPRI, 0};
    CHECK(poll(&p, 1, ms) >= 0);
    return p.revents;
}

static int events(void) {
    return events_within(0);
}

// A byte alone says this.
static void check_told(int status) {
    char text[10];
    CHECK(events_within(5000) == (POLLIN | POLLPRI));
    CHECK(next(text, sizeof(text)) == 1 && text[0] == status);
    CHECK(events() == 0);
    CHECK_ERRNO(next(text, sizeof(text)), EAGAIN);
}

static void write_text(const char *text) {
    CHECK(write(slave, text, strlen(text)) == (ssize_t)strlen(text));
}

TEST(packets_of_a_terminal_begin_with_a_byte) {
    char text[10];
    int on = -1;
    open_pty(1);
    CHECK(ioctl(master, TIOCGPKT, &on) == 0 && on == 1);
    write_text("abc");
    CHECK(events() == POLLIN && next(text, 3) == 3 && !memcmp(text, "\0ab", 3));
    CHECK(next(text, 1) == 1 && text[0] == 0); // nothing of it fits
    CHECK(next(text, 9) == 2 && !memcmp(text, "\0c", 2));
    CHECK_ERRNO(next(text, 9), EAGAIN);
    on = 0;
    write_text("d");
    CHECK(ioctl(master, TIOCPKT, &on) == 0 && ioctl(master, TIOCGPKT, &on) == 0 && on == 0);
    CHECK(next(text, 9) == 1 && text[0] == 'd');
    CHECK_ERRNO(ioctl(slave, TIOCPKT, &on), ENOTTY);
    CHECK_ERRNO(ioctl(master, TIOCPKT, NULL), EFAULT);
}

TEST(master_hears_what_is_thrown_away) {
    open_pty(1);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    check_told(TIOCPKT_FLUSHREAD);
    CHECK(tcflush(slave, TCOFLUSH) == 0);
    check_told(TIOCPKT_FLUSHWRITE);
    CHECK(tcflush(slave, TCIOFLUSH) == 0);
    check_told(TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
    CHECK(tcflush(master, TCIOFLUSH) == 0 && events() == 0); // its own deed
    CHECK(write(master, "\3", 1) == 1);                      // ^C
    char text[10];
    CHECK(events_within(5000) & POLLPRI && next(text, 10) == 1);
    CHECK(text[0] == (TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE) && events_within(5000) == POLLIN);
    CHECK(next(text, 10) == 3 && !memcmp(text, "\0^C", 3));
}

TEST(master_hears_that_output_stops_and_goes_on) {
    char text[10];
    open_pty(1);
    CHECK(tcflow(slave, TCOOFF) == 0);
    check_told(TIOCPKT_STOP);
    CHECK(tcflow(slave, TCOOFF) == 0 && events() == 0); // no news
    CHECK(tcflow(slave, TCOON) == 0);
    check_told(TIOCPKT_START);
    CHECK(write(master, "\23", 1) == 1); // ^S
    check_told(TIOCPKT_STOP);
    CHECK(write(master, "\21", 1) == 1); // ^Q
    check_told(TIOCPKT_START);
    write_text("x");
    CHECK(tcflow(slave, TCOOFF) == 0);
    CHECK(next(text, 10) == 1 && text[0] == TIOCPKT_STOP); // before what was written
    CHECK(next(text, 10) == 2 && text[1] == 'x');
}

TEST(master_hears_who_stops_output) {
    struct termios t, usual;
    open_pty(1);
    CHECK(tcgetattr(slave, &usual) == 0);
    t = usual;
    t.c_iflag &= ~IXON;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    check_told(TIOCPKT_NOSTOP);
    CHECK(tcsetattr(slave, TCSANOW, &usual) == 0);
    check_told(TIOCPKT_DOSTOP);
    t = usual;
    t.c_cc[VSTOP] = 1;
    CHECK(tcsetattr(master, TCSANOW, &t) == 0);
    check_told(TIOCPKT_NOSTOP);
    t.c_lflag ^= ECHO;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0 && events() == 0);
    t.c_lflag |= EXTPROC;
    CHECK(tcsetattr(slave, TCSANOW, &t) == 0);
    check_told(TIOCPKT_IOCTL);
    CHECK(tcsetattr(slave, TCSAFLUSH, &usual) == 0);
    check_told(TIOCPKT_FLUSHREAD | TIOCPKT_DOSTOP | TIOCPKT_IOCTL);
}

static int waits_for_news(void *unused) {
    char text[10];
    (void)unused;
    CHECK(fcntl(master, F_SETFL, 0) == 0);
    return next(text, 10) != 1 || text[0] != TIOCPKT_STOP;
}

TEST(who_waits_for_a_packet_hears_the_news) {
    int on = 1, off = 0;
    open_pty(1);
    pid_t pid = test_fork(waits_for_news, NULL);
    usleep(50000);
    CHECK(tcflow(slave, TCOOFF) == 0 && test_wait_exit(pid) == 0 && tcflow(slave, TCOON) == 0);
    CHECK(ioctl(master, TIOCPKT, &off) == 0 && ioctl(master, TIOCPKT, &on) == 0);
    CHECK(events() == 0); // what was is over
}
