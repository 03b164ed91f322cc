// SPDX-License-Identifier: MIT
// TCP and UDP sockets for NETLINK_SOCK_DIAG, from a snapshot; and the programs by which ss(8) says which it wants.
//
// Such a program is a row of conditions. Each leads forward: by `yes` bytes if it holds, by `no` if not. Who comes exactly to the end is
// meant; a step beyond it says no.
#include "core/errno.h"
#include "mm/slab.h"
#include "net/inet_info.h"
#include "net/sock_diag.h"
#include "sched/user.h"
#include "sched/thread.h"
#include <linux/in.h>
#include <linux/inet_diag.h>
#include <linux/tcp.h>

#define PROGRAM_MOST 32768u

enum { TCP_STATE_TIME_WAIT = 6, TCP_STATE_CLOSE = 7, TCP_STATE_LISTEN = 10 };

// ---- what is told

static void put_info(struct netlink_writer *w, const struct inet_info *i) {
    struct tcp_info t = {.tcpi_state = i->state,
                         .tcpi_retransmits = i->retransmits,
                         .tcpi_options = TCPI_OPT_SACK | (i->snd_scale ? TCPI_OPT_WSCALE : 0),
                         .tcpi_snd_wscale = i->snd_scale,
                         .tcpi_rcv_wscale = i->rcv_scale,
                         .tcpi_rto = i->rto * 1000,
                         .tcpi_snd_mss = i->mss,
                         .tcpi_rcv_mss = i->mss,
                         .tcpi_advmss = i->mss,
                         .tcpi_pmtu = 65535,
                         .tcpi_rtt = i->rtt * 1000,
                         .tcpi_snd_ssthresh = i->ssthresh,
                         .tcpi_snd_cwnd = i->cwnd,
                         .tcpi_rcv_space = i->window};
    if (i->state == TCP_STATE_LISTEN) {
        t.tcpi_unacked = i->rx;
        t.tcpi_sacked = i->tx;
    }
    netlink_put(w, INET_DIAG_INFO, &t, sizeof(t));
}

static void put_memory(struct netlink_writer *w, const struct inet_info *i, unsigned int ext) {
    struct inet_diag_meminfo old = {.idiag_rmem = i->rx, .idiag_wmem = i->tx, .idiag_tmem = i->wmem};
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    memory[SK_MEMINFO_RMEM_ALLOC] = i->state == TCP_STATE_LISTEN ? 0 : i->rx;
    memory[SK_MEMINFO_RCVBUF] = i->rcvbuf;
    memory[SK_MEMINFO_WMEM_ALLOC] = i->wmem;
    memory[SK_MEMINFO_SNDBUF] = i->sndbuf;
    memory[SK_MEMINFO_DROPS] = i->drops;
    if (ext & 1u << (INET_DIAG_MEMINFO - 1))
        netlink_put(w, INET_DIAG_MEMINFO, &old, sizeof(old));
    if (ext & 1u << (INET_DIAG_SKMEMINFO - 1))
        netlink_put(w, INET_DIAG_SKMEMINFO, memory, sizeof(memory));
}

static void fill_id(struct inet_diag_sockid *id, const struct inet_info *i) {
    uint32_t cookie = (uint32_t)i->cookie;
    id->idiag_sport = __builtin_bswap16(i->local_port);
    id->idiag_dport = __builtin_bswap16(i->remote_port);
    memcpy(id->idiag_src, i->local.bytes, sizeof(id->idiag_src));
    memcpy(id->idiag_dst, i->remote.bytes, sizeof(id->idiag_dst));
    id->idiag_if = (uint32_t)i->device;
    id->idiag_cookie[0] = cookie;
    id->idiag_cookie[1] = (uint32_t)(i->cookie >> 32);
}

