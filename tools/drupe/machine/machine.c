// SPDX-License-Identifier: MIT
// One loop waits for the ports, the serial line, standard input, signals and the time limit. Nothing in it blocks, so that
// signals are heard while nobody reads the program's output.
#include "machine/machine.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/util.h"
#include "machine/terminal.h"
#include "machine/text.h"

#define TWICE_MS 500 // two of the same signal within that time end the machine,
#define ONCE_MS  30  // but within that they are one: timeout(1) sends it to the command and to its group

#define RESULTS_MS 10000 // within that something of the results has to come, once the time limit is over

enum state {
    BOOTING,
    RUNNING,
    EXITED,
    ENDED
}; // EXITED: the program has, and some of its output is still on the way

static struct {
    const struct machine *machine;
    struct channel *channel;
    enum state state;
    int status; // EXITED, ENDED
    pid_t qemu;
    int serial;       // -1: QEMU has ended
    int signals;      // a signalfd
    int64_t deadline; // CLOCK_MONOTONIC, ms; INT64_MAX: none
    struct frame_exit exit;
    int terminal; // the descriptor of ours that the program's terminal is; -1: none
    bool input_wanted, input_ended;
    bool raw;
    int last_signal;
    int64_t last_signal_at;
    bool told_of_memory;
    bool exited;           // `exit` is known
    bool panicked;         // the kernel's word for it, and the machine ended
    bool stopped;          // the time limit was over before the program had ended
    bool results_deadline; // the deadline is that of the results
    uint64_t came_before;  // of the results, when it was set
    struct strings missing;
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

static int status_of(int wait_status) {
    if (!WIFSIGNALED(wait_status))
        return WEXITSTATUS(wait_status);
    int number = WTERMSIG(wait_status);
    if (number != SIGINT && number != SIGPIPE && !s.machine->quiet)
        TELL("%s was ended by signal %d (%s)", s.machine->name, number, strsignal(number));
    return 128 + number;
}

static void tell_failure(const struct frame_failed *f) {
    const char *remedy = "";
    int err = f->error;
    if (f->what == FAILED_ORDER) {
        const struct strings *troubles = s.machine->troubles;
        TELL("%s: %s", f->order < troubles->count ? troubles->at[f->order] : "the machine", strerror(err));
        end(MACHINE_ERROR);
        return;
    }
    if (f->what == FAILED_LOOKUP) {
        TELL("%s is not there in the machine; what is: drupe run ... ls -l /bin /usr/bin", s.machine->name);
        end(MACHINE_NOT_FOUND);
        return;
    }
    if (f->what != FAILED_PROGRAM) {
        bool user = f->what == FAILED_USER;
        TELL("%s: %s; %s", user ? "--user" : "--workdir",
             err ? strerror(err) : "there is none such in the machine",
             user ? "those it has: drupe run cat /etc/passwd, others by number"
                  : "make it first: sh -c 'mkdir -p DIR && cd DIR && ...'");
        end(MACHINE_ERROR);
        return;
    }
    if (err == ENOEXEC)
        remedy = "; it is neither a program nor a script: begin it with #!/bin/sh";
    else if (err == EACCES)
        remedy = "; is it executable (chmod +x)?";
    else if (err == ENOENT)
        remedy = "; its loader or interpreter is missing";
    TELL("%s cannot be started: %s%s", s.machine->name, strerror(err), remedy);
    end(err == ENOENT ? MACHINE_NOT_FOUND : MACHINE_CANNOT_EXECUTE);
}

// The machine ended without a word of the init's.
static void tell_end(void) {
    const struct text_findings *text = text_findings();
    const char *qemu = s.machine->command[0];
    int status = 0;
    while (waitpid(s.qemu, &status, 0) < 0 && errno == EINTR)
        ;
    s.qemu = 0;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    text_end_line();
    if (well && text->said_goodbye && !text->panicked) {
        end(EXIT_SUCCESS); // powered off, or restarted, from inside
    } else if (!text->any && s.state == BOOTING) {
        TELL("%s could not start a machine; is it QEMU for riscv64? its command: drupe run --dry-run ...",
             qemu);
        end(MACHINE_NOT_STARTED);
    } else if (WIFSIGNALED(status)) {
        TELL("%s was ended by signal %d (%s)", qemu, WTERMSIG(status), strsignal(WTERMSIG(status)));
        end(MACHINE_NOT_STARTED);
    } else if (well && !text->panicked) {
        TELL("%s ended the machine, and the kernel did not say why", qemu);
        end(MACHINE_NOT_STARTED);
    } else {
        if (!text->kernel_spoke)
            text_show_boot();
        TELL("the machine panicked; its last words are %s%s", s.machine->log ? "in " : "above",
             s.machine->log ? s.machine->log : "");
        s.panicked = true;
        end(MACHINE_PANICKED);
    }
}

// Bytes of a stream in all, UINT64_MAX as long as that is not known.
static uint64_t size_of(int port) {
    const struct results *results = s.machine->results;
    if (s.state != EXITED)
        return UINT64_MAX;
    if (port != PORT_RESULT)
        return s.exit.sent[port];
    if (!results)
        return 0;
    return results->came < results->count ? UINT64_MAX : results->each[results->count - 1].end;
}

// Nothing more will come of a stream: it is closed, or all of it is here.
static bool is_over(int port) {
    const struct flow *f = &s.channel->flows[port];
    return flow_is_empty(f) && (f->from < 0 || f->passed == size_of(port));
}

static void look_for_the_end(void) {
    bool over = true;
    for (int port = PORT_OUTPUT; port < PORT_COUNT; port++)
        over &= is_over(port);
    if (over && s.state == EXITED)
        end(s.status);
    else if (over && s.serial < 0 && s.state != ENDED)
        tell_end();
}

// ---- from the guest

static void take_text(void) {
    char bytes[16384];
    ssize_t n = read(s.serial, bytes, sizeof(bytes));
    if (n > 0)
        text_take(bytes, (size_t)n);
    else if (n == 0 || errno != EINTR)
        s.serial = -1;
    if (text_findings()->ran_out && !s.told_of_memory) {
        s.told_of_memory = true;
        TELL("the machine ran out of memory, and what used most of it was killed; it has %llu MiB, --mem "
             "gives "
             "it more",
             (unsigned long long)s.machine->memory >> 20);
    }
}

// What the pipe holds, not what comes meanwhile.
static void take_text_so_far(void) {
    struct pollfd serial = {.fd = s.serial, .events = POLLIN};
    for (int i = 0; i < 16 && s.serial >= 0 && poll(&serial, 1, 0) > 0; i++)
        take_text();
}

static void end_input(void) {
    uint64_t size = s.channel->flows[PORT_INPUT].passed;
    s.input_ended = true;
    channel_send(s.channel, FRAME_INPUT_END, &size, sizeof(size));
}

static void take_result(const struct frame_result *result) {
    struct results *results = s.machine->results;
    if (!results || results->came == results->count || s.state != EXITED ||
        (results->came && result->end < results->each[results->came - 1].end))
        return; // not the init's
    results->each[results->came++] = *result;
}

// Files of volumes have this side's times: what make(1) compares them with is to be the same clock.
static void send_start(void) {
    struct frame_start *start = s.machine->start;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    start->seconds = (uint32_t)now.tv_sec;
    start->nanoseconds = (uint32_t)now.tv_nsec;
    channel_send(s.channel, FRAME_START, s.machine->start, s.machine->start_size);
}

#define MISSING_MOST 32 // things that are told

// A machine is not believed: of what it says only words are shown.
static void take_missing(const char *text, size_t n) {
    char word[FRAME_MAX + 1];
    size_t used = 0;
    for (size_t i = 0; i < n && i < FRAME_MAX; i++)
        if (isalnum((unsigned char)text[i]) || strchr("_() ", text[i] ? text[i] : '!'))
            word[used++] = text[i];
    word[used] = '\0';
    if (used && s.missing.count < MISSING_MOST)
        strings_add(&s.missing, word);
}

static void take_frame(uint32_t type, const void *content, size_t n) {
    switch (type) {
    case FRAME_HELLO:
        if (s.state != BOOTING)
            break;
        s.state = RUNNING;
        take_text_so_far();
        text_init_runs();
        terminal_pass_signals(); // not before: until now Ctrl-C was for us
        send_start();
        break;
    case FRAME_WANTED:
        if (s.input_wanted)
            break;
        s.input_wanted = true;
        s.channel->flows[PORT_INPUT].from = s.machine->no_stdin ? -1 : STDIN_FILENO;
        if (s.machine->no_stdin)
            end_input();
        break;
    case FRAME_FAILED:
        if (n == sizeof(struct frame_failed))
            tell_failure(content);
        break;
    case FRAME_EXIT:
        if (n != sizeof(s.exit) || s.state != RUNNING)
            break;
        memcpy(&s.exit, content, sizeof(s.exit));
        s.state = EXITED;
        s.exited = true;
        s.status = s.stopped ? MACHINE_TIMED_OUT : status_of(s.exit.status);
        break;
    case FRAME_MISSING:
        take_missing(content, n);
        break;
    case FRAME_RESULT:
        if (n == sizeof(struct frame_result))
            take_result(content);
        break;
    default:
        break;
    }
}

static void take_frames(void) {
    const void *content;
    uint32_t type;
    size_t n;
    channel_flush(s.channel);
    for (int i = 0; i < 64 && s.state != ENDED && channel_receive(s.channel, &type, &content, &n); i++)
        take_frame(type, content, n);
}

static void look_for_too_much(const struct flow *f) {
    const struct results *results = s.machine->results;
    if (!results || f->passed <= results->most)
        return;
    TELL("what is to be brought out is more than %llu MiB, %s", (unsigned long long)(results->most >> 20),
         results->most_is);
    end(MACHINE_ERROR);
}

// What nobody reads is closed for the program as well.
static void move_output(int port) {
    struct flow *f = &s.channel->flows[port];
    flow_move(f);
    if (port == PORT_RESULT)
        look_for_too_much(f);
    if (!f->error)
        return;
    if (port == PORT_RESULT)
        fail("memory for the results: %s", strerror(f->error));
    uint32_t content = (uint32_t)port;
    if (f->error != EPIPE)
        TELL("standard %s: %s", port == PORT_ERROR ? "error" : "output", strerror(f->error));
    f->error = 0;
    channel_send(s.channel, FRAME_CLOSE, &content, sizeof(content));
}

// ---- to the guest

static void look_for_ctrl_c(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == 0x03 && s.last_signal == SIGINT && now_ms() - s.last_signal_at < TWICE_MS) {
            TELL("ended by the second Ctrl-C");
            end(128 + SIGINT);
        }
        s.last_signal = bytes[i] == 0x03 ? SIGINT : 0;
        s.last_signal_at = now_ms();
    }
}

