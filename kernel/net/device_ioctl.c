// SPDX-License-Identifier: MIT
// The older way to ask about interfaces and to change them: ioctl(2) on any socket (netdevice(7)); routes and neighbours of IPv4 on its own
// (rtentry of SIOCADDRT, arp(7)). What is copied is copied without locks.
//
// A name "lo:1" is that of an address, whose label it is; where a device is meant it is what stands before the colon.
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "mm/slab.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/neighbour.h"
#include "net/net_ns.h"
#include "net/route.h"
#include "net/rtnetlink.h"
#include "net/socket.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

// Linux's, whose headers want a C library.
struct ip4_sockaddr {
    uint16_t family, port;
    uint32_t word;
    uint8_t zero[8];
};

struct ifreq {
    char name[NET_NAME_SIZE];
    union {
        struct ip4_sockaddr address;
        struct {
            uint16_t type;
            uint8_t bytes[14];
        } hardware;
        int number;
        int16_t flags;
        char new_name[NET_NAME_SIZE];
        uint64_t map[3];
        void __user *data;
    };
};

struct ifconf {
    int len;
    void __user *buffer;
};

struct rtentry {
    unsigned long pad1;
    struct ip4_sockaddr to, gateway, mask;
    uint16_t flags;
    int16_t pad2;
    unsigned long pad3;
    void *pad4;
    int16_t metric;
    void __user *device;
    unsigned long mtu, window;
    uint16_t round_trip;
};
#define RTF_GATEWAY 0x2u
#define RTF_HOST    0x4u
#define RTF_NUMBERS (0x40u | 0x80u | 0x100u) // with an MTU, a window, a round trip time
#define RTF_REJECT  0x200u

struct arpreq {
    struct ip4_sockaddr address;
    struct {
        uint16_t type;
        uint8_t bytes[14];
    } hardware;
    int flags;
    struct ip4_sockaddr mask;
    char device[NET_NAME_SIZE];
};
#define ATF_COM  0x2
#define ATF_PERM 0x4
#define ATF_PUBL 0x8

// ---- devices

// The device of a name, with or without a label's number. [n]
static struct net_device *find_device(const char *name) {
    char device[NET_NAME_SIZE];
    size_t len = 0;
    while (len < sizeof(device) - 1 && name[len] && name[len] != ':')
        len++;
    memcpy(device, name, len);
    device[len] = '\0';
    return net_device_named_locked(device);
}

static int get_about(const struct net_device *d, unsigned int cmd, struct ifreq *r) {
    switch (cmd) {
    case SIOCGIFFLAGS:
        r->flags = (int16_t)net_device_flags(d);
        return 0;
    case SIOCGIFMETRIC:
        r->number = 0;
        return 0;
    case SIOCGIFMTU:
        r->number = (int)d->mtu;
        return 0;
    case SIOCGIFINDEX:
        r->number = d->index;
        return 0;
    case SIOCGIFTXQLEN:
        r->number = (int)d->queue_len;
        return 0;
    case SIOCGIFMAP:
        memset(r->map, 0, sizeof(r->map));
        return 0;
    case SIOCGIFHWADDR:
        memset(&r->hardware, 0, sizeof(r->hardware));
        r->hardware.type = d->type;
        memcpy(r->hardware.bytes, d->hardware, MIN(d->hardware_len, (unsigned int)NET_HARDWARE_MAX));
        return 0;
    default:
        return -EINVAL; // SIOCGIFSLAVE
    }
}

static int set_hardware(struct net_device *d, const struct ifreq *r) {
    if (r->hardware.type != d->type || !d->hardware_len)
        return -EINVAL;
    if (r->hardware.bytes[0] & 1)
        return -EADDRNOTAVAIL;
    memcpy(d->hardware, r->hardware.bytes, d->hardware_len);
    net_device_changed_locked(d);
    return 0;
}

static int set_queue(struct net_device *d, int len) {
    if (len < 0)
        return -EINVAL;
    d->queue_len = (unsigned int)len;
    net_device_changed_locked(d);
    return 0;
}

