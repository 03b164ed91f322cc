// SPDX-License-Identifier: MIT
// Disks and their partitions as block devices: /dev/vda, /dev/vda1 and on. What is written goes to the device at once, and what is
// read comes from it: nothing is kept here. Bytes from anywhere to anywhere; of a block that is written in part the rest is read before.
#include "fs/dev/disk.h"
#include "arch/riscv/uaccess.h"
#include "core/cred.h"
#include "core/printk.h"
#include "drivers/virtio/disk.h"
#include "fs/dev/chrdev.h"
#include "fs/dev/partitions.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define DISK_MAJOR 254u // of those that Linux gives to whoever comes first
#define DISKS_MOST 26u  // vda to vdz

struct part {
    struct chrdev device;
    char name[8];
    struct disk *disk;
    uint64_t start, sectors;   // of the disk
    struct disk_counts counts; // [disk->mutex] the disk's own: also of its partitions
};

struct disk {
    struct virtio_disk *disk; // [I]
    struct mutex mutex;       // its one buffer; before vmspace.lock: it is held over copies
    struct part parts[DISK_MINORS];
};

// ---- bytes

struct span {
    struct part *part;
    struct uio *u;
    uint64_t pos, n; // of the part, bytes
    bool write;
};

static uint64_t bytes_of(const struct part *p) {
    return p->sectors * DISK_SECTOR;
}

static void count(struct disk_count *c, size_t n, uint64_t ns) {
    WRITE_ONCE(c->requests, c->requests + 1);
    WRITE_ONCE(c->sectors, c->sectors + n / DISK_SECTOR);
    WRITE_ONCE(c->ns, c->ns + ns);
}

// virtio_disk_transfer(), counted.
static int request(struct part *p, bool write, uint64_t sector, size_t n) {
    struct disk *k = p->disk;
    ktime_t begun = clock_monotonic();
    int err = virtio_disk_transfer(k->disk, write, sector, n);
    uint64_t ns = (uint64_t)(clock_monotonic() - begun);
    for (struct part *of = p;; of = k->parts) {
        count(write ? &of->counts.write : &of->counts.read, n, ns);
        if (of == k->parts)
            return err;
    }
}

// Moves what is in one transfer's reach. Bytes, not 0, or -errno.
static ssize_t move(const struct span *s) {
    struct virtio_disk *d = s->part->disk->disk;
    uint64_t block = d->block_size, first = s->pos & ~(block - 1);
    size_t skip = s->pos - first, n = MIN(s->n, (uint64_t)DISK_BUFFER - skip);
    size_t whole = ALIGN_UP(skip + n, block);
    uint64_t sector = s->part->start + first / DISK_SECTOR;
    int err;
    char *buffer = virtio_disk_buffer(d, &err);
    if (buffer && (!s->write || skip || whole != n))
        err = request(s->part, false, sector, whole);
    if (err)
        return err;
    size_t copied = s->write ? uio_read_from(s->u, buffer + skip, n) : uio_write_to(s->u, buffer + skip, n);
    if (!copied)
        return -EFAULT;
    if (s->write) // what could not be copied is as it was, if it was read; else only whole blocks go
        whole = copied == n || skip || whole != n ? whole : copied & ~(block - 1);
    if (s->write && whole)
        err = request(s->part, true, sector, whole);
    return err ? err : s->write && !whole ? -EFAULT : (ssize_t)MIN(copied, whole);
}

static ssize_t transfer(struct file *f, struct uio *u, off_t *pos, bool write) {
    struct part *p = f->private_data;
    uint64_t end = bytes_of(p), at = (uint64_t)*pos;
    ssize_t done = 0, n = 0;
    uint64_t wanted = at < end ? MIN((uint64_t)u->resid, end - at) : 0;
    size_t mask = p->disk->disk->block_size - 1;
    if (write && u->resid && !wanted)
        return -ENOSPC;
    if (f->flags & O_DIRECT && wanted && (at & mask || !uio_is_aligned(u, wanted, DISK_SECTOR - 1, mask)))
        return -EINVAL;
    while ((uint64_t)done < wanted) {
        struct span s = {p, u, at + (uint64_t)done, wanted - (uint64_t)done, write};
        n = mutex_lock_killable(&p->disk->mutex);
        if (n)
            break;
        n = move(&s);
        mutex_unlock(&p->disk->mutex);
        if (n < 0)
            break;
        done += n;
        if (cond_resched_killable())
            break;
    }
    *pos += done;
    return done ? done : n;
}

static ssize_t disk_read(struct file *f, struct uio *u, off_t *pos) {
    return transfer(f, u, pos, false);
}

static ssize_t disk_write(struct file *f, struct uio *u, off_t *pos) {
    struct part *p = f->private_data;
    if (p->disk->disk->read_only)
        return -EPERM;
    ssize_t n = transfer(f, u, pos, true);
    if (n > 0 && f->flags & O_DSYNC) {
        int err = f->ops->fsync(f);
        return err ? err : n;
    }
    return n;
}

