// SPDX-License-Identifier: MIT
// NETLINK_SOCK_DIAG (sock_diag(7)): what sockets there are, as ss(8) asks.
#include "net/sock_diag.h"
#include "core/errno.h"

static int request(struct netlink_request *r) {
    const struct sock_diag_req *q = netlink_data(r->message);
    if (r->message->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return r->message->nlmsg_type == SOCK_DESTROY || r->message->nlmsg_type < SOCK_DIAG_BY_FAMILY
                   ? -EOPNOTSUPP
                   : -EINVAL;
    if (netlink_length(r->message) < sizeof(*q) || q->sdiag_family >= AF_MAX)
        return -EINVAL;
    switch (q->sdiag_family) {
    case AF_INET:
    case AF_INET6:
        return inet_diag_request(r);
    case AF_UNIX:
        return unix_diag_request(r);
    case AF_NETLINK:
        return netlink_diag_request(r);
    default:
        return -ENOENT;
    }
}

void sock_diag_init(void) {
    static const struct netlink_protocol protocol = {
        .number = NETLINK_SOCK_DIAG, .groups = 32, .anyone_listens = true, .request = request};
    netlink_register(&protocol);
}
