// SPDX-License-Identifier: MIT
// /sys/block, /sys/class/block and /sys/dev/block: a link for each disk or partition to its directory below /sys/devices/virtual/block, and what is
// in that, as lsblk and iostat read it; /sys/class/virtio-ports. The devices are those that there are when sysfs is first mounted.
#include "core/errno.h"
#include "fs/dev/chrdev.h"
#include "fs/dev/disk.h"
#include "lib/format.h"
#include "procfs/sysfs_file.h"
#include "sched/clock.h"

#define DISKS       "devices/virtual/block/"
#define PORTS       "devices/virtual/virtio-ports/"
#define TRANSFER_KB "64" // what a transfer holds, DISK_BUFFER
_Static_assert(sizeof(PORTS) + 40 < SYSFS_PATH, "the longest path has a device's name in it twice at most");

// ---- disks: texts

static unsigned long milliseconds(uint64_t ns) {
    return ns / (NSEC_PER_USEC * 1000);
}

// One request is with the device at a time, so none is merged, and its time is that of all of them. Nothing is discarded.
void proc_disk_counts(struct seq_buf *s, const struct disk_counts *counts) {
    const struct disk_count *r = &counts->read, *w = &counts->write, *f = &counts->flush;
    uint64_t busy = READ_ONCE(r->ns) + READ_ONCE(w->ns) + READ_ONCE(f->ns);
    seq_printf(s, "%lu 0 %lu %lu ", READ_ONCE(r->requests), READ_ONCE(r->sectors),
               milliseconds(READ_ONCE(r->ns)));
    seq_printf(s, "%lu 0 %lu %lu ", READ_ONCE(w->requests), READ_ONCE(w->sectors),
               milliseconds(READ_ONCE(w->ns)));
    seq_printf(s, "0 %lu %lu 0 0 0 0 ", milliseconds(busy), milliseconds(busy));
    seq_printf(s, "%lu %lu\n", READ_ONCE(f->requests), milliseconds(READ_ONCE(f->ns)));
}

static void show_stat(struct seq_buf *s, struct chrdev *c) {
    struct disk_info d;
    disk_tell(c, &d);
    proc_disk_counts(s, d.counts);
}

static void show_disk_event(struct seq_buf *s, struct chrdev *c) {
    struct disk_info d;
    disk_tell(c, &d);
    seq_printf(s, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", DEV_MAJOR(d.dev), DEV_MINOR(d.dev), d.name,
               d.whole ? "partition" : "disk");
    if (d.whole)
        seq_printf(s, "PARTN=%u\n", d.number);
}

#define SHOW_OF_DISK(name_, value_)                                                                          \
    static void show_##name_(struct seq_buf *s, struct chrdev *c) {                                          \
        struct disk_info d;                                                                                  \
        disk_tell(c, &d);                                                                                    \
        seq_printf(s, "%lu\n", (unsigned long)(value_));                                                     \
    }
SHOW_OF_DISK(size, d.sectors)
SHOW_OF_DISK(start, d.start)
SHOW_OF_DISK(partition, d.number)
SHOW_OF_DISK(ro, d.read_only)
SHOW_OF_DISK(block_size, d.block_size)

// Whether what was written is on the medium only after a flush.
static void show_write_cache(struct seq_buf *s, struct chrdev *c) {
    struct disk_info d;
    disk_tell(c, &d);
    seq_puts(s, d.write_back ? "write back\n" : "write through\n");
}

static void show_dev(struct seq_buf *s, struct chrdev *c) {
    seq_printf(s, "%u:%u\n", DEV_MAJOR(c->dev), DEV_MINOR(c->dev));
}

static void show_label(struct seq_buf *s, struct chrdev *c) {
    seq_printf(s, "%s\n", vport_label(c));
}