static int set_about(struct net_device *d, unsigned int cmd, struct ifreq *r) {
    switch (cmd) {
    case SIOCSIFFLAGS:
        return net_device_set_flags_locked(d, (d->flags & ~0xffffu) | (uint16_t)r->flags);
    case SIOCSIFMTU:
        return r->number < 0 ? -EINVAL : net_device_set_mtu_locked(d, (unsigned int)r->number);
    case SIOCSIFHWADDR:
        return set_hardware(d, r);
    case SIOCSIFTXQLEN:
        return set_queue(d, r->number);
    case SIOCSIFNAME:
        r->new_name[NET_NAME_SIZE - 1] = '\0';
        return net_device_rename_locked(d, r->new_name);
    default:
        return -EOPNOTSUPP;
    }
}

static int get_name(struct ifreq *r) {
    struct net_device *d = net_device_find_locked(r->number);
    if (!d)
        return -ENODEV;
    memcpy(r->name, d->name, sizeof(r->name));
    return 0;
}

// The addresses of IPv4, each with its label: as many as there is room for, or how much room all want.
static long get_all(struct net_ns *net, void __user *user) {
    struct ifconf c;
    struct ifreq *list;
    unsigned int n = 0, most;
    int err = copy_from_user(&c, user, sizeof(c));
    if (err)
        return err;
    most = c.buffer ? (unsigned int)MIN(MAX(c.len, 0) / (int)sizeof(*list), 1024) : 0;
    list = most ? kmalloc(most * sizeof(*list)) : NULL;
    if (most && !list)
        return -ENOMEM;
    inet_lock(net);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index)) {
        const struct net_interface_address *a;
        list_for_each_entry (a, &d->addresses, link) {
            if (a->local.family != AF_INET || (c.buffer && n == most))
                continue;
            if (c.buffer) {
                list[n] = (struct ifreq){.address = {.family = AF_INET, .word = a->local.word[0]}};
                memcpy(list[n].name, a->label, sizeof(list[n].name));
            }
            n++;
        }
    }
    inet_unlock();
    c.len = (int)(n * sizeof(*list));
    if (c.buffer && n)
        err = copy_to_user(c.buffer, list, n * sizeof(*list));
    kfree(list);
    return err ? err : put_object((int __user *)user, c.len);
}

// ---- addresses of IPv4

static bool is_address_cmd(unsigned int cmd) {
    return cmd == SIOCGIFADDR || cmd == SIOCGIFDSTADDR || cmd == SIOCGIFBRDADDR || cmd == SIOCGIFNETMASK ||
           cmd == SIOCSIFADDR || cmd == SIOCSIFDSTADDR || cmd == SIOCSIFBRDADDR || cmd == SIOCSIFNETMASK;
}

static uint32_t mask_of(unsigned int bits) {
    static const struct net_address any = {.family = AF_INET};
    struct net_address m = net_address_last(&any, 0);
    return net_address_prefix(&m, bits).word[0];
}

// The bits of a mask, or -EINVAL.
static int bits_of(uint32_t mask) {
    for (int bits = 0; bits <= 32; bits++)
        if (mask_of((unsigned int)bits) == mask)
            return bits;
    return -EINVAL;
}

// The prefix that an address had when they had classes; -EINVAL: nobody's.
static int class_bits(uint32_t word) {
    uint8_t first = *(const uint8_t *)&word;
    return !word ? 0 : first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : -EINVAL;
}

// By the label, and by the address if the caller gave one of the right family.
static struct net_interface_address *find_address(struct net_device *d, const struct ifreq *r,
                                                  bool by_address) {
    struct net_interface_address *a, *found = NULL;
    list_for_each_entry (a, &d->addresses, link) {
        if (a->local.family != AF_INET || strcmp(a->label, r->name))
            continue;
        if (by_address && r->address.family == AF_INET && a->local.word[0] == r->address.word)
            return a;
        found = found ? found : a;
    }
    return found;
}

