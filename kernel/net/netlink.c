// SPDX-License-Identifier: MIT
// AF_NETLINK (netlink(7)): sockets, their ports and groups, and sending. Reading is netlink_queue.c's, what the kernel answers
// netlink_kernel.c's and the protocols'.
//
// A socket has a port, of its protocol's own, from bind(2) or its first send on: usually its process's id. It stays in its protocol's list as
// long as anybody refers to it, so that a walk may wait with nothing in its hands but a reference.
#include "net/netlink.h"
#include "arch/riscv/uaccess.h"
#include "core/random.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/identity.h"
#include "net/net_ns.h"
#include "net/netlink_private.h"
#include "sched/user.h"
#include <linux/capability.h>

#define PORT_BUCKETS 256
#define SEND_MARGIN  32 // as in Linux: so much less than the send buffer may be sent at once
#define PORTS_FIRST  0x80000000u
#define PORTS_LAST   0xfffff000u // those that the kernel picks for a process's second socket

static struct slab_cache *sockets;
static const struct netlink_protocol *protocols[NETLINK_PROTOCOLS]; // [I] after the start
static struct spinlock sockets_lock = SPINLOCK_INIT;
static struct list_head all[NETLINK_PROTOCOLS]; // [sockets_lock]
static struct list_head ports[PORT_BUCKETS];    // [sockets_lock]
static uint32_t port_key;                       // [I] so that nobody can tell which ports meet
static uint64_t last_serial;                    // [sockets_lock]

static const struct socket_ops netlink_ops;

void netlink_register(const struct netlink_protocol *protocol) {
    protocols[protocol->number] = protocol;
}

// ---- the table

static struct list_head *bucket_of(const struct net_ns *net, int protocol, uint32_t port) {
    uint32_t hash =
        (port ^ port_key) * 0x9e3779b1u + ((uint32_t)net->cookie << 5 ^ (uint32_t)protocol) * 0x85ebca6bu;
    return &ports[(hash ^ hash >> 15) / 7 % PORT_BUCKETS];
}

static struct netlink_socket *find_locked(const struct net_ns *net, int protocol, uint32_t port) {
    ASSERT_HELD(&sockets_lock);
    struct netlink_socket *n;
    list_for_each_entry (n, bucket_of(net, protocol, port), port_link)
        if (n->port == port && n->s.protocol == protocol && n->s.net == net)
            return n;
    return NULL;
}

struct netlink_socket *netlink_find(const struct net_ns *net, int protocol, uint32_t port) {
    spin_lock(&sockets_lock);
    struct netlink_socket *n = find_locked(net, protocol, port);
    if (n && !ref_get_unless_zero(&n->s.refs))
        n = NULL;
    spin_unlock(&sockets_lock);
    return n;
}

struct netlink_socket *netlink_next_socket(int protocol, struct netlink_socket *n) {
    struct list_head *head = &all[protocol];
    spin_lock(&sockets_lock);
    struct list_head *at = n ? n->all_link.next : head->next;
    while (at != head && !ref_get_unless_zero(&list_entry(at, struct netlink_socket, all_link)->s.refs))
        at = at->next;
    spin_unlock(&sockets_lock);
    if (n)
        socket_put(&n->s);
    return at == head ? NULL : list_entry(at, struct netlink_socket, all_link);
}

struct netlink_socket *netlink_next_member(const struct net_ns *net, struct netlink_socket *n,
                                           uint64_t *serial) {
    const struct list_head *head = &net->netlink_members;
    struct netlink_socket *next = NULL;
    spin_lock(&sockets_lock);
    bool there = n && !list_empty(&n->member_link) && n->member_serial == *serial;
    struct list_head *at = there ? n->member_link.next : head->next;
    for (; at != head && !next; at = at->next) {
        struct netlink_socket *each = list_entry(at, struct netlink_socket, member_link);
        if (each->member_serial > *serial && ref_get_unless_zero(&each->s.refs)) {
            *serial = each->member_serial;
            next = each;
        }
    }
    spin_unlock(&sockets_lock);
    if (n)
        socket_put(&n->s);
    return next;
}

static void set_groups_locked(struct netlink_socket *n, uint64_t groups) {
    ASSERT_HELD(&sockets_lock);
    WRITE_ONCE(n->groups, groups);
    if (!groups) {
        list_del(&n->member_link);
    } else if (list_empty(&n->member_link)) {
        n->member_serial = ++last_serial;
        list_add_tail(&n->member_link, &n->s.net->netlink_members);
    }
}

