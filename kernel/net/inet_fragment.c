// SPDX-License-Identifier: MIT
// Fragments. A packet of which some have come is a *group*: its *pieces* are frames that wait, in the order of where their data belongs. When
// the bytes from the first to the last one's end are there, they are copied into one new frame.
//
// As in Linux: what is there already is dropped; of what overlaps, or contradicts itself about where the end is, all is dropped (RFC 5722); what has
// not become whole in time is, too, and who sent the first of it is told.
//
// What waits is on the kernel's account, whoever's packet it is and whoever brings it here, and bounded. Its *holder* is who sent it: a user of
// this machine, or an address on a network (of IPv6 its first half: all of the rest is one host's to choose). Where there are too many, the oldest
// group of the holder that has most goes, if that is more than a fair part; else the oldest of all, so that many who have little, under names that
// may be made up, do not drive out one who sends something longer.
//
// All of this belongs to the one who holds the stack's lock, and is one for all networks: the bounds are.
#include "net/inet_fragment.h"
#include "net/checksum.h"
#include "net/device.h"
#include "net/inet.h"
#include "net/inet_memory.h"
#include "net/inet_stack.h"
#include "sched/user.h"

#define GROUPS_BYTES                                                                                         \
    (4ul << 20) // that all pieces take at most, and no more than a quarter of what the kernel may have
#define PIECES_MOST   1024u
#define FAIR_PART     8u // of the bytes, or of the pieces
#define BUCKETS       64u
#define PACKET_MOST   65535u                  // bytes, as lwIP counts them
#define NESTED_MOST   4u                      // whole packets that are fragments of others
#define PP_INCOMPLETE ((enum icmp6_pp_code)3) // RFC 7112

// What a fragment says of itself.
struct fragment {
    struct net_address from, to;
    uint32_t id;
    uint8_t protocol;        // IPv4's; IPv6 has them apart by the number alone
    bool six, more;          // more come behind it
    uint32_t start, end;     // of the packet's data
    uint32_t at;             // where in the frame that begins
    uint32_t before, header; // IPv6: where the kind of its header, and that, stand
};

struct holder {
    struct list_head link;   // of `holders`
    struct list_head groups; // the oldest first
    struct user *user;       // referenced; the kernel: it came from a network
    struct net_address from; // that it came from then
    unsigned int pieces;
    unsigned long bytes;
};

struct group {
    struct list_head link, own; // of `groups` and the holder's, the oldest first
    struct group *next;         // in its bucket
    struct holder *holder;
    struct list_head pieces;
    struct net_ns *net; // not referenced: it ends with that
    struct net_device *device;
    struct fragment first; // that came: what all of them say
    ktime_t until;
    uint32_t end, have; // where data ends, as far as is known; bytes of it
    bool has_last;
};

// In a frame that waits, net_frame.stack.
struct piece {
    uint32_t start, end, at, before;
};
_Static_assert(sizeof(struct piece) <= sizeof(((struct net_frame *)0)->stack), "a frame has room for it");

static struct list_head groups = LIST_HEAD_INIT(groups), holders = LIST_HEAD_INIT(holders);
static struct group *buckets[BUCKETS];
static ktime_t next_look __net_state = KTIME_NEVER; // of the thread that ends what has not become whole
static unsigned int pieces;
static unsigned long pieces_bytes;

static struct piece *piece_of(struct net_frame *f) {
    return (struct piece *)f->stack;
}

static unsigned long bytes_of(const struct net_frame *f) {
    return sizeof(*f) + f->len;
}

// ---- reading: 1: it is a fragment; 0: it is none, or lwIP tells what is wrong with it; -1: it is no good

