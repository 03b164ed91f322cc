// SPDX-License-Identifier: MIT
// Sockets that only messages know.
//
// A descriptor in flight keeps its file open. If it is one of a UNIX socket, the message may lie in that socket's own queue, or in that
// of another whose descriptor lies in the first one's: then no program can ever read it, and all of them would stay for ever.
//
// The rule. A socket *in flight* is one whose file is in messages. It is *garbage* if no program can get at it: if all references to
// its file are from messages, and all of these messages lie in queues of sockets that are garbage. What lies in the queue of a
// connection that a listener has not accepted yet belongs to the listener.
//
// The collector looks for that as follows, with `flight_mutex` held. Candidates are the sockets all of whose file's references
// are in flight. From how many these are, subtract one for each that lies with a candidate: where something is left, a message outside
// of the candidates has it, so it can be reached; and so can all that lies with it, and so on. Candidates that are not reached are
// garbage: the messages with descriptors are taken out of their queues, which ends them.
//
// What makes it true while programs go on: a reference moves from a message to a program (recvmsg(2), also with MSG_PEEK) only
// with flight_mutex held, and nobody can read a candidate's queue, for nobody has its file. Its peer may still send to it: such a
// message counts as in flight before it lies anywhere, so what it carries seems reachable until it does, and for this time stays.
//
// It runs in a thread of its own, each time a descriptor of a socket was closed or a UNIX socket has ended while some are in flight;
// many ends, one run.
//
// Key: [g] flight_mutex.
#include "core/printk.h"
#include "mm/slab.h"
#include "net/unix_private.h"
#include "sched/user.h"
#include <linux/resource.h>

static struct mutex flight_mutex = MUTEX_INIT(flight_mutex);
static struct list_head flying = LIST_HEAD_INIT(flying); // [g] sockets in flight
static unsigned long flying_count;                       // [g], read without
static struct wait_queue collector_wait = WAIT_QUEUE_INIT(collector_wait);
static bool wanted;  // [a]
static bool started; // [g]

void unix_flight_lock(void) {
    mutex_lock(&flight_mutex);
}

void unix_flight_unlock(void) {
    mutex_unlock(&flight_mutex);
}

static struct unix_socket *unix_of_file(const struct file *f) {
    struct socket *s = file_socket(f);
    return s && s->family == AF_UNIX ? to_unix(s) : NULL;
}

// ---- the collector. [g]

// Calls fn for each socket that lies with u.
static void for_each_in_queue(struct unix_socket *u, enum lock_rank rank,
                              void (*fn)(struct unix_socket *in, void *arg), void *arg) {
    struct packet *p;
    spin_lock_nested(&u->s.lock, rank);
    list_for_each_entry (p, &u->queue, link) {
        for (unsigned int i = 0; p->files && i < p->files->count; i++) {
            struct unix_socket *in = unix_of_file(p->files->file[i]);
            if (in)
                fn(in, arg);
        }
    }
    spin_unlock(&u->s.lock);
}

// The sockets whose queues are u's: itself, or the connections that wait to be accepted.
static void for_each_with(struct unix_socket *u, void (*fn)(struct unix_socket *in, void *arg), void *arg) {
    struct unix_socket *embryo;
    for_each_in_queue(u, LOCK_FIRST, fn, arg);
    spin_lock(&u->s.lock);
    list_for_each_entry (embryo, &u->waiting, waiting_link)
        for_each_in_queue(embryo, LOCK_BELOW, fn, arg);
    spin_unlock(&u->s.lock);
}

static void is_inside(struct unix_socket *in, void *arg) {
    (void)arg;
    in->outside--;
}

static void reach(struct unix_socket *in, void *arg) {
    struct list_head *todo = arg;
    if (!in->candidate || in->reached)
        return;
    in->reached = true;
    list_del(&in->flight_link);
    list_add_tail(&in->flight_link, todo);
}

static void find_candidates(void) {
    struct unix_socket *u;
    list_for_each_entry (u, &flying, flight_link) {
        u->outside = (long)u->in_flight;
        u->reached = false;
        u->candidate = ref_read(&u->s.file->refs) == (int)u->in_flight;
    }
    list_for_each_entry (u, &flying, flight_link) {
        if (u->candidate)
            for_each_with(u, is_inside, NULL);
        cond_resched();
    }
}

