// SPDX-License-Identifier: MIT
// SO_*: socket(7). Options that are on or off are a table; what a family alone can do it is asked for.
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/identity.h"
#include "net/packet.h"
#include "net/net_ns.h"
#include "net/socket.h"
#include <asm/socket.h>
#include <linux/capability.h>
#include <linux/net_tstamp.h>
#include <linux/time_types.h>

#define RCVBUF_MIN        2304u
#define TIMESTAMPING_MASK 0x3ffff // Linux 6.12's; some distributions' headers know fewer

// ---- on or off

static const struct {
    uint8_t option, flag;
} switches[] = {
    {SO_DEBUG, SOCKET_DEBUG},
    {SO_REUSEADDR, SOCKET_REUSEADDR},
    {SO_REUSEPORT, SOCKET_REUSEPORT},
    {SO_DONTROUTE, SOCKET_DONTROUTE},
    {SO_BROADCAST, SOCKET_BROADCAST},
    {SO_KEEPALIVE, SOCKET_KEEPALIVE},
    {SO_OOBINLINE, SOCKET_OOBINLINE},
    {SO_NO_CHECK, SOCKET_NO_CHECK},
    {SO_PASSCRED, SOCKET_PASSCRED},
    {SO_PASSPIDFD, SOCKET_PASSPIDFD},
    {SO_PASSSEC, SOCKET_PASSSEC},
    {SO_RXQ_OVFL, SOCKET_RXQ_OVFL},
    {SO_WIFI_STATUS, SOCKET_WIFI_STATUS},
    {SO_NOFCS, SOCKET_NOFCS},
    {SO_LOCK_FILTER, SOCKET_LOCK_FILTER},
    {SO_SELECT_ERR_QUEUE, SOCKET_SELECT_ERR_QUEUE},
    {SO_RCVMARK, SOCKET_RCVMARK},
    {SO_PREFER_BUSY_POLL, SOCKET_PREFER_BUSY_POLL},
};

// Of an option, or -1.
static int switch_of(int option) {
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
        if (switches[i].option == option)
            return switches[i].flag;
    return -1;
}

// What only some may switch on, and what some families do not have. 0 or -errno.
static int check_switch(struct socket *s, int flag, bool on) {
    switch (flag) {
    case SOCKET_DEBUG:
        return on && !capable(CAP_NET_ADMIN) ? -EACCES : 0;
    case SOCKET_REUSEPORT:
        return on && s->family != AF_INET && s->family != AF_INET6 ? -EOPNOTSUPP : 0;
    case SOCKET_PASSCRED:
    case SOCKET_PASSSEC:
    case SOCKET_PASSPIDFD:
        return 0;
    case SOCKET_RCVMARK:
        return net_capable(s->net, CAP_NET_RAW) || net_capable(s->net, CAP_NET_ADMIN) ? 0 : -EPERM;
    case SOCKET_PREFER_BUSY_POLL:
        return on && !capable(CAP_NET_ADMIN) ? -EPERM : 0;
    case SOCKET_LOCK_FILTER:
        return socket_has(s, SOCKET_LOCK_FILTER) && !on ? -EPERM : 0;
    default:
        return 0;
    }
}

// ---- setting

static void set_timestamp(struct socket *s, int option, bool on) {
    bool ns = option == SO_TIMESTAMPNS_OLD || option == SO_TIMESTAMPNS_NEW;
    bool new = option == SO_TIMESTAMPNS_NEW || option == SO_TIMESTAMP_NEW;
    socket_put_flag(s, SOCKET_TIMESTAMP, on);
    socket_put_flag(s, SOCKET_TIMESTAMP_NS, on && ns);
    socket_put_flag(s, SOCKET_TIMESTAMP_NEW, on && new);
}

