// SPDX-License-Identifier: MIT
// Process accounting; proc/accounting.h has the overview.
#include "proc/accounting.h"
#include "fs/event/notify.h"
#include "fs/file.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "proc/process.h"
#include "proc/usage.h"
#include "vm/vmspace.h"
#include <linux/acct.h>

#define RECORD_VERSION 3 // the one with pids, which Debian's kernels write
#define TICK           (NSEC_PER_SEC / 100)

static struct spinlock accounting_lock = SPINLOCK_INIT;
unsigned long accounting_limits[3] = {4, 2, 30};

// ---- where to

// The file with a reference, or NULL; is it time to look how much room it has?
static struct file *get_file(struct accounting *a, bool *look, bool *full) {
    if (likely(!READ_ONCE(a->file)))
        return NULL;
    ktime_t now = clock_monotonic();
    spin_lock(&accounting_lock);
    struct file *f = a->file;
    *full = a->full;
    *look = f && now >= a->look_again;
    if (*look)
        a->look_again = now + READ_ONCE(accounting_limits[2]) * NSEC_PER_SEC;
    if (f)
        file_get(f);
    spin_unlock(&accounting_lock);
    return f;
}

static uint64_t percent_of(uint64_t n, unsigned long percent) {
    percent = MIN(percent, 101ul); // more is all and more
    return n / 100 * percent + n % 100 * percent / 100;
}

// Is f's file system too full? One without a number of blocks has room.
static bool is_full(const struct file *f, bool was) {
    struct superblock *sb = f->inode->sb;
    struct kstatfs s = {.bsize = PAGE_SIZE};
    if (!sb->type->statfs || sb->type->statfs(sb, &s) || !s.blocks)
        return false;
    return was ? s.bfree < percent_of(s.blocks, READ_ONCE(accounting_limits[0]))
               : s.bfree <= percent_of(s.blocks, READ_ONCE(accounting_limits[1]));
}

// ---- numbers

// A comp_t: 13 bits, and a power of 8 in three. What is too large is the largest.
static comp_t to_comp(uint64_t n) {
    unsigned int power = 0;
    bool up = false;
    for (; n >> 13; n >>= 3, power++)
        up = n & 4;
    if (up && ++n >> 13) {
        n >>= 3;
        power++;
    }
    return power > 7 ? UINT16_MAX : (comp_t)(power << 13 | n);
}

// The bits of a float; the kernel has no registers for one.
static uint32_t to_float(uint64_t n) {
    if (!n)
        return 0;
    unsigned int top = 63 - (unsigned int)__builtin_clzl(n);
    return (127 + top) << 23 | ((uint32_t)(n << (63 - top) >> 40) & 0x7fffff);
}

// ---- records

static uint64_t ticks_of(long seconds, long microseconds) {
    return (uint64_t)(seconds * NSEC_PER_SEC + microseconds * NSEC_PER_USEC) / TICK;
}

static void describe(struct process *p, struct acct_v3 *r) {
    struct rusage used;
    ktime_t lived = clock_monotonic() - p->start_time;
    uint32_t elapsed = to_float(lived / TICK);
    process_usage(p, RUSAGE_SELF, &used);
    int status = READ_ONCE(p->exit_status);
    memset(r, 0, sizeof(*r));
    r->ac_flag = (char)((p->execs ? 0 : AFORK) | (p->used_privilege ? ASU : 0) | (status & 0x80 ? ACORE : 0) |
                        (status & 0x7f ? AXSIG : 0));
    r->ac_version = RECORD_VERSION;
    r->ac_tty = process_tty_number();
    r->ac_exitcode = (uint32_t)status;
    r->ac_uid = current->cred->uid;
    r->ac_gid = current->cred->gid;
    r->ac_btime = (uint32_t)((clock_realtime() - lived) / NSEC_PER_SEC);
    memcpy(&r->ac_etime, &elapsed, sizeof(elapsed));
    r->ac_utime = to_comp(ticks_of(used.ru_utime.tv_sec, used.ru_utime.tv_usec));
    r->ac_stime = to_comp(ticks_of(used.ru_stime.tv_sec, used.ru_stime.tv_usec));
    if (current->vm) // the init of a namespace has none any more when this ends
        r->ac_mem = to_comp(READ_ONCE(current->vm->total_pages) << PAGE_SHIFT >> 10);
    r->ac_minflt = to_comp(used.ru_minflt);
    memcpy(r->ac_comm, current->name, MIN(sizeof(r->ac_comm), sizeof(current->name)));
}

// As long as there is room, whatever the limits of who ends.
static void append(struct file *f, const struct acct_v3 *r) {
    struct uio_segment segment;
    struct uio u;
    off_t pos = 0; // O_APPEND
    uio_init_kernel(&u, &segment, (void *)r, sizeof(*r));
    if (f->ops->write(f, &u, &pos) > 0)
        notify_file(f, IN_MODIFY);
}

static void write_to(struct pid_ns *ns, struct process *p, struct acct_v3 *r) {
    struct accounting *a = &ns->accounting;
    bool look = false, full = false;
    struct file *f = get_file(a, &look, &full);
    if (!f)
        return;
    if (look) {
        full = is_full(f, full);
        spin_lock(&accounting_lock);
        if (a->file == f)
            a->full = full;
        spin_unlock(&accounting_lock);
    }
    if (!full) {
        if (!r->ac_version)
            describe(p, r);
        unsigned long flags = spin_lock_irqsave(&process_lock);
        r->ac_pid = (uint32_t)process_number_locked(p, ns);
        r->ac_ppid = p->parent ? (uint32_t)process_number_locked(p->parent, ns) : 0;
        spin_unlock_irqrestore(&process_lock, flags);
        append(f, r);
    }
    file_put(f);
}

void accounting_of_end(struct process *p) {
    struct acct_v3 record = {.ac_version = 0};
    for (struct pid_ns *ns = p->pid_ns; ns; ns = ns->parent)
        write_to(ns, p, &record);
}

// ---- which file

// Who ends the records of a namespace is the last in its file, as on Linux.
static void change(struct pid_ns *ns, struct file *f) {
    struct acct_v3 record = {.ac_version = 0};
    struct accounting *a = &ns->accounting;
    write_to(ns, current->process, &record);
    spin_lock(&accounting_lock);
    struct file *old = a->file;
    *a = (struct accounting){.file = f};
    spin_unlock(&accounting_lock);
    if (old)
        file_put(old);
}

void accounting_set(struct file *f) {
    change(current->process->pid_ns, f);
}

void accounting_end(struct pid_ns *ns) {
    change(ns, NULL);
}