static int read4(const struct net_frame *f, struct fragment *x) {
    const struct ip_hdr *h = (const struct ip_hdr *)f->data;
    if (f->len < IP_HLEN || IPH_V(h) != 4 || !(IPH_OFFSET(h) & PP_HTONS(IP_OFFMASK | IP_MF)))
        return 0;
    uint32_t len = IPH_HL_BYTES(h), all = lwip_ntohs(IPH_LEN(h)), offset = lwip_ntohs(IPH_OFFSET(h));
    if (len < IP_HLEN || all < len || all > f->len ||
        (!(f->device->flags & NET_LOOPBACK) && net_sum(h, len) != 0xffff))
        return -1;
    *x = (struct fragment){.from = net_address_ip4(net_word_at(&h->src)),
                           .to = net_address_ip4(net_word_at(&h->dest)),
                           .id = IPH_ID(h),
                           .protocol = IPH_PROTO(h),
                           .more = offset & IP_MF,
                           .start = (offset & IP_OFFMASK) * 8,
                           .at = len};
    x->end = x->start + all - len;
    if (x->more)
        x->end &= ~7u;
    return len + x->end > PACKET_MOST ? -1 : 1;
}

// Where the kind of the header that says it is a fragment stands, and that header itself.
static bool find_header6(const struct net_frame *f, struct fragment *x) {
    x->before = offsetof(struct ip6_hdr, _nexth);
    x->header = IP6_HLEN;
    for (;;) {
        uint8_t kind = f->data[x->before];
        if (x->header + sizeof(struct ip6_frag_hdr) > f->len)
            return false;
        if (kind == IP6_NEXTH_FRAGMENT)
            return true;
        if (kind != IP6_NEXTH_HOPBYHOP && kind != IP6_NEXTH_ROUTING && kind != IP6_NEXTH_DESTOPTS)
            return false;
        x->before = x->header;
        x->header += 8 * (1u + f->data[x->header + 1]);
    }
}

static int read6(const struct net_frame *f, struct fragment *x) {
    const struct ip6_hdr *h = (const struct ip6_hdr *)f->data;
    *x = (struct fragment){.six = true};
    if (f->len < IP6_HLEN || !find_header6(f, x))
        return 0;
    const struct ip6_frag_hdr *own = (const struct ip6_frag_hdr *)(f->data + x->header);
    uint32_t offset = lwip_ntohs(own->_fragment_offset), all = IP6_HLEN + IP6H_PLEN(h);
    if (!(offset & (IP6_FRAG_OFFSET_MASK | IP6_FRAG_MORE_FLAG)))
        return 0; // all of a packet
    x->at = x->header + sizeof(*own);
    if (all < x->at || all > f->len)
        return -1;
    x->from = net_address_of(AF_INET6, &h->src);
    x->to = net_address_of(AF_INET6, &h->dest);
    x->id = own->_identification;
    x->more = offset & IP6_FRAG_MORE_FLAG;
    x->start = offset & IP6_FRAG_OFFSET_MASK;
    x->end = x->start + all - x->at;
    return 1;
}

// ---- what is told of

// Something is wrong at a place of a packet of IPv6. The frame goes.
static void complain(struct net_frame *f, enum icmp6_pp_code what, uint32_t at) {
    struct pbuf *p = inet_frame_pbuf(f);
    struct ip6_hdr *h = p->payload;
    ip_data.current_netif = f->device->stack;
    ip_data.current_ip6_header = h;
    ip_addr_copy_from_ip6_packed(ip_data.current_iphdr_src, h->src);
    icmp6_param_problem(p, what, (char *)h + at);
    ip_data.current_netif = NULL;
    ip_data.current_ip6_header = NULL;
    ip6_addr_set_zero(ip6_current_src_addr());
    pbuf_free(p);
}

