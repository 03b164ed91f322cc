// SPDX-License-Identifier: MIT
// One loop waits for the serial line, standard input, signals and the time limit. Nothing in it blocks: QEMU's
// standard input is a pipe with room for more than a window (tools/guest/frames.h), and output is written when
// poll() says that it can be, so that signals are heard while nobody reads it.
#include "machine/machine.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "machine/frame_reader.h"
#include "machine/terminal.h"
#include "common/util.h"

#define CHUNK      512  // of content, in frames to the guest
#define TWICE_MS   500  // two of the same signal within that time end the machine,
#define ONCE_MS    30   // but within that they are one: timeout(1) sends it to the command and to its group
#define WRITE_SIZE 4096 // what a pipe that is ready takes (PIPE_BUF)
#define STAMP      "["  // how the kernel's lines begin; the firmware's do not
#define LINE_MAX   512  // of what is looked at in one
#define PANIC      "Kernel panic"
#define RAN_OUT    "Out of memory: "
#define GOODBYE    "reboot: " // in the kernel's last line before it powers the machine off or restarts it

enum state { BOOTING, RUNNING, ENDED };

static struct {
    const struct machine *machine;
    enum state state;
    int status; // ENDED
    pid_t qemu;
    int to, from;     // the serial line
    int signals;      // a signalfd
    int64_t deadline; // CLOCK_MONOTONIC, ms; INT64_MAX: none
    struct frame_reader frames;
    size_t start_sent;
    size_t window; // bytes of content that may be sent
    uint8_t terminals;
    int outputs[FRAME_TERMINAL + 1]; // by type of frame; -1: closed
    bool input_wanted, input_ended;
    bool raw;
    int last_signal;
    int64_t last_signal_at;
    // Text:
    FILE *log;
    char *boot; // said before the program ran, and not shown yet
    size_t boot_size;
    FILE *boot_stream;
    bool seen_text, kernel_spoke, line_shown, in_line;
    char line[LINE_MAX + 1]; // the current one
    size_t line_length;
    bool panicked, said_goodbye, ran_out, told_of_memory;
} s;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// ---- the end

static void end(int status) {
    if (s.state == ENDED)
        return;
    s.state = ENDED;
    s.status = status;
}

// As messages of util.h, on a terminal that may be raw.
#define TELL(...)                                                                                            \
    do {                                                                                                     \
        terminal_restore();                                                                                  \
        complain(__VA_ARGS__);                                                                               \
    } while (0)

// ---- text

static void show(FILE *to, uint8_t c) {
    if (c == '\n' && s.raw && isatty(fileno(to)))
        fputc('\r', to);
    fputc(c, to);
}

static void show_boot(void) {
    fflush(s.boot_stream);
    for (size_t i = 0; i < s.boot_size; i++)
        show(s.log, (uint8_t)s.boot[i]);
    fflush(s.log);
}

// QEMU's status is not enough to know how a machine ended: the kernel's own words count.
static void look_at_line(uint8_t c) {
    if (c != '\n') {
        if (s.line_length < LINE_MAX)
            s.line[s.line_length++] = (char)c;
        return;
    }
    s.line[s.line_length] = '\0';
    s.line_length = 0;
    s.panicked |= *s.line == *STAMP && strstr(s.line, PANIC);
    s.said_goodbye |= *s.line == *STAMP && strstr(s.line, GOODBYE);
    s.ran_out |= *s.line == *STAMP && strstr(s.line, RAN_OUT);
}

static void tell_of_memory(void) {
    s.told_of_memory = true;
    TELL("the machine ran out of memory, and what used most of it was killed; it has %llu MiB, --mem gives "
         "it more",
         (unsigned long long)s.machine->memory >> 20);
}

