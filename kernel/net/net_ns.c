// SPDX-License-Identifier: MIT
// Network namespaces: beginning and end.
#include "net/net_ns.h"
#include "core/cred.h"
#include "core/errno.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "net/device.h"
#include "net/inet_lock.h"
#include "net/netlink.h"

#define SETTINGS_                                                                                            \
    .settings = {.somaxconn = 4096,                                                                          \
                 .unix_dgram_qlen = 10,                                                                      \
                 .port_range = {32768, 60999},                                                               \
                 .unprivileged_port = 1024,                                                                  \
                 .default_ttl = 64,                                                                          \
                 .fragment_time = 30,                                                                        \
                 .fragment_time6 = 60,                                                                       \
                 .tcp_rmem = {4096, 131072, 6291456},                                                        \
                 .tcp_wmem = {4096, 16384, 4194304},                                                         \
                 .keepalive = {7200, 75, 9},                                                                 \
                 .syn_retries = 6,                                                                           \
                 .fin_timeout = 60,                                                                          \
                 .ping_groups = {1, 0}},                                                                     \
    .look = KTIME_NEVER

static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs);
static void destroy(struct namespace *ns);
static const struct namespace_type type = {
    .name = "net", .flag = CLONE_NEWNET, .create = create, .destroy = destroy};

static uint64_t last_cookie = 1; // [a]

struct net_ns first_net_ns = {
    .ns = {.refs = {1}, .type = &type, .owner = &first_user_ns, .number = NS_FIRST_NET},
    .cookie = 1,
    .inbox = LIST_HEAD_INIT(first_net_ns.inbox),
    .netlink_members = LIST_HEAD_INIT(first_net_ns.netlink_members),
    .work_link = LIST_HEAD_INIT(first_net_ns.work_link),
    .change_mutex = MUTEX_INIT(first_net_ns.change_mutex),
    .tell_mutex = MUTEX_INIT(first_net_ns.tell_mutex),
    .notices = LIST_HEAD_INIT(first_net_ns.notices),
    SETTINGS_};

static int begin(struct net_ns *net, struct user_ns *owner) {
    net->state = inet_state_create();
    if (!net->state)
        return -ENOMEM;
    int err = namespace_begin(&net->ns, &type, owner);
    if (err)
        kfree(net->state);
    return err;
}

// What there is to know of buffers is as it was for the machine; all else begins anew.
static struct namespace *create(struct namespace *old, struct user_ns *owner, struct fs_context *fs) {
    struct net_ns *net = kmalloc(sizeof(*net));
    (void)old, (void)fs;
    if (!net)
        return ERR_PTR(-ENOMEM);
    *net = (struct net_ns){.cookie = __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED), SETTINGS_};
    list_init(&net->inbox);
    list_init(&net->netlink_members);
    list_init(&net->work_link);
    list_init(&net->notices);
    mutex_init(&net->change_mutex);
    mutex_init(&net->tell_mutex);
    for (int i = 0; i < 3; i++) {
        net->settings.tcp_rmem[i] = READ_ONCE(first_net_ns.settings.tcp_rmem[i]);
        net->settings.tcp_wmem[i] = READ_ONCE(first_net_ns.settings.tcp_wmem[i]);
    }
    int err = begin(net, owner);
    if (err) {
        kfree(net);
        return ERR_PTR(err);
    }
    net_device_begin(net);
    return &net->ns;
}

static void destroy(struct namespace *ns) {
    struct net_ns *net = container_of(ns, struct net_ns, ns);
    inet_end(net);
    netlink_forget_notices(net);
    namespace_end(&net->ns);
    kfree(net->state);
    kfree(net);
}

bool net_capable(const struct net_ns *net, int capability) {
    return capable_in(net->ns.owner, capability);
}

void net_ns_init(void) {
    namespace_register(NS_NET, &type, &first_net_ns.ns);
}
