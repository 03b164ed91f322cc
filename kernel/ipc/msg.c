// SPDX-License-Identifier: MIT
// Message queues of System V. Who waits for a message is handed it by its sender, in the order in which they wait; who waits for room
// tries again, likewise, when somebody has made some. A queue's mutex guards it.
#include "ipc/msg.h"
#include "core/cred.h"
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
#include <linux/capability.h>

struct message {
    struct list_head link;
    long type;
    size_t size;
    char text[];
};

// Key: [m] lock, [I].
struct msg_queue {
    struct ipc_object object;
    struct mutex lock;
    struct user *user;                    // [I] who is charged; a reference
    struct list_head messages;            // [m]
    struct list_head receivers, senders;  // [m] who wait, the first first
    bool removed;                         // [m]
    size_t bytes, bytes_max;              // [m]
    unsigned long count;                  // [m]
    struct pid_note sent_by, received_by; // [m]
    int64_t sent, received;               // [m] seconds
};

// What a receiver wants.
enum choice { ANY, EQUAL, NOT_EQUAL, AT_MOST, NUMBER };
struct wanted {
    enum choice choice;
    long type; // or which one, for NUMBER
    size_t size;
    bool cut; // MSG_NOERROR
};

struct receiver {
    struct list_head link;
    struct thread *thread;
    struct wanted wanted;
    struct message *message; // [a] NULL: waits; a message, or ERR_PTR; written last
};

struct sender {
    struct list_head link;
    struct thread *thread;
    bool woken; // [a] written last
};

// ---- messages

struct message *msg_alloc(long type, size_t size) {
    struct message *m = memory_is_short() ? NULL : kmalloc(sizeof(*m) + size);
    if (!m)
        return ERR_PTR(-ENOMEM);
    m->type = type;
    m->size = size;
    return m;
}

char *msg_text(struct message *m) {
    return m->text;
}

size_t msg_size(const struct message *m) {
    return m->size;
}

long msg_type(const struct message *m) {
    return m->type;
}

void msg_free(struct message *m) {
    kfree(m);
}

// ---- queues

static struct msg_queue *to_queue(struct ipc_object *o) {
    return container_of(o, struct msg_queue, object);
}

static struct ipc_object *queue_make(int key, int flags, size_t size) {
    struct user *user = current->cred->user;
    bool may = !memory_is_short() && user_may_charge(user, USER_IPC_BYTES, sizeof(struct msg_queue),
                                                     READ_ONCE(limits.ipc_bytes_max));
    struct msg_queue *q = may ? kzalloc(sizeof(*q)) : NULL;
    (void)size;
    if (!q) {
        if (may)
            user_uncharge(user, USER_IPC_BYTES, sizeof(*q));
        return ERR_PTR(-ENOMEM);
    }
    ipc_object_init(&q->object, key, flags);
    mutex_init(&q->lock);
    q->user = user_get(user);
    q->bytes_max = READ_ONCE(q->object.ns->msg_queue_bytes);
    list_init(&q->messages);
    list_init(&q->receivers);
    list_init(&q->senders);
    return &q->object;
}

static int queue_check(const struct ipc_object *o, size_t size) {
    (void)o, (void)size;
    return 0;
}

static void count(struct msg_queue *q, const struct message *m, int sign) {
    q->bytes += (size_t)(sign * (long)m->size);
    q->count += (unsigned long)(long)sign;
    __atomic_fetch_add(&q->object.ns->msg_bytes, (unsigned long)(sign * (long)m->size), __ATOMIC_RELAXED);
    __atomic_fetch_add(&q->object.ns->msg_count, (unsigned long)(long)sign, __ATOMIC_RELAXED);
}

// The queue's one fewer: the caller's.
static void take_locked(struct msg_queue *q, struct message *m) {
    ASSERT_HELD(&q->lock);
    list_del(&m->link);
    count(q, m, -1);
    user_uncharge(q->user, USER_IPC_BYTES, (long)(sizeof(*m) + m->size));
}

static void queue_free(struct ipc_object *o) {
    struct msg_queue *q = to_queue(o);
    user_uncharge(q->user, USER_IPC_BYTES, sizeof(*q));
    user_put(q->user);
    ipc_ns_drop(o->ns);
    kfree(q);
}

