// SPDX-License-Identifier: MIT
// AF_UNIX: life, connections, ends (unix(7)). Names are unix_names.c's, data unix_stream.c's and unix_dgram.c's, what goes along
// with it scm.c's; unix_gc.c finds sockets that nobody can reach any more.
//
// A sender puts packets straight into the queue of the socket at the other end, under that socket's lock: it has made the
// packet and copied the data in before. A reader takes packets out of its own queue with `read_mutex` held over the copy to its
// memory, so that packets it looks at stay. The buffer that fills up is the sender's (packet.h).
//
// A connection is two sockets that refer to each other by `peer`, each with a reference; the pointer stays until the socket's
// own release. The end of one sets `shutdown` of the other under the other's lock, and a sender looks at that under the same
// lock: so nothing is queued behind the end. A datagram socket's `peer` is only where it sends to, and may change; nobody is told
// when that one ends, the next send finds out.
//
// connect(2) of a stream makes both ends whole: the new socket, an *embryo*, waits in the listener's list until it is
// accepted or the listener ends. Two sockets' locks are taken by address.
#include "net/unix_private.h"
#include "arch/riscv/uaccess.h"
#include "fs/event/poll.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/identity.h"
#include "net/net_ns.h"
#include "sched/user.h"
#include <asm/ioctls.h>
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>

static struct slab_cache *sockets;
static struct spinlock all_lock = SPINLOCK_INIT;
static struct list_head all = LIST_HEAD_INIT(all); // [all_lock] sockets from unix_alloc() to unix_free()

// ---- life

static const struct socket_ops *ops_of(int type) {
    return type == SOCK_STREAM  ? &unix_stream_ops
           : type == SOCK_DGRAM ? &unix_dgram_ops
                                : &unix_seqpacket_ops;
}

struct unix_socket *unix_alloc(int type) {
    struct unix_socket *u = slab_zalloc(sockets);
    if (!u)
        return NULL;
    socket_init(&u->s, ops_of(type), AF_UNIX, type, 0);
    u->s.backlog = (unsigned int)READ_ONCE(u->s.net->settings.unix_dgram_qlen); // until listen(2)
    mutex_init(&u->bind_mutex);
    list_init(&u->queue);
    list_init(&u->waiting);
    list_init(&u->waiting_link);
    list_init(&u->flight_link);
    list_init(&u->watch.link);
    wait_queue_init(&u->peer_wait);
    u->watch.wake = unix_watch_wake;
    spin_lock(&all_lock);
    list_add_tail(&u->all_link, &all);
    spin_unlock(&all_lock);
    return u;
}

static struct socket *unix_create(int type, int protocol) {
    if (protocol && protocol != AF_UNIX)
        return ERR_PTR(-EPROTONOSUPPORT);
    if (type == SOCK_RAW)
        type = SOCK_DGRAM;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return ERR_PTR(-ESOCKTNOSUPPORT);
    struct unix_socket *u = unix_alloc(type);
    return u ? &u->s : ERR_PTR(-ENOMEM);
}

void unix_free(struct socket *s) {
    struct unix_socket *u = to_unix(s);
    spin_lock(&all_lock);
    list_del(&u->all_link);
    spin_unlock(&all_lock);
    unix_address_put(u->address);
    slab_free(sockets, u);
}

struct unix_socket *unix_next_socket(struct unix_socket *u) {
    spin_lock(&all_lock);
    struct list_head *at = u ? u->all_link.next : all.next;
    while (at != &all && !ref_get_unless_zero(&list_entry(at, struct unix_socket, all_link)->s.refs))
        at = at->next;
    spin_unlock(&all_lock);
    if (u)
        unix_put(u);
    return at == &all ? NULL : list_entry(at, struct unix_socket, all_link);
}

void unix_for_each(const struct net_ns *net, bool (*fn)(const struct unix_info *info, void *arg), void *arg) {
    struct unix_socket *u = NULL;
    while ((u = unix_next_socket(u))) {
        struct socket *s = &u->s;
        const struct unix_address *a = __atomic_load_n(&u->address, __ATOMIC_ACQUIRE);
        if (READ_ONCE(s->net) != net) {
            if (!cond_resched_killable())
                continue;
            unix_put(u);
            return;
        }
        struct unix_info info = {.refs = ref_read(&s->refs) - 1, .type = s->type, .ino = s->ino};
        info.listening = READ_ONCE(s->state) == SOCKET_LISTENING;
        info.connected = READ_ONCE(s->state) == SOCKET_CONNECTED;
        info.has_file = READ_ONCE(s->file) != NULL;
        if (a) {
            memcpy(&info.name.storage, &a->family, a->len);
            info.name.len = a->len;
        }
        if (!fn(&info, arg) || cond_resched_killable()) {
            unix_put(u);
            return;
        }
    }
}

