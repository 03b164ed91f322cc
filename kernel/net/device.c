// SPDX-License-Identifier: MIT
// The network devices that there are, and what is changed about them.
#include "net/device.h"
#include "core/panic.h"
#include "lib/format.h"
#include "net/inet_lock.h"
#include "net/interface.h"
#include "net/loopback.h"
#include "net/neighbour.h"
#include "net/net_ns.h"
#include "net/route.h"
#include "net/rtnetlink.h"
#include <linux/rtnetlink.h>

#define NUMBERED_MAX 1000 // numbers that "%d" may become

// What programs may switch; the rest tells what the device is.
#define FLAGS_SETTABLE                                                                                       \
    (NET_UP | NET_DEBUG | NET_NOTRAILERS | NET_NOARP | NET_DYNAMIC | NET_MULTICAST | NET_PORTSEL |           \
     NET_AUTOMEDIA | NET_ALLMULTI | NET_PROMISC)

static struct list_head devices __net_state = LIST_HEAD_INIT(devices);
static int last_index __net_state;

// ---- finding

struct net_device *net_device_next_locked(int after) {
    ASSERT_HELD(&inet_mutex);
    struct net_device *d;
    list_for_each_entry (d, &devices, link)
        if (d->index > after)
            return d;
    return NULL;
}

struct net_device *net_device_find_locked(int index) {
    ASSERT_HELD(&inet_mutex);
    struct net_device *d = net_device_next_locked(index - 1);
    return d && d->index == index ? d : NULL;
}

struct net_device *net_device_named_locked(const char *name) {
    ASSERT_HELD(&inet_mutex);
    struct net_device *d;
    list_for_each_entry (d, &devices, link)
        if (!strcmp(d->name, name))
            return d;
    return NULL;
}

unsigned int net_device_flags(const struct net_device *device) {
    unsigned int flags = READ_ONCE(device->flags);
    if (flags & NET_UP && net_device_has_carrier(device))
        flags |= NET_RUNNING | NET_LOWER_UP;
    return flags;
}

uint8_t net_device_state(const struct net_device *device) {
    if (!net_device_is_up(device) || !net_device_has_carrier(device))
        return NET_STATE_DOWN;
    return device->flags & NET_LOOPBACK ? NET_STATE_UNKNOWN : NET_STATE_UP;
}

// ---- names

bool net_name_is_valid(const char *name) {
    size_t len = strlen(name);
    if (!len || len >= NET_NAME_SIZE || !strcmp(name, ".") || !strcmp(name, ".."))
        return false;
    for (; *name; name++)
        if (*name == '/' || *name == ':' || *name == ' ' || (*name >= '\t' && *name <= '\r'))
            return false;
    return true;
}

// `pattern`, with the first free number for a "%d" in it. -EINVAL, -EEXIST, -ENFILE.
static int make_name(const char *pattern, char *out) {
    const char *number = strchr(pattern, '%');
    char front[NET_NAME_SIZE];
    if (!net_name_is_valid(pattern))
        return -EINVAL;
    if (!number) {
        memcpy(out, pattern, strlen(pattern) + 1);
        return net_device_named_locked(out) ? -EEXIST : 0;
    }
    if (number[1] != 'd' || strchr(number + 1, '%'))
        return -EINVAL;
    memcpy(front, pattern, number - pattern);
    front[number - pattern] = '\0';
    for (int i = 0; i < NUMBERED_MAX; i++) {
        if (lib_snprintf(out, NET_NAME_SIZE, "%s%d%s", front, i, number + 2) >= NET_NAME_SIZE)
            return -EINVAL;
        if (!net_device_named_locked(out))
            return 0;
    }
    return -ENFILE;
}

int net_device_rename_locked(struct net_device *device, const char *name) {
    ASSERT_HELD(&inet_mutex);
    char fresh[NET_NAME_SIZE] = "";
    if (!strcmp(name, device->name))
        return 0;
    int err = make_name(name, fresh);
    if (err)
        return err;
    memcpy(device->name, fresh, sizeof(fresh));
    net_device_changed_locked(device);
    net_interface_renamed_locked(device);
    return 0;
}

// ---- changes

void net_device_changed_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    inet_device_changed_locked(device);
    rtnetlink_tell_link(device, RTM_NEWLINK, 0);
}

