// SPDX-License-Identifier: MIT
// What lives in kernel/net:
//   abi.h, socket.h     Linux's numbers; what a socket is, and what a family of them brings
//   socket.c            life, files, poll, connecting;  options.c  SO_*;  message.c  control data
//   packet              what has been sent and not been received, and who is charged for it
//   identity            who is at the other end
//   unix*, scm          AF_UNIX (unix.c tells more)
//   inet*, lwip/        AF_INET and AF_INET6 (inet.c tells more)
//   device*, loopback   what carries their packets;  interface, route, neighbour  addresses and ways
//   netlink*, rtnetlink*, *_diag  AF_NETLINK (netlink.c tells more), and what it tells of
//
// A socket's file has an inode of its own, in a file system without a root ("socket:[number]" in /proc/PID/fd).
#include "net/socket.h"
#include "core/panic.h"
#include "fs/async.h"
#include "fs/event/poll.h"
#include "fs/nsfs.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "net/device.h"
#include "net/ethernet.h"
#include "net/identity.h"
#include "net/inet.h"
#include "net/interface.h"
#include "net/net_ns.h"
#include "net/netlink.h"
#include "net/packet.h"
#include "net/unix.h"
#include "net/unix_private.h"
#include "sched/user.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/sockios.h>
#include <linux/stat.h>

#define BUFFER_DEFAULT 212992 // as in Linux, where it is 256 packets of 832 bytes

unsigned long socket_wmem_max = BUFFER_DEFAULT, socket_rmem_max = BUFFER_DEFAULT;
unsigned long socket_wmem_default = BUFFER_DEFAULT, socket_rmem_default = BUFFER_DEFAULT;

static const struct socket_family *families[AF_MAX]; // [I] after the start
static struct superblock *socket_sb;
static const struct file_ops socket_file_ops;

// ---- life

void socket_family_register(const struct socket_family *family) {
    ASSERT(family->family < NET_FAMILIES);
    families[family->family] = family;
}

void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol) {
    ref_init(&s->refs);
    s->ops = ops;
    s->family = family;
    s->type = type;
    s->protocol = protocol;
    spin_init(&s->lock);
    s->sndbuf = READ_ONCE(socket_wmem_default);
    s->incoming_cpu = -1;
    s->pacing = ~0ul;
    s->rcvbuf = READ_ONCE(socket_rmem_default);
    s->snd_timeout = s->rcv_timeout = KTIME_NEVER;
    s->rcvlowat = 1;
    s->peek_offset = -1;
    s->wmem = 1;
    s->user = user_get(current->cred ? current->cred->user : &root_user);
    s->net = net_current();
    mutex_init(&s->read_mutex);
    wait_queue_init(&s->read_wait);
    wait_queue_init(&s->write_wait);
}

struct socket *socket_create(int family, int type, int protocol) {
    if (family < 0 || family >= AF_MAX)
        return ERR_PTR(-EAFNOSUPPORT);
    if (type < 0 || type >= SOCK_MAX)
        return ERR_PTR(-EINVAL);
    if (!families[family])
        return ERR_PTR(-EAFNOSUPPORT);
    return families[family]->create(type, protocol);
}

void socket_put(struct socket *s) {
    if (!ref_put(&s->refs))
        return;
    if (s->peer_identity)
        identity_put(s->peer_identity);
    socket_uncharge(s, 1); // the memory stays while something that it sent is underway
}

// The first network stays.
void socket_hold_net(struct socket *s) {
    if (likely(s->net == &first_net_ns) || s->holds_net)
        return;
    net_get(s->net);
    s->holds_net = true;
}

void socket_leave_net(struct socket *s) {
    struct net_ns *net = s->net;
    WRITE_ONCE(s->net, NULL);
    if (unlikely(s->holds_net))
        net_put(net);
}

void socket_release(struct socket *s) {
    s->ops->release(s);
    socket_leave_net(s);
    socket_put(s);
}

