// SPDX-License-Identifier: MIT
// Locks on files. Three kinds: those of flock(2) belong to an open file and cover all of it; POSIX locks
// belong to a process, which is to say to its table of open files, and cover a range; "open file description"
// locks are ranges that belong to an open file. The latter two see each other, flock's are apart.
//
// An inode gets its list with the first lock and keeps it. In it are owners, in the order in which they came, each with a tree of his
// locks by their ranges, which do not overlap. A mutex guards it, and whoever goes through more than one tree's height yields: a user has
// as many locks on one file as he likes, and only those who want locks on that file wait for him.
//
// Who waits stands behind the lock in his way or, as on Linux, behind another whose wish is in his way and who waits for that lock already:
// so who lets go of a lock wakes only those who can have it now. Whoever is woken looks again; if he gets what he wants, those behind him
// wait for his lock; if he gives up, they are woken.
//
// Whoever is about to wait for a POSIX lock follows the way from owner to owner of what each waits for, on whatever file, and where that
// leads to himself there is a deadlock. For this alone, `behind` is written with `waiters_lock` held, too.
#include "fs/file_lock.h"
#include "core/panic.h"
#include "fs/file_lock_list.h"
#include "fs/lease.h"
#include "fs/superblock.h"
#include "mm/slab.h"
#include "sched/id.h"
#include "sched/user.h"
#include <linux/fs.h>

#define MAX_CHAIN 10   // owners that a deadlock may go through to be found, as in Linux
#define MAX_STEPS 1000 // waiters that are looked at for it

// ---- the lists

static struct spinlock lists_lock = SPINLOCK_INIT;
static struct list_head lists = LIST_HEAD_INIT(lists);

struct file_lock_list *file_lock_list_get(struct inode *inode) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE), *other = NULL;
    if (list)
        return list;
    list = kzalloc(sizeof(*list));
    if (!list)
        return NULL;
    ref_init(&list->refs);
    list->dev = inode->sb ? inode->sb->dev : 0;
    list->ino = inode->ino;
    mutex_init(&list->lock);
    list_init(&list->owners);
    list_init(&list->leases);
    wait_queue_init(&list->released);
    spin_lock(&lists_lock);
    bool first =
        __atomic_compare_exchange_n(&inode->locks, &other, list, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (first)
        list_add_tail(&list->link, &lists);
    spin_unlock(&lists_lock);
    if (first)
        return list;
    kfree(list); // another thread was faster
    return other;
}

void file_lock_list_put(struct file_lock_list *list) {
    if (ref_put(&list->refs))
        kfree(list);
}

void file_locks_free(struct inode *inode) {
    struct file_lock_list *list = inode->locks;
    spin_lock(&lists_lock);
    list_del(&list->link);
    spin_unlock(&lists_lock);
    inode->locks = NULL;
    file_lock_list_put(list);
}

void file_lock_lists_enter(struct file_lock_list *mark) {
    mark->is_mark = true;
    spin_lock(&lists_lock);
    list_add(&mark->link, &lists);
    spin_unlock(&lists_lock);
}

void file_lock_lists_leave(struct file_lock_list *mark) {
    spin_lock(&lists_lock);
    list_del(&mark->link);
    spin_unlock(&lists_lock);
}

struct file_lock_list *file_lock_list_next(struct file_lock_list *mark) {
    struct file_lock_list *list = NULL;
    spin_lock(&lists_lock);
    struct list_head *at = mark->link.next;
    while (at != &lists && list_entry(at, struct file_lock_list, link)->is_mark)
        at = at->next;
    if (at != &lists) {
        list = list_entry(at, struct file_lock_list, link);
        ref_get(&list->refs);
        list_del(&mark->link);
        list_add(&mark->link, at);
    }
    spin_unlock(&lists_lock);
    return list;
}

// ---- locks, owners, and what is in whose way

