// SPDX-License-Identifier: MIT
// /proc/sys/net: what sockets may have, and how they begin. What is here has an effect, or says what is so and cannot be changed.
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "core/user_ns.h"
#include "net/inet.h"
#include "net/loopback.h"
#include "net/net_ns.h"
#include "net/socket.h"
#include "net/unix.h"
#include "procfs/private.h"

// ---- several numbers in a row

// Of a network's settings, or of the machine.
struct numbers {
    unsigned long *at; // NULL: a network's, at
    size_t of_net;     // in struct net_ns
    unsigned int count;
    unsigned long low, high; // what each may be
    bool rising;             // none may be less than the one before it
};

static unsigned long *place_of(const struct numbers *n, struct net_ns *net) {
    return n->at ? n->at : (unsigned long *)((char *)net + n->of_net);
}

static int show_numbers(struct seq_buf *s, void *arg) {
    const struct numbers *n = arg;
    const unsigned long *at = place_of(n, s->net);
    for (unsigned int i = 0; i < n->count; i++)
        seq_printf(s, i ? "\t%lu" : "%lu", READ_ONCE(at[i]));
    seq_puts(s, "\n");
    return 0;
}

#define COUNT_MOST 3

// As many as are there are stored, if all of them will do.
static ssize_t store_net_numbers(struct net_ns *net, const char *text, size_t len, void *arg) {
    const struct numbers *n = arg;
    unsigned long new[COUNT_MOST], *place = place_of(n, net);
    unsigned int count = 0;
    for (const char *at = text; count < n->count; count++) {
        while (*at == ' ' || *at == '\t')
            at++;
        const char *end = number_read(at, 10, UINT64_MAX, &new[count]);
        if (end == at || new[count] < n->low || new[count] > n->high)
            return -EINVAL;
        at = end;
        if (n->rising && count && new[count] < new[count - 1])
            return -EINVAL;
    }
    for (unsigned int i = 0; i < count; i++)
        WRITE_ONCE(place[i], new[i]);
    return len;
}

#ifdef CONFIG_DEBUG
static ssize_t store_numbers(const char *text, size_t len, void *arg) {
    return store_net_numbers(NULL, text, len, arg);
}

#define NUMBERS(path_, at_, low_, high_, rising_)                                                            \
    {                                                                                                        \
        .path = "sys/" path_, .mode = 0644, .show = show_numbers, .store = store_numbers,                    \
        .arg = &(struct numbers) {                                                                           \
            at_, 0, sizeof(at_) / sizeof((at_)[0]), low_, high_, rising_                                     \
        }                                                                                                    \
    }
#endif

#define OF_NET(path_, member_, low_, high_)                                                                  \
    {                                                                                                        \
        .path = "sys/net/" path_, .mode = 0644, .show = show_numbers, .store_net = store_net_numbers,        \
        .arg = &(struct numbers) {                                                                           \
            NULL, offsetof(struct net_ns, settings.member_),                                                 \
                sizeof(((struct net_ns *)0)->settings.member_) / sizeof(unsigned long), low_, high_, true    \
        }                                                                                                    \
    }

// Groups as the reader's user namespace has them. The range that says "nobody" is one from 1 to 0.
static int show_ping_groups(struct seq_buf *s, void *arg) {
    const struct user_ns *reader = current->cred->user_ns;
    const unsigned long *range = s->net->settings.ping_groups;
    (void)arg;
    seq_printf(s, "%u\t%u\n", gid_shown(reader, (gid_t)READ_ONCE(range[0])),
               gid_shown(reader, (gid_t)READ_ONCE(range[1])));
    return 0;
}

static ssize_t store_ping_groups(struct net_ns *net, const char *text, size_t len, void *arg) {
    unsigned long range[2];
    const struct numbers n = {range, 0, 2, 0, INT32_MAX, false};
    (void)arg;
    range[0] = READ_ONCE(net->settings.ping_groups[0]);
    range[1] = READ_ONCE(net->settings.ping_groups[1]);
    ssize_t taken = store_net_numbers(net, text, len, (void *)&n);
    if (taken < 0)
        return taken;
    const struct user_ns *writer = current->cred->user_ns;
    gid_t low = gid_from_user(writer, (gid_t)range[0]), high = gid_from_user(writer, (gid_t)range[1]);
    if (low == ID_NONE || high == ID_NONE)
        return -EINVAL;
    bool nobody = range[0] > range[1];
    WRITE_ONCE(net->settings.ping_groups[0], nobody ? 1 : low);
    WRITE_ONCE(net->settings.ping_groups[1], nobody ? 0 : high);
    return taken;
}

// ---- how connections find their speed: there is one way

static ssize_t store_congestion_control(const char *text, size_t n, void *arg) {
    size_t len = strlen(INET_CONGESTION_CONTROL);
    (void)arg;
    bool same = n >= len && !memcmp(text, INET_CONGESTION_CONTROL, len) && (n == len || text[len] == '\n');
    return same ? (ssize_t)n : -ENOENT;
}

// ---- what is so for every device

#define OF_EACH(family_, name_, text_)                                                                       \
    PROC_TEXT("net/" family_ "/conf/all/" name_, text_),                                                     \
        PROC_TEXT("net/" family_ "/conf/default/" name_, text_),                                             \
        PROC_TEXT("net/" family_ "/conf/lo/" name_, text_)