// Gives it a port. -EADDRINUSE; -EBUSY: it has another.
static int take_port(struct netlink_socket *n, uint32_t port) {
    int err = 0;
    spin_lock(&sockets_lock);
    if (n->bound) {
        err = n->port == port ? 0 : -EBUSY;
    } else if (find_locked(n->s.net, n->s.protocol, port)) {
        err = -EADDRINUSE;
    } else {
        WRITE_ONCE(n->port, port);
        list_add(&n->port_link, bucket_of(n->s.net, n->s.protocol, port));
        __atomic_store_n(&n->bound, true, __ATOMIC_RELEASE);
    }
    spin_unlock(&sockets_lock);
    return err;
}

static bool is_bound(const struct netlink_socket *n) {
    return __atomic_load_n(&n->bound, __ATOMIC_ACQUIRE);
}

static int autobind(struct netlink_socket *n) {
    uint32_t port = (uint32_t)current->own_pid;
    for (;;) {
        int err = take_port(n, port);
        if (err != -EADDRINUSE)
            return err == -EBUSY ? 0 : err; // another thread was first
        err = cond_resched_killable();
        if (err)
            return err;
        random_bytes(&port, sizeof(port));
        port = PORTS_FIRST + port % (PORTS_LAST - PORTS_FIRST);
    }
}

static void leave_port(struct netlink_socket *n) {
    spin_lock(&sockets_lock);
    list_del(&n->port_link);
    set_groups_locked(n, 0);
    spin_unlock(&sockets_lock);
}

// ---- life

static struct socket *create(int type, int protocol) {
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return ERR_PTR(-ESOCKTNOSUPPORT);
    if (protocol < 0 || protocol >= NETLINK_PROTOCOLS || !protocols[protocol])
        return ERR_PTR(-EPROTONOSUPPORT);
    struct netlink_socket *n = slab_zalloc(sockets);
    if (!n)
        return ERR_PTR(-ENOMEM);
    socket_init(&n->s, &netlink_ops, AF_NETLINK, type, protocol);
    n->protocol = protocols[protocol];
    list_init(&n->port_link);
    list_init(&n->member_link);
    list_init(&n->queue);
    mutex_init(&n->dump_mutex);
    wait_queue_init(&n->room_wait);
    spin_lock(&sockets_lock);
    list_add_tail(&n->all_link, &all[protocol]);
    spin_unlock(&sockets_lock);
    return &n->s;
}

static void netlink_release(struct socket *s) {
    struct netlink_socket *n = to_netlink(s);
    leave_port(n);
    spin_lock(&s->lock);
    socket_put_flag(s, SOCKET_DEAD, true);
    spin_unlock(&s->lock);
    wake_all(&n->room_wait);
    netlink_dump_stop(n);
    netlink_drop_queue(n);
}

static void netlink_free(struct socket *s) {
    struct netlink_socket *n = to_netlink(s);
    spin_lock(&sockets_lock);
    list_del(&n->all_link);
    spin_unlock(&sockets_lock);
    slab_free(sockets, n);
}

// ---- names

static uint64_t all_groups(const struct netlink_socket *n) {
    return n->protocol->groups >= 64 ? ~0ull : (1ull << n->protocol->groups) - 1;
}

// The first 32 groups become these; what is beyond stays.
static void set_groups(struct netlink_socket *n, uint32_t groups) {
    spin_lock(&sockets_lock);
    if (!socket_has(&n->s, SOCKET_DEAD))
        set_groups_locked(n, (n->groups & ~0xffffffffull) | (groups & all_groups(n)));
    spin_unlock(&sockets_lock);
}

static int netlink_bind(struct socket *s, const struct socket_address *address) {
    const struct sockaddr_nl *a = (const struct sockaddr_nl *)&address->storage;
    struct netlink_socket *n = to_netlink(s);
    if (address->len < (int)sizeof(*a) || a->nl_family != AF_NETLINK)
        return -EINVAL;
    if (a->nl_groups && !n->protocol->anyone_listens && !net_capable(n->s.net, CAP_NET_ADMIN))
        return -EPERM;
    if (is_bound(n) && a->nl_pid != n->port)
        return -EINVAL;
    int err = is_bound(n) ? 0 : a->nl_pid ? take_port(n, a->nl_pid) : autobind(n);
    if (!err)
        set_groups(n, a->nl_groups);
    return err;
}

