// SPDX-License-Identifier: MIT
#include "sys/trace.h"
#include "arch/riscv/uaccess.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/printk.h"
#include "lib/format.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>

#define TEXT_SHOWN 64 // bytes of a string or of data

static const char *wanted_names; // NULL: all

// ---- names

struct call_info {
    const char *name, *kinds;
};

static const struct call_info calls[] = {
#define SYSCALL(name_, kinds_, ...) [__NR_##name_] = {#name_, kinds_},
#include "sys/syscalls.def"
#undef SYSCALL
};

static const struct {
    unsigned short nr;
    const char *name;
} absent[] = {
#define ABSENT(name_, why_) {__NR_##name_, #name_},
#include "sys/absent.def"
#undef ABSENT
};

const char *syscall_name(unsigned long nr) {
    if (nr < ARRAY_SIZE(calls) && calls[nr].name)
        return calls[nr].name;
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        if (absent[i].nr == nr)
            return absent[i].name;
    }
    return NULL;
}

static const struct {
    short number;
    const char *name;
} errors[] = {
#define E(name)                                                                                              \
    { name, #name }
    E(EPERM),       E(ENOENT),         E(ESRCH),          E(EINTR),
    E(EIO),         E(ENXIO),          E(E2BIG),          E(ENOEXEC),
    E(EBADF),       E(ECHILD),         E(EAGAIN),         E(ENOMEM),
    E(EACCES),      E(EFAULT),         E(EBUSY),          E(EEXIST),
    E(EXDEV),       E(ENODEV),         E(ENOTDIR),        E(EISDIR),
    E(EINVAL),      E(ENFILE),         E(EMFILE),         E(ENOTTY),
    E(ETXTBSY),     E(EFBIG),          E(ENOSPC),         E(ESPIPE),
    E(EROFS),       E(EMLINK),         E(EPIPE),          E(EDOM),
    E(ERANGE),      E(EDEADLK),        E(ENAMETOOLONG),   E(ENOLCK),
    E(ENOSYS),      E(ENOTEMPTY),      E(ELOOP),          E(EOVERFLOW),
    E(ELIBBAD),     E(EOPNOTSUPP),     E(ETIMEDOUT),      E(ENODATA),
    E(ERESTARTSYS), E(ERESTARTNOINTR), E(ERESTARTNOHAND), E(ERESTART_RESTARTBLOCK),
#undef E
};

static const char *error_name(long err) {
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        if (errors[i].number == err)
            return errors[i].name;
    }
    return NULL;
}

static const char *signal_name(unsigned int sig) {
    static const char *const names[] = {
        "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
        "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
        "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
    };
    return sig < ARRAY_SIZE(names) ? names[sig] : NULL;
}

// ---- what is wanted

static bool listed(const char *name) {
    size_t n = strlen(name);
    for (const char *s = wanted_names; *s;) {
        size_t length = 0;
        while (s[length] && s[length] != ',')
            length++;
        if (length == n && !memcmp(s, name, n))
            return true;
        s += length + (s[length] == ',');
    }
    return false;
}

void trace_init(void) {
    const char *names = cmdline_get("trace");
    wanted_names = names && *names ? names : NULL;
    if (names)
        syscalls_trace();
}

// ---- lines

static void add(struct trace_call *t, const char *fmt, ...) __printf(2, 3);
static void add(struct trace_call *t, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = lib_vsnprintf(t->line + t->used, sizeof(t->line) - t->used, fmt, args);
    va_end(args);
    t->used = MIN(t->used + (n > 0 ? n : 0), sizeof(t->line) - 1);
}

static void add_text(struct trace_call *t, const char *text, size_t n, bool more) {
    add(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = text[i];
        if (c == '"' || c == '\\')
            add(t, "\\%c", c);
        else if (c == '\n')
            add(t, "\\n");
        else if (c < ' ' || c >= 0x7f)
            add(t, "\\%o", c);
        else
            add(t, "%c", c);
    }
    add(t, more ? "\"..." : "\"");
}

