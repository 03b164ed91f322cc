// SPDX-License-Identifier: MIT
// inotify(7). An instance has watches (notify.h), each with a number, and a queue of what they told. Watches and their instance know
// each other: a watch is a reference to the instance, and the instance's table one to the watch, from which it goes when its
// inode loses it.
//
// Events are made where something happens and are bytes of the instance's user. Where there is no memory, or more would not be
// right, an event that says so (IN_Q_OVERFLOW) stands for what is lost; that one is always there.
#include "fs/event/inotify.h"
#include "core/errno.h"
#include "fs/event/notify.h"
#include "fs/event/poll.h"
#include "fs/handle.h"
#include "fs/superblock.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/tree.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/user.h"
#include <asm/ioctls.h>
#include <linux/fcntl.h>

#define TOLD_BITS (IN_ALL_EVENTS | IN_ISDIR | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW)

unsigned long inotify_events_max = INOTIFY_EVENTS_MAX;

struct event {
    struct list_head link;
    int wd;
    uint32_t mask, cookie;
    size_t name_len; // 0: without
    char name[];
};

struct inotify_watch {
    struct watch watch;
    RB_ENTRY(inotify_watch) node; // [l] in its instance's table
    bool listed;                  // [l] it is there
    int wd;                       // [I] once listed
    struct inotify *instance;     // [I] a reference
};
RB_HEAD(watch_tree, inotify_watch);

// Key: [l] lock, [c] changes.
struct inotify {
    struct refcount refs;      // the file, and each watch
    struct mutex changes;      // who adds watches, of which an inode has one, or takes one away
    struct spinlock lock;      // after the lock of an inode's watches
    struct watch_tree watches; // [l]
    int last_wd;               // [l]
    struct list_head events;   // [l] the oldest first
    unsigned long count, max;  // [l] events; [I]
    size_t bytes;              // [l] as they are read
    struct event overflow;     // [l] in `events`, or its link is empty
    struct wait_queue wait;
    struct user *user; // [I] a reference
};

// The newest first, as they are told of.
static int watch_compare(const struct inotify_watch *a, const struct inotify_watch *b) {
    return a->wd > b->wd ? -1 : a->wd < b->wd;
}
RB_GENERATE_STATIC(watch_tree, inotify_watch, node, watch_compare)

static struct inotify_watch *to_inotify(const struct watch *w) {
    return container_of(w, struct inotify_watch, watch);
}

// ---- the queue

// What is read behind the head: the name with at least one NUL, so that the next event is aligned.
static size_t room_of_name(const struct event *e) {
    return e->name_len ? ALIGN_UP(e->name_len + 1, sizeof(struct inotify_event)) : 0;
}

static size_t size_of(const struct event *e) {
    return sizeof(struct inotify_event) + room_of_name(e);
}

static void append_locked(struct inotify *i, struct event *e) {
    ASSERT_HELD(&i->lock);
    list_add_tail(&e->link, &i->events);
    i->count++;
    i->bytes += size_of(e);
}

static void overflow_locked(struct inotify *i) {
    ASSERT_HELD(&i->lock);
    if (list_empty(&i->overflow.link))
        append_locked(i, &i->overflow);
}

static bool is_repeated_locked(const struct inotify *i, int wd, const struct notify_event *new) {
    ASSERT_HELD(&i->lock);
    if (list_empty(&i->events))
        return false;
    const struct event *last = list_entry(i->events.prev, struct event, link);
    return last->mask == new->mask && last->wd == wd && !(last->mask & IN_IGNORED) &&
           last->name_len == new->len && !memcmp(last->name, new->name ? new->name : "", new->len);
}