// SO_TIMESTAMPING: what is received is stamped. No device here stamps anything itself, so what is said of that never comes, as on Linux; stamps of
// what is sent are not made.
static int set_timestamping(struct socket *s, int option, int value, const void __user *user, int len) {
    struct so_timestamping t = {.flags = value};
    int err = len == sizeof(t) ? copy_from_user(&t, user, sizeof(t)) : 0;
    if (err)
        return err;
    if (t.flags & ~TIMESTAMPING_MASK)
        return -EINVAL;
    if (t.flags & (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK |
                   SOF_TIMESTAMPING_BIND_PHC))
        return -EOPNOTSUPP;
    WRITE_ONCE(s->timestamping, (unsigned int)t.flags);
    socket_put_flag(s, SOCKET_TIMESTAMP_NEW, option == SO_TIMESTAMPING_NEW);
    socket_put_flag(s, SOCKET_STAMPED, t.flags & SOF_TIMESTAMPING_RX_SOFTWARE);
    return 0;
}

static struct so_timestamping get_timestamping(const struct socket *s, int option) {
    bool all = option == SO_TIMESTAMPING_OLD || socket_has(s, SOCKET_TIMESTAMP_NEW);
    return (struct so_timestamping){.flags = all ? (int)READ_ONCE(s->timestamping) : 0};
}

static int set_buffer(struct socket *s, int option, int value) {
    bool send = option == SO_SNDBUF || option == SO_SNDBUFFORCE;
    bool force = option == SO_SNDBUFFORCE || option == SO_RCVBUFFORCE;
    if (force && !capable(CAP_NET_ADMIN))
        return -EPERM;
    unsigned int asked = force ? (unsigned int)MAX(value, 0) : (unsigned int)value;
    if (!force)
        asked = MIN((unsigned long)asked, READ_ONCE(*(send ? &socket_wmem_max : &socket_rmem_max)));
    asked = MIN(asked, (unsigned int)INT32_MAX / 2);
    __atomic_fetch_or(&s->buf_lock, send ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK, __ATOMIC_RELAXED);
    if (send) {
        WRITE_ONCE(s->sndbuf, MAX(asked * 2, SNDBUF_MIN));
        if (socket_has_room(s))
            socket_writable(s);
    } else {
        WRITE_ONCE(s->rcvbuf, MAX(asked * 2, RCVBUF_MIN));
    }
    return 0;
}

// What TCP and queues of packets would be slowed down to, which nothing here does: kept and told.
static int set_pacing(struct socket *s, int value, const void __user *user, int len) {
    unsigned long rate = value == -1 ? ~0ul : (unsigned int)value;
    if (len >= (int)sizeof(rate)) {
        int err = get_user(rate, (const unsigned long __user *)user);
        if (err)
            return err;
    }
    WRITE_ONCE(s->pacing, rate);
    return 0;
}

static int set_timeout(struct socket *s, int option, const void __user *user, int len) {
    struct __kernel_sock_timeval tv; // the old one has the same members on 64 bits
    ktime_t timeout = KTIME_NEVER;
    if (len < (int)sizeof(tv))
        return -EINVAL;
    int err = copy_from_user(&tv, user, sizeof(tv));
    if (err)
        return err;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    if (tv.tv_sec < 0)
        timeout = 0; // as if non-blocking
    else if ((tv.tv_sec || tv.tv_usec) && tv.tv_sec < KTIME_NEVER / NSEC_PER_SEC - 1)
        timeout = tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * NSEC_PER_USEC;
    if (option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW)
        WRITE_ONCE(s->rcv_timeout, timeout);
    else
        WRITE_ONCE(s->snd_timeout, timeout);
    return 0;
}

static int set_linger(struct socket *s, const void __user *user, int len) {
    struct {
        int on, seconds;
    } linger;
    if (len < (int)sizeof(linger))
        return -EINVAL;
    int err = copy_from_user(&linger, user, sizeof(linger));
    if (err)
        return err;
    if (linger.on)
        WRITE_ONCE(s->linger, linger.seconds);
    socket_put_flag(s, SOCKET_LINGER, linger.on);
    return 0;
}

static bool has_peek_offset(const struct socket *s) {
    return s->family == AF_UNIX || ((s->family == AF_INET || s->family == AF_INET6) && s->type != SOCK_RAW);
}

