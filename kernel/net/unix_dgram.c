// SPDX-License-Identifier: MIT
// Datagrams, and packets in order (SOCK_SEQPACKET), between UNIX sockets.
//
// A datagram goes whole into the queue of the socket it is sent to, unless that one is full (more than max_dgram_qlen packets)
// or is connected to somebody else. Whoever wants to send to a full queue waits on its `peer_wait`. Pollers cannot: the queue that
// they stand on must be of their own file's. So a socket whose peer was found full puts its `watch` entry there, which wakes its
// own write_wait; it holds a reference to the socket that it watches until it leaves.
//
// A connection of SOCK_SEQPACKET sends in the same way, but is never full: the sender's own buffer bounds it.
#include "fs/event/poll.h"
#include "net/net_ns.h"
#include "net/unix_private.h"

// More than so many bytes less than the send buffer are too many.
#define SEND_MARGIN 32

static bool queue_is_full(const struct unix_socket *u) {
    return READ_ONCE(u->queued) > READ_ONCE(u->s.backlog);
}

// Full to `from`: its own peer, and what is its partner, always has room.
static bool is_full_for(const struct unix_socket *to, const struct unix_socket *from) {
    return to != from && READ_ONCE(to->peer) != from && queue_is_full(to);
}

// ---- watching a full peer

bool unix_watch_wake(struct wait_entry *e, unsigned int events) {
    struct unix_socket *u = container_of(e, struct unix_socket, watch);
    (void)events;
    list_del(&e->link);
    socket_writable(&u->s);
    return true;
}

void unix_dgram_unwatch(struct unix_socket *u) {
    spin_lock(&u->s.lock); // over both: meanwhile nobody puts the entry onto the queue of another
    struct unix_socket *watched = u->watched;
    u->watched = NULL;
    if (watched)
        wait_remove(&watched->peer_wait, &u->watch);
    spin_unlock(&u->s.lock);
    if (watched)
        unix_put(watched);
}

// Our pollers and edges hear when `to`, which is our peer, has room. False: it has room now.
static bool watch(struct unix_socket *u, struct unix_socket *to) {
    struct unix_socket *old = NULL;
    spin_lock(&u->s.lock);
    if (u->watched != to) {
        old = u->watched;
        if (old)
            wait_remove(&old->peer_wait, &u->watch);
        socket_get(&to->s);
        u->watched = to;
    }
    if (list_empty(&u->watch.link))
        wait_add(&to->peer_wait, &u->watch);
    spin_unlock(&u->s.lock);
    if (old)
        unix_put(old);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // either the reader sees the entry or we see what it took out
    return is_full_for(to, u) && !socket_has(&to->s, SOCKET_DEAD);
}

// ---- sending

// -EAGAIN: full. -ESTALE: `to` has ended.
static int try_deliver(struct unix_socket *u, struct unix_socket *to, struct packet *p) {
    int err = 0;
    spin_lock(&to->s.lock);
    if (to->peer && to->peer != u)
        err = -EPERM;
    else if (socket_has(&to->s, SOCKET_DEAD))
        err = -ESTALE;
    else if (to->s.shutdown & RCV_SHUTDOWN)
        err = -EPIPE;
    else if (is_full_for(to, u))
        err = -EAGAIN;
    else
        unix_enqueue(to, p);
    spin_unlock(&to->s.lock);
    return err;
}

// What was unread from the old peer is gone when we are not connected to it any more; it hears if it still sends to us.
static void disconnected(struct unix_socket *u, struct unix_socket *old) {
    if (!unix_has_packet(u))
        return;
    mutex_lock(&u->s.read_mutex);
    unix_drop_queue(u);
    mutex_unlock(&u->s.read_mutex);
    wake_all(&u->peer_wait);
    if (!socket_has(&old->s, SOCKET_DEAD) && READ_ONCE(old->peer) == u)
        socket_set_error(&old->s, ECONNRESET);
}

