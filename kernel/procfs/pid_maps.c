// SPDX-License-Identifier: MIT
// /proc/PID/maps: the areas of a process's memory, in the format of Linux: proc_pid_maps(5).
#include "core/errno.h"
#include "fs/file.h"
#include "fs/path.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "procfs/pid.h"
#include "vm/vmspace.h"
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

int pid_show_maps(struct seq_buf *s, struct pid_node *n) {
    struct vmspace *vm = pid_node_vm(n, s->ticket);
    if (!vm)
        return 0;
    struct maps_state m = {s, kmalloc(PAGE_SIZE)};
    if (m.name) {
        vm_area_for_each(vm, show_area, &m);
        kfree(m.name);
    }
    vmspace_put(vm);
    return m.name ? 0 : -ENOMEM;
}
