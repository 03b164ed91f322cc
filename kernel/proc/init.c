// SPDX-License-Identifier: MIT
// The first process: which program it runs, with which arguments and environment (as Linux: bootparam(7),
// "init=", "rdinit=").
#include "proc/init.h"
#include "arch/riscv/cpu.h"
#include "core/cmdline.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/fail_alloc.h"
#include "proc/exec.h"
#include "proc/exec_private.h"
#include <linux/fcntl.h>

#define TRIED_SIZE  512
#define WHY_SIZE    200
#define STACK_LIMIT (8ul << 20)
#define NOFILE_SOFT 1024
#define NOFILE_HARD 4096
#define MEMLOCK     (8ul << 20)
#define MSGQUEUE    819200

static const char *arguments[CMDLINE_WORDS + 2];
static const char *environment[CMDLINE_WORDS + 3] = {"HOME=/", "TERM=linux"};
static struct id no_group = {.uses = 1}; // group and session 0, which pid 1 starts in

static void set_limits(struct process *p) {
    const struct {
        int resource;
        uint64_t soft, hard;
    } initial[] = {
        {RLIMIT_STACK, STACK_LIMIT, RLIM64_INFINITY},
        {RLIMIT_CORE, 0, RLIM64_INFINITY},
        {RLIMIT_NOFILE, NOFILE_SOFT, NOFILE_HARD},
        {RLIMIT_MEMLOCK, MEMLOCK, MEMLOCK},
        {RLIMIT_NPROC, limits.threads_max / 2, limits.threads_max / 2},
        {RLIMIT_SIGPENDING, limits.threads_max / 2, limits.threads_max / 2},
        {RLIMIT_MSGQUEUE, MSGQUEUE, MSGQUEUE},
        {RLIMIT_NICE, 0, 0},
        {RLIMIT_RTPRIO, 0, 0},
    };
    for (int i = 0; i < RLIM_NLIMITS; i++)
        p->limits[i] = (struct rlimit64){RLIM64_INFINITY, RLIM64_INFINITY};
    for (size_t i = 0; i < ARRAY_SIZE(initial); i++)
        p->limits[initial[i].resource] = (struct rlimit64){initial[i].soft, initial[i].hard};
}

// Makes the current kernel thread process 1.
static void become_init(void) {
    struct thread *t = current;
    struct process *p = process_alloc();
    struct id *id = id_alloc(&first_pid_ns, NULL);
    struct signal_handlers *handlers = signal_handlers_copy(NULL, true);
    if (!p || IS_ERR(id) || !handlers)
        panic("init: no memory for the first process");
    ASSERT(id->nr == 1);
    no_group.ns = &first_pid_ns;
    list_init(&no_group.group);
    list_init(&no_group.session);
    set_limits(p);
    p->pid = p->own_pid = t->tid = t->own_tid = t->own_pid = 1;
    p->pid_ns = &first_pid_ns;
    p->id = id;
    p->handlers = handlers;
    p->start_time = clock_monotonic();
    p->unkillable = true;
    p->exit_signal = SIGCHLD;
    t->timer_slack = t->default_timer_slack = 50000;
    t->namespaces = namespaces_get(&first_namespaces);
    p->cred = cred_get(t->cred);
    p->user = user_get(p->cred->user);
    user_charge(p->user, USER_THREADS, 1);
    sched_set_user(p->user);
    if (!t->files)
        t->files = files_create();
    if (!t->files)
        panic("init: no memory for its table of files");
    unsigned long flags = spin_lock_irqsave(&process_lock);
    id->process = p;
    id->thread = t;
    process_set_group_locked(p, &no_group);
    process_set_session_locked(p, &no_group);
    list_add_tail(&t->process_link, &p->threads);
    p->thread_count = p->live_threads = 1;
    p->leader = t;
    process_counts = (struct process_counts){.forks = 1, .threads = 1};
    process_get(p);
    t->process = p;
    t->process_keys = &p->keys;
    t->limits = p->limits;
    t->pid = 1;
    init_process = first_pid_ns.init = p;
    spin_unlock_irqrestore(&process_lock, flags);
}

