// SPDX-License-Identifier: MIT
// Pid 1 of the machines that `drupe run` makes: starts one program, whose input and output go over the serial
// line in frames (frames.h), and tells how it ended. What else it does is what an init must: mount the file
// systems that programs expect, and take orphans.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "lib/demand.h"
#include "tools/guest/frames.h"

#define LINE        0 // the serial line, as the kernel opened it
#define HEADER_SIZE 3

// What the host sends.
static struct {
    uint8_t bytes[4096];
    size_t used;
} line;

static char *start; // struct frame_start and strings
static size_t start_size;
static bool go;

static uint8_t input[FRAME_WINDOW]; // for the program
static size_t input_used;
static bool input_ended;
static bool input_wanted; // the host knows that it is to be sent

// Where the program's input and output go; -1: closed, or there never was such. `terminal`: the master's side.
static int to_program = -1, from_output = -1, from_error = -1, terminal = -1;
static pid_t program;
static uint64_t early_signals; // that came before there was one: bit n, signal n

// ---- to the host

static void write_all(int fd, const void *bytes, size_t n) {
    const char *from = bytes;
    while (n) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno != EINTR)
            return; // the line is gone, and with it whoever could be told
        from += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

static void send(int type, const void *content, size_t n) {
    static uint8_t out[HEADER_SIZE + (FRAME_MAX * 8 + 6) / 7];
    const uint8_t *from = content;
    unsigned int bits = 0, count = 0;
    size_t used = 0;
    out[used++] = 0x80 | type;
    out[used++] = 0x80 | (n & 0x7f);
    out[used++] = 0x80 | (n >> 7);
    for (size_t i = 0; i < n; i++) {
        bits |= (unsigned int)from[i] << count;
        for (count += 8; count >= 7; count -= 7, bits >>= 7)
            out[used++] = 0x80 | (bits & 0x7f);
    }
    if (count)
        out[used++] = 0x80 | bits;
    write_all(LINE, out, used);
}

// The host is told when half of what it may send has been used up: it never waits for less.
static void taken(size_t n) {
    static uint16_t count;
    count += (uint16_t)n;
    if (count >= FRAME_WINDOW / 2) {
        send(FRAME_TAKEN, &count, sizeof(count));
        count = 0;
    }
}

static void __attribute__((noreturn)) power_off(void) {
    tcdrain(LINE);
    reboot(RB_POWER_OFF);
    _exit(1);
}

// Nothing works without what failed; the kernel's log is the place to tell.
static void __attribute__((noreturn)) die(const char *what) {
    int fd = open("/dev/kmsg", O_WRONLY);
    dprintf(fd, "<2>drupe run: %s: %s\n", what, strerror(errno));
    power_off();
}

// ---- from the host

static void take_start(const uint8_t *content, size_t n) {
    start = realloc(start, start_size + n + 1);
    if (!start)
        die("the arguments and the environment");
    memcpy(start + start_size, content, n);
    start_size += n;
    start[start_size] = '\0';
    taken(n);
}