// As Linux refuses them. True: the frame has gone.
static bool refuse6(struct net_frame *f, const struct fragment *x) {
    uint8_t kind = f->data[x->header];
    uint32_t least = kind == IP6_NEXTH_TCP     ? TCP_HLEN
                     : kind == IP6_NEXTH_UDP   ? UDP_HLEN
                     : kind == IP6_NEXTH_ICMP6 ? sizeof(struct icmp6_hdr)
                                               : 1;
    if (!x->start && x->end < least)
        complain(f, PP_INCOMPLETE, 0);
    else if (x->end > PACKET_MOST)
        complain(f, ICMP6_PP_FIELD, x->header + offsetof(struct ip6_frag_hdr, _fragment_offset));
    else if (x->more && x->end % 8)
        complain(f, ICMP6_PP_FIELD, offsetof(struct ip6_hdr, _plen));
    else
        return false;
    return true;
}

static void count(struct group *g, const struct net_frame *f, int n) {
    pieces += n;
    pieces_bytes += n * bytes_of(f);
    g->holder->pieces += n;
    g->holder->bytes += n * bytes_of(f);
}

static void take_out(struct group *g, struct net_frame *f) {
    list_del(&f->link);
    count(g, f, -1);
}

// The first piece goes back to where it came from; as on Linux not to 127.0.0.0/8.
static void tell_sender(struct group *g) {
    struct net_frame *f = list_first_entry(&g->pieces, struct net_frame, link);
    ip6_addr_t from, to;
    bool silent =
        net_address_is_multicast(&g->first.to) || (!g->first.six && net_address_is_loopback(&g->first.from));
    if (silent || list_empty(&g->pieces) || piece_of(f)->start)
        return;
    take_out(g, f);
    struct pbuf *p = inet_frame_pbuf(f);
    if (g->first.six) {
        memcpy(from.addr, g->first.from.bytes, sizeof(from.addr));
        memcpy(to.addr, g->first.to.bytes, sizeof(to.addr));
        icmp6_time_exceeded_with_addrs(p, ICMP6_TE_FRAG, &from, &to);
    } else {
        icmp_time_exceeded(p, ICMP_TE_FRAG);
    }
    pbuf_free(p);
}

// ---- holders

// What of an address is one host's.
static struct net_address host_of(const struct net_address *a) {
    struct net_address host = *a;
    if (a->family == AF_INET6)
        memset(host.bytes + 8, 0, 8);
    return host;
}

static struct holder *find_holder(struct user *user, const struct net_address *from) {
    struct holder *h;
    list_for_each_entry (h, &holders, link)
        if (h->user == user && net_address_eq(&h->from, from))
            return h;
    return NULL;
}

// Of what is in this frame; made if there is none. NULL: no memory.
static struct holder *holder_of(struct net_frame *f, const struct fragment *x) {
    struct user *user = inet_payer(f);
    struct net_address from = user == &kernel_user ? host_of(&x->from) : (struct net_address){0};
    struct holder *h = find_holder(user, &from);
    if (h || !(h = inet_malloc_for(&kernel_user, sizeof(*h))))
        return h;
    *h = (struct holder){.user = user_get(user), .from = from};
    list_init(&h->groups);
    list_add_tail(&h->link, &holders);
    return h;
}

static void holder_leave(struct holder *h) {
    if (!list_empty(&h->groups))
        return;
    list_del(&h->link);
    user_put(h->user);
    inet_free(h);
}

// What it has, in 1,024ths of what all may have together.
static unsigned long part_of(const struct holder *h, unsigned long most) {
    return MAX(h->bytes * 1024 / most, h->pieces * 1024ul / PIECES_MOST);
}

// ---- groups

static struct group **bucket_of(const struct fragment *x) {
    ip_addr_t from;
    const uint32_t *w = x->from.word;
    if (x->six)
        IP_ADDR6(&from, w[0], w[1], w[2], w[3]);
    else
        ip_addr_set_ip4_u32_val(from, w[0]);
    return &buckets[inet_hash(&from, (uint16_t)(x->id ^ x->id >> 16)) % BUCKETS];
}

