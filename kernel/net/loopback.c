// SPDX-License-Identifier: MIT
// The loopback device, "lo": what is sent is received. In debug kernels a test may make it a bad line (/proc/sys/net/core/loopback_faults):
// so many frames of a thousand are lost, doubled, or come behind the next one.
#include "net/loopback.h"
#include "core/random.h"
#include "lib/string.h"
#include "net/device.h"
#include "net/inet_lock.h"
#include "net/net_ns.h"

#ifdef CONFIG_DEBUG

unsigned long loopback_faults[3]; // [a] lost, doubled, held back: of a thousand
static struct net_frame *held __net_state;

static bool happens(unsigned int which) {
    uint16_t n;
    unsigned long often = READ_ONCE(loopback_faults[which]);
    if (likely(!often))
        return false;
    random_bytes(&n, sizeof(n));
    return n % 1000u < often;
}

static void receive_twice(struct net_device *device, struct net_frame *frame) {
    struct net_frame *copy = net_frame_create(device, frame->len);
    if (copy) {
        memcpy(copy->data, frame->data, frame->len);
        net_receive(copy);
    }
    net_receive(frame);
}

bool loopback_is_perfect(void) {
    return !held && !READ_ONCE(loopback_faults[0]) && !READ_ONCE(loopback_faults[1]) &&
           !READ_ONCE(loopback_faults[2]);
}

static void carry(struct net_device *device, struct net_frame *frame) {
    struct net_frame *before = held;
    held = NULL;
    if (happens(0))
        net_frame_free(frame);
    else if (happens(1))
        receive_twice(device, frame);
    else if (happens(2))
        held = frame;
    else
        net_receive(frame);
    if (before)
        net_receive(before);
}

void loopback_end_locked(void) {
    ASSERT_HELD(&inet_mutex);
    if (held)
        net_frame_free(held);
    held = NULL;
}

#else

static void carry(struct net_device *device, struct net_frame *frame) {
    (void)device;
    net_receive(frame);
}

#endif

static int loopback_transmit(struct net_device *device, struct net_frame *frame) {
    carry(device, frame);
    return 0;
}

static const struct net_device_ops ops = {.transmit = loopback_transmit};

struct net_device loopback_device __net_state = {
    .ops = &ops,
    .name = "lo",
    .type = NET_TYPE_LOOPBACK,
    .mtu = 65536, // though no packet is longer than 65,535 bytes
    .flags = NET_UP | NET_LOOPBACK,
    .hardware_len = 6,
    .queue_len = 1000,
};
