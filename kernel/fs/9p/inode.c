// SPDX-License-Identifier: MIT
// Files that are known, their attributes, and their names.
#include "core/errno.h"
#include "fs/9p/private.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/capability.h>
#include <linux/fs.h>

#define ON_WAY   (1 * NSEC_PER_SEC) // directories on the way are believed so long
#define JUST_NOW (1000 * 1000)      // ns
#define KEEP     8192u              // names
#define OTHERS   64u                // names of one file that it is found by when others go

static struct slab_cache *inodes;

static int compare(const struct p9_inode *a, const struct p9_inode *b) {
    return a->inode.ino < b->inode.ino ? -1 : a->inode.ino > b->inode.ino;
}
RB_GENERATE(p9_inode_tree, p9_inode, node, compare)

void p9_inode_init(void) {
    inodes = slab_create("9p_inode", sizeof(struct p9_inode), 0);
}

// ---- attributes

static ktime_t time_of(uint64_t sec, uint64_t nsec) {
    return (ktime_t)(sec * NSEC_PER_SEC + nsec % NSEC_PER_SEC);
}

static int32_t far_of(uint64_t sec, uint64_t nsec) {
    return (int32_t)((((filetime_t)(int64_t)sec * NSEC_PER_SEC) + (filetime_t)(nsec % NSEC_PER_SEC)) >> 64);
}

// Stores what the server says. True: the content may not be what it was when it was last looked at; also where we have changed it
// ourselves, for the host may have done so, too. [s]
static bool store(struct p9_inode *p, const struct p9_stat *st, unsigned int changes) {
    struct inode *inode = &p->inode;
    ktime_t mtime = time_of(st->mtime_sec, st->mtime_nsec), ctime = time_of(st->ctime_sec, st->ctime_nsec);
    inode->mode = (inode->mode & S_IFMT) | (st->mode & 07777);
    inode->uid = st->uid;
    inode->gid = st->gid;
    inode->nlink = (unsigned int)st->nlink;
    p->blocks = st->blocks;
    p->blksize = (unsigned int)MIN(MAX(st->blksize, (uint64_t)PAGE_SIZE), (uint64_t)65536);
    inode->atime = time_of(st->atime_sec, st->atime_nsec);
    inode->far =
        (struct far_times){far_of(st->atime_sec, st->atime_nsec), far_of(st->mtime_sec, st->mtime_nsec)};
    if (p->changes != changes || p->writing) // it was on its way while we wrote
        return false;
    inode->mtime = mtime;
    inode->ctime = ctime;
    bool same = p->seen_size == st->size && p->seen_mtime == mtime && p->seen_ctime == ctime;
    p->changed_here = false;
    p->seen_size = st->size;
    p->seen_mtime = mtime;
    p->seen_ctime = ctime;
    uint64_t size = MIN(st->size, (uint64_t)INT64_MAX);
    WRITE_ONCE(inode->size, size);
    return !same;
}

static void apply(struct p9_inode *p, const struct p9_stat *st, unsigned int changes) {
    spin_lock(&p->inode.spin);
    bool stale = store(p, st, changes);
    spin_unlock(&p->inode.spin);
    if (stale && S_ISREG(p->inode.mode))
        p9_invalidate(&p->inode);
    WRITE_ONCE(p->asked, clock_monotonic());
    WRITE_ONCE(p->asked_switches, current->switches_voluntary);
    WRITE_ONCE(p->asked_by, current);
}

static unsigned int changes_of(struct p9_inode *p) {
    return __atomic_load_n(&p->changes, __ATOMIC_ACQUIRE);
}

struct p9_fid *p9_fid_of(struct inode *inode) {
    struct p9_mount *m = p9_mount_of(inode);
    spin_lock(&m->lock);
    struct p9_fid *fid = p9_inode_of(inode)->fid;
    if (fid)
        p9_fid_get(fid);
    spin_unlock(&m->lock);
    return fid ? fid : ERR_PTR(-ENOENT);
}

static bool is_same(const struct inode *inode, const struct p9_stat *st) {
    return inode->ino == st->qid.path && (inode->mode & S_IFMT) == (st->mode & S_IFMT);
}

