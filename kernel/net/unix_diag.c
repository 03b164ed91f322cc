// SPDX-License-Identifier: MIT
// UNIX sockets for NETLINK_SOCK_DIAG. A dump goes on from the socket that it told of last, to which it keeps a reference.
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "net/net_ns.h"
#include "net/sock_diag.h"
#include "net/unix_private.h"
#include <linux/unix_diag.h>

enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_LISTEN = 10 }; // as Linux numbers them, after TCP's

#define NO_COOKIE  0xffffffffu
#define ICONS_MOST 512u // connections to accept that are named

static unsigned int state_of(const struct unix_socket *u) {
    enum socket_state state = READ_ONCE(u->s.state);
    return state == SOCKET_LISTENING   ? STATE_LISTEN
           : state == SOCKET_CONNECTED ? STATE_ESTABLISHED
                                       : STATE_CLOSE;
}

static void put_peer(struct netlink_writer *w, struct unix_socket *u) {
    struct unix_socket *peer = unix_get_peer(u);
    if (!peer)
        return;
    netlink_put_u32(w, UNIX_DIAG_PEER, (uint32_t)peer->s.ino);
    unix_put(peer);
}

static void put_name(struct netlink_writer *w, const struct unix_socket *u) {
    const struct unix_address *a = __atomic_load_n(&u->address, __ATOMIC_ACQUIRE);
    if (a && a->len > UNIX_NAME_OFFSET)
        netlink_put(w, UNIX_DIAG_NAME, a->name, (size_t)a->len - UNIX_NAME_OFFSET);
}

static void put_file(struct netlink_writer *w, struct unix_socket *u) {
    struct unix_diag_vfs vfs = {0};
    spin_lock(&u->s.lock);
    const struct inode *inode = u->path.dentry ? u->path.dentry->inode : NULL;
    if (inode)
        vfs = (struct unix_diag_vfs){(uint32_t)inode->ino, (uint32_t)inode->sb->dev};
    spin_unlock(&u->s.lock);
    if (inode)
        netlink_put(w, UNIX_DIAG_VFS, &vfs, sizeof(vfs));
}

// The inodes of those who wait to be accepted: of the ends that have one.
static void put_icons(struct netlink_writer *w, struct unix_socket *u) {
    size_t nest = netlink_nest(w, UNIX_DIAG_ICONS), n = 0;
    const struct unix_socket *embryo;
    spin_lock(&u->s.lock);
    list_for_each_entry (embryo, &u->waiting, waiting_link) {
        const struct unix_socket *peer = READ_ONCE(embryo->peer); // stays while the embryo is in the list
        if (n++ == ICONS_MOST || w->full || w->size - w->len < sizeof(uint32_t))
            break;
        uint32_t ino = peer ? (uint32_t)peer->s.ino : 0;
        memcpy(w->data + w->len, &ino, sizeof(ino));
        w->len += sizeof(ino);
    }
    spin_unlock(&u->s.lock);
    netlink_nest_end(w, nest);
}

static void put_queues(struct netlink_writer *w, struct unix_socket *u) {
    struct unix_diag_rqlen q;
    if (state_of(u) == STATE_LISTEN)
        q = (struct unix_diag_rqlen){READ_ONCE(u->waiting_count), READ_ONCE(u->s.backlog)};
    else
        q = (struct unix_diag_rqlen){(uint32_t)unix_bytes_to_read(u), (uint32_t)socket_bytes_underway(&u->s)};
    netlink_put(w, UNIX_DIAG_RQLEN, &q, sizeof(q));
}

static void put_memory(struct netlink_writer *w, const struct socket *s) {
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    memory[SK_MEMINFO_RCVBUF] = READ_ONCE(s->rcvbuf);
    memory[SK_MEMINFO_SNDBUF] = READ_ONCE(s->sndbuf);
    memory[SK_MEMINFO_WMEM_ALLOC] = (uint32_t)socket_bytes_underway(s);
    netlink_put(w, UNIX_DIAG_MEMINFO, memory, sizeof(memory));
}