static int change_up(struct net_device *device, bool up) {
    int err = device->ops->set_up ? device->ops->set_up(device, up) : 0;
    if (err && up)
        return err;
    WRITE_ONCE(device->flags, up ? device->flags | NET_UP : device->flags & ~NET_UP);
    if (!up)
        net_interface_down_locked(device);
    inet_device_changed_locked(device);
    if (up)
        net_interface_up_locked(device);
    return 0;
}

int net_device_set_flags_locked(struct net_device *device, unsigned int flags) {
    ASSERT_HELD(&inet_mutex);
    unsigned int old = device->flags;
    WRITE_ONCE(device->flags, (old & ~(FLAGS_SETTABLE & ~NET_UP)) | (flags & FLAGS_SETTABLE & ~NET_UP));
    int err = (old ^ flags) & NET_UP ? change_up(device, flags & NET_UP) : 0;
    unsigned int changed = old ^ device->flags;
    if (changed)
        rtnetlink_tell_link(device, RTM_NEWLINK, changed);
    return err;
}

#define MTU6_MIN 1280u // less is not fit for IPv6

int net_device_set_mtu_locked(struct net_device *device, unsigned int mtu) {
    ASSERT_HELD(&inet_mutex);
    if (mtu > INT32_MAX || mtu < device->mtu_min || (device->mtu_max && mtu > device->mtu_max))
        return -EINVAL;
    if (mtu == device->mtu)
        return 0;
    WRITE_ONCE(device->mtu, mtu);
    if (mtu < NET_MTU4_MIN)
        net_interface_drop_locked(device, AF_INET);
    if (mtu < MTU6_MIN)
        net_interface_drop_locked(device, AF_INET6);
    net_device_changed_locked(device);
    return 0;
}

// ---- carriers

void net_device_set_carrier(struct net_device *device, bool on) {
    if (__atomic_exchange_n(&device->no_carrier, !on, __ATOMIC_RELAXED) == !on)
        return;
    __atomic_store_n(&device->carrier_is_news, 1, __ATOMIC_RELEASE);
    inet_stack_kick(&first_net_ns); // loopback has no cable
}

void net_device_tell_carriers(void) {
    struct net_device *d;
    ASSERT_HELD(&inet_mutex);
    list_for_each_entry (d, &devices, link) {
        if (!READ_ONCE(d->carrier_is_news) || !__atomic_exchange_n(&d->carrier_is_news, 0, __ATOMIC_ACQUIRE))
            continue;
        if (net_device_has_carrier(d))
            d->carrier_ups++;
        else
            d->carrier_downs++;
        net_device_changed_locked(d);
    }
}

// ---- start

static int register_locked(struct net_device *device) {
    ASSERT_HELD(&inet_mutex);
    char name[NET_NAME_SIZE] = "";
    int err = make_name(device->name, name);
    if (err)
        return err;
    bool up = device->flags & NET_UP;
    memcpy(device->name, name, sizeof(name));
    device->flags &= ~NET_UP;
    device->index = ++last_index;
    list_init(&device->addresses);
    list_add_tail(&device->link, &devices);
    inet_device_added_locked(device);
    rtnetlink_tell_link(device, RTM_NEWLINK, NET_ALL_NEW);
    return up ? net_device_set_flags_locked(device, device->flags | NET_UP) : 0;
}

int net_device_register(struct net_device *device) {
    net_change_begin(&first_net_ns);
    int err = register_locked(device);
    net_change_end();
    return err;
}

void net_device_begin(struct net_ns *net) {
    inet_lock(net);
    loopback_device.flags &= ~NET_UP;
    int err = register_locked(&loopback_device);
    inet_unlock();
    ASSERT(!err);
}

void net_device_end_locked(void) {
    ASSERT_HELD(&inet_mutex);
    struct net_device *lo = &loopback_device;
    int err = net_device_set_flags_locked(lo, lo->flags & ~NET_UP);
    ASSERT(!err); // it can always go down
    while (!list_empty(&lo->addresses))
        net_interface_remove_locked(list_first_entry(&lo->addresses, struct net_interface_address, link));
    net_route_drop_device_locked(NULL, 0, true);
    net_route_drop_device_locked(lo, 0, true);
    net_neighbour_drop_device_locked(lo);
    loopback_end_locked();
    inet_device_gone_locked(lo);
}

void net_device_init(void) {
    if (net_device_register(&loopback_device))
        panic("no memory for the loopback device");
}
