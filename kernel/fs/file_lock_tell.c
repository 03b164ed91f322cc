// SPDX-License-Identifier: MIT
// What /proc tells of the locks and leases on files, and of those who wait for a lock.
#include "core/panic.h"
#include "fs/file_lock.h"
#include "fs/file_lock_list.h"
#include "fs/lease.h"

typedef int tell_fn(const struct file_lock_info *l, void *arg);

static struct file_lock_info info_of(const struct file_lock_list *list, const struct file_lock *l) {
    static const char *const kinds[] = {
        [KIND_FLOCK] = "FLOCK ", [KIND_POSIX] = "POSIX ", [KIND_OFD] = "OFDLCK"};
    return (struct file_lock_info){.kind = kinds[l->kind],
                                   .state = "ADVISORY",
                                   .type = l->type,
                                   .pid = l->kind == KIND_OFD ? -1 : l->pid,
                                   .dev = list->dev,
                                   .ino = list->ino,
                                   .first = l->first,
                                   .last = l->last == END_OF_FILE ? -1 : l->last,
                                   .serial = l->serial};
}

// Who comes after w among those who wait for a lock: first who waits behind w. *level: how far behind the lock, of w and then of that one.
static const struct lock_waiter *next_waiter(const struct lock_waiter *w, unsigned int *level) {
    if (!list_empty(&w->wish.blocked)) {
        ++*level;
        return list_first_entry(&w->wish.blocked, struct lock_waiter, link);
    }
    while (w && w->link.next == &w->behind->blocked) { // the last there
        w = w->behind->waiter;
        --*level;
    }
    return w ? list_entry(w->link.next, struct lock_waiter, link) : NULL;
}

static int tell_waiting(const struct file_lock_list *list, const struct file_lock *l, tell_fn *fn,
                        void *arg) {
    const struct lock_waiter *w =
        list_empty(&l->blocked) ? NULL : list_first_entry(&l->blocked, struct lock_waiter, link);
    int err = 0;
    for (unsigned int level = 1; w && !err; w = next_waiter(w, &level)) {
        struct file_lock_info info = info_of(list, &w->wish);
        info.behind = l->serial;
        info.level = level;
        err = fn(&info, arg);
        if (!err)
            err = cond_resched_killable();
    }
    return err;
}

static int tell_owner(const struct file_lock_list *list, struct lock_owner *o, bool waiting, tell_fn *fn,
                      void *arg) {
    struct file_lock *l;
    int err = 0;
    RB_FOREACH (l, owner_locks, &o->locks) {
        const struct file_lock_info info = info_of(list, l);
        err = fn(&info, arg);
        if (!err && waiting)
            err = tell_waiting(list, l, fn, arg);
        if (!err)
            err = cond_resched_killable();
        if (err)
            break;
    }
    return err;
}

// An owner's (file NULL: everybody's, and those that are waited for).
static int tell(struct file_lock_list *list, const void *file, const void *files, tell_fn *fn, void *arg) {
    struct lock_owner *o;
    int err = mutex_lock_killable(&list->lock);
    if (err)
        return err;
    list_for_each_entry (o, &list->owners, link) {
        if (!file || o->owner == (o->kind == KIND_POSIX ? files : file))
            err = tell_owner(list, o, !file, fn, arg);
        if (!err)
            err = cond_resched_killable();
        if (err)
            break;
    }
    if (!err)
        err = lease_tell_locked(list, file, fn, arg);
    mutex_unlock(&list->lock);
    return err;
}

int file_locks_for_each(tell_fn *fn, void *arg) {
    struct file_lock_list mark = {0}, *list;
    int err = 0;
    file_lock_lists_enter(&mark);
    while (!err && (list = file_lock_list_next(&mark))) {
        err = tell(list, NULL, NULL, fn, arg);
        file_lock_list_put(list);
        if (!err)
            err = cond_resched_killable();
    }
    file_lock_lists_leave(&mark);
    return err;
}

int file_locks_for_each_of(struct file *f, const void *files, tell_fn *fn, void *arg) {
    struct file_lock_list *list = f->inode ? __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE) : NULL;
    return list ? tell(list, f, files, fn, arg) : 0;
}