// 1: it is still the file that it was; 0: another one.
static int ask_by(struct p9_inode *p, struct p9_fid *fid) {
    struct p9_stat st;
    unsigned int changes = changes_of(p);
    int err = p9_getattr(fid, &st);
    if (err)
        return err;
    if (!is_same(&p->inode, &st))
        return 0;
    if (S_ISLNK(p->inode.mode) && p->seen_ctime != time_of(st.ctime_sec, st.ctime_nsec))
        return 0; // it may lead elsewhere
    apply(p, &st, changes);
    return 1;
}

// The fid has gone or goes: the newest of the others is the file's, if there is one. [m]
static void next_fid_locked(struct p9_inode *p) {
    ASSERT_HELD(&p9_mount_of(&p->inode)->lock);
    p->fid = NULL;
    if (list_empty(&p->others))
        return;
    p->fid = list_first_entry(&p->others, struct p9_fid, link);
    list_del(&p->fid->link);
    p->other_count--;
}

// The host has taken the name away by which that fid is found: true if the file has another one.
static bool replace_fid(struct p9_inode *p, struct p9_fid *fid) {
    struct p9_mount *m = p9_mount_of(&p->inode);
    spin_lock(&m->lock);
    bool replaced = p->fid == fid && !list_empty(&p->others);
    if (replaced)
        next_fid_locked(p);
    spin_unlock(&m->lock);
    if (replaced)
        p9_fid_put(fid);
    return replaced;
}

int p9_refresh(struct inode *inode) {
    struct p9_fid *fid;
    bool again;
    int err;
    do {
        fid = p9_fid_of(inode);
        if (IS_ERR(fid))
            return PTR_ERR(fid);
        err = ask_by(p9_inode_of(inode), fid);
        again = (!err || err == -ENOENT) && replace_fid(p9_inode_of(inode), fid);
        p9_fid_put(fid);
    } while (again);
    return MIN(err, 0);
}

// Within one system call, that is: who has slept since may have been told that the host has changed something.
static bool was_just_asked(const struct p9_inode *p) {
    return READ_ONCE(p->asked_by) == current && READ_ONCE(p->asked_switches) == current->switches_voluntary &&
           clock_monotonic() - READ_ONCE(p->asked) < JUST_NOW;
}

void p9_refresh_lately(struct inode *inode) {
    if (!was_just_asked(p9_inode_of(inode)))
        (void)!p9_refresh(inode);
}

void p9_inode_getattr(struct inode *inode, struct kstat *st) {
    struct p9_inode *p = p9_inode_of(inode);
    p9_refresh_lately(inode);
    spin_lock(&inode->spin);
    st->mode = inode->mode;
    st->nlink = inode->nlink;
    st->uid = inode->uid;
    st->gid = inode->gid;
    st->size = inode->size;
    st->blocks = p->blocks;
    st->blksize = p->blksize;
    st->atime = inode->atime;
    st->mtime = inode->mtime;
    st->ctime = st->btime = inode->ctime;
    st->far = inode->far;
    spin_unlock(&inode->spin);
}

// Seconds, rounded down, and what is left.
static void split(filetime_t t, uint64_t *sec, uint64_t *nsec) {
    bool before = t < 0;
    unsigned __int128 ns = before ? -(unsigned __int128)t : (unsigned __int128)t;
    *sec = (uint64_t)(ns / NSEC_PER_SEC);
    *nsec = (uint64_t)ns - *sec * NSEC_PER_SEC;
    if (before) {
        *sec = -*sec - (*nsec != 0);
        *nsec = *nsec ? NSEC_PER_SEC - *nsec : 0;
    }
}

static struct p9_setattr to_message(const struct iattr *attr) {
    struct p9_setattr set = {
        .mode = attr->mode & 07777, .uid = attr->uid, .gid = attr->gid, .size = attr->size};
    unsigned int valid = attr->valid;
    set.valid = (valid & ATTR_MODE ? P9_SET_MODE : 0) | (valid & ATTR_UID ? P9_SET_UID : 0) |
                (valid & ATTR_GID ? P9_SET_GID : 0) | (valid & ATTR_SIZE ? P9_SET_SIZE : 0) |
                (valid & ATTR_ATIME ? P9_SET_ATIME | P9_SET_ATIME_SET : 0) |
                (valid & ATTR_MTIME && !(valid & ATTR_SIZE) ? P9_SET_MTIME | P9_SET_MTIME_SET : 0);
    split(attr->atime, &set.atime_sec, &set.atime_nsec);
    split(attr->mtime, &set.mtime_sec, &set.mtime_nsec);
    return set;
}