static bool put(struct netlink_writer *w, struct unix_diag_msg *m, struct unix_socket *u, uint32_t show) {
    uint64_t cookie = socket_get_cookie(&u->s);
    if (m)
        *m = (struct unix_diag_msg){.udiag_family = AF_UNIX,
                                    .udiag_type = u->s.type,
                                    .udiag_state = state_of(u),
                                    .udiag_ino = (uint32_t)u->s.ino,
                                    .udiag_cookie = {(uint32_t)cookie, (uint32_t)(cookie >> 32)}};
    if (show & UDIAG_SHOW_NAME)
        put_name(w, u);
    if (show & UDIAG_SHOW_VFS)
        put_file(w, u);
    if (show & UDIAG_SHOW_PEER)
        put_peer(w, u);
    if (show & UDIAG_SHOW_ICONS && state_of(u) == STATE_LISTEN)
        put_icons(w, u);
    if (show & UDIAG_SHOW_RQLEN)
        put_queues(w, u);
    if (show & UDIAG_SHOW_MEMINFO)
        put_memory(w, &u->s);
    if (show & UDIAG_SHOW_UID)
        netlink_put_u32(w, UNIX_DIAG_UID, u->s.uid);
    netlink_put_u8(w, UNIX_DIAG_SHUTDOWN, READ_ONCE(u->s.shutdown));
    return netlink_end(w);
}

// at[1]: the states, at[2]: what is shown. data: the socket to tell of next, referenced, NULL: begin, or the end if at[3].
static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    struct unix_socket *u = d->data;
    if (!u && !d->at[3])
        u = unix_next_socket(NULL);
    d->at[3] = true;
    while (u) {
        bool wanted =
            READ_ONCE(u->s.net) == d->net && d->at[1] >> state_of(u) & 1 && !socket_has(&u->s, SOCKET_DEAD);
        d->data = u;
        if (wanted && !put(w, netlink_dump_begin(w, d, SOCK_DIAG_BY_FAMILY, sizeof(struct unix_diag_msg)), u,
                           (uint32_t)d->at[2]))
            return 1;
        u = unix_next_socket(u);
        d->data = u;
        if (cond_resched_killable())
            return -EINTR;
    }
    return 0;
}

static void dump_end(struct netlink_dump *d) {
    if (d->data)
        unix_put(d->data);
}

static struct unix_socket *find(const struct net_ns *net, const struct unix_diag_req *q) {
    struct unix_socket *u = NULL;
    while ((u = unix_next_socket(u))) {
        if (READ_ONCE(u->s.net) == net && u->s.ino == q->udiag_ino && !socket_has(&u->s, SOCKET_DEAD))
            return u;
        if (cond_resched_killable()) {
            unix_put(u);
            return NULL;
        }
    }
    return NULL;
}

static bool has_cookie(struct socket *s, const uint32_t cookie[2]) {
    uint64_t own = socket_get_cookie(s);
    return (cookie[0] == NO_COOKIE && cookie[1] == NO_COOKIE) ||
           (cookie[0] == (uint32_t)own && cookie[1] == (uint32_t)(own >> 32));
}

static int answer(struct netlink_request *r, const struct unix_diag_req *q) {
    struct netlink_writer w;
    struct unix_socket *u = q->udiag_ino ? find(r->net, q) : NULL;
    if (!u)
        return q->udiag_ino ? -ENOENT : -EINVAL;
    struct netlink_packet *p = NULL;
    int err = has_cookie(&u->s, q->udiag_cookie) ? 0 : -ESTALE;
    if (!err && !(p = netlink_packet_create(NETLINK_PACKET, &w)))
        err = -ENOMEM;
    if (!err && !put(&w,
                     netlink_begin(&w, SOCK_DIAG_BY_FAMILY, 0, r->message->nlmsg_seq, netlink_port(r),
                                   sizeof(struct unix_diag_msg)),
                     u, q->udiag_show))
        err = -EMSGSIZE;
    unix_put(u);
    if (!err)
        return netlink_answer(r, p, &w);
    if (p)
        netlink_packet_free(p);
    return err;
}

int unix_diag_request(struct netlink_request *r) {
    const struct unix_diag_req *q = netlink_data(r->message);
    if (netlink_length(r->message) < sizeof(*q))
        return -EINVAL;
    if (!(r->message->nlmsg_flags & NLM_F_DUMP))
        return answer(r, q);
    struct netlink_dump d = {
        .fill = dump, .end = dump_end, .at = {[1] = q->udiag_states, [2] = q->udiag_show}};
    return netlink_dump_start(r, &d);
}
