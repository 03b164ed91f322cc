// SPDX-License-Identifier: MIT
// Flags of mounts and of what they show: mount(2) with MS_REMOUNT, or a type of propagation.
#include "fs/mount_private.h"
#include "sched/thread.h"
#include <linux/capability.h>

unsigned int mount_new_flags(unsigned long flags) {
    unsigned long times = flags & MS_STRICTATIME ? MS_STRICTATIME
                          : flags & MS_NOATIME   ? MS_NOATIME
                                                 : MS_RELATIME;
    return (flags & MOUNT_FLAGS & ~(unsigned long)(MS_STRICTATIME | MS_NOATIME | MS_RELATIME)) | times;
}

void mount_keep_flags(struct mount *m) {
    m->kept_flags |= (m->flags & MOUNT_FLAGS) | MOUNT_TIME_FLAGS;
}

int mount_check_kept_flags(const struct mount *m, unsigned int now) {
    unsigned int kept = m->kept_flags & m->flags & ~MOUNT_TIME_FLAGS;
    if (m->kept_flags && ((m->flags ^ now) & MOUNT_TIME_FLAGS))
        return -EPERM;
    return kept & ~now ? -EPERM : 0;
}

// ---- forbidding to write

// Does anybody write there, through whatever mount, also one that has been taken away?
static bool has_writers(const struct superblock *sb) {
    const struct mount *m;
    bool found = false;
    spin_lock(&mounts_lock);
    list_for_each_entry (m, &sb->mount_list, sb_link)
        found |= READ_ONCE(m->writers) != 0;
    spin_unlock(&mounts_lock);
    return found;
}

