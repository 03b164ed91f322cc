// SPDX-License-Identifier: MIT
// Locks on files. Three kinds: those of flock(2) belong to an open file and cover all of it; POSIX locks
// belong to a process, which is to say to its table of open files, and cover a range; "open file description"
// locks are ranges that belong to an open file. The latter two see each other, flock's are apart.
//
// An inode gets its list with the first lock and keeps it. An owner's locks stand together in it, in the order of their
// ranges: owners in the order in which they came. Waiters sleep on the list's queue and look again whenever a lock goes.
//
// Who waits stands in the list, too, for those who are told of locks. Who waits for a POSIX lock of another process's is in
// `waiters` with the owner that is in the way; whoever is about to wait follows these from owner to owner, and where that leads
// to himself there is a deadlock. When a lock goes, its list's waiters are as good as awake: nobody is in their way until they
// have looked.
#include "fs/file_lock.h"
#include "core/panic.h"
#include "fs/file_lock_list.h"
#include "fs/lease.h"
#include "fs/superblock.h"
#include "mm/slab.h"
#include "sched/id.h"
#include "sched/user.h"
#include <linux/fs.h>

#define END_OF_FILE INT64_MAX // `last` of a lock without an end

enum lock_kind { KIND_FLOCK, KIND_POSIX, KIND_OFD };

struct file_lock {
    struct list_head link;
    enum lock_kind kind;
    const void *owner; // struct file, or of POSIX locks the struct files
    pid_t pid;         // who set it
    short type;        // F_RDLCK, F_WRLCK
    off_t first, last; // inclusive
    uint64_t serial;   // who came later has a larger one
    struct user *user; // to whom it is charged, a reference
};

// One that waits for a lock.
struct lock_waiter {
    struct list_head of_list;       // [list->lock] in list->waiting
    const struct file_lock *wanted; // [I]
    uint64_t serial;                // [list->lock] of its coming
    uint64_t behind;                // [list->lock] the serial of the lock in the way when it last looked
    unsigned int
        level; // [list->lock] others that wait for the same are in its way before: how many, and itself
    // Of POSIX locks.
    struct list_head link;             // [waiters_lock]
    const struct file_lock_list *list; // [I]
    const void *owner;                 // [I]
    const void *blocker; // [waiters_lock] the owner in the way; NULL: none, or it has to look again
};

#define MAX_CHAIN 10 // owners that a deadlock may go through to be found, as in Linux

static struct spinlock lists_lock = SPINLOCK_INIT; // a list's lock is taken within it
static struct list_head lists = LIST_HEAD_INIT(lists);
static struct spinlock waiters_lock = SPINLOCK_INIT; // taken within a list's lock
static struct list_head waiters = LIST_HEAD_INIT(waiters);

struct file_lock_list *file_lock_list_get(struct inode *inode) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE), *other = NULL;
    if (list)
        return list;
    list = kzalloc(sizeof(*list));
    if (!list)
        return NULL;
    spin_init(&list->lock);
    list_init(&list->locks);
    list_init(&list->leases);
    list_init(&list->waiting);
    wait_queue_init(&list->released);
    list->inode = inode;
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