static void close_output(int type) {
    int *fd = type == FRAME_OUTPUT ? &from_output : &from_error;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void set_size(const uint8_t *content) {
    struct winsize size = {0};
    memcpy(&size.ws_row, content, 2);
    memcpy(&size.ws_col, content + 2, 2);
    if (terminal >= 0)
        ioctl(terminal, TIOCSWINSZ, &size);
}

static void take_frame(int type, const uint8_t *content, size_t n) {
    switch (type) {
    case FRAME_START:
        take_start(content, n);
        break;
    case FRAME_GO:
        go = true;
        break;
    case FRAME_INPUT:
        if (n > sizeof(input) - input_used)
            die("more input than was asked for");
        input_ended = n == 0;
        memcpy(input + input_used, content, n);
        input_used += n;
        break;
    case FRAME_CLOSE:
        close_output(content[0]);
        break;
    case FRAME_SIGNAL:
        if (program)
            kill(-program, content[0]);
        else
            early_signals |= 1ull << (content[0] & 63);
        break;
    case FRAME_SIZE:
        set_size(content);
        break;
    default:
        break;
    }
}

static void read_line(void) {
    ssize_t n = read(LINE, line.bytes + line.used, sizeof(line.bytes) - line.used);
    if (n <= 0)
        return;
    line.used += (size_t)n;
    size_t at = 0;
    while (line.used - at >= HEADER_SIZE) {
        size_t length = line.bytes[at + 1] | (size_t)line.bytes[at + 2] << 8;
        if (line.used - at - HEADER_SIZE < length)
            break;
        take_frame(line.bytes[at], line.bytes + at + HEADER_SIZE, length);
        at += HEADER_SIZE + length;
    }
    line.used -= at;
    memmove(line.bytes, line.bytes + at, line.used);
}

// ---- the program

static void set_up_line(void) {
    struct termios raw;
    if (tcgetattr(LINE, &raw) < 0)
        die("the serial line");
    cfmakeraw(&raw);
    tcsetattr(LINE, TCSANOW, &raw);
}

static void mount_on(const char *type, const char *where, mode_t mode, const char *options) {
    mkdir(where, mode);
    if (mount(type, where, type, 0, options) < 0)
        die(where);
}

static void set_up_files(void) {
    umask(0);
    mount_on("proc", "/proc", 0555, NULL);
    mount_on("sysfs", "/sys", 0555, NULL);
    mount_on("devtmpfs", "/dev", 0755, NULL);
    mount_on("devpts", "/dev/pts", 0755, "gid=5,mode=620");
    mount_on("tmpfs", "/dev/shm", 01777, "mode=1777");
    (void)!symlink("/proc/self/fd", "/dev/fd"); // for <(command)
    (void)!symlink("fd/0", "/dev/stdin");
    (void)!symlink("fd/1", "/dev/stdout");
    (void)!symlink("fd/2", "/dev/stderr");
    mkdir("/tmp", 01777);
    mkdir("/root", 0700);
    umask(022);
    sethostname("drupe", 5);
}

static void make_pipe(int *ours, int *its, bool it_reads) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("a pipe");
    *ours = ends[it_reads ? 1 : 0];
    *its = ends[it_reads ? 0 : 1];
}

// Makes what the program is to have as its file descriptors 0 to 2.
static void make_files(const struct frame_start *s, int *files, int *slave) {
    struct winsize size = {.ws_row = s->rows, .ws_col = s->columns};
    if (s->terminals && openpty(&terminal, slave, NULL, NULL, &size) < 0)
        die("a terminal");
    if (s->terminals) {
        fcntl(terminal, F_SETFD, FD_CLOEXEC);
        fcntl(*slave, F_SETFD, FD_CLOEXEC);
    }
    files[0] = files[1] = files[2] = *slave;
    if (!(s->terminals & 1))
        make_pipe(&to_program, &files[0], true);
    if (!(s->terminals & 2))
        make_pipe(&from_output, &files[1], false);
    if (!(s->terminals & 4))
        make_pipe(&from_error, &files[2], false);
    if (s->terminals & 1)
        to_program = terminal;
    fcntl(to_program, F_SETFL, O_NONBLOCK);
}

// In the child: becomes the program. Gives an errno.
static int become_program(const struct frame_start *s, const int *files) {
    sigset_t none;
    char *path = start + sizeof(*s), *at = path + strlen(path) + 1;
    char **argv = calloc(s->arguments + 1u, sizeof(char *));
    size_t variables = 0;
    for (unsigned int i = 0; i < s->arguments; i++, at += strlen(at) + 1)
        argv[i] = at;
    for (char *e = at; e < start + start_size; e += strlen(e) + 1)
        variables++;
    char **envp = calloc(variables + 1, sizeof(char *));
    for (size_t i = 0; i < variables; i++, at += strlen(at) + 1)
        envp[i] = at;
    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(files[fd], fd);
    for (int fd = 0; fd < 3; fd++)
        if (s->terminals >> fd & 1) {
            ioctl(fd, TIOCSCTTY, 0);
            break;
        }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execve(path, argv, envp);
    return errno;
}

// Standard input is asked for when somebody reads it; of a terminal, what is typed goes there at once.
static void want_input(void) {
    input_wanted = true;
    send(FRAME_WANTED, NULL, 0);
}