static struct group *find(const struct net_device *device, const struct fragment *x) {
    for (struct group *g = *bucket_of(x); g; g = g->next)
        if (g->net == inet_net && g->first.id == x->id && g->device == device &&
            g->first.protocol == x->protocol && g->first.six == x->six &&
            net_address_eq(&g->first.from, &x->from) && net_address_eq(&g->first.to, &x->to))
            return g;
    return NULL;
}

static struct group *begin(struct net_frame *f, const struct fragment *x) {
    struct holder *h = holder_of(f, x);
    struct group *g = h ? inet_malloc_for(&kernel_user, sizeof(*g)) : NULL;
    if (!g) {
        if (h)
            holder_leave(h);
        return NULL;
    }
    unsigned long seconds =
        READ_ONCE(*(x->six ? &inet_net->settings.fragment_time6 : &inet_net->settings.fragment_time));
    ktime_t until = clock_monotonic() + (ktime_t)seconds * NSEC_PER_SEC;
    struct group **bucket = bucket_of(x);
    *g = (struct group){
        .net = inet_net, .device = f->device, .first = *x, .until = until, .holder = h, .next = *bucket};
    *bucket = g;
    list_init(&g->pieces);
    list_add_tail(&g->link, &groups);
    list_add_tail(&g->own, &h->groups);
    if (until < next_look) {
        next_look = until;
        inet_stack_kick(inet_net);
    }
    return g;
}

static void end(struct group *g) {
    struct net_frame *f, *next;
    list_for_each_entry_safe (f, next, &g->pieces, link) {
        take_out(g, f);
        net_frame_free(f);
    }
    struct group **at = bucket_of(&g->first);
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    list_del(&g->link);
    list_del(&g->own);
    holder_leave(g->holder);
    inet_free(g);
}

static void make_room(void) {
    unsigned long most = MIN(GROUPS_BYTES, READ_ONCE(limits.socket_bytes_max) / 4);
    while (pieces > PIECES_MOST || pieces_bytes > most) {
        struct holder *h, *largest = list_first_entry(&holders, struct holder, link);
        list_for_each_entry (h, &holders, link)
            if (part_of(h, most) > part_of(largest, most))
                largest = h;
        bool unfair = part_of(largest, most) > 1024 / FAIR_PART;
        end(unfair ? list_first_entry(&largest->groups, struct group, own)
                   : list_first_entry(&groups, struct group, link));
    }
}

// Is the end of the packet where others said? Notes where it is.
static bool end_fits(struct group *g, const struct fragment *x) {
    if (x->start == x->end || (!x->more && x->end < g->end) ||
        (g->has_last && (x->more ? x->end > g->end : x->end != g->end)))
        return false;
    g->has_last |= !x->more;
    g->end = MAX(g->end, x->end);
    return true;
}

// Are start..end all in what is there without a gap from f's piece on?
static bool is_there(struct group *g, struct net_frame *f, uint32_t start, uint32_t end_) {
    uint32_t from = piece_of(f)->start, to = piece_of(f)->end;
    for (struct list_head *l = f->link.next; l != &g->pieces; l = l->next) {
        const struct piece *next = piece_of(list_entry(l, struct net_frame, link));
        if (next->start != to)
            break;
        to = next->end;
    }
    return start >= from && end_ <= to;
}

enum place { PLACED, THERE_ALREADY, OVERLAPS };

static enum place place(struct group *g, struct net_frame *f, const struct fragment *x) {
    struct list_head *l = g->pieces.prev;
    while (l != &g->pieces && piece_of(list_entry(l, struct net_frame, link))->end > x->start)
        l = l->prev;
    if (l->next != &g->pieces) { // the first that ends behind its start
        struct net_frame *next = list_entry(l->next, struct net_frame, link);
        if (piece_of(next)->start < x->end)
            return is_there(g, next, x->start, x->end) ? THERE_ALREADY : OVERLAPS;
    }
    *piece_of(f) = (struct piece){x->start, x->end, x->at, x->before};
    list_add(&f->link, l);
    g->have += x->end - x->start;
    inet_recharge(f, &kernel_user);
    count(g, f, 1);
    return PLACED;
}