// The number of the lowest of the groups, 0: none.
static uint32_t first_group(uint32_t groups) {
    return groups ? (uint32_t)__builtin_ctz(groups) + 1 : 0;
}

static int netlink_connect(struct socket *s, const struct socket_address *address, ktime_t deadline) {
    const struct sockaddr_nl *a = (const struct sockaddr_nl *)&address->storage;
    struct netlink_socket *n = to_netlink(s);
    bool dissolve = address->family == AF_UNSPEC;
    (void)deadline;
    if (address->len < (int)sizeof(address->family))
        return -EINVAL;
    if (!dissolve && (address->len < (int)sizeof(*a) || a->nl_family != AF_NETLINK))
        return -EINVAL;
    if (!dissolve && (a->nl_groups || a->nl_pid) && !n->protocol->anyone_sends &&
        !net_capable(n->s.net, CAP_NET_ADMIN))
        return -EPERM;
    int err = dissolve || is_bound(n) ? 0 : autobind(n);
    if (err)
        return err;
    spin_lock(&s->lock);
    WRITE_ONCE(s->state, dissolve ? SOCKET_UNCONNECTED : SOCKET_CONNECTED);
    n->peer_port = dissolve ? 0 : a->nl_pid;
    n->peer_group = dissolve ? 0 : first_group(a->nl_groups);
    spin_unlock(&s->lock);
    return 0;
}

static int netlink_name(struct socket *s, struct socket_address *out, bool peer) {
    struct netlink_socket *n = to_netlink(s);
    struct sockaddr_nl a = {.nl_family = AF_NETLINK};
    if (peer) {
        spin_lock(&s->lock);
        a.nl_pid = n->peer_port;
        a.nl_groups = n->peer_group ? 1u << (n->peer_group - 1) : 0;
        spin_unlock(&s->lock);
    } else {
        a.nl_pid = READ_ONCE(n->port);
        a.nl_groups = (uint32_t)READ_ONCE(n->groups);
    }
    memcpy(&out->storage, &a, sizeof(a));
    out->len = sizeof(a);
    return 0;
}

// ---- sending

struct target {
    uint32_t port, group;
};

static int find_target(struct netlink_socket *n, const struct message *m, struct target *to) {
    if (!m->address || !m->address->len) {
        spin_lock(&n->s.lock);
        *to = (struct target){n->peer_port, n->peer_group};
        spin_unlock(&n->s.lock);
        return 0;
    }
    const struct sockaddr_nl *a = (const struct sockaddr_nl *)&m->address->storage;
    if (m->address->len < (int)sizeof(*a) || a->nl_family != AF_NETLINK)
        return -EINVAL;
    *to = (struct target){a->nl_pid, first_group(a->nl_groups)};
    return (to->port || to->group) && !n->protocol->anyone_sends && !net_capable(n->s.net, CAP_NET_ADMIN)
               ? -EPERM
               : 0;
}

// The socket of a port that takes from n, referenced. One that is connected takes from its peer alone.
static struct netlink_socket *find_receiver(struct netlink_socket *n, uint32_t port) {
    struct netlink_socket *to = netlink_find(n->s.net, n->s.protocol, port);
    if (!to)
        return ERR_PTR(-ECONNREFUSED);
    spin_lock(&to->s.lock);
    bool takes = to->s.state != SOCKET_CONNECTED || to->peer_port == READ_ONCE(n->port);
    spin_unlock(&to->s.lock);
    if (takes)
        return to;
    socket_put(&to->s);
    return ERR_PTR(-ECONNREFUSED);
}

// The packet has gone if this is 0.
static int send_to_program(struct netlink_socket *n, uint32_t port, struct netlink_packet *p,
                           ktime_t deadline) {
    for (;;) {
        struct netlink_socket *to = find_receiver(n, port);
        if (IS_ERR(to))
            return PTR_ERR(to);
        int err = netlink_enqueue(to, p, false);
        if (err == -EAGAIN) {
            int waited = socket_wait(&to->room_wait, netlink_has_room(to) || socket_has(&to->s, SOCKET_DEAD),
                                     deadline, true);
            err = waited ? waited : -ESTALE;
        }
        socket_put(&to->s);
        if (err != -ESTALE)
            return err;
        err = cond_resched_killable();
        if (err)
            return err;
    }
}

