// SPDX-License-Identifier: MIT
// Pid 1 of the machines that `drupe run` makes: starts one program, passes on its input and output (frames.h), and tells how
// it ended. What else it does is what an init must: mount the file systems that programs expect, and take orphans.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pty.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "lib/demand.h"
#include "tools/guest/guest.h"

static const struct frame_start *start; // NULL: it has not come yet
static struct {
    char *path, *user, *workdir;
    char **orders, **results, **arguments, **variables; // with a NULL behind
} start_strings;
static bool input_wanted;                // the host knows that it is to be sent
static uint64_t input_size = UINT64_MAX; // bytes of it in all, once that is known
static int terminal = -1;                // the master's side; some flows have its number too
static pid_t program;
static uint64_t early_signals; // that came before there was one: bit n, signal n

void power_off(void) {
    reboot(RB_POWER_OFF);
    _exit(1);
}

void die(const char *what) {
    int fd = open("/dev/kmsg", O_WRONLY);
    dprintf(fd, "<2>drupe run: %s: %s\n", what, strerror(errno));
    power_off();
}

// ---- from the host

static void set_size(const void *content) {
    struct winsize size = {0};
    memcpy(&size.ws_row, content, 2);
    memcpy(&size.ws_col, (const char *)content + 2, 2);
    if (terminal >= 0)
        ioctl(terminal, TIOCSWINSZ, &size);
}

static void close_output(uint32_t port) {
    if (port != PORT_OUTPUT && port != PORT_ERROR)
        return;
    close(flows[port].from);
    flows[port].from = -1;
}

static void pass_signal(uint32_t number) {
    if (program)
        kill(-program, (int)number);
    else
        early_signals |= 1ull << (number & 63);
}

static char *next_string(char **at) {
    char *string = *at;
    *at += strlen(string) + 1;
    return string;
}

// A list of strings with a NULL behind, and room for one more.
static char **list_of(char **at, const char *limit, size_t most) {
    size_t count = 0;
    for (char *s = *at; s < limit && count < most; s += strlen(s) + 1)
        count++;
    char **list = calloc(count + 2, sizeof(char *));
    if (!list)
        die("the arguments and the environment");
    for (size_t i = 0; i < count; i++)
        list[i] = next_string(at);
    return list;
}

// Takes the strings of the start apart.
static void read_start(void *content, size_t size) {
    struct frame_start *head = content;
    char *at = (char *)(head + 1), *limit = (char *)content + size;
    start_strings.path = next_string(&at);
    start_strings.user = next_string(&at);
    start_strings.workdir = next_string(&at);
    start_strings.orders = list_of(&at, limit, head->orders * ORDER_STRINGS);
    start_strings.results = list_of(&at, limit, head->results);
    start_strings.arguments = list_of(&at, limit, head->arguments);
    start_strings.variables = list_of(&at, limit, SIZE_MAX);
    (void)clock_settime(CLOCK_REALTIME, &(struct timespec){head->seconds, head->nanoseconds});
    start = head;
}

static void take_frame(void) {
    void *content;
    size_t n;
    uint32_t number;
    int type = channel_receive(&content, &n);
    memcpy(&number, content, sizeof(number));
    switch (type) {
    case FRAME_START:
        read_start(content, n);
        break;
    case FRAME_INPUT_END:
        memcpy(&input_size, content, sizeof(input_size));
        break;
    case FRAME_CLOSE:
        close_output(number);
        break;
    case FRAME_SIGNAL:
        pass_signal(number);
        break;
    case FRAME_STOP:
        kill(-1, SIGKILL);
        break;
    case FRAME_SIZE:
        set_size(content);
        break;
    default:
        break;
    }
}

// ---- the program

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
static void make_files(int *files, int *slave) {
    struct winsize size = {.ws_row = start->rows, .ws_col = start->columns};
    if (start->terminals && openpty(&terminal, slave, NULL, NULL, &size) < 0)
        die("a terminal");
    if (start->terminals) {
        fcntl(terminal, F_SETFD, FD_CLOEXEC);
        fcntl(*slave, F_SETFD, FD_CLOEXEC);
        flows[PORT_TERMINAL].from = terminal;
    }
    files[0] = files[1] = files[2] = *slave;
    flows[PORT_INPUT].to = terminal;
    if (!(start->terminals & 1))
        make_pipe(&flows[PORT_INPUT].to, &files[0], true);
    if (!(start->terminals & 2))
        make_pipe(&flows[PORT_OUTPUT].from, &files[1], false);
    if (!(start->terminals & 4))
        make_pipe(&flows[PORT_ERROR].from, &files[2], false);
    fcntl(flows[PORT_INPUT].to, F_SETFL, O_NONBLOCK);
}

static bool is_number(const char *text) {
    return *text && !text[strspn(text, "0123456789")];
}

