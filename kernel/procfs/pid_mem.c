// SPDX-License-Identifier: MIT
// /proc/PID/mem: the memory of a process as a file, each byte at its address. See proc(5).
//
// It is that of the address space which the opener was allowed to look into; when the process has another, or none any
// more, nothing is read and nothing written.
#include "core/errno.h"
#include "mm/slab.h"
#include "procfs/pid.h"
#include "sched/thread.h"
#include "vm/vmspace.h"
#include <linux/fs.h>

static int mem_open(struct inode *inode, struct file *f) {
    uint64_t ticket = 0;
    int err = pid_node_open(proc_node(inode), &ticket);
    f->private_data = (void *)ticket;
    f->ops = &pid_mem_file_ops;
    return err;
}

// A page at most. Bytes done, 0 where nothing is mapped, -EFAULT for the caller's own memory.
static ssize_t transfer_page(struct vmspace *vm, unsigned long addr, char *page, struct uio *u, bool write) {
    size_t n = MIN(u->resid, (size_t)PAGE_SIZE);
    if (write && uio_read_from(u, page, n) < n)
        return -EFAULT;
    ssize_t done = vm_access_forced(vm, addr, page, n, write);
    if (done <= 0)
        return 0;
    return !write && uio_write_to(u, page, (size_t)done) < (size_t)done ? -EFAULT : done;
}

static ssize_t transfer(struct file *f, struct uio *u, off_t *pos, bool write) {
    struct vmspace *vm = pid_node_vm(pid_node(f->inode), (uint64_t)f->private_data);
    ssize_t done = 0, part = 0;
    if (!vm)
        return 0;
    bool asked = u->resid;
    char *page = kmalloc(PAGE_SIZE);
    if (!page)
        done = -ENOMEM;
    while (page && u->resid) {
        part = transfer_page(vm, (unsigned long)*pos, page, u, write);
        if (part <= 0)
            break;
        *pos += part;
        done += part;
        if (cond_resched_killable())
            break;
    }
    kfree(page);
    vmspace_put(vm);
    return part < 0 ? part : done || !asked ? done : -EIO;
}

static ssize_t mem_read(struct file *f, struct uio *u, off_t *pos) {
    return transfer(f, u, pos, false);
}

static ssize_t mem_write(struct file *f, struct uio *u, off_t *pos) {
    return transfer(f, u, pos, true);
}

static off_t mem_lseek(struct file *f, off_t offset, int whence) {
    return whence == SEEK_SET || whence == SEEK_CUR ? proc_lseek(f, offset, whence) : -EINVAL;
}

const struct inode_ops pid_mem_inode_ops = {.open = mem_open, .setattr = proc_text_setattr};
const struct file_ops pid_mem_file_ops = {.read = mem_read, .write = mem_write, .lseek = mem_lseek};