static void get_address(const struct net_interface_address *a, unsigned int cmd, struct ifreq *r) {
    uint32_t word = cmd == SIOCGIFADDR      ? a->local.word[0]
                    : cmd == SIOCGIFDSTADDR ? a->peer.word[0]
                    : cmd == SIOCGIFBRDADDR ? a->broadcast.word[0]
                                            : mask_of(a->prefix);
    r->address = (struct ip4_sockaddr){.family = AF_INET, .word = word};
}

// `a` in the place of `old`, which may be NULL.
static int replace(struct net_interface_address *old, struct net_interface_address *a) {
    if (old)
        net_interface_remove_locked(old);
    a->flags &= ~(uint32_t)IFA_F_SECONDARY;
    return net_address_is_any(&a->local) ? 0 : net_interface_add_locked(a);
}

static int set_local(struct net_device *d, struct net_interface_address *old, const struct ifreq *r) {
    struct net_interface_address a = {.device = d, .flags = IFA_F_PERMANENT};
    int bits = class_bits(r->address.word);
    if (bits < 0)
        return bits;
    if (old && old->local.word[0] == r->address.word)
        return 0;
    memcpy(a.label, r->name, sizeof(a.label));
    a.local = a.peer = net_address_ip4(r->address.word);
    a.prefix = d->flags & NET_POINTOPOINT ? 32 : (uint8_t)bits;
    a.scope = net_address_is_loopback(&a.local) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    if (d->flags & NET_BROADCAST && a.prefix < 31)
        a.broadcast = net_address_last(&a.local, a.prefix);
    return replace(old, &a);
}

static int set_address(struct net_device *d, struct net_interface_address *old, unsigned int cmd,
                       const struct ifreq *r) {
    if (r->address.family != AF_INET && cmd != SIOCSIFNETMASK)
        return -EINVAL;
    if (cmd == SIOCSIFADDR)
        return set_local(d, old, r);
    struct net_interface_address a = *old;
    int bits = bits_of(r->address.word);
    if (cmd == SIOCSIFBRDADDR) {
        a.broadcast = net_address_ip4(r->address.word);
    } else if (cmd == SIOCSIFDSTADDR) {
        a.peer = net_address_ip4(r->address.word);
    } else if (bits < 0) {
        return bits;
    } else {
        if (a.broadcast.family && d->flags & NET_BROADCAST && bits < 31)
            a.broadcast = net_address_last(&a.local, (unsigned int)bits);
        a.prefix = (uint8_t)bits;
    }
    return replace(old, &a);
}

static int do_address(unsigned int cmd, struct ifreq *r) {
    bool get = cmd == SIOCGIFADDR || cmd == SIOCGIFDSTADDR || cmd == SIOCGIFBRDADDR || cmd == SIOCGIFNETMASK;
    struct net_device *d = find_device(r->name);
    if (!d)
        return -ENODEV;
    struct net_interface_address *a = find_address(d, r, get);
    if (!a && cmd != SIOCSIFADDR)
        return -EADDRNOTAVAIL;
    if (!get)
        return set_address(d, a, cmd, r);
    get_address(a, cmd, r);
    return 0;
}

// Taking "lo:1" down takes the address away.
static int set_flags_of_label(struct net_device *d, const struct ifreq *r) {
    struct net_interface_address *a = find_address(d, r, false);
    if (!a)
        return -EADDRNOTAVAIL;
    if (!((uint16_t)r->flags & NET_UP))
        net_interface_remove_locked(a);
    return 0;
}

// ---- one request about an interface

static bool is_setting(unsigned int cmd) {
    switch (cmd) {
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFBRDADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFMETRIC:
    case SIOCSIFMTU:
    case SIOCSIFNAME:
    case SIOCSIFHWADDR:
    case SIOCSIFHWBROADCAST:
    case SIOCSIFTXQLEN:
    case SIOCSIFMAP:
        return true;
    default:
        return false;
    }
}