// Our peer has ended. 0: it was not our peer any more.
static int forget_peer(struct unix_socket *u, struct unix_socket *peer) {
    if (unix_is_connection(u))
        return -EPIPE;
    spin_lock(&u->s.lock);
    bool ours = u->peer == peer;
    if (ours) {
        WRITE_ONCE(u->peer, NULL);
        WRITE_ONCE(u->s.state, SOCKET_UNCONNECTED);
    }
    spin_unlock(&u->s.lock);
    if (!ours)
        return 0;
    unix_dgram_unwatch(u);
    disconnected(u, peer);
    unix_put(peer);
    return -ECONNREFUSED;
}

// `to` was full: 0 when it is time to try again.
static int wait_for_queue(struct unix_socket *u, struct unix_socket *to, ktime_t deadline) {
    if (deadline)
        return socket_wait(&to->peer_wait, !is_full_for(to, u) || READ_ONCE(to->s.shutdown) & RCV_SHUTDOWN,
                           deadline, true);
    return READ_ONCE(u->peer) == to && !watch(u, to) ? 0 : -EAGAIN;
}

static struct unix_socket *find_target(struct unix_socket *u, const struct socket_address *address) {
    if (address)
        return unix_find(u->s.net, address, u->s.type);
    struct unix_socket *peer = unix_get_peer(u);
    return peer ? peer : ERR_PTR(-ECONNRESET);
}

// One try. 0, -errno, or 1: another may do.
static int deliver_once(struct unix_socket *u, struct unix_socket *to, struct packet *p, ktime_t deadline) {
    unix_note_sender(p, u, to);
    if (unlikely(socket_has(&to->s, SOCKET_TIMESTAMP)))
        p->stamp = clock_realtime();
    int err = try_deliver(u, to, p);
    if (likely(!err)) {
        socket_readable(&to->s);
        return 0;
    }
    if (err != -EAGAIN && err != -ESTALE)
        return err;
    err = err == -EAGAIN ? wait_for_queue(u, to, deadline) : forget_peer(u, to);
    if (!err)
        err = cond_resched_killable();
    return err ? err : 1;
}

// `to` (a reference, given up) or, with an address, whoever has it when `to` has ended.
static int deliver(struct unix_socket *u, struct unix_socket *to, const struct socket_address *address,
                   struct packet *p, ktime_t deadline) {
    for (;;) {
        int err = deliver_once(u, to, p, deadline);
        unix_put(to);
        if (err <= 0)
            return err;
        to = find_target(u, address);
        if (IS_ERR(to))
            return PTR_ERR(to);
    }
}

static ssize_t send_packet(struct unix_socket *u, struct message *m, struct scm *scm,
                           const struct socket_address *address) {
    ktime_t deadline = socket_send_deadline(&u->s, m);
    size_t len = m->uio->resid;
    struct unix_socket *to = NULL;
    if (len > (size_t)READ_ONCE(u->s.sndbuf) - SEND_MARGIN)
        return -EMSGSIZE;
    struct packet *p = packet_create(&u->s, len, false, deadline);
    if (IS_ERR(p))
        return PTR_ERR(p);
    int err = unix_attach(p, scm, true);
    if (!err)
        err = packet_fill(p, m->uio);
    if (!err) {
        to = find_target(u, address);
        err = IS_ERR(to) ? PTR_ERR(to) : deliver(u, to, address, p, deadline);
    }
    if (!err)
        return len;
    unix_packet_free(p);
    return err;
}

static ssize_t dgram_send_scm(struct unix_socket *u, struct message *m, struct scm *scm) {
    const struct socket_address *address = m->address && m->address->len ? m->address : NULL;
    int err = scm_import(&u->s, m, scm);
    if (err)
        return err;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (unix_is_connection(u))
        address = NULL; // said for nothing
    if (address)
        err = unix_check_address(address);
    else if (!READ_ONCE(u->peer))
        err = -ENOTCONN;
    if (!err && socket_wants_credentials(&u->s) && !u->address)
        err = unix_autobind(u);
    return err ? err : send_packet(u, m, scm, address);
}

static ssize_t dgram_send(struct socket *s, struct message *m) {
    struct scm scm;
    scm_init(&scm);
    ssize_t ret = dgram_send_scm(to_unix(s), m, &scm);
    scm_end(&scm);
    return ret;
}

static ssize_t seqpacket_send(struct socket *s, struct message *m) {
    int err = socket_take_error(s);
    return err ? err : READ_ONCE(s->state) != SOCKET_CONNECTED ? -ENOTCONN : dgram_send(s, m);
}

