// SPDX-License-Identifier: MIT
// Semaphores of System V. A call changes several semaphores of a set, or none. One that cannot is put in the set's list of those that
// wait, and made by whoever changes a value so that it can be: the waiter finds it done when it wakes. Those that wait for zero
// come first, then those that change something, in the order in which they came (Linux's). Who is killed meanwhile leaves it to
// the first of those that wait, or to whoever comes before (`behind`).
//
// What a thread has done with SEM_UNDO is kept by set (`undo`): in the set's list and in that of the thread, or of all threads that
// share it. A set that is removed takes it away from them; the last of these that exits makes it undone. A set's mutex guards all
// of it; a list of undos, too, has a lock, within the mutexes of sets.
#include "ipc/sem.h"
#include "core/user_ns.h"
#include "ipc/ipc_ns.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/pid_note.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "sched/wait.h"
#include "upcalls.h"

#define ADJUST_MAX 32767
#define WAITS      1 // a status that no call returns

// There may be many.
struct sem {
    struct pid_note by; // who changed it last
    uint16_t value;     // at most SEM_VALUE_MAX
};

// Key: [m] lock, [I].
struct sem_set {
    struct ipc_object object;
    struct mutex lock;
    struct user *user;        // [I] who is charged; a reference
    struct list_head waiters; // [m] of struct waiter
    struct list_head undos;   // [m] of struct undo, by of_set
    bool removed;             // [m]
    bool behind;              // [m], read without: waiters have not been looked at since a value changed
    int64_t otime;            // [m]
    unsigned int n;           // [I]
    struct sem sems[];        // [m]
};

struct undo {
    struct list_head of_set;     // [m] of the set
    struct list_head of_threads; // [l] of the threads' list
    struct sem_set *set;         // [I] not referenced: the set takes it away when it goes
    struct sem_undos *owner;     // [I] likewise
    struct user *user;           // [I] who is charged; a reference
    short adjust[];              // [m]
};

struct sem_undos {
    struct refcount refs; // threads
    struct spinlock lock; // [l] within a set's
    struct list_head list;
};

struct waiter {
    struct list_head link;
    struct thread *thread;
    const struct sembuf *ops;
    unsigned int n;
    const struct sembuf *blocked_by; // [m] the first that could not be
    struct undo *undo;               // NULL: none is wanted
    bool changes;                    // else it only waits for zeros
    int status;                      // [a] WAITS, or what the call returns; written last
};

static struct sem_set *to_set(struct ipc_object *o) {
    return container_of(o, struct sem_set, object);
}

// ---- sets

static size_t set_size(size_t n) {
    return sizeof(struct sem_set) + n * sizeof(struct sem);
}

static bool count_semaphores(struct ipc_ns *ns, long n) {
    struct ipc_table *t = &ns->tables[IPC_SEM];
    spin_lock(&t->lock);
    bool fits = n <= 0 || ns->semaphores + (unsigned long)n <= READ_ONCE(ns->sem_limits[1]);
    if (fits)
        ns->semaphores += (unsigned long)n;
    spin_unlock(&t->lock);
    return fits;
}

static struct ipc_object *set_make(int key, int flags, size_t n) {
    struct user *user = current->cred->user;
    long size = (long)set_size(n);
    if (!n)
        return ERR_PTR(-EINVAL);
    if (!count_semaphores(ipc_current(), (long)n))
        return ERR_PTR(-ENOSPC);
    bool may =
        !memory_is_short() && user_may_charge(user, USER_IPC_BYTES, size, READ_ONCE(limits.ipc_bytes_max));
    struct sem_set *s = may ? kzalloc((size_t)size) : NULL;
    if (!s) {
        if (may)
            user_uncharge(user, USER_IPC_BYTES, size);
        (void)count_semaphores(ipc_current(), -(long)n);
        return ERR_PTR(-ENOMEM);
    }
    ipc_object_init(&s->object, key, flags);
    mutex_init(&s->lock);
    s->user = user_get(user);
    list_init(&s->waiters);
    list_init(&s->undos);
    s->n = (unsigned int)n;
    return &s->object;
}