struct unix_socket *unix_get_peer(struct unix_socket *u) {
    spin_lock(&u->s.lock);
    struct unix_socket *peer = u->peer;
    if (peer)
        socket_get(&peer->s);
    spin_unlock(&u->s.lock);
    return peer;
}

void unix_lock_two(struct unix_socket *a, struct unix_socket *b) {
    struct unix_socket *first = b && b < a ? b : a, *second = first == a ? b : a;
    spin_lock(&first->s.lock);
    if (second && second != first)
        spin_lock_nested(&second->s.lock, LOCK_NEXT_ADDRESS);
}

void unix_unlock_two(struct unix_socket *a, struct unix_socket *b) {
    if (b && b != a)
        spin_unlock(&b->s.lock);
    spin_unlock(&a->s.lock);
}

// ---- packets

void unix_packet_free(struct packet *p) {
    credentials_put(&p->from);
    if (p->files)
        scm_files_free(p->files);
    packet_free(p);
}

void unix_packets_free(struct list_head *packets) {
    while (!list_empty(packets)) {
        struct packet *p = list_first_entry(packets, struct packet, link);
        list_del(&p->link);
        unix_packet_free(p);
        cond_resched();
    }
}

void unix_drop_queue(struct unix_socket *u) {
    struct list_head dead = LIST_HEAD_INIT(dead);
    spin_lock(&u->s.lock);
    list_splice_tail(&u->queue, &dead);
    WRITE_ONCE(u->queued, 0);
    WRITE_ONCE(u->urgent, NULL);
    spin_unlock(&u->s.lock);
    unix_packets_free(&dead);
}

int unix_attach(struct packet *p, struct scm *scm, bool files) {
    if (unlikely(scm->from.process))
        credentials_copy(&p->from, &scm->from);
    if (likely(!scm->files || !files))
        return 0;
    int err = unix_files_fly(scm->files);
    if (err)
        return err;
    p->files = scm->files;
    scm->files = NULL;
    return 0;
}

void unix_note_sender(struct packet *p, struct unix_socket *from, struct unix_socket *to) {
    if (unlikely(socket_wants_credentials(&from->s) || socket_wants_credentials(&to->s)) && !p->from.process)
        credentials_note(&p->from);
}

void unix_take_files(struct unix_socket *u, struct packet *p, struct scm *scm, bool peek) {
    unix_flight_lock();
    struct scm_files *files = peek ? scm_files_copy(p->files) : p->files;
    if (!peek) {
        spin_lock(&u->s.lock);
        p->files = NULL;
        spin_unlock(&u->s.lock);
    }
    unix_flight_unlock();
    if (files && files->user)
        unix_files_landed(files);
    if (scm->files)
        scm_files_free(scm->files);
    scm->files = files;
}

void unix_copy_address(struct message *m, const struct unix_address *a) {
    if (!a)
        return;
    memcpy(&m->address->storage, &a->family, a->len);
    m->address->len = a->len;
}

// ---- connections

// Two sockets that nobody else knows become a connection. [l] of both
static void join(struct unix_socket *a, struct unix_socket *b) {
    socket_get(&a->s);
    socket_get(&b->s);
    WRITE_ONCE(a->peer, b);
    WRITE_ONCE(b->peer, a);
    WRITE_ONCE(a->s.state, SOCKET_CONNECTED);
    WRITE_ONCE(b->s.state, SOCKET_CONNECTED);
}

int unix_pair(struct socket *a, struct socket *b) {
    struct identity *me = identity_of_current();
    if (!me)
        return -ENOMEM;
    a->peer_identity = me;
    b->peer_identity = identity_get(me);
    unix_lock_two(to_unix(a), to_unix(b));
    join(to_unix(a), to_unix(b));
    unix_unlock_two(to_unix(a), to_unix(b));
    return 0;
}

