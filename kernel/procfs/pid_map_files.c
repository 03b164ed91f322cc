// SPDX-License-Identifier: MIT
// /proc/PID/map_files: a link for each area of the process's memory that is of a file, by its addresses: proc_pid_map_files(5).
// Who may look into the process sees the names; to reach a file this way, whatever its name has become, takes a capability.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/path.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "procfs/pid.h"
#include "sched/thread.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

#define NAME_SIZE 40 // "start-end"

// The first area of a file that ends behind addr: its bounds, and its file's path with a reference where one is wanted.
static bool find_area(struct vmspace *vm, unsigned long addr, struct pid_node *out, struct path *path,
                      bool *writable) {
    struct vm_area *a;
    mutex_lock(&vm->lock);
    while ((a = vm_area_find(vm, addr)) && !(a->file && a->file->path.dentry) && !cond_resched_killable())
        addr = a->end;
    bool found = a && a->file && a->file->path.dentry;
    if (found) {
        out->start = a->start;
        out->end = a->end;
        *writable = (a->file->flags & O_ACCMODE) != O_RDONLY;
    }
    if (found && path) {
        *path = a->file->path;
        path_get(path);
    }
    mutex_unlock(&vm->lock);
    return found;
}

// The process's memory, referenced; NULL: it has none. ERR_PTR: it is not for the caller.
static struct vmspace *memory_of(const struct pid_node *n) {
    return process_access_vm(n->process, ACCESS_FILE);
}

// ---- a link

static int link_find(const struct pid_node *n, struct path *out) {
    struct pid_node found = {.start = 0};
    struct path path;
    bool writable;
    struct vmspace *vm = memory_of(n);
    if (!vm || IS_ERR(vm))
        return vm ? PTR_ERR(vm) : -ENOENT;
    int err = find_area(vm, n->start, &found, &path, &writable) ? 0 : -ENOENT;
    vmspace_put(vm);
    if (err)
        return err;
    if (found.start == n->start && found.end == n->end) {
        *out = path;
        return 0;
    }
    path_put(&path);
    return -ENOENT;
}

static int link_follow(struct inode *inode, struct path *out) {
    if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    return link_find(pid_node(inode), out);
}

static const char *link_readlink(struct inode *inode, char *buf, size_t size) {
    struct path path;
    int err = link_find(pid_node(inode), &path);
    if (err)
        return ERR_PTR(err);
    const char *name = path_name(&path, buf, size);
    path_put(&path);
    return name;
}

static const struct inode_ops link_ops = {.readlink = link_readlink, .follow = link_follow};
static const struct pid_file link_file = {.mode = S_IFLNK | 0500, .ops = &link_ops};

// ---- the directory

// "start-end" in hexadecimal as it is written: no zero in front, nothing behind.
static bool parse_name(const char *name, unsigned long *start, unsigned long *end) {
    char again[NAME_SIZE];
    const char *at = number_read(name, 16, USER_END, start);
    if (at == name || *at != '-')
        return false;
    number_read(at + 1, 16, USER_END, end);
    lib_snprintf(again, sizeof(again), "%lx-%lx", *start, *end);
    return !strcmp(again, name);
}

static int map_files_lookup(struct inode *inode, struct dentry *d) {
    struct pid_node *dir = pid_node(inode), found = {.start = 0};
    unsigned long start, end;
    bool writable;
    if (!parse_name(d->name, &start, &end))
        return 0;
    struct vmspace *vm = memory_of(dir);
    if (!vm || IS_ERR(vm))
        return vm ? PTR_ERR(vm) : 0;
    bool is = find_area(vm, start, &found, NULL, &writable) && found.start == start && found.end == end;
    vmspace_put(vm);
    if (!is)
        return 0;
    struct inode *made = pid_inode_create(inode->sb, dir->process, 0, 0, &link_file, PID_INO_MAP_FILE);
    if (IS_ERR(made))
        return PTR_ERR(made);
    made->mode = S_IFLNK | 0400 | (writable ? 0200 : 0);
    pid_node(made)->start = start;
    pid_node(made)->end = end;
    d->inode = made;
    return 0;
}

// The position is two more than the address to go on from.
static int map_files_readdir(struct file *f, struct dir_context *ctx) {
    struct pid_node at = {.start = 0};
    bool writable;
    char name[NAME_SIZE];
    struct vmspace *vm = memory_of(pid_node(f->inode));
    if (!vm || IS_ERR(vm))
        return vm ? PTR_ERR(vm) : 0;
    while (find_area(vm, ctx->pos > 2 ? (unsigned long)ctx->pos - 2 : 0, &at, NULL, &writable)) {
        int n = lib_snprintf(name, sizeof(name), "%lx-%lx", at.start, at.end);
        if (!ctx->emit(ctx, name, n, at.end + 2, at.start, S_IFLNK >> 12))
            break;
        ctx->pos = at.end + 2;
        if (cond_resched_killable())
            break;
    }
    vmspace_put(vm);
    return 0;
}

const struct inode_ops pid_map_files_ops = {.lookup = map_files_lookup, .no_places = true};
const struct file_ops pid_map_files_fops = {.readdir = map_files_readdir, .lseek = proc_lseek};