// ---- files

struct socket *file_socket(const struct file *f) {
    return f->ops == &socket_file_ops ? f->private_data : NULL;
}

static const char *protocol_name(const struct socket *s) {
    static const struct {
        int family, type, protocol; // 0: any other
        const char *name;
    } names[] = {
        {AF_UNIX, SOCK_STREAM, 0, "UNIX-STREAM"},
        {AF_UNIX, 0, 0, "UNIX"},
        {AF_INET, SOCK_STREAM, 0, "TCP"},
        {AF_INET, SOCK_RAW, 0, "RAW"},
        {AF_INET, SOCK_DGRAM, IPPROTO_ICMP, "PING"},
        {AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, "UDP-Lite"},
        {AF_INET, SOCK_DGRAM, 0, "UDP"},
        {AF_INET6, SOCK_STREAM, 0, "TCPv6"},
        {AF_INET6, SOCK_RAW, 0, "RAWv6"},
        {AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, "PINGv6"},
        {AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE, "UDPLITEv6"},
        {AF_INET6, SOCK_DGRAM, 0, "UDPv6"},
        {AF_NETLINK, 0, 0, "NETLINK"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].family == s->family && (!names[i].type || names[i].type == s->type) &&
            (!names[i].protocol || names[i].protocol == s->protocol))
            return names[i].name;
    }
    return "";
}

// As the inode may outlive the socket, it has the name itself.
static const char *inode_protocol(const struct inode *inode) {
    const char *name = READ_ONCE(inode->private_data);
    return name ? name : "";
}

static const struct inode_ops socket_inode_ops = {.setattr = inode_setattr, .protocol = inode_protocol};

struct file *socket_file_create(unsigned int flags) {
    struct inode *inode = inode_create(socket_sb, S_IFSOCK | 0777);
    if (!inode)
        return ERR_PTR(-ENOMEM);
    inode->ops = &socket_inode_ops;
    inode_init_owner(inode, NULL);
    struct file *f = file_alloc(NULL, O_RDWR | flags);
    if (!IS_ERR(f) && file_set_pseudo(f, inode, "socket")) {
        file_put(f);
        f = ERR_PTR(-ENOMEM);
    }
    inode_put(inode);
    return f;
}

void socket_file_attach(struct file *f, struct socket *s) {
    s->ino = f->inode->ino;
    s->uid = f->inode->uid;
    WRITE_ONCE(f->inode->private_data, (void *)(uintptr_t)protocol_name(s));
    WRITE_ONCE(s->file, f);
    f->private_data = s;
    f->ops = &socket_file_ops;
    socket_hold_net(s);
    __atomic_fetch_add(&s->net->sockets[s->family], 1, __ATOMIC_RELAXED);
}

unsigned long socket_count(const struct net_ns *net, int family) {
    unsigned long all = 0;
    if (family)
        return READ_ONCE(net->sockets[family]);
    for (int i = 0; i < NET_FAMILIES; i++)
        all += READ_ONCE(net->sockets[i]);
    return all;
}

static void socket_file_release(struct file *f) {
    struct socket *s = f->private_data;
    __atomic_fetch_sub(&s->net->sockets[s->family], 1, __ATOMIC_RELAXED);
    WRITE_ONCE(s->file, NULL);
    socket_release(s);
}

// There was no room, and its file signals: when there is some, that is news. Returns poll's answer.
static unsigned int socket_miss_room(struct socket *s) {
    __atomic_store_n(&s->missed_room, 1, __ATOMIC_SEQ_CST);
    return s->ops->poll(s);
}

static ssize_t send_signalling(struct socket *s, struct message *m) {
    ssize_t n = s->ops->send(s, m);
    if ((n == -EAGAIN || (n >= 0 && m->uio->resid)) && socket_miss_room(s) & POLLOUT)
        socket_writable(s); // made meanwhile
    return n;
}

