// SPDX-License-Identifier: MIT
// Walking paths.
//
// A walk holds one place (mount and dentry, referenced) and moves it component by component. A symlink's
// target is walked before what is left of the name: the rest waits on a stack. Permission to search is
// checked at every directory.
#include "fs/path.h"
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "fs/acl.h"
#include "fs/dentry.h"
#include "fs/event/notify.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/path_walk.h"
#include "fs/protect.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#define MAX_LINKS 40

// ---- places

void path_get(struct path *p) {
    if (p->mount)
        mount_get(p->mount);
    if (p->dentry)
        dentry_get(p->dentry);
}

void path_put(struct path *p) {
    if (p->dentry)
        dentry_put(p->dentry);
    if (p->mount)
        mount_put(p->mount);
}

// The process's root or working directory, referenced.
static struct path fs_place(bool root) {
    struct fs_context *fs = current->fs;
    spin_lock(&fs->lock);
    struct path p = root ? fs->root : fs->cwd;
    path_get(&p);
    spin_unlock(&fs->lock);
    return p;
}

struct path path_process_root(void) {
    return fs_place(true);
}

// ---- permission

int inode_permission(struct inode *inode, int mask) {
    mode_t mode =
        __atomic_load_n(&inode->mode, __ATOMIC_ACQUIRE); // one that goes with a list is seen behind it
    bool by_mode = likely(!READ_ONCE(inode->xattrs));
    if (mask & 2 && inode_is_immutable(inode))
        return -EPERM;
    if (by_mode && (mode >> 6 & mode >> 3 & mode & mask & 7) == (mode_t)mask)
        return 0; // for everybody
    const struct cred *cred = current->cred;
    mode_t mine = cred->fsuid == inode->uid ? mode >> 6 : cred_in_group(cred, inode->gid) ? mode >> 3 : mode;
    if (by_mode ? (mine & mask) == (mode_t)mask : !acl_permission(inode, mask))
        return 0;
    if (inode_capable(cred, inode, CAP_DAC_OVERRIDE) && (!(mask & 1) || S_ISDIR(mode) || (mode & 0111)))
        return 0;
    if (inode_capable(cred, inode, CAP_DAC_READ_SEARCH) && (mask == 4 || (S_ISDIR(mode) && !(mask & 2))))
        return 0;
    return inode->ops && inode->ops->permit ? inode->ops->permit(inode, mask) : -EACCES;
}

int inode_check_new_owner(const struct inode *dir) {
    const struct user_ns *owner = dir->sb->owner;
    const struct cred *cred = current->cred;
    bool known = likely(owner == &first_user_ns) ||
                 (uid_in(owner, cred->fsuid) != ID_NONE && gid_in(owner, cred->fsgid) != ID_NONE);
    return known ? 0 : -EOVERFLOW;
}

// ---- the walk

struct walk {
    struct path at;
    unsigned int flags;
    const char *rest; // of the name
    unsigned int depth, links;
    struct path start; // LOOKUP_BENEATH: may not be left upward. LOOKUP_IN_ROOT: "/"; then referenced
    struct {
        const char *rest;    // behind the link
        struct dentry *link; // whose inode holds the target; referenced
        char *buffer;        // or the target itself
    } stack[MAX_LINKS];
};

static void walk_pop(struct walk *w) {
    w->depth--;
    w->rest = w->stack[w->depth].rest;
    dentry_put(w->stack[w->depth].link);
    kfree(w->stack[w->depth].buffer);
}

static void walk_end(struct walk *w) {
    while (w->depth)
        walk_pop(w);
    if (unlikely(w->flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH)))
        path_put(&w->start);
}

static int walk_start(struct walk *w, int dfd, const char *name) {
    bool absolute = *name == '/';
    if (absolute && (w->flags & LOOKUP_BENEATH))
        return -EXDEV;
    if (absolute && !(w->flags & LOOKUP_IN_ROOT)) {
        w->at = fs_place(true);
    } else if (dfd == AT_FDCWD) {
        w->at = fs_place(false);
    } else {
        struct file *f = fd_get(dfd);
        if (!f)
            return -EBADF;
        w->at = f->path;
        path_get(&w->at);
        file_put(f);
        if (!w->at.dentry || (*name && !S_ISDIR(w->at.dentry->inode->mode))) {
            path_put(&w->at);
            return -ENOTDIR;
        }
    }
    w->start = w->at;
    if (unlikely(w->flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH)))
        path_get(&w->start);
    return 0;
}