static bool is_getting(unsigned int cmd) {
    switch (cmd) {
    case SIOCGIFNAME:
    case SIOCGIFFLAGS:
    case SIOCGIFMETRIC:
    case SIOCGIFMTU:
    case SIOCGIFINDEX:
    case SIOCGIFTXQLEN:
    case SIOCGIFMAP:
    case SIOCGIFHWADDR:
    case SIOCGIFSLAVE:
        return true;
    default:
        return false;
    }
}

static int do_request_locked(unsigned int cmd, struct ifreq *r, bool v4) {
    ASSERT_HELD(&inet_mutex);
    if (cmd == SIOCGIFNAME)
        return get_name(r);
    if (is_address_cmd(cmd))
        return do_address(cmd, r);
    struct net_device *d = find_device(r->name);
    if (!d)
        return -ENODEV;
    if (!is_setting(cmd))
        return get_about(d, cmd, r);
    return cmd == SIOCSIFFLAGS && v4 && strchr(r->name, ':') ? set_flags_of_label(d, r)
                                                             : set_about(d, cmd, r);
}

static void lock_for(struct net_ns *net, bool change) {
    if (change)
        net_change_begin(net);
    else
        inet_lock(net);
}

static void unlock_for(bool change) {
    if (change)
        net_change_end();
    else
        inet_unlock();
}

static long do_request(struct net_ns *net, unsigned int cmd, void __user *user, bool v4) {
    struct ifreq r;
    int err = copy_from_user(&r, user, sizeof(r));
    if (err)
        return err;
    r.name[NET_NAME_SIZE - 1] = '\0';
    if (is_setting(cmd) && !net_capable(net, CAP_NET_ADMIN))
        return -EPERM;
    lock_for(net, is_setting(cmd));
    err = do_request_locked(cmd, &r, v4);
    unlock_for(is_setting(cmd));
    return err || is_setting(cmd) ? err : put_object((struct ifreq __user *)user, r);
}

// ---- ethtool(8)

// ETHTOOL_*, whose header wants a C library.
#define GET_LINK    0x0au
#define GET_RX_SUMS 0x14u
#define GET_TX_SUMS 0x16u
#define GET_SG      0x18u
#define GET_TSO     0x1eu
#define GET_UFO     0x21u
#define GET_GSO     0x23u
#define GET_FLAGS   0x25u
#define GET_GRO     0x2bu