uint64_t file_lock_serial(void) {
    static uint64_t last; // [a]
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static int compare_locks(const struct file_lock *a, const struct file_lock *b) {
    return a->first < b->first ? -1 : a->first > b->first;
}
RB_GENERATE(owner_locks, file_lock, node, compare_locks)

static bool overlap(const struct file_lock *a, const struct file_lock *b) {
    return a->first <= b->last && b->first <= a->last;
}

// Of two owners.
static bool conflict(const struct file_lock *a, const struct file_lock *b) {
    return overlap(a, b) && (a->type == F_WRLCK || b->type == F_WRLCK);
}

static bool is_own(const struct lock_owner *o, const struct file_lock *l) {
    return o->kind == l->kind && o->owner == l->owner;
}

static struct lock_owner *find_owner(const struct file_lock_list *list, enum lock_kind kind,
                                     const void *owner) {
    ASSERT_HELD(&list->lock);
    struct lock_owner *o;
    list_for_each_entry (o, &list->owners, link) {
        if (o->kind == kind && o->owner == owner)
            return o;
        cond_resched();
    }
    return NULL;
}

// The first of an owner's locks that ends at `at` or behind.
static struct file_lock *first_behind(const struct lock_owner *o, off_t at) {
    struct file_lock *l = RB_ROOT(&o->locks), *found = NULL;
    while (l) {
        bool behind = l->last >= at;
        if (behind)
            found = l;
        l = behind ? RB_LEFT(l, node) : RB_RIGHT(l, node);
    }
    return found;
}

static struct file_lock *first_overlap(const struct lock_owner *o, const struct file_lock *wanted) {
    struct file_lock *l = first_behind(o, wanted->first);
    return l && l->first <= wanted->last ? l : NULL;
}

// An owner's first lock in the way of another's wish.
static struct file_lock *find_conflict_of(const struct lock_owner *o, const struct file_lock *wanted) {
    if (wanted->type == F_RDLCK && !o->writes)
        return NULL;
    struct file_lock *l = first_overlap(o, wanted);
    while (l && overlap(l, wanted) && !conflict(l, wanted)) {
        cond_resched();
        l = RB_NEXT(owner_locks, &o->locks, l);
    }
    return l && overlap(l, wanted) ? l : NULL;
}

static struct file_lock *find_conflict(const struct file_lock_list *list, const struct file_lock *wanted) {
    ASSERT_HELD(&list->lock);
    const struct lock_owner *o;
    list_for_each_entry (o, &list->owners, link) {
        bool same_world = (o->kind == KIND_FLOCK) == (wanted->kind == KIND_FLOCK);
        struct file_lock *l = same_world && !is_own(o, wanted) ? find_conflict_of(o, wanted) : NULL;
        if (l)
            return l;
        cond_resched();
    }
    return NULL;
}

// ---- waiting

static struct spinlock waiters_lock = SPINLOCK_INIT;
RB_HEAD(lock_waiters, lock_waiter);
static struct lock_waiters waiters = RB_INITIALIZER(&waiters);

// By whose they are.
static int compare_waiters(const struct lock_waiter *a, const struct lock_waiter *b) {
    if (a->wish.owner != b->wish.owner)
        return a->wish.owner < b->wish.owner ? -1 : 1;
    return a < b ? -1 : a > b;
}
RB_GENERATE_STATIC(lock_waiters, lock_waiter, node, compare_waiters)

// One that waits for a lock for this owner; NULL: none. [waiters_lock]
static const struct lock_waiter *waiter_of(const void *owner) {
    const struct lock_waiter *w = RB_ROOT(&waiters);
    while (w && w->wish.owner != owner)
        w = owner < w->wish.owner ? RB_LEFT(w, node) : RB_RIGHT(w, node);
    return w;
}

// Does the way from l through what each owner waits for lead to `owner`? [waiters_lock]
static bool closes_circle(const struct file_lock *l, const void *owner) {
    int links = 0;
    for (int steps = 0; steps < MAX_STEPS; steps++) {
        if (l->waiter && l->waiter->behind) { // on to what is set
            l = l->waiter->behind;
            continue;
        }
        if (l->kind != KIND_POSIX)
            return false;
        if (l->owner == owner)
            return true;
        const struct lock_waiter *w = waiter_of(l->owner);
        if (!w || !w->behind || ++links >= MAX_CHAIN)
            return false;
        l = w->behind;
    }
    return false;
}

static void set_behind(struct lock_waiter *w, struct file_lock *l) {
    spin_lock(&waiters_lock);
    WRITE_ONCE(w->behind, l);
    spin_unlock(&waiters_lock);
}

// All who wait for l look again.
static void wake_blocked(struct file_lock *l) {
    while (!list_empty(&l->blocked)) {
        struct lock_waiter *w = list_first_entry(&l->blocked, struct lock_waiter, link);
        list_del(&w->link);
        set_behind(w, NULL);
        thread_wake(w->thread); // it is there until it has had list->lock
        cond_resched();
    }
}

// Who waited behind a wish waits behind the lock that it became.
static void move_blocked(struct file_lock *from, struct file_lock *to) {
    struct lock_waiter *w;
    list_for_each_entry (w, &from->blocked, link) {
        set_behind(w, to);
        cond_resched();
    }
    list_splice_tail(&from->blocked, &to->blocked);
}

// The last in the row of those who wait for l that w has to wait for; l itself if there is none.
static struct file_lock *end_of_row(struct file_lock *l, const struct lock_waiter *w) {
    const struct list_head *at = l->blocked.next;
    while (at != &l->blocked) {
        struct lock_waiter *other = list_entry(at, struct lock_waiter, link);
        at = at->next;
        bool own = other->wish.kind == w->wish.kind && other->wish.owner == w->wish.owner;
        if (!own && conflict(&other->wish, &w->wish)) {
            l = &other->wish;
            at = l->blocked.next;
        }
        cond_resched();
    }
    return l;
}

// w is about to wait for l to go. -EAGAIN: it may; -EDEADLK.
static int wait_for(struct file_lock *l, struct lock_waiter *w) {
    bool posix = w->wish.kind == KIND_POSIX;
    struct file_lock *behind = end_of_row(l, w);
    spin_lock(&waiters_lock);
    bool deadlock = posix && closes_circle(behind, w->wish.owner);
    if (!deadlock)
        WRITE_ONCE(w->behind, behind);
    if (!deadlock && posix && !w->known) {
        RB_INSERT(lock_waiters, &waiters, w);
        w->known = true;
    }
    spin_unlock(&waiters_lock);
    if (deadlock)
        return -EDEADLK;
    list_add_tail(&w->link, &behind->blocked);
    wake_blocked(&w->wish); // maybe what is in w's way is not in theirs
    return -EAGAIN;
}

// w waits no longer, whether it has what it wished or not.
static void waiter_leave(struct file_lock_list *list, struct lock_waiter *w) {
    mutex_lock(&list->lock);
    list_del(&w->link);
    spin_lock(&waiters_lock);
    if (w->known)
        RB_REMOVE(lock_waiters, &waiters, w);
    spin_unlock(&waiters_lock);
    wake_blocked(&w->wish);
    mutex_unlock(&list->lock);
}

// ---- changing one's own locks

// What a change may need: the lock itself, and the second part of one that is cut in two.
struct spare {
    struct file_lock *lock, *rest;
};

void *file_lock_alloc(size_t size, struct user **user) {
    struct user *payer = current->real_cred->user;
    if (!user_may_charge(payer, USER_LOCKS, 1, READ_ONCE(limits.locks_max)))
        return NULL;
    void *memory = kzalloc(size);
    if (memory)
        *user = user_get(payer);
    else
        user_uncharge(payer, USER_LOCKS, 1);
    return memory;
}

void file_lock_free(void *memory, struct user *user) {
    if (!memory)
        return;
    user_uncharge(user, USER_LOCKS, 1);
    user_put(user);
    kfree(memory);
}

static struct file_lock *lock_alloc(void) {
    struct user *user;
    struct file_lock *l = file_lock_alloc(sizeof(*l), &user);
    if (l)
        l->user = user;
    return l;
}

static void lock_free(struct file_lock *l) {
    file_lock_free(l, l ? l->user : NULL);
}

// All but to whom it is charged.
static void lock_fill(struct file_lock *to, const struct file_lock *from) {
    struct user *user = to->user;
    *to = *from;
    to->user = user;
    to->waiter = NULL;
    list_init(&to->blocked);
}

// Who only gives up may have too many already, or no memory: only where a lock is cut in two more is needed.
static int spare_init(struct spare *s, const struct file_lock *wanted) {
    bool unlock = wanted->type == F_UNLCK;
    s->lock = unlock ? NULL : lock_alloc();
    s->rest = lock_alloc();
    return unlock || (s->lock && s->rest) ? 0 : -ENOLCK;
}

static void spare_free(struct spare *s) {
    lock_free(s->lock);
    lock_free(s->rest);
}

static void add(struct lock_owner *o, struct file_lock *l) {
    ASSERT(!RB_INSERT(owner_locks, &o->locks, l));
    o->writes += l->type == F_WRLCK;
}

static void drop(struct lock_owner *o, struct file_lock *l) {
    RB_REMOVE(owner_locks, &o->locks, l);
    o->writes -= l->type == F_WRLCK;
    wake_blocked(l);
    lock_free(l);
}

// Is `wanted` within one of the owner's locks, and leaves something before and behind it?
static bool cuts_in_two(const struct lock_owner *o, const struct file_lock *wanted) {
    const struct file_lock *l = first_overlap(o, wanted);
    return l && l->first < wanted->first && l->last > wanted->last;
}

// Takes the range of `wanted` out of the owner's locks.
static void cut_out(struct lock_owner *o, const struct file_lock *wanted, struct spare *s) {
    struct file_lock *l;
    while ((l = first_overlap(o, wanted))) {
        cond_resched();
        bool before = l->first<wanted->first, after = l->last> wanted->last;
        if (!before && !after) {
            drop(o, l);
            continue;
        }
        off_t last = l->last;
        if (before)
            l->last = wanted->first - 1;
        else
            l->first = wanted->last + 1; // it stays where it is in the tree
        if (before && after) {
            lock_fill(s->rest, l);
            s->rest->first = wanted->last + 1;
            s->rest->last = last;
            add(o, s->rest);
            s->rest = NULL;
            l->serial = file_lock_serial(); // Linux makes the first part anew
        }
        wake_blocked(l);
    }
}

// Joins `wanted` with the owner's locks of the same type that touch it.
static void join(struct lock_owner *o, struct file_lock *wanted) {
    struct file_lock *before = wanted->first ? first_behind(o, wanted->first - 1) : NULL;
    struct file_lock *after = wanted->last != END_OF_FILE ? first_behind(o, wanted->last + 1) : NULL;
    if (before && before->last == wanted->first - 1 && before->type == wanted->type) {
        wanted->serial = before->serial;
        wanted->first = before->first;
        drop(o, before);
    }
    if (after && after->first == wanted->last + 1 && after->type == wanted->type) {
        wanted->serial = after->serial;
        wanted->last = after->last;
        drop(o, after);
    }
}

static struct lock_owner *owner_add(struct file_lock_list *list, const struct file_lock *l) {
    ASSERT_HELD(&list->lock);
    struct lock_owner *o = kzalloc(sizeof(*o));
    if (!o)
        return NULL;
    o->kind = l->kind;
    o->owner = l->owner;
    RB_INIT(&o->locks);
    list_add_tail(&o->link, &list->owners);
    return o;
}

static void owner_drop_if_empty(struct lock_owner *o) {
    if (!RB_EMPTY(&o->locks))
        return;
    list_del(&o->link);
    kfree(o);
}

// The owner has `wanted` from now on (F_UNLCK: nothing in its range).
static void put_in(struct lock_owner *o, struct file_lock *wanted, struct spare *s, struct lock_waiter *w) {
    wanted->serial = file_lock_serial();
    cut_out(o, wanted, s);
    if (wanted->type != F_UNLCK) {
        join(o, wanted);
        lock_fill(s->lock, wanted);
        add(o, s->lock);
        if (w)
            move_blocked(&w->wish, s->lock);
        s->lock = NULL;
    }
    owner_drop_if_empty(o);
}

// flock(2) gives up the lock that it changes before it waits for others. True: it is so already.
static bool give_up_flock(struct file_lock_list *list, const struct file_lock *wanted) {
    struct lock_owner *o = find_owner(list, KIND_FLOCK, wanted->owner);
    if (!o)
        return false;
    struct file_lock *l = RB_ROOT(&o->locks);
    if (l->type == wanted->type)
        return true;
    drop(o, l);
    owner_drop_if_empty(o);
    return false;
}

// Replaces what the owner has in the range by `wanted` (F_UNLCK: by nothing), if nobody else's lock is in the
// way. 0, -EAGAIN, -ENOLCK, or with a waiter (NULL: it does not wait) -EDEADLK.
static int try_change_locked(struct file_lock_list *list, struct file_lock *wanted, struct spare *s,
                             struct lock_waiter *w) {
    ASSERT_HELD(&list->lock);
    if (wanted->kind == KIND_FLOCK && give_up_flock(list, wanted))
        return 0;
    struct file_lock *in_way = wanted->type != F_UNLCK ? find_conflict(list, wanted) : NULL;
    if (in_way)
        return w ? wait_for(in_way, w) : -EAGAIN;
    struct lock_owner *o = find_owner(list, wanted->kind, wanted->owner);
    if (!o && wanted->type == F_UNLCK)
        return 0;
    if (!o && !(o = owner_add(list, wanted)))
        return -ENOLCK;
    if (unlikely(!s->rest) && cuts_in_two(o, wanted))
        return -ENOLCK;
    put_in(o, wanted, s, w);
    return 0;
}

static int try_change(struct file_lock_list *list, struct file_lock *wanted, struct spare *s,
                      struct lock_waiter *w) {
    int err = mutex_lock_killable(&list->lock);
    if (err)
        return err;
    err = try_change_locked(list, wanted, s, w);
    mutex_unlock(&list->lock);
    return err;
}

static int change_waiting(struct file_lock_list *list, struct file_lock *wanted, struct spare *s) {
    struct lock_waiter w = {.wish = *wanted, .thread = current};
    bool waited = false;
    int err;
    list_init(&w.link);
    list_init(&w.wish.blocked);
    w.wish.waiter = &w;
    w.wish.serial = file_lock_serial();
    do {
        err = try_change(list, wanted, s, &w);
        if (err != -EAGAIN)
            break;
        waited = true;
        err = wait_until_woken(!READ_ONCE(w.behind), -ERESTARTSYS, (schedule(), 0));
    } while (!err);
    if (waited)
        waiter_leave(list, &w);
    return err;
}

static int change(struct inode *inode, struct file_lock *wanted, bool wait) {
    struct file_lock_list *list = file_lock_list_get(inode);
    struct spare s;
    if (!list)
        return -ENOLCK;
    int err = spare_init(&s, wanted);
    if (!err)
        err = wait && wanted->type != F_UNLCK ? change_waiting(list, wanted, &s)
                                              : try_change(list, wanted, &s, NULL);
    spare_free(&s);
    return err;
}

// All locks of an owner on the inode go.
static void drop_owner(struct inode *inode, enum lock_kind kind, const void *owner) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);
    struct file_lock *l;
    if (!list)
        return;
    mutex_lock(&list->lock);
    struct lock_owner *o = find_owner(list, kind, owner);
    while (o && (l = RB_ROOT(&o->locks))) {
        drop(o, l);
        cond_resched();
    }
    if (o)
        owner_drop_if_empty(o);
    mutex_unlock(&list->lock);
}