ssize_t socket_send(struct file *f, struct socket *s, struct message *m) {
    if (READ_ONCE(f->flags) & O_NONBLOCK)
        m->flags |= MSG_DONTWAIT;
    return likely(!f->async) ? s->ops->send(s, m) : send_signalling(s, m);
}

ssize_t socket_recv(struct file *f, struct socket *s, struct message *m) {
    if (READ_ONCE(f->flags) & O_NONBLOCK)
        m->flags |= MSG_DONTWAIT;
    return s->ops->recv(s, m);
}

static __attribute__((noinline)) ssize_t read_message(struct file *f, struct uio *u) {
    struct message m = {.uio = u};
    return u->resid ? socket_recv(f, f->private_data, &m) : 0;
}

static ssize_t socket_read(struct file *f, struct uio *u, off_t *pos) {
    struct socket *s = f->private_data;
    (void)pos;
    ssize_t n = s->ops->recv_bytes ? s->ops->recv_bytes(s, u, READ_ONCE(f->flags) & O_NONBLOCK) : 0;
    return likely(n) ? n : read_message(f, u);
}

static __attribute__((noinline)) ssize_t write_message(struct file *f, struct uio *u) {
    struct socket *s = f->private_data;
    struct message m = {.uio = u, .flags = s->type == SOCK_SEQPACKET ? MSG_EOR : 0};
    return socket_send(f, s, &m);
}

static ssize_t socket_write(struct file *f, struct uio *u, off_t *pos) {
    struct socket *s = f->private_data;
    (void)pos;
    ssize_t n = s->ops->send_bytes ? s->ops->send_bytes(s, u) : 0;
    return likely(n) ? n : write_message(f, u);
}

#define PAGES_MOST 32u // of one message

// In as few segments as they lie in. What is not a stream gets its messages by write().
static ssize_t socket_write_pages(struct file *f, struct page **pages, unsigned int count, size_t offset,
                                  size_t n) {
    struct uio_segment segments[PAGES_MOST], *last = NULL;
    struct uio u = {.seg = segments, .kernel = true};
    struct socket *s = f->private_data;
    if (s->type != SOCK_STREAM)
        return 0;
    for (unsigned int i = 0; i < MIN(count, PAGES_MOST) && u.resid < n; i++, offset = 0) {
        char *at = (char *)page_address(pages[i]) + offset;
        size_t part = MIN(PAGE_SIZE - offset, n - u.resid);
        if (last && (char *)last->kernel + last->len == at)
            last->len += part;
        else
            *(last = &segments[u.nseg++]) = (struct uio_segment){.kernel = at, .len = part};
        u.resid += part;
    }
    struct message m = {.uio = &u, .pages = true};
    return socket_send(f, s, &m);
}

static unsigned int socket_poll(struct file *f, struct poll_table *table) {
    struct socket *s = f->private_data;
    poll_wait(f, &s->read_wait, table);
    poll_wait(f, &s->write_wait, table);
    unsigned int events = s->ops->poll(s);
    return likely(!f->async) || events & POLLOUT ? events : socket_miss_room(s);
}

static long socket_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct socket *s = f->private_data;
    if (cmd == SIOCGSKNS)
        return net_capable(s->net, CAP_NET_ADMIN) ? nsfs_open(&s->net->ns) : -EPERM;
    long ret = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
    return ret == -ENOTTY ? net_device_ioctl(s, cmd, arg) : ret;
}

static const struct file_ops socket_file_ops = {
    .read = socket_read,
    .write = socket_write,
    .write_pages = socket_write_pages,
    .poll = socket_poll,
    .ioctl = socket_ioctl,
    .closed = unix_gc,
    .release = socket_file_release,
    .signals = true,
};

// ---- the calls

int socket_bind(struct socket *s, const struct socket_address *address) {
    return s->ops->bind ? s->ops->bind(s, address) : -EOPNOTSUPP;
}

