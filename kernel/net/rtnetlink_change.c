// SPDX-License-Identifier: MIT
// Who changes a network's devices, addresses, routes or neighbours for a program: one at a time of each network, so that the stack's lock can be
// let go of in the midst. That lock is all networks', and how long a change takes is in the hands of who has made
// a thousand addresses and four thousand routes.
//
// What packets and timers change (neighbours, what routers advertise) they change with the stack's lock alone. So who lets go of it looks again
// at what is not his own: IPv4's addresses, and devices, are nobody else's meanwhile; IPv6's addresses, routes and neighbours may be.
#include "net/net_ns.h"
#include "net/rtnetlink_private.h"
#include "net/inet_thread.h"
#include "sched/thread.h"

struct rt_origin rt_origin;
static bool changing; // [n] the one who has the stack's lock may let go of it

void net_change_begin(struct net_ns *net) {
    mutex_lock(&net->change_mutex);
    inet_lock(net);
    changing = true;
}

void net_change_leave_locked(void) {
    ASSERT_HELD(&inet_mutex);
    rt_origin = (struct rt_origin){0, 0};
    changing = false;
}

void net_change_end(void) {
    struct net_ns *net = inet_net;
    net_change_leave_locked();
    inet_unlock();
    netlink_tell_all(net);
    mutex_unlock(&net->change_mutex);
}

void net_change_pause(void) {
    ASSERT_HELD(&inet_mutex);
    struct net_ns *net = inet_net;
    struct rt_origin origin = rt_origin;
    if (!changing)
        return;
    net_change_leave_locked(); // what packets change is not this one's doing
    inet_unlock();
    netlink_tell_all(net);
    cond_resched();
    inet_lock(net);
    changing = true;
    rt_origin = origin;
}

void rt_begin(const struct netlink_request *r) {
    net_change_begin(r->net);
    rt_origin = (struct rt_origin){r->message->nlmsg_seq, netlink_port(r)};
}

void rt_end(void) {
    net_change_end();
}

void rt_tell(unsigned int group,
             bool (*put)(struct netlink_writer *w, const void *what, unsigned int type, unsigned int flags),
             const void *what, unsigned int type, unsigned int flags) {
    struct netlink_writer w;
    rt_note_change();
    if (!netlink_has_listeners(inet_net, NETLINK_ROUTE, group))
        return;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (p)
        (void)put(&w, what, type, flags);
    netlink_tell(inet_net, group, p, &w);
    if (!changing)
        inet_thread_call(inet_net);
}