static const struct ipc_kind kind = {.which = IPC_MSG,
                                     .most = offsetof(struct ipc_ns, msg_queues_max),
                                     .make = queue_make,
                                     .check = queue_check,
                                     .free = queue_free};

int msg_get(int key, int flags) {
    return ipc_open(&kind, key, flags, 0);
}

// With its mutex, and a reference. ERR_PTR(-EINVAL; -EIDRM: it is being removed).
static struct msg_queue *begin(int id) {
    struct ipc_object *o = ipc_get(&kind, id, 0);
    if (IS_ERR(o))
        return ERR_PTR(PTR_ERR(o));
    struct msg_queue *q = to_queue(o);
    mutex_lock(&q->lock);
    if (!q->removed)
        return q;
    mutex_unlock(&q->lock);
    ipc_put(&kind, o);
    return ERR_PTR(-EIDRM);
}

static void end(struct msg_queue *q) {
    mutex_unlock(&q->lock);
    ipc_put(&kind, &q->object);
}

// ---- waiters: their stacks are their own again as soon as they see what is written last

static void answer_locked(struct msg_queue *q, struct receiver *r, struct message *m) {
    ASSERT_HELD(&q->lock);
    struct thread *t = r->thread;
    thread_get(t);
    list_del(&r->link);
    __atomic_store_n(&r->message, m, __ATOMIC_SEQ_CST);
    thread_wake(t);
    thread_put(t);
}

static void wake_senders_locked(struct msg_queue *q) {
    ASSERT_HELD(&q->lock);
    while (!list_empty(&q->senders)) {
        struct sender *s = list_first_entry(&q->senders, struct sender, link);
        struct thread *t = s->thread;
        thread_get(t);
        list_del(&s->link);
        __atomic_store_n(&s->woken, true, __ATOMIC_SEQ_CST);
        thread_wake(t);
        thread_put(t);
        cond_resched();
    }
}

static void answer_all_locked(struct msg_queue *q, int err) {
    ASSERT_HELD(&q->lock);
    while (!list_empty(&q->receivers)) {
        answer_locked(q, list_first_entry(&q->receivers, struct receiver, link), ERR_PTR(err));
        cond_resched();
    }
}

// ---- sending

static bool is_wanted(const struct message *m, const struct wanted *w) {
    switch (w->choice) {
    case ANY:
        return true;
    case EQUAL:
        return m->type == w->type;
    case NOT_EQUAL:
        return m->type != w->type;
    case AT_MOST:
        return m->type <= w->type;
    case NUMBER:
        break;
    }
    return false;
}

// Hands it to the first who waits for such a one. Those who wait for one that is too long for them are told. False: there is none.
static bool hand_over_locked(struct msg_queue *q, struct message *m) {
    ASSERT_HELD(&q->lock);
    struct receiver *r, *next;
    list_for_each_entry_safe (r, next, &q->receivers, link) {
        if (!is_wanted(m, &r->wanted))
            continue;
        if (m->size > r->wanted.size && !r->wanted.cut) {
            answer_locked(q, r, ERR_PTR(-E2BIG));
            continue;
        }
        q->received_by = pid_note_of(r->thread);
        q->received = ipc_now();
        answer_locked(q, r, m);
        return true;
    }
    return false;
}

static int put_locked(struct msg_queue *q, struct message *m) {
    ASSERT_HELD(&q->lock);
    long size = (long)(sizeof(*m) + m->size);
    if (!hand_over_locked(q, m)) { // then it is somebody's already
        if (!user_may_charge(q->user, USER_IPC_BYTES, size, READ_ONCE(limits.ipc_bytes_max)))
            return -ENOMEM;
        list_add_tail(&m->link, &q->messages);
        count(q, m, 1);
    }
    q->sent_by = pid_note_of(current);
    q->sent = ipc_now();
    return 0;
}

static int wait_for_room(struct msg_queue *q) {
    struct sender s = {.thread = current};
    list_add_tail(&s.link, &q->senders);
    mutex_unlock(&q->lock);
    int err = wait_until_woken(__atomic_load_n(&s.woken, __ATOMIC_ACQUIRE), -ERESTARTNOHAND, (schedule(), 0));
    mutex_lock(&q->lock);
    if (!s.woken)
        list_del(&s.link);
    return q->removed ? -EIDRM : err;
}