// ---- the calls

int file_flock(struct file *f, unsigned int op) {
    unsigned int what = op & ~LOCK_NB;
    if (op & LOCK_MAND)
        return 0; // of old: known, and nothing is done
    if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
        return -EINVAL;
    if (!f->inode)
        return -EBADF;
    struct file_lock wanted = {
        .kind = KIND_FLOCK,
        .owner = f,
        .pid = current->pid,
        .type = what == LOCK_SH   ? F_RDLCK
                : what == LOCK_EX ? F_WRLCK
                                  : F_UNLCK,
        .last = END_OF_FILE,
    };
    return change(f->inode, &wanted, !(op & LOCK_NB));
}

// The range that a struct flock names.
static int get_range(struct file *f, const struct flock *lock, struct file_lock *out) {
    off_t start = lock->l_start, base = 0;
    if (lock->l_whence == SEEK_CUR)
        base = f->pos;
    else if (lock->l_whence == SEEK_END)
        base = f->inode->size;
    else if (lock->l_whence != SEEK_SET)
        return -EINVAL;
    if (__builtin_add_overflow(start, base, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    out->first = start;
    out->last = END_OF_FILE;
    if (lock->l_len > 0 && __builtin_add_overflow(start, lock->l_len - 1, &out->last))
        return -EOVERFLOW;
    if (lock->l_len < 0) { // the bytes before
        out->first = start + lock->l_len;
        out->last = start - 1;
    }
    return out->first < 0 ? -EINVAL : 0;
}

// What F_OFD_GETLK says of F_UNLCK: a lock of the file's own in the range.
static const struct file_lock *find_own(const struct file_lock_list *list, const struct file_lock *wanted) {
    const struct lock_owner *o = find_owner(list, wanted->kind, wanted->owner);
    return o ? first_overlap(o, wanted) : NULL;
}

static int test(struct inode *inode, const struct file_lock *wanted, struct flock *lock) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);
    lock->l_type = F_UNLCK;
    int err = list ? mutex_lock_killable(&list->lock) : 0;
    if (!list || err)
        return err;
    const struct file_lock *l =
        wanted->type == F_UNLCK ? find_own(list, wanted) : find_conflict(list, wanted);
    if (l) {
        lock->l_type = l->type;
        lock->l_whence = SEEK_SET;
        lock->l_start = l->first;
        lock->l_len = l->last == END_OF_FILE ? 0 : l->last - l->first + 1;
        lock->l_pid = l->kind == KIND_POSIX ? l->pid : -1;
    }
    mutex_unlock(&list->lock);
    if (l)
        lock->l_pid = pid_shown(lock->l_pid);
    return 0;
}