// A byte of firmware or kernel. What the firmware says is shown only where that is wanted.
static void take_text(uint8_t c) {
    s.seen_text = true;
    if (c == '\r' || c == '\0')
        return;
    if (!s.in_line) {
        s.kernel_spoke |= c == *STAMP;
        s.line_shown = s.machine->verbose || s.machine->log || s.kernel_spoke;
    }
    look_at_line(c);
    s.in_line = c != '\n';
    if (s.line_shown)
        show(s.log, c);
    else
        fputc(c, s.boot_stream);
    if (c == '\n')
        fflush(s.log);
    if (s.ran_out && !s.told_of_memory)
        tell_of_memory();
}

// ---- to the guest

static void send(int type, const void *content, size_t n) {
    uint8_t frame[3 + CHUNK] = {(uint8_t)type, (uint8_t)n, (uint8_t)(n >> 8)};
    if (n)
        memcpy(frame + 3, content, n);
    if (write(s.to, frame, 3 + n) < 0)
        return; // the machine is gone, which reading will tell
}

static void send_start(void) {
    const struct machine *m = s.machine;
    while (s.window && s.start_sent < m->start_size) {
        size_t left = m->start_size - s.start_sent, n = left < s.window ? left : s.window;
        n = n < CHUNK ? n : CHUNK;
        send(FRAME_START, (char *)m->start + s.start_sent, n);
        s.start_sent += n;
        s.window -= n;
        if (s.start_sent == m->start_size)
            send(FRAME_GO, NULL, 0);
    }
}

static void end_input(void) {
    s.input_ended = true;
    send(FRAME_INPUT, NULL, 0);
}

static void read_input(void) {
    uint8_t bytes[CHUNK];
    ssize_t n = read(STDIN_FILENO, bytes, s.window < CHUNK ? s.window : CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        end_input();
        return;
    }
    s.window -= (size_t)n;
    send(FRAME_INPUT, bytes, (size_t)n);
    for (ssize_t i = 0; i < n && s.raw; i++) {
        if (bytes[i] == 0x03 && s.last_signal == SIGINT && now_ms() - s.last_signal_at < TWICE_MS) {
            TELL("ended by the second Ctrl-C");
            end(128 + SIGINT);
        }
        s.last_signal = bytes[i] == 0x03 ? SIGINT : 0;
        s.last_signal_at = now_ms();
    }
}

// ---- signals

static void take_signal(int number) {
    int64_t now = now_ms();
    if (number == SIGWINCH) {
        uint16_t size[2];
        terminal_size(s.outputs[FRAME_TERMINAL], &size[0], &size[1]);
        if (s.state == RUNNING)
            send(FRAME_SIZE, size, sizeof(size));
        return;
    }
    if (number == s.last_signal && now - s.last_signal_at < ONCE_MS)
        return;
    if (s.state == BOOTING) {
        end(128 + number);
    } else if (number == s.last_signal && now - s.last_signal_at < TWICE_MS) {
        TELL("ended by the second signal %d (%s)", number, strsignal(number));
        end(128 + number);
    }
    uint8_t content = (uint8_t)number;
    s.last_signal = number;
    s.last_signal_at = now;
    send(FRAME_SIGNAL, &content, 1);
}

static void take_signals(void) {
    struct signalfd_siginfo info;
    while (s.state != ENDED && read(s.signals, &info, sizeof(info)) == sizeof(info))
        take_signal((int)info.ssi_signo);
}

static void set_up_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s.signals < 0)
        fail("a signal descriptor: %s", strerror(errno));
}

// ---- waiting

// Waits until a file descriptor is ready, or two; signals and the time limit are seen to. Gives which are: bits 0 and 1.
static unsigned int wait_for(int a, short a_events, int b) {
    struct pollfd fds[] = {
        {.fd = s.signals, .events = POLLIN}, {.fd = a, .events = a_events}, {.fd = b, .events = POLLIN}};
    int64_t left = s.deadline == INT64_MAX ? -1 : s.deadline - now_ms();
    if (s.deadline != INT64_MAX && left <= 0) {
        TELL("%s did not end within %u s", s.machine->name, s.machine->timeout);
        end(MACHINE_TIMED_OUT);
        return 0;
    }
    if (poll(fds, 3, left > 1000000 ? 1000000 : (int)left) <= 0)
        return 0;
    if (fds[0].revents)
        take_signals();
    return (fds[1].revents ? 1u : 0) | (fds[2].revents ? 2u : 0);
}

