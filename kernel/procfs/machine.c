// SPDX-License-Identifier: MIT
// Files of /proc about the machine, in the formats of proc(5).
#include "arch/riscv/sbi.h"
#include "core/cmdline.h"
#include "core/fdt.h"
#include "core/irq.h"
#include "core/panic.h"
#include "core/printk.h"
#include "core/version.h"
#include "fs/dev/disk.h"
#include "fs/mount.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "procfs/private.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#define USER_HZ    100
#define CENTIS(ns) ((unsigned long)(ns) / (NSEC_PER_SEC / USER_HZ))

// ---- memory

static int show_meminfo(struct seq_buf *s, void *arg) {
    struct memory_stats m;
    (void)arg;
    memory_get_stats(&m);
    const struct {
        const char *name;
        uint64_t pages;
    } lines[] = {
        {"MemTotal", m.total},
        {"MemFree", m.free},
        {"MemAvailable", m.free},
        {"Buffers", 0},
        {"Cached", m.cache},
        {"SwapCached", 0},
        {"Active", m.anon},
        {"Inactive", m.cache},
        {"Active(anon)", m.anon},
        {"Inactive(anon)", m.cache},
        {"Active(file)", 0},
        {"Inactive(file)", 0},
        {"Unevictable", 0},
        {"Mlocked", 0},
        {"SwapTotal", 0},
        {"SwapFree", 0},
        {"Dirty", m.dirty},
        {"Writeback", 0},
        {"AnonPages", m.anon},
        {"Mapped", 0},
        {"Shmem", m.cache},
        {"KReclaimable", 0},
        {"Slab", m.slab},
        {"SReclaimable", 0},
        {"SUnreclaim", m.slab},
        {"KernelStack", m.kernel_stacks},
        {"PageTables", m.page_tables},
        {"CommitLimit", vm_commit_limit()},
        {"Committed_AS", vm_committed()},
        {"VmallocTotal", 0},
        {"VmallocUsed", 0},
        {"ArchiveBorrowed", m.borrowed},
        {"ArchiveAdopted", m.adopted},
        {"ArchiveCopied", m.copied},
        {"ArchiveReleased", m.released},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        seq_memory(s, lines[i].name, lines[i].pages);
    return 0;
}

// There is no paging from or to a device, and so none of what Linux counts of it.
static int show_vmstat(struct seq_buf *s, void *arg) {
    struct memory_stats m;
    (void)arg;
    memory_get_stats(&m);
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"nr_free_pages", m.free},
        {"nr_inactive_anon", 0},
        {"nr_active_anon", m.anon},
        {"nr_inactive_file", m.cache},
        {"nr_active_file", 0},
        {"nr_unevictable", 0},
        {"nr_slab_reclaimable", 0},
        {"nr_slab_unreclaimable", m.slab},
        {"nr_anon_pages", m.anon},
        {"nr_file_pages", m.cache},
        {"nr_dirty", 0},
        {"nr_writeback", 0},
        {"nr_shmem", m.cache},
        {"nr_page_table_pages", m.page_tables},
        {"nr_kernel_stack", m.kernel_stacks * (PAGE_SIZE / 1024)},
        {"pgpgin", 0},
        {"pgpgout", 0},
        {"pswpin", 0},
        {"pswpout", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        seq_printf(s, "%s %lu\n", lines[i].name, (unsigned long)lines[i].value);
    return 0;
}

// slabinfo(5).
static int show_slabinfo(struct seq_buf *s, void *arg) {
    struct slab_stats c;
    (void)arg;
    seq_puts(s, "slabinfo - version: 2.1\n"
                "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
                " : tunables <limit> <batchcount> <sharedfactor>"
                " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (unsigned int i = 0; slab_get_stats(i, &c); i++)
        seq_printf(s, "%-17s %6lu %6lu %6lu %4u %4u : tunables    0    0    0 : slabdata %6lu %6lu      0\n",
                   c.name, c.active, c.slabs * c.per_slab, (unsigned long)c.size, c.per_slab, 1u << c.order,
                   c.slabs, c.slabs);
    return 0;
}

static int show_swaps(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    return 0;
}

// ---- time and load

static int show_uptime(struct seq_buf *s, void *arg) {
    ktime_t idle = 0;
    (void)arg;
    for (unsigned int i = 0; i < hart_count; i++)
        idle += sched_idle_time(i);
    unsigned long up = CENTIS(clock_monotonic()), rest = CENTIS(idle);
    seq_printf(s, "%lu.%02lu %lu.%02lu\n", up / USER_HZ, up % USER_HZ, rest / USER_HZ, rest % USER_HZ);
    return 0;
}

static int show_loadavg(struct seq_buf *s, void *arg) {
    unsigned long load[3];
    struct proc_counts c = proc_get_counts();
    (void)arg;
    sched_loadavg(load);
    for (int i = 0; i < 3; i++) {
        unsigned long rounded = load[i] + 2048 / 200;
        seq_printf(s, "%lu.%02lu ", rounded >> 11, (rounded & 2047) * 100 >> 11);
    }
    seq_printf(s, "%u/%u %d\n", sched_running(), c.threads, c.last_pid);
    return 0;
}

static void stat_cpu(struct seq_buf *s, const struct hart_times *t) {
    seq_printf(s, " %lu %lu %lu %lu 0 0 0 0 0 0\n", CENTIS(t->user), CENTIS(t->nice), CENTIS(t->system),
               CENTIS(t->idle));
}

static unsigned long irq_total(void) {
    unsigned long sum = 0;
    for (unsigned int i = 0; i < IRQ_COUNT; i++)
        for (unsigned int hart = 0; hart < hart_count && irq_is_used(i); hart++)
            sum += irq_count(i, hart);
    return sum;
}

static int show_stat(struct seq_buf *s, void *arg) {
    struct hart_times t, sum = {0, 0, 0, 0};
    struct proc_counts c = proc_get_counts();
    (void)arg;
    for (unsigned int i = 0; i < hart_count; i++) {
        sched_hart_times(i, &t);
        sum.user += t.user;
        sum.nice += t.nice;
        sum.system += t.system;
        sum.idle += t.idle;
    }
    seq_puts(s, "cpu ");
    stat_cpu(s, &sum);
    for (unsigned int i = 0; i < hart_count; i++) {
        sched_hart_times(i, &t);
        seq_printf(s, "cpu%u", i);
        stat_cpu(s, &t);
    }
    seq_printf(s, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
               irq_total(), (unsigned long)sched_switch_count(),
               (unsigned long)(clock_realtime_offset() / NSEC_PER_SEC), c.forks, sched_running());
    return 0;
}

// ---- the machine and the kernel

// All harts are taken to be alike.
static int show_cpuinfo(struct seq_buf *s, void *arg) {
    (void)arg;
    for (unsigned int i = 0; i < hart_count; i++) {
        seq_printf(s, "processor\t: %u\nhart\t\t: %lu\n", i, harts[i].hartid);
        seq_printf(s, "isa\t\t: %s\nmmu\t\t: sv39\n", fdt_isa());
        seq_printf(s, "mvendorid\t: 0x%lx\nmarchid\t\t: 0x%lx\nmimpid\t\t: 0x%lx\nhart isa\t: %s\n\n",
                   sbi_machine_id(SBI_MVENDORID), sbi_machine_id(SBI_MARCHID), sbi_machine_id(SBI_MIMPID),
                   fdt_isa());
    }
    return 0;
}

static int show_version(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%s version %s (gcc %s) %s\n", KERNEL_SYSNAME, KERNEL_RELEASE, __VERSION__, KERNEL_VERSION);
    return 0;
}

static int show_cmdline(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_printf(s, "%s\n", cmdline_text());
    return 0;
}

static bool device_line(struct chrdev *c, void *arg) {
    if (c->driver && !c->block)
        seq_printf(arg, "%3u %s\n", DEV_MAJOR(c->dev), c->driver);
    return true;
}

static bool block_line(struct chrdev *c, void *arg) {
    if (c->driver && c->block && !DEV_MINOR(c->dev))
        seq_printf(arg, "%3u %s\n", DEV_MAJOR(c->dev), c->driver);
    return true;
}

static int show_devices(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "Character devices:\n");
    chrdev_for_each(device_line, s);
    seq_puts(s, "\nBlock devices:\n");
    chrdev_for_each(block_line, s);
    return 0;
}

static bool partition_line(struct chrdev *c, void *arg) {
    struct disk_info d;
    if (c->block) {
        disk_tell(c, &d);
        seq_printf(arg, "%4u  %7u %10lu %s\n", DEV_MAJOR(d.dev), DEV_MINOR(d.dev),
                   (unsigned long)d.sectors / 2, d.name);
    }
    return true;
}

static int show_partitions(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "major minor  #blocks  name\n\n");
    chrdev_for_each(partition_line, s);
    return 0;
}