int file_fcntl_lock(struct file *f, unsigned int cmd, struct flock *lock) {
    bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
    bool only_test = cmd == F_GETLK || cmd == F_OFD_GETLK;
    unsigned int access = f->flags & O_ACCMODE;
    struct file_lock wanted = {
        .kind = ofd ? KIND_OFD : KIND_POSIX,
        .owner = ofd ? (const void *)f : current->files,
        .pid = current->pid,
        .type = lock->l_type,
    };
    if (!f->inode || (ofd && lock->l_pid))
        return -EINVAL;
    if (lock->l_type != F_RDLCK && lock->l_type != F_WRLCK && (lock->l_type != F_UNLCK || cmd == F_GETLK))
        return -EINVAL;
    int err = get_range(f, lock, &wanted);
    if (err)
        return err;
    if (only_test)
        return test(f->inode, &wanted, lock);
    if ((lock->l_type == F_RDLCK && access == O_WRONLY) || (lock->l_type == F_WRLCK && access == O_RDONLY))
        return -EBADF;
    return change(f->inode, &wanted, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

void file_locks_close(struct file *f, const void *files) {
    drop_owner(f->inode, KIND_POSIX, files);
}

void file_locks_release(struct file *f) {
    if (!f->inode)
        return;
    drop_owner(f->inode, KIND_FLOCK, f);
    drop_owner(f->inode, KIND_OFD, f);
    lease_forget(f);
}