static void walk_to(struct walk *w, struct path to) {
    struct path old = w->at;
    w->at = to;
    path_put(&old);
}

// What "/" means on this walk, referenced.
static struct path walk_root(struct walk *w) {
    if (!(w->flags & LOOKUP_IN_ROOT))
        return fs_place(true);
    path_get(&w->start);
    return w->start;
}

// What no way leads up from.
static bool at_root(const struct walk *w) {
    bool own = w->flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH);
    const struct path *root = own ? &w->start : &current->fs->root;
    return READ_ONCE(root->dentry) == w->at.dentry && READ_ONCE(root->mount) == w->at.mount;
}

// Of a mount that shows a part of a file system: is d, which was found above what it shows, in that part? What is not, since something
// was moved, must not be reached by it.
static bool is_shown(const struct mount *m, const struct dentry *d) {
    return likely(READ_ONCE(m->root->parent) == m->root) || !READ_ONCE(m->sb->has_moves) ||
           dentry_is_far_below(d, m->root);
}

static int to_parent(struct walk *w) {
    struct dentry *parent = dentry_get_parent(w->at.dentry);
    if (unlikely(!is_shown(w->at.mount, parent))) {
        dentry_put(parent);
        return -ENOENT;
    }
    dentry_put(w->at.dentry);
    w->at.dentry = parent;
    return 0;
}

// What is mounted on the directory above counts, as by its name.
static int walk_up(struct walk *w) {
    bool top = at_root(w);
    while (!top && w->at.dentry == w->at.mount->root) {
        if (w->flags & LOOKUP_NO_XDEV)
            return -EXDEV;
        top = !mount_cross_up(&w->at) || at_root(w);
    }
    if (top && w->flags & LOOKUP_BENEATH)
        return -EXDEV;
    int err = top ? 0 : to_parent(w);
    const struct mount *before = w->at.mount;
    if (!err)
        mount_cross_down(&w->at);
    return !err && w->flags & LOOKUP_NO_XDEV && w->at.mount != before ? -EXDEV : err;
}

// Of a file system that keeps names: d, which was found, goes into the tree, unless another walk was faster. Takes d over; what is
// there then, referenced.
static struct dentry *keep_name(struct dentry *d) {
    for (;;) {
        dentry_get(d);
        if (dentry_insert_new(d)) {
            d->inode->ops->kept(d);
            return d;
        }
        dentry_put(d);
        struct dentry *other = dentry_find(d->parent, d->name, d->name_len);
        if (other && (other->inode == d->inode || READ_ONCE(other->mounted))) {
            dentry_put(d);
            return other;
        }
        if (!other)
            continue;
        other->inode->ops->forget(other);
        dentry_put(other);
    }
}

// Is d, if there is one, still what its name means? d if so; NULL: look; or the error. Its reference goes else.
static struct dentry *check_kept(const struct inode_ops *ops, struct dentry *d, bool on_way) {
    if (d && unlikely(ops->is_gone) && ops->is_gone(d)) {
        mount_forget_tree(d);
        dentry_put(d);
        return NULL;
    }
    if (!d || READ_ONCE(d->mounted)) // what is mounted on stays in its place
        return d;
    int is =
        ops->revalidate ? ops->revalidate(d, on_way) : READ_ONCE(d->child_count) != 0; // a mount is below
    if (is > 0)
        return d;
    if (ops->revalidate && !is)
        d->inode->ops->forget(d);
    dentry_put(d);
    return is ? ERR_PTR(is) : NULL;
}

// The child, looked up where the file system makes its names at need. Referenced, or ERR_PTR.
static inline struct dentry *lookup(struct dentry *dir, const char *name, size_t len, bool on_way) {
    struct inode *inode = dir->inode;
    struct dentry *d = dentry_find(dir, name, len);
    if (likely(!inode->ops->lookup))
        return d ? d : ERR_PTR(-ENOENT);
    d = check_kept(inode->ops, d, on_way);
    if (d)
        return d;
    d = dentry_alloc(dir, name, len);
    if (!d)
        return ERR_PTR(-ENOMEM);
    int err = inode->ops->lookup(inode, d);
    if (!err && !d->inode)
        err = -ENOENT;
    if (!err) {
        notify_new_child(inode, d->inode);
        return inode->ops->revalidate ? keep_name(d) : d;
    }
    dentry_put(d);
    return ERR_PTR(err);
}