static void add_pointer(struct trace_call *t, unsigned long addr) {
    add(t, addr ? "0x%lx" : "NULL", addr);
}

static void add_string(struct trace_call *t, unsigned long addr) {
    char text[TEXT_SHOWN + 1];
    ssize_t n = addr ? strncpy_from_user(text, (const char __user *)addr, sizeof(text)) : -EFAULT;
    if (n < 0 && n != -ENAMETOOLONG)
        add_pointer(t, addr);
    else
        add_text(t, text, n < 0 ? TEXT_SHOWN : (size_t)n, n < 0);
}

static void add_data(struct trace_call *t, unsigned long addr, size_t n) {
    char text[TEXT_SHOWN];
    if (!addr || copy_from_user(text, (const void __user *)addr, MIN(n, sizeof(text))))
        add_pointer(t, addr);
    else
        add_text(t, text, MIN(n, sizeof(text)), n > sizeof(text));
}

// The kinds of syscalls.def.
static void add_argument(struct trace_call *t, char kind, unsigned long value, unsigned long next) {
    switch (kind) {
    case 'd':
        // An int comes sign-extended or not: small negative numbers are what is meant.
        add(t, "%ld", value >> 31 == 1 ? (long)(int)value : (long)value);
        break;
    case 'u':
        add(t, "%lu", value);
        break;
    case 'o':
        add(t, value ? "0%lo" : "%lo", value);
        break;
    case 's':
        add_string(t, value);
        break;
    case 'b':
        add_data(t, value, next);
        break;
    case 'D':
        if ((int)value == AT_FDCWD)
            add(t, "AT_FDCWD");
        else
            add(t, "%d", (int)value);
        break;
    case 'S':
        if (signal_name(value))
            add(t, "%s", signal_name(value));
        else
            add(t, "%lu", value);
        break;
    case 'p':
        add_pointer(t, value);
        break;
    default:
        add(t, "0x%lx", value);
    }
}

// Adds the arguments not shown yet: at entry those before the first 'B', which are known only at exit.
static void add_arguments(struct trace_call *t, const unsigned long args[TRACE_ARGS], bool at_exit) {
    for (; t->shown < TRACE_ARGS && t->kinds[t->shown]; t->shown++) {
        char kind = t->kinds[t->shown];
        if (kind == 'B' && !at_exit)
            return;
        if (t->shown)
            add(t, ", ");
        if (kind == 'B' && t->result >= 0)
            add_data(t, args[t->shown], t->result);
        else
            add_argument(t, kind, args[t->shown], t->shown + 1 < TRACE_ARGS ? args[t->shown + 1] : 0);
    }
}

void trace_enter(struct trace_call *t, unsigned long nr, const unsigned long args[TRACE_ARGS]) {
    const char *name = syscall_name(nr);
    t->wanted = !wanted_names || listed(current->name) || (name && listed(name));
    if (!t->wanted)
        return;
    t->used = 0;
    add(t, "[%d %s] ", current->tid, current->name);
    if (name)
        add(t, "%s(", name);
    else
        add(t, "syscall_%lu(", nr);
    t->kinds = nr < ARRAY_SIZE(calls) && calls[nr].kinds ? calls[nr].kinds : "xxxxxx";
    t->shown = 0;
    add_arguments(t, args, false);
    // These do not come back.
    if (nr == __NR_exit || nr == __NR_exit_group)
        printk(LOG_INFO, "%s)", t->line);
}

void trace_exit(struct trace_call *t, const unsigned long args[TRACE_ARGS], long ret) {
    if (!t->wanted)
        return;
    t->result = ret;
    add_arguments(t, args, true);
    const char *error = ret < 0 ? error_name(-ret) : NULL;
    if (error)
        add(t, ") = -1 %s", error);
    else if (ret >= 0 && ret < 65536)
        add(t, ") = %ld", ret);
    else
        add(t, ") = 0x%lx", ret);
    printk(LOG_INFO, "%s", t->line);
}