static bool put(struct netlink_writer *w, struct inet_diag_msg *m, const struct inet_info *i,
                unsigned int ext) {
    bool tcp = i->protocol == IPPROTO_TCP,
         closed = i->state == TCP_STATE_LISTEN || i->state == TCP_STATE_CLOSE;
    if (m) {
        *m = (struct inet_diag_msg){.idiag_family = (uint8_t)i->local.family,
                                    .idiag_state = i->state,
                                    .idiag_timer = i->timer,
                                    .idiag_retrans = i->retransmits,
                                    .idiag_expires = i->expires,
                                    .idiag_rqueue = i->rx,
                                    .idiag_wqueue = i->tx,
                                    .idiag_uid = i->uid,
                                    .idiag_inode = (uint32_t)i->ino};
        fill_id(&m->id, i);
    }
    if (i->state == TCP_STATE_TIME_WAIT)
        return netlink_end(w);
    netlink_put_u8(w, INET_DIAG_SHUTDOWN, i->shutdown);
    if (i->local.family == AF_INET6 && closed)
        netlink_put_u8(w, INET_DIAG_SKV6ONLY, i->v6only);
    put_memory(w, i, ext);
    if (tcp && ext & 1u << (INET_DIAG_INFO - 1))
        put_info(w, i);
    if (tcp && ext & 1u << (INET_DIAG_CONG - 1))
        netlink_put_text(w, INET_DIAG_CONG, "reno");
    return netlink_end(w);
}

// ---- programs

struct program {
    size_t len;
    const char *code;
};

// The bytes that a condition has with its arguments; 0: it is none that is known.
static size_t size_of(const struct inet_diag_bc_op *op, size_t left) {
    const struct inet_diag_hostcond *c = (const struct inet_diag_hostcond *)(op + 1);
    size_t size = sizeof(*op);
    switch (op->code) {
    case INET_DIAG_BC_S_COND:
    case INET_DIAG_BC_D_COND:
        if (left < size + sizeof(*c))
            return 0;
        size += sizeof(*c) + (c->family == AF_INET ? 4 : c->family == AF_INET6 ? 16 : 0);
        return c->prefix_len > 8 * (size - sizeof(*op) - sizeof(*c)) ? 0 : size;
    case INET_DIAG_BC_DEV_COND:
    case INET_DIAG_BC_S_GE:
    case INET_DIAG_BC_S_LE:
    case INET_DIAG_BC_D_GE:
    case INET_DIAG_BC_D_LE:
    case INET_DIAG_BC_S_EQ:
    case INET_DIAG_BC_D_EQ:
        return size + sizeof(*op);
    case INET_DIAG_BC_AUTO:
    case INET_DIAG_BC_JMP:
    case INET_DIAG_BC_NOP:
        return size;
    default:
        return 0;
    }
}

static const struct inet_diag_bc_op *op_at(const struct program *p, size_t at) {
    if (at > p->len || p->len - at < sizeof(struct inet_diag_bc_op))
        return NULL;
    const struct inet_diag_bc_op *op = (const struct inet_diag_bc_op *)(p->code + at);
    size_t size = size_of(op, p->len - at);
    return size && size <= p->len - at && op->yes >= size && !(op->yes & 3) &&
                   (op->code == INET_DIAG_BC_NOP || (op->no >= sizeof(*op) && !(op->no & 3)))
               ? op
               : NULL;
}

// Is every condition on the way whole, and does the way end at the end?
static bool is_valid(const struct program *p) {
    size_t at = 0;
    while (at < p->len) {
        const struct inet_diag_bc_op *op = op_at(p, at);
        if (!op)
            return false;
        at += op->yes;
    }
    return at == p->len;
}

static bool is_host(const struct inet_diag_hostcond *c, const struct net_address *a, unsigned int port) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (c->port != -1 && (unsigned int)c->port != port)
        return false;
    if (!c->prefix_len)
        return true;
    if (c->family == AF_INET && a->family == AF_INET6) {
        if (memcmp(a->bytes, mapped, sizeof(mapped)))
            return false;
        struct net_address inner = net_address_of(AF_INET, a->bytes + sizeof(mapped));
        struct net_address wanted = net_address_of(AF_INET, c->addr);
        return net_address_matches(&inner, &wanted, c->prefix_len);
    }
    if (c->family != a->family)
        return false;
    struct net_address wanted = net_address_of(c->family, c->addr);
    return net_address_matches(a, &wanted, c->prefix_len);
}