struct dentry *vfs_lookup(struct dentry *dir, const char *name, size_t len) {
    return lookup(dir, name, len, false);
}

// Goes on with the target of the link d, whose reference it takes over. Its name is in the directory w->at; `flags` are those of the
// mount that shows it, which is another where the link is mounted on that name. `end`: nothing comes behind it.
static int walk_follow(struct walk *w, struct dentry *d, unsigned int flags, bool end) {
    struct inode *inode = d->inode;
    char *buffer = NULL;
    int err = end ? protect_follow(w->at.dentry->inode, inode) : 0;
    if (err)
        goto out;
    err = -ELOOP;
    if (++w->links > MAX_LINKS || (w->flags & LOOKUP_NO_SYMLINKS) || w->depth == MAX_LINKS ||
        (flags & MS_NOSYMFOLLOW))
        goto out;
    if (inode->ops->follow) {
        struct path to;
        if (w->flags & LOOKUP_NO_MAGICLINKS)
            goto out;
        err = w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT) ? -EXDEV : inode->ops->follow(inode, &to);
        if (!err && (w->flags & LOOKUP_NO_XDEV) && to.mount != w->at.mount) {
            path_put(&to);
            err = -EXDEV;
        }
        if (!err)
            walk_to(w, to);
        goto out;
    }
    err = -ENOMEM;
    if (!inode->size && !(buffer = kmalloc(PATH_MAX))) // of a size: stored
        goto out;
    const char *target = inode->ops->readlink(inode, buffer, PATH_MAX);
    if (IS_ERR(target)) {
        err = PTR_ERR(target);
        goto out;
    }
    err = -ENOENT;
    if (!*target)
        goto out;
    if (*target == '/') {
        err = -EXDEV;
        if (w->flags & LOOKUP_BENEATH)
            goto out;
        struct path root = walk_root(w);
        bool other = root.mount != w->at.mount;
        walk_to(w, root);
        if (other && (w->flags & LOOKUP_NO_XDEV))
            goto out;
    }
    w->stack[w->depth].rest = w->rest;
    w->stack[w->depth].link = d;
    w->stack[w->depth].buffer = buffer;
    w->depth++;
    w->rest = target;
    return 0;
out:
    kfree(buffer);
    dentry_put(d);
    return err;
}

// Takes the next component off the name; those of links that are used up are popped on the way. False at the
// end of all.
static bool next_component(struct walk *w, const char **name, size_t *len) {
    for (;;) {
        while (*w->rest == '/')
            w->rest++;
        if (*w->rest)
            break;
        if (!w->depth)
            return false;
        walk_pop(w);
    }
    const char *p = w->rest;
    while (*p && *p != '/')
        p++;
    *name = w->rest;
    *len = p - w->rest;
    w->rest = p;
    return true;
}

// True if nothing but slashes follows, in this name and in those that wait.
static bool at_end(const struct walk *w, bool *slash) {
    const char *p = w->rest;
    *slash = *p == '/';
    for (unsigned int i = w->depth;; i--) {
        while (*p == '/') {
            *slash = true;
            p++;
        }
        if (*p)
            return false;
        if (!i)
            return true;
        p = w->stack[i - 1].rest;
    }
}

// What is on top of d, of the directory w->at: what is mounted there counts, and may be a link or lie on one. Takes d over.
static int cross_down(const struct walk *w, struct dentry *d, struct path *to) {
    *to = (struct path){w->at.mount, d};
    mount_get(to->mount);
    mount_cross_down(to);
    if (!(w->flags & LOOKUP_NO_XDEV) || to->mount == w->at.mount)
        return 0;
    path_put(to);
    return -EXDEV;
}

// Goes on with the target of the link that is there; takes it over.
static int follow_from(struct walk *w, struct path *link, bool end) {
    unsigned int flags = READ_ONCE(link->mount->flags);
    mount_put(link->mount);
    return walk_follow(w, link->dentry, flags, end);
}

static int step(struct walk *w, const char *name, size_t len, bool follow, bool end) {
    struct dentry *d = lookup(w->at.dentry, name, len, !end);
    if (IS_ERR(d))
        return PTR_ERR(d);
    if (unlikely(READ_ONCE(d->mounted))) {
        struct path to;
        int err = cross_down(w, d, &to);
        if (!err && follow && S_ISLNK(to.dentry->inode->mode))
            return follow_from(w, &to, end);
        if (!err)
            walk_to(w, to);
        return err;
    }
    if (unlikely(S_ISLNK(d->inode->mode)) && follow)
        return walk_follow(w, d, READ_ONCE(w->at.mount->flags), end);
    struct dentry *old = w->at.dentry;
    w->at.dentry = d;
    dentry_put(old);
    return 0;
}