static int send_packet(struct netlink_socket *n, const struct target *to, struct netlink_packet *p,
                       ktime_t deadline) {
    if (to->group)
        (void)netlink_broadcast(n->s.net, n->s.protocol, p, n,
                                to->port); // who missed it has been told, if it wants to be
    if (to->port) {
        int err = send_to_program(n, to->port, p, deadline);
        if (err)
            netlink_packet_free(p);
        return err;
    }
    int err = n->protocol->request ? 0 : -ECONNREFUSED;
    if (!err)
        netlink_to_kernel(n, p->data, p->len);
    netlink_packet_free(p);
    return err;
}

static struct netlink_packet *read_packet(struct netlink_socket *n, struct message *m, struct scm *scm) {
    struct netlink_packet *p = netlink_packet_alloc(m->uio->resid);
    if (!p)
        return ERR_PTR(-ENOBUFS);
    p->len = p->size;
    p->port = READ_ONCE(n->port);
    if (uio_read_from(m->uio, p->data, p->len) != p->len) {
        kfree(p);
        return ERR_PTR(-EFAULT);
    }
    credentials_copy(&p->from, &scm->from);
    if (!p->from.process)
        credentials_note(&p->from);
    return p;
}

static ssize_t send_with(struct netlink_socket *n, struct message *m, struct scm *scm) {
    size_t len = m->uio->resid;
    struct target to;
    int err = scm_import(&n->s, m, scm);
    if (err)
        return err;
    if (scm->files)
        return -EINVAL;
    err = find_target(n, m, &to);
    if (!err && !is_bound(n))
        err = autobind(n);
    if (err)
        return err;
    if (len > (size_t)READ_ONCE(n->s.sndbuf) - SEND_MARGIN)
        return -EMSGSIZE;
    // It is there while this call is, and counts so long.
    if (!user_may_charge(n->s.user, USER_SOCKET_BYTES, (long)len, READ_ONCE(limits.socket_bytes_max)))
        return -ENOBUFS;
    struct netlink_packet *p = read_packet(n, m, scm);
    err = IS_ERR(p) ? PTR_ERR(p) : 0;
    if (!err) {
        p->group = to.group;
        err = send_packet(n, &to, p, socket_send_deadline(&n->s, m));
    }
    user_uncharge(n->s.user, USER_SOCKET_BYTES, (long)len);
    return err ? err : (ssize_t)len;
}

static ssize_t netlink_send(struct socket *s, struct message *m) {
    struct scm scm;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (!m->uio->resid)
        return -ENODATA;
    scm_init(&scm);
    ssize_t ret = send_with(to_netlink(s), m, &scm);
    scm_end(&scm);
    return ret;
}

// ---- options

static int change_membership(struct netlink_socket *n, unsigned int group, bool join) {
    if (!n->protocol->anyone_listens && !net_capable(n->s.net, CAP_NET_ADMIN))
        return -EPERM;
    if (!group || group > n->protocol->groups)
        return -EINVAL;
    uint64_t bit = 1ull << (group - 1);
    spin_lock(&sockets_lock);
    if (!socket_has(&n->s, SOCKET_DEAD))
        set_groups_locked(n, join ? n->groups | bit : n->groups & ~bit);
    spin_unlock(&sockets_lock);
    return 0;
}

static bool is_switch(int option) {
    return option == NETLINK_PKTINFO || option == NETLINK_BROADCAST_ERROR || option == NETLINK_NO_ENOBUFS ||
           option == NETLINK_LISTEN_ALL_NSID || option == NETLINK_CAP_ACK || option == NETLINK_EXT_ACK ||
           option == NETLINK_GET_STRICT_CHK;
}

static int set_switch(struct netlink_socket *n, int option, bool on) {
    if (option == NETLINK_LISTEN_ALL_NSID && !net_capable(n->s.net, CAP_NET_BROADCAST))
        return -EPERM;
    if (on)
        __atomic_fetch_or(&n->switches, 1u << option, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&n->switches, ~(1u << option), __ATOMIC_RELAXED);
    if (option == NETLINK_NO_ENOBUFS && on) {
        spin_lock(&n->s.lock);
        WRITE_ONCE(n->congested, false);
        spin_unlock(&n->s.lock);
        wake_all(&n->room_wait);
    }
    return 0;
}

static int netlink_set_option(struct socket *s, int level, int option, const void __user *value, int len) {
    struct netlink_socket *n = to_netlink(s);
    unsigned int number = 0;
    if (level != SOL_NETLINK)
        return -ENOPROTOOPT;
    int err = len >= (int)sizeof(number) ? get_user(number, (const unsigned int __user *)value) : 0;
    if (err)
        return err;
    if (is_switch(option))
        return set_switch(n, option, number);
    if (option == NETLINK_ADD_MEMBERSHIP || option == NETLINK_DROP_MEMBERSHIP)
        return change_membership(n, number, option == NETLINK_ADD_MEMBERSHIP);
    return -ENOPROTOOPT;
}