static int set_check(const struct ipc_object *o, size_t n) {
    return n > container_of(o, const struct sem_set, object)->n ? -EINVAL : 0;
}

static void set_free(struct ipc_object *o) {
    struct sem_set *s = to_set(o);
    (void)count_semaphores(o->ns, -(long)s->n);
    user_uncharge(s->user, USER_IPC_BYTES, (long)set_size(s->n));
    user_put(s->user);
    ipc_ns_drop(o->ns);
    kfree(s);
}

static const struct ipc_kind kind = {.which = IPC_SEM,
                                     .most = offsetof(struct ipc_ns, sem_limits[3]),
                                     .make = set_make,
                                     .check = set_check,
                                     .free = set_free};

int sem_get(int key, int n, int flags) {
    return n < 0 || (unsigned long)n > READ_ONCE(ipc_current()->sem_limits[0])
               ? -EINVAL
               : ipc_open(&kind, key, flags, (size_t)n);
}

// ---- one call's operations

// Who waits for zero has nothing to undo, whatever he says.
static bool undoes(const struct sembuf *op) {
    return op->sem_flg & SEM_UNDO && op->sem_op;
}

// Takes back the first `n`.
static void roll_back_locked(struct sem_set *s, const struct sembuf *ops, unsigned int n, struct undo *undo) {
    ASSERT_HELD(&s->lock);
    while (n--) {
        s->sems[ops[n].sem_num].value = (uint16_t)(s->sems[ops[n].sem_num].value - ops[n].sem_op);
        if (undoes(&ops[n]))
            undo->adjust[ops[n].sem_num] = (short)(undo->adjust[ops[n].sem_num] + ops[n].sem_op);
    }
}

// One: 0, WAITS, -ERANGE.
static int apply_locked(struct sem_set *s, const struct sembuf *op, struct undo *undo) {
    ASSERT_HELD(&s->lock);
    struct sem *sem = &s->sems[op->sem_num];
    int value = sem->value + op->sem_op;
    if (value < 0 || (!op->sem_op && value))
        return WAITS;
    if (value > SEM_VALUE_MAX)
        return -ERANGE;
    if (undoes(op)) {
        int adjust = undo->adjust[op->sem_num] - op->sem_op;
        if (adjust < -ADJUST_MAX - 1 || adjust > ADJUST_MAX)
            return -ERANGE;
        undo->adjust[op->sem_num] = (short)adjust;
    }
    sem->value = (uint16_t)value;
    return 0;
}

// All or none of what w wants. 0, WAITS (blocked_by says for what), -EAGAIN, -ERANGE.
static int try_locked(struct sem_set *s, struct waiter *w) {
    ASSERT_HELD(&s->lock);
    int result = 0;
    unsigned int i = 0;
    while (i < w->n && !(result = apply_locked(s, &w->ops[i], w->undo)))
        i++;
    if (result) {
        roll_back_locked(s, w->ops, i, w->undo);
        w->blocked_by = &w->ops[i];
        return result == WAITS && w->ops[i].sem_flg & IPC_NOWAIT ? -EAGAIN : result;
    }
    for (i = 0; i < w->n; i++)
        s->sems[w->ops[i].sem_num].by = pid_note_of(w->thread);
    return 0;
}

// The waiter's stack is its own again as soon as it sees the status.
static void finish_locked(struct sem_set *s, struct waiter *w, int status) {
    ASSERT_HELD(&s->lock);
    struct thread *t = w->thread;
    thread_get(t);
    list_del(&w->link);
    __atomic_store_n(&w->status, status, __ATOMIC_SEQ_CST);
    thread_wake(t);
    thread_put(t);
}

