// SPDX-License-Identifier: MIT
// Leases (lease.h).
//
// A lease belongs to an open file. Who opens the file otherwise than it allows *breaks* it: the lease is told what it is to become (nothing,
// or a lease for reading), its holder gets the file's signal (async.h), and both wait: one for the lease to become that, by the holder's
// fcntl(2) or close(2), the other for lease_break_time at most: then it becomes so by itself, whoever looks first.
//
// A file counts how often it is open for reading and for writing (inode->readers, writers). Who opens counts himself before he looks for
// leases; who wants a lease puts it there before he looks at the counts, with a full barrier between both. So one of them sees the other.
#include "fs/lease.h"
#include "core/panic.h"
#include "fs/async.h"
#include "fs/superblock.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include <linux/capability.h>

struct lease {
    struct list_head link;     // [lock] in the inode's list
    struct file *file;         // [I] not referenced: the lease goes with it
    pid_t pid;                 // [I] who asked for it
    uint64_t serial;           // [I] file_lock_info's
    struct user *user;         // [I] to whom it is charged, as locks are; a reference
    short type;                // [lock] F_RDLCK, F_WRLCK
    bool ends, sinks;          // [lock] it is being broken: to nothing, to F_RDLCK
    ktime_t ends_at, sinks_at; // [lock] when it does so by itself
};

unsigned long lease_break_time = 45;
unsigned long leases_enabled = 1;

// NULL: no memory, or the user has too many.
static struct lease *lease_alloc(struct file *f, int type) {
    struct user *user;
    struct lease *l = file_lock_alloc(sizeof(*l), &user);
    if (l)
        *l = (struct lease){
            .file = f, .pid = current->pid, .serial = file_lock_serial(), .user = user, .type = (short)type};
    return l;
}

static void lease_free(struct lease *l) {
    file_lock_free(l, l ? l->user : NULL);
}

static short target(const struct lease *l) {
    return l->ends ? F_UNLCK : l->sinks ? F_RDLCK : l->type;
}

// It gets the type that its holder wants, or has to take.
static void change_locked(struct file_lock_list *list, struct lease *l, short type) {
    ASSERT_HELD(&list->lock);
    WRITE_ONCE(list->changes, list->changes + 1);
    if (type == F_UNLCK) {
        list_del(&l->link);
        async_disown(l->file);
        lease_free(l);
        return;
    }
    l->type = type;
    l->sinks &= type == F_WRLCK;
}

// Leases whose time has come. True if there were any.
static bool time_out_locked(struct file_lock_list *list) {
    ASSERT_HELD(&list->lock);
    ktime_t now = clock_monotonic();
    struct lease *l, *next;
    bool any = false;
    list_for_each_entry_safe (l, next, &list->leases, link) {
        bool sinks = l->sinks && now >= l->sinks_at, ends = l->ends && now >= l->ends_at;
        any |= sinks || ends;
        if (sinks)
            change_locked(list, l, F_RDLCK);
        if (ends)
            change_locked(list, l, F_UNLCK);
        cond_resched();
    }
    return any;
}

static struct lease *find_locked(const struct file_lock_list *list, const struct file *f) {
    ASSERT_HELD(&list->lock);
    struct lease *l;
    list_for_each_entry (l, &list->leases, link) {
        if (l->file == f)
            return l;
        cond_resched();
    }
    return NULL;
}

// ---- having one

static int check_opens(const struct file *f, int type) {
    const struct inode *inode = f->inode;
    bool writes = (f->flags & O_ACCMODE) != O_RDONLY;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    int writers = READ_ONCE(inode->writers), readers = READ_ONCE(inode->readers);
    bool open = type == F_RDLCK ? writers > 0 : writers != writes || readers != !writes;
    return open ? -EAGAIN : 0;
}

static int check_others_locked(const struct file_lock_list *list, const struct file *f, int type) {
    ASSERT_HELD(&list->lock);
    const struct lease *l;
    list_for_each_entry (l, &list->leases, link) {
        if (l->file != f && (type == F_WRLCK || l->ends))
            return -EAGAIN;
        cond_resched();
    }
    return 0;
}

// *new is taken if it is used.
static int add_locked(struct file_lock_list *list, struct file *f, int type, struct lease **new) {
    ASSERT_HELD(&list->lock);
    int err = check_opens(f, type);
    if (!err)
        err = check_others_locked(list, f, type);
    struct lease *own = find_locked(list, f);
    if (!err && own) {
        change_locked(list, own, (short)type);
        return 0;
    }
    if (err || !READ_ONCE(leases_enabled))
        return err ? err : -EINVAL;
    list_add_tail(&(*new)->link, &list->leases);
    err = check_opens(f, type); // who opened meanwhile may have seen no lease
    if (err)
        list_del(&(*new)->link);
    else
        *new = NULL;
    return err;
}