// As many whole words of the groups as there is room for, and how many bytes all are.
static int get_memberships(struct netlink_socket *n, void __user *value, int len, int __user *user_len) {
    uint64_t groups = READ_ONCE(n->groups);
    int size = (int)ALIGN_UP(n->protocol->groups, 32u) / 8;
    int part = MIN(len, size) & ~3;
    int err = part ? put_object_part((uint64_t __user *)value, groups, part) : 0;
    return err ? err : put_user(size, user_len);
}

static int netlink_get_option(struct socket *s, int level, int option, void __user *value,
                              int __user *user_len) {
    struct netlink_socket *n = to_netlink(s);
    int len, on;
    if (level != SOL_NETLINK)
        return -ENOPROTOOPT;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    if (option == NETLINK_LIST_MEMBERSHIPS)
        return get_memberships(n, value, len, user_len);
    if (!is_switch(option))
        return -ENOPROTOOPT;
    if (len < (int)sizeof(on))
        return -EINVAL;
    on = netlink_has(n, option);
    err = put_user(on, (int __user *)value);
    return err ? err : put_user((int)sizeof(on), user_len);
}

// ---- asking

static void describe(struct netlink_socket *n, struct netlink_info *info) {
    struct socket *s = &n->s;
    *info = (struct netlink_info){.protocol = s->protocol, .type = s->type, .refs = ref_read(&s->refs)};
    info->state = READ_ONCE(s->state) == SOCKET_CONNECTED;
    info->port = READ_ONCE(n->port);
    info->groups = READ_ONCE(n->groups);
    spin_lock(&s->lock);
    info->peer_port = n->peer_port;
    info->peer_group = n->peer_group;
    spin_unlock(&s->lock);
    info->rmem = READ_ONCE(n->rmem);
    info->wmem = socket_bytes_underway(s);
    info->drops = READ_ONCE(n->drops);
    info->rcvbuf = READ_ONCE(s->rcvbuf);
    info->sndbuf = READ_ONCE(s->sndbuf);
    info->dumping = READ_ONCE(n->dump) != NULL;
    info->ino = s->ino;
}

void netlink_for_each(const struct net_ns *net, bool (*fn)(const struct netlink_info *info, void *arg),
                      void *arg) {
    struct netlink_info info;
    for (int i = 0; i < NETLINK_PROTOCOLS; i++) {
        struct netlink_socket *n = NULL;
        if (!protocols[i])
            continue;
        if (protocols[i]->request) { // the kernel's end
            info = (struct netlink_info){.protocol = i, .type = SOCK_RAW, .refs = 2};
            if (!fn(&info, arg))
                return;
        }
        while ((n = netlink_next_socket(i, n))) {
            if (socket_has(&n->s, SOCKET_DEAD) || READ_ONCE(n->s.net) != net)
                continue;
            describe(n, &info);
            if (!fn(&info, arg) || cond_resched_killable()) {
                socket_put(&n->s);
                return;
            }
        }
    }
}

static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .name = netlink_name,
    .send = netlink_send,
    .recv = netlink_recv,
    .poll = netlink_poll,
    .set_option = netlink_set_option,
    .get_option = netlink_get_option,
    .release = netlink_release,
    .free = netlink_free,
};

void netlink_init(void) {
    static const struct socket_family family = {AF_NETLINK, create};
    // Programs among themselves; and what the kernel would tell of devices that come, of which there are none.
    static const struct netlink_protocol usersock = {
        .number = NETLINK_USERSOCK, .groups = 32, .anyone_sends = true};
    static const struct netlink_protocol uevent = {
        .number = NETLINK_KOBJECT_UEVENT, .groups = 32, .anyone_listens = true};
    sockets = slab_create("netlink_socket", sizeof(struct netlink_socket), 0);
    random_bytes(&port_key, sizeof(port_key));
    for (int i = 0; i < NETLINK_PROTOCOLS; i++)
        list_init(&all[i]);
    for (int i = 0; i < PORT_BUCKETS; i++)
        list_init(&ports[i]);
    netlink_register(&usersock);
    netlink_register(&uevent);
    rtnetlink_init();
    sock_diag_init();
    socket_family_register(&family);
}
