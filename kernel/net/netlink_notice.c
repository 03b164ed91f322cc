// SPDX-License-Identifier: MIT
// Notices: what is told to those who are in groups of NETLINK_ROUTE. Things change with the stack's lock, and there may be as many listeners as
// a user can have sockets: so a notice is put in its network's queue, in the order of the changes, and given to the listeners
// without that lock, by whoever made the change before his request is answered, or by the stack's thread.
//
// One at a time gives them (net_ns.tell_mutex), so the order holds. What is too much for the queue is lost as what is too much for a socket is.
#include "net/inet_thread.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"

#define NOTICES_MOST 1024u // of a network

static struct spinlock notices_lock = SPINLOCK_INIT;

void netlink_tell(struct net_ns *net, unsigned int group, struct netlink_packet *p,
                  const struct netlink_writer *w) {
    if (p) {
        p->len = (uint32_t)w->len;
        p->group = group;
        p = netlink_packet_trim(p, w);
    }
    spin_lock(&notices_lock);
    bool fits = p && !net->missed && net->notice_count < NOTICES_MOST;
    if (fits) {
        list_add_tail(&p->link, &net->notices);
        net->notice_count++;
    } else {
        net->missed |= 1ull << (group - 1);
    }
    spin_unlock(&notices_lock);
    if (p && !fits)
        netlink_packet_free(p);
}

bool netlink_has_notices(const struct net_ns *net) {
    return READ_ONCE(net->notices.next) != &net->notices || READ_ONCE(net->missed);
}

// The first of the queue; NULL: it is empty, and *missed tells who misses something behind it.
static struct netlink_packet *take(struct net_ns *net, uint64_t *missed) {
    struct netlink_packet *p = NULL;
    *missed = 0;
    spin_lock(&notices_lock);
    if (!list_empty(&net->notices)) {
        p = list_first_entry(&net->notices, struct netlink_packet, link);
        list_del(&p->link);
        net->notice_count--;
    } else {
        *missed = net->missed;
        net->missed = 0;
    }
    spin_unlock(&notices_lock);
    return p;
}

// False: there was nothing.
static bool give_one_locked(struct net_ns *net) {
    ASSERT_HELD(&net->tell_mutex);
    uint64_t missed;
    struct netlink_packet *p = take(net, &missed);
    if (p) {
        (void)netlink_broadcast(net, NETLINK_ROUTE, p, NULL, 0); // who missed it has been told
        netlink_packet_free(p);
    } else if (missed) {
        netlink_miss(net, NETLINK_ROUTE, missed);
    }
    return p || missed;
}

void netlink_tell_all(struct net_ns *net) {
    mutex_lock(&net->tell_mutex);
    while (give_one_locked(net))
        cond_resched();
    mutex_unlock(&net->tell_mutex);
    if (unlikely(netlink_has_notices(net))) // the thread may have come meanwhile, and gone
        inet_thread_call(net);
}

void netlink_tell_one(struct net_ns *net) {
    if (!mutex_trylock(&net->tell_mutex))
        return;
    (void)give_one_locked(net);
    mutex_unlock(&net->tell_mutex);
    if (netlink_has_notices(net))
        inet_thread_call(net);
}

void netlink_forget_notices(struct net_ns *net) {
    struct netlink_packet *p;
    uint64_t missed;
    while ((p = take(net, &missed)))
        netlink_packet_free(p);
}
