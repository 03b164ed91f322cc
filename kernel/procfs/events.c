// SPDX-License-Identifier: MIT
// What happens in the machine: /proc/interrupts, softirqs; its consoles and the locks on files; and what can be made happen,
// sysrq-trigger.
#include "arch/riscv/cpu.h"
#include "arch/riscv/sbi.h"
#include "core/errno.h"
#include "core/irq.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/dev/chrdev.h"
#include "fs/file_lock.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "lib/tree.h"
#include "mm/slab.h"
#include "procfs/private.h"
#include "sched/id.h"
#include "tty/tty.h"
#include "upcalls.h"
#include <linux/fcntl.h>

// ---- interrupts

static void put_harts(struct seq_buf *s, const char *before) {
    seq_puts(s, before);
    for (unsigned int hart = 0; hart < hart_count; hart++)
        seq_printf(s, "CPU%-8u", hart);
    seq_puts(s, "\n");
}

static void put_own(struct seq_buf *s, const char *name, size_t counter, const char *what) {
    seq_printf(s, "%4s: ", name);
    for (unsigned int hart = 0; hart < hart_count; hart++)
        seq_printf(s, "%10lu ", *(const unsigned long *)((const char *)&harts[hart] + counter));
    seq_printf(s, " %s\n", what);
}

static int show_interrupts(struct seq_buf *s, void *arg) {
    (void)arg;
    put_harts(s, "            ");
    for (unsigned int i = 0; i < IRQ_COUNT; i++) {
        if (!irq_is_used(i))
            continue;
        seq_printf(s, "%4u: ", i);
        for (unsigned int hart = 0; hart < hart_count; hart++)
            seq_printf(s, "%10lu ", (unsigned long)irq_count(i, hart));
        seq_printf(s, " device %u\n", i);
    }
    put_own(s, "TMR", offsetof(struct hart, timer_interrupts), "Timer interrupts");
    put_own(s, "IPI", offsetof(struct hart, hart_interrupts), "Interrupts from other harts");
    return 0;
}

// There are none: what interrupts leave to be done, threads do.
static int show_softirqs(struct seq_buf *s, void *arg) {
    static const char *const names[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                        "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
    (void)arg;
    put_harts(s, "                    ");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        seq_printf(s, "%12s:", names[i]);
        for (unsigned int hart = 0; hart < hart_count; hart++)
            seq_printf(s, " %10u", 0);
        seq_puts(s, "\n");
    }
    return 0;
}

// ---- consoles

static bool console_line(struct chrdev *c, void *arg) {
    const char *name = tty_console_name();
    if (!name || !c->name || strcmp(c->name, name) != 0)
        return true;
    seq_printf(arg, "%-21s-W- (EC p a)    %4u:%u\n", name, DEV_MAJOR(c->dev), DEV_MINOR(c->dev));
    return false;
}

static int show_consoles(struct seq_buf *s, void *arg) {
    (void)arg;
    chrdev_for_each(console_line, s);
    return 0;
}

// ---- locks

// In the order of the file: the last that was set comes first, each with those that wait for it.
struct lock_line {
    RB_ENTRY(lock_line) node;
    struct file_lock_info lock;
};
RB_HEAD(lock_lines, lock_line);

static uint64_t set_serial(const struct lock_line *l) {
    return l->lock.level ? l->lock.behind : l->lock.serial;
}

static int compare_lines(const struct lock_line *a, const struct lock_line *b) {
    uint64_t of_a = set_serial(a), of_b = set_serial(b);
    if (of_a != of_b)
        return of_a > of_b ? -1 : 1;
    if (a->lock.level != b->lock.level)
        return a->lock.level < b->lock.level ? -1 : 1;
    return a->lock.serial < b->lock.serial ? -1 : a->lock.serial > b->lock.serial;
}
RB_GENERATE_STATIC(lock_lines, lock_line, node, compare_lines)

static int keep_line(const struct file_lock_info *l, void *arg) {
    struct lock_line *line = kmalloc(sizeof(*line));
    if (!line)
        return -ENOMEM;
    line->lock = *l;
    if (RB_INSERT(lock_lines, arg, line))
        kfree(line); // told already
    return 0;
}

static int show_locks(struct seq_buf *s, void *arg) {
    struct lock_lines lines = RB_INITIALIZER(&lines);
    struct lock_line *line;
    uint64_t shown = 0; // the serial of the last that is set and shown
    unsigned long number = 0;
    (void)arg;
    int err = file_locks_for_each(keep_line, &lines);
    while ((line = RB_MIN(lock_lines, &lines))) {
        const struct file_lock_info *l = &line->lock;
        bool foreign = l->pid > 0 && !pid_shown(l->pid); // of another pid namespace
        if (!l->level && !foreign) {
            shown = l->serial;
            number++;
        }
        if (!err && shown == set_serial(line))
            file_lock_show(s, number, l);
        RB_REMOVE(lock_lines, &lines, line);
        kfree(line);
        cond_resched();
    }
    return err;
}

void file_lock_show(struct seq_buf *s, unsigned long number, const struct file_lock_info *l) {
    seq_printf(s, "%lu: ", number);
    for (unsigned int i = 1; i < l->level; i++)
        seq_puts(s, " ");
    seq_printf(s, "%s%s %-9s %s %d %02x:%02x:%lu ", l->level ? "-> " : "", l->kind, l->state,
               l->type == F_WRLCK   ? "WRITE"
               : l->type == F_RDLCK ? "READ"
                                    : "UNLCK",
               pid_shown(l->pid), DEV_MAJOR(l->dev), DEV_MINOR(l->dev), (unsigned long)l->ino);
    if (l->last < 0)
        seq_printf(s, "%ld EOF\n", (long)l->first);
    else
        seq_printf(s, "%ld %ld\n", (long)l->first, (long)l->last);
}

// ---- sysrq-trigger

static ssize_t store_sysrq(const char *text, size_t n, void *arg) {
    (void)arg;
    switch (n ? text[0] : 0) {
    case 'b':
        printk(LOG_EMERG, "sysrq: Resetting");
        panic_check_stop();
        sbi_reboot();
        break;
    case 'o':
        printk(LOG_EMERG, "sysrq: Power Off");
        panic_check_stop();
        sbi_shutdown(false);
        break;
    case 'c':
        panic("sysrq triggered crash");
    case 's':
        printk(LOG_INFO, "sysrq: Emergency Sync");
        superblocks_sync();
        break;
    default:
        printk(LOG_INFO, "sysrq: HELP : reboot(b) crash(c) poweroff(o) sync(s)");
    }
    return (ssize_t)n;
}

static int show_nothing(struct seq_buf *s, void *arg) {
    (void)s, (void)arg;
    return -EIO;
}

static const struct proc_entry entries[] = {
    {.path = "interrupts", .show = show_interrupts},
    {.path = "softirqs", .show = show_softirqs},
    {.path = "consoles", .show = show_consoles},
    {.path = "locks", .show = show_locks},
    {.path = "sysrq-trigger", .mode = 0200, .show = show_nothing, .store = store_sysrq},
};

void proc_events_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
