// SPDX-License-Identifier: MIT
// Netlink messages (netlink(7), RFC 3549): reading what a program sent, writing what it is told. Pure C, so that the host can
// fuzz what the kernel runs.
//
// A message is a header and `nlmsg_len` bytes in all; behind its own fixed header come attributes, each with its type and length. A
// reader believes no length: a message or an attribute that reaches beyond what it lies in is not there.
#pragma once
#include "lib/types.h"
#include <linux/netlink.h>

#define NETLINK_ATTRIBUTES 64 // types that any table here has, and 0

// ---- reading

// What is wrong with a message, for the extended acknowledgement.
struct netlink_complaint {
    const char *text;  // NULL: nothing said
    const void *where; // the attribute, or NULL
};

enum netlink_kind {
    NETLINK_REFUSED, // not known: ignored, or refused if the reader is strict
    NETLINK_BYTES,   // at least `len` of them
    NETLINK_AT_MOST, // bytes
    NETLINK_NUMBER,  // of `len` bytes; longer is taken unless the reader is strict
    NETLINK_STRING,  // at most `len` characters, with or without a NUL
};

struct netlink_rule {
    uint8_t kind;
    uint16_t len;
};

// The attributes of a message by type, the last of each.
struct netlink_attributes {
    const struct nlattr *at[NETLINK_ATTRIBUTES];
};

// The message at *at of n bytes, which moves behind it; NULL: there is none, or it is not whole. `data` is aligned to 4 bytes.
const struct nlmsghdr *netlink_next(const void *data, size_t n, size_t *at);
// The bytes behind a message's header.
static inline size_t netlink_length(const struct nlmsghdr *m) {
    return m->nlmsg_len - NLMSG_HDRLEN;
}
static inline const void *netlink_data(const struct nlmsghdr *m) {
    return (const char *)m + NLMSG_HDRLEN;
}

// Reads the attributes in `len` bytes. `rules` tells of types 1 to `most`. 0; -ERANGE: one is too short or too long for its kind;
// -EINVAL, of a strict reader: there is one that is not known, or something left behind the last.
int __must_check netlink_parse(const void *data, size_t len, const struct netlink_rule *rules,
                               unsigned int most, bool strict, struct netlink_attributes *out,
                               struct netlink_complaint *complaint);
// The same of what is behind the `header` bytes of a message's own fixed header. -EINVAL: it is shorter than that.
int __must_check netlink_parse_message(const struct nlmsghdr *m, size_t header,
                                       const struct netlink_rule *rules, unsigned int most, bool strict,
                                       struct netlink_attributes *out, struct netlink_complaint *complaint);

static inline const void *netlink_value(const struct nlattr *a) {
    return (const char *)a + NLA_HDRLEN;
}
static inline size_t netlink_value_length(const struct nlattr *a) {
    return a->nla_len - NLA_HDRLEN;
}
// A number, whose rule saw to its length.
uint32_t netlink_u32(const struct nlattr *a);
uint8_t netlink_u8(const struct nlattr *a);
// A string, cut to `size` with its NUL.
void netlink_text(const struct nlattr *a, char *out, size_t size);

// ---- writing

// Messages one behind the other in memory of a fixed size. What finds no room makes the writer full, and the message that is being
// written is taken back by netlink_end().
struct netlink_writer {
    char *data; // aligned to 4 bytes
    size_t size, len;
    size_t start; // of the message that is being written
    bool full;
};

// Begins a message with `header` bytes of its own, all 0, which are returned. NULL: no room.
void *netlink_begin(struct netlink_writer *w, uint16_t type, uint16_t flags, uint32_t sequence, uint32_t port,
                    size_t header);
void netlink_put(struct netlink_writer *w, uint16_t type, const void *value, size_t len);
void netlink_put_u8(struct netlink_writer *w, uint16_t type, uint8_t value);
void netlink_put_u16(struct netlink_writer *w, uint16_t type, uint16_t value);
void netlink_put_u32(struct netlink_writer *w, uint16_t type, uint32_t value);
void netlink_put_text(struct netlink_writer *w, uint16_t type, const char *text);
// An attribute that holds others; to be ended with what this returned.
size_t netlink_nest(struct netlink_writer *w, uint16_t type);
void netlink_nest_end(struct netlink_writer *w, size_t nest);
// The message is whole. False: it did not fit and is gone; what was written before it is there.
bool netlink_end(struct netlink_writer *w);
