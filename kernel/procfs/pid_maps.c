// SPDX-License-Identifier: MIT
// The areas of a process's memory, and what of them is in memory, in the formats of Linux: /proc/PID/maps, smaps,
// smaps_rollup and pagemap (proc(5), and the kernel's documentation of pagemap).
#include "core/cred.h"
#include "core/errno.h"
#include "fs/file.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "procfs/pid.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/mman.h>

struct maps_state {
    struct seq_buf *s;
    char *name; // PAGE_SIZE bytes
};

#define MAPS_NAME_COLUMN 73

// Blanks stay: the name is the last on its line.
static void put_area_name(struct seq_buf *s, const char *name) {
    for (const char *end; (end = strchr(name, '\n')); name = end + 1) {
        seq_write(s, name, end - name);
        seq_puts(s, "\\012");
    }
    seq_puts(s, name);
}

static bool show_area(const struct vm_area *a, void *arg) {
    struct maps_state *m = arg;
    struct seq_buf *s = m->s;
    size_t start = s->len;
    const struct inode *inode = a->file ? a->file->inode : NULL;
    dev_t dev = inode && inode->sb ? inode->sb->dev : 0;
    const char rights[] = {' ',
                           a->prot & PROT_READ ? 'r' : '-',
                           a->prot & PROT_WRITE ? 'w' : '-',
                           a->prot & PROT_EXEC ? 'x' : '-',
                           a->flags & MAP_SHARED ? 's' : 'p',
                           ' '};
    seq_hex(s, a->start, 8);
    seq_char(s, '-');
    seq_hex(s, a->end, 8);
    seq_write(s, rights, sizeof(rights));
    seq_hex(s, a->file ? a->pgoff << PAGE_SHIFT : 0, 8);
    seq_char(s, ' ');
    seq_hex(s, DEV_MAJOR(dev), 2);
    seq_char(s, ':');
    seq_hex(s, DEV_MINOR(dev), 2);
    seq_char(s, ' ');
    seq_number(s, inode ? inode->ino : 0);
    const char *name = a->name;
    if (a->file && a->file->path.dentry) {
        name = path_name(&a->file->path, m->name, PAGE_SIZE);
        if (IS_ERR(name))
            name = "?";
    }
    if (name) {
        int pad = MAPS_NAME_COLUMN - (int)(s->len - start);
        seq_printf(s, "%*s", MAX(pad, 1), "");
        put_area_name(s, name);
    } else {
        seq_puts(s, " ");
    }
    seq_puts(s, "\n");
    return true;
}

static int show_areas(struct seq_buf *s, struct pid_node *n,
                      bool (*show)(const struct vm_area *a, void *arg)) {
    struct vmspace *vm = pid_node_vm(n, s->ticket);
    if (!vm)
        return 0;
    struct maps_state m = {s, kmalloc(PAGE_SIZE)};
    if (m.name) {
        vm_area_for_each(vm, show, &m);
        kfree(m.name);
    }
    vmspace_put(vm);
    return m.name ? 0 : -ENOMEM;
}

int pid_show_maps(struct seq_buf *s, struct pid_node *n) {
    return show_areas(s, n, show_area);
}

// ---- smaps

#define SMAPS_NAME_WIDTH 16 // with the colon

static void smaps_line(struct seq_buf *s, const char *name, unsigned long kilobytes) {
    int pad = SMAPS_NAME_WIDTH - 1 - (int)strlen(name);
    seq_printf(s, "%s:%*s%8lu kB\n", name, pad, "", kilobytes);
}

static unsigned long part_kilobytes(uint64_t parts) {
    return parts * (PAGE_SIZE / 1024) / VM_PAGE_PARTS;
}