static void move_input(void) {
    struct flow *f = &s.channel->flows[PORT_INPUT];
    size_t n = flow_move(f);
    if (s.raw)
        look_for_ctrl_c(f->bytes, n);
    f->error = 0; // QEMU is gone, which its serial line tells
    if (f->from < 0 && !s.input_ended)
        end_input();
}

static void take_signal(int number) {
    int64_t now = now_ms();
    if (number == SIGWINCH) {
        uint16_t size[2];
        terminal_size(s.terminal, &size[0], &size[1]);
        if (s.state == RUNNING)
            channel_send(s.channel, FRAME_SIZE, size, sizeof(size));
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
    uint32_t content = (uint32_t)number;
    s.last_signal = number;
    s.last_signal_at = now;
    channel_send(s.channel, FRAME_SIGNAL, &content, sizeof(content));
}

static void take_signals(void) {
    struct signalfd_siginfo info;
    while (s.state != ENDED && read(s.signals, &info, sizeof(info)) == sizeof(info))
        take_signal((int)info.ssi_signo);
}

static sigset_t signals_taken(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&set, numbers[i]);
    return set;
}

static void set_up_signals(void) {
    sigset_t set = signals_taken();
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s.signals < 0)
        fail("a signal descriptor: %s", strerror(errno));
}

