// SPDX-License-Identifier: MIT
// Network cards as devices of the stack: eth0 and on.
//
// A frame that has come is copied once, out of the memory that the card can still write to, into one of its own, and only then looked at.
// The card says that there is something (`work`, from its interrupt), and the stack's thread takes it, up to BUDGET frames for each
// time it holds the stack's lock; while it does so the card is told to be silent.
#include "net/ethernet.h"
#include "core/panic.h"
#include "core/printk.h"
#include "core/random.h"
#include "drivers/virtio/nic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/inet_lock.h"
#include "net/net_ns.h"
#include <linux/rtnetlink.h>

#define BUDGET 64u

struct card {
    struct net_device device;
    struct virtio_nic *nic; // [I]
    bool work;              // [a] frames are there, or the cable's state is another
    bool unflushed;         // [n] it was not told of all that was sent
    struct card *next;      // [I]
};

static struct card *cards; // [I] after boot
bool ethernet_unflushed;

static struct card *of(struct net_device *device) {
    return container_of(device, struct card, device);
}

// ---- out

void *ethernet_begin_locked(struct net_device *device, size_t n) {
    ASSERT_HELD(&inet_mutex);
    struct card *c = of(device);
    uint8_t *frame = NULL;
    if (likely(net_device_is_up(device) && net_device_has_carrier(device) && n <= NIC_MTU))
        frame = virtio_nic_get_room(c->nic);
    if (frame)
        return frame + NET_ETHERNET_HEADER;
    device->tx_dropped++;
    return NULL;
}

void ethernet_finish_locked(struct net_device *device, void *packet, size_t n, const uint8_t *to,
                            unsigned int type) {
    ASSERT_HELD(&inet_mutex);
    struct card *c = of(device);
    uint8_t *frame = (uint8_t *)packet - NET_ETHERNET_HEADER;
    memcpy(frame, to, NET_ETHERNET_ADDRESS);
    memcpy(frame + NET_ETHERNET_ADDRESS, device->hardware, NET_ETHERNET_ADDRESS);
    frame[12] = (uint8_t)(type >> 8);
    frame[13] = (uint8_t)type;
    n += NET_ETHERNET_HEADER;
    device->tx_packets++;
    device->tx_bytes += n;
    virtio_nic_send(c->nic, frame, n);
    c->unflushed = ethernet_unflushed = true;
}

void ethernet_send_locked(struct net_device *device, const uint8_t *to, unsigned int type, const void *packet,
                          size_t n) {
    ASSERT_HELD(&inet_mutex);
    void *room = ethernet_begin_locked(device, n);
    if (!room)
        return;
    memcpy(room, packet, n);
    ethernet_finish_locked(device, room, n, to, type);
}

void ethernet_flush_locked(void) {
    ASSERT_HELD(&inet_mutex);
    ethernet_unflushed = false;
    for (struct card *c = cards; c; c = c->next) {
        if (!c->unflushed)
            continue;
        c->unflushed = false;
        virtio_nic_flush(c->nic);
    }
}

void ethernet_group_address(const struct net_address *group, uint8_t out[NET_ETHERNET_ADDRESS]) {
    static const uint8_t four[] = {0x01, 0x00, 0x5e}, six[] = {0x33, 0x33};
    if (group->family == AF_INET6) {
        memcpy(out, six, sizeof(six));
        memcpy(out + 2, group->bytes + 12, 4);
        return;
    }
    memcpy(out, four, sizeof(four));
    memcpy(out + 3, group->bytes + 1, 3);
    out[3] &= 0x7f;
}

void ethernet_solicit_locked(const struct net_neighbour *n, bool everybody) {
    ASSERT_HELD(&inet_mutex);
    if (n->address.family == AF_INET)
        arp_solicit_locked(n, everybody ? n->device->hardware_broadcast : n->hardware);
    else
        ndisc_solicit_locked(n, everybody ? NULL : n->hardware);
}

// ---- in

static void give(struct net_device *device, unsigned int type, const uint8_t *packet, size_t n) {
    struct net_frame *f = net_frame_create(device, n);
    if (!f) {
        device->rx_dropped++;
        return;
    }
    memcpy(f->data, packet, n);
    if (type == NET_ETHERNET_ARP)
        arp_receive_locked(device, f->data, n);
    else if (type == NET_ETHERNET_IP4 ? f->data[0] >> 4 == 4
                                      : f->data[0] >> 4 == 6 && !ndisc_receive_locked(device, f->data, n)) {
        net_receive_locked(f);
        return;
    }
    net_frame_free(f);
}