// Does what w wants if it can be done now, which it is not worth trying while the first operation is what it waits for. 0, WAITS,
// or the error that has been told to it; unless it is WAITS there is no w any more.
static int finish_if_possible_locked(struct sem_set *s, struct waiter *w) {
    ASSERT_HELD(&s->lock);
    if (w->blocked_by == w->ops) {
        int value = s->sems[w->ops->sem_num].value, op = w->ops->sem_op;
        if (op ? value + op < 0 : value)
            return WAITS;
    }
    int result = try_locked(s, w);
    if (result == WAITS)
        return WAITS;
    s->otime = result ? s->otime : ipc_now();
    finish_locked(s, w, result);
    return result;
}

// Those that only wait for zeros, whose time has come. 0 or -EINTR.
static int finish_zeros_locked(struct sem_set *s) {
    ASSERT_HELD(&s->lock);
    struct waiter *w, *next;
    list_for_each_entry_safe (w, next, &s->waiters, link) {
        if (cond_resched_killable())
            return -EINTR;
        if (!w->changes)
            (void)finish_if_possible_locked(s, w);
    }
    return 0;
}

// The others. 0; 1: it has to be begun anew, for those before may go on now; -EINTR. One that waited with a single operation has made a
// value less: of those before it that helps only who waits for zero, among other operations or alone.
static int finish_changers_locked(struct sem_set *s) {
    ASSERT_HELD(&s->lock);
    struct waiter *w, *next;
    bool manifold = false; // one of those before
    list_for_each_entry_safe (w, next, &s->waiters, link) {
        if (cond_resched_killable())
            return -EINTR;
        if (!w->changes)
            continue;
        manifold |= w->n > 1;
        const struct sem *first = &s->sems[w->ops->sem_num];
        if (!finish_if_possible_locked(s, w) && (manifold || !first->value))
            return 1;
    }
    return 0;
}

static void values_changed_locked(struct sem_set *s) {
    ASSERT_HELD(&s->lock);
    int again = 1;
    while (again > 0) {
        again = finish_zeros_locked(s);
        if (!again)
            again = finish_changers_locked(s);
    }
    WRITE_ONCE(s->behind, again < 0);
    if (again < 0)
        thread_wake(list_first_entry(&s->waiters, struct waiter, link)->thread);
}

// With its mutex, and a reference. ERR_PTR(-EINVAL, -EACCES, -EINTR; -EIDRM: it is being removed).
static struct sem_set *begin(int id, unsigned int wanted) {
    struct ipc_object *o = ipc_get(&kind, id, wanted);
    if (IS_ERR(o))
        return ERR_PTR(PTR_ERR(o));
    struct sem_set *s = to_set(o);
    int err = mutex_lock_killable(&s->lock);
    if (!err && !s->removed) {
        if (s->behind)
            values_changed_locked(s);
        return s;
    }
    if (!err)
        mutex_unlock(&s->lock);
    ipc_put(&kind, o);
    return ERR_PTR(err ? err : -EIDRM);
}

static void end(struct sem_set *s) {
    mutex_unlock(&s->lock);
    ipc_put(&kind, &s->object);
}

// ---- undoing

static struct undo *find_undo_locked(struct sem_set *s, const struct sem_undos *owner) {
    ASSERT_HELD(&s->lock);
    struct undo *u;
    list_for_each_entry (u, &s->undos, of_set) {
        if (u->owner == owner)
            return u;
    }
    return NULL;
}

static long undo_size(const struct sem_set *s) {
    return (long)(sizeof(struct undo) + s->n * sizeof(short));
}

static void free_undo_locked(struct sem_set *s, struct undo *u) {
    ASSERT_HELD(&s->lock);
    list_del(&u->of_set);
    spin_lock(&u->owner->lock);
    list_del(&u->of_threads);
    spin_unlock(&u->owner->lock);
    user_uncharge(u->user, USER_IPC_BYTES, undo_size(s));
    user_put(u->user);
    kfree(u);
}

static struct sem_undos *make_undos(void) {
    struct sem_undos *undos = kzalloc(sizeof(*undos));
    if (!undos)
        return NULL;
    ref_init(&undos->refs);
    spin_init(&undos->lock);
    list_init(&undos->list);
    return undos;
}

