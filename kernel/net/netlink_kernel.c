// SPDX-License-Identifier: MIT
// The kernel's end of netlink sockets: requests that programs send, acknowledgements and dumps.
#include "core/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"

#define DUMP_MOST      32768u // bytes of a packet of a dump at most, as in Linux
#define DONE_SIZE      NLMSG_ALIGN(NLMSG_HDRLEN + sizeof(int))
#define COMPLAINT_MOST 256u // bytes of its attributes

uint32_t netlink_port(const struct netlink_request *r) {
    return READ_ONCE(r->from->port);
}

bool netlink_capable(const struct netlink_request *r, int capability) {
    const struct file *f = READ_ONCE(r->from->s.file);
    return f && cred_capable_in(f->cred, r->net->ns.owner, capability) && net_capable(r->net, capability);
}

int netlink_complain(struct netlink_request *r, const void *where, const char *text, int err) {
    r->complaint = (struct netlink_complaint){.text = text, .where = where};
    return err;
}

// ---- answers

static int finish(struct netlink_socket *to, struct netlink_packet *p, size_t len) {
    p->len = (uint32_t)len;
    int err = netlink_enqueue(to, p, true);
    if (err)
        netlink_packet_free(p);
    return err;
}

int netlink_answer(struct netlink_request *r, struct netlink_packet *p, const struct netlink_writer *w) {
    return finish(r->from, p, w->len) ? -ENOBUFS : 0;
}

static void put_complaint(struct netlink_writer *w, struct netlink_request *r) {
    const struct netlink_complaint *c = &r->complaint;
    if (c->text)
        netlink_put_text(w, NLMSGERR_ATTR_MSG, c->text);
    if (c->where)
        netlink_put_u32(w, NLMSGERR_ATTR_OFFS, (uint32_t)((const char *)c->where - (const char *)r->message));
}

// NLMSG_ERROR: 0 is an acknowledgement. An error's has all of the request, unless the program asked for its header alone.
static void acknowledge(struct netlink_request *r, int err) {
    const struct nlmsghdr *m = r->message;
    bool whole = err && !netlink_has(r->from, NETLINK_CAP_ACK);
    bool explain = netlink_has(r->from, NETLINK_EXT_ACK) && (r->complaint.text || r->complaint.where);
    size_t size = sizeof(struct nlmsgerr) + (whole ? NLMSG_ALIGN(netlink_length(m)) : 0);
    struct netlink_writer w;
    struct netlink_packet *p =
        netlink_packet_create(NLMSG_HDRLEN + NLMSG_ALIGN(size) + (explain ? COMPLAINT_MOST : 0), &w);
    if (!p) {
        socket_set_error(&r->from->s, ENOBUFS);
        return;
    }
    uint16_t flags = (whole || !err ? 0 : NLM_F_CAPPED) | (explain ? NLM_F_ACK_TLVS : 0);
    if (!err && netlink_has(r->from, NETLINK_CAP_ACK))
        flags |= NLM_F_CAPPED;
    struct nlmsgerr *e = netlink_begin(&w, NLMSG_ERROR, flags, m->nlmsg_seq, netlink_port(r), size);
    if (!e) {
        netlink_packet_free(p);
        return;
    }
    e->error = err;
    memcpy(&e->msg, m, whole ? m->nlmsg_len : sizeof(e->msg));
    if (explain)
        put_complaint(&w, r);
    netlink_end(&w);
    (void)finish(r->from, p, w.len);
}

// ---- dumps

void *netlink_dump_begin(struct netlink_writer *w, const struct netlink_dump *d, uint16_t type,
                         size_t header) {
    return netlink_begin(w, type, NLM_F_MULTI | d->flags, d->sequence, d->port, header);
}

static void dump_free(struct netlink_dump *d) {
    if (d->end)
        d->end(d);
    kfree(d);
}

// NLMSG_DONE, behind what is in the packet or in one of its own.
static void put_done(struct netlink_socket *n, const struct netlink_dump *d, int result,
                     struct netlink_packet *p, struct netlink_writer *w) {
    if (w->size - w->len < DONE_SIZE) {
        (void)finish(n, p, w->len);
        p = netlink_packet_create(DONE_SIZE, w);
        if (!p) {
            socket_set_error(&n->s, ENOBUFS);
            return;
        }
    }
    int *value = netlink_dump_begin(w, d, NLMSG_DONE, sizeof(*value));
    if (value)
        *value = result;
    netlink_end(w);
    (void)finish(n, p, w->len);
}