// ---- putting together

static void finish4(struct net_frame *whole) {
    struct ip_hdr *h = (struct ip_hdr *)whole->data;
    IPH_LEN_SET(h, lwip_htons((uint16_t)whole->len));
    IPH_OFFSET_SET(h, 0);
    IPH_CHKSUM_SET(h, 0);
    IPH_CHKSUM_SET(h, (uint16_t)~net_sum(h, IPH_HL_BYTES(h)));
}

// The header that said it was a fragment is left out.
static void finish6(struct net_frame *whole, const struct net_frame *first) {
    const struct piece *p = piece_of((struct net_frame *)first);
    struct ip6_hdr *h = (struct ip6_hdr *)whole->data;
    IP6H_PLEN_SET(h, (uint16_t)(whole->len - IP6_HLEN));
    whole->data[p->before] = first->data[p->at - sizeof(struct ip6_frag_hdr)];
}

// All pieces are there. NULL: no memory, or it is too long. The group ends.
static struct net_frame *join(struct group *g) {
    struct net_frame *first = list_first_entry(&g->pieces, struct net_frame, link), *f;
    uint32_t head = piece_of(first)->at - (g->first.six ? sizeof(struct ip6_frag_hdr) : 0);
    struct net_frame *whole =
        head + g->end > PACKET_MOST ? NULL : inet_frame_create_received(g->device, head + g->end);
    if (whole) {
        memcpy(whole->data, first->data, head);
        list_for_each_entry (f, &g->pieces, link) {
            const struct piece *p = piece_of(f);
            memcpy(whole->data + head + p->start, f->data + p->at, p->end - p->start);
        }
        if (g->first.six)
            finish6(whole, first);
        else
            finish4(whole);
    }
    end(g);
    return whole;
}

static struct net_frame *add(struct net_frame *f, const struct fragment *x) {
    struct group *g = find(f->device, x);
    if (!g)
        g = begin(f, x);
    enum place how = !g ? THERE_ALREADY : end_fits(g, x) ? place(g, f, x) : OVERLAPS;
    if (how != PLACED)
        net_frame_free(f);
    if (how == OVERLAPS)
        end(g);
    if (how != PLACED)
        return NULL;
    if (g->has_last && g->have == g->end)
        return join(g);
    make_room();
    return NULL;
}

struct net_frame *inet_fragment_receive_locked(struct net_frame *f) {
    ASSERT_HELD(&inet_mutex);
    for (unsigned int n = 0; f && n <= NESTED_MOST; n++) {
        struct fragment x;
        bool six = f->len && f->data[0] >> 4 == 6;
        int is = six ? read6(f, &x) : read4(f, &x);
        if (likely(!is))
            return f;
        if (is < 0 || n == NESTED_MOST || !f->device->stack || !net_device_is_up(f->device)) {
            net_frame_free(f);
            return NULL;
        }
        f = six && refuse6(f, &x) ? NULL : add(f, &x);
    }
    return f;
}

void inet_fragments_end_locked(void) {
    ASSERT_HELD(&inet_mutex);
    struct group *g, *other;
    list_for_each_entry_safe (g, other, &groups, link)
        if (g->net == inet_net)
            end(g);
}

ktime_t inet_fragments_expire_locked(void) {
    ASSERT_HELD(&inet_mutex);
    ktime_t now = clock_monotonic(), next = KTIME_NEVER;
    struct group *g, *other;
    list_for_each_entry_safe (g, other, &groups, link) {
        if (g->net != inet_net)
            continue;
        if (g->until > now) {
            next = MIN(next, g->until);
            continue;
        }
        tell_sender(g);
        end(g);
    }
    next_look = next;
    return next;
}
