// SPDX-License-Identifier: MIT
// Urgent data of streams between UNIX sockets (MSG_OOB): a byte in a packet of its own, which `urgent` of the one who is to read it points to.
//
// The byte is read apart (MSG_OOB), and its packet stays where it was, empty: the *mark*. No read goes across the byte or the mark: one that has
// something ends there, and the next begins behind. A read that comes to a byte that nobody has read apart drops it, or reads it with the rest
// (SO_OOBINLINE). A byte that another one follows is one like all others.
#include "fs/async.h"
#include "fs/event/poll.h"
#include "net/unix_private.h"

static bool is_empty(const struct packet *p) {
    return p->done == p->len;
}

// [l] NULL: there is none.
static struct packet *behind(const struct unix_socket *u, const struct packet *p) {
    return p->link.next == &u->queue ? NULL : list_entry(p->link.next, struct packet, link);
}

static struct packet *drop_locked(struct unix_socket *u, struct packet *p, struct list_head *gone) {
    ASSERT_HELD(&u->s.lock);
    struct packet *next = behind(u, p);
    unix_dequeue(u, p);
    list_add_tail(&p->link, gone);
    return next;
}

struct packet *unix_pass_mark_locked(struct unix_socket *u, struct packet *p, bool any, bool peek,
                                     struct list_head *gone) {
    ASSERT_HELD(&u->s.lock);
    bool in_line = socket_has(&u->s, SOCKET_OOBINLINE);
    while (p && is_empty(p)) {
        if (any && !u->urgent)
            return NULL;
        p = peek ? behind(u, p) : drop_locked(u, p, gone);
    }
    if (!p || p != u->urgent)
        return p;
    if (any)
        return NULL;
    if (peek)
        return in_line ? p : behind(u, p);
    WRITE_ONCE(u->urgent, NULL);
    return in_line ? p : drop_locked(u, p, gone);
}

bool unix_deliver_urgent(struct unix_socket *peer, struct packet *p) {
    spin_lock(&peer->s.lock);
    if (peer->s.shutdown & RCV_SHUTDOWN) {
        spin_unlock(&peer->s.lock);
        return false;
    }
    WRITE_ONCE(peer->urgent, p);
    unix_enqueue(peer, p);
    if (peer->s.file) // it stays until its release has had the lock and shut the socket down
        async_urgent(peer->s.file);
    spin_unlock(&peer->s.lock);
    wake_poll(&peer->s.read_wait, POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI);
    return true;
}

ssize_t unix_recv_urgent(struct unix_socket *u, struct message *m) {
    mutex_lock(&u->s.read_mutex); // the packet stays meanwhile
    spin_lock(&u->s.lock);
    struct packet *p = socket_has(&u->s, SOCKET_OOBINLINE) ? NULL : u->urgent;
    if (p && !(m->flags & MSG_PEEK))
        WRITE_ONCE(u->urgent, NULL);
    spin_unlock(&u->s.lock);
    ssize_t n = p ? 1 : -EINVAL;
    if (p && m->uio->resid && packet_copy_out(p, 0, m->uio, 1))
        n = -EFAULT;
    if (p && !(m->flags & MSG_PEEK))
        WRITE_ONCE(p->done, p->len);
    mutex_unlock(&u->s.read_mutex);
    if (n > 0)
        m->out |= MSG_OOB;
    return n;
}

bool unix_is_at_mark(struct unix_socket *u) {
    bool at = false;
    spin_lock(&u->s.lock);
    if (!list_empty(&u->queue)) {
        const struct packet *p = list_first_entry(&u->queue, struct packet, link);
        at = p == u->urgent || (is_empty(p) && (!u->urgent || behind(u, p) == u->urgent));
    }
    spin_unlock(&u->s.lock);
    return at;
}