static bool diskstats_line(struct chrdev *c, void *arg) {
    struct disk_info d;
    if (c->block) {
        disk_tell(c, &d);
        seq_printf(arg, "%4u %7u %s ", DEV_MAJOR(d.dev), DEV_MINOR(d.dev), d.name);
        proc_disk_counts(arg, d.counts);
    }
    return true;
}

static int show_diskstats(struct seq_buf *s, void *arg) {
    (void)arg;
    chrdev_for_each(diskstats_line, s);
    return 0;
}

// ---- file systems and mounts

static bool filesystem_line(const struct fs_type *type, void *arg) {
    seq_printf(arg, "%s\t%s\n", type->nodev ? "nodev" : "", type->name);
    return true;
}

static int show_filesystems(struct seq_buf *s, void *arg) {
    (void)arg;
    fs_type_for_each(filesystem_line, s);
    return 0;
}

struct mounts_text {
    struct seq_buf *s;
    const struct path *root; // of the process whose mounts these are
    char *buf;               // PATH_MAX bytes
};

// Where m is mounted, as seen from the process's root; NULL if that is nowhere.
static const char *mount_place(const struct mounts_text *t, struct mount *m) {
    struct path p = {m, m->root};
    bool reached;
    const char *name = path_name_from(&p, t->root, &reached, t->buf, PATH_MAX);
    return IS_ERR(name) || !reached ? NULL : name;
}