// What forbids writing comes first, and then the look whether somebody does: see mount_begin_writing().
static void put_flags(unsigned int *flags, unsigned int now) {
    WRITE_ONCE(*flags, now);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int set_superblock_flags(struct superblock *sb, unsigned int now) {
    unsigned int before = READ_ONCE(sb->flags);
    put_flags(&sb->flags, now);
    if (!(now & ~before & MS_RDONLY) || !has_writers(sb))
        return 0;
    WRITE_ONCE(sb->flags, before);
    return -EBUSY;
}

static int set_own_flags(struct mount *m, unsigned int now) {
    unsigned int before = READ_ONCE(m->flags);
    put_flags(&m->flags, now);
    if (!(now & ~before & MS_RDONLY) || !READ_ONCE(m->writers))
        return 0;
    WRITE_ONCE(m->flags, before);
    return -EBUSY;
}

int mount_set_flags(struct mount *m, bool own, unsigned int now) {
    return own ? set_own_flags(m, now) : set_superblock_flags(m->sb, now);
}

// ---- changing

static unsigned int flags_for(const struct mount *m, unsigned long flags) {
    if (flags & MOUNT_TIME_FLAGS)
        return mount_new_flags(flags);
    return (flags & MOUNT_FLAGS) | (READ_ONCE(m->flags) & MOUNT_TIME_FLAGS);
}

static int remount_locked(struct mount *m, const char *options, unsigned long flags) {
    ASSERT_HELD(&mount_mutex);
    struct superblock *sb = m->sb;
    int err = mount_check_kept_flags(m, flags_for(m, flags));
    if (err)
        return err;
    if (flags & MS_BIND)
        return mount_set_flags(m, true, flags_for(m, flags));
    if (options && *options && !sb->type->remount)
        return -EINVAL;
    if (!capable_in(sb->owner, CAP_SYS_ADMIN))
        return -EPERM;
    bool own = sb->type->shared; // then that it is read-only is the mount's own
    unsigned int *changed = own ? &m->flags : &sb->flags, before = READ_ONCE(*changed);
    err = mount_set_flags(m, own, own ? flags_for(m, flags) : flags & SUPERBLOCK_FLAGS);
    if (!err && sb->type->remount && (err = sb->type->remount(sb, options)))
        WRITE_ONCE(*changed, before);
    if (!err)
        WRITE_ONCE(m->flags, flags_for(m, flags)); // who writes there has been counted
    return err;
}

int mount_remount(const struct path *at, const char *options, unsigned long flags) {
    if (!path_is_mount_root(at))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    int err = mount_is_mine(at->mount) ? remount_locked(at->mount, options, flags) : -EINVAL;
    mount_unlock();
    return err;
}

int mount_reconfigure(struct superblock *sb, const char *options, unsigned int clear, unsigned int set) {
    if (!capable_in(sb->owner, CAP_SYS_ADMIN))
        return -EPERM;
    if (options && *options && !sb->type->remount)
        return -EINVAL;
    mutex_lock(&mount_mutex);
    unsigned int before = READ_ONCE(sb->flags);
    int err = set_superblock_flags(sb, (before & ~clear) | set);
    if (!err && sb->type->remount && (err = sb->type->remount(sb, options)))
        WRITE_ONCE(sb->flags, before);
    mount_unlock();
    return err;
}

// m, which has a group if that is its type now. [t]
static void set_type(struct mount *m, unsigned long type) {
    if (type == MS_SLAVE) {
        mount_make_slave(m);
        return;
    }
    if (type != MS_SHARED)
        mount_leave_peers(m);
    m->unbindable = type == MS_UNBINDABLE;
}

int mount_set_type(const struct path *at, unsigned long flags) {
    unsigned long type = flags & ~(unsigned long)(MS_REC | MS_SILENT);
    uint64_t first;
    // One kind at a time.
    if (!path_is_mount_root(at) ||
        (type != MS_SHARED && type != MS_PRIVATE && type != MS_SLAVE && type != MS_UNBINDABLE))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    int err = mount_is_mine(at->mount) ? 0 : -EINVAL;
    if (!err && type == MS_SHARED)
        err = mount_make_shared(at->mount, flags & MS_REC, &first);
    for (struct mount *m = at->mount; !err && m; m = mount_next_if(flags & MS_REC, m, at->mount))
        set_type(m, type);
    mount_unlock();
    return err;
}

// ---- mount_setattr(2)

static unsigned int changed_flags(const struct mount *m, const struct mount_change *c) {
    return (READ_ONCE(m->flags) & ~c->clear) | c->set;
}

// Forbids writing in those that are to be read-only; which they are is noted in `copy`. 0, -EPERM, -EBUSY: some may be so. [t]
static int prepare(struct mount *top, const struct mount_change *c, bool recursive) {
    struct mount *m;
    int err = 0;
    for (m = top; m; m = mount_next_if(recursive, m, top))
        m->copy = NULL;
    for (m = top; m && !err; m = mount_next_if(recursive, m, top)) {
        unsigned int before = READ_ONCE(m->flags), now = changed_flags(m, c);
        err = mount_check_kept_flags(m, now);
        if (err || !(now & ~before & MS_RDONLY))
            continue;
        err = set_own_flags(m, before | MS_RDONLY);
        m->copy = err ? NULL : m;
    }
    return err;
}

int mount_change_flags(const struct path *at, const struct mount_change *c, bool recursive) {
    struct mount *top = at->mount, *m;
    uint64_t first;
    if (!path_is_mount_root(at))
        return -EINVAL;
    mutex_lock(&mount_mutex);
    bool known = mount_is_mine(top) || mount_is_detached_root(top);
    int err = known ? prepare(top, c, recursive) : -EINVAL;
    if (!err && c->propagation == MS_SHARED)
        err = mount_make_shared(top, recursive, &first);
    for (m = known ? top : NULL; m; m = mount_next_if(recursive, m, top)) {
        if (err && m->copy)
            WRITE_ONCE(m->flags, m->flags & ~(unsigned int)MS_RDONLY);
        if (err)
            continue;
        WRITE_ONCE(m->flags, changed_flags(m, c));
        if (c->propagation)
            set_type(m, c->propagation);
    }
    mount_unlock();
    return err;
}
