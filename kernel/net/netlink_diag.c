// SPDX-License-Identifier: MIT
// Netlink sockets for NETLINK_SOCK_DIAG. A dump goes on from the socket that it told of last, to which it keeps a reference.
#include "core/errno.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"
#include "net/sock_diag.h"
#include <linux/netlink_diag.h>

enum { STATE_UNCONNECTED, STATE_CONNECTED };

static uint32_t flags_of(const struct netlink_socket *n) {
    return (READ_ONCE(n->dump) ? NDIAG_FLAG_CB_RUNNING : 0) |
           (netlink_has(n, NETLINK_PKTINFO) ? NDIAG_FLAG_PKTINFO : 0) |
           (netlink_has(n, NETLINK_BROADCAST_ERROR) ? NDIAG_FLAG_BROADCAST_ERROR : 0) |
           (netlink_has(n, NETLINK_NO_ENOBUFS) ? NDIAG_FLAG_NO_ENOBUFS : 0) |
           (netlink_has(n, NETLINK_LISTEN_ALL_NSID) ? NDIAG_FLAG_LISTEN_ALL_NSID : 0) |
           (netlink_has(n, NETLINK_CAP_ACK) ? NDIAG_FLAG_CAP_ACK : 0);
}

static void put_memory(struct netlink_writer *w, const struct netlink_socket *n) {
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    memory[SK_MEMINFO_RMEM_ALLOC] = (uint32_t)READ_ONCE(n->rmem);
    memory[SK_MEMINFO_RCVBUF] = READ_ONCE(n->s.rcvbuf);
    memory[SK_MEMINFO_SNDBUF] = READ_ONCE(n->s.sndbuf);
    memory[SK_MEMINFO_DROPS] = (uint32_t)READ_ONCE(n->drops);
    netlink_put(w, NETLINK_DIAG_MEMINFO, memory, sizeof(memory));
}

static bool put(struct netlink_writer *w, struct netlink_diag_msg *m, struct netlink_socket *n,
                uint32_t show) {
    uint64_t cookie = socket_get_cookie(&n->s), groups = READ_ONCE(n->groups);
    if (m) {
        *m = (struct netlink_diag_msg){.ndiag_family = AF_NETLINK,
                                       .ndiag_type = n->s.type,
                                       .ndiag_protocol = n->s.protocol,
                                       .ndiag_portid = READ_ONCE(n->port),
                                       .ndiag_ino = (uint32_t)n->s.ino,
                                       .ndiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)}};
        spin_lock(&n->s.lock);
        m->ndiag_state = n->s.state == SOCKET_CONNECTED ? STATE_CONNECTED : STATE_UNCONNECTED;
        m->ndiag_dst_portid = n->peer_port;
        m->ndiag_dst_group = n->peer_group;
        spin_unlock(&n->s.lock);
    }
    if (show & NDIAG_SHOW_GROUPS)
        netlink_put(w, NETLINK_DIAG_GROUPS, &groups, ALIGN_UP(n->protocol->groups, 64u) / 8);
    if (show & NDIAG_SHOW_MEMINFO)
        put_memory(w, n);
    if (show & NDIAG_SHOW_FLAGS)
        netlink_put_u32(w, NETLINK_DIAG_FLAGS, flags_of(n));
    return netlink_end(w);
}

// at[1]: what is shown; at[2]: the protocol that is told of; at[3]: the last one, at[4]: its sockets have begun. data: the socket to
// tell of next, referenced.
static int dump_protocol(struct netlink_writer *w, struct netlink_dump *d) {
    int protocol = (int)d->at[2];
    struct netlink_socket *n = d->data;
    if (!n && !d->at[4])
        n = netlink_next_socket(protocol, NULL);
    d->at[4] = true;
    while (n) {
        d->data = n;
        if (READ_ONCE(n->s.net) == d->net && !socket_has(&n->s, SOCKET_DEAD) &&
            !put(w, netlink_dump_begin(w, d, SOCK_DIAG_BY_FAMILY, sizeof(struct netlink_diag_msg)), n,
                 (uint32_t)d->at[1]))
            return 1;
        n = netlink_next_socket(protocol, n);
        d->data = n;
        if (cond_resched_killable())
            return -EINTR;
    }
    return 0;
}

static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    for (; d->at[2] <= d->at[3]; d->at[2]++, d->at[4] = false) {
        int ret = dump_protocol(w, d);
        if (ret)
            return ret;
    }
    return 0;
}

static void dump_end(struct netlink_dump *d) {
    struct netlink_socket *n = d->data;
    if (n)
        socket_put(&n->s);
}

int netlink_diag_request(struct netlink_request *r) {
    const struct netlink_diag_req *q = netlink_data(r->message);
    if (netlink_length(r->message) < sizeof(*q))
        return -EINVAL;
    if (!(r->message->nlmsg_flags & NLM_F_DUMP))
        return -EOPNOTSUPP;
    bool all = q->sdiag_protocol == NDIAG_PROTO_ALL;
    if (!all && q->sdiag_protocol >= NETLINK_PROTOCOLS)
        return -ENOENT;
    struct netlink_dump d = {.fill = dump, .end = dump_end, .at = {[1] = q->ndiag_show}};
    d.at[2] = all ? 0 : q->sdiag_protocol;
    d.at[3] = all ? NETLINK_PROTOCOLS - 1 : q->sdiag_protocol;
    return netlink_dump_start(r, &d);
}
