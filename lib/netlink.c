// SPDX-License-Identifier: MIT
#include "lib/netlink.h"
#include "lib/errno.h"
#include "lib/string.h"

// ---- reading

const struct nlmsghdr *netlink_next(const void *data, size_t n, size_t *at) {
    if (*at > n || n - *at < NLMSG_HDRLEN)
        return NULL;
    const struct nlmsghdr *m = (const struct nlmsghdr *)((const char *)data + *at);
    size_t left = n - *at;
    if (m->nlmsg_len < NLMSG_HDRLEN || m->nlmsg_len > left)
        return NULL;
    *at += MIN((size_t)NLMSG_ALIGN((size_t)m->nlmsg_len), left);
    return m;
}

static int complain(struct netlink_complaint *complaint, const void *where, const char *text, int err) {
    complaint->text = text;
    complaint->where = where;
    return err;
}

// Whether an attribute is as its rule says.
static int check(const struct nlattr *a, const struct netlink_rule *rule, bool strict,
                 struct netlink_complaint *complaint) {
    size_t len = netlink_value_length(a);
    const char *value = netlink_value(a);
    bool good = true;
    switch (rule->kind) {
    case NETLINK_BYTES:
        good = len >= rule->len;
        break;
    case NETLINK_AT_MOST:
        good = len <= rule->len;
        break;
    case NETLINK_NUMBER:
        if (strict && len != rule->len)
            return complain(complaint, a, "invalid attribute length", -EINVAL);
        good = len >= rule->len;
        break;
    case NETLINK_STRING:
        good = len && len - !value[len - 1] <= rule->len;
        break;
    default:
        break;
    }
    return good ? 0 : complain(complaint, a, "Attribute failed policy validation", -ERANGE);
}

int netlink_parse(const void *data, size_t len, const struct netlink_rule *rules, unsigned int most,
                  bool strict, struct netlink_attributes *out, struct netlink_complaint *complaint) {
    const char *p = data;
    memset(out, 0, sizeof(*out));
    while (len >= NLA_HDRLEN) {
        const struct nlattr *a = (const struct nlattr *)p;
        if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
            break;
        unsigned int type = a->nla_type & NLA_TYPE_MASK;
        bool known = type && type <= most && type < NETLINK_ATTRIBUTES && rules[type].kind != NETLINK_REFUSED;
        if (!known && strict)
            return complain(complaint, a, "Unknown attribute type", -EINVAL);
        int err = known ? check(a, &rules[type], strict, complaint) : 0;
        if (err)
            return err;
        if (known)
            out->at[type] = a;
        size_t step = MIN((size_t)NLA_ALIGN((size_t)a->nla_len), len);
        p += step;
        len -= step;
    }
    return len && strict ? complain(complaint, NULL, "bytes leftover after parsing attributes", -EINVAL) : 0;
}

int netlink_parse_message(const struct nlmsghdr *m, size_t header, const struct netlink_rule *rules,
                          unsigned int most, bool strict, struct netlink_attributes *out,
                          struct netlink_complaint *complaint) {
    size_t len = netlink_length(m), skip = NLMSG_ALIGN(header);
    memset(out, 0, sizeof(*out));
    if (len < header)
        return complain(complaint, NULL, "Invalid header length", -EINVAL);
    if (len < skip)
        return 0;
    return netlink_parse((const char *)netlink_data(m) + skip, len - skip, rules, most, strict, out,
                         complaint);
}

uint32_t netlink_u32(const struct nlattr *a) {
    uint32_t n;
    memcpy(&n, netlink_value(a), sizeof(n));
    return n;
}

uint8_t netlink_u8(const struct nlattr *a) {
    return *(const uint8_t *)netlink_value(a);
}

void netlink_text(const struct nlattr *a, char *out, size_t size) {
    size_t len = MIN(netlink_value_length(a), size - 1);
    memcpy(out, netlink_value(a), len);
    out[len] = '\0';
}

// ---- writing

// n more bytes, all 0 up to the next boundary; NULL: no room.
static char *take(struct netlink_writer *w, size_t n) {
    size_t all = NLMSG_ALIGN(n);
    if (w->full || n > w->size || all > w->size - w->len) {
        w->full = true;
        return NULL;
    }
    char *p = w->data + w->len;
    memset(p, 0, all);
    w->len += all;
    return p;
}

void *netlink_begin(struct netlink_writer *w, uint16_t type, uint16_t flags, uint32_t sequence, uint32_t port,
                    size_t header) {
    w->start = w->len;
    w->full = false;
    struct nlmsghdr *m = (struct nlmsghdr *)take(w, NLMSG_HDRLEN + header);
    if (!m)
        return NULL;
    m->nlmsg_type = type;
    m->nlmsg_flags = flags;
    m->nlmsg_seq = sequence;
    m->nlmsg_pid = port;
    m->nlmsg_len = NLMSG_HDRLEN + (uint32_t)header;
    return (char *)m + NLMSG_HDRLEN;
}

void netlink_put(struct netlink_writer *w, uint16_t type, const void *value, size_t len) {
    struct nlattr *a = (struct nlattr *)take(w, NLA_HDRLEN + len);
    if (!a)
        return;
    a->nla_type = type;
    a->nla_len = (uint16_t)(NLA_HDRLEN + len);
    if (len)
        memcpy((char *)a + NLA_HDRLEN, value, len);
}

void netlink_put_u8(struct netlink_writer *w, uint16_t type, uint8_t value) {
    netlink_put(w, type, &value, sizeof(value));
}

void netlink_put_u16(struct netlink_writer *w, uint16_t type, uint16_t value) {
    netlink_put(w, type, &value, sizeof(value));
}

void netlink_put_u32(struct netlink_writer *w, uint16_t type, uint32_t value) {
    netlink_put(w, type, &value, sizeof(value));
}

void netlink_put_text(struct netlink_writer *w, uint16_t type, const char *text) {
    netlink_put(w, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct netlink_writer *w, uint16_t type) {
    size_t at = w->len;
    netlink_put(w, type, NULL, 0);
    return at;
}

void netlink_nest_end(struct netlink_writer *w, size_t nest) {
    if (!w->full)
        ((struct nlattr *)(w->data + nest))->nla_len = (uint16_t)(w->len - nest);
}

bool netlink_end(struct netlink_writer *w) {
    bool whole = !w->full;
    if (!whole)
        w->len = w->start;
    else if (w->len > w->start + NLMSG_ALIGN(((struct nlmsghdr *)(w->data + w->start))->nlmsg_len))
        ((struct nlmsghdr *)(w->data + w->start))->nlmsg_len = (uint32_t)(w->len - w->start);
    w->full = false;
    return whole;
}
