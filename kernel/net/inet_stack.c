// SPDX-License-Identifier: MIT
// The lock, time, frames and devices under lwIP (inet_stack.h).
#include "net/inet_stack.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/printk.h"
#include "core/random.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/device.h"
#include "net/ethernet.h"
#include "net/inet_datagram.h"
#include "net/inet_fragment.h"
#include "net/inet_link.h"
#include "net/inet_memory.h"
#include "net/inet_parts.h"
#include "net/inet_thread.h"
#include "net/interface.h"
#include "net/route.h"
#include "net/rtnetlink.h"
#include "sched/clock.h"
#include "sched/user.h"
#include "sched/wait.h"
#include <linux/rtnetlink.h>

struct mutex inet_mutex;
struct net_ns *inet_net = &first_net_ns;
static bool initialized __net_state; // lwip_init() has been called: it can be once only

static struct spinlock inbox_lock = SPINLOCK_INIT;

// ---- what lwIP asks for

unsigned int inet_random(void) {
    unsigned int n;
    random_bytes(&n, sizeof(n));
    return n;
}

unsigned int inet_initial_sequence(void) {
    return inet_random();
}

void inet_assertion_failed(const char *what) {
    panic("lwip: %s", what);
}

unsigned int sys_now(void) {
    return (unsigned int)(clock_monotonic() / (NSEC_PER_USEC * 1000));
}

void tcp_timer_needed(void) {
    if (READ_ONCE(inet_net->timers_wanted))
        return;
    WRITE_ONCE(inet_net->timers_wanted, true);
    inet_thread_call(inet_net);
}

int inet_errno(err_t err) {
    switch (err) {
    case ERR_OK:
        return 0;
    case ERR_MEM:
    case ERR_BUF:
        return -ENOBUFS;
    case ERR_RTE:
        return -ENETUNREACH;
    case ERR_USE:
        return -EADDRINUSE;
    case ERR_ALREADY:
        return -EALREADY;
    case ERR_ISCONN:
        return -EISCONN;
    case ERR_CONN:
    case ERR_CLSD:
        return -ENOTCONN;
    case ERR_RST:
        return -ECONNRESET;
    case ERR_ABRT:
        return -ETIMEDOUT;
    case ERR_TIMEOUT:
        return -ETIMEDOUT;
    case ERR_WOULDBLOCK:
    case ERR_INPROGRESS:
        return -EAGAIN;
    default:
        return -EINVAL;
    }
}

// ---- frames

// lwIP reads the length of a TCP option whose kind is the last byte of the header.
#define FRAME_TAIL 1u

static inline struct net_frame *frame_in(void *memory, struct net_device *device, size_t len) {
    struct net_frame *f = memory;
    if (f) {
        f->device = device;
        f->len = len;
        f->data[len] = 0;
    }
    return f;
}

struct net_frame *net_frame_create(struct net_device *device, size_t len) {
    return frame_in(inet_malloc(sizeof(struct net_frame) + len + FRAME_TAIL), device, len);
}

struct net_frame *inet_frame_create_received(struct net_device *device, size_t len) {
    return frame_in(inet_malloc_for(&kernel_user, sizeof(struct net_frame) + len + FRAME_TAIL), device, len);
}

void net_frame_free(struct net_frame *frame) {
    inet_free(frame);
}

// All devices but loopback, which has the lock, are the first network's.
void net_receive(struct net_frame *frame) {
    struct net_ns *net = frame->device->flags & NET_LOOPBACK ? inet_net : &first_net_ns;
    unsigned long flags = spin_lock_irqsave(&inbox_lock);
    list_add_tail(&frame->link, &net->inbox);
    spin_unlock_irqrestore(&inbox_lock, flags);
    if (!mutex_is_mine(&inet_mutex) ||
        unlikely(net != inet_net)) // who holds the lock looks before letting go
        inet_thread_call(net);
}

