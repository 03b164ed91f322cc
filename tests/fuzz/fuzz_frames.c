// SPDX-License-Identifier: MIT
// What a network says to one machine: messages of ARP and of IPv6's neighbours and routers, as the input has them, each in memory that is
// as long as it came (kernel/net/arp.c, ndisc.c, autoconf.c, neighbour_solve.c), and tables of partitions (kernel/fs/dev/partitions.c).
// Nothing is read behind a packet; what is sent fits a frame; what is believed of a router is a prefix; partitions lie on the disk.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/random.h"
#include "fs/dev/partitions.h"
#include "net/autoconf.h"
#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/inet_lock.h"
#include "net/inet_unreachable.h"
#include "net/interface.h"
#include "net/route.h"
#include "net/rtnetlink.h"
#include "sched/clock.h"

#define ETHERNET 1500u
#define MOST     8u // neighbours

struct mutex inet_mutex;
static const uint8_t *at, *end;
static ktime_t now;
static struct net_device device = {.index = 2,
                                   .flags = NET_UP | NET_BROADCAST,
                                   .type = NET_TYPE_ETHERNET,
                                   .hardware_len = 6,
                                   .hardware = {2, 0, 0, 0, 0, 1}};
static struct net_interface_address own[2], learned[4];
static unsigned int learned_count;
static struct net_neighbour neighbours[MOST];
static unsigned int count;

static unsigned int next(void) {
    return at < end ? *at++ : 0;
}

// ---- what these files have in the kernel

ktime_t clock_monotonic(void) {
    return now;
}

void random_bytes(void *buf, size_t n) {
    memset(buf, 0x5a, n);
}

struct net_ns *inet_net;
void inet_stack_kick(struct net_ns *net) {}

void inet_unreachable_locked(const struct net_frame *frame) {
    assert(frame->len);
}

void net_frame_free(struct net_frame *frame) {
    free(frame);
}

void rtnetlink_tell_neighbour(const struct net_neighbour *n, unsigned int type) {
    (void)n, (void)type;
}

void ethernet_send_locked(struct net_device *d, const uint8_t *to, unsigned int type, const void *packet,
                          size_t n) {
    uint8_t copy[ETHERNET];
    assert(d == &device && to && n && n <= sizeof(copy));
    assert(type == NET_ETHERNET_IP4 || type == NET_ETHERNET_ARP || type == NET_ETHERNET_IP6);
    memcpy(copy, packet, n);
    if (type == NET_ETHERNET_IP6 && copy[6] == 58) // the sum of what is sent is right
        assert(!net_sum_ip6(copy + 8, 58, copy + 40, n - 40));
}

void ethernet_group_address(const struct net_address *group, uint8_t out[NET_ETHERNET_ADDRESS]) {
    memcpy(out, group->bytes + 10, NET_ETHERNET_ADDRESS);
}

void ethernet_solicit_locked(const struct net_neighbour *n, bool everybody) {
    if (n->address.family == AF_INET)
        arp_solicit_locked(n, everybody ? device.hardware_broadcast : n->hardware);
    else
        ndisc_solicit_locked(n, everybody ? NULL : n->hardware);
}

bool net_route_is_local_locked(const struct net_address *to) {
    return net_address_eq(to, &own[0].local) || net_address_eq(to, &own[1].local);
}

int net_route_add_locked(const struct net_route *route, unsigned int how) {
    (void)how;
    assert(route->bits <= 128 && route->device == &device);
    return 0;
}

int net_route_remove_locked(const struct net_route *like) {
    (void)like;
    return 0;
}

struct net_device *net_device_find_locked(int index) {
    return index == device.index ? &device : NULL;
}

struct net_interface_address *net_interface_source_locked(struct net_device *d, const struct net_address *to,
                                                          uint8_t scope) {
    (void)d, (void)scope;
    return &own[to->family == AF_INET6];
}

struct net_interface_address *net_interface_find_locked(struct net_device *d,
                                                        const struct net_address *local) {
    (void)d;
    for (unsigned int i = 0; i < learned_count; i++)
        if (net_address_eq(&learned[i].local, local))
            return &learned[i];
    return NULL;
}

int net_interface_add_locked(const struct net_interface_address *address) {
    assert(address->prefix == 64 && address->preferred_until <= address->valid_until);
    if (learned_count == 4)
        return -1;
    learned[learned_count++] = *address;
    return 0;
}

