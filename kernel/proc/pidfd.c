// SPDX-License-Identifier: MIT
// pidfds: files that stand for a process (pidfd_open(2)). Readable once it has ended.
#include "proc/pidfd.h"
#include "core/errno.h"
#include "fs/event/poll.h"
#include "fs/fdtable.h"
#include "lib/format.h"
#include "net/identity.h"
#include "proc/process.h"

static unsigned int pidfd_poll(struct file *f, struct poll_table *table) {
    struct process *p = f->private_data;
    poll_wait(f, &p->exited, table);
    return READ_ONCE(p->thread_count) ? 0 : POLLIN | POLLRDNORM;
}

// The number of a process that was waited for may be another's by now.
static size_t pidfd_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    const struct process *p = f->private_data;
    struct pid_ns *ns = current->pid_ns;
    if ((*at)++)
        return 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr[PID_NS_DEPTH_MAX + 1] = {p->id ? id_in(p->id, ns) : -1};
    unsigned int count = 1;
    for (unsigned int level = ns->level + 1; nr[0] > 0 && level <= p->pid_ns->level; level++)
        nr[count++] = p->id->inner[level - 1].nr;
    spin_unlock_irqrestore(&process_lock, flags);
    size_t len = (size_t)lib_snprintf(line, n, "Pid:\t%d\nNSpid:", nr[0]);
    for (unsigned int i = 0; i < count; i++)
        len += (size_t)lib_snprintf(line + MIN(len, n), n - MIN(len, n), "\t%d", nr[i]);
    return len + (size_t)lib_snprintf(line + MIN(len, n), n - MIN(len, n), "\n");
}

static void pidfd_release(struct file *f) {
    process_put(f->private_data);
}

static const struct file_ops pidfd_ops = {
    .poll = pidfd_poll,
    .describe = pidfd_describe,
    .release = pidfd_release,
};

struct file *pidfd_create(struct process *p, unsigned int flags) {
    process_get(p);
    struct file *f = file_create_anon("[pidfd]", &pidfd_ops, p, flags);
    if (IS_ERR(f))
        process_put(p);
    return f;
}

struct process *pidfd_process(struct file *f) {
    if (f->ops != &pidfd_ops)
        return ERR_PTR(-EBADF);
    process_get(f->private_data);
    return f->private_data;
}

struct process *pidfd_find(int fd) {
    struct file *f = fd_get(fd);
    if (!f)
        return ERR_PTR(-EBADF);
    struct process *p = pidfd_process(f);
    file_put(f);
    return p;
}

// ---- for sockets, which know the process at the other end (net/identity.h)

static void *get_current(void) {
    if (current->process)
        process_get(current->process);
    return current->process;
}

static void *find(pid_t pid) {
    return process_find(pid);
}

static pid_t number(void *process) {
    return process ? process_number(process, current->pid_ns) : 0;
}

static void get(void *process) {
    process_get(process);
}

static void put(void *process) {
    process_put(process);
}

// A process that was waited for has no pidfd any more.
static struct file *create_pidfd(void *process) {
    struct process *p = process;
    return READ_ONCE(p->id) ? pidfd_create(p, 0) : ERR_PTR(-ESRCH);
}

void pidfd_init(void) {
    static const struct net_process_ops ops = {.get_current = get_current,
                                               .find = find,
                                               .number = number,
                                               .get = get,
                                               .put = put,
                                               .create_pidfd = create_pidfd};
    net_process_ops = &ops;
}
