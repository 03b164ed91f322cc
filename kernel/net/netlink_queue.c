// SPDX-License-Identifier: MIT
// What has been sent to a netlink socket and not been read.
//
// A packet counts on its receiver: its charge is what Linux would charge, on the socket (SO_RCVBUF) and on the user's account. What
// finds no room is lost; the socket is then *congested*, which its program hears once (ENOBUFS) and which ends when the queue
// has been read empty. A program that sends to another one waits instead.
#include "fs/event/poll.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"
#include "sched/user.h"

#define OVERHEAD 576u  // what Linux keeps beside the bytes: its sk_buff and skb_shared_info
#define SQUEEZED 4096u // bytes that a socket may have queued whose user has all that is allowed

static uint32_t charge_of(size_t len) {
    uint32_t head = 512;
    while (head < ALIGN_UP(len, 64ul) + OVERHEAD - 256)
        head *= 2;
    return head + 256;
}

struct netlink_packet *netlink_packet_alloc(size_t size) {
    struct netlink_packet *p = kmalloc(sizeof(*p) + size);
    if (p)
        *p = (struct netlink_packet){.size = (uint32_t)size};
    return p;
}

struct netlink_packet *netlink_packet_create(size_t size, struct netlink_writer *w) {
    struct netlink_packet *p = netlink_packet_alloc(size);
    *w = (struct netlink_writer){.data = p ? p->data : NULL, .size = p ? size : 0};
    return p;
}

struct netlink_packet *netlink_packet_copy(const struct netlink_packet *p) {
    struct netlink_packet *copy = netlink_packet_alloc(p->len);
    if (!copy)
        return NULL;
    copy->port = p->port;
    copy->group = p->group;
    copy->len = p->len;
    credentials_copy(&copy->from, &p->from);
    memcpy(copy->data, p->data, p->len);
    return copy;
}

struct netlink_packet *netlink_packet_trim(struct netlink_packet *p, const struct netlink_writer *w) {
    if (w->len > p->size / 2)
        return p;
    struct netlink_packet *small = krealloc(p, sizeof(*p) + p->size, sizeof(*p) + w->len);
    return small ? small : p;
}

void netlink_packet_free(struct netlink_packet *p) {
    credentials_put(&p->from);
    kfree(p);
}

// ---- in

static bool is_squeezed(const struct netlink_socket *n) {
    return READ_ONCE(n->rmem) > SQUEEZED && ((unsigned long)READ_ONCE(n->s.user->used[USER_SOCKET_BYTES]) >
                                                 READ_ONCE(limits.socket_bytes_max) ||
                                             memory_is_short());
}

bool netlink_has_room(const struct netlink_socket *n) {
    return READ_ONCE(n->rmem) <= READ_ONCE(n->s.rcvbuf) && !READ_ONCE(n->congested) && !is_squeezed(n);
}

// A packet was lost. True: the program is to hear of it.
static bool note_loss(struct netlink_socket *n) {
    __atomic_fetch_add(&n->drops, 1, __ATOMIC_RELAXED);
    bool news = !netlink_has(n, NETLINK_NO_ENOBUFS) && !n->congested;
    if (news)
        WRITE_ONCE(n->congested, true);
    return news;
}

int netlink_enqueue(struct netlink_socket *to, struct netlink_packet *p, bool lost) {
    bool news = false;
    int err = 0;
    p->charge = charge_of(p->len);
    spin_lock(&to->s.lock);
    if (socket_has(&to->s, SOCKET_DEAD)) {
        err = -ECONNREFUSED;
    } else if (!netlink_has_room(to)) {
        err = -EAGAIN;
        news = lost && note_loss(to);
    } else {
        list_add_tail(&p->link, &to->queue);
        WRITE_ONCE(to->rmem, to->rmem + p->charge);
        user_charge(to->s.user, USER_SOCKET_BYTES, p->charge);
    }
    spin_unlock(&to->s.lock);
    if (news)
        socket_set_error(&to->s, ENOBUFS);
    if (!err)
        socket_readable(&to->s);
    return err;
}

bool netlink_is(const struct file *f) {
    const struct socket *s = file_socket(f);
    return s && s->family == AF_NETLINK;
}

void netlink_deliver(struct file *f, const void *data, size_t n) {
    struct netlink_packet *p = netlink_packet_alloc(n);
    if (!p)
        return;
    memcpy(p->data, data, n);
    p->len = (uint32_t)n;
    if (netlink_enqueue(to_netlink(file_socket(f)), p, true))
        netlink_packet_free(p);
}

int netlink_broadcast(const struct net_ns *net, int protocol, const struct netlink_packet *p,
                      const struct netlink_socket *except, uint32_t except_port) {
    struct netlink_socket *n = NULL;
    uint64_t serial = 0;
    int got = 0, lost = 0;
    while ((n = netlink_next_member(net, n, &serial))) {
        if (n->s.protocol != protocol || !(READ_ONCE(n->groups) >> (p->group - 1) & 1) || n == except ||
            READ_ONCE(n->port) == except_port)
            continue;
        if (READ_ONCE(n->congested)) { // it has missed one already, and hears nothing until it has read all
            __atomic_fetch_add(&n->drops, 1, __ATOMIC_RELAXED);
            lost++;
            continue;
        }
        struct netlink_packet *copy = netlink_packet_copy(p);
        if (copy && !netlink_enqueue(n, copy, true)) {
            got++;
        } else {
            if (copy)
                netlink_packet_free(copy);
            lost++;
        }
        cond_resched();
    }
    return got || !lost ? got : -ENOBUFS;
}