static struct net_frame *next_frame(struct net_ns *net) {
    struct net_frame *f = NULL;
    if (likely(!inet_has_frames(net)))
        return NULL;
    unsigned long flags = spin_lock_irqsave(&inbox_lock);
    if (!list_empty(&net->inbox)) {
        f = list_first_entry(&net->inbox, struct net_frame, link);
        list_del(&f->link);
    }
    spin_unlock_irqrestore(&inbox_lock, flags);
    return f;
}

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct net_frame *)0)->stack),
               "a frame has room for it");

static struct net_frame *frame_of(struct pbuf *p) {
    return (struct net_frame *)((char *)p - offsetof(struct net_frame, stack));
}

static void frame_done(struct pbuf *p) {
    net_frame_free(frame_of(p));
}

struct pbuf *inet_frame_pbuf(struct net_frame *f) {
    struct pbuf_custom *custom = (struct pbuf_custom *)f->stack;
    custom->custom_free_function = frame_done;
    return pbuf_alloced_custom(PBUF_RAW, f->len, PBUF_REF, custom, f->data, f->len);
}

bool inet_take_over(struct pbuf *data, struct user *user, bool even_if_full) {
    for (struct pbuf *p = data; p; p = p->next) {
        if (!(p->flags & PBUF_FLAG_IS_CUSTOM) || inet_payer(frame_of(p)) != &kernel_user)
            continue;
        if (!even_if_full && inet_user_is_full(user))
            return false;
        inet_recharge(frame_of(p), user);
    }
    return true;
}

// An address that stands for all of a network: to lwIP the interface is in that network.
static void give_broadcast(struct pbuf *p, struct netif *netif, uint32_t to) {
    uint32_t host = lwip_ntohl(to), mask = ~((host ^ (host + 1)) >> 1);
    ip4_addr_t own = *netif_ip4_addr(netif), own_mask = *netif_ip4_netmask(netif);
    ip4_addr_set_u32(ip_2_ip4(&netif->netmask), lwip_htonl(mask));
    ip4_addr_set_u32(ip_2_ip4(&netif->ip_addr), lwip_htonl((host & mask) | 1));
    ip4_input(p, netif);
    ip4_addr_copy(*ip_2_ip4(&netif->ip_addr), own);
    ip4_addr_copy(*ip_2_ip4(&netif->netmask), own_mask);
}

// To lwIP, which knows one address of an interface, that is the one which was called, if it is this machine's.
static void give4(struct pbuf *p, struct netif *netif) {
    const struct ip_hdr *h = p->payload;
    ip4_addr_t own = *netif_ip4_addr(netif), called = {net_word_at(&h->dest)};
    struct net_address to = net_address_ip4(called.addr);
    struct net_way way;
    if (ip4_addr_ismulticast(&called) &&
        !inet_group_is_known(&called, ((struct net_device *)netif->state)->index)) {
        pbuf_free(p);
        return;
    }
    bool plain = likely(inet_is_plain_loopback(inet_net, &called)),
         found = !plain && !net_route_find_locked(&to, NULL, &way);
    if (found && way.route->type == RTN_BROADCAST) {
        give_broadcast(p, netif, called.addr);
        return;
    }
    if (plain || (found && way.route->type == RTN_LOCAL))
        ip4_addr_copy(*ip_2_ip4(&netif->ip_addr), called);
    ip4_input(p, netif);
    ip4_addr_copy(*ip_2_ip4(&netif->ip_addr), own);
}

#define CALLED6 1 // of netif.ip6_addr

static void give6(struct pbuf *p, struct netif *netif) {
    const struct ip6_hdr *h = p->payload;
    struct net_address to = net_address_of(AF_INET6, &h->dest);
    if (!net_address_is_loopback(&to) && net_route_is_local_locked(&to)) {
        IP_ADDR6(&netif->ip6_addr[CALLED6], to.word[0], to.word[1], to.word[2], to.word[3]);
        netif->ip6_addr_state[CALLED6] = IP6_ADDR_VALID;
    }
    ip6_input(p, netif);
    netif->ip6_addr_state[CALLED6] = IP6_ADDR_INVALID;
}

