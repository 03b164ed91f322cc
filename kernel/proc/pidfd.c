// SPDX-License-Identifier: MIT
// pidfds: files that stand for a process (pidfd_open(2)). Readable once it has ended.
#include "proc/pidfd.h"
#include "core/errno.h"
#include "fs/event/poll.h"
#include "proc/process.h"

static unsigned int pidfd_poll(struct file *f, struct poll_table *table) {
    struct process *p = f->private_data;
    poll_wait(f, &p->exited, table);
    return READ_ONCE(p->thread_count) ? 0 : POLLIN | POLLRDNORM;
}

static void pidfd_release(struct file *f) {
    process_put(f->private_data);
}

static const struct file_ops pidfd_ops = {
    .poll = pidfd_poll,
    .release = pidfd_release,
};

struct file *pidfd_create(struct process *p, unsigned int flags) {
    process_get(p);
    struct file *f = file_create_anon("pidfd", &pidfd_ops, p, flags);
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