static bool holds(const struct inet_diag_bc_op *op, const struct inet_info *i) {
    const struct inet_diag_hostcond *c = (const struct inet_diag_hostcond *)(op + 1);
    switch (op->code) {
    case INET_DIAG_BC_JMP:
        return false;
    case INET_DIAG_BC_S_GE:
        return i->local_port >= op[1].no;
    case INET_DIAG_BC_S_LE:
        return i->local_port <= op[1].no;
    case INET_DIAG_BC_D_GE:
        return i->remote_port >= op[1].no;
    case INET_DIAG_BC_D_LE:
        return i->remote_port <= op[1].no;
    case INET_DIAG_BC_S_EQ:
        return i->local_port == op[1].no;
    case INET_DIAG_BC_D_EQ:
        return i->remote_port == op[1].no;
    case INET_DIAG_BC_S_COND:
        return is_host(c, &i->local, i->local_port);
    case INET_DIAG_BC_D_COND:
        return is_host(c, &i->remote, i->remote_port);
    case INET_DIAG_BC_DEV_COND:
        return *(const uint32_t *)(op + 1) == (uint32_t)i->device;
    default:
        return true;
    }
}

static bool is_meant(const struct program *p, const struct inet_info *i) {
    size_t at = 0;
    while (at < p->len) {
        const struct inet_diag_bc_op *op = op_at(p, at);
        if (!op)
            return false;
        at += holds(op, i) || op->code == INET_DIAG_BC_NOP ? op->yes : op->no;
    }
    return at == p->len;
}

// ---- dumps

enum { AT_NEXT, AT_FAMILY, AT_STATES, AT_EXT, AT_PORTS };

struct question {
    struct inet_snapshot *snapshot;
    struct user *user; // who pays for the program; a reference
    struct program program;
    char code[] __aligned_to(4);
};

static struct question *question_create(size_t len) {
    struct user *user = current->cred->user;
    if (!user_may_charge(user, USER_SOCKET_BYTES, (long)len, READ_ONCE(limits.socket_bytes_max)))
        return NULL;
    struct question *q = kmalloc(sizeof(*q) + len);
    if (q)
        *q = (struct question){.user = user_get(user), .program = {len, q->code}};
    else
        user_uncharge(user, USER_SOCKET_BYTES, (long)len);
    return q;
}

static void question_free(struct question *q) {
    user_uncharge(q->user, USER_SOCKET_BYTES, (long)q->program.len);
    user_put(q->user);
    kfree(q);
}

static bool is_asked_for(const struct netlink_dump *d, const struct question *q, const struct inet_info *i) {
    uint16_t sport = (uint16_t)d->at[AT_PORTS], dport = (uint16_t)(d->at[AT_PORTS] >> 16);
    return i->local.family == d->at[AT_FAMILY] && d->at[AT_STATES] >> i->state & 1 &&
           (!sport || sport == i->local_port) && (!dport || dport == i->remote_port) &&
           is_meant(&q->program, i);
}

static int dump(struct netlink_writer *w, struct netlink_dump *d) {
    struct question *q = d->data;
    const struct inet_info *i;
    for (; (i = inet_snapshot_at(q->snapshot, d->at[AT_NEXT])); d->at[AT_NEXT]++) {
        if (is_asked_for(d, q, i) &&
            !put(w, netlink_dump_begin(w, d, SOCK_DIAG_BY_FAMILY, sizeof(struct inet_diag_msg)), i,
                 (unsigned int)d->at[AT_EXT]))
            return 1;
        if (cond_resched_killable())
            return -EINTR;
    }
    return 0;
}

static void dump_end(struct netlink_dump *d) {
    struct question *q = d->data;
    inet_snapshot_free(q->snapshot);
    question_free(q);
}

static const struct netlink_rule rules[] = {[INET_DIAG_REQ_BYTECODE] = {NETLINK_BYTES, 4}};