// What loopback alone may bring: this machine's own addresses cannot come from a network.
static bool is_from_nowhere(const struct pbuf *p) {
    const struct ip_hdr *h = p->payload;
    if (p->len >= IP_HLEN && IPH_V(h) == 4)
        return (h->src.addr & PP_HTONL(0xff000000)) == PP_HTONL(0x7f000000) ||
               (h->dest.addr & PP_HTONL(0xff000000)) == PP_HTONL(0x7f000000);
    const struct ip6_hdr *six = p->payload;
    struct net_address from = net_address_of(AF_INET6, &six->src), to = net_address_of(AF_INET6, &six->dest);
    return p->len < IP6_HLEN || net_address_is_loopback(&from) || net_address_is_loopback(&to);
}

static void give(struct pbuf *p, struct net_device *device) {
    const struct ip_hdr *h = p->payload;
    struct netif *netif = device->stack;
    bool six = p->len >= IP6_HLEN && IPH_V(h) == 6;
    if (!netif || !net_device_is_up(device) || (!six && p->len < IP_HLEN) ||
        (unlikely(!(device->flags & NET_LOOPBACK)) && is_from_nowhere(p))) {
        pbuf_free(p);
        return;
    }
    bool joined = inet_part_for_packet(p, six);
    if (six)
        give6(p, netif);
    else
        give4(p, netif);
    if (unlikely(joined))
        inet_parts_divide();
}

void net_receive_locked(struct net_frame *f) {
    ASSERT_HELD(&inet_mutex);
    f = inet_fragment_receive_locked(f);
    if (likely(f))
        give(inet_frame_pbuf(f), f->device);
}

#define DRAIN_MOST    4096u  // frames that one who has had the lock gives on before the thread does
#define DRAIN_AT_ONCE 8u     // of these, before the clock is looked at,
#define DRAIN_TIME    500000 // nanoseconds, before others get the lock

// Goes on from the `n` frames that have been given on. 0: there are no more; else the time is over, and how many it are.
static __attribute__((noinline)) unsigned int drain(struct net_ns *net, unsigned int n) {
    struct net_frame *f;
    ktime_t until = 0;
    while ((f = next_frame(net))) {
        f->device->rx_packets++;
        f->device->rx_bytes += f->len;
        net_receive_locked(f);
        if (likely(++n % DRAIN_AT_ONCE))
            continue;
        ktime_t now = clock_monotonic();
        until = until ? until : now + DRAIN_TIME;
        if (now >= until || n >= DRAIN_MOST)
            return n;
    }
    return 0;
}

unsigned int inet_hash(const ip_addr_t *ip, uint16_t port) {
    static unsigned int seed; // [inet_mutex]
    if (!seed)
        seed = inet_random() | 1;
    const uint32_t *w = ip_2_ip6(ip)->addr;
    uint32_t h = seed ^ port;
    for (unsigned int n = 0; n < (IP_IS_V4(ip) ? 1u : 4u); n++)
        h = (h ^ w[n]) * 0x9e3779b1u ^ h >> 15;
    return h ^ h >> 16;
}

bool inet_is_plain_loopback(const struct net_ns *net, const ip4_addr_t *ip) {
    return ip4_addr_isloopback(ip) && ip->addr != PP_HTONL(0x7fffffff) && READ_ONCE(net->loopback_is_plain);
}

// ---- the lock, and whose state is there

extern char __start_net_state[], __stop_net_state[]; // kernel.lds
static void *fresh;                                  // [I] the state that a network begins with

static inline size_t state_size(void) {
    return (size_t)(__stop_net_state - __start_net_state);
}