// What nobody reads is closed for the program as well.
static void write_output(int type, const uint8_t *bytes, size_t size) {
    int fd = s.outputs[type];
    while (size && fd >= 0 && s.state != ENDED) {
        if (!(wait_for(fd, POLLOUT, -1) & 1))
            continue;
        ssize_t n = write(fd, bytes, size < WRITE_SIZE ? size : WRITE_SIZE);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            uint8_t content = (uint8_t)type;
            if (errno != EPIPE)
                TELL("standard %s: %s", type == FRAME_OUTPUT ? "output" : "error", strerror(errno));
            fd = s.outputs[type] = -1;
            send(FRAME_CLOSE, &content, 1);
        }
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

// ---- from the guest

static int status_of(int wait_status) {
    if (!WIFSIGNALED(wait_status))
        return WEXITSTATUS(wait_status);
    int number = WTERMSIG(wait_status);
    if (number != SIGINT && number != SIGPIPE)
        TELL("%s was ended by signal %d (%s)", s.machine->name, number, strsignal(number));
    return 128 + number;
}

static void tell_failure(int err) {
    const char *remedy = "";
    if (err == ENOEXEC)
        remedy = "; it is neither a program nor a script: begin it with #!/bin/sh";
    else if (err == EACCES)
        remedy = "; is it executable (chmod +x)?";
    else if (err == ENOENT)
        remedy = "; its loader or interpreter is missing";
    TELL("%s cannot be started: %s%s", s.machine->name, strerror(err), remedy);
    end(err == ENOENT ? MACHINE_NOT_FOUND : MACHINE_CANNOT_EXECUTE);
}

static void take_frame(void) {
    const struct frame_reader *f = &s.frames;
    int32_t number = 0;
    uint16_t count = 0;
    if (f->length == sizeof(number))
        memcpy(&number, f->content, sizeof(number));
    if (f->length == sizeof(count))
        memcpy(&count, f->content, sizeof(count));
    switch (f->type) {
    case FRAME_HELLO:
        s.state = RUNNING;
        terminal_pass_signals(); // not before: until now Ctrl-C was for us
        s.window = FRAME_WINDOW;
        send_start();
        break;
    case FRAME_OUTPUT:
    case FRAME_ERROR:
    case FRAME_TERMINAL:
        write_output(f->type, f->content, f->length);
        break;
    case FRAME_TAKEN:
        s.window += count;
        send_start();
        break;
    case FRAME_WANTED:
        s.input_wanted = true;
        if (s.machine->no_stdin)
            end_input();
        break;
    case FRAME_FAILED:
        tell_failure(number);
        break;
    case FRAME_EXIT:
        end(status_of(number));
        break;
    default:
        break;
    }
}

// The machine ended without a word of the init's.
static void take_end(void) {
    int status = 0;
    while (waitpid(s.qemu, &status, 0) < 0 && errno == EINTR)
        ;
    s.qemu = 0;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    look_at_line('\n');
    if (well && s.said_goodbye && !s.panicked) {
        end(EXIT_SUCCESS); // powered off, or restarted, from inside
    } else if (!s.seen_text) {
        TELL("%s could not start a machine; is it QEMU for riscv64? its command: drupe run --dry-run ...",
             s.machine->command[0]);
        end(MACHINE_NOT_STARTED);
    } else if (WIFSIGNALED(status)) {
        TELL("%s was ended by signal %d (%s)", s.machine->command[0], WTERMSIG(status),
             strsignal(WTERMSIG(status)));
        end(MACHINE_NOT_STARTED);
    } else if (well && !s.panicked) {
        TELL("%s ended the machine, and the kernel did not say why", s.machine->command[0]);
        end(MACHINE_NOT_STARTED);
    } else {
        if (!s.kernel_spoke)
            show_boot();
        TELL("the machine panicked; its last words are %s%s", s.machine->log ? "in " : "above",
             s.machine->log ? s.machine->log : "");
        end(MACHINE_PANICKED);
    }
}

static void read_guest(void) {
    uint8_t bytes[16384];
    ssize_t n = read(s.from, bytes, sizeof(bytes));
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0)
        take_end();
    for (ssize_t i = 0; i < n && s.state != ENDED; i++) {
        switch (frame_read(&s.frames, bytes[i])) {
        case FRAME_IS_TEXT:
            take_text(bytes[i]);
            break;
        case FRAME_IS_WHOLE:
            take_frame();
            break;
        case FRAME_IS_BAD:
            TELL("the serial line is out of step; does something in the machine write to the console?");
            end(MACHINE_ERROR);
            break;
        case FRAME_GOES_ON:
            break;
        }
    }
}