// Where the last component, which may be there or not, is a link: goes on with its target.
static int follow_last(struct walk *w, const char *name, size_t len, bool *followed) {
    struct dentry *d = vfs_lookup(w->at.dentry, name, len);
    struct path to;
    *followed = false;
    if (IS_ERR(d)) // who asked sees why
        return 0;
    int err = cross_down(w, d, &to);
    if (err)
        return err;
    *followed = S_ISLNK(to.dentry->inode->mode);
    if (*followed)
        return follow_from(w, &to, true);
    path_put(&to);
    return 0;
}

static int check_directory(const struct walk *w) {
    struct inode *inode = w->at.dentry->inode;
    if (unlikely(!S_ISDIR(inode->mode)))
        return -ENOTDIR;
    return inode_permission(inode, 1);
}

// 1: "."; 2: ".."; 0: another name.
static unsigned int count_dots(const char *name, size_t len) {
    return name[0] != '.' ? 0 : len == 1 ? 1 : len == 2 && name[1] == '.' ? 2 : 0;
}

// What the last component is when a name is to be made or removed there: not "." or "..".
static int keep_last(struct last_component *last, const char *name, size_t len, bool slash) {
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(last->name, name, len);
    last->name[len] = '\0';
    last->len = len;
    last->slash = slash;
    last->dots = count_dots(name, len);
    return 0;
}

// Walks the name; if `last` is given, only up to its last component (behind symlinks, with LOOKUP_FOLLOW),
// which is stored there.
static int walk_name(struct walk *w, struct last_component *last) {
    const char *name;
    size_t len;
    bool slash = false, dir_wanted = w->flags & LOOKUP_DIRECTORY;
    while (next_component(w, &name, &len)) {
        int err = check_directory(w);
        if (!err)
            err = cond_resched_killable(); // links make a name as long as somebody likes
        if (err)
            return err;
        if (len > NAME_MAX)
            return -ENAMETOOLONG;
        bool end = at_end(w, &slash), follow = !end || slash || (w->flags & LOOKUP_FOLLOW);
        unsigned int dots = count_dots(name, len);
        if (end && last) {
            bool followed = false;
            err = (w->flags & LOOKUP_FOLLOW) && !dots ? follow_last(w, name, len, &followed) : 0;
            if (err || !followed)
                return err ? err : keep_last(last, name, len, slash);
            continue;
        }
        if (dots)
            err = dots == 1 ? 0 : walk_up(w);
        else
            err = step(w, name, len, follow, end);
        if (err)
            return err;
        dir_wanted |= end && slash;
    }
    if (last)
        return keep_last(last, ".", 1, false); // "/", or a magic link
    return dir_wanted && !S_ISDIR(w->at.dentry->inode->mode) ? -ENOTDIR : 0;
}

// A directory that is moved while a walk is in it may take the walk out of where it is to stay.
static bool walk_is_below(const struct path *p, const struct path *above) {
    struct path here = *p;
    path_get(&here);
    while (here.mount != above->mount && here.mount->parent) {
        struct dentry *old = here.dentry;
        dentry_get(here.mount->root);
        here.dentry = here.mount->root;
        dentry_put(old);
        if (!mount_cross_up(&here))
            break;
    }
    bool below = here.mount == above->mount && dentry_is_far_below(here.dentry, above->dentry);
    path_put(&here);
    return below;
}