int unix_listen(struct socket *s, int backlog) {
    struct unix_socket *u = to_unix(s);
    if (!unix_is_connection(u))
        return -EOPNOTSUPP;
    struct identity *me = identity_of_current(), *old = NULL;
    if (!me)
        return -ENOMEM;
    spin_lock(&s->lock);
    bool may = u->address && (s->state == SOCKET_UNCONNECTED || s->state == SOCKET_LISTENING);
    if (may) {
        s->backlog = backlog;
        WRITE_ONCE(s->state, SOCKET_LISTENING);
        old = s->peer_identity;
        s->peer_identity = me;
        me = NULL;
    }
    spin_unlock(&s->lock);
    if (old)
        identity_put(old);
    if (me)
        identity_put(me);
    if (may)
        wake_all(&u->peer_wait);
    return may ? 0 : -EINVAL;
}

static bool backlog_is_full(const struct unix_socket *listener) {
    return READ_ONCE(listener->waiting_count) > READ_ONCE(listener->s.backlog);
}

// What the user who connects is charged with until the connection is accepted: no descriptor stands for it, nor for what its
// maker leaves behind.
#define WAITING_CHARGE (2 * (long)sizeof(struct unix_socket) + (long)PACKET_SQUEEZED)

static bool may_try_to_connect(const struct unix_socket *listener) {
    return !backlog_is_full(listener) || READ_ONCE(listener->s.state) != SOCKET_LISTENING ||
           READ_ONCE(listener->s.shutdown) & RCV_SHUTDOWN;
}

// With both locked. -EAGAIN: the backlog is full. -ESTALE: the listener is gone, and another may have its name.
static int check_connect(struct unix_socket *u, const struct unix_socket *listener) {
    if (socket_has(&listener->s, SOCKET_DEAD))
        return -ESTALE;
    if (listener->s.state != SOCKET_LISTENING || listener->s.shutdown & RCV_SHUTDOWN)
        return -ECONNREFUSED;
    if (backlog_is_full(listener))
        return -EAGAIN;
    if (u->s.state != SOCKET_UNCONNECTED)
        return u->s.state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
    return 0;
}

// Puts the other end into the listener's list. `fresh` and `me` are the caller's own until this succeeds.
static int connect_to(struct unix_socket *u, struct unix_socket *listener, struct unix_socket *fresh,
                      struct identity *me) {
    struct identity *old = NULL;
    unix_lock_two(u, listener);
    int err = check_connect(u, listener);
    if (!err) {
        join(u, fresh);
        old = u->s.peer_identity;
        u->s.peer_identity = identity_get(listener->s.peer_identity);
        fresh->s.peer_identity = me;
        fresh->address = listener->address;
        ref_get(&fresh->address->refs);
        fresh->embryo = true;
        list_add_tail(&fresh->waiting_link, &listener->waiting);
        WRITE_ONCE(listener->waiting_count, listener->waiting_count + 1);
        user_charge(fresh->s.user, USER_SOCKET_BYTES, WAITING_CHARGE);
    }
    unix_unlock_two(u, listener);
    if (old)
        identity_put(old);
    if (!err)
        socket_readable(&listener->s);
    return err;
}

static int find_and_connect(struct unix_socket *u, const struct socket_address *address, ktime_t deadline,
                            struct unix_socket *fresh, struct identity *me) {
    for (;;) {
        struct unix_socket *listener = unix_find(u->s.net, address, u->s.type);
        if (IS_ERR(listener))
            return PTR_ERR(listener);
        int err = connect_to(u, listener, fresh, me), waited = 0;
        if (err == -EAGAIN)
            waited = socket_wait(&listener->peer_wait, may_try_to_connect(listener), deadline, true);
        unix_put(listener);
        if (waited)
            return waited;
        if (err != -EAGAIN && err != -ESTALE)
            return err;
        err = cond_resched_killable();
        if (err)
            return err;
    }
}

int unix_connect(struct socket *s, const struct socket_address *address, ktime_t deadline) {
    struct unix_socket *u = to_unix(s);
    int err = unix_check_address(address);
    if (!err && socket_wants_credentials(s) && !u->address)
        err = unix_autobind(u);
    if (err)
        return err;
    if (unlikely(socket_is_squeezed(s)))
        return -ENOBUFS;
    struct unix_socket *fresh = unix_alloc(s->type);
    struct identity *me = identity_of_current();
    if (fresh) { // as on Linux of the network of who connects, which may have left it before this is accepted
        fresh->s.net = s->net;
        socket_hold_net(&fresh->s);
    }
    err = fresh && me ? find_and_connect(u, address, deadline, fresh, me) : -ENOMEM;
    if (!err)
        return 0;
    if (me)
        identity_put(me);
    if (fresh) {
        socket_leave_net(&fresh->s);
        unix_put(fresh);
    }
    return err;
}