static void exchange(struct net_ns *net) {
    memcpy(inet_net->state, __start_net_state, state_size());
    memcpy(__start_net_state, net->state, state_size());
    inet_net = net;
}

static __attribute__((noinline)) void lock_slowly(struct net_ns *net, bool is_mine) {
    if (!is_mine)
        mutex_lock(&inet_mutex);
    if (inet_net != net)
        exchange(net);
}

void inet_lock(struct net_ns *net) {
    bool is_mine = mutex_trylock(&inet_mutex);
    if (unlikely(!is_mine || inet_net != net))
        lock_slowly(net, is_mine);
}

static inline void let_go(void) {
    if (unlikely(ethernet_unflushed))
        ethernet_flush_locked();
    mutex_unlock(&inet_mutex);
}

// There are frames still; `n`: have been given on, 0: they have come just now.
static __attribute__((noinline)) void go_on(struct net_ns *net, unsigned int n) {
    while (n && n < DRAIN_MOST && inet_has_frames(net)) {
        inet_lock(net);
        n = drain(net, n);
        let_go();
    }
    if (inet_has_frames(net))
        inet_thread_call(net);
}

void inet_unlock(void) {
    struct net_ns *net = inet_net;
    unsigned int n = inet_has_frames(net) ? drain(net, 0) : 0;
    let_go();
    if (unlikely(inet_has_frames(net)))
        go_on(net, n);
}

static void *state_copy(void) {
    void *state = kmalloc(state_size());
    if (state)
        memcpy(state, fresh, state_size());
    return state;
}

// The first network needs a place, too, once there is another.
void *inet_state_create(void) {
    void *first = READ_ONCE(first_net_ns.state) ? NULL : state_copy();
    mutex_lock(&inet_mutex);
    if (!first_net_ns.state) {
        first_net_ns.state = first;
        first = NULL;
    }
    bool there = first_net_ns.state;
    mutex_unlock(&inet_mutex);
    kfree(first);
    return there ? state_copy() : NULL;
}

// ---- devices, as lwIP has them

static err_t netif_start(struct netif *netif) {
    const struct net_device *device = netif->state;
    netif->name[0] = device->name[0];
    netif->name[1] = device->name[1];
    netif->output = inet_output4;
    netif->output_ip6 = inet_output6;
    netif->flags |= NETIF_FLAG_BROADCAST;
    if (device->flags & NET_LOOPBACK) // those of ICMP programs see (raw sockets); of others nobody could tell
        NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_GEN_ICMP | NETIF_CHECKSUM_CHECK_ICMP |
                                           NETIF_CHECKSUM_GEN_ICMP6 | NETIF_CHECKSUM_CHECK_ICMP6);
    return ERR_OK;
}

void inet_device_changed_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct netif *netif = device->stack;
    if (!netif)
        return;
    // With a smaller one lwIP's fragments would have no room for data. No route leads there then, but who is bound to the device asks for none.
    netif->mtu = MAX(MIN(device->mtu, (unsigned int)UINT16_MAX), NET_MTU4_MIN);
    if (net_device_is_up(device) && !(device->flags & NET_LOOPBACK) && inet_listen_for_errors())
        pr_warn("%s: no memory to hear errors", device->name); // connections time out then
    if (net_device_is_up(device))
        netif_set_up(netif);
    else
        netif_set_down(netif);
    if (net_device_has_carrier(device))
        netif_set_link_up(netif);
    else
        netif_set_link_down(netif);
}

// The address of an interface without any is not "any", which lwIP does not send from: it is what `route` finds that is sent from.
static void add_netif(struct net_device *device, struct netif *netif) {
    ip4_addr_t address, mask, none = {0};
    IP4_ADDR(&address, 127, 0, 0, 1);
    IP4_ADDR(&mask, 255, 255, 255, 255);
    netif_add(netif, &address, &mask, &none, device, netif_start, ip_input);
    if (device->flags & NET_LOOPBACK) {
        IP_ADDR6_HOST(&netif->ip6_addr[0], 0, 0, 0, 1);
        netif->ip6_addr_state[0] = IP6_ADDR_VALID;
    }
    device->stack = netif;
    inet_device_changed_locked(device);
}