static int set_peek_offset(struct socket *s, int value) {
    if (!has_peek_offset(s))
        return -EOPNOTSUPP;
    if (value < -1)
        return -EINVAL;
    mutex_lock(&s->read_mutex);
    WRITE_ONCE(s->peek_offset, value);
    mutex_unlock(&s->read_mutex);
    return 0;
}

static int set_priority(struct socket *s, int value) {
    if ((value < 0 || value > 6) && !net_capable(s->net, CAP_NET_RAW) && !net_capable(s->net, CAP_NET_ADMIN))
        return -EPERM;
    WRITE_ONCE(s->priority, value);
    return 0;
}

static int set_mark(struct socket *s, int value) {
    if (!net_capable(s->net, CAP_NET_RAW) && !net_capable(s->net, CAP_NET_ADMIN))
        return -EPERM;
    WRITE_ONCE(s->mark, value);
    return 0;
}

// As in Linux, where only a device that can be polled makes a difference.
static int set_busy_poll(struct socket *s, int value) {
    if (value < 0)
        return -EINVAL;
    WRITE_ONCE(s->busy_poll, value);
    return 0;
}

static int set_busy_budget(struct socket *s, int value) {
    if (value > READ_ONCE(s->busy_budget) && !capable(CAP_NET_ADMIN))
        return -EPERM;
    if (value < 0 || value > UINT16_MAX)
        return -EINVAL;
    WRITE_ONCE(s->busy_budget, value);
    return 0;
}