static int walk(int dfd, const char *name, unsigned int flags, struct path *out,
                struct last_component *last) {
    struct walk w;
    w.flags = flags;
    w.rest = name;
    w.depth = w.links = 0;
    if (!*name && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    int err = walk_start(&w, dfd, name);
    if (err)
        return err;
    err = walk_name(&w, last);
    if (unlikely(flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) && !err && !walk_is_below(&w.at, &w.start))
        err = -EXDEV;
    walk_end(&w);
    if (err)
        path_put(&w.at);
    else
        *out = w.at;
    return err;
}

int path_lookup(int dfd, const char *name, unsigned int flags, struct path *out) {
    return walk(dfd, name, flags, out, NULL);
}

int path_lookup_parent(int dfd, const char *name, unsigned int flags, struct path *out,
                       struct last_component *last) {
    return walk(dfd, name, flags, out, last);
}

int user_name_get_unusual(struct user_name *n, const char __user *name, bool allow_empty, ssize_t len) {
    if (len == -ENAMETOOLONG) {
        n->text = n->copy = kmalloc(PATH_MAX);
        len = n->copy ? strncpy_from_user(n->copy, name, PATH_MAX) : -ENOMEM;
    }
    if (len > 0 || (len == 0 && allow_empty))
        return 0;
    user_name_put(n);
    return len ? len : -ENOENT;
}

int path_lookup_user(int dfd, const char __user *name, unsigned int flags, struct path *out) {
    struct user_name n;
    int err = user_name_get(&n, name, flags & LOOKUP_EMPTY);
    if (err)
        return err;
    err = path_lookup(dfd, n.text, flags, out);
    user_name_put(&n);
    return err;
}

// ---- names of places

static bool prepend(char *buf, char **at, const char *text, size_t n) {
    if ((size_t)(*at - buf) < n)
        return false;
    *at -= n;
    memcpy(*at, text, n);
    return true;
}

static char *pseudo_name(const struct dentry *d, char *buf, size_t n) {
    if (S_ISFIFO(d->inode->mode) || S_ISSOCK(d->inode->mode) || S_ISREG(d->inode->mode))
        lib_snprintf(buf, n, "%s:[%lu]", d->name, (unsigned long)d->inode->ino);
    else
        lib_snprintf(buf, n, "anon_inode:%s", d->name);
    return buf;
}

char *path_name_from(const struct path *p, const struct path *root, bool *reached, char *buf, size_t n) {
    char *at = buf + n, name[NAME_MAX + 1];
    struct path here = *p;
    bool fits = prepend(buf, &at, "", 1);
    char *end = at;
    path_get(&here);
    *reached = true;
    while (fits && !(here.dentry == root->dentry && here.mount == root->mount)) {
        if (here.dentry == here.mount->root) {
            cond_resched(); // as many lie on each other as somebody likes
            if (mount_cross_up(&here))
                continue;
            *reached = false;
            break;
        }
        struct dentry *parent = dentry_get_parent(here.dentry);
        *reached = parent != here.dentry;
        if (*reached) {
            size_t len = dentry_copy_name(here.dentry, name);
            fits = prepend(buf, &at, name, len) && prepend(buf, &at, "/", 1);
        }
        dentry_put(here.dentry);
        here.dentry = parent;
        if (!*reached) { // it was moved out of what the mount shows, and has no name there
            at = end;
            break;
        }
    }
    if (at == end)
        fits = fits && prepend(buf, &at, "/", 1);
    path_put(&here);
    return fits ? at : ERR_PTR(-ENAMETOOLONG);
}

char *path_name_in_fs(struct dentry *d, char *buf, size_t n) {
    char *at = buf + n, name[NAME_MAX + 1];
    if (d->pseudo)
        return pseudo_name(d, buf, n);
    bool fits = prepend(buf, &at, "", 1) && (!d->dead || prepend(buf, &at, "//deleted", 9));
    char *end = at;
    dentry_get(d);
    for (struct dentry *parent; fits && (parent = dentry_get_parent(d)) != d; d = parent) {
        size_t len = dentry_copy_name(d, name);
        fits = prepend(buf, &at, name, len) && prepend(buf, &at, "/", 1);
        dentry_put(d);
    }
    if (fits)
        dentry_put(d); // the root's parent is itself
    if (at == end)
        fits = fits && prepend(buf, &at, "/", 1);
    dentry_put(d);
    return fits ? at : ERR_PTR(-ENAMETOOLONG);
}

char *path_name(const struct path *p, char *buf, size_t n) {
    static const char deleted[] = " (deleted)";
    bool dead = p->dentry->dead, reached;
    if (p->dentry->pseudo)
        return pseudo_name(p->dentry, buf, n);
    if (dead && n < sizeof(deleted))
        return ERR_PTR(-ENAMETOOLONG);
    struct path root = fs_place(true);
    char *name = path_name_from(p, &root, &reached, buf, dead ? n - (sizeof(deleted) - 1) : n);
    path_put(&root);
    if (dead && !IS_ERR(name))
        memcpy(buf + n - sizeof(deleted), deleted, sizeof(deleted));
    return name;
}