uint64_t file_lock_serial(void) {
    static uint64_t last; // [a]
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static bool is_own(const struct file_lock *a, const struct file_lock *b) {
    return a->kind == b->kind && a->owner == b->owner;
}

static bool overlap(const struct file_lock *a, const struct file_lock *b) {
    return a->first <= b->last && b->first <= a->last;
}

static bool conflict(const struct file_lock *a, const struct file_lock *b) {
    bool same_world = (a->kind == KIND_FLOCK) == (b->kind == KIND_FLOCK);
    return same_world && !is_own(a, b) && overlap(a, b) && (a->type == F_WRLCK || b->type == F_WRLCK);
}

static struct file_lock *find_conflict(struct file_lock_list *list, const struct file_lock *wanted) {
    struct file_lock *l;
    list_for_each_entry (l, &list->locks, link)
        if (conflict(l, wanted))
            return l;
    return NULL;
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
}

static int spare_init(struct spare *s) {
    s->lock = lock_alloc();
    s->rest = lock_alloc();
    return s->lock && s->rest ? 0 : -ENOLCK;
}

static void spare_free(struct spare *s) {
    lock_free(s->lock);
    lock_free(s->rest);
}

// Takes the range of `wanted` out of the owner's other locks.
static void cut_out(struct file_lock_list *list, const struct file_lock *wanted, struct spare *s) {
    struct file_lock *l, *next;
    list_for_each_entry_safe (l, next, &list->locks, link) {
        if (!is_own(l, wanted) || !overlap(l, wanted))
            continue;
        bool before = l->first<wanted->first, after = l->last> wanted->last;
        if (before && after) {
            lock_fill(s->rest, l);
            s->rest->first = wanted->last + 1;
            list_add(&s->rest->link, &l->link);
            s->rest = NULL;
            l->serial = file_lock_serial(); // Linux makes the first part anew
            l->last = wanted->first - 1;
        } else if (before) {
            l->last = wanted->first - 1;
        } else if (after) {
            l->first = wanted->last + 1;
        } else {
            list_del(&l->link);
            lock_free(l);
        }
    }
}

// Puts a lock that overlaps none of its owner's into its place.
static void insert(struct file_lock_list *list, struct file_lock *lock) {
    struct file_lock *l;
    struct list_head *at = &list->locks; // before what it goes
    bool mine = false;
    list_for_each_entry (l, &list->locks, link) {
        bool own = is_own(l, lock);
        if ((own && l->first > lock->first) || (mine && !own)) {
            at = &l->link;
            break;
        }
        mine |= own;
    }
    list_add_tail(&lock->link, at);
}

// Joins `wanted` with the owner's locks of the same type that touch it.
static void join(struct file_lock_list *list, struct file_lock *wanted) {
    struct file_lock *l, *next;
    list_for_each_entry_safe (l, next, &list->locks, link) {
        if (!is_own(l, wanted) || l->type != wanted->type)
            continue;
        bool touches_before = l->last != END_OF_FILE && l->last + 1 == wanted->first;
        bool touches_after = wanted->last != END_OF_FILE && wanted->last + 1 == l->first;
        if (!touches_before && !touches_after)
            continue;
        wanted->serial = l->serial;
        wanted->first = MIN(wanted->first, l->first);
        wanted->last = MAX(wanted->last, l->last);
        list_del(&l->link);
        lock_free(l);
    }
}

// Does the way from `owner` through what each waits for lead to w's owner? [waiters_lock]
static bool closes_circle(const struct lock_waiter *w, const void *owner) {
    for (int i = 0; owner && i < MAX_CHAIN; i++) {
        const struct lock_waiter *other;
        const void *next = NULL;
        if (owner == w->owner)
            return true;
        list_for_each_entry (other, &waiters, link)
            if (other->owner == owner && other->blocker)
                next = other->blocker;
        owner = next;
    }
    return false;
}

// For those who are told of it. [list->lock]
static void note_waiting(struct file_lock_list *list, struct lock_waiter *w, const struct file_lock *l) {
    const struct lock_waiter *other;
    if (list_empty(&w->of_list)) {
        list_add_tail(&w->of_list, &list->waiting);
        w->serial = file_lock_serial();
    }
    w->behind = l->serial;
    w->level = 1;
    list_for_each_entry (other, &list->waiting, of_list) {
        if (other == w)
            break;
        if (other->behind == w->behind && other->level == w->level && conflict(other->wanted, w->wanted))
            w->level++;
    }
}

// w is about to wait for `conflict` to go. -EAGAIN: it may; -EDEADLK. [list->lock]
static int wait_for(struct file_lock_list *list, struct lock_waiter *w, const struct file_lock *conflict) {
    note_waiting(list, w, conflict);
    if (w->wanted->kind != KIND_POSIX)
        return -EAGAIN;
    const void *owner = conflict->kind == KIND_POSIX ? conflict->owner : NULL;
    spin_lock(&waiters_lock);
    w->blocker = NULL;
    bool deadlock = closes_circle(w, owner);
    if (!deadlock) {
        w->blocker = owner;
        if (list_empty(&w->link))
            list_add_tail(&w->link, &waiters);
    }
    spin_unlock(&waiters_lock);
    return deadlock ? -EDEADLK : -EAGAIN;
}

static void waiter_leave(struct lock_waiter *w) {
    spin_lock(&waiters_lock);
    list_del(&w->link);
    spin_unlock(&waiters_lock);
}

// Less may be locked now: all that wait look again.
static void wake_waiters(struct file_lock_list *list) {
    struct lock_waiter *w;
    if (READ_ONCE(waiters.next) != &waiters) {
        spin_lock(&waiters_lock);
        list_for_each_entry (w, &waiters, link)
            if (w->list == list)
                w->blocker = NULL;
        spin_unlock(&waiters_lock);
    }
    wake_all(&list->released);
}

// Replaces what the owner has in the range by `wanted` (F_UNLCK: by nothing), if nobody else's lock is in the
// way. 0, -EAGAIN, or with a waiter (NULL: it does not wait) -EDEADLK.
static int try_change(struct file_lock_list *list, struct file_lock *wanted, struct spare *s,
                      struct lock_waiter *w) {
    int err = 0;
    spin_lock(&list->lock);
    const struct file_lock *in_way = wanted->type != F_UNLCK ? find_conflict(list, wanted) : NULL;
    if (in_way) {
        err = w ? wait_for(list, w, in_way) : -EAGAIN;
    } else {
        if (w)
            list_del(&w->of_list);
        wanted->serial = file_lock_serial();
        cut_out(list, wanted, s);
        if (wanted->type != F_UNLCK) {
            join(list, wanted);
            lock_fill(s->lock, wanted);
            insert(list, s->lock);
            s->lock = NULL;
        }
    }
    spin_unlock(&list->lock);
    if (!err)
        wake_waiters(list);
    return err;
}

static int change(struct inode *inode, struct file_lock *wanted, bool wait) {
    struct file_lock_list *list = file_lock_list_get(inode);
    struct lock_waiter waiter = {.list = list, .owner = wanted->owner, .wanted = wanted},
                       *w = wait ? &waiter : NULL;
    struct spare s;
    int result = -EAGAIN, err = list ? 0 : -ENOLCK;
    if (err)
        return err;
    list_init(&waiter.link);
    list_init(&waiter.of_list);
    err = spare_init(&s);
    if (!err)
        err = try_change(list, wanted, &s, w);
    if (err == -EAGAIN && wait) {
        err =
            wait_event_interruptible(&list->released, (result = try_change(list, wanted, &s, w)) != -EAGAIN);
        err = err ? err : result;
    }
    if (!list_empty(&waiter.link))
        waiter_leave(&waiter);
    spin_lock(&list->lock);
    list_del(&waiter.of_list);
    spin_unlock(&list->lock);
    spare_free(&s);
    return err;
}

// All locks of an owner on the inode go.
static void drop_owner(struct inode *inode, enum lock_kind kind, const void *owner) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);
    struct file_lock *l, *next;
    bool dropped = false;
    if (!list)
        return;
    spin_lock(&list->lock);
    list_for_each_entry_safe (l, next, &list->locks, link) {
        if (l->kind != kind || l->owner != owner)
            continue;
        list_del(&l->link);
        lock_free(l);
        dropped = true;
    }
    spin_unlock(&list->lock);
    if (dropped)
        wake_waiters(list);
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
static const struct file_lock *find_own(struct file_lock_list *list, const struct file_lock *wanted) {
    const struct file_lock *l;
    list_for_each_entry (l, &list->locks, link)
        if (is_own(l, wanted) && overlap(l, wanted))
            return l;
    return NULL;
}