// Charged to who makes it: the set's owner has no say in how many do.
static struct undo *make_undo(const struct sem_set *s) {
    struct user *user = current->cred->user;
    if (memory_is_short() ||
        !user_may_charge(user, USER_IPC_BYTES, undo_size(s), READ_ONCE(limits.ipc_bytes_max)))
        return NULL;
    struct undo *u = kzalloc((size_t)undo_size(s));
    if (u)
        u->user = user_get(user);
    else
        user_uncharge(user, USER_IPC_BYTES, undo_size(s));
    return u;
}

// The current thread's of that set. NULL: no memory.
static struct undo *get_undo_locked(struct sem_set *s) {
    ASSERT_HELD(&s->lock);
    if (!current->sem_undos && !(current->sem_undos = make_undos()))
        return NULL;
    struct undo *u = find_undo_locked(s, current->sem_undos);
    if (u || !(u = make_undo(s)))
        return u;
    u->set = s;
    u->owner = current->sem_undos;
    list_add(&u->of_set, &s->undos);
    spin_lock(&u->owner->lock);
    list_add(&u->of_threads, &u->owner->list);
    spin_unlock(&u->owner->lock);
    return u;
}

int sem_share_undos(struct thread *t) {
    if (!current->sem_undos && !(current->sem_undos = make_undos()))
        return -ENOMEM;
    ref_get(&current->sem_undos->refs);
    t->sem_undos = current->sem_undos;
    return 0;
}

// The set of the first of them, referenced: only a set that is in the table, or is being removed, has any. NULL: there are none.
static struct sem_set *first_set(struct sem_undos *undos) {
    struct sem_set *s = NULL;
    spin_lock(&undos->lock);
    if (!list_empty(&undos->list)) {
        s = list_first_entry(&undos->list, struct undo, of_threads)->set;
        ref_get(&s->object.refs);
    }
    spin_unlock(&undos->lock);
    return s;
}

static void make_undone_locked(struct sem_set *s, const struct undo *u, const struct thread *t) {
    ASSERT_HELD(&s->lock);
    for (unsigned int i = 0; i < s->n; i++) {
        if (!u->adjust[i])
            continue;
        int value = s->sems[i].value + u->adjust[i];
        s->sems[i].value = (uint16_t)(value < 0 ? 0 : MIN(value, SEM_VALUE_MAX));
        s->sems[i].by = pid_note_of(t);
    }
    s->otime = ipc_now();
    values_changed_locked(s);
}

void sem_leave_undos(struct thread *t) {
    struct sem_undos *undos = t->sem_undos;
    struct sem_set *s;
    t->sem_undos = NULL;
    if (!undos || !ref_put(&undos->refs))
        return;
    while ((s = first_set(undos))) {
        mutex_lock(&s->lock);
        struct undo *u = find_undo_locked(s, undos); // unless it was removed meanwhile
        if (u) {
            make_undone_locked(s, u, t);
            free_undo_locked(s, u);
        }
        end(s);
        cond_resched();
    }
    kfree(undos);
}

// ---- semop

// 0 or -errno: -EFBIG, -EACCES. *undo: one of the operations is to be taken back.
static int check_ops(const struct sem_set *s, const struct sembuf *ops, unsigned int n, struct waiter *w,
                     bool *undo) {
    *undo = false;
    for (unsigned int i = 0; i < n; i++) {
        if (ops[i].sem_num >= s->n)
            return -EFBIG;
        *undo |= undoes(&ops[i]);
        w->changes |= ops[i].sem_op != 0;
    }
    return ipc_may(&kind, &s->object, w->changes ? IPC_WRITE : IPC_READ);
}

// Who is killed cannot look at the others: it has to leave the list, so that the one behind it is woken for that.
static bool is_to_look(const struct sem_set *s) {
    return READ_ONCE(s->behind) && !signal_pending_fatal();
}

// Sleeps until it has been done, or is given up: -EINTR, -ETIME; or the others are to be looked at: 0.
static int sleep_until_done(const struct sem_set *s, struct waiter *w, ktime_t deadline) {
    return wait_until_woken(__atomic_load_n(&w->status, __ATOMIC_ACQUIRE) != WAITS || is_to_look(s), -EINTR,
                            schedule_until(deadline));
}