// Nobody's number is more: the one behind it means "as it is".
static bool is_id(const char *text) {
    return is_number(text) && strtoull(text, NULL, 10) < UINT32_MAX;
}

// In the child: root becomes USER[:GROUP]. The program's ends of its streams are the user's then. Gives the user's home
// directory, NULL where nobody knows one.
static const char *become_user(char *user, struct frame_failed *failed) {
    char *group = strchr(user, ':');
    if (group)
        *group++ = '\0';
    struct passwd *p = is_id(user)       ? getpwuid((uid_t)strtoul(user, NULL, 10))
                       : is_number(user) ? NULL
                                         : getpwnam(user);
    struct group *g = !group || is_number(group) ? NULL : getgrnam(group);
    uid_t uid = p ? p->pw_uid : (uid_t)strtoul(user, NULL, 10);
    gid_t gid = g ? g->gr_gid : group ? (gid_t)strtoul(group, NULL, 10) : p ? p->pw_gid : 0;
    if ((!p && !is_id(user)) || (group && !g && !is_id(group))) {
        *failed = (struct frame_failed){.what = FAILED_USER};
        return NULL;
    }
    for (int fd = 0; fd < 3; fd++)
        fchown(fd, uid, gid);
    int err = p && !group ? initgroups(p->pw_name, gid) : setgroups(1, &gid);
    if (err || setgid(gid) || setuid(uid))
        *failed = (struct frame_failed){.what = FAILED_USER, .error = errno};
    return p ? p->pw_dir : NULL;
}

static void take_files(const int *files) {
    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(files[fd], fd);
    for (int fd = 0; fd < 3; fd++)
        if (start->terminals >> fd & 1) {
            ioctl(fd, TIOCSCTTY, 0);
            break;
        }
}

static bool has_home(char **variables) {
    while (*variables && strncmp(*variables, "HOME=", 5) != 0)
        variables++;
    return *variables;
}

// Executes what has the name in a directory of $PATH, as execvp(3) does. What comes back is the error; ENOENT with *found
// false: none of them has it.
static int execute_by_name(const char *name, const char *dirs, bool *found) {
    int err = ENOENT;
    *found = false;
    for (const char *dir = dirs; *dir;) {
        char *path;
        int length = (int)strcspn(dir, ":");
        if (asprintf(&path, "%.*s/%s", length, dir, name) < 0)
            return ENOMEM;
        execve(path, start_strings.arguments, start_strings.variables);
        if (errno != ENOENT || access(path, F_OK) == 0) {
            *found = true;
            err = errno;
        }
        free(path);
        dir += length + (dir[length] == ':');
    }
    return err;
}

static void execute(struct frame_failed *failed) {
    const char *path = start_strings.path, *dirs = "";
    bool found = true;
    for (char **variable = start_strings.variables; *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0)
            dirs = *variable + 5;
    if (strchr(path, '/')) {
        execve(path, start_strings.arguments, start_strings.variables);
        failed->error = errno;
        found = errno != ENOENT || access(path, F_OK) == 0;
    } else {
        failed->error = execute_by_name(path, dirs, &found);
    }
    failed->what = found ? FAILED_PROGRAM : FAILED_LOOKUP;
}