static void show_port_event(struct seq_buf *s, struct chrdev *c) {
    seq_printf(s, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", DEV_MAJOR(c->dev), DEV_MINOR(c->dev), c->name);
}

// ---- files

struct attribute {
    const char *name;
    void (*show)(struct seq_buf *s, struct chrdev *c); // NULL: it is always `text`
    const char *text;
};

static const struct attribute of_each[] = {
    {"alignment_offset", .text = "0"},
    {"dev", .show = show_dev},
    {"discard_alignment", .text = "0"},
    {"inflight", .text = "       0        0"},
    {"ro", .show = show_ro},
    {"size", .show = show_size},
    {"stat", .show = show_stat},
    {"uevent", .show = show_disk_event},
};
static const struct attribute of_disks[] = {
    {"hidden", .text = "0"},
    {"removable", .text = "0"},
    {"queue/add_random", .text = "0"},
    {"queue/discard_granularity", .text = "0"},
    {"queue/discard_max_bytes", .text = "0"},
    {"queue/discard_zeroes_data", .text = "0"},
    {"queue/hw_sector_size", .show = show_block_size},
    {"queue/logical_block_size", .show = show_block_size},
    {"queue/max_hw_sectors_kb", .text = TRANSFER_KB},
    {"queue/max_sectors_kb", .text = TRANSFER_KB},
    {"queue/minimum_io_size", .show = show_block_size},
    {"queue/nr_requests", .text = "1"},
    {"queue/optimal_io_size", .text = "0"},
    {"queue/physical_block_size", .show = show_block_size},
    {"queue/read_ahead_kb", .text = "0"},
    {"queue/rotational", .text = "1"}, // virtio does not say
    {"queue/scheduler", .text = "[none]"},
    {"queue/write_cache", .show = show_write_cache},
};
static const struct attribute of_partitions[] = {{"partition", .show = show_partition},
                                                 {"start", .show = show_start}};
static const struct attribute of_ports[] = {
    {"dev", .show = show_dev}, {"name", .show = show_label}, {"uevent", .show = show_port_event}};

static int show(struct seq_buf *s, void *file) {
    const struct sysfs_file *f = file;
    const struct attribute *a = f->attribute;
    a->show(s, f->device);
    return 0;
}

static void add_attributes(struct sysfs_filling *t, struct chrdev *c, const char *directory,
                           const struct attribute *a, size_t n) {
    for (; n--; a++)
        if (a->show)
            sysfs_add_file(t, directory, a->name, show, NULL, c, a);
        else
            sysfs_add_text(t, directory, a->name, a->text);
}

static void add_disk(struct sysfs_filling *t, struct chrdev *c) {
    struct disk_info d;
    char directory[SYSFS_PATH];
    disk_tell(c, &d);
    lib_snprintf(directory, sizeof(directory), d.whole ? DISKS "%s/%s" : DISKS "%s",
                 d.whole ? d.whole : d.name, d.name);
    add_attributes(t, c, directory, of_each, ARRAY_SIZE(of_each));
    if (d.whole) {
        add_attributes(t, c, directory, of_partitions, ARRAY_SIZE(of_partitions));
    } else {
        add_attributes(t, c, directory, of_disks, ARRAY_SIZE(of_disks));
        sysfs_add_link(t, "../", directory, "block/%s", d.name);
    }
    sysfs_add_link(t, "../../", directory, "class/block/%s", d.name);
    sysfs_add_link(t, "../../", directory, "dev/block/%u:%u", DEV_MAJOR(d.dev), DEV_MINOR(d.dev));
    sysfs_add_link(t, d.whole ? "../../../../../" : "../../../../", "class/block", "%s/subsystem", directory);
}

static void add_port(struct sysfs_filling *t, struct chrdev *c) {
    char directory[SYSFS_PATH];
    lib_snprintf(directory, sizeof(directory), PORTS "%s", c->name);
    add_attributes(t, c, directory, of_ports, ARRAY_SIZE(of_ports));
    sysfs_add_link(t, "../../", directory, "class/virtio-ports/%s", c->name);
    sysfs_add_link(t, "../../", directory, "dev/char/%u:%u", DEV_MAJOR(c->dev), DEV_MINOR(c->dev));
    sysfs_add_link(t, "../../../../", "class/virtio-ports", "%s/subsystem", directory);
}

static bool add_device(struct chrdev *c, void *arg) {
    struct sysfs_filling *t = arg;
    if (c->block)
        add_disk(t, c);
    else if (vport_label(c))
        add_port(t, c);
    return !t->err;
}

int sysfs_devices_fill(struct proc_tree *tree) {
    struct sysfs_filling t = {.tree = tree};
    static const char *const always[] = {"block", "class/block", "dev/block"};
    for (size_t i = 0; !t.err && i < ARRAY_SIZE(always); i++)
        t.err = proc_tree_add(tree, always[i], NULL);
    chrdev_for_each(add_device, &t);
    return t.err;
}