void net_interface_changed_locked(struct net_interface_address *address) {
    assert(address->preferred_until <= address->valid_until);
}

int64_t net_interface_run_locked(int64_t time) {
    (void)time;
    return KTIME_NEVER;
}

struct net_neighbour *net_neighbour_find_locked(const struct net_device *d, const struct net_address *a) {
    (void)d;
    for (unsigned int i = 0; i < count; i++)
        if (net_address_eq(&neighbours[i].address, a))
            return &neighbours[i];
    return NULL;
}

struct net_neighbour *net_neighbour_get_locked(struct net_device *d, const struct net_address *a) {
    struct net_neighbour *n = net_neighbour_find_locked(d, a);
    if (n || count == MOST)
        return n;
    n = &neighbours[count++];
    *n = (struct net_neighbour){.device = d, .address = *a, .due = KTIME_NEVER};
    list_init(&n->waiting);
    return n;
}

void net_neighbour_for_each_locked(void (*fn)(struct net_neighbour *n, void *arg), void *arg) {
    for (unsigned int i = 0; i < count; i++)
        fn(&neighbours[i], arg);
}

// ---- what the network does

// A packet of the input's, with a head that would do, as often as not.
static uint8_t *packet(size_t *n, bool six) {
    *n = next() | (next() & 1) << 8;
    uint8_t *p = malloc(*n ? *n : 1);
    for (size_t i = 0; i < *n; i++)
        p[i] = (uint8_t)next();
    if (!six || *n < 48 || next() & 1)
        return p;
    p[0] = 0x60;
    p[4] = (uint8_t)((*n - 40) >> 8);
    p[5] = (uint8_t)(*n - 40);
    p[6] = 58;
    p[7] = 255;
    p[40] = (uint8_t)(133 + p[40] % 5);
    p[41] = p[42] = p[43] = 0;
    if (p[40] == 134)
        memcpy(p + 8, "\xfe\x80", 2);
    uint16_t sum = net_sum_ip6(p + 8, 58, p + 40, *n - 40);
    memcpy(p + 42, &sum, sizeof(sum));
    return p;
}

static void hear(bool six) {
    size_t n;
    uint8_t *p = packet(&n, six);
    if (six)
        (void)ndisc_receive_locked(&device, p, n);
    else
        arp_receive_locked(&device, p, n);
    free(p);
}

static void send(void) {
    struct net_address to = {.family = next() & 1 ? AF_INET : AF_INET6};
    to.bytes[0] = to.family == AF_INET ? 10 : 0xfe;
    to.bytes[3] = (uint8_t)next();
    struct net_neighbour *n = net_neighbour_get_locked(&device, &to);
    if (!n || net_neighbour_hardware_locked(n))
        return;
    struct net_frame *f = calloc(1, sizeof(*f) + 60);
    f->len = 60;
    net_neighbour_wait_locked(n, f, to.family == AF_INET ? NET_ETHERNET_IP4 : NET_ETHERNET_IP6);
}

// ---- a disk

static const uint8_t *disk;
static size_t sectors;

static const char *read_sector(void *arg, uint64_t sector) {
    static char copy[512];
    (void)arg;
    if (sector >= sectors)
        return NULL;
    memcpy(copy, disk + sector * 512, sizeof(copy));
    return copy;
}

static void look_at_disk(const uint8_t *data, size_t size) {
    struct partition found[DISK_MINORS] = {{0}};
    disk = data;
    sectors = size / 512;
    partitions_read(read_sector, NULL, sectors, 1, found);
    for (unsigned int i = 0; i < DISK_MINORS; i++)
        assert(found[i].start + found[i].sectors <= sectors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    own[0].local = (struct net_address){.family = AF_INET, .bytes = {10, 0, 2, 15}};
    own[1].local = (struct net_address){.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = 1}};
    at = data;
    end = data + size;
    count = learned_count = 0;
    now = 1;
    autoconf_up_locked(&device);
    while (at < end) {
        unsigned int what = next();
        if (what % 4 < 2)
            hear(what % 4);
        else if (what % 4 == 2)
            send();
        else
            now += (ktime_t)next() * 100000000;
        (void)net_neighbour_run_locked();
        (void)autoconf_run_locked();
    }
    for (unsigned int i = 0; i < count; i++) {
        neighbours[i].state = 0;
        net_neighbour_settle_locked(&neighbours[i]);
    }
    look_at_disk(data, size);
    return 0;
}