int socket_listen(struct socket *s, int backlog) {
    unsigned int most = (unsigned int)READ_ONCE(s->net->settings.somaxconn);
    return s->ops->listen ? s->ops->listen(s, (unsigned int)backlog > most ? most : (unsigned int)backlog)
                          : -EOPNOTSUPP;
}

int socket_pair(struct socket *a, struct socket *b) {
    return a->ops->pair ? a->ops->pair(a, b) : -EOPNOTSUPP;
}

int socket_name(struct socket *s, struct socket_address *out, bool peer) {
    return s->ops->name(s, out, peer);
}

int socket_shutdown(struct socket *s, int how) {
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    return s->ops->shutdown ? s->ops->shutdown(s, how + 1) : -EOPNOTSUPP;
}

struct socket *socket_accept(struct socket *s, bool nonblock) {
    return s->ops->accept ? s->ops->accept(s, socket_deadline(READ_ONCE(s->rcv_timeout), nonblock))
                          : ERR_PTR(-EOPNOTSUPP);
}

// ---- connecting

ktime_t socket_deadline_after(ktime_t timeout) {
    ktime_t now = clock_monotonic();
    return !timeout ? 0 : timeout > KTIME_NEVER - now ? KTIME_NEVER : now + timeout;
}

void socket_connected(struct socket *s, int err) {
    spin_lock(&s->lock);
    if (s->state == SOCKET_CONNECTING)
        WRITE_ONCE(s->state, err ? SOCKET_UNCONNECTED : SOCKET_CONNECTED);
    spin_unlock(&s->lock);
    if (err)
        WRITE_ONCE(s->error, -err);
    socket_changed(s);
}

// The attempt goes on if the wait ends early; a later connect waits for it again.
static int wait_connected(struct socket *s, ktime_t deadline) {
    int err = socket_wait(&s->write_wait, READ_ONCE(s->state) != SOCKET_CONNECTING, deadline, false);
    if (err == -EAGAIN)
        return -EINPROGRESS;
    if (err)
        return err;
    WRITE_ONCE(s->told, true);
    err = socket_take_error(s);
    return err ? err : READ_ONCE(s->state) == SOCKET_CONNECTED ? 0 : -ECONNABORTED;
}

int socket_connect(struct socket *s, const struct socket_address *address, bool nonblock) {
    if (!s->ops->connect)
        return -EOPNOTSUPP;
    ktime_t deadline = socket_deadline(READ_ONCE(s->snd_timeout), nonblock);
    bool dissolves = address->len >= (int)sizeof(address->family) && address->family == AF_UNSPEC;
    if (READ_ONCE(s->state) == SOCKET_CONNECTING && !dissolves)
        return nonblock ? -EALREADY : wait_connected(s, deadline);
    int err = s->ops->connect(s, address, deadline);
    return err == -EINPROGRESS && deadline ? wait_connected(s, deadline) : err;
}

// ---- telling

unsigned int socket_room_events(struct socket *s) {
    unsigned int events = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (unlikely(READ_ONCE(s->missed_room)) && __atomic_exchange_n(&s->missed_room, 0, __ATOMIC_RELAXED))
        events |= POLL_ROOM;
    return events;
}

void socket_wake_writers(struct socket *s) {
    wait_wake(&s->write_wait, 1, socket_room_events(s));
}

void socket_changed(struct socket *s) {
    wake_all(&s->read_wait);
    wake_all(&s->write_wait);
}

void socket_set_error(struct socket *s, int err) {
    WRITE_ONCE(s->error, err < 0 ? -err : err);
    wake_poll(&s->read_wait, POLLERR);
    wake_poll(&s->write_wait, POLLERR);
}

// ---- start

void socket_layer_init(void) {
    static struct fs_type type = {.name = "sockfs", .nodev = true};
    socket_sb = superblock_create(&type);
    if (!socket_sb)
        panic("no memory for sockets");
    fs_type_register(&type);
    net_ns_init();
    unix_init();
    inet_init();
    netlink_init();
    net_device_init();
    ethernet_init();
}