static void start_program(void) {
    struct frame_start s;
    int files[3], slave = -1, status[2], err = 0;
    memcpy(&s, start, sizeof(s));
    make_files(&s, files, &slave);
    if (pipe2(status, O_CLOEXEC) < 0)
        die("a pipe");
    if (to_program == terminal || ioctl(to_program, PIPE_ON_DEMAND) < 0)
        want_input();
    program = fork();
    if (program < 0)
        die("a process");
    if (program == 0) {
        err = become_program(&s, files);
        write_all(status[1], &err, sizeof(err));
        _exit(127);
    }
    close(status[1]);
    for (int i = 0; i < 3; i++)
        if (!(s.terminals >> i & 1))
            close(files[i]);
    if (s.terminals)
        close(slave);
    if (read(status[0], &err, sizeof(err)) == sizeof(err)) {
        send(FRAME_FAILED, &err, sizeof(err));
        power_off();
    }
    close(status[0]);
    for (int number = 1; number < 64; number++)
        if (early_signals >> number & 1)
            kill(-program, number);
}

// ---- to and fro

static void write_input(void) {
    if (!input_wanted)
        want_input();
    ssize_t n = to_program < 0 ? (ssize_t)input_used : write(to_program, input, input_used);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        n = (ssize_t)input_used; // nobody will read it
    if (n > 0) {
        input_used -= (size_t)n;
        memmove(input, input + n, input_used);
        taken((size_t)n);
    }
    if (input_ended && !input_used && to_program >= 0) {
        if (to_program != terminal)
            close(to_program);
        to_program = -1;
    }
}

// Nobody will read it any more.
static void close_input(void) {
    if (to_program != terminal)
        close(to_program);
    to_program = -1;
    input_wanted = true;
}

// False: nothing more is to be had now.
static bool pass_on(int *fd, int type) {
    static char bytes[FRAME_MAX];
    ssize_t n = *fd < 0 ? -1 : read(*fd, bytes, sizeof(bytes));
    if (n > 0) {
        send(type, bytes, (size_t)n);
        return true;
    }
    if (*fd >= 0 && (n == 0 || (errno != EAGAIN && errno != EINTR))) {
        if (*fd != to_program)
            close(*fd);
        *fd = -1;
    }
    return false;
}

static void drain(int *fd, int type) {
    if (*fd >= 0)
        fcntl(*fd, F_SETFL, O_NONBLOCK);
    while (pass_on(fd, type))
        ;
}

static void end(int status) {
    drain(&from_output, FRAME_OUTPUT);
    drain(&from_error, FRAME_ERROR);
    drain(&terminal, FRAME_TERMINAL);
    send(FRAME_EXIT, &status, sizeof(status));
    power_off();
}

static void reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == program)
            end(status);
}

static void child_changed(int signal_number) {
    (void)signal_number; // ends ppoll()
}

static void serve(void) {
    enum { FROM_LINE, OUTPUT, ERROR, TERMINAL, INPUT, COUNT };
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        reap();
        bool pending = input_used || input_ended || !input_wanted;
        struct pollfd fds[COUNT] = {
            [FROM_LINE] = {.fd = LINE, .events = POLLIN},
            [OUTPUT] = {.fd = from_output, .events = POLLIN},
            [ERROR] = {.fd = from_error, .events = POLLIN},
            [TERMINAL] = {.fd = terminal, .events = POLLIN},
            [INPUT] = {.fd = pending ? to_program : -1, .events = POLLOUT},
        };
        if (input_used && to_program < 0)
            write_input();
        if (ppoll(fds, COUNT, NULL, &none) < 0)
            continue;
        if (fds[FROM_LINE].revents)
            read_line();
        if (fds[OUTPUT].revents)
            pass_on(&from_output, FRAME_OUTPUT);
        if (fds[ERROR].revents)
            pass_on(&from_error, FRAME_ERROR);
        if (fds[TERMINAL].revents)
            pass_on(&terminal, FRAME_TERMINAL);
        if (fds[INPUT].revents & POLLERR)
            close_input();
        else if (fds[INPUT].revents)
            write_input();
    }
}

int main(int argc, char **argv) {
    const struct sigaction action = {.sa_handler = child_changed};
    sigset_t children;
    (void)argc;
    set_up_line();
    set_up_files();
    unlink(argv[0]);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    send(FRAME_HELLO, NULL, 0);
    while (!go)
        read_line();
    start_program();
    serve();
}