static off_t disk_lseek(struct file *f, off_t offset, int whence) {
    off_t end = (off_t)bytes_of(f->private_data);
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (offset < 0 || offset >= end)
            return -ENXIO;
        return f->pos = whence == SEEK_DATA ? offset : end;
    }
    off_t base = whence == SEEK_CUR ? f->pos : whence == SEEK_END ? end : 0;
    if (base + offset > end) // as Linux has it of block devices
        return -EINVAL;
    return file_seek(f, offset, whence, end);
}

static int disk_fsync(struct file *f) {
    struct part *p = f->private_data;
    int err = mutex_lock_killable(&p->disk->mutex);
    if (err)
        return err;
    if (!p->disk->disk->read_only) {
        ktime_t begun = clock_monotonic();
        err = virtio_disk_flush(p->disk->disk);
        count(&p->disk->parts[0].counts.flush, 0, (uint64_t)(clock_monotonic() - begun));
    }
    mutex_unlock(&p->disk->mutex);
    return err;
}

static long disk_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    const struct part *p = f->private_data;
    const struct virtio_disk *d = p->disk->disk;
    switch (cmd) {
    case BLKGETSIZE64:
        return put_user(bytes_of(p), (uint64_t __user *)arg);
    case BLKGETSIZE:
        return put_user((unsigned long)p->sectors, (unsigned long __user *)arg);
    case BLKSSZGET:
    case BLKIOMIN:
        return put_user((int)d->block_size, (int __user *)arg);
    case BLKPBSZGET:
        return put_user(d->block_size, (unsigned int __user *)arg);
    case BLKBSZGET:
        return put_user((int)PAGE_SIZE, (int __user *)arg);
    case BLKROGET:
        return put_user((int)d->read_only, (int __user *)arg);
    case BLKFLSBUF:
        return cred_capable(current->cred, CAP_SYS_ADMIN) ? disk_fsync(f) : -EACCES;
    default:
        return -ENOTTY;
    }
}

static const struct file_ops ops = {
    .read = disk_read, .write = disk_write, .lseek = disk_lseek, .ioctl = disk_ioctl, .fsync = disk_fsync};

static int disk_open(struct chrdev *c, struct file *f) {
    struct part *p = container_of(c, struct part, device);
    f->private_data = p;
    return 0;
}

// ---- finding them

static void show(struct disk *k, unsigned int number, uint64_t start, uint64_t sectors) {
    struct part *p = &k->parts[number];
    unsigned int index = k->disk->index;
    lib_snprintf(p->name, sizeof(p->name), "vd%c", 'a' + (int)index);
    if (number)
        lib_snprintf(p->name, sizeof(p->name), "vd%c%u", 'a' + (int)index, number);
    p->disk = k;
    p->start = start;
    p->sectors = sectors;
    p->device = (struct chrdev){.dev = MKDEV(DISK_MAJOR, index * DISK_MINORS + number),
                                .name = p->name,
                                .driver = number ? NULL : "virtblk",
                                .mode = 0600,
                                .block = true,
                                .open = disk_open,
                                .ops = &ops};
    chrdev_register(&p->device);
}

static const char *read_sector(void *disk, uint64_t sector) {
    struct disk *k = disk;
    uint64_t block = k->disk->block_size / DISK_SECTOR, first = sector & ~(block - 1);
    int err;
    if (sector >= k->disk->sectors)
        return NULL;
    const char *buffer = virtio_disk_buffer(k->disk, &err);
    if (!buffer || request(&k->parts[0], false, first, k->disk->block_size))
        return NULL;
    return buffer + (sector - first) * DISK_SECTOR;
}

static void add(struct virtio_disk *disk) {
    struct disk *k = disk->index < DISKS_MOST ? kzalloc(sizeof(*k)) : NULL;
    struct partition found[DISK_MINORS] = {{0}};
    if (!k) {
        pr_err("virtio-blk: disk %u: no memory, or no name for it", disk->index);
        return;
    }
    k->disk = disk;
    mutex_init(&k->mutex);
    show(k, 0, 0, disk->sectors);
    mutex_lock(&k->mutex);
    partitions_read(read_sector, k, disk->sectors, disk->block_size / DISK_SECTOR, found);
    mutex_unlock(&k->mutex);
    for (unsigned int i = 1; i < DISK_MINORS; i++)
        if (found[i].sectors)
            show(k, i, found[i].start, found[i].sectors);
}

void disk_tell(const struct chrdev *c, struct disk_info *out) {
    const struct part *p = container_of(c, const struct part, device), *whole = p->disk->parts;
    *out = (struct disk_info){.name = p->name,
                              .dev = c->dev,
                              .whole = p == whole ? NULL : whole->name,
                              .number = (unsigned int)(p - whole),
                              .start = p->start,
                              .sectors = p->sectors,
                              .block_size = p->disk->disk->block_size,
                              .read_only = p->disk->disk->read_only,
                              .write_back = p->disk->disk->write_back,
                              .counts = &p->counts};
}

void disk_init(void) {
    virtio_disk_found = add;
}