// A snapshot, and the program that a request may have.
static struct question *ask(struct netlink_request *r, const struct inet_diag_req_v2 *req) {
    struct netlink_attributes a;
    int err = netlink_parse_message(r->message, sizeof(*req), rules, ARRAY_SIZE(rules) - 1, false, &a,
                                    &r->complaint);
    if (err)
        return ERR_PTR(err);
    const struct nlattr *code = a.at[INET_DIAG_REQ_BYTECODE];
    size_t len = code ? netlink_value_length(code) : 0;
    if (len > PROGRAM_MOST)
        return ERR_PTR(-EINVAL);
    struct question *q = question_create(len);
    if (!q)
        return ERR_PTR(-ENOBUFS);
    if (len)
        memcpy(q->code, netlink_value(code), len);
    if (!is_valid(&q->program)) {
        question_free(q);
        return ERR_PTR(-EINVAL);
    }
    q->snapshot = inet_snapshot_create(r->net, req->sdiag_protocol);
    if (!IS_ERR(q->snapshot))
        return q;
    question_free(q);
    return ERR_PTR(-ENOBUFS);
}

static int get_all(struct netlink_request *r, const struct inet_diag_req_v2 *req) {
    struct netlink_dump d = {.fill = dump, .end = dump_end};
    d.data = ask(r, req);
    if (IS_ERR(d.data))
        return PTR_ERR(d.data);
    d.at[AT_FAMILY] = req->sdiag_family;
    d.at[AT_STATES] = req->idiag_states;
    d.at[AT_EXT] = req->idiag_ext;
    d.at[AT_PORTS] = __builtin_bswap16(req->id.idiag_sport) | (uint64_t)__builtin_bswap16(req->id.idiag_dport)
                                                                  << 16;
    return netlink_dump_start(r, &d);
}

// ---- one

static bool is_id(const struct inet_diag_req_v2 *req, const struct inet_info *i) {
    struct inet_diag_sockid id = {0};
    unsigned int size = net_address_size(i->local.family);
    fill_id(&id, i);
    if (i->local.family != req->sdiag_family || id.idiag_sport != req->id.idiag_sport)
        return false;
    if (i->state == TCP_STATE_LISTEN || (i->protocol == IPPROTO_UDP && !i->remote_port))
        return true;
    return id.idiag_dport == req->id.idiag_dport && !memcmp(id.idiag_src, req->id.idiag_src, size) &&
           !memcmp(id.idiag_dst, req->id.idiag_dst, size);
}

static const struct inet_info *find(const struct inet_snapshot *s, const struct inet_diag_req_v2 *req) {
    const struct inet_info *i, *found = NULL;
    for (unsigned long at = 0; (i = inet_snapshot_at(s, at)); at++) {
        if (is_id(req, i) && (!found || i->remote_port)) // a connection before who listens for it
            found = i;
        if (cond_resched_killable())
            return NULL;
    }
    return found;
}

static int answer(struct netlink_request *r, const struct inet_diag_req_v2 *req, const struct inet_info *i) {
    const uint32_t *cookie = req->id.idiag_cookie;
    struct netlink_writer w;
    if (!i)
        return -ENOENT;
    if ((cookie[0] != INET_DIAG_NOCOOKIE || cookie[1] != INET_DIAG_NOCOOKIE) &&
        (cookie[0] != (uint32_t)i->cookie || cookie[1] != (uint32_t)(i->cookie >> 32)))
        return -ESTALE;
    struct netlink_packet *p = netlink_packet_create(NETLINK_PACKET, &w);
    if (!p)
        return -ENOBUFS;
    put(&w,
        netlink_begin(&w, SOCK_DIAG_BY_FAMILY, 0, r->message->nlmsg_seq, netlink_port(r),
                      sizeof(struct inet_diag_msg)),
        i, req->idiag_ext);
    return netlink_answer(r, p, &w);
}

static int get_one(struct netlink_request *r, const struct inet_diag_req_v2 *req) {
    struct inet_snapshot *s = inet_snapshot_create(r->net, req->sdiag_protocol);
    if (IS_ERR(s))
        return -ENOBUFS;
    int err = answer(r, req, find(s, req));
    inet_snapshot_free(s);
    return err;
}

int inet_diag_request(struct netlink_request *r) {
    const struct inet_diag_req_v2 *req = netlink_data(r->message);
    if (netlink_length(r->message) < sizeof(*req))
        return -EINVAL;
    if (req->sdiag_protocol != IPPROTO_TCP && req->sdiag_protocol != IPPROTO_UDP)
        return -ENOENT;
    return r->message->nlmsg_flags & NLM_F_DUMP ? get_all(r, req) : get_one(r, req);
}