// NULL: no memory, or the user has had enough of it.
static struct event *make_event(struct inotify *i, int wd, const struct notify_event *what) {
    size_t size = sizeof(struct event) + what->len + 1;
    if (memory_is_short())
        return NULL;
    struct event *e =
        (unsigned long)user_charge(i->user, USER_EVENT_BYTES, (long)size) <= READ_ONCE(limits.event_bytes_max)
            ? kmalloc(size)
            : NULL;
    if (!e) {
        user_uncharge(i->user, USER_EVENT_BYTES, (long)size);
        return NULL;
    }
    *e = (struct event){.wd = wd, .mask = what->mask, .cookie = what->cookie, .name_len = what->len};
    if (what->len)
        memcpy(e->name, what->name, what->len);
    e->name[what->len] = '\0';
    return e;
}

static void free_event(struct inotify *i, struct event *e) {
    if (e == &i->overflow)
        return;
    user_uncharge(i->user, USER_EVENT_BYTES, (long)(sizeof(*e) + e->name_len + 1));
    kfree(e);
}

static void queue(struct inotify *i, int wd, const struct notify_event *what) {
    spin_lock(&i->lock);
    bool full = i->count >= i->max;
    if (full || !is_repeated_locked(i, wd, what)) {
        struct event *e = full ? NULL : make_event(i, wd, what);
        if (e)
            append_locked(i, e);
        else
            overflow_locked(i);
    }
    spin_unlock(&i->lock);
    wake_poll(&i->wait, POLLIN | POLLRDNORM);
}

// The oldest, if `room` is enough for it: the caller's. NULL: there is none; ERR_PTR(-EINVAL).
static struct event *take(struct inotify *i, size_t room) {
    struct event *e = NULL;
    spin_lock(&i->lock);
    if (!list_empty(&i->events)) {
        e = list_first_entry(&i->events, struct event, link);
        if (size_of(e) > room) {
            e = ERR_PTR(-EINVAL);
        } else {
            list_del(&e->link);
            i->count--;
            i->bytes -= size_of(e);
        }
    }
    spin_unlock(&i->lock);
    return e;
}

static void instance_put(struct inotify *i) {
    struct event *e;
    if (!ref_put(&i->refs))
        return;
    while ((e = take(i, SIZE_MAX))) {
        free_event(i, e);
        cond_resched();
    }
    user_put(i->user);
    kfree(i);
}

// ---- watches

// [the lock of the inode's watches]
static bool watch_tell(struct watch *w, const struct notify_event *e) {
    struct inotify_watch *iw = to_inotify(w);
    struct notify_event told = *e;
    told.mask &= TOLD_BITS;
    queue(iw->instance, iw->wd, &told);
    return w->flags & IN_ONESHOT;
}

static bool unlist(struct inotify_watch *iw) {
    struct inotify *i = iw->instance;
    spin_lock(&i->lock);
    bool was = iw->listed;
    if (was)
        RB_REMOVE(watch_tree, &i->watches, iw);
    iw->listed = false;
    spin_unlock(&i->lock);
    return was;
}

static void watch_gone(struct watch *w) {
    struct inotify_watch *iw = to_inotify(w);
    queue(iw->instance, iw->wd, &(struct notify_event){.mask = IN_IGNORED});
    if (unlist(iw))
        watch_put(w);
}

static void watch_free(struct watch *w) {
    struct inotify_watch *iw = to_inotify(w);
    user_uncharge(iw->instance->user, USER_INOTIFY_WATCHES, 1);
    instance_put(iw->instance);
    kfree(iw);
}

static const struct watch_ops watch_ops = {.tell = watch_tell, .gone = watch_gone, .free = watch_free};

static bool is_of(const struct watch *w, const void *instance) {
    return w->ops == &watch_ops && to_inotify(w)->instance == instance;
}