// ---- receiving

// The packet to read, of which *skip bytes have been looked at before; or NULL, why, and how many there were. read_mutex held.
static struct packet *find_packet(struct unix_socket *u, bool peek, size_t *skip, int *why,
                                  unsigned int *seen) {
    struct packet *p;
    *skip = peek && READ_ONCE(u->s.peek_offset) > 0 ? u->s.peek_offset : 0;
    *why = socket_take_error(&u->s);
    if (*why)
        return NULL;
    spin_lock(&u->s.lock);
    list_for_each_entry (p, &u->queue, link) {
        if (*skip && *skip >= p->len) {
            *skip -= p->len;
            continue;
        }
        if (!peek)
            unix_dequeue(u, p);
        spin_unlock(&u->s.lock);
        return p;
    }
    *seen = u->queued;
    *why = -EAGAIN;
    spin_unlock(&u->s.lock);
    return NULL;
}

static bool ends_wait(const struct unix_socket *u, unsigned int seen) {
    const struct socket *s = &u->s;
    return READ_ONCE(u->queued) != seen || READ_ONCE(s->error) || READ_ONCE(s->shutdown) & RCV_SHUTDOWN;
}

// There was nothing. 0: look again; 1: the end; -errno.
static int wait_for_packet(struct unix_socket *u, unsigned int seen, ktime_t deadline) {
    struct socket *s = &u->s;
    if (!deadline)
        return s->type == SOCK_SEQPACKET && READ_ONCE(s->shutdown) & RCV_SHUTDOWN ? 1 : -EAGAIN;
    int err = socket_wait(&s->read_wait, ends_wait(u, seen), deadline, true);
    if (err)
        return err;
    // What was queued before the end is read before it is seen.
    bool ended = READ_ONCE(s->shutdown) & RCV_SHUTDOWN;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return ended && READ_ONCE(u->queued) == seen && !READ_ONCE(s->error) ? 1 : 0;
}

// A packet, with read_mutex; or none and without. *end: 0: there will be none, or -errno.
static struct packet *await_packet(struct unix_socket *u, struct message *m, size_t *skip, int *end) {
    ktime_t deadline = socket_recv_deadline(&u->s, m);
    for (;;) {
        unsigned int seen = 0;
        mutex_lock(&u->s.read_mutex);
        struct packet *p = find_packet(u, m->flags & MSG_PEEK, skip, end, &seen);
        if (likely(p != NULL))
            return p;
        mutex_unlock(&u->s.read_mutex);
        if (*end != -EAGAIN)
            return NULL;
        int err = wait_for_packet(u, seen, deadline);
        if (err) {
            *end = MIN(err, 0);
            return NULL;
        }
    }
}

static void move_peek_offset(struct socket *s, bool peek, size_t len, size_t size) {
    int at = READ_ONCE(s->peek_offset);
    if (peek && at >= 0)
        WRITE_ONCE(s->peek_offset, at + (int)size);
    else if (!peek && at > 0)
        WRITE_ONCE(s->peek_offset, MAX(at - (int)len, 0));
}

// Copies p out, and what goes along with it. What recv returns.
static ssize_t read_packet(struct unix_socket *u, struct message *m, struct packet *p, size_t skip,
                           struct scm *scm) {
    bool peek = m->flags & MSG_PEEK;
    size_t there = p->len - skip, size = MIN(there, m->uio->resid);
    if (m->address)
        unix_copy_address(m, __atomic_load_n(&to_unix(p->sender)->address, __ATOMIC_ACQUIRE));
    if (size < there)
        m->out |= MSG_TRUNC;
    int err = packet_copy_out(p, skip, m->uio, size);
    if (err)
        return err;
    credentials_copy(&scm->from, &p->from);
    move_peek_offset(&u->s, peek, p->len, size);
    if (p->files)
        unix_take_files(u, p, scm, peek);
    return m->flags & MSG_TRUNC ? there : size;
}