static int wait_for_turn(struct sem_set *s, struct waiter *w, ktime_t deadline) {
    int status = WAITS;
    while (status == WAITS) {
        int err = sleep_until_done(s, w, deadline);
        status = __atomic_load_n(&w->status, __ATOMIC_ACQUIRE);
        if (status != WAITS)
            break;
        mutex_lock(&s->lock);
        status = w->status;
        if (status == WAITS && err) {
            list_del(&w->link);
            status = err == -ETIME ? -EAGAIN : err;
        }
        if (s->behind)
            values_changed_locked(s);
        mutex_unlock(&s->lock);
    }
    return status;
}

int sem_operate(int id, const struct sembuf *ops, unsigned int n, ktime_t deadline) {
    struct waiter w = {.thread = current, .ops = ops, .n = n, .status = WAITS};
    bool undo;
    struct sem_set *s = begin(id, 0);
    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    int result = check_ops(s, ops, n, &w, &undo);
    if (!result && undo && !(w.undo = get_undo_locked(s)))
        result = -ENOMEM;
    if (!result) {
        result = try_locked(s, &w);
        if (!result) {
            s->otime = ipc_now();
            if (w.changes)
                values_changed_locked(s);
        }
    }
    if (result == WAITS)
        list_add_tail(&w.link, &s->waiters);
    mutex_unlock(&s->lock);
    if (result == WAITS)
        result = wait_for_turn(s, &w, deadline);
    ipc_put(&kind, &s->object);
    return result;
}

// ---- semctl

int sem_stat(int id, int cmd, struct semid64_ds *out) {
    int64_t ctime;
    memset(out, 0, sizeof(*out));
    struct ipc_object *o =
        ipc_get_for_stat(&kind, id, cmd != IPC_STAT, cmd == SEM_STAT_ANY, &out->sem_perm, &ctime);
    if (IS_ERR(o))
        return (int)PTR_ERR(o);
    struct sem_set *s = to_set(o);
    mutex_lock(&s->lock);
    out->sem_otime = s->otime;
    out->sem_ctime = ctime;
    out->sem_nsems = s->n;
    int found = cmd == IPC_STAT ? 0 : o->id;
    end(s);
    return found;
}

int sem_set(int id, const struct semid64_ds *to) {
    struct ipc_table *t = &ipc_current()->tables[IPC_SEM];
    spin_lock(&t->lock);
    struct ipc_object *o = ipc_find_locked(t, id);
    int err = o ? ipc_check_control_locked(t, o) : -EINVAL;
    if (!err)
        err = ipc_set_locked(t, o, &to->sem_perm);
    spin_unlock(&t->lock);
    return err;
}

// It is in the table no more.
static void end_set(struct sem_set *s) {
    mutex_lock(&s->lock);
    s->removed = true;
    while (!list_empty(&s->waiters)) {
        finish_locked(s, list_first_entry(&s->waiters, struct waiter, link), -EIDRM);
        cond_resched();
    }
    while (!list_empty(&s->undos)) {
        free_undo_locked(s, list_first_entry(&s->undos, struct undo, of_set));
        cond_resched();
    }
    end(s);
}

int sem_remove(int id) {
    struct ipc_object *o = ipc_take_out(&kind, id);
    if (IS_ERR(o))
        return (int)PTR_ERR(o);
    end_set(to_set(o));
    return 0;
}

void sem_end_all(struct ipc_ns *ns) {
    struct ipc_object *o;
    for (; (o = ipc_take_out_any(&kind, ns)); cond_resched())
        end_set(to_set(o));
}

static int count_waiters_locked(const struct sem_set *s, unsigned int number, bool zero) {
    ASSERT_HELD(&s->lock);
    struct waiter *w;
    int n = 0;
    list_for_each_entry (w, &s->waiters, link) {
        n += w->blocked_by->sem_num == number && (zero ? !w->blocked_by->sem_op : w->blocked_by->sem_op < 0);
        cond_resched();
    }
    return n;
}

