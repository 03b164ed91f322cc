// SPDX-License-Identifier: MIT
// System calls about names: making, removing, renaming, reading directories, working directory and root,
// mounts. Attributes are in sys/stat.c.
#include "arch/riscv/uaccess.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/path_walk.h"
#include "fs/protect.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/mount.h>

#define SEARCH_AND_WRITE 3

// ---- the directory and last component of a name in user memory

struct place {
    struct user_name name;
    struct path dir;
    struct last_component last;
};

static void place_put(struct place *p) {
    path_put(&p->dir);
    user_name_put(&p->name);
}

static int place_find(struct place *p, int dfd, const char __user *user) {
    int err = user_name_get(&p->name, user, false);
    if (err)
        return err;
    err = path_lookup_parent(dfd, p->name.text, 0, &p->dir, &p->last);
    if (err)
        user_name_put(&p->name);
    return err;
}

// A name may be made there or taken away.
static int place_check(const struct place *p) {
    int err = mount_check_writable(p->dir.mount);
    return err ? err : inode_permission(p->dir.dentry->inode, SEARCH_AND_WRITE);
}

// For a new name: also that it is none yet, which counts before permission does, but is seen to by vfs.c if
// there is permission.
static int place_check_new(const struct place *p, bool is_dir) {
    if (p->last.dots)
        return -EEXIST;
    int err = place_check(p);
    if (!err)
        err = inode_check_new_owner(p->dir.dentry->inode);
    if (!err && (is_dir || !p->last.slash))
        return 0;
    struct dentry *d = vfs_lookup(p->dir.dentry, p->last.name, p->last.len);
    if (!IS_ERR(d)) {
        dentry_put(d);
        return -EEXIST;
    }
    if (PTR_ERR(d) != -ENOENT || vfs_has_fixed_names(p->dir.dentry->inode))
        return PTR_ERR(d);
    return p->last.slash && !is_dir ? -ENOENT : err;
}

// For a name that goes: that it is there, which counts before permission does.
static int place_check_old(const struct place *p) {
    int err = place_check(p);
    if (!err && !p->last.slash)
        return 0;
    struct dentry *d = vfs_lookup(p->dir.dentry, p->last.name, p->last.len);
    if (IS_ERR(d))
        return PTR_ERR(d);
    if (p->last.slash && !S_ISDIR(d->inode->mode))
        err = -ENOTDIR;
    dentry_put(d);
    return err;
}

// In a sticky directory only the owner of the file or of the directory may take a name away; what chattr(1) has fixed keeps its names,
// a directory that only grows those in it.
static int may_remove(struct inode *dir, struct inode *victim) {
    if (inode_is_append_only(dir) || inode_is_fixed(victim))
        return -EPERM;
    return !(dir->mode & S_ISVTX) || inode_is_owner(victim) || inode_is_owner(dir) ? 0 : -EPERM;
}

// ---- making

long sys_mkdirat(int dfd, const char __user *path, mode_t mode) {
    struct place p;
    int err = place_find(&p, dfd, path);
    if (err)
        return err;
    err = place_check_new(&p, true);
    if (!err)
        err = vfs_mkdir(p.dir.dentry, p.last.name, p.last.len,
                        inode_new_mode(p.dir.dentry->inode, mode & 01777), NULL);
    place_put(&p);
    return err;
}

static int check_node_type(mode_t mode) {
    switch (mode & S_IFMT) {
    case 0:
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    case S_IFCHR:
    case S_IFBLK:
        return capable(CAP_MKNOD) ? 0 : -EPERM;
    case S_IFDIR:
        return -EPERM;
    }
    return -EINVAL;
}

long sys_mknodat(int dfd, const char __user *path, mode_t mode, unsigned int dev) {
    struct place p;
    int err = check_node_type(mode);
    if (err && err != -EPERM)
        return err;
    int found = place_find(&p, dfd, path);
    if (found)
        return found;
    int place = place_check_new(&p, false);
    err = place ? place : err;
    mode = inode_new_mode(p.dir.dentry->inode, (mode & S_IFMT ? 0 : S_IFREG) | mode);
    dev_t rdev = S_ISCHR(mode) || S_ISBLK(mode) ? DEV_DECODE((dev_t)dev) : 0;
    if (!err)
        err = vfs_create(p.dir.dentry, p.last.name, p.last.len, mode, rdev, NULL);
    if (err == -EPERM && S_ISREG(mode) && !p.dir.dentry->inode->ops->create)
        err = -EACCES; // as open(2) says
    place_put(&p);
    return err;
}

long sys_symlinkat(const char __user *target, int dfd, const char __user *path) {
    struct place p;
    struct user_name text;
    int err = user_name_get(&text, target, false);
    if (err)
        return err;
    err = place_find(&p, dfd, path);
    if (!err) {
        err = place_check_new(&p, false);
        if (!err)
            err = vfs_symlink(p.dir.dentry, p.last.name, p.last.len, text.text, NULL);
        place_put(&p);
    }
    user_name_put(&text);
    return err;
}