static bool is_for_us(const struct net_device *device, const uint8_t *to) {
    return to[0] & 1 || !memcmp(to, device->hardware, NET_ETHERNET_ADDRESS);
}

static void receive(struct net_device *device, const uint8_t *frame, size_t n) {
    uint8_t header[NET_ETHERNET_HEADER];
    device->rx_packets++;
    device->rx_bytes += n;
    if (n <= sizeof(header))
        return;
    memcpy(header, frame, sizeof(header));
    unsigned int type = header[12] << 8 | header[13];
    if (type != NET_ETHERNET_IP4 && type != NET_ETHERNET_IP6 && type != NET_ETHERNET_ARP)
        device->rx_dropped++; // nobody here knows it
    else if (is_for_us(device, header))
        give(device, type, frame + sizeof(header), n - sizeof(header));
}

// True: there may be more.
static bool take_frames(struct card *c) {
    const uint8_t *frame;
    size_t n;
    unsigned int taken = 0;
    virtio_nic_wake(c->nic);
    while (taken < BUDGET && (frame = virtio_nic_receive(c->nic, &n))) {
        if (net_device_is_up(&c->device))
            receive(&c->device, frame, n);
        virtio_nic_release(c->nic);
        taken++;
    }
    return taken == BUDGET || !virtio_nic_rest(c->nic);
}

bool ethernet_poll(void) {
    bool more = false;
    for (struct card *c = cards; c; c = c->next) {
        if (!READ_ONCE(c->work))
            continue;
        __atomic_store_n(&c->work, false, __ATOMIC_SEQ_CST);
        net_device_set_carrier(&c->device, virtio_nic_has_link(c->nic));
        inet_lock(&first_net_ns);
        if (take_frames(c)) {
            WRITE_ONCE(c->work, true);
            more = true;
        }
        inet_unlock();
    }
    return more;
}

// ---- life

static void work(struct virtio_nic *nic) {
    struct card *c = nic->owner;
    __atomic_store_n(&c->work, true, __ATOMIC_RELEASE);
    inet_stack_poll();
}

static int set_up(struct net_device *device, bool up) {
    struct card *c = of(device);
    int err = up ? inet_start_locked() : 0;
    if (!err && up)
        err = virtio_nic_open(c->nic);
    if (!err && up)
        work(c->nic); // and asks for interrupts
    return err;
}

static const struct net_device_ops ops = {.set_up = set_up};

static void make_address(struct net_device *d, const struct virtio_nic *nic) {
    memset(d->hardware_broadcast, 0xff, NET_ETHERNET_ADDRESS);
    memcpy(d->hardware, nic->address, NET_ETHERNET_ADDRESS);
    if (nic->has_address && !(nic->address[0] & 1))
        return;
    random_bytes(d->hardware, NET_ETHERNET_ADDRESS);
    d->hardware[0] = (uint8_t)((d->hardware[0] & ~1) | 2); // of one machine, given by nobody
}

static int add(struct virtio_nic *nic) {
    struct card *c = kzalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->device = (struct net_device){.ops = &ops,
                                    .name = "eth%d",
                                    .type = NET_TYPE_ETHERNET,
                                    .mtu = nic->mtu,
                                    .mtu_min = NET_MTU4_MIN,
                                    .mtu_max = NIC_MTU,
                                    .flags = NET_BROADCAST | NET_MULTICAST,
                                    .hardware_len = NET_ETHERNET_ADDRESS,
                                    .queue_len = 1000};
    make_address(&c->device, nic);
    c->nic = nic;
    c->device.no_carrier = !virtio_nic_has_link(nic);
    nic->owner = c;
    int err = net_device_register(&c->device);
    if (err) {
        kfree(c);
        return err;
    }
    c->next = cards;
    cards = c;
    __atomic_store_n(&nic->work, work, __ATOMIC_RELEASE);
    return 0;
}

void ethernet_init(void) {
    for (struct virtio_nic *nic = NULL; (nic = virtio_nic_next(nic));)
        if (add(nic))
            pr_err("virtio-net: no memory for its device");
}