static bool fits_locked(const struct msg_queue *q, size_t size) {
    ASSERT_HELD(&q->lock);
    return q->bytes + size <= q->bytes_max && q->count + 1 <= q->bytes_max;
}

int msg_send(int id, struct message *m, int flags) {
    struct msg_queue *q = begin(id);
    int err;
    if (IS_ERR(q))
        return (int)PTR_ERR(q);
    do {
        err = ipc_may(&kind, &q->object, IPC_WRITE);
        if (err || fits_locked(q, m->size))
            break;
        err = flags & IPC_NOWAIT ? -EAGAIN : wait_for_room(q);
    } while (!err);
    if (!err)
        err = put_locked(q, m);
    end(q);
    return err;
}

// ---- receiving

static int read_wanted(struct wanted *w, size_t size, long type, int flags) {
    *w = (struct wanted){.size = size, .cut = flags & MSG_NOERROR, .type = type};
    if (flags & MSG_COPY) {
        w->choice = NUMBER;
        return flags & MSG_EXCEPT || !(flags & IPC_NOWAIT) ? -EINVAL : 0;
    }
    if (type < 0)
        w->type = type == INT64_MIN ? INT64_MAX : -type;
    w->choice = !type ? ANY : type < 0 ? AT_MOST : flags & MSG_EXCEPT ? NOT_EQUAL : EQUAL;
    return 0;
}

static struct message *find_locked(const struct msg_queue *q, const struct wanted *w) {
    ASSERT_HELD(&q->lock);
    struct message *m, *best = NULL;
    long at = 0;
    list_for_each_entry (m, &q->messages, link) {
        cond_resched();
        if (w->choice == NUMBER) {
            if (at++ == w->type)
                return m;
        } else if (is_wanted(m, w)) {
            if (w->choice != AT_MOST)
                return m;
            if (!best || m->type < best->type)
                best = m;
        }
    }
    return best;
}

// MSG_COPY: it stays where it is.
static struct message *copy_of(const struct message *m) {
    struct message *copy = msg_alloc(m->type, m->size);
    if (!IS_ERR(copy))
        memcpy(copy->text, m->text, m->size);
    return copy;
}

// The first that is wanted; NULL: there is none; ERR_PTR.
static struct message *receive_locked(struct msg_queue *q, const struct wanted *w) {
    ASSERT_HELD(&q->lock);
    struct message *m = find_locked(q, w);
    if (!m)
        return NULL;
    if (m->size > w->size && !w->cut)
        return ERR_PTR(-E2BIG);
    if (w->choice == NUMBER)
        return copy_of(m);
    take_locked(q, m);
    q->received = ipc_now();
    q->received_by = pid_note_of(current);
    wake_senders_locked(q);
    return m;
}

// Its mutex is released. What it was handed; ERR_PTR(-EAGAIN): look again.
static struct message *wait_for_message(struct msg_queue *q, const struct wanted *w) {
    struct receiver r = {.thread = current, .wanted = *w};
    list_add_tail(&r.link, &q->receivers);
    mutex_unlock(&q->lock);
    int err =
        wait_until_woken(__atomic_load_n(&r.message, __ATOMIC_ACQUIRE), -ERESTARTNOHAND, (schedule(), 0));
    struct message *m = __atomic_load_n(&r.message, __ATOMIC_ACQUIRE);
    if (m)
        return m;
    mutex_lock(&q->lock);
    m = r.message;
    if (!m) {
        list_del(&r.link);
        m = ERR_PTR(err);
    }
    mutex_unlock(&q->lock);
    return m;
}

struct message *msg_receive(int id, size_t size, long type, int flags) {
    struct wanted w;
    int err = read_wanted(&w, size, type, flags);
    if (err)
        return ERR_PTR(err);
    struct msg_queue *q = begin(id);
    if (IS_ERR(q))
        return ERR_PTR(PTR_ERR(q));
    struct message *m;
    for (;;) {
        err = ipc_may(&kind, &q->object, IPC_READ);
        m = err ? ERR_PTR(err) : receive_locked(q, &w);
        if (!m && flags & IPC_NOWAIT)
            m = ERR_PTR(-ENOMSG);
        if (m)
            break;
        m = wait_for_message(q, &w);
        mutex_lock(&q->lock);
        if (PTR_ERR(m) != -EAGAIN)
            break;
        if (q->removed) {
            m = ERR_PTR(-EIDRM);
            break;
        }
    }
    end(q);
    return m;
}