void inet_device_added_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    struct netif *netif = inet_net->started ? inet_calloc(1, sizeof(*netif)) : NULL;
    if (netif)
        add_netif(device, netif);
}

void inet_device_gone_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    inet_free(device->stack);
    device->stack = NULL;
}

// What goes to this machine itself goes by loopback, whichever device has the address.
static struct net_device *device_of(const struct net_way *way) {
    struct net_device *d = way->route->type == RTN_LOCAL ? &loopback_device : way->device;
    return d && d->stack ? d : NULL;
}

// What lwIP asks where to send a packet: by our routes. A packet without a source address is sent from the interface's
// address next: so that becomes the one that the route says.
struct netif *inet_route4(const ip4_addr_t *dest) {
    if (likely(ip4_addr_isloopback(dest) && inet_net->loopback_is_plain)) {
        struct netif *lo = loopback_device.stack;
        ip4_addr_set_u32(ip_2_ip4(&lo->ip_addr), PP_HTONL(0x7f000001));
        return lo;
    }
    struct net_address to = net_address_ip4(ip4_addr_get_u32(dest));
    struct net_way way;
    if (net_route_find_locked(&to, NULL, &way) || !device_of(&way))
        return NULL;
    struct netif *netif = device_of(&way)->stack;
    if (way.source.family)
        ip4_addr_set_u32(ip_2_ip4(&netif->ip_addr), way.source.word[0]);
    return netif;
}

struct netif *inet_route6(const ip6_addr_t *dest) {
    struct net_address to = net_address_of(AF_INET6, dest->addr);
    struct net_way way;
    if (net_route_find_locked(&to, NULL, &way) || !device_of(&way))
        return NULL;
    return device_of(&way)->stack;
}

static struct net_address to_net_address(const ip_addr_t *ip) {
    return IP_IS_V4(ip) ? net_address_ip4(ip4_addr_get_u32(ip_2_ip4(ip)))
                        : net_address_of(AF_INET6, ip_2_ip6(ip)->addr);
}

static struct net_device *device_with(const ip_addr_t *ip) {
    struct net_address a = to_net_address(ip);
    struct net_device *d = net_device_next_locked(0);
    while (d && !net_interface_find_locked(d, &a))
        d = net_device_next_locked(d->index);
    return d ? d : net_route_is_local_locked(&a) ? &loopback_device : NULL;
}

// What has no route of its own goes where it was said to: by device, or by the address that it is from.
static struct net_device *device_for(const ip_addr_t *to, const ip_addr_t *from, int index,
                                     struct net_address *source) {
    struct net_address a = to_net_address(to);
    bool group =
        ip_addr_ismulticast(to) || (IP_IS_V4(to) && ip4_addr_get_u32(ip_2_ip4(to)) == IPADDR_BROADCAST);
    struct net_device *said = index ? net_device_find_locked(index) : NULL;
    struct net_way way;
    if (index && (!said || !said->stack))
        return NULL;
    if (!said && group && !ip_addr_isany(from))
        said = device_with(from);
    int err = said && group ? -ENETUNREACH : net_route_find_locked(&a, said, &way);
    if (!err) {
        *source = way.source;
        return device_of(&way);
    }
    const struct net_interface_address *own =
        said ? net_interface_source_locked(said, &a, group ? RT_SCOPE_LINK : RT_SCOPE_HOST) : NULL;
    if (own)
        *source = own->local;
    return said;
}