// ---- the beginning

static void start_qemu(void) {
    int in[2], out[2], status[2], err = 0;
    pid_t parent = getpid();
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(status, O_CLOEXEC) < 0)
        fail("a pipe: %s", strerror(errno));
    s.qemu = fork();
    if (s.qemu < 0)
        fail("a process: %s", strerror(errno));
    if (s.qemu == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        setpgid(0, 0); // Ctrl-C is for us
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(MACHINE_NOT_STARTED);
        execvp(s.machine->command[0], s.machine->command);
        err = errno;
        if (write(status[1], &err, sizeof(err)) < 0)
            _exit(MACHINE_ERROR);
        _exit(MACHINE_NOT_STARTED);
    }
    close(in[0]);
    close(out[1]);
    close(status[1]);
    s.to = in[1];
    s.from = out[0];
    if (read(status[0], &err, sizeof(err)) == sizeof(err)) {
        complain("%s: %s; it is in Debian's package qemu-system-misc, or name another with --qemu",
                 s.machine->command[0], strerror(err));
        exit(MACHINE_NOT_STARTED);
    }
    close(status[0]);
}

static void stop_qemu(void) {
    if (!s.qemu)
        return;
    kill(s.qemu, SIGKILL);
    while (waitpid(s.qemu, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void open_log(const struct machine *m) {
    s.log = m->log ? fopen(m->log, "we") : stderr;
    if (!s.log)
        fail("%s: %s", m->log, trouble(m->log, errno));
    s.boot_stream = open_memstream(&s.boot, &s.boot_size);
    if (!s.boot_stream)
        fail("out of memory");
}

// Which of ours are terminals, and where the program's terminal is to be seen.
static void set_up_terminals(void) {
    s.outputs[FRAME_OUTPUT] = STDOUT_FILENO;
    s.outputs[FRAME_ERROR] = STDERR_FILENO;
    s.outputs[FRAME_TERMINAL] = -1;
    static const int fds[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
    for (size_t i = 3; i-- > 0;)
        if (isatty(fds[i]) && !(s.machine->no_stdin && fds[i] == STDIN_FILENO)) {
            s.terminals |= (uint8_t)(1u << fds[i]);
            s.outputs[FRAME_TERMINAL] = fds[i];
        }
    struct frame_start *start = s.machine->start;
    start->terminals = s.terminals;
    terminal_size(s.outputs[FRAME_TERMINAL], &start->rows, &start->columns);
}

int machine_run(const struct machine *m) {
    s.machine = m;
    s.deadline = m->timeout ? now_ms() + (int64_t)m->timeout * 1000 : INT64_MAX;
    open_log(m);
    set_up_terminals();
    start_qemu();
    set_up_signals();
    s.raw = !m->no_stdin && terminal_make_raw();
    while (s.state != ENDED) {
        bool reading = s.input_wanted && s.start_sent == m->start_size && s.window && !s.input_ended;
        unsigned int ready = wait_for(s.from, POLLIN, reading ? STDIN_FILENO : -1);
        if (s.state != ENDED && (ready & 1))
            read_guest();
        if (s.state != ENDED && (ready & 2))
            read_input();
    }
    stop_qemu();
    terminal_restore();
    fflush(s.log);
    return s.status;
}
