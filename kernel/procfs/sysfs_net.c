// SPDX-License-Identifier: MIT
// /sys/class/net: a link for each network device to its directory below /sys/devices/virtual/net, and what is in that. The devices are those that there
// are when sysfs is first mounted, under the names that they have then. What is told is of the network of who mounted it.
#include "core/cred.h"
#include "core/errno.h"
#include "lib/format.h"
#include "lib/number.h"
#include "lib/string.h"
#include "net/inet_lock.h"
#include "net/device.h"
#include "net/net_ns.h"
#include "net/rtnetlink.h"
#include "procfs/sysfs_file.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define DIRECTORY "devices/virtual/net/"

struct attribute {
    const char *name;
    // The text, or -errno. With the stack's lock.
    int (*show)(struct seq_buf *s, const struct net_device *d);
    int (*store)(struct net_device *d, const char *text, size_t n); // NULL: not writable. The same
    size_t counter; // instead of `show`: the offset of an unsigned long
};

// ---- texts

static int show_hardware(struct seq_buf *s, const struct net_device *d, const uint8_t *address) {
    for (unsigned int i = 0; i < d->hardware_len; i++)
        seq_printf(s, i ? ":%02x" : "%02x", address[i]);
    seq_puts(s, "\n");
    return 0;
}

static int show_address(struct seq_buf *s, const struct net_device *d) {
    return show_hardware(s, d, d->hardware);
}

static int show_broadcast(struct seq_buf *s, const struct net_device *d) {
    return show_hardware(s, d, d->hardware_broadcast);
}

static int show_number(struct seq_buf *s, unsigned int n) {
    seq_printf(s, "%u\n", n);
    return 0;
}

#define SHOW_NUMBER(name_, value_)                                                                           \
    static int show_##name_(struct seq_buf *s, const struct net_device *d) {                                 \
        return show_number(s, value_);                                                                       \
    }
SHOW_NUMBER(addr_len, d->hardware_len)
SHOW_NUMBER(changes, d->carrier_ups + d->carrier_downs)
SHOW_NUMBER(ups, d->carrier_ups)
SHOW_NUMBER(downs, d->carrier_downs)
SHOW_NUMBER(group, d->group)
SHOW_NUMBER(index, (unsigned int)d->index)
SHOW_NUMBER(mtu, d->mtu)
SHOW_NUMBER(queue_len, d->queue_len)
SHOW_NUMBER(type, d->type)

static int show_zero(struct seq_buf *s, const struct net_device *d) {
    (void)d;
    return show_number(s, 0);
}

// NET_NAME_PREDICTABLE.
static int show_assignment(struct seq_buf *s, const struct net_device *d) {
    (void)d;
    return show_number(s, 2);
}

// Of a device that is down nobody knows.
static int show_carrier(struct seq_buf *s, const struct net_device *d) {
    return net_device_is_up(d) ? show_number(s, net_device_has_carrier(d)) : -EINVAL;
}

static int show_dormant(struct seq_buf *s, const struct net_device *d) {
    return net_device_is_up(d) ? show_number(s, 0) : -EINVAL;
}

// Speed and the like, which a device without a wire does not have.
static int show_nothing(struct seq_buf *s, const struct net_device *d) {
    (void)s, (void)d;
    return -EINVAL;
}

static int show_id(struct seq_buf *s, const struct net_device *d) {
    (void)d;
    seq_puts(s, "0x0\n");
    return 0;
}

static int show_flags(struct seq_buf *s, const struct net_device *d) {
    seq_printf(s, "0x%x\n", d->flags & 0xffff);
    return 0;
}

static int show_alias(struct seq_buf *s, const struct net_device *d) {
    if (d->alias[0])
        seq_printf(s, "%s\n", d->alias);
    return 0;
}

static int show_state(struct seq_buf *s, const struct net_device *d) {
    uint8_t state = net_device_state(d);
    seq_puts(s, state == NET_STATE_UP ? "up\n" : state == NET_STATE_DOWN ? "down\n" : "unknown\n");
    return 0;
}

static int show_event(struct seq_buf *s, const struct net_device *d) {
    seq_printf(s, "INTERFACE=%s\nIFINDEX=%d\n", d->name, d->index);
    return 0;
}

// ---- changes

static int store_mtu(struct net_device *d, const char *text, size_t n) {
    uint64_t mtu;
    (void)n;
    if (number_read(text, 10, INT32_MAX, &mtu) == text)
        return -EINVAL;
    return net_device_set_mtu_locked(d, (unsigned int)mtu);
}

static int store_flags(struct net_device *d, const char *text, size_t n) {
    uint64_t flags;
    bool hex = n > 2 && text[0] == '0' && (text[1] | 32) == 'x';
    const char *digits = text + (hex ? 2 : 0);
    if (number_read(digits, hex ? 16 : 10, UINT32_MAX, &flags) == digits)
        return -EINVAL;
    return net_device_set_flags_locked(d, (unsigned int)flags);
}

static int store_number(struct net_device *d, const char *text, unsigned int *at) {
    uint64_t number;
    if (number_read(text, 10, INT32_MAX, &number) == text)
        return -EINVAL;
    *at = (unsigned int)number;
    net_device_changed_locked(d);
    return 0;
}