// Both flags that keep writers out, or one: "ro".
static const char *read_only(unsigned int flags) {
    return flags & MS_RDONLY ? "ro" : "rw";
}

// How it was mounted, ",sync".
static void superblock_flags(const struct mount *m, char buf[64]) {
    static const struct {
        unsigned int flag;
        const char *name;
    } names[] = {{MS_SYNCHRONOUS, ",sync"},
                 {MS_DIRSYNC, ",dirsync"},
                 {MS_MANDLOCK, ",mand"},
                 {MS_LAZYTIME, ",lazytime"}};
    size_t len = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (m->sb->flags & names[i].flag)
            len += strlcpy(buf + len, names[i].name, 64 - len);
}

// What the file system says of itself, ",size=4k".
static void instance_options(const struct mount *m, char buf[256]) {
    buf[0] = '\0';
    if (m->sb->type->show_options)
        m->sb->type->show_options(m->sb, buf, 256);
}

static bool mounts_line(struct mount *m, void *arg) {
    struct mounts_text *t = arg;
    const char *place = mount_place(t, m);
    char flags[128], super[64], options[256];
    if (!place)
        return true;
    mount_format_flags(m, flags, sizeof(flags));
    superblock_flags(m, super);
    instance_options(m, options);
    seq_escape(t->s, m->source, "#");
    seq_puts(t->s, " ");
    seq_escape(t->s, place, "");
    seq_printf(t->s, " %s %s%s%s%s 0 0\n", m->sb->type->name, read_only(m->flags | m->sb->flags), super,
               flags, options);
    return true;
}

// proc_pid_mountinfo(5)'s optional fields.
static void show_peers(struct seq_buf *s, const struct mount *m) {
    struct mount_peers peers;
    mount_get_peers(m, &peers);
    if (peers.group)
        seq_printf(s, " shared:%d", mount_short_id(peers.group));
    if (peers.master)
        seq_printf(s, " master:%d", mount_short_id(peers.master));
    if (peers.from && peers.from != peers.master)
        seq_printf(s, " propagate_from:%d", mount_short_id(peers.from));
    if (peers.unbindable)
        seq_puts(s, " unbindable");
}

