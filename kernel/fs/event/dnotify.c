// SPDX-License-Identifier: MIT
// F_NOTIFY (dnotify.h). Each is a watch (notify.h) that belongs to an open file and a table of descriptors, and goes when the table
// closes the file, so it need not keep either. What it waits for, DN_*, stands in its flags. Signals are sent as those of O_ASYNC
// are (async.h): a little later, so that more than one event of a call can be one signal.
#include "fs/event/dnotify.h"
#include "core/errno.h"
#include "fs/async.h"
#include "fs/event/notify.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/user.h"
#include <linux/fcntl.h>
#include <linux/stat.h>

struct dnotify {
    struct watch watch;        // flags: DN_*
    const struct files *files; // [I] not referenced
    struct file *file;         // [I] not referenced
    struct user *user;         // [I] a reference
    uint32_t moved;            // [n] cookie of the last name that was moved away
};

unsigned long dnotify_enabled = 1;
static struct mutex changes =
    MUTEX_INIT(changes); // who adds one, of which a file and a table have one, or takes one away

static struct dnotify *to_dnotify(const struct watch *w) {
    return container_of(w, struct dnotify, watch);
}

// IN_* in which these DN_* show.
static uint32_t events_of(uint32_t asked) {
    static const uint32_t events[][2] = {{DN_ACCESS, IN_ACCESS},
                                         {DN_MODIFY, IN_MODIFY},
                                         {DN_CREATE, IN_CREATE | IN_MOVED_TO},
                                         {DN_DELETE, IN_DELETE | IN_MOVED_FROM},
                                         {DN_RENAME, IN_MOVED_FROM | IN_MOVED_TO},
                                         {DN_ATTRIB, IN_ATTRIB}};
    uint32_t mask = 0;
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        mask |= asked & events[i][0] ? events[i][1] : 0;
    return mask;
}

// DN_RENAME is of a name that stays in the directory: it goes, and comes with the same cookie. [n]
static bool is_rename(struct dnotify *d, const struct notify_event *e) {
    if (e->mask & IN_MOVED_FROM)
        d->moved = e->cookie;
    return e->mask & IN_MOVED_TO && e->cookie == d->moved;
}

// [the lock of the inode's watches]
static bool watch_tell(struct watch *w, const struct notify_event *e) {
    struct dnotify *d = to_dnotify(w);
    bool renamed = is_rename(d, e) && w->flags & DN_RENAME;
    if (!renamed && !(events_of(w->flags & ~DN_RENAME) & e->mask))
        return false;
    async_message(d->file); // which is open: closing it takes the watch away first
    return !(w->flags & DN_MULTISHOT);
}

static void watch_gone(struct watch *w) {
    (void)w;
}

static void watch_free(struct watch *w) {
    struct dnotify *d = to_dnotify(w);
    user_uncharge(d->user, USER_INOTIFY_WATCHES, 1);
    user_put(d->user);
    kfree(d);
}

static const struct watch_ops watch_ops = {.tell = watch_tell, .gone = watch_gone, .free = watch_free};

struct owner {
    const struct file *file;
    const struct files *files;
};

static bool is_of(const struct watch *w, const void *arg) {
    const struct owner *owner = arg;
    return w->ops == &watch_ops && to_dnotify(w)->file == owner->file && to_dnotify(w)->files == owner->files;
}

static int add_locked(struct file *f, const struct files *files, uint32_t asked) {
    ASSERT_HELD(&changes);
    struct user *user = current->cred->user;
    bool may =
        (unsigned long)user_charge(user, USER_INOTIFY_WATCHES, 1) <= READ_ONCE(limits.inotify_watches_max);
    struct dnotify *d = may && !memory_is_short() ? kzalloc(sizeof(*d)) : NULL;
    if (!d) {
        user_uncharge(user, USER_INOTIFY_WATCHES, 1);
        return -ENOMEM;
    }
    user_get(user);
    d->file = f;
    d->files = files;
    d->user = user;
    watch_init(&d->watch, f->inode, &watch_ops, events_of(asked), asked);
    watch_add(&d->watch, f->path.dentry);
    watch_put(&d->watch);
    return 0;
}

// True: there is one, which asks for these, too. One that has told its last meanwhile does not count.
static bool change_locked(struct file *f, const struct files *files, uint32_t asked) {
    ASSERT_HELD(&changes);
    struct watch *w = watch_find(f->inode, is_of, &(struct owner){f, files});
    if (!w)
        return false;
    watch_change(w, f->path.dentry, w->mask | events_of(asked), w->flags | asked);
    bool there = READ_ONCE(w->link);
    watch_put(w);
    return there;
}

int dnotify_watch(struct file *f, struct files *files, int fd, unsigned int events) {
    if (!READ_ONCE(dnotify_enabled))
        return -EINVAL;
    if (!(events & ~DN_MULTISHOT)) {
        dnotify_close(f, files);
        return 0;
    }
    if (!f->inode || !S_ISDIR(f->inode->mode))
        return -ENOTDIR;
    int err = async_prepare(f, fd);
    if (err)
        return err;
    mutex_lock(&changes);
    if (!change_locked(f, files, events))
        err = add_locked(f, files, events);
    mutex_unlock(&changes);
    return err;
}

void dnotify_close(struct file *f, struct files *files) {
    struct watch *w = NULL;
    mutex_lock(&changes);
    if (f->inode)
        w = watch_find(f->inode, is_of, &(struct owner){f, files});
    if (w) {
        watch_remove(w);
        watch_put(w);
    }
    mutex_unlock(&changes);
}