static void open_console(void) {
    struct file *f = file_open("/dev/console", O_RDWR, 0);
    if (IS_ERR(f)) {
        pr_warn("init: cannot open /dev/console (error %ld): it starts without input and output", PTR_ERR(f));
        return;
    }
    for (int i = 0; i < 3; i++) {
        file_get(f);
        (void)!fd_add(f, 0);
    }
    file_put(f);
}

// Words of the command line that the kernel does not know: KEY=value goes to the environment, others, and all
// behind `--`, are arguments.
static void split_command_line(void) {
    unsigned int argc = 1, envc = 2;
    for (unsigned int i = 0; i < cmdline_count(); i++) {
        const char *word = cmdline_word(i);
        bool after_dashes = i >= cmdline_dashes();
        if (!after_dashes && cmdline_is_kernels(word))
            continue;
        const char *equals = strchr(word, '=');
        if (after_dashes || !equals) {
            arguments[argc++] = word;
            continue;
        }
        size_t key = equals - word + 1;
        unsigned int at = 0; // a key given again replaces
        while (at < envc && strncmp(environment[at], word, key))
            at++;
        environment[at] = word;
        envc = MAX(envc, at + 1);
    }
}

// Runs the program if it can be. Else adds it to the list of what was tried, and says in `why` what is missing.
static long try(const char *path, char *tried, char *why) {
    struct exec_strings argv = {.kernel = arguments}, envp = {.kernel = environment};
    arguments[0] = path;
    long err = process_exec(AT_FDCWD, path, &argv, &envp, 0);
    if (!err) {
        pr_info("Run %s as init process", path);
        fail_alloc_begin();
        arch_enter_user();
    }
    size_t n = strlen(tried);
    exec_explain(path, why, WHY_SIZE);
    lib_snprintf(tried + n, TRIED_SIZE - n, "%s%s (error %ld)", n ? ", " : "", path, err);
    return err;
}

// What is tried first: rdinit=; /init; or, where `theirs` was brought by another archive than /init, what Linux would run of
// that archive: init=, `theirs`.
static const char *choose_first(const char *theirs, const char *init) {
    const char *rdinit = cmdline_get("rdinit");
    if (rdinit && *rdinit)
        return rdinit;
    if (!theirs)
        return "/init";
    const char *first = init ? init : theirs;
    pr_err("init: the loader's archive brings %s and no /init: %s runs, not the /init of the image's own "
           "archive "
           "(rdinit=/init runs that)",
           theirs, first);
    return first;
}

// What the messages begin with is Linux's, which people search for; errors are not hidden by `quiet`.
static void try_all(const char *theirs, char *tried, char *why) {
    static const char *const usual[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    const char *init = cmdline_get("init");
    if (init && !*init)
        init = NULL;
    const char *first = choose_first(theirs, init);
    long err;
    if (first != init) {
        bool wanted = strcmp(first, "/init") != 0 || exec_is_there(first);
        err = try(first, tried, why);
        printk(wanted ? LOG_ERR : LOG_WARNING, "Failed to execute %s (error %ld)%s", first, err, why);
    }
    if (init) {
        err = try(init, tried, why);
        panic("Requested init %s failed (error %ld)%s. Tried %s.", init, err, why, tried);
    }
    for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
        if (!strcmp(usual[i], first))
            continue;
        err = try(usual[i], tried, why);
        if (exec_is_there(usual[i]))
            pr_err("Starting init: %s exists but couldn't execute it (error %ld)%s", usual[i], err, why);
    }
}

void process_start_init(const char *theirs) {
    static char tried[TRIED_SIZE], why[WHY_SIZE];
    become_init();
    split_command_line();
    open_console();
    try_all(theirs, tried, why);
    panic("No working init found. Tried %s. Does the archive hold one, and all that it needs?", tried);
}