// ---- msgctl

int msg_stat(int id, int cmd, struct msqid64_ds *out) {
    int64_t ctime;
    memset(out, 0, sizeof(*out));
    struct ipc_object *o =
        ipc_get_for_stat(&kind, id, cmd != IPC_STAT, cmd == MSG_STAT_ANY, &out->msg_perm, &ctime);
    if (IS_ERR(o))
        return (int)PTR_ERR(o);
    struct msg_queue *q = to_queue(o);
    mutex_lock(&q->lock);
    out->msg_stime = q->sent;
    out->msg_rtime = q->received;
    out->msg_ctime = ctime;
    out->msg_cbytes = q->bytes;
    out->msg_qnum = q->count;
    out->msg_qbytes = q->bytes_max;
    out->msg_lspid = pid_note_shown(&q->sent_by);
    out->msg_lrpid = pid_note_shown(&q->received_by);
    int found = cmd == IPC_STAT ? 0 : o->id;
    end(q);
    return found;
}

// Who waits looks again, by the new permissions and with the new room.
int msg_set(int id, const struct msqid64_ds *to) {
    struct msg_queue *q = begin(id);
    if (IS_ERR(q))
        return (int)PTR_ERR(q);
    struct ipc_ns *ns = q->object.ns;
    struct ipc_table *t = &ns->tables[IPC_MSG];
    spin_lock(&t->lock);
    int err = ipc_check_control_locked(t, &q->object);
    if (!err && to->msg_qbytes > READ_ONCE(ns->msg_queue_bytes) && !capable(CAP_SYS_RESOURCE))
        err = -EPERM;
    if (!err)
        err = ipc_set_locked(t, &q->object, &to->msg_perm);
    spin_unlock(&t->lock);
    if (!err) {
        q->bytes_max = to->msg_qbytes;
        answer_all_locked(q, -EAGAIN);
        wake_senders_locked(q);
    }
    end(q);
    return err;
}

// It is in the table no more.
static void end_queue(struct msg_queue *q) {
    mutex_lock(&q->lock);
    q->removed = true;
    answer_all_locked(q, -EIDRM);
    wake_senders_locked(q);
    while (!list_empty(&q->messages)) {
        struct message *m = list_first_entry(&q->messages, struct message, link);
        take_locked(q, m);
        msg_free(m);
        cond_resched();
    }
    end(q);
}

int msg_remove(int id) {
    struct ipc_object *o = ipc_take_out(&kind, id);
    if (IS_ERR(o))
        return (int)PTR_ERR(o);
    end_queue(to_queue(o));
    return 0;
}

void msg_end_all(struct ipc_ns *ns) {
    struct ipc_object *o;
    for (; (o = ipc_take_out_any(&kind, ns)); cond_resched())
        end_queue(to_queue(o));
}

int msg_info(struct msginfo *out, bool in_use) {
    struct ipc_ns *ns = ipc_current();
    struct ipc_table *t = &ns->tables[IPC_MSG];
    *out = (struct msginfo){.msgpool = (int)(MSG_QUEUES * MSG_BYTES / 1024),
                            .msgmap = (int)MSG_BYTES,
                            .msgmax = (int)READ_ONCE(ns->msg_longest),
                            .msgmnb = (int)READ_ONCE(ns->msg_queue_bytes),
                            .msgmni = (int)READ_ONCE(ns->msg_queues_max),
                            .msgssz = 16,
                            .msgtql = (int)MSG_BYTES,
                            .msgseg = 0xffff};
    spin_lock(&t->lock);
    if (in_use) {
        out->msgpool = (int)t->used;
        out->msgmap = (int)__atomic_load_n(&ns->msg_count, __ATOMIC_RELAXED);
        out->msgtql = (int)__atomic_load_n(&ns->msg_bytes, __ATOMIC_RELAXED);
    }
    int highest = ipc_highest_locked(t);
    spin_unlock(&t->lock);
    return highest;
}