static struct inotify_watch *make_watch(struct inotify *i) {
    if ((unsigned long)user_charge(i->user, USER_INOTIFY_WATCHES, 1) >
        READ_ONCE(limits.inotify_watches_max)) {
        user_uncharge(i->user, USER_INOTIFY_WATCHES, 1);
        return ERR_PTR(-ENOSPC);
    }
    struct inotify_watch *iw = memory_is_short() ? NULL : kzalloc(sizeof(*iw));
    if (!iw) {
        user_uncharge(i->user, USER_INOTIFY_WATCHES, 1);
        return ERR_PTR(-ENOMEM);
    }
    ref_get(&i->refs);
    iw->instance = i;
    return iw;
}

// The next number that is free: one is not given out again soon.
static void list_watch(struct inotify *i, struct inotify_watch *iw) {
    spin_lock(&i->lock);
    do {
        iw->wd = i->last_wd = i->last_wd == INT32_MAX ? 1 : i->last_wd + 1;
    } while (RB_INSERT(watch_tree, &i->watches, iw));
    iw->listed = true;
    spin_unlock(&i->lock);
}

static int watch_locked(struct inotify *i, struct dentry *d, uint32_t mask) {
    ASSERT_HELD(&i->changes);
    uint32_t events = mask & IN_ALL_EVENTS, flags = mask & (IN_EXCL_UNLINK | IN_ONESHOT);
    struct watch *w = watch_find(d->inode, is_of, i);
    if (w) {
        int wd = to_inotify(w)->wd;
        if (mask & IN_MASK_CREATE)
            wd = -EEXIST;
        else if (mask & IN_MASK_ADD)
            watch_change(w, d, w->mask | events, w->flags | flags);
        else
            watch_change(w, d, events, flags);
        watch_put(w);
        return wd;
    }
    struct inotify_watch *iw = make_watch(i);
    if (IS_ERR(iw))
        return (int)PTR_ERR(iw);
    watch_init(&iw->watch, d->inode, &watch_ops, events, flags);
    list_watch(i, iw);
    int wd = iw->wd; // it may go at once
    watch_add(&iw->watch, d);
    return wd;
}

int inotify_watch(struct file *f, struct path *path, uint32_t mask) {
    struct inotify *i = f->private_data;
    mutex_lock(&i->changes);
    int wd = watch_locked(i, path->dentry, mask);
    mutex_unlock(&i->changes);
    return wd;
}

// The first with a number from `wd` on, referenced, or NULL.
static struct inotify_watch *watch_from(struct inotify *i, int wd) {
    struct inotify_watch key = {.wd = wd};
    spin_lock(&i->lock);
    struct inotify_watch *iw = RB_NFIND(watch_tree, &i->watches, &key);
    if (iw)
        ref_get(&iw->watch.refs);
    spin_unlock(&i->lock);
    return iw;
}

int inotify_unwatch(struct file *f, int wd) {
    struct inotify *i = f->private_data;
    mutex_lock(&i->changes); // or it may not be its inode's yet
    struct inotify_watch *iw = watch_from(i, wd);
    int err = iw && iw->wd == wd ? 0 : -EINVAL;
    if (!err)
        watch_remove(&iw->watch);
    mutex_unlock(&i->changes);
    if (iw)
        watch_put(&iw->watch);
    return err;
}

// ---- the file

static bool has_events(const struct inotify *i) {
    return READ_ONCE(i->events.next) != &i->events;
}

static ssize_t give(struct inotify *i, struct uio *u, struct event *e) {
    static const char zeros[sizeof(struct inotify_event)];
    size_t room = room_of_name(e), n = e->name_len;
    struct {
        int wd;
        uint32_t mask, cookie, len;
    } head = {.wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = room};
    bool done = uio_put_object(u, head) && uio_write_to(u, e->name, n) == n &&
                uio_write_to(u, zeros, room - n) == room - n;
    free_event(i, e);
    return done ? (ssize_t)(sizeof(head) + room) : -EFAULT;
}