static bool may_accept(const struct unix_socket *u) {
    return READ_ONCE(u->waiting_count) || READ_ONCE(u->s.shutdown) & RCV_SHUTDOWN;
}

// The next connection; NULL: there is none.
static struct unix_socket *next_connection(struct unix_socket *u) {
    struct unix_socket *next = NULL;
    spin_lock(&u->s.lock);
    if (!list_empty(&u->waiting)) {
        next = list_first_entry(&u->waiting, struct unix_socket, waiting_link);
        list_del(&next->waiting_link);
        WRITE_ONCE(u->waiting_count, u->waiting_count - 1);
        next->embryo = false;
        user_uncharge(next->s.user, USER_SOCKET_BYTES, WAITING_CHARGE);
    }
    spin_unlock(&u->s.lock);
    return next;
}

struct socket *unix_accept(struct socket *s, ktime_t deadline) {
    struct unix_socket *u = to_unix(s), *next;
    if (!unix_is_connection(u))
        return ERR_PTR(-EOPNOTSUPP);
    if (READ_ONCE(s->state) != SOCKET_LISTENING)
        return ERR_PTR(-EINVAL);
    while (!(next = next_connection(u))) {
        if (deadline && READ_ONCE(s->shutdown) & RCV_SHUTDOWN)
            return ERR_PTR(-EINVAL);
        int err = socket_wait(&s->read_wait, may_accept(u), deadline, true);
        if (err)
            return ERR_PTR(err);
    }
    if (!wait_queue_empty(&u->peer_wait))
        wait_wake(&u->peer_wait, 1, 0);
    return &next->s;
}

// ---- ends

// The other end hears that this one ends: `lost` what it had not read yet.
static void end_peer(struct unix_socket *peer, bool lost) {
    spin_lock(&peer->s.lock);
    WRITE_ONCE(peer->s.shutdown, BOTH_SHUTDOWN);
    if (lost)
        WRITE_ONCE(peer->s.error, ECONNRESET);
    spin_unlock(&peer->s.lock);
    socket_changed(&peer->s);
}

static void drop_waiting(struct unix_socket *u) {
    struct unix_socket *next;
    while ((next = next_connection(u))) {
        next->embryo = true;
        socket_release(&next->s);
        cond_resched();
    }
}

void unix_release(struct socket *s) {
    struct unix_socket *u = to_unix(s);
    unix_unbind(u);
    spin_lock(&s->lock);
    socket_put_flag(s, SOCKET_DEAD, true);
    WRITE_ONCE(s->shutdown, BOTH_SHUTDOWN);
    WRITE_ONCE(s->state, SOCKET_UNCONNECTED);
    struct unix_socket *peer = u->peer;
    WRITE_ONCE(u->peer, NULL);
    bool lost = !list_empty(&u->queue) || u->embryo;
    spin_unlock(&s->lock);
    wake_all(&u->peer_wait);
    unix_dgram_unwatch(u);
    if (peer) {
        if (unix_is_connection(u))
            end_peer(peer, lost);
        unix_put(peer);
    }
    drop_waiting(u);
    unix_drop_queue(u);
    unix_gc();
}

int unix_shutdown(struct socket *s, unsigned int how) {
    struct unix_socket *u = to_unix(s);
    spin_lock(&s->lock);
    WRITE_ONCE(s->shutdown, s->shutdown | how);
    spin_unlock(&s->lock);
    socket_changed(s);
    struct unix_socket *peer = unix_is_connection(u) ? unix_get_peer(u) : NULL;
    if (!peer)
        return 0;
    unsigned int theirs = (how & RCV_SHUTDOWN ? SEND_SHUTDOWN : 0) | (how & SEND_SHUTDOWN ? RCV_SHUTDOWN : 0);
    spin_lock(&peer->s.lock);
    WRITE_ONCE(peer->s.shutdown, peer->s.shutdown | theirs);
    spin_unlock(&peer->s.lock);
    socket_changed(&peer->s);
    unix_put(peer);
    return 0;
}