void netlink_miss(const struct net_ns *net, int protocol, uint64_t groups) {
    struct netlink_socket *n = NULL;
    uint64_t serial = 0;
    while ((n = netlink_next_member(net, n, &serial))) {
        if (n->s.protocol != protocol || !(READ_ONCE(n->groups) & groups))
            continue;
        spin_lock(&n->s.lock);
        bool news = note_loss(n);
        if (list_empty(&n->queue)) // nothing to read will end it
            WRITE_ONCE(n->congested, false);
        spin_unlock(&n->s.lock);
        if (news)
            socket_set_error(&n->s, ENOBUFS);
        cond_resched();
    }
}

// ---- out

static void uncharge(struct netlink_socket *n, const struct netlink_packet *p) {
    ASSERT_HELD(&n->s.lock);
    WRITE_ONCE(n->rmem, n->rmem - p->charge);
    user_uncharge(n->s.user, USER_SOCKET_BYTES, p->charge);
    if (list_empty(&n->queue))
        WRITE_ONCE(n->congested, false);
}

// The first packet, which stays in the queue if `peek`. NULL: there is none.
static struct netlink_packet *first(struct netlink_socket *n, bool peek) {
    struct netlink_packet *p = NULL;
    spin_lock(&n->s.lock);
    if (!list_empty(&n->queue)) {
        p = list_first_entry(&n->queue, struct netlink_packet, link);
        if (!peek) {
            list_del(&p->link);
            uncharge(n, p);
        }
    }
    spin_unlock(&n->s.lock);
    if (p && !peek)
        wake_all(&n->room_wait);
    return p;
}

void netlink_drop_queue(struct netlink_socket *n) {
    struct netlink_packet *p;
    while ((p = first(n, false))) {
        netlink_packet_free(p);
        cond_resched();
    }
}

static ssize_t deliver(struct netlink_socket *n, struct message *m, const struct netlink_packet *p) {
    size_t size = MIN((size_t)p->len, m->uio->resid);
    if (uio_write_to(m->uio, p->data, size) != size)
        return -EFAULT;
    if (size < p->len)
        m->out |= MSG_TRUNC;
    if (m->address) {
        struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = p->port};
        a.nl_groups = p->group && p->group <= 32 ? 1u << (p->group - 1) : 0;
        memcpy(&m->address->storage, &a, sizeof(a));
        m->address->len = sizeof(a);
    }
    if (netlink_has(n, NETLINK_PKTINFO)) {
        struct nl_pktinfo info = {.group = p->group};
        message_put_control(m, SOL_NETLINK, NETLINK_PKTINFO, &info, sizeof(info));
    }
    return m->flags & MSG_TRUNC ? p->len : size;
}

static ssize_t receive(struct netlink_socket *n, struct message *m, struct scm *scm) {
    bool peek = m->flags & MSG_PEEK;
    mutex_lock(&n->s.read_mutex);
    struct netlink_packet *p = first(n, peek);
    ssize_t ret = -EAGAIN;
    if (p) {
        ret = deliver(n, m, p);
        credentials_copy(&scm->from, &p->from);
        if (!peek)
            netlink_packet_free(p);
    }
    mutex_unlock(&n->s.read_mutex);
    return ret;
}

static bool ends_wait(const struct netlink_socket *n) {
    return READ_ONCE(n->rmem) || READ_ONCE(n->s.error);
}

ssize_t netlink_recv(struct socket *s, struct message *m) {
    struct netlink_socket *n = to_netlink(s);
    ktime_t deadline = socket_recv_deadline(s, m);
    struct scm scm;
    ssize_t ret;
    scm_init(&scm);
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->uio->resid > READ_ONCE(n->largest))
        WRITE_ONCE(n->largest, m->uio->resid);
    for (;;) {
        ret = socket_take_error(s);
        if (!ret)
            ret = receive(n, m, &scm);
        if (ret != -EAGAIN)
            break;
        ret = socket_wait(&s->read_wait, ends_wait(n), deadline, true);
        if (ret)
            return ret;
    }
    if (ret >= 0 && READ_ONCE(n->dump) && READ_ONCE(n->rmem) <= READ_ONCE(s->rcvbuf) / 2)
        netlink_dump_continue(n);
    if (ret >= 0)
        scm_export(s, m, &scm);
    else
        scm_end(&scm);
    return ret;
}

unsigned int netlink_poll(struct socket *s) {
    struct netlink_socket *n = to_netlink(s);
    unsigned int events = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (READ_ONCE(n->rmem))
        events |= POLLIN | POLLRDNORM;
    return events | (READ_ONCE(s->error) ? POLLERR : 0);
}