static ssize_t inotify_read(struct file *f, struct uio *u, off_t *pos) {
    struct inotify *i = f->private_data;
    ssize_t done = 0;
    (void)pos;
    for (;;) {
        struct event *e = take(i, u->resid);
        if (IS_ERR(e))
            return done ? done : PTR_ERR(e);
        if (!e && done)
            return done;
        if (e) {
            ssize_t n = give(i, u, e);
            if (n < 0)
                return n;
            done += n;
            if (cond_resched_killable())
                return done;
            continue;
        }
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible(&i->wait, has_events(i));
        if (err)
            return err;
    }
}

static unsigned int inotify_poll(struct file *f, struct poll_table *table) {
    struct inotify *i = f->private_data;
    poll_wait(f, &i->wait, table);
    return has_events(i) ? POLLIN | POLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct inotify *i = f->private_data;
    return cmd == FIONREAD ? put_user((int)MIN(READ_ONCE(i->bytes), (size_t)INT32_MAX), (int __user *)arg)
                           : -ENOTTY;
}

static size_t inotify_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    struct inotify_watch *iw =
        *at >= INT32_MAX ? NULL : watch_from(f->private_data, INT32_MAX - (int)*at); // no number is 0
    if (!iw)
        return 0;
    const struct inode *inode = iw->watch.inode;
    const struct told_handle handle = handle_told_of(inode);
    *at = INT32_MAX - (uint64_t)iw->wd + 1;
    size_t len = (size_t)lib_snprintf(
        line, n,
        "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0 fhandle-bytes:%x fhandle-type:%x f_handle:",
        iw->wd, (unsigned long)inode->ino, (unsigned int)inode->sb->dev,
        READ_ONCE(iw->watch.mask) | READ_ONCE(iw->watch.flags), (unsigned int)sizeof(handle.words),
        handle.type);
    for (unsigned int i = 0; i < sizeof(handle.words); i++)
        len += (size_t)lib_snprintf(line + len, n - len, "%02x", ((const unsigned char *)handle.words)[i]);
    len += (size_t)lib_snprintf(line + len, n - len, "\n");
    watch_put(&iw->watch);
    return len;
}

static void inotify_release(struct file *f) {
    struct inotify *i = f->private_data;
    struct inotify_watch *iw;
    while ((iw = watch_from(i, INT32_MAX))) {
        watch_remove(&iw->watch);
        if (unlist(iw)) // unless another takes it from its inode just now
            watch_put(&iw->watch);
        watch_put(&iw->watch);
        cond_resched();
    }
    user_uncharge(i->user, USER_INOTIFY, 1);
    instance_put(i);
}

static const struct file_ops inotify_ops = {.read = inotify_read,
                                            .poll = inotify_poll,
                                            .ioctl = inotify_ioctl,
                                            .describe = inotify_describe,
                                            .release = inotify_release,
                                            .signals = true};

bool inotify_is(const struct file *f) {
    return f->ops == &inotify_ops;
}

struct file *inotify_create(int flags) {
    struct user *user = current->cred->user;
    if ((unsigned long)user_charge(user, USER_INOTIFY, 1) > READ_ONCE(limits.inotify_max)) {
        user_uncharge(user, USER_INOTIFY, 1);
        return ERR_PTR(-EMFILE);
    }
    struct inotify *i = kzalloc(sizeof(*i));
    struct file *f = i ? file_create_anon("inotify", &inotify_ops, i, O_RDONLY | flags) : ERR_PTR(-ENOMEM);
    if (IS_ERR(f)) {
        user_uncharge(user, USER_INOTIFY, 1);
        kfree(i);
        return f;
    }
    ref_init(&i->refs);
    mutex_init(&i->changes);
    spin_init(&i->lock);
    wait_queue_init(&i->wait);
    list_init(&i->events);
    list_init(&i->overflow.link);
    i->overflow.wd = -1;
    i->overflow.mask = IN_Q_OVERFLOW;
    i->max = READ_ONCE(inotify_events_max);
    i->user = user_get(user);
    return f;
}
