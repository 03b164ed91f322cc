// SPDX-License-Identifier: MIT
// The netlink reader on any bytes: messages and attributes lie in what was given, whole and in order, each as its rule says; and the writer,
// told to write them again, writes what the reader reads, and nothing where there is no room.
#include <stdlib.h>
#include <string.h>
#include "lib/netlink.h"

static void check(bool good) {
    if (!good)
        abort();
}

static const struct netlink_rule rules[] = {
    [1] = {NETLINK_STRING, 15}, [2] = {NETLINK_AT_MOST, 32}, [3] = {NETLINK_NUMBER, 4},
    [4] = {NETLINK_NUMBER, 1},  [5] = {NETLINK_NUMBER, 2},   [6] = {NETLINK_BYTES, 0},
    [7] = {NETLINK_BYTES, 4},   [9] = {NETLINK_BYTES, 16},   [63] = {NETLINK_BYTES, 1},
};
#define MOST 63

static void check_attribute(const struct nlmsghdr *m, size_t header, const struct nlattr *a,
                            unsigned int type) {
    const char *start = (const char *)netlink_data(m) + NLMSG_ALIGN(header),
               *end = (const char *)m + m->nlmsg_len;
    size_t len = netlink_value_length(a);
    char text[16];
    check((const char *)a >= start && (const char *)netlink_value(a) + len <= end);
    check((a->nla_type & NLA_TYPE_MASK) == type && rules[type].kind != NETLINK_REFUSED);
    switch (rules[type].kind) {
    case NETLINK_STRING:
        netlink_text(a, text, sizeof(text));
        check(strlen(text) < sizeof(text) && len >= 1 && len <= rules[type].len + 1u);
        break;
    case NETLINK_AT_MOST:
        check(len <= rules[type].len);
        break;
    case NETLINK_NUMBER:
        check(len >= rules[type].len);
        if (rules[type].len == 4)
            (void)netlink_u32(a);
        (void)netlink_u8(a);
        break;
    default:
        check(len >= rules[type].len);
    }
}

// Writes the attributes into `size` bytes: all, or nothing.
static void write_again(const struct nlmsghdr *m, const struct netlink_attributes *all, size_t size) {
    char *memory = malloc(size + 1); // of its own, so that the sanitizer sees its end
    struct netlink_writer w = {.data = memory, .size = size & ~3ul};
    struct netlink_attributes again;
    struct netlink_complaint complaint = {0};
    netlink_begin(&w, m->nlmsg_type, m->nlmsg_flags, m->nlmsg_seq, m->nlmsg_pid, 8);
    for (unsigned int type = 1; type <= MOST; type++)
        if (all->at[type])
            netlink_put(&w, (uint16_t)type, netlink_value(all->at[type]),
                        netlink_value_length(all->at[type]));
    if (!netlink_end(&w)) {
        check(w.len == 0);
    } else {
        size_t at = 0;
        const struct nlmsghdr *copy = netlink_next(memory, w.len, &at);
        check(copy && at == w.len && copy->nlmsg_seq == m->nlmsg_seq);
        check(!netlink_parse_message(copy, 8, rules, MOST, false, &again, &complaint));
        for (unsigned int type = 1; type <= MOST; type++) {
            const struct nlattr *a = all->at[type], *b = again.at[type];
            check(!a == !b && (!a || (a->nla_len == b->nla_len &&
                                      !memcmp(netlink_value(a), netlink_value(b), netlink_value_length(a)))));
        }
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint8_t *data = malloc(size + 1);
    const struct nlmsghdr *m;
    size_t at = 0, before = 0;
    memcpy(data, bytes, size);
    while ((m = netlink_next(data, size, &at))) {
        check((const uint8_t *)m == data + before && at > before && at <= size &&
              m->nlmsg_len <= size - before);
        before = at;
        for (int strict = 0; strict < 2; strict++) {
            struct netlink_attributes a;
            struct netlink_complaint complaint = {0};
            size_t header = m->nlmsg_type % 24;
            int err = netlink_parse_message(m, header, rules, MOST, strict, &a, &complaint);
            check(!err || complaint.text);
            for (unsigned int type = 0; !err && type < NETLINK_ATTRIBUTES; type++)
                if (a.at[type])
                    check_attribute(m, header, a.at[type], type);
            if (!err)
                write_again(m, &a, m->nlmsg_seq % 512);
        }
    }
    check(!netlink_next(data, size, &at));
    free(data);
    return 0;
}