// Leaves in `flying` what is not garbage, and moves the others to `garbage`.
static void find_garbage(struct list_head *garbage) {
    struct list_head todo = LIST_HEAD_INIT(todo), rest = LIST_HEAD_INIT(rest);
    struct unix_socket *u, *next;
    list_for_each_entry_safe (u, next, &flying, flight_link)
        if (u->outside > 0)
            reach(u, &todo);
    while (!list_empty(&todo)) {
        u = list_first_entry(&todo, struct unix_socket, flight_link);
        list_del(&u->flight_link);
        list_add_tail(&u->flight_link, &rest);
        for_each_with(u, reach, &todo);
        cond_resched();
    }
    list_for_each_entry_safe (u, next, &flying, flight_link) {
        if (u->candidate) {
            list_del(&u->flight_link);
            list_add_tail(&u->flight_link, garbage);
        }
    }
    list_splice_tail(&rest, &flying);
}

// Takes the messages with descriptors out of u's queue.
static void empty_queue(struct unix_socket *u, struct list_head *dead) {
    struct packet *p, *next;
    list_for_each_entry_safe (p, next, &u->queue, link) {
        if (!p->files)
            continue;
        unix_dequeue(u, p);
        if (p == u->urgent)
            WRITE_ONCE(u->urgent, NULL);
        list_add_tail(&p->link, dead);
    }
}

static void empty(struct unix_socket *u, struct list_head *dead) {
    struct unix_socket *embryo;
    spin_lock(&u->s.lock);
    empty_queue(u, dead);
    list_for_each_entry (embryo, &u->waiting, waiting_link) {
        spin_lock_nested(&embryo->s.lock, LOCK_BELOW);
        empty_queue(embryo, dead);
        spin_unlock(&embryo->s.lock);
    }
    spin_unlock(&u->s.lock);
}

static void collect(void) {
    struct list_head garbage = LIST_HEAD_INIT(garbage), dead = LIST_HEAD_INIT(dead);
    struct unix_socket *u;
    mutex_lock(&flight_mutex);
    find_candidates();
    find_garbage(&garbage);
    list_for_each_entry (u, &garbage, flight_link)
        empty(u, &dead);
    list_splice_tail(&garbage, &flying);
    mutex_unlock(&flight_mutex);
    unix_packets_free(&dead);
}

static void collector(void *arg) {
    (void)arg;
    for (;;) {
        (void)wait_event_interruptible(&collector_wait, READ_ONCE(wanted));
        __atomic_store_n(&wanted, false, __ATOMIC_SEQ_CST);
        collect();
    }
}

void unix_gc(void) {
    if (likely(!READ_ONCE(flying_count)))
        return;
    __atomic_store_n(&wanted, true, __ATOMIC_SEQ_CST);
    wake_all(&collector_wait);
}

// ---- in and out of flight

static bool too_many(struct user *user) {
    return (unsigned long)user_charge(user, USER_FDS_IN_FLIGHT, 0) > current_rlimit(RLIMIT_NOFILE) &&
           !user_is_privileged();
}

// The first socket that takes off has the collector with it.
static int start_collector(void) {
    if (likely(started))
        return 0;
    int err = kthread_run("unix_gc", collector, NULL);
    started = !err;
    return err;
}

int unix_files_fly(struct scm_files *files) {
    struct user *user = current->cred->user;
    int err = 0;
    if (too_many(user))
        return -ETOOMANYREFS;
    mutex_lock(&flight_mutex);
    for (unsigned int i = 0; !err && i < files->count; i++)
        if (unix_of_file(files->file[i]))
            err = start_collector();
    for (unsigned int i = 0; !err && i < files->count; i++) {
        struct unix_socket *u = unix_of_file(files->file[i]);
        if (u && !u->in_flight++) {
            list_add_tail(&u->flight_link, &flying);
            WRITE_ONCE(flying_count, flying_count + 1);
        }
    }
    mutex_unlock(&flight_mutex);
    if (err)
        return err;
    user_charge(user, USER_FDS_IN_FLIGHT, files->count);
    files->user = user_get(user);
    return 0;
}

// [g]
static void landed_locked(struct scm_files *files) {
    ASSERT_HELD(&flight_mutex);
    for (unsigned int i = 0; i < files->count; i++) {
        struct unix_socket *u = unix_of_file(files->file[i]);
        if (u && !--u->in_flight) {
            list_del(&u->flight_link);
            WRITE_ONCE(flying_count, flying_count - 1);
        }
    }
}

void unix_files_landed(struct scm_files *files) {
    mutex_lock(&flight_mutex);
    landed_locked(files);
    mutex_unlock(&flight_mutex);
    user_uncharge(files->user, USER_FDS_IN_FLIGHT, files->count);
    user_put(files->user);
    files->user = NULL;
}