static const struct proc_entry entries[] = {
    OF_NET("core/somaxconn", somaxconn, 0, INT32_MAX),
    PROC_NUMBER("net/core/wmem_max", &socket_wmem_max, 4608, INT32_MAX),
    PROC_NUMBER("net/core/rmem_max", &socket_rmem_max, 2304, INT32_MAX),
    PROC_NUMBER("net/core/wmem_default", &socket_wmem_default, 4608, INT32_MAX),
    PROC_NUMBER("net/core/rmem_default", &socket_rmem_default, 2304, INT32_MAX),
    PROC_TEXT("net/core/optmem_max", "131072"),
#ifdef CONFIG_DEBUG
    NUMBERS("net/core/loopback_faults", loopback_faults, 0, 1000, false),
#endif
    OF_NET("unix/max_dgram_qlen", unix_dgram_qlen, 0, INT32_MAX),
    OF_NET("ipv4/ip_local_port_range", port_range, 1, 65535),
    OF_NET("ipv4/ip_unprivileged_port_start", unprivileged_port, 0, 65535),
    OF_NET("ipv4/ip_default_ttl", default_ttl, 1, 255),
    OF_NET("ipv4/ip_nonlocal_bind", nonlocal_bind, 0, 1),
    PROC_TEXT("net/ipv4/ip_forward", "0"),
    OF_NET("ipv4/ipfrag_time", fragment_time, 0, INT32_MAX),
    {.path = "sys/net/ipv4/ping_group_range",
     .mode = 0644,
     .show = show_ping_groups,
     .store_net = store_ping_groups},
    PROC_TEXT("net/ipv4/igmp_max_memberships", "20"),
    PROC_TEXT("net/ipv4/igmp_max_msf", "10"),
    OF_NET("ipv4/tcp_rmem", tcp_rmem, 4096, INT32_MAX),
    OF_NET("ipv4/tcp_wmem", tcp_wmem, 4096, INT32_MAX),
    OF_NET("ipv4/tcp_keepalive_time", keepalive[0], 1, 32767),
    OF_NET("ipv4/tcp_keepalive_intvl", keepalive[1], 1, 32767),
    OF_NET("ipv4/tcp_keepalive_probes", keepalive[2], 1, 127),
    OF_NET("ipv4/tcp_syn_retries", syn_retries, 1, 12),
    OF_NET("ipv4/tcp_fin_timeout", fin_timeout, 1, 120),
    PROC_TEXT("net/ipv4/tcp_fastopen", "0"),
    PROC_TEXT("net/ipv4/tcp_dsack", "0"),
    PROC_TEXT("net/ipv4/tcp_ecn", "0"),
    PROC_TEXT("net/ipv4/tcp_sack", "1"),
    PROC_TEXT("net/ipv4/tcp_window_scaling", "1"),
    PROC_TEXT("net/ipv4/tcp_timestamps", "0"),
    PROC_TEXT("net/ipv4/tcp_syncookies", "0"),
    PROC_TEXT("net/ipv4/tcp_available_congestion_control", INET_CONGESTION_CONTROL),
    PROC_TEXT("net/ipv4/tcp_allowed_congestion_control", INET_CONGESTION_CONTROL),
    {.path = "sys/net/ipv4/tcp_congestion_control",
     .mode = 0644,
     .show = proc_show_text,
     .store = store_congestion_control,
     .arg = INET_CONGESTION_CONTROL},
    OF_NET("ipv6/ip6frag_time", fragment_time6, 0, INT32_MAX),
    OF_NET("ipv6/bindv6only", v6only, 0, 1),
    OF_EACH("ipv4", "accept_redirects", "0"),
    OF_EACH("ipv4", "accept_source_route", "0"),
    OF_EACH("ipv4", "arp_announce", "0"),
    OF_EACH("ipv4", "arp_ignore", "0"),
    OF_EACH("ipv4", "bc_forwarding", "0"),
    OF_EACH("ipv4", "forwarding", "0"),
    OF_EACH("ipv4", "log_martians", "0"),
    OF_EACH("ipv4", "mc_forwarding", "0"),
    OF_EACH("ipv4", "proxy_arp", "0"),
    OF_EACH("ipv4", "route_localnet", "0"),
    OF_EACH("ipv4", "rp_filter", "0"),
    OF_EACH("ipv4", "send_redirects", "0"),
    OF_EACH("ipv6", "accept_dad", "0"),
    OF_EACH("ipv6", "accept_ra", "1"),
    OF_EACH("ipv6", "accept_redirects", "0"),
    OF_EACH("ipv6", "accept_source_route", "0"),
    OF_EACH("ipv6", "autoconf", "1"),
    OF_EACH("ipv6", "disable_ipv6", "0"),
    OF_EACH("ipv6", "forwarding", "0"),
    OF_EACH("ipv6", "hop_limit", "64"),
    OF_EACH("ipv6", "mc_forwarding", "0"),
    OF_EACH("ipv6", "proxy_ndp", "0"),
    OF_EACH("ipv6", "use_tempaddr", "0"),
};

void proc_sys_net_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