// One packet of the dump. 0 or -ENOBUFS: it goes on later.
static int dump_step_locked(struct netlink_socket *n) {
    ASSERT_HELD(&n->dump_mutex);
    struct netlink_dump *d = n->dump;
    struct netlink_writer w;
    size_t size = MIN(MAX(READ_ONCE(n->largest), (size_t)NETLINK_PACKET), (size_t)DUMP_MOST) & ~7ul;
    struct netlink_packet *p = netlink_packet_create(size, &w);
    if (!p)
        return -ENOBUFS;
    int more = d->fill(&w, d);
    if (more > 0 && w.len) {
        (void)finish(n, netlink_packet_trim(p, &w), w.len);
        return 0;
    }
    put_done(n, d, more > 0 ? -EMSGSIZE : more, p, &w); // what does not fit into an empty packet never will
    WRITE_ONCE(n->dump, NULL);
    dump_free(d);
    return 0;
}

void netlink_dump_continue(struct netlink_socket *n) {
    mutex_lock(&n->dump_mutex);
    int err = n->dump ? dump_step_locked(n) : 0;
    mutex_unlock(&n->dump_mutex);
    if (err)
        socket_set_error(&n->s, -err);
}

int netlink_dump_refuse(struct netlink_request *r, int err) {
    struct netlink_dump d = {.sequence = r->message->nlmsg_seq, .port = netlink_port(r)};
    struct netlink_writer w;
    bool explain = netlink_has(r->from, NETLINK_EXT_ACK) && (r->complaint.text || r->complaint.where);
    struct netlink_packet *p = netlink_packet_create(DONE_SIZE + COMPLAINT_MOST, &w);
    if (!p)
        return -ENOBUFS;
    d.flags = explain ? NLM_F_ACK_TLVS : 0;
    int *value = netlink_dump_begin(&w, &d, NLMSG_DONE, sizeof(*value));
    if (value)
        *value = err;
    if (explain)
        put_complaint(&w, r);
    netlink_end(&w);
    (void)finish(r->from, p, w.len);
    return NETLINK_ANSWERED;
}

int netlink_dump_start(struct netlink_request *r, const struct netlink_dump *like) {
    struct netlink_socket *n = r->from;
    struct netlink_dump *d = kmalloc(sizeof(*d));
    int err = d ? 0 : -ENOBUFS;
    mutex_lock(&n->dump_mutex);
    if (!err && n->dump)
        err = -EBUSY;
    if (!err && !netlink_has_room(n))
        err = -ENOBUFS;
    if (!err) {
        *d = *like;
        d->net = r->net;
        d->sequence = r->message->nlmsg_seq;
        d->port = netlink_port(r);
        WRITE_ONCE(n->dump, d);
        err = dump_step_locked(n);
        if (err)
            WRITE_ONCE(n->dump, NULL);
    }
    mutex_unlock(&n->dump_mutex);
    if (!err)
        return NETLINK_ANSWERED;
    if (like->end) {
        struct netlink_dump copy = *like;
        like->end(&copy);
    }
    kfree(d);
    return err;
}

void netlink_dump_stop(struct netlink_socket *n) {
    mutex_lock(&n->dump_mutex);
    if (n->dump)
        dump_free(n->dump);
    WRITE_ONCE(n->dump, NULL);
    mutex_unlock(&n->dump_mutex);
}

// ---- requests

void netlink_to_kernel(struct netlink_socket *n, const void *data, size_t len) {
    const struct nlmsghdr *m;
    size_t at = 0;
    while ((m = netlink_next(data, len, &at))) {
        struct netlink_request r = {
            .from = n, .net = n->s.net, .message = m, .strict = netlink_has(n, NETLINK_GET_STRICT_CHK)};
        int ret = 0;
        if (m->nlmsg_flags & NLM_F_REQUEST && m->nlmsg_type >= NLMSG_MIN_TYPE)
            ret = n->protocol->request(&r);
        if (ret != NETLINK_ANSWERED && (ret || m->nlmsg_flags & NLM_F_ACK))
            acknowledge(&r, ret);
        if (cond_resched_killable())
            return;
    }
}

// ---- groups

bool netlink_has_listeners(const struct net_ns *net, int protocol, unsigned int group) {
    struct netlink_socket *n = NULL;
    uint64_t serial = 0;
    while ((n = netlink_next_member(net, n, &serial))) {
        if (n->s.protocol == protocol && READ_ONCE(n->groups) >> (group - 1) & 1) {
            socket_put(&n->s);
            return true;
        }
    }
    return false;
}
