// SPDX-License-Identifier: MIT
// The network device (specification 1.2, section 5.1): one queue each way. Of what a host may take over, sums and segments, QEMU's user
// network offers nothing; so each buffer holds one frame, behind a header that says nothing.
//
// Received frames lie in memory that is the device's again once they are released; sent ones are copied into memory that comes
// back when the device has taken them, which is looked for when some is needed. Interrupts come for frames alone, and only
// when nobody is taking any.
#include "arch/riscv/layout.h"
#include "core/errno.h"
#include "drivers/virtio/nic.h"
#include "drivers/virtio/virtio.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#define QUEUE_SIZE  256u
#define BUFFER_SIZE 2048u // header, frame, and a frame's start that leaves what is behind its header aligned
#define HEADER_MOST sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define HEADER_OLD  sizeof(struct virtio_net_hdr)
#define FRAME_AT    18u // in a buffer: 14 bytes later there is a packet
_Static_assert(FRAME_AT >= HEADER_MOST && (FRAME_AT + NIC_HEADER) % 8 == 0, "there is room for the header");
_Static_assert(FRAME_AT + NIC_FRAME_MOST <= BUFFER_SIZE, "a frame fits");

struct card {
    struct virtio_nic public;
    struct virtio_device *device;         // [I]
    struct virtqueue *receive, *transmit; // [I]
    uint32_t header;                      // [I] bytes of it before each frame
    bool apart;                           // [I] it has to have a descriptor of its own
    bool opened;                          // the receiving side's
    char *reading;                        // the same's: the buffer that is being looked at
    char *spare[QUEUE_SIZE];              // the sending side's: buffers to send from
    unsigned int spare_count, buffers;    // of them, and with those underway
};

static struct virtio_nic *first, **last = &first; // boot alone makes the list

struct virtio_nic *virtio_nic_next(const struct virtio_nic *nic) {
    return nic ? nic->next : first;
}

static struct card *of(struct virtio_nic *nic) {
    return container_of(nic, struct card, public);
}

// ---- what the device says

static void received(struct virtqueue *q) {
    struct card *c = virtqueue_owner(q);
    if (c->public.work)
        c->public.work(&c->public);
}

static void config_changed(struct virtio_device *d) {
    struct card *c = d->owner;
    if (c->public.work)
        c->public.work(&c->public);
}

bool virtio_nic_has_link(struct virtio_nic *nic) {
    struct card *c = of(nic);
    uint16_t status;
    if (!virtio_has(c->device, VIRTIO_NET_F_STATUS))
        return true;
    virtio_config_read(c->device, offsetof(struct virtio_net_config, status), &status, sizeof(status));
    return status & VIRTIO_NET_S_LINK_UP;
}

// ---- from the network

// Its header and its frame, as the device's layout wants them.
static int hand_over(struct card *c, struct virtqueue *q, char *buffer, uint32_t n, bool out) {
    paddr_t frame = virt_to_phys(buffer + FRAME_AT);
    struct virtio_piece pieces[] = {{frame - c->header, c->header + (c->apart ? 0 : n)}, {frame, n}};
    unsigned int count = c->apart ? 2 : 1;
    return virtqueue_add(q, pieces, out ? count : 0, out ? 0 : count, buffer);
}

int virtio_nic_open(struct virtio_nic *nic) {
    struct card *c = of(nic);
    unsigned int most = virtqueue_size(c->receive) / (c->apart ? 2 : 1), have = 0;
    if (c->opened)
        return 0;
    for (char *buffer; have < most && (buffer = kmalloc(BUFFER_SIZE)); have++) {
        int err = hand_over(c, c->receive, buffer, BUFFER_SIZE - FRAME_AT, false);
        if (err) {
            kfree(buffer);
            return err;
        }
    }
    if (!have)
        return -ENOMEM; // with few it is slower
    c->opened = true;
    virtqueue_kick(c->receive);
    return 0;
}