// A change of content takes set-id bits away, as inode_drop_set_ids() does here: the server, which may be root, keeps them.
static void drop_set_ids(const struct inode *inode, struct p9_setattr *set) {
    if (likely(!(inode->mode & (S_ISUID | S_ISGID))) || set->valid & P9_SET_MODE || capable(CAP_FSETID))
        return;
    set->valid |= P9_SET_MODE;
    set->mode = (inode->mode & ~inode_set_ids(inode)) & 07777;
}

void p9_drop_set_ids(struct inode *inode) {
    struct p9_setattr set = {0};
    struct p9_fid *fid;
    drop_set_ids(inode, &set);
    inode_drop_set_ids(inode);
    if (!set.valid || IS_ERR(fid = p9_fid_of(inode)))
        return;
    (void)!p9_setattr(fid, &set);
    p9_fid_put(fid);
}

// A file without a name is nobody else's: what is said of it stays here.
static int set_attributes(struct inode *inode, const struct iattr *attr, struct p9_setattr *set) {
    struct p9_fid *fid = p9_fid_of(inode);
    int err = 0;
    if (!IS_ERR(fid)) {
        if (set->valid)
            err = p9_setattr(fid, set);
        p9_fid_put(fid);
    } else if (attr->valid & ATTR_SIZE) {
        err = p9_clear_behind(inode, attr->size);
    }
    return err;
}

// No page is on its way to the server meanwhile: it would come back behind the end.
static int set_size(struct inode *inode, const struct iattr *attr, struct p9_setattr *set) {
    struct p9_inode *p = p9_inode_of(inode);
    int err = (int64_t)attr->size < 0 ? -EFBIG : mutex_lock_killable(&p->flush);
    if (err)
        return err;
    p9_change(inode);
    drop_set_ids(inode, set);
    err = set_attributes(inode, attr, set);
    p9_change(inode);
    if (!err)
        p9_cut(inode, attr->size);
    mutex_unlock(&p->flush);
    return err;
}

// inode->lock is held.
int p9_inode_setattr(struct inode *inode, const struct iattr *attr) {
    struct p9_setattr set = to_message(attr);
    int err = attr->valid & ATTR_SIZE ? set_size(inode, attr, &set) : set_attributes(inode, attr, &set);
    return err ? err : inode_setattr(inode, attr);
}

// ---- inodes

static const struct inode_ops *ops_of(mode_t mode) {
    return S_ISDIR(mode)   ? &p9_dir_ops
           : S_ISREG(mode) ? &p9_file_iops
           : S_ISLNK(mode) ? &p9_link_ops
                           : &p9_special_ops;
}

static struct p9_inode *make(struct p9_mount *m, const struct p9_stat *st) {
    struct inode *inode = inode_create_in(inodes, m->sb, st->mode);
    if (!inode)
        return NULL;
    struct p9_inode *p = p9_inode_of(inode);
    inode->ino = st->qid.path;
    // The high part of a device's number as the server's kernel has it.
    inode->rdev = DEV_DECODE(st->rdev);
    inode->ops = ops_of(st->mode);
    list_init(&p->kept);
    list_init(&p->dirty_link);
    list_init(&p->others);
    mutex_init(&p->flush);
    if (S_ISREG(st->mode))
        vm_backing_init(&inode->backing, &p9_backing_ops);
    return p;
}

// One that is known, or `new`. [m]
static struct p9_inode *find_or_list(struct p9_mount *m, const struct p9_stat *st, struct p9_inode *new) {
    struct p9_inode key = {.inode.ino = st->qid.path};
    struct p9_inode *p = RB_FIND(p9_inode_tree, &m->inodes, &key);
    if (p && is_same(&p->inode, st) &&
        !(S_ISLNK(st->mode) && p->seen_ctime != time_of(st->ctime_sec, st->ctime_nsec)) &&
        ref_get_unless_zero(&p->inode.refs))
        return p;
    if (!new)
        return NULL;
    if (p) {
        RB_REMOVE(p9_inode_tree, &m->inodes, p);
        p->listed = false;
    }
    RB_INSERT(p9_inode_tree, &m->inodes, new);
    new->listed = true;
    return new;
}