static ssize_t dgram_recv(struct socket *s, struct message *m) {
    struct unix_socket *u = to_unix(s);
    struct scm scm;
    size_t skip;
    int end;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    struct packet *p = await_packet(u, m, &skip, &end);
    if (!p)
        return end;
    if (!wait_queue_empty(&u->peer_wait))
        wait_wake(&u->peer_wait, 1, POLLOUT | POLLWRNORM | POLLWRBAND);
    scm_init(&scm);
    ktime_t stamp = p->stamp;
    ssize_t ret = read_packet(u, m, p, skip, &scm);
    mutex_unlock(&s->read_mutex);
    if (!(m->flags & MSG_PEEK))
        unix_packet_free(p);
    if (ret < 0) {
        scm_end(&scm);
        return ret;
    }
    if (unlikely(socket_has(s, SOCKET_TIMESTAMP)))
        message_put_timestamp(s, m, stamp);
    scm_export(s, m, &scm);
    return ret;
}

static ssize_t seqpacket_recv(struct socket *s, struct message *m) {
    return READ_ONCE(s->state) != SOCKET_CONNECTED ? -ENOTCONN : dgram_recv(s, m);
}

// ---- connecting

// From now on `to` (a reference, taken over; NULL: nobody) is the peer. The old one's reference, or NULL.
static int set_peer(struct unix_socket *u, struct unix_socket *to, struct unix_socket **old) {
    int err = 0;
    unix_lock_two(u, to);
    if (to && socket_has(&to->s, SOCKET_DEAD))
        err = -ESTALE;
    else if (to && to->peer && to->peer != u)
        err = -EPERM;
    if (!err) {
        *old = u->peer;
        WRITE_ONCE(u->peer, to);
        WRITE_ONCE(u->s.state, to ? SOCKET_CONNECTED : SOCKET_UNCONNECTED);
    }
    unix_unlock_two(u, to);
    return err;
}

static int dgram_connect_to(struct unix_socket *u, const struct socket_address *address) {
    struct unix_socket *to = NULL, *old = NULL;
    int err;
    do {
        to = address ? unix_find(u->s.net, address, u->s.type) : NULL;
        if (IS_ERR(to))
            return PTR_ERR(to);
        err = set_peer(u, to, &old);
        if (err)
            unix_put(to);
    } while (err == -ESTALE && !(err = cond_resched_killable()));
    if (!err && old) {
        unix_dgram_unwatch(u);
        socket_writable(&u->s);
        if (old != to)
            disconnected(u, old);
        unix_put(old);
    }
    return err;
}

static int dgram_connect(struct socket *s, const struct socket_address *address, ktime_t deadline) {
    struct unix_socket *u = to_unix(s);
    (void)deadline;
    if (address->len < (int)sizeof(address->family))
        return -EINVAL;
    if (address->family == AF_UNSPEC)
        return dgram_connect_to(u, NULL);
    int err = unix_check_address(address);
    if (!err && socket_wants_credentials(s) && !u->address)
        err = unix_autobind(u);
    return err ? err : dgram_connect_to(u, address);
}

// ---- poll

static unsigned int dgram_poll(struct socket *s) {
    struct unix_socket *u = to_unix(s);
    unsigned int events = unix_poll_reading(u);
    if (READ_ONCE(s->state) == SOCKET_LISTENING || !socket_has_room(s))
        return events;
    struct unix_socket *peer = unix_get_peer(u);
    bool room = !peer || !is_full_for(peer, u) || !watch(u, peer);
    if (peer)
        unix_put(peer);
    return room ? events | POLLOUT | POLLWRNORM | POLLWRBAND : events;
}

#define COMMON_OPS                                                                                           \
    .bind = unix_bind, .listen = unix_listen, .pair = unix_pair, .accept = unix_accept, .name = unix_name,   \
    .poll = dgram_poll, .shutdown = unix_shutdown, .get_option = unix_get_option, .ioctl = unix_ioctl,       \
    .release = unix_release, .free = unix_free

const struct socket_ops unix_dgram_ops = {
    COMMON_OPS,
    .connect = dgram_connect,
    .send = dgram_send,
    .recv = dgram_recv,
};

const struct socket_ops unix_seqpacket_ops = {
    COMMON_OPS,
    .connect = unix_connect,
    .send = seqpacket_send,
    .recv = seqpacket_recv,
};