static int check_link(const struct path *from, const struct place *to) {
    struct inode *inode = from->dentry->inode;
    int err = place_check_new(to, false);
    if (err)
        return err;
    if (from->mount != to->dir.mount)
        return -EXDEV;
    if (S_ISDIR(inode->mode) || inode_is_fixed(inode))
        return -EPERM;
    return inode->nlink || inode->linkable ? 0 : -ENOENT;
}

long sys_linkat(int old_dfd, const char __user *old_path, int new_dfd, const char __user *new_path,
                int flags) {
    struct path from;
    struct place to;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
        return -ENOENT;
    unsigned int lookup =
        (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    int err = path_lookup_user(old_dfd, old_path, lookup, &from);
    if (err)
        return err;
    err = place_find(&to, new_dfd, new_path);
    if (!err) {
        err = check_link(&from, &to);
        if (!err)
            err = protect_link(from.dentry->inode);
        if (!err)
            err = vfs_link(to.dir.dentry, to.last.name, to.last.len, from.dentry->inode);
        place_put(&to);
    }
    path_put(&from);
    return err;
}

// ---- removing and renaming

// Slashes and nothing else.
static bool names_the_root(const char *name) {
    while (*name == '/')
        name++;
    return !*name;
}

long sys_unlinkat(int dfd, const char __user *path, int flags) {
    struct place p;
    bool is_dir = flags & AT_REMOVEDIR;
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    int err = place_find(&p, dfd, path);
    if (err)
        return err;
    if (p.last.dots)
        err = !is_dir                       ? -EISDIR
              : p.last.dots == 2            ? -ENOTEMPTY
              : names_the_root(p.name.text) ? -EBUSY
                                            : -EINVAL;
    if (!err)
        err = place_check_old(&p);
    if (!err)
        err = vfs_unlink(p.dir.dentry, p.last.name, p.last.len, is_dir, may_remove);
    place_put(&p);
    return err;
}

static int check_rename(const struct place *from, const struct place *to, unsigned int flags) {
    if (from->dir.mount != to->dir.mount)
        return -EXDEV;
    if (from->last.dots || to->last.dots)
        return flags & RENAME_NOREPLACE && to->last.dots ? -EEXIST : -EBUSY;
    struct dentry *d = vfs_lookup(from->dir.dentry, from->last.name, from->last.len);
    if (IS_ERR(d))
        return PTR_ERR(d);
    bool is_dir = S_ISDIR(d->inode->mode);
    dentry_put(d);
    if (!is_dir && (from->last.slash || (to->last.slash && !(flags & RENAME_EXCHANGE))))
        return -ENOTDIR;
    int err = place_check(from);
    return err ? err : place_check(to);
}

long sys_renameat2(int old_dfd, const char __user *old_path, int new_dfd, const char __user *new_path,
                   unsigned int flags) {
    struct place from, to;
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
        ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
        return -EINVAL;
    int err = place_find(&from, old_dfd, old_path);
    if (err)
        return err;
    err = place_find(&to, new_dfd, new_path);
    if (!err) {
        err = check_rename(&from, &to, flags);
        if (!err)
            err = vfs_rename(from.dir.dentry, from.last.name, from.last.len, to.dir.dentry, to.last.name,
                             to.last.len, flags, may_remove);
        place_put(&to);
    }
    place_put(&from);
    return err;
}

// ---- reading names

long sys_readlinkat(int dfd, const char __user *path, char __user *buf, int n) {
    struct path p;
    if (n <= 0)
        return -EINVAL;
    int err = path_lookup_user(dfd, path, LOOKUP_EMPTY, &p);
    if (err)
        return err;
    struct inode *inode = p.dentry->inode;
    char *text = kmalloc(PATH_MAX);
    long ret = -EINVAL;
    if (!text) {
        ret = -ENOMEM;
    } else if (!S_ISLNK(inode->mode)) {
        char first;
        ret = !get_user(first, path) && !first ? -ENOENT : -EINVAL;
    } else if (inode->ops && inode->ops->readlink) {
        const char *target = inode->ops->readlink(inode, text, PATH_MAX);
        ret = IS_ERR(target) ? PTR_ERR(target) : (long)MIN(strlen(target), (size_t)n);
        if (ret > 0 && copy_to_user(buf, target, ret))
            ret = -EFAULT;
    }
    kfree(text);
    path_put(&p);
    return ret;
}

// struct linux_dirent64 of getdents(2).
struct directory_record {
    uint64_t ino;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
};

struct getdents {
    struct dir_context ctx;
    char __user *at;
    size_t room;
    int error;
};

static bool getdents_emit(struct dir_context *ctx, const char *name, size_t len, off_t next, ino_t ino,
                          unsigned int type) {
    struct getdents *g = container_of(ctx, struct getdents, ctx);
    union {
        struct directory_record r;
        char bytes[sizeof(struct directory_record) + NAME_MAX + 9];
    } out;
    size_t n = ALIGN_UP(offsetof(struct directory_record, name) + len + 1, 8ul);
    if (n > g->room) {
        g->error = -EINVAL; // counts only if there was no room for any
        return false;
    }
    out.r = (struct directory_record){.ino = ino, .next = next, .length = n, .type = type};
    memcpy(out.r.name, name, len);
    memset(out.r.name + len, 0, n - offsetof(struct directory_record, name) - len);
    if (copy_to_user(g->at, out.bytes, n)) {
        g->error = -EFAULT;
        return false;
    }
    g->at += n;
    g->room -= n;
    return !cond_resched_killable();
}

static int emit_dots(struct file *f, struct dir_context *ctx) {
    if (ctx->pos == 0) {
        if (!ctx->emit(ctx, ".", 1, 1, f->inode->ino, S_IFDIR >> 12))
            return 1;
        ctx->pos = 1;
    }
    if (ctx->pos == 1) {
        struct dentry *parent = dentry_get_parent(f->path.dentry);
        bool room = ctx->emit(ctx, "..", 2, 2, parent->inode->ino, S_IFDIR >> 12);
        dentry_put(parent);
        if (!room)
            return 1;
        ctx->pos = 2;
    }
    return 0;
}

static long read_entries(struct file *f, void __user *buf, unsigned int n) {
    struct getdents g = {.ctx.emit = getdents_emit, .at = buf, .room = n};
    long ret = mutex_lock_killable(&f->pos_lock);
    if (ret)
        return ret;
    g.ctx.pos = f->pos;
    ret = f->path.dentry->dead ? -ENOENT : 0;
    if (!ret && !emit_dots(f, &g.ctx))
        ret = f->ops->readdir(f, &g.ctx);
    f->pos = g.ctx.pos;
    mutex_unlock(&f->pos_lock);
    if (!f->path.dentry->dead)
        notify_file(f, IN_ACCESS);
    return ret ? ret : g.room < n ? (long)(n - g.room) : g.error;
}

long sys_getdents64(int fd, void __user *buf, unsigned int n) {
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    long ret = f->ops->readdir ? read_entries(f, buf, n) : -ENOTDIR;
    file_put(f);
    return ret;
}

// ---- working directory and root

// Where the process's root is not above it, that is said in front.
static const char *cwd_name(const struct path *p, char *text) {
    static const char unreachable[] = "(unreachable)";
    const size_t skip = sizeof(unreachable) - 1;
    struct path root = path_process_root();
    bool reached;
    char *name = path_name_from(p, &root, &reached, text + skip, PATH_MAX - skip);
    path_put(&root);
    if (!IS_ERR(name) && !reached) {
        name -= skip;
        memcpy(name, unreachable, skip);
    }
    return name;
}

long sys_getcwd(char __user *buf, size_t n) {
    struct fs_context *fs = current->fs;
    spin_lock(&fs->lock);
    struct path p = fs->cwd;
    path_get(&p);
    spin_unlock(&fs->lock);
    char *text = kmalloc(PATH_MAX);
    const char *name = !text ? ERR_PTR(-ENOMEM) : p.dentry->dead ? ERR_PTR(-ENOENT) : cwd_name(&p, text);
    long ret = PTR_ERR(name);
    if (!IS_ERR(name)) {
        size_t len = strlen(name) + 1;
        ret = len > n ? -ERANGE : copy_to_user(buf, name, len) ? -EFAULT : (long)len;
    }
    kfree(text);
    path_put(&p);
    return ret;
}

// Takes over p's references as the process's root or working directory.
static void set_place(struct path p, bool root) {
    struct fs_context *fs = current->fs;
    spin_lock(&fs->lock);
    struct path *place = root ? &fs->root : &fs->cwd, old = *place;
    *place = p;
    spin_unlock(&fs->lock);
    path_put(&old);
}

static long change_place(const char __user *name, bool root) {
    struct path p;
    int err = path_lookup_user(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
    if (err)
        return err;
    err = inode_permission(p.dentry->inode, 1);
    if (!err && root && !capable_within(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        path_put(&p);
    else
        set_place(p, root);
    return err;
}

long sys_chdir(const char __user *path) {
    return change_place(path, false);
}

long sys_chroot(const char __user *path) {
    return change_place(path, true);
}

long sys_fchdir(int fd) {
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    int err = !f->path.dentry || !S_ISDIR(f->inode->mode) ? -ENOTDIR : inode_permission(f->inode, 1);
    if (!err) {
        struct path p = f->path;
        path_get(&p);
        set_place(p, false);
    }
    file_put(f);
    return err;
}

long sys_umask(mode_t mask) {
    return __atomic_exchange_n(&current->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}