const void *virtio_nic_receive(struct virtio_nic *nic, size_t *n) {
    struct card *c = of(nic);
    uint32_t length;
    while ((c->reading = virtqueue_take(c->receive, &length))) {
        *n = length > c->header ? MIN((size_t)(length - c->header), (size_t)NIC_FRAME_MOST) : 0;
        if (*n)
            return c->reading + FRAME_AT;
        virtio_nic_release(nic);
    }
    return NULL;
}

void virtio_nic_release(struct virtio_nic *nic) {
    struct card *c = of(nic);
    if (hand_over(c, c->receive, c->reading, BUFFER_SIZE - FRAME_AT, false))
        kfree(c->reading); // broken
    c->reading = NULL;
}

bool virtio_nic_rest(struct virtio_nic *nic) {
    struct card *c = of(nic);
    virtqueue_kick(c->receive);
    return !virtqueue_want_interrupt(c->receive) || virtqueue_is_broken(c->receive);
}

void virtio_nic_wake(struct virtio_nic *nic) {
    virtqueue_refuse_interrupts(of(nic)->receive);
}

// ---- to the network

void *virtio_nic_get_room(struct virtio_nic *nic) {
    struct card *c = of(nic);
    uint32_t n;
    if (!c->spare_count)
        for (char *buffer; (buffer = virtqueue_take(c->transmit, &n));)
            c->spare[c->spare_count++] = buffer;
    if (!c->spare_count && c->buffers < virtqueue_size(c->transmit) / (c->apart ? 2 : 1)) {
        char *fresh = kmalloc(BUFFER_SIZE);
        if (fresh) {
            memset(fresh, 0, FRAME_AT); // the header that says nothing
            c->buffers++;
            c->spare[c->spare_count++] = fresh;
        }
    }
    return c->spare_count ? c->spare[--c->spare_count] + FRAME_AT : NULL;
}

void virtio_nic_send(struct virtio_nic *nic, void *frame, size_t n) {
    struct card *c = of(nic);
    char *buffer = (char *)frame - FRAME_AT;
    if (hand_over(c, c->transmit, buffer, (uint32_t)n, true))
        c->spare[c->spare_count++] = buffer; // broken: nothing is sent any more
}

void virtio_nic_flush(struct virtio_nic *nic) {
    virtqueue_kick(of(nic)->transmit);
}

// ---- finding it

static int create_queues(struct card *c) {
    c->receive = virtqueue_create(c->device, 0, QUEUE_SIZE, received, c);
    if (IS_ERR(c->receive))
        return PTR_ERR(c->receive);
    c->transmit = virtqueue_create(c->device, 1, QUEUE_SIZE, NULL, c);
    return IS_ERR(c->transmit) ? PTR_ERR(c->transmit) : 0;
}

static void read_config(struct card *c) {
    struct virtio_device *d = c->device;
    uint16_t mtu = NIC_MTU;
    c->public.has_address = virtio_has(d, VIRTIO_NET_F_MAC);
    if (c->public.has_address)
        virtio_config_read(d, offsetof(struct virtio_net_config, mac), c->public.address, NIC_ADDRESS);
    if (virtio_has(d, VIRTIO_NET_F_MTU))
        virtio_config_read(d, offsetof(struct virtio_net_config, mtu), &mtu, sizeof(mtu));
    c->public.mtu = MIN((unsigned int)mtu, NIC_MTU);
    c->header = d->legacy ? HEADER_OLD : HEADER_MOST;
    c->apart = d->legacy && !virtio_has(d, VIRTIO_F_ANY_LAYOUT);
}

static int probe(struct virtio_device *d) {
    struct card *c = kzalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->device = d;
    d->owner = c;
    d->config_changed = config_changed;
    read_config(c);
    int err = create_queues(c);
    if (err) {
        d->config_changed = NULL;
        kfree(c);
        return err;
    }
    virtio_start(d);
    *last = &c->public;
    last = &c->public.next;
    return 0;
}

const struct virtio_driver virtio_net_driver = {.name = "net",
                                                .id = VIRTIO_ID_NET,
                                                .features =
                                                    1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS |
                                                    1ull << VIRTIO_NET_F_MTU | 1ull << VIRTIO_F_ANY_LAYOUT,
                                                .probe = probe};
