// SPDX-License-Identifier: MIT
// The loopback device, "lo": what is sent is received.
#include "net/device.h"

static int loopback_transmit(struct net_device *device, struct net_frame *frame) {
    (void)device;
    net_receive(frame);
    return 0;
}

static const struct net_device_ops ops = {.transmit = loopback_transmit};

struct net_device loopback_device = {
    .ops = &ops,
    .name = "lo",
    .type = NET_TYPE_LOOPBACK,
    .mtu = 65536, // though no packet is longer than 65,535 bytes
    .flags = NET_UP | NET_LOOPBACK,
    .hardware_len = 6,
    .queue_len = 1000,
};