struct netif *inet_find_netif(const ip_addr_t *to, ip_addr_t *from, int index) {
    ASSERT_HELD(&inet_mutex);
    bool four = IP_IS_V4(to);
    struct net_address source = {0};
    struct net_device *d = four && likely(inet_is_plain_loopback(inet_net, ip_2_ip4(to)))
                               ? &loopback_device
                               : device_for(to, from, index, &source);
    if (!d || !ip_addr_isany(from))
        return d ? d->stack : NULL;
    const uint32_t *w = source.word;
    bool lo = d->flags & NET_LOOPBACK;
    if (four)
        ip_addr_set_ip4_u32_val(*from, source.family ? w[0] : lo ? PP_HTONL(INADDR_LOOPBACK) : 0);
    else if (source.family || !lo)
        IP_ADDR6(from, w[0], w[1], w[2], w[3]);
    else
        IP_ADDR6_HOST(from, 0, 0, 0, 1);
    return d->stack;
}

bool inet_has_device(struct net_ns *net, int index) {
    inet_lock(net);
    const struct net_device *d = net_device_find_locked(index);
    bool known = d && d->stack;
    inet_unlock();
    return known;
}

// ---- start

// Goes on where it had to give up: each step that was taken is known, and is not taken again.
static int start_lwip(void) {
    struct net_device *d;
    int err = inet_bind_start();
    if (err)
        return err;
    if (!initialized) {
        lwip_init();
        (void)tcp_ext_arg_alloc_id(); // 0, inet_bind.c's
        (void)tcp_ext_arg_alloc_id(); // 1, inet_tcp_ends.c's
        initialized = true;
    }
    for (d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        struct netif *netif = d->stack ? NULL : inet_calloc(1, sizeof(*netif));
        if (!netif && !d->stack)
            return -ENOMEM;
        if (netif)
            add_netif(d, netif);
    }
    return 0;
}

int inet_start_locked(void) {
    ASSERT_HELD(&inet_mutex);
    int err = 0;
    if (!inet_net->started) {
        err = start_lwip();
        if (!err)
            err = inet_thread_start_locked();
        if (!err)
            __atomic_store_n(&inet_net->started, true, __ATOMIC_RELEASE);
    }
    return err;
}

int inet_start(struct net_ns *net) {
    if (likely(__atomic_load_n(&net->started, __ATOMIC_ACQUIRE)))
        return 0;
    inet_lock(net);
    int err = inet_start_locked();
    inet_unlock();
    return err;
}

// ---- end

#define AT_ONCE 512u // connections, before others get the lock

// Nobody has these any more. True: there are more.
static bool abort_some(void) {
    unsigned int n = 0;
    inet_parts_join();
    for (; tcp_active_pcbs && n < AT_ONCE; n++)
        tcp_abort(tcp_active_pcbs);
    for (; tcp_tw_pcbs && n < AT_ONCE; n++)
        tcp_abort(tcp_tw_pcbs);
    inet_parts_divide();
    return n == AT_ONCE;
}

// Leaves nothing in the state that it would have to be looked at again for.
static void end_locked(void) {
    ASSERT_HELD(&inet_mutex);
    struct net_frame *f;
    while ((f = next_frame(inet_net)))
        net_frame_free(f);
    inet_listen_end();
    inet_fragments_end_locked();
    net_device_end_locked();
    inet_bind_end();
}

static void leave(void) {
    memcpy(__start_net_state, first_net_ns.state, state_size());
    inet_net = &first_net_ns;
    mutex_unlock(&inet_mutex);
}

void inet_end(struct net_ns *net) {
    inet_thread_forget(net);
    net_change_begin(net);
    while (abort_some())
        net_change_pause();
    end_locked();
    net_change_leave_locked();
    leave();
    mutex_unlock(&net->change_mutex);
}

void inet_stack_init(void) {
    mutex_init(&inet_mutex);
    inet_parts_start();
    inet_thread_init();
    fresh = kmalloc(state_size());
    if (!fresh)
        panic("no memory for what networks begin with");
    memcpy(fresh, __start_net_state, state_size());
}