// What came meanwhile was for the machine; from here on signals end the command, which may be writing results for long.
static void leave_signals(void) {
    struct signalfd_siginfo info;
    sigset_t set = signals_taken();
    while (read(s.signals, &info, sizeof(info)) == sizeof(info))
        ;
    close(s.signals);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// ---- waiting

// The results are wanted all the same: they have a time of their own, as long as something of them comes.
static void time_is_over(void) {
    uint64_t came = s.channel->flows[PORT_RESULT].passed;
    bool first = !s.results_deadline, waits_for_results = s.machine->results && s.state != BOOTING;
    if (first && !(waits_for_results && s.state == EXITED))
        TELL("%s did not end within %g s", s.machine->name, (double)(s.machine->timeout / 10) / 100);
    if (!waits_for_results || (!first && came == s.came_before)) {
        end(MACHINE_TIMED_OUT);
        return;
    }
    if (s.state == RUNNING && first) {
        s.stopped = true;
        channel_send(s.channel, FRAME_STOP, NULL, 0);
    }
    s.results_deadline = true;
    s.came_before = came;
    s.deadline = now_ms() + RESULTS_MS;
}

// Milliseconds until the time limit, as poll() has them; 0 if it is over.
static int time_left(void) {
    if (s.deadline == INT64_MAX)
        return -1;
    int64_t left = s.deadline - now_ms();
    if (left <= 0)
        time_is_over();
    return left <= 0 ? 0 : left > 1000000 ? 1000000 : (int)left;
}

static void wait_and_serve(void) {
    enum { SIGNALS = PORT_COUNT, SERIAL, COUNT };
    struct pollfd fds[COUNT] = {[0] = {.fd = -1},
                                [PORT_CONTROL] = channel_poll(s.channel),
                                [SIGNALS] = {.fd = s.signals, .events = POLLIN},
                                [SERIAL] = {.fd = s.serial, .events = POLLIN}};
    for (int port = PORT_INPUT; port < PORT_COUNT; port++)
        fds[port] = flow_poll(&s.channel->flows[port]);
    int left = time_left();
    if (s.state == ENDED || poll(fds, COUNT, left) <= 0)
        return;
    if (fds[SIGNALS].revents)
        take_signals();
    for (int port = PORT_OUTPUT; port < PORT_COUNT; port++)
        if (fds[port].revents)
            move_output(port);
    if (fds[PORT_INPUT].revents)
        move_input();
    if (fds[SERIAL].revents)
        take_text();
    if (fds[PORT_CONTROL].revents)
        take_frames();
    look_for_the_end();
}

// ---- the beginning

void machine_tune(void) {
    setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1", 0);
}

static void become_qemu(pid_t parent, int serial, int status) {
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(serial, STDOUT_FILENO);
    setpgid(0, 0); // Ctrl-C is for us
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(MACHINE_NOT_STARTED);
    machine_tune();
    execvp(s.machine->command[0], s.machine->command);
    int err = errno;
    if (write(status, &err, sizeof(err)) < 0)
        _exit(MACHINE_ERROR);
    _exit(MACHINE_NOT_STARTED);
}

static void start_qemu(void) {
    int serial[2], status[2], err = 0;
    pid_t parent = getpid();
    if (pipe2(serial, O_CLOEXEC) < 0 || pipe2(status, O_CLOEXEC) < 0)
        fail("a pipe: %s", strerror(errno));
    s.qemu = fork();
    if (s.qemu < 0)
        fail("a process: %s", strerror(errno));
    if (s.qemu == 0)
        become_qemu(parent, serial[1], status[1]);
    close(serial[1]);
    close(status[1]);
    channel_close_qemus(s.channel);
    s.serial = serial[0];
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

// Which of ours are terminals, and where the program's terminal is to be seen.
static void set_up_outputs(void) {
    static const int fds[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
    struct frame_start *start = s.machine->start;
    s.terminal = -1;
    for (size_t i = 3; i-- > 0;)
        if (isatty(fds[i]) && !(s.machine->no_stdin && fds[i] == STDIN_FILENO)) {
            start->terminals |= 1u << fds[i];
            s.terminal = fds[i];
        }
    terminal_size(s.terminal, &start->rows, &start->columns);
    s.channel->flows[PORT_OUTPUT].to = channel_output(STDOUT_FILENO);
    s.channel->flows[PORT_ERROR].to = channel_output(STDERR_FILENO);
    s.channel->flows[PORT_TERMINAL].to = s.terminal;
    s.channel->flows[PORT_RESULT].to = s.machine->results ? s.machine->results->fd : -1;
}

int machine_run(const struct machine *m, struct ending *ending) {
    int64_t begun = now_ms();
    s.machine = m;
    s.channel = m->channel;
    s.deadline = m->timeout ? now_ms() + (int64_t)m->timeout : INT64_MAX;
    set_up_outputs();
    start_qemu();
    set_up_signals();
    s.raw = !m->no_stdin && terminal_make_raw();
    text_open(m, s.raw);
    while (s.state != ENDED)
        wait_and_serve();
    stop_qemu();
    take_text_so_far();
    terminal_restore();
    text_close();
    leave_signals();
    *ending = (struct ending){.exited = s.exited,
                              .timed_out = s.status == MACHINE_TIMED_OUT && (s.stopped || !s.exited),
                              .panicked = s.panicked || (text_findings()->panicked && !s.exited),
                              .exit = s.exit,
                              .missing = s.missing,
                              .seconds = (double)(now_ms() - begun) / 1000};
    return s.status;
}