static bool mountinfo_line(struct mount *m, void *arg) {
    struct mounts_text *t = arg;
    char flags[128], super[64], options[256];
    if (!mount_place(t, m))
        return true;
    const char *shows = path_name_in_fs(m->root, t->buf, PATH_MAX);
    seq_printf(t->s, "%d %d %u:%u ", mount_short_id(m->id), mount_short_id(mount_parent_id(m)),
               DEV_MAJOR(m->sb->dev), DEV_MINOR(m->sb->dev));
    seq_escape(t->s, IS_ERR(shows) ? "/" : shows, "");
    seq_puts(t->s, " ");
    const char *at = mount_place(t, m);
    seq_escape(t->s, at ? at : "/", "");
    mount_format_flags(m, flags, sizeof(flags));
    superblock_flags(m, super);
    instance_options(m, options);
    seq_printf(t->s, " %s%s", read_only(m->flags), flags);
    show_peers(t->s, m);
    seq_printf(t->s, " - %s ", m->sb->type->name);
    seq_escape(t->s, m->source, "#");
    seq_printf(t->s, " %s%s%s\n", read_only(m->sb->flags), super, options);
    return true;
}

static int show_all_mounts(struct seq_buf *s, struct namespace *ns, const struct path *root,
                           bool (*line)(struct mount *m, void *arg)) {
    struct mounts_text t = {s, root, kmalloc(PATH_MAX)};
    if (!t.buf)
        return -ENOMEM;
    mount_for_each(mount_ns_cast(ns), line, &t);
    kfree(t.buf);
    return 0;
}

int proc_show_mounts(struct seq_buf *s, struct namespace *ns, const struct path *root) {
    return show_all_mounts(s, ns, root, mounts_line);
}

int proc_show_mountinfo(struct seq_buf *s, struct namespace *ns, const struct path *root) {
    return show_all_mounts(s, ns, root, mountinfo_line);
}

// ---- /proc/kmsg: the log as syslog(2) gives it, from where the last reader of it stopped

static struct mutex kmsg_lock = MUTEX_INIT(kmsg_lock);
static uint64_t kmsg_next; // [kmsg_lock]

#define KMSG_CHUNK 4096
#define KMSG_WAIT  (200 * 1000000l) // ns between two looks at the log

static ssize_t kmsg_read_lines(struct uio *u) {
    size_t n = MIN(u->resid, (size_t)KMSG_CHUNK);
    char *text = kmalloc(n);
    if (!text)
        return -ENOMEM;
    mutex_lock(&kmsg_lock);
    ssize_t len = log_read(&kmsg_next, text, n);
    mutex_unlock(&kmsg_lock);
    if (len && uio_write_to(u, text, len) != (size_t)len)
        len = -EFAULT;
    kfree(text);
    return len;
}

static ssize_t kmsg_read(struct file *f, struct uio *u, off_t *pos) {
    (void)pos;
    if (!u->resid)
        return 0;
    for (;;) {
        ssize_t n = kmsg_read_lines(u);
        if (n)
            return n;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        if (sleep_until(clock_monotonic() + KMSG_WAIT))
            return -ERESTARTSYS;
    }
}

static const struct file_ops kmsg_ops = {.read = kmsg_read};

// ---- the table

static const struct proc_entry entries[] = {
    {.path = "meminfo", .show = show_meminfo},
    {.path = "vmstat", .show = show_vmstat},
    {.path = "slabinfo", .mode = 0400, .show = show_slabinfo},
    {.path = "swaps", .show = show_swaps},
    {.path = "uptime", .show = show_uptime},
    {.path = "loadavg", .show = show_loadavg},
    {.path = "stat", .show = show_stat},
    {.path = "cpuinfo", .show = show_cpuinfo},
    {.path = "version", .show = show_version},
    {.path = "cmdline", .show = show_cmdline},
    {.path = "devices", .show = show_devices},
    {.path = "partitions", .show = show_partitions},
    {.path = "diskstats", .show = show_diskstats},
    {.path = "filesystems", .show = show_filesystems},
    {.path = "kmsg", .mode = 0400, .fops = &kmsg_ops},
};

void proc_files_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
    proc_events_init();
    proc_tty_init();
    proc_sys_init();
    proc_sys_net_init();
    proc_net_init();
    proc_ipc_init();
    proc_keys_init();
}