static void put_fids(struct list_head *fids) {
    while (!list_empty(fids)) {
        struct p9_fid *fid = list_first_entry(fids, struct p9_fid, link);
        list_del(&fid->link);
        p9_fid_put(fid);
    }
}

static void move_other_locked(struct p9_inode *p, struct p9_fid *other, struct list_head *gone) {
    ASSERT_HELD(&p9_mount_of(&p->inode)->lock);
    list_del(&other->link);
    list_add_tail(&other->link, gone);
    p->other_count--;
}

// The newest is the best one. One for each other name is kept for when this name goes.
static void set_fid(struct p9_mount *m, struct p9_inode *p, struct p9_fid *fid) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    struct p9_fid *other, *next;
    spin_lock(&m->lock);
    struct p9_fid *old = p->fid;
    list_for_each_entry_safe (other, next, &p->others, link)
        if (other->name == fid->name)
            move_other_locked(p, other, &gone);
    if (old && old->name == fid->name) {
        list_add(&old->link, &gone);
    } else if (old) {
        list_add(&old->link, &p->others);
        if (++p->other_count > OTHERS)
            move_other_locked(p, list_entry(p->others.prev, struct p9_fid, link), &gone);
    }
    p->fid = fid;
    spin_unlock(&m->lock);
    put_fids(&gone);
}

static bool is_type(mode_t mode) {
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
           S_ISFIFO(mode) || S_ISSOCK(mode);
}

struct inode *p9_inode_get(struct p9_mount *m, struct p9_fid *fid) {
    struct p9_stat st;
    struct p9_inode *p = NULL, *new = NULL;
    unsigned int changes = 0;
    int err = p9_getattr(fid, &st);
    if (!err && !is_type(st.mode))
        err = -EIO;
    if (!err) {
        spin_lock(&m->lock);
        p = find_or_list(m, &st, NULL);
        spin_unlock(&m->lock);
    }
    if (!err && p) { // it may have been written meanwhile
        set_fid(m, p, fid);
        if (!p->changed_here && !READ_ONCE(p->opens))
            apply(p, &st, changes_of(p));
        else
            err = p9_refresh(&p->inode);
        if (!err)
            return &p->inode;
        inode_put(&p->inode);
        return ERR_PTR(err);
    }
    if (!err && !(new = make(m, &st)))
        err = -ENOMEM;
    if (err) {
        p9_fid_put(fid);
        return ERR_PTR(err);
    }
    new->seen_size = st.size; // nothing is in memory
    new->seen_mtime = time_of(st.mtime_sec, st.mtime_nsec);
    new->seen_ctime = time_of(st.ctime_sec, st.ctime_nsec);
    apply(new, &st, changes);
    spin_lock(&m->lock);
    p = find_or_list(m, &st, new);
    spin_unlock(&m->lock);
    if (p != new)
        inode_put(&new->inode);
    set_fid(m, p, fid);
    return &p->inode;
}

void p9_inode_free(struct inode *inode) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    struct p9_fid *const fids[] = {p->fid, p->reader, p->writer, p->created};
    spin_lock(&m->lock);
    if (p->listed)
        RB_REMOVE(p9_inode_tree, &m->inodes, p);
    spin_unlock(&m->lock);
    for (size_t i = 0; i < ARRAY_SIZE(fids); i++)
        if (fids[i])
            p9_fid_put(fids[i]);
    put_fids(&p->others);
    if (S_ISREG(inode->mode))
        p9_cut(inode, 0);
    kfree(p->target);
}