int sem_ask(int id, int number, int cmd) {
    struct sem_set *s = begin(id, IPC_READ);
    int result = -EINVAL;
    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    if (number < 0 || (unsigned int)number >= s->n)
        ;
    else if (cmd == GETVAL)
        result = s->sems[number].value;
    else if (cmd == GETPID)
        result = pid_note_shown(&s->sems[number].by);
    else
        result = count_waiters_locked(s, (unsigned int)number, cmd == GETZCNT);
    end(s);
    return result;
}

// Values are set: nobody takes back what was before.
static void set_one_locked(struct sem_set *s, unsigned int i, int value) {
    ASSERT_HELD(&s->lock);
    struct undo *u;
    list_for_each_entry (u, &s->undos, of_set)
        u->adjust[i] = 0;
    s->sems[i].value = (uint16_t)value;
    s->sems[i].by = pid_note_of(current);
}

// Values have been set.
static void end_setting(struct sem_set *s) {
    values_changed_locked(s);
    struct ipc_table *t = ipc_table_of(&s->object, IPC_SEM);
    spin_lock(&t->lock);
    s->object.ctime = ipc_now();
    spin_unlock(&t->lock);
}

int sem_set_value(int id, int number, int value) {
    struct sem_set *s = begin(id, IPC_WRITE);
    int err = 0;
    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    if (number < 0 || (unsigned int)number >= s->n) {
        err = -EINVAL;
    } else {
        set_one_locked(s, (unsigned int)number, value);
        end_setting(s);
    }
    end(s);
    return err;
}

unsigned short *sem_values(int id, unsigned int *n) {
    struct sem_set *s = begin(id, IPC_READ);
    if (IS_ERR(s))
        return ERR_PTR(PTR_ERR(s));
    unsigned short *values = kmalloc(s->n * sizeof(*values));
    *n = s->n;
    for (unsigned int i = 0; values && i < s->n; i++)
        values[i] = s->sems[i].value;
    end(s);
    return values ? values : ERR_PTR(-ENOMEM);
}

int sem_values_wanted(int id) {
    struct sem_set *s = begin(id, IPC_WRITE);
    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    int n = (int)s->n;
    end(s);
    return n;
}

int sem_set_values(int id, const unsigned short *values, unsigned int n) {
    for (unsigned int i = 0; i < n; i++) {
        if (values[i] > SEM_VALUE_MAX)
            return -ERANGE;
    }
    struct sem_set *s = begin(id, IPC_WRITE);
    if (IS_ERR(s))
        return (int)PTR_ERR(s);
    for (unsigned int i = 0; i < MIN(n, s->n); i++) {
        set_one_locked(s, i, values[i]);
        cond_resched();
    }
    end_setting(s);
    end(s);
    return 0;
}

int sem_info(struct seminfo *out, bool in_use) {
    struct ipc_ns *ns = ipc_current();
    struct ipc_table *t = &ns->tables[IPC_SEM];
    *out = (struct seminfo){.semmni = (int)READ_ONCE(ns->sem_limits[3]),
                            .semmns = (int)READ_ONCE(ns->sem_limits[1]),
                            .semmsl = (int)READ_ONCE(ns->sem_limits[0]),
                            .semopm = (int)READ_ONCE(ns->sem_limits[2]),
                            .semvmx = SEM_VALUE_MAX,
                            .semmnu = (int)(SEM_OF_SET * SEM_SETS),
                            .semmap = (int)(SEM_OF_SET * SEM_SETS),
                            .semume = (int)SEM_AT_ONCE,
                            .semusz = 20,
                            .semaem = ADJUST_MAX};
    spin_lock(&t->lock);
    if (in_use) {
        out->semusz = (int)t->used;
        out->semaem = (int)ns->semaphores;
    }
    int highest = ipc_highest_locked(t);
    spin_unlock(&t->lock);
    return highest;
}