static void test(struct inode *inode, const struct file_lock *wanted, struct flock *lock) {
    struct file_lock_list *list = __atomic_load_n(&inode->locks, __ATOMIC_ACQUIRE);
    lock->l_type = F_UNLCK;
    if (!list)
        return;
    spin_lock(&list->lock);
    const struct file_lock *l =
        wanted->type == F_UNLCK ? find_own(list, wanted) : find_conflict(list, wanted);
    if (l) {
        lock->l_type = l->type;
        lock->l_whence = SEEK_SET;
        lock->l_start = l->first;
        lock->l_len = l->last == END_OF_FILE ? 0 : l->last - l->first + 1;
        lock->l_pid = l->kind == KIND_POSIX ? l->pid : -1;
    }
    spin_unlock(&list->lock);
    if (l)
        lock->l_pid = pid_shown(lock->l_pid);
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
    if (only_test) {
        test(f->inode, &wanted, lock);
        return 0;
    }
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

void file_locks_free(struct inode *inode) {
    struct file_lock_list *list = inode->locks;
    if (list) {
        spin_lock(&lists_lock);
        list_del(&list->link);
        spin_unlock(&lists_lock);
    }
    kfree(list);
    inode->locks = NULL;
}

// ---- for /proc

static struct file_lock_info info_of(const struct file_lock_list *list, const struct file_lock *l) {
    static const char *const kinds[] = {
        [KIND_FLOCK] = "FLOCK ", [KIND_POSIX] = "POSIX ", [KIND_OFD] = "OFDLCK"};
    return (struct file_lock_info){.kind = kinds[l->kind],
                                   .state = "ADVISORY",
                                   .type = l->type,
                                   .pid = l->kind == KIND_OFD ? -1 : l->pid,
                                   .dev = list->inode->sb ? list->inode->sb->dev : 0,
                                   .ino = list->inode->ino,
                                   .first = l->first,
                                   .last = l->last == END_OF_FILE ? -1 : l->last,
                                   .serial = l->serial};
}

// As lease_infos_locked().
static unsigned int waiting_infos_locked(const struct file_lock_list *list, unsigned long *at,
                                         struct file_lock_info *out, unsigned int n) {
    ASSERT_HELD(&list->lock);
    const struct lock_waiter *w;
    unsigned int taken = 0;
    list_for_each_entry (w, &list->waiting, of_list) {
        if (taken == n)
            break;
        if (*at) {
            --*at;
            continue;
        }
        out[taken] = info_of(list, w->wanted);
        out[taken].serial = w->serial;
        out[taken].behind = w->behind;
        out[taken++].level = w->level;
    }
    return taken;
}

// Skips *at locks that are an owner's (NULL: anybody's, and those that are waited for), then takes up to n.
static unsigned int take_infos(struct file_lock_list *list, const void *file, const void *files,
                               unsigned long *at, struct file_lock_info *out, unsigned int n) {
    struct file_lock *l;
    unsigned int taken = 0;
    spin_lock(&list->lock);
    list_for_each_entry (l, &list->locks, link) {
        if (taken == n)
            break;
        if (file && l->owner != (l->kind == KIND_POSIX ? files : file))
            continue;
        if (*at)
            --*at;
        else
            out[taken++] = info_of(list, l);
    }
    taken += lease_infos_locked(list, file, at, out + taken, n - taken);
    if (!file)
        taken += waiting_infos_locked(list, at, out + taken, n - taken);
    spin_unlock(&list->lock);
    return taken;
}

// Where somebody who goes through the lists is: a mark in `lists`, which is no list.
struct walk {
    struct file_lock_list mark;
    const struct file_lock_list *list; // of which `done` locks have been taken
    unsigned long done;
};

static struct file_lock_list *next_list_locked(struct walk *w) {
    ASSERT_HELD(&lists_lock);
    struct list_head *at = w->mark.link.next;
    while (at != &lists && !list_entry(at, struct file_lock_list, link)->inode)
        at = at->next;
    return at == &lists ? NULL : list_entry(at, struct file_lock_list, link);
}

// Up to n of the next list's locks. How many; -1: that was the last list.
static int walk_on(struct walk *w, struct file_lock_info *out, unsigned int n) {
    spin_lock(&lists_lock);
    struct file_lock_list *list = next_list_locked(w);
    unsigned long skip = list == w->list ? w->done : 0;
    int taken = -1;
    if (list) {
        w->done = skip + n;
        w->list = list;
        taken = (int)take_infos(list, NULL, NULL, &skip, out, n);
    }
    if (taken >= 0 && (unsigned int)taken < n) {
        list_del(&w->mark.link);
        list_add(&w->mark.link, &list->link);
        w->list = NULL;
    }
    spin_unlock(&lists_lock);
    return taken;
}

int file_locks_for_each(int (*fn)(const struct file_lock_info *l, void *arg), void *arg) {
    struct file_lock_info locks[16];
    struct walk w = {0};
    int err = 0, n;
    spin_lock(&lists_lock);
    list_add(&w.mark.link, &lists);
    spin_unlock(&lists_lock);
    while (!err && (n = walk_on(&w, locks, ARRAY_SIZE(locks))) >= 0) {
        for (int i = 0; i < n && !err; i++)
            err = fn(&locks[i], arg);
        if (!err)
            err = cond_resched_killable();
    }
    spin_lock(&lists_lock);
    list_del(&w.mark.link);
    spin_unlock(&lists_lock);
    return err;
}

unsigned int file_locks_get_of(struct file *f, const void *files, unsigned long at,
                               struct file_lock_info *out, unsigned int n) {
    struct file_lock_list *list = f->inode ? __atomic_load_n(&f->inode->locks, __ATOMIC_ACQUIRE) : NULL;
    return list ? take_infos(list, f, files, &at, out, n) : 0;
}