static int store_queue_len(struct net_device *d, const char *text, size_t n) {
    (void)n;
    return store_number(d, text, &d->queue_len);
}

static int store_group(struct net_device *d, const char *text, size_t n) {
    (void)n;
    return store_number(d, text, &d->group);
}

static int store_alias(struct net_device *d, const char *text, size_t n) {
    if (n && text[n - 1] == '\n')
        n--;
    if (n >= sizeof(d->alias))
        return -EINVAL;
    memcpy(d->alias, text, n);
    d->alias[n] = '\0';
    net_device_changed_locked(d);
    return 0;
}

// ---- files

#define COUNTER(name_, member_)                                                                              \
    { .name = "statistics/" name_, .counter = offsetof(struct net_device, member_) }
#define ZERO(name_)                                                                                          \
    { .name = "statistics/" name_, .show = show_zero }

static const struct attribute attributes[] = {
    {.name = "addr_assign_type", .show = show_zero},
    {.name = "addr_len", .show = show_addr_len},
    {.name = "address", .show = show_address},
    {.name = "broadcast", .show = show_broadcast},
    {.name = "carrier", .show = show_carrier},
    {.name = "carrier_changes", .show = show_changes},
    {.name = "carrier_down_count", .show = show_downs},
    {.name = "carrier_up_count", .show = show_ups},
    {.name = "dev_id", .show = show_id},
    {.name = "dev_port", .show = show_zero},
    {.name = "dormant", .show = show_dormant},
    {.name = "duplex", .show = show_nothing},
    {.name = "flags", .show = show_flags, .store = store_flags},
    {.name = "ifalias", .show = show_alias, .store = store_alias},
    {.name = "ifindex", .show = show_index},
    {.name = "iflink", .show = show_index},
    {.name = "link_mode", .show = show_zero},
    {.name = "mtu", .show = show_mtu, .store = store_mtu},
    {.name = "name_assign_type", .show = show_assignment},
    {.name = "netdev_group", .show = show_group, .store = store_group},
    {.name = "operstate", .show = show_state},
    {.name = "proto_down", .show = show_zero},
    {.name = "speed", .show = show_nothing},
    {.name = "testing", .show = show_zero},
    {.name = "tx_queue_len", .show = show_queue_len, .store = store_queue_len},
    {.name = "type", .show = show_type},
    {.name = "uevent", .show = show_event},
    ZERO("collisions"),
    ZERO("multicast"),
    COUNTER("rx_bytes", rx_bytes),
    ZERO("rx_compressed"),
    ZERO("rx_crc_errors"),
    COUNTER("rx_dropped", rx_dropped),
    ZERO("rx_errors"),
    ZERO("rx_fifo_errors"),
    ZERO("rx_frame_errors"),
    ZERO("rx_length_errors"),
    ZERO("rx_missed_errors"),
    ZERO("rx_nohandler"),
    ZERO("rx_over_errors"),
    COUNTER("rx_packets", rx_packets),
    ZERO("tx_aborted_errors"),
    COUNTER("tx_bytes", tx_bytes),
    ZERO("tx_carrier_errors"),
    ZERO("tx_compressed"),
    COUNTER("tx_dropped", tx_dropped),
    ZERO("tx_errors"),
    ZERO("tx_fifo_errors"),
    ZERO("tx_heartbeat_errors"),
    COUNTER("tx_packets", tx_packets),
    ZERO("tx_window_errors"),
};

static int show(struct seq_buf *s, void *file) {
    const struct sysfs_file *f = file;
    const struct attribute *a = f->attribute;
    const char *device = f->device;
    int err = 0;
    inet_lock(s->net);
    if (a->show)
        err = a->show(s, f->device);
    else
        seq_printf(s, "%lu\n", READ_ONCE(*(const unsigned long *)(device + a->counter)));
    inet_unlock();
    return err;
}

static ssize_t store(struct net_ns *net, const char *text, size_t n, void *file) {
    const struct sysfs_file *f = file;
    const struct attribute *a = f->attribute;
    if (!net_capable(net, CAP_NET_ADMIN))
        return -EPERM;
    net_change_begin(net);
    int err = a->store(f->device, text, n);
    net_change_end();
    return err ? err : (ssize_t)n;
}

static void add_device(struct sysfs_filling *t, struct net_device *d) {
    char directory[SYSFS_PATH];
    lib_snprintf(directory, sizeof(directory), DIRECTORY "%s", d->name);
    sysfs_add_link(t, "../../", directory, "class/net/%s", d->name);
    sysfs_add_link(t, "../../../../", "class/net", "%s/subsystem", directory);
    for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
        const struct attribute *a = &attributes[i];
        sysfs_add_file_of_net(t, directory, a->name, show, a->store ? store : NULL, d, a);
    }
}

int sysfs_net_fill(struct proc_tree *tree, bool all) {
    struct sysfs_filling t = {.tree = tree};
    inet_lock(&first_net_ns);
    for (struct net_device *d = net_device_next_locked(0); d; d = net_device_next_locked(d->index))
        if (all || d == &loopback_device) // the others are of the first network alone
            add_device(&t, d);
    inet_unlock();
    return t.err;
}