// In the child: becomes the program, or tells why not.
static void become_program(const int *files, struct frame_failed *failed) {
    sigset_t none;
    char *user = start_strings.user, **variables = start_strings.variables;
    take_files(files);
    const char *home = *user ? become_user(user, failed) : NULL;
    if (failed->what)
        return;
    if (!has_home(variables)) {
        char *variable;
        size_t count = 0;
        while (variables[count])
            count++;
        if (asprintf(&variable, "HOME=%s", home ? home : "/") > 0)
            variables[count] = variable;
    }
    if (chdir(start_strings.workdir)) {
        *failed = (struct frame_failed){.what = FAILED_WORKDIR, .error = errno};
        return;
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execute(failed);
}

// Standard input is asked for when somebody reads it; of a terminal, what is typed goes there at once.
static void want_input(void) {
    input_wanted = true;
    channel_send(FRAME_WANTED, NULL, 0);
}

// The host ends the machine.
static void __attribute__((noreturn)) tell_failure(const struct frame_failed *failed) {
    channel_send(FRAME_FAILED, failed, sizeof(*failed));
    for (;;)
        pause();
}

static void carry_out_orders(void) {
    for (uint32_t i = 0; i < start->orders; i++) {
        struct frame_failed failed = {FAILED_ORDER, order_carry_out(start_strings.orders + i * ORDER_STRINGS),
                                      i};
        if (failed.error)
            tell_failure(&failed);
    }
}

static void fork_program(const int *files) {
    struct frame_failed failed = {0};
    int status[2];
    if (pipe2(status, O_CLOEXEC) < 0)
        die("a pipe");
    program = fork();
    if (program < 0)
        die("a process");
    if (program == 0) {
        become_program(files, &failed);
        (void)!write(status[1], &failed, sizeof(failed));
        _exit(127);
    }
    close(status[1]);
    if (read(status[0], &failed, sizeof(failed)) == sizeof(failed))
        tell_failure(&failed);
    close(status[0]);
}

static void start_program(void) {
    int files[3], slave = -1;
    make_files(files, &slave);
    int input = flows[PORT_INPUT].to;
    if (input == terminal || ioctl(input, PIPE_ON_DEMAND) < 0)
        want_input();
    fork_program(files);
    for (int i = 0; i < 3; i++)
        if (!(start->terminals >> i & 1))
            close(files[i]);
    if (start->terminals)
        close(slave);
    for (int number = 1; number < 64; number++)
        if (early_signals >> number & 1)
            kill(-program, number);
}

// ---- to and fro

// Nothing may change what is brought out.
static void send_results(void) {
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    for (uint32_t i = 0; i < start->results; i++)
        result_send(start_strings.results[i]);
}

static uint64_t us_of(const struct timeval *t) {
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

// The host ends the machine when it has all that was sent.
static void end(int status, const struct rusage *used) {
    struct frame_exit end = {.status = status,
                             .user_us = us_of(&used->ru_utime),
                             .system_us = us_of(&used->ru_stime),
                             .peak = (uint64_t)used->ru_maxrss << 10};
    for (int port = PORT_OUTPUT; port < PORT_COUNT; port++) {
        flow_drain(&flows[port]);
        end.sent[port] = flows[port].passed;
    }
    tcdrain(STDIN_FILENO); // what was said on the console
    sync();                // and what was written to the host's directories
    if (status)
        missing_send();
    channel_send(FRAME_EXIT, &end, sizeof(end));
    if (start->results)
        send_results();
    for (;;)
        pause();
}

static void reap(void) {
    int status;
    struct rusage used;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;)
        if (pid == program)
            end(status, &used);
}

static void child_changed(int signal_number) {
    (void)signal_number; // ends ppoll()
}

static void close_input(void) {
    struct flow *f = &flows[PORT_INPUT];
    if (f->to >= 0 && f->to != terminal)
        close(f->to);
    f->to = -1;
}

static void move_input(const struct pollfd *its) {
    struct flow *f = &flows[PORT_INPUT];
    if (its->fd == f->from) {
        flow_read(f);
    } else if (its->revents & POLLERR) {
        close_input(); // nobody will read it any more
        input_wanted = true;
    } else {
        if (!input_wanted)
            want_input();
        flow_write(f);
    }
}

// Where it goes to, if there is something to go, or nobody has asked for any yet; else where it comes from.
static struct pollfd poll_input(struct flow *f) {
    if (f->at == f->used && f->passed == input_size)
        close_input();
    if (f->to < 0)
        f->at = f->used;
    if (f->to >= 0 && (f->at < f->used || !input_wanted))
        return (struct pollfd){.fd = f->to, .events = POLLOUT};
    return (struct pollfd){.fd = f->passed == input_size ? -1 : f->from, .events = POLLIN};
}

static struct pollfd poll_output(const struct flow *f) {
    if (f->at < f->used)
        return (struct pollfd){.fd = f->to, .events = POLLOUT};
    return (struct pollfd){.fd = f->from, .events = POLLIN};
}

static void move_output(struct flow *f) {
    flow_read(f);
    if (f->at < f->used)
        flow_write(f);
}

static void serve(void) {
    sigset_t none;
    sigemptyset(&none);
    for (;;) {
        reap();
        struct pollfd fds[PORT_COUNT + 1] = {{.fd = channel_control(), .events = POLLIN}};
        for (int port = PORT_INPUT; port < PORT_COUNT; port++)
            fds[port] = port == PORT_INPUT ? poll_input(&flows[port]) : poll_output(&flows[port]);
        if (ppoll(fds, PORT_COUNT, NULL, &none) < 0)
            continue;
        for (int port = PORT_OUTPUT; port < PORT_COUNT; port++)
            if (fds[port].revents)
                move_output(&flows[port]);
        if (fds[PORT_INPUT].revents)
            move_input(&fds[PORT_INPUT]);
        if (fds[0].revents)
            take_frame();
    }
}

int main(int argc, char **argv) {
    const struct sigaction action = {.sa_handler = child_changed};
    sigset_t children;
    (void)argc;
    set_up_files();
    unlink(argv[0]);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    channel_open();
    channel_send(FRAME_HELLO, NULL, 0);
    while (!start)
        take_frame();
    carry_out_orders();
    start_program();
    serve();
}