// A number. -ENOPROTOOPT: not an option that can be set.
static int set_number(struct socket *s, int option, int value) {
    switch (option) {
    case SO_SNDBUF:
    case SO_RCVBUF:
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        return set_buffer(s, option, value);
    case SO_RCVLOWAT:
        WRITE_ONCE(s->rcvlowat, value < 0 ? INT32_MAX : value ? value : 1);
        return 0;
    case SO_PRIORITY:
        return set_priority(s, value);
    case SO_MARK:
        return set_mark(s, value);
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
        set_timestamp(s, option, value);
        return 0;
    case SO_PEEK_OFF:
        return set_peek_offset(s, value);
    case SO_BUSY_POLL:
        return set_busy_poll(s, value);
    case SO_BUSY_POLL_BUDGET:
        return set_busy_budget(s, value);
    case SO_BUF_LOCK:
        if (value & ~SOCK_BUF_LOCK_MASK)
            return -EINVAL;
        WRITE_ONCE(s->buf_lock, value);
        return 0;
    case SO_INCOMING_CPU:
        WRITE_ONCE(s->incoming_cpu, value);
        return 0;
    case SO_BSDCOMPAT:
    case SO_CNX_ADVICE: // ways are looked for anew anyway
        return 0;
    case SO_DETACH_FILTER:
        return -ENOENT;
    case SO_ZEROCOPY:
        return -EOPNOTSUPP;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_generic(struct socket *s, int option, const void __user *user, int len) {
    int value, flag = switch_of(option);
    if (len < (int)sizeof(int))
        return -EINVAL;
    int err = get_user(value, (const int __user *)user);
    if (err)
        return err;
    switch (option) {
    case SO_LINGER:
        return set_linger(s, user, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return set_timeout(s, option, user, len);
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
        return set_timestamping(s, option, value, user, len);
    case SO_MAX_PACING_RATE:
        return set_pacing(s, value, user, len);
    }
    if (flag < 0)
        return set_number(s, option, value);
    err = check_switch(s, flag, value);
    if (!err)
        socket_put_flag(s, flag, value);
    return err;
}

int socket_set_option(struct socket *s, int level, int option, const void __user *user, int len) {
    if (len < 0)
        return -EINVAL;
    if (level != SOL_SOCKET)
        return s->ops->set_option ? s->ops->set_option(s, level, option, user, len) : -EOPNOTSUPP;
    int err = s->ops->set_option ? s->ops->set_option(s, level, option, user, len) : -ENOPROTOOPT;
    if (err != -ENOPROTOOPT)
        return err;
    err = set_generic(s, option, user, len);
    if (!err && s->ops->option_changed)
        s->ops->option_changed(s, option);
    return err;
}

// ---- asking

union option_value {
    int number;
    int linger[2];
    uint64_t cookie;
    struct __kernel_sock_timeval timeout;
    struct so_timestamping timestamping;
    unsigned long pacing;
    struct ucred peer;
    uint32_t meminfo[9];
};

uint64_t socket_get_cookie(struct socket *s) {
    static uint64_t last; // [a]
    uint64_t none = 0;
    if (!READ_ONCE(s->cookie))
        __atomic_compare_exchange_n(&s->cookie, &none, __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED), false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return READ_ONCE(s->cookie);
}

struct identity *socket_get_peer_identity(struct socket *s) {
    spin_lock(&s->lock);
    struct identity *peer = s->peer_identity ? identity_get(s->peer_identity) : NULL;
    spin_unlock(&s->lock);
    return peer;
}

static struct ucred peer_ucred(struct socket *s) {
    struct ucred cred = {0, -1, -1};
    struct identity *peer = socket_get_peer_identity(s);
    if (peer) {
        const struct user_ns *reader = current->cred->user_ns;
        cred = (struct ucred){net_process_ops->number(peer->process), uid_shown(reader, peer->cred->euid),
                              gid_shown(reader, peer->cred->egid)};
        identity_put(peer);
    }
    return cred;
}

static struct __kernel_sock_timeval timeout_value(ktime_t timeout) {
    if (timeout == KTIME_NEVER)
        return (struct __kernel_sock_timeval){0, 0};
    return (struct __kernel_sock_timeval){timeout / NSEC_PER_SEC, timeout % NSEC_PER_SEC / NSEC_PER_USEC};
}

// The size of the answer, or -ENOPROTOOPT.
static int get_number(struct socket *s, int option, int *out) {
    switch (option) {
    case SO_SNDBUF:
        *out = READ_ONCE(s->sndbuf);
        break;
    case SO_RCVBUF:
        *out = READ_ONCE(s->rcvbuf);
        break;
    case SO_TYPE:
        *out = s->type;
        break;
    case SO_DOMAIN:
        *out = s->family;
        break;
    case SO_PROTOCOL:
        *out = s->protocol;
        break;
    case SO_ERROR:
        *out = -socket_take_error(s);
        break;
    case SO_ACCEPTCONN:
        *out = READ_ONCE(s->state) == SOCKET_LISTENING;
        break;
    case SO_PRIORITY:
        *out = READ_ONCE(s->priority);
        break;
    case SO_MARK:
        *out = READ_ONCE(s->mark);
        break;
    case SO_RCVLOWAT:
        *out = READ_ONCE(s->rcvlowat);
        break;
    case SO_SNDLOWAT:
        *out = 1;
        break;
    case SO_PEEK_OFF:
        if (!has_peek_offset(s))
            return -EOPNOTSUPP;
        *out = READ_ONCE(s->peek_offset);
        break;
    case SO_BUF_LOCK:
        *out = READ_ONCE(s->buf_lock);
        break;
    case SO_INCOMING_CPU:
        *out = READ_ONCE(s->incoming_cpu);
        break;
    case SO_BUSY_POLL:
        *out = READ_ONCE(s->busy_poll);
        break;
    case SO_BSDCOMPAT: // what is never so
    case SO_INCOMING_NAPI_ID:
    case SO_ZEROCOPY:
    case SO_BINDTOIFINDEX:
    case SO_RESERVE_MEM:
    case SO_TXREHASH:
        *out = 0;
        break;
    default:
        return -ENOPROTOOPT;
    }
    return sizeof(*out);
}

static bool get_timestamp(const struct socket *s, int option) {
    bool new = option == SO_TIMESTAMP_NEW || option == SO_TIMESTAMPNS_NEW;
    bool ns = option == SO_TIMESTAMPNS_OLD || option == SO_TIMESTAMPNS_NEW;
    return socket_has(s, SOCKET_TIMESTAMP) && socket_has(s, SOCKET_TIMESTAMP_NS) == ns &&
           socket_has(s, SOCKET_TIMESTAMP_NEW) == new;
}

// The size of what is now in *v, or -errno. `len`: how much is asked for.
static int get_value(struct socket *s, int option, int len, union option_value *v) {
    int flag = switch_of(option);
    if (flag >= 0) {
        v->number = socket_has(s, flag);
        return sizeof(v->number);
    }
    switch (option) {
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
        v->number = get_timestamp(s, option);
        return sizeof(v->number);
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
        v->timestamping = get_timestamping(s, option);
        return sizeof(v->timestamping);
    case SO_MAX_PACING_RATE:
        v->pacing = READ_ONCE(s->pacing);
        if (len >= (int)sizeof(v->pacing))
            return sizeof(v->pacing);
        v->number = (int)MIN(v->pacing, (unsigned long)UINT32_MAX);
        return sizeof(v->number);
    case SO_LINGER:
        v->linger[0] = socket_has(s, SOCKET_LINGER);
        v->linger[1] = READ_ONCE(s->linger);
        return sizeof(v->linger);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        v->timeout = timeout_value(READ_ONCE(s->rcv_timeout));
        return sizeof(v->timeout);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        v->timeout = timeout_value(READ_ONCE(s->snd_timeout));
        return sizeof(v->timeout);
    case SO_PEERCRED:
        v->peer = peer_ucred(s);
        return sizeof(v->peer);
    case SO_MEMINFO:
        memset(v->meminfo, 0, sizeof(v->meminfo));
        v->meminfo[1] = READ_ONCE(s->rcvbuf);
        v->meminfo[2] = socket_bytes_underway(s);
        v->meminfo[3] = READ_ONCE(s->sndbuf);
        return sizeof(v->meminfo);
    default:
        return get_number(s, option, &v->number);
    }
}

// SO_PEERGROUPS: all or, with the size in *len, -ERANGE.
static int get_groups(struct socket *s, void __user *user, int len, int __user *user_len) {
    struct identity *peer = socket_get_peer_identity(s);
    if (!peer)
        return -ENODATA;
    const struct group_list *groups = peer->cred->groups;
    int size = groups ? (int)(groups->count * sizeof(gid_t)) : 0;
    int err = len < size ? -ERANGE : size ? cred_put_groups(user, groups) : 0;
    if (!err || err == -ERANGE)
        err = put_user(size, user_len) ? -EFAULT : err;
    identity_put(peer);
    return err;
}

// SO_PEERNAME: the other end's address; getsockopt's way to say getpeername(2).
static int get_peer_name(struct socket *s, void __user *user, int len, int __user *user_len) {
    struct socket_address a = {0};
    int err = s->ops->name(s, &a, true);
    if (err)
        return -ENOTCONN;
    if (a.len < len)
        return -EINVAL; // so Linux has it: no more may be asked for than there is
    err = copy_to_user(user, socket_address_bytes(&a), len);
    return err ? err : put_user(len, user_len);
}

int socket_get_option(struct socket *s, int level, int option, void __user *user, int __user *user_len) {
    union option_value v;
    int len, size;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (level != SOL_SOCKET)
        return s->ops->get_option ? s->ops->get_option(s, level, option, user, user_len) : -EOPNOTSUPP;
    if (len < 0)
        return -EINVAL;
    if (option == SO_PEERGROUPS)
        return get_groups(s, user, len, user_len);
    if (option == SO_PEERNAME)
        return get_peer_name(s, user, len, user_len);
    if (option == SO_COOKIE || option == SO_NETNS_COOKIE) {
        if (option == SO_COOKIE ? len < (int)sizeof(v.cookie) : len != (int)sizeof(v.cookie))
            return -EINVAL;
        v.cookie = option == SO_COOKIE ? socket_get_cookie(s) : s->net->cookie;
        size = sizeof(v.cookie);
    } else {
        size = s->ops->get_option ? s->ops->get_option(s, level, option, user, user_len) : -ENOPROTOOPT;
        if (size != -ENOPROTOOPT)
            return size;
        size = get_value(s, option, len, &v);
    }
    if (size < 0)
        return size;
    len = MIN(len, size);
    err = put_object_part(user, v, len);
    return err ? err : put_user(len, user_len);
}
