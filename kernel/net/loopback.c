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
    .index = 1,
    .mtu = 65535,
    .flags = NET_UP | NET_LOOPBACK | NET_RUNNING,
};