// ---- questions

unsigned int unix_poll_reading(struct unix_socket *u) {
    unsigned int shutdown = READ_ONCE(u->s.shutdown), events = 0;
    if (READ_ONCE(u->s.error))
        events |= POLLERR;
    if (shutdown == BOTH_SHUTDOWN)
        events |= POLLHUP;
    if (shutdown & RCV_SHUTDOWN)
        events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (unix_has_packet(u) || READ_ONCE(u->waiting_count))
        events |= POLLIN | POLLRDNORM;
    if (READ_ONCE(u->urgent))
        events |= POLLPRI;
    if (unix_is_connection(u) && READ_ONCE(u->s.state) == SOCKET_UNCONNECTED)
        events |= POLLHUP;
    return events;
}

int unix_name(struct socket *s, struct socket_address *out, bool peer) {
    struct unix_socket *u = to_unix(s), *other = peer ? unix_get_peer(u) : NULL;
    if (peer && !other)
        return -ENOTCONN;
    const struct unix_address *a = __atomic_load_n(&(peer ? other : u)->address, __ATOMIC_ACQUIRE);
    out->family = AF_UNIX;
    out->len = UNIX_NAME_OFFSET;
    if (a) {
        memcpy(&out->storage, &a->family, a->len);
        out->len = a->len;
    }
    if (other)
        unix_put(other);
    return 0;
}

// Bytes to read: all of a stream or of packets in order, of datagrams those of the first.
long unix_bytes_to_read(struct unix_socket *u) {
    long n = 0;
    struct packet *p;
    spin_lock(&u->s.lock);
    list_for_each_entry (p, &u->queue, link) {
        n += p->len - p->done;
        if (!unix_is_connection(u))
            break;
    }
    spin_unlock(&u->s.lock);
    return n;
}

// SIOCUNIXFILE: an O_PATH descriptor of the name.
static long open_name(struct unix_socket *u) {
    if (!net_capable(u->s.net, CAP_NET_ADMIN))
        return -EPERM;
    struct path path;
    spin_lock(&u->s.lock);
    path = u->path;
    if (path.dentry)
        path_get(&path);
    spin_unlock(&u->s.lock);
    if (!path.dentry)
        return -ENOENT;
    struct file *f = file_open_path(&path, O_PATH);
    path_put(&path);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, O_CLOEXEC);
}

long unix_ioctl(struct socket *s, unsigned int cmd, unsigned long arg) {
    struct unix_socket *u = to_unix(s);
    bool listening = READ_ONCE(s->state) == SOCKET_LISTENING;
    switch (cmd) {
    case SIOCINQ:
        return listening ? -EINVAL : put_user((int)unix_bytes_to_read(u), (int __user *)arg);
    case SIOCOUTQ:
        return listening ? -EINVAL : put_user((int)socket_bytes_underway(s), (int __user *)arg);
    case SIOCATMARK:
        return put_user((int)unix_is_at_mark(u), (int __user *)arg);
    case SIOCUNIXFILE:
        return open_name(u);
    default:
        return -ENOTTY;
    }
}

// SO_PEERPIDFD, and what AF_UNIX does not have.
int unix_get_option(struct socket *s, int level, int option, void __user *value, int __user *len) {
    int n, err, fd;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (option != SO_PEERPIDFD)
        return -ENOPROTOOPT;
    err = get_user(n, len);
    if (err)
        return err;
    struct identity *peer = socket_get_peer_identity(s);
    if (!peer)
        return -ENODATA;
    struct file *f = peer->process ? net_process_ops->create_pidfd(peer->process) : ERR_PTR(-ESRCH);
    identity_put(peer);
    if (IS_ERR(f))
        return PTR_ERR(f);
    fd = fd_reserve(0, O_CLOEXEC);
    n = MIN(n, (int)sizeof(fd));
    err = fd < 0 ? fd : put_object_part((int __user *)value, fd, n);
    if (!err)
        err = put_user(n, len);
    if (!err) {
        fd_install(fd, f);
        return 0;
    }
    if (fd >= 0)
        fd_unreserve(fd);
    file_put(f);
    return err;
}

// ---- start

void unix_init(void) {
    static const struct socket_family family = {AF_UNIX, unix_create};
    sockets = slab_create("unix_socket", sizeof(struct unix_socket), 0);
    socket_family_register(&family);
}