static int add(struct file *f, int fd, int type) {
    struct file_lock_list *list = file_lock_list_get(f->inode);
    struct lease *new = list ? lease_alloc(f, type) : NULL;
    if (!new)
        return -ENOMEM;
    int err = async_prepare(f, fd);
    if (!err) {
        mutex_lock(&list->lock);
        time_out_locked(list);
        err = add_locked(list, f, type, &new);
        mutex_unlock(&list->lock);
        wake_all(&list->released);
    }
    lease_free(new);
    return err;
}

// -EAGAIN: it has none.
static int take_away(struct file *f) {
    struct file_lock_list *list = __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE);
    if (!list)
        return -EAGAIN;
    mutex_lock(&list->lock);
    struct lease *l = find_locked(list, f);
    if (l)
        change_locked(list, l, F_UNLCK);
    mutex_unlock(&list->lock);
    if (l)
        wake_all(&list->released);
    return l ? 0 : -EAGAIN;
}

int lease_set(struct file *f, int fd, int type) {
    const struct inode *inode = f->inode;
    if ((type != F_RDLCK && type != F_WRLCK && type != F_UNLCK) || !inode)
        return -EINVAL;
    if (current->cred->fsuid != inode->uid && !capable(CAP_LEASE))
        return -EACCES;
    if (!S_ISREG(inode->mode) || inode->sb->type->no_leases)
        return -EINVAL;
    return type == F_UNLCK ? take_away(f) : add(f, fd, type);
}

int lease_get(struct file *f) {
    struct file_lock_list *list = f->inode ? __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE) : NULL;
    if (!list)
        return F_UNLCK;
    mutex_lock(&list->lock);
    bool changed = time_out_locked(list);
    const struct lease *l = find_locked(list, f);
    int type = l ? target(l) : F_UNLCK;
    mutex_unlock(&list->lock);
    if (changed)
        wake_all(&list->released);
    return type;
}

void lease_forget(struct file *f) {
    int none = take_away(f);
    (void)none;
}

// ---- breaking it

static bool stands_against(const struct lease *l, bool write) {
    return write || l->type == F_WRLCK;
}

// Tells holders. True if there are any to wait for.
static bool tell_locked(struct file_lock_list *list, bool write) {
    ASSERT_HELD(&list->lock);
    uint64_t seconds = READ_ONCE(lease_break_time);
    ktime_t until = seconds ? clock_monotonic() + (ktime_t)seconds * NSEC_PER_SEC : KTIME_NEVER;
    struct lease *l;
    bool any = false;
    list_for_each_entry (l, &list->leases, link) {
        cond_resched();
        if (!stands_against(l, write))
            continue;
        any = true;
        if (l->ends || (l->sinks && !write))
            continue; // its holder knows
        if (write) {
            l->ends = true;
            l->ends_at = until;
        } else {
            l->sinks = true;
            l->sinks_at = until;
        }
        async_message(l->file);
    }
    return any;
}

// *until: when the next one becomes by itself what it is to become; *seen: which changes of leases this is after.
static bool must_wait(struct file_lock_list *list, bool write, ktime_t *until, unsigned long *seen) {
    struct lease *l;
    bool any = false;
    *until = KTIME_NEVER;
    mutex_lock(&list->lock);
    time_out_locked(list); // others who wait have their own time
    *seen = list->changes;
    list_for_each_entry (l, &list->leases, link) {
        cond_resched();
        if (!stands_against(l, write))
            continue;
        any = true;
        *until = MIN(*until, MIN(l->ends ? l->ends_at : KTIME_NEVER, l->sinks ? l->sinks_at : KTIME_NEVER));
    }
    mutex_unlock(&list->lock);
    return any;
}

int lease_break_slow(struct inode *inode, int flags) {
    struct file_lock_list *list = inode->locks;
    bool write = (flags & O_ACCMODE) != O_RDONLY;
    ktime_t until;
    unsigned long seen;
    mutex_lock(&list->lock);
    bool changed = time_out_locked(list), waits = tell_locked(list, write);
    mutex_unlock(&list->lock);
    if (changed)
        wake_all(&list->released);
    if (waits && flags & O_NONBLOCK)
        return -EWOULDBLOCK;
    int err = 0;
    while (!err && must_wait(list, write, &until, &seen)) {
        err = wait_event_interruptible_deadline(&list->released, READ_ONCE(list->changes) != seen, until);
        err = err == -ETIME ? 0 : err;
    }
    return err;
}

// ---- for /proc

int lease_tell_locked(const struct file_lock_list *list, const void *f,
                      int (*fn)(const struct file_lock_info *l, void *arg), void *arg) {
    ASSERT_HELD(&list->lock);
    const struct lease *l;
    int err = 0;
    list_for_each_entry (l, &list->leases, link) {
        const struct file_lock_info info = {.kind = "LEASE ",
                                            .state = l->ends || l->sinks ? "BREAKING" : "ACTIVE",
                                            .type = target(l),
                                            .pid = l->pid,
                                            .dev = list->dev,
                                            .ino = list->ino,
                                            .last = -1,
                                            .serial = l->serial};
        if (!f || l->file == f)
            err = fn(&info, arg);
        if (!err)
            err = cond_resched_killable();
        if (err)
            break;
    }
    return err;
}