// The lines that an area and all of them together have. `locked`: in kB.
static void smaps_usage(struct seq_buf *s, const struct vm_area_usage *u, bool rollup, unsigned long locked) {
    const unsigned long page = PAGE_SIZE / 1024;
    smaps_line(s, "Rss", (u->anon + u->file) * page);
    smaps_line(s, "Pss", part_kilobytes(u->part_anon + u->part_file));
    smaps_line(s, "Pss_Dirty", part_kilobytes(u->part_dirty));
    if (rollup) {
        smaps_line(s, "Pss_Anon", part_kilobytes(u->part_anon));
        smaps_line(s, "Pss_File", part_kilobytes(u->part_file));
        smaps_line(s, "Pss_Shmem", 0);
    }
    smaps_line(s, "Shared_Clean", u->shared_clean * page);
    smaps_line(s, "Shared_Dirty", u->shared_dirty * page);
    smaps_line(s, "Private_Clean", u->private_clean * page);
    smaps_line(s, "Private_Dirty", u->private_dirty * page);
    smaps_line(s, "Referenced", u->referenced * page);
    smaps_line(s, "Anonymous", u->anon * page);
    static const char *const never[] = {
        "KSM",           "LazyFree",       "AnonHugePages",   "ShmemPmdMapped",
        "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap",
        "SwapPss"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        smaps_line(s, never[i], 0);
    smaps_line(s, "Locked", locked);
}

static void smaps_flags(struct seq_buf *s, const struct vm_area *a) {
    const unsigned int may = a->max_prot ? a->max_prot : PROT_READ | PROT_WRITE | PROT_EXEC;
    const struct {
        const char *name;
        bool set;
    } flags[] = {
        {"rd", a->prot & PROT_READ},      {"wr", a->prot & PROT_WRITE},   {"ex", a->prot & PROT_EXEC},
        {"sh", a->flags & MAP_SHARED},    {"mr", may & PROT_READ},        {"mw", may & PROT_WRITE},
        {"me", may & PROT_EXEC},          {"ms", a->flags & MAP_SHARED},  {"gd", a->flags & MAP_GROWSDOWN},
        {"lo", a->flags & MAP_LOCKED},    {"dc", a->flags & VM_DONTFORK}, {"nr", a->flags & MAP_NORESERVE},
        {"wf", a->flags & VM_WIPEONFORK}, {"sl", a->flags & VM_SEALED},
    };
    seq_puts(s, "VmFlags:");
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (flags[i].set)
            seq_printf(s, " %s", flags[i].name);
    seq_puts(s, " \n");
}

static unsigned long locked_part(const struct vm_area *a, const struct vm_area_usage *u) {
    return a->flags & MAP_LOCKED ? part_kilobytes(u->part_anon + u->part_file) : 0;
}

static bool show_area_usage(const struct vm_area *a, void *arg) {
    struct maps_state *m = arg;
    struct vm_area_usage u = {0};
    if (m->s->failed || !vm_area_usage(a, &u))
        return false;
    show_area(a, m);
    smaps_line(m->s, "Size", (a->end - a->start) / 1024);
    smaps_line(m->s, "KernelPageSize", PAGE_SIZE / 1024);
    smaps_line(m->s, "MMUPageSize", PAGE_SIZE / 1024);
    smaps_usage(m->s, &u, false, locked_part(a, &u));
    seq_puts(m->s, "THPeligible:           0\n");
    smaps_flags(m->s, a);
    return true;
}

int pid_show_smaps(struct seq_buf *s, struct pid_node *n) {
    return show_areas(s, n, show_area_usage);
}

struct rollup {
    struct vm_area_usage sum;
    unsigned long start, end, locked;
};

static bool add_area(const struct vm_area *a, void *arg) {
    struct rollup *r = arg;
    struct vm_area_usage u = {0};
    uint64_t before = r->sum.part_anon + r->sum.part_file;
    if (!vm_area_usage(a, &r->sum))
        return false;
    u.part_anon = r->sum.part_anon + r->sum.part_file - before;
    r->locked += locked_part(a, &u);
    r->start = r->end ? r->start : a->start;
    r->end = a->end;
    return true;
}

int pid_show_smaps_rollup(struct seq_buf *s, struct pid_node *n) {
    struct vmspace *vm = pid_node_vm(n, s->ticket);
    struct rollup r = {.end = 0};
    if (!vm)
        return -ESRCH;
    vm_area_for_each(vm, add_area, &r);
    vmspace_put(vm);
    size_t start = s->len;
    seq_printf(s, "%08lx-%08lx ---p 00000000 00:00 0", r.start, r.end);
    seq_printf(s, "%*s[rollup]\n", MAX(MAPS_NAME_COLUMN - (int)(s->len - start), 1), "");
    smaps_usage(s, &r.sum, true, r.locked);
    return 0;
}

// ---- pagemap: 64 bits for each page of the address space

#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_FILE    (1ull << 61)
#define PAGEMAP_ONLY_US (1ull << 56)
#define PAGEMAP_ONCE    64 // pages

static int pagemap_open(struct inode *inode, struct file *f) {
    uint64_t ticket = 0;
    int err = pid_node_open(proc_node(inode), &ticket);
    f->private_data = (void *)ticket;
    f->ops = &pid_pagemap_file_ops;
    return err;
}

// Frames are for the administrator alone: who knows them knows more than his own memory.
static uint64_t pagemap_entry(const struct vm_page_state *p, bool frames) {
    if (!p->pa)
        return 0;
    return PAGEMAP_PRESENT | (p->file ? PAGEMAP_FILE : 0) | (p->only_us ? PAGEMAP_ONLY_US : 0) |
           (frames ? p->pa >> PAGE_SHIFT : 0);
}

// Entries to u, for up to PAGEMAP_ONCE pages from addr on. Bytes, or -EFAULT.
static ssize_t pagemap_some(struct vmspace *vm, unsigned long addr, struct uio *u, bool frames) {
    struct vm_page_state states[PAGEMAP_ONCE];
    uint64_t entries[PAGEMAP_ONCE];
    unsigned long left = (USER_END - addr) >> PAGE_SHIFT;
    unsigned int n = MIN(MIN(u->resid / sizeof(uint64_t), left), (unsigned long)PAGEMAP_ONCE);
    vm_page_states(vm, addr, states, n);
    for (unsigned int i = 0; i < n; i++)
        entries[i] = pagemap_entry(&states[i], frames);
    return uio_write_to(u, entries, n * sizeof(uint64_t)) < n * sizeof(uint64_t)
               ? -EFAULT
               : (ssize_t)(n * sizeof(uint64_t));
}

static ssize_t pagemap_read(struct file *f, struct uio *u, off_t *pos) {
    ssize_t done = 0, part = 0;
    if (*pos % sizeof(uint64_t) || u->resid % sizeof(uint64_t))
        return -EINVAL;
    struct vmspace *vm = pid_node_vm(pid_node(f->inode), (uint64_t)f->private_data);
    bool frames = cred_capable(f->cred, CAP_SYS_ADMIN);
    while (vm && u->resid && (uint64_t)*pos / sizeof(uint64_t) < USER_END >> PAGE_SHIFT) {
        part = pagemap_some(vm, (unsigned long)*pos / sizeof(uint64_t) << PAGE_SHIFT, u, frames);
        if (part <= 0)
            break;
        *pos += part;
        done += part;
        if (cond_resched_killable())
            break;
    }
    if (vm)
        vmspace_put(vm);
    return done ? done : part;
}

const struct inode_ops pid_pagemap_inode_ops = {.open = pagemap_open, .setattr = proc_text_setattr};
const struct file_ops pid_pagemap_file_ops = {.read = pagemap_read, .lseek = proc_lseek};