// A device does nothing of what the stack does, but that loopback needs no sums. -EOPNOTSUPP: it is not known, or cannot be set.
static int ask_ethtool_locked(const struct net_device *d, unsigned int cmd) {
    ASSERT_HELD(&inet_mutex);
    switch (cmd) {
    case GET_LINK:
        return net_device_is_up(d) && net_device_has_carrier(d);
    case GET_RX_SUMS:
    case GET_TX_SUMS:
        return !!(d->flags & NET_LOOPBACK);
    case GET_SG:
    case GET_TSO:
    case GET_UFO:
    case GET_GSO:
    case GET_FLAGS:
    case GET_GRO:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

// Of a structure of its own, which begins with what is asked and, for what is known here, ends with the answer.
static long do_ethtool(struct net_ns *net, unsigned int cmd, void __user *user) {
    uint32_t asked = 0;
    struct ifreq r;
    int err = copy_from_user(&r, user, sizeof(r));
    if (!err && cmd == SIOCETHTOOL)
        err = get_user(asked, (const uint32_t __user *)r.data);
    if (err)
        return err;
    r.name[NET_NAME_SIZE - 1] = '\0';
    inet_lock(net);
    const struct net_device *d = find_device(r.name);
    int answer = !d ? -ENODEV : ask_ethtool_locked(d, asked);
    inet_unlock();
    return answer < 0 ? answer : put_user((uint32_t)answer, (uint32_t __user *)r.data + 1);
}

// ---- routes

static int read_route(const struct rtentry *e, const char *device, bool add, struct net_route *r) {
    int bits = e->flags & RTF_HOST                         ? 32
               : e->mask.word || e->mask.family == AF_INET ? bits_of(e->mask.word)
                                                           : 0;
    if (e->to.family != AF_INET)
        return -EAFNOSUPPORT;
    if (!(e->flags & RTF_HOST) && e->mask.family != AF_INET && (e->mask.word || e->mask.family))
        return -EAFNOSUPPORT;
    if (bits < 0 || (bits < 32 && e->to.word & ~mask_of((unsigned int)bits)))
        return -EINVAL;
    if (e->flags & RTF_NUMBERS)
        return -EOPNOTSUPP;
    *r = (struct net_route){.to = net_address_ip4(e->to.word), .bits = (uint8_t)bits, .table = RT_TABLE_MAIN};
    r->type = RTN_UNICAST;
    r->protocol = add ? RTPROT_BOOT : RTPROT_UNSPEC;
    r->scope = add ? RT_SCOPE_LINK : RT_SCOPE_NOWHERE;
    r->metric = e->metric > 0 ? (uint32_t)e->metric - 1 : 0;
    if (e->flags & RTF_REJECT) {
        r->type = RTN_UNREACHABLE;
        r->scope = RT_SCOPE_HOST;
        return 0;
    }
    r->device = device[0] ? find_device(device) : NULL;
    if (device[0] && !r->device)
        return -ENODEV;
    if (e->gateway.family == AF_INET && e->gateway.word) {
        r->gateway = net_address_ip4(e->gateway.word);
        if (add && e->flags & RTF_GATEWAY)
            r->scope = RT_SCOPE_UNIVERSE;
    }
    return add && e->flags & RTF_GATEWAY && !r->gateway.family ? -EINVAL : 0;
}

static long do_route(struct net_ns *net, const void __user *user, bool add) {
    char device[NET_NAME_SIZE] = "";
    const char *why;
    struct net_route r;
    struct rtentry e;
    if (!net_capable(net, CAP_NET_ADMIN))
        return -EPERM;
    int err = copy_from_user(&e, user, sizeof(e));
    if (!err && e.device)
        err = copy_from_user(device, e.device, sizeof(device) - 1);
    if (err)
        return err;
    net_change_begin(net);
    err = read_route(&e, device, add, &r);
    if (!err && add)
        err = net_route_check_locked(&r, &why);
    if (!err)
        err = add ? net_route_add_locked(&r, NLM_F_CREATE) : net_route_remove_locked(&r);
    net_change_end();
    return err;
}

// ---- neighbours

static void fill_arp(const struct net_neighbour *n, struct arpreq *q) {
    memset(&q->hardware, 0, sizeof(q->hardware));
    q->hardware.type = n->device->type;
    memcpy(q->hardware.bytes, n->hardware, n->device->hardware_len);
    q->flags = n->state & NUD_PERMANENT ? ATF_PERM | ATF_COM : n->state ? ATF_COM : 0;
    memcpy(q->device, n->device->name, sizeof(q->device));
}

static int do_arp_locked(unsigned int cmd, struct arpreq *q) {
    ASSERT_HELD(&inet_mutex);
    struct net_address a = net_address_ip4(q->address.word);
    struct net_way way = {.device = NULL};
    struct net_device *d = q->device[0] ? find_device(q->device) : NULL;
    if (q->device[0] && !d)
        return -ENODEV;
    int err = d ? 0 : net_route_find_locked(&a, NULL, &way);
    d = d ? d : way.device;
    if (err || !d)
        return err ? err : -EINVAL;
    struct net_neighbour *n = net_neighbour_find_locked(d, &a);
    if (cmd != SIOCSARP && !n)
        return -ENXIO;
    if (cmd == SIOCGARP) {
        fill_arp(n, q);
    } else if (cmd == SIOCDARP) {
        net_neighbour_remove_locked(n);
    } else {
        struct net_neighbour fresh = {.device = d, .address = a};
        if (q->hardware.type != d->type && q->hardware.type)
            return -EINVAL;
        fresh.state = q->flags & ATF_PERM ? NUD_PERMANENT : NUD_STALE;
        memcpy(fresh.hardware, q->hardware.bytes, d->hardware_len);
        return net_neighbour_set_locked(&fresh, NLM_F_CREATE | NLM_F_REPLACE);
    }
    return 0;
}

static long do_arp(struct net_ns *net, unsigned int cmd, void __user *user) {
    struct arpreq q;
    if (cmd != SIOCGARP && !net_capable(net, CAP_NET_ADMIN))
        return -EPERM;
    int err = copy_from_user(&q, user, sizeof(q));
    if (err)
        return err;
    q.device[NET_NAME_SIZE - 1] = '\0';
    if (q.address.family != AF_INET)
        return -EPFNOSUPPORT;
    if (q.flags & ATF_PUBL)
        return -EOPNOTSUPP;
    lock_for(net, cmd != SIOCGARP);
    err = do_arp_locked(cmd, &q);
    unlock_for(cmd != SIOCGARP);
    return err || cmd != SIOCGARP ? err : put_object((struct arpreq __user *)user, q);
}

// ---- addresses of IPv6

struct in6_ifreq {
    uint8_t address[16];
    uint32_t bits;
    int index;
};

static int do_address6_locked(const struct in6_ifreq *q, bool add) {
    ASSERT_HELD(&inet_mutex);
    struct net_interface_address a = {.prefix = (uint8_t)q->bits, .flags = IFA_F_PERMANENT};
    a.device = net_device_find_locked(q->index);
    a.local = a.peer = net_address_of(AF_INET6, q->address);
    a.scope = net_address_is_loopback(&a.local)     ? RT_SCOPE_HOST
              : net_address_is_link_local(&a.local) ? RT_SCOPE_LINK
                                                    : RT_SCOPE_UNIVERSE;
    if (!a.device)
        return -ENODEV;
    if (add && a.device->mtu < 1280)
        return -EACCES;
    if (add)
        return net_address_is_any(&a.local) || net_address_is_multicast(&a.local)
                   ? -EADDRNOTAVAIL
                   : net_interface_add_locked(&a);
    struct net_interface_address *there = net_interface_find_locked(a.device, &a.local);
    if (!there || there->prefix != q->bits)
        return -EADDRNOTAVAIL;
    net_interface_remove_locked(there);
    return 0;
}

static long do_address6(struct net_ns *net, const void __user *user, bool add) {
    struct in6_ifreq q;
    if (!net_capable(net, CAP_NET_ADMIN))
        return -EPERM;
    int err = copy_from_user(&q, user, sizeof(q));
    if (err)
        return err;
    if (q.bits > 128)
        return -EINVAL;
    net_change_begin(net);
    err = do_address6_locked(&q, add);
    net_change_end();
    return err;
}

long net_device_ioctl(struct socket *s, unsigned int cmd, unsigned long arg) {
    bool v4 = s->family == AF_INET;
    void __user *user = (void __user *)arg;
    if (cmd == SIOCGIFCONF)
        return get_all(s->net, user);
    if (s->family == AF_INET6 && (cmd == SIOCSIFADDR || cmd == SIOCDIFADDR))
        return do_address6(s->net, user, cmd == SIOCSIFADDR);
    if (v4 && (cmd == SIOCADDRT || cmd == SIOCDELRT))
        return do_route(s->net, user, cmd == SIOCADDRT);
    if (v4 && (cmd == SIOCGARP || cmd == SIOCSARP || cmd == SIOCDARP))
        return do_arp(s->net, cmd, user);
    if (cmd == SIOCETHTOOL || cmd == SIOCGMIIPHY || cmd == SIOCGMIIREG)
        return do_ethtool(s->net, cmd, user);
    if (is_address_cmd(cmd) ? v4 : is_setting(cmd) || is_getting(cmd))
        return do_request(s->net, cmd, user, v4);
    return -ENOTTY;
}