const char *p9_inode_readlink(struct inode *inode, char *buf, size_t n) {
    struct p9_inode *p = p9_inode_of(inode);
    (void)buf, (void)n;
    char *target = __atomic_load_n(&p->target, __ATOMIC_ACQUIRE), *none = NULL;
    if (target)
        return target;
    struct p9_fid *fid = p9_fid_of(inode);
    if (IS_ERR(fid))
        return ERR_PTR(PTR_ERR(fid));
    target = p9_readlink(fid);
    p9_fid_put(fid);
    if (IS_ERR(target))
        return target;
    if (__atomic_compare_exchange_n(&p->target, &none, target, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return target;
    kfree(target);
    return none;
}

// ---- names

// Tells the names of one file apart.
static uint64_t name_key(const struct inode *dir, const char *name, size_t len) {
    uint64_t key = dir->ino + 1;
    for (size_t i = 0; i < len; i++) {
        key = (key ^ (uint8_t)name[i]) * 0x9e3779b97f4a7c15;
        key ^= key >> 29;
    }
    return key;
}

struct p9_fid *p9_walk_name(struct p9_fid *from, const struct inode *dir, const char *name, size_t len) {
    struct p9_fid *fid = p9_walk(from, name, len);
    if (!IS_ERR(fid))
        fid->name = name_key(dir, name, len);
    return fid;
}

// ---- names that are kept

// d is in the tree of dentries from now on: it is its inode's only one there.
void p9_kept(struct dentry *d) {
    struct p9_mount *m = p9_mount_of(d->inode);
    struct p9_inode *p = p9_inode_of(d->inode);
    spin_lock(&m->lock);
    struct dentry *old = p->alias;
    dentry_get(d);
    if (!old)
        m->kept_count++;
    p->alias = d;
    list_del(&p->kept);
    list_add(&p->kept, &m->kept);
    bool many = m->kept_count > KEEP;
    spin_unlock(&m->lock);
    if (old && old != d && !READ_ONCE(old->mounted))
        dentry_forget(old);
    if (old)
        dentry_put(old);
    if (many)
        p9_forget_names(m, KEEP * 3 / 4);
}

// The inode's name, which is not kept any more, with its reference; NULL. [m]
static struct dentry *take_alias_locked(struct p9_mount *m, struct p9_inode *p) {
    ASSERT_HELD(&m->lock);
    struct dentry *d = p->alias;
    if (!d)
        return NULL;
    p->alias = NULL;
    list_del(&p->kept);
    m->kept_count--;
    return d;
}

void p9_forget(struct dentry *d) {
    struct p9_mount *m = p9_mount_of(d->inode);
    struct p9_inode *p = p9_inode_of(d->inode);
    spin_lock(&m->lock);
    struct dentry *alias = p->alias == d ? take_alias_locked(m, p) : NULL;
    spin_unlock(&m->lock);
    dentry_forget(d);
    if (alias)
        dentry_put(alias);
}

// One of those that were not used for long and that nobody uses. NULL: there is none. [m]
static struct dentry *take_old_locked(struct p9_mount *m, bool all) {
    ASSERT_HELD(&m->lock);
    for (unsigned int looked = 0; !list_empty(&m->kept) && looked < 64; looked++) {
        struct p9_inode *p = list_entry(m->kept.prev, struct p9_inode, kept);
        struct dentry *d = p->alias;
        if (all || (ref_read(&d->refs) == 2 && !d->mounted && !d->child_count && !p->opens))
            return take_alias_locked(m, p);
        list_del(&p->kept);
        list_add(&p->kept, &m->kept);
    }
    return NULL;
}

void p9_forget_names(struct p9_mount *m, unsigned int keep) {
    for (;;) {
        spin_lock(&m->lock);
        struct dentry *d = m->kept_count > keep ? take_old_locked(m, false) : NULL;
        spin_unlock(&m->lock);
        if (!d)
            return;
        dentry_forget(d);
        dentry_put(d);
    }
}

void p9_unmounted(struct dentry *root) {
    struct p9_mount *m = p9_mount_of(root->inode);
    (void)p9_write_back_all(m);
    for (;;) {
        spin_lock(&m->lock);
        struct dentry *d = take_old_locked(m, true);
        spin_unlock(&m->lock);
        if (!d)
            return;
        dentry_forget(d);
        dentry_put(d);
        cond_resched();
    }
}

void p9_name_made(struct dentry *d) {
    for (;;) {
        struct dentry *other = dentry_find(d->parent, d->name, d->name_len);
        if (other) {
            p9_forget(other);
            dentry_put(other);
        }
        dentry_get(d);
        if (dentry_insert_new(d))
            break;
        dentry_put(d);
    }
    p9_kept(d);
}

// It is not found by that fid any more, whose reference stays the caller's.
static void forget_fid(struct p9_inode *p, struct p9_fid *fid) {
    struct p9_mount *m = p9_mount_of(&p->inode);
    spin_lock(&m->lock);
    bool is = p->fid == fid;
    if (is)
        next_fid_locked(p);
    spin_unlock(&m->lock);
    if (is)
        p9_fid_put(fid);
}

// 1: the file is still found by its fid. 0: it is not, for the host has taken the name away, or put another file there. Other
// errors tell nothing of that.
static int check_fid(struct p9_inode *p) {
    struct p9_fid *fid = p9_fid_of(&p->inode);
    if (IS_ERR(fid))
        return 0;
    int is = ask_by(p, fid);
    if (is == -ENOENT || is == -ESTALE)
        is = 0;
    if (!is)
        forget_fid(p, fid);
    p9_fid_put(fid);
    return is;
}

// Takes what was found by a name that has gone, or all, out. True: the fid is another one, and may be right. [m]
static bool take_fids_locked(struct p9_inode *p, uint64_t name, bool last, struct list_head *gone) {
    ASSERT_HELD(&p9_mount_of(&p->inode)->lock);
    struct p9_fid *other, *next, *fid = p->fid;
    list_for_each_entry_safe (other, next, &p->others, link)
        if (last || other->name == name)
            move_other_locked(p, other, gone);
    if (!fid || (!last && fid->name != name))
        return false;
    next_fid_locked(p);
    list_add(&fid->link, gone);
    return p->fid != NULL;
}

void p9_name_lost(const struct inode *dir, struct dentry *d, bool last) {
    struct p9_mount *m = p9_mount_of(dir);
    struct p9_inode *p = p9_inode_of(d->inode);
    struct list_head gone = LIST_HEAD_INIT(gone);
    spin_lock(&m->lock);
    struct p9_fid *fid = p->fid;
    bool other = take_fids_locked(p, name_key(dir, d->name, d->name_len), last, &gone);
    struct dentry *alias = last || p->fid != fid || p->alias == d ? take_alias_locked(m, p) : NULL;
    if (last && p->listed) { // another file may get its number
        RB_REMOVE(p9_inode_tree, &m->inodes, p);
        p->listed = false;
    }
    spin_unlock(&m->lock);
    put_fids(&gone);
    if (alias && alias != d && !READ_ONCE(alias->mounted))
        dentry_forget(alias);
    if (alias)
        dentry_put(alias); // whoever removes d takes it out of the tree
    while (other && !check_fid(p))
        other = READ_ONCE(p->fid) != NULL && !cond_resched_killable();
}

void p9_name_changed(struct inode *inode, const struct inode *old_dir, const struct dentry *old,
                     const struct inode *dir, const char *name) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    uint64_t from = name_key(old_dir, old->name, old->name_len), to = name_key(dir, name, strlen(name));
    struct p9_fid *other;
    spin_lock(&m->lock);
    if (p->fid && p->fid->name == from)
        p->fid->name = to;
    list_for_each_entry (other, &p->others, link)
        if (other->name == from)
            other->name = to;
    spin_unlock(&m->lock);
}

int p9_lookup(struct inode *dir, struct dentry *d) {
    struct p9_fid *from = p9_fid_of(dir);
    if (IS_ERR(from))
        return PTR_ERR(from);
    struct p9_fid *fid = p9_walk_name(from, dir, d->name, d->name_len);
    p9_fid_put(from);
    if (IS_ERR(fid))
        return PTR_ERR(fid) == -ENOENT ? 0 : PTR_ERR(fid);
    struct inode *inode = p9_inode_get(p9_mount_of(dir), fid);
    if (IS_ERR(inode))
        return PTR_ERR(inode) == -ENOENT ? 0 : PTR_ERR(inode);
    d->inode = inode;
    return 0;
}

int p9_revalidate(struct dentry *d, bool on_way) {
    struct p9_inode *p = p9_inode_of(d->inode);
    ktime_t age = clock_monotonic() - READ_ONCE(p->asked);
    if (on_way && S_ISDIR(p->inode.mode) && age < ON_WAY)
        return 1;
    if (READ_ONCE(p->alias) != d || (p->inode.nlink > 1 && !S_ISDIR(p->inode.mode)))
        return 0;
    if (was_just_asked(p))
        return 1;
    return check_fid(p); // not: then it is forgotten, and may have another name
}
