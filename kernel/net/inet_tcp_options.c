// SPDX-License-Identifier: MIT
// Options of level TCP (tcp(7)).
#include "net/inet_tcp_direct.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "net/inet.h"
#include <linux/tcp.h>

#define KEEP_TIME_MAX  32767
#define KEEP_COUNT_MAX 127
#define SYN_COUNT_MAX  127
#define SEGMENT_MIN    88
#define SEGMENT_MAX    32767
#define NAME_SIZE      16 // of a way to find the speed, or of a protocol above
#define DEFER_TRIES    255
#define DEFER_LONGEST  120 // seconds between two tries
#define LINGER_LONGEST 120 // seconds (TCP_LINGER2)

// ---- TCP_DEFER_ACCEPT: seconds, in which an answer would be sent again so many times

static int defer_tries(int seconds) {
    int tries = seconds > 0;
    for (long gap = 1, sum = 1; tries && sum < seconds && tries < DEFER_TRIES; tries++) {
        gap = MIN(gap * 2, (long)DEFER_LONGEST);
        sum += gap;
    }
    return tries;
}

long inet_tcp_defer_seconds(int tries) {
    long sum = tries > 0;
    for (long gap = 1; tries > 1; tries--) {
        gap = MIN(gap * 2, (long)DEFER_LONGEST);
        sum += gap;
    }
    return sum;
}

// ---- setting

// 0 or -EINVAL.
static int set_up_to(int *out, int n, int most) {
    if (n < 1 || n > most)
        return -EINVAL;
    *out = n;
    return 0;
}

// [n]
static int set_number(struct inet_socket *i, int option, int n) {
    struct tcp_options *o = &i->tcp_options;
    switch (option) {
    case TCP_NODELAY:
        o->nodelay = n;
        return 0;
    case TCP_CORK:
        o->cork = n;
        return 0;
    case TCP_QUICKACK:
        o->quickack = n;
        return 0;
    case TCP_KEEPIDLE:
        return set_up_to(&o->keep_idle, n, KEEP_TIME_MAX);
    case TCP_KEEPINTVL:
        return set_up_to(&o->keep_interval, n, KEEP_TIME_MAX);
    case TCP_KEEPCNT:
        return set_up_to(&o->keep_count, n, KEEP_COUNT_MAX);
    case TCP_MAXSEG: // 0: as it comes
        if (n && (n < SEGMENT_MIN || n > SEGMENT_MAX))
            return -EINVAL;
        o->max_segment = n;
        return 0;
    case TCP_SYNCNT:
        return set_up_to(&o->syn_count, n, SYN_COUNT_MAX);
    case TCP_USER_TIMEOUT:
        if (n < 0)
            return -EINVAL;
        o->user_timeout = n;
        return 0;
    case TCP_DEFER_ACCEPT:
        o->defer = defer_tries(n);
        return 0;
    case TCP_LINGER2:
        o->linger2 = n < 0 ? -1 : MIN(n, LINGER_LONGEST);
        return 0;
    case TCP_NOTSENT_LOWAT:
        o->unsent_low = n;
        return 0;
    case TCP_INQ:
        if (n != !!n)
            return -EINVAL;
        o->inq = n;
        return 0;
    case TCP_FASTOPEN_CONNECT: // as in a Linux whose net.ipv4.tcp_fastopen is 0
        return n != !!n ? -EINVAL : -EOPNOTSUPP;
    default:
        return -ENOPROTOOPT;
    }
}

// TCP_CONGESTION and TCP_ULP, which are names. There is one way to find the speed, and nothing above TCP.
static int set_name(int option, const void __user *value, int len) {
    char name[NAME_SIZE] = "";
    if (len < 1)
        return -EINVAL;
    int err = copy_from_user(name, value, MIN((size_t)len, sizeof(name) - 1));
    if (err)
        return err;
    return option == TCP_CONGESTION && !strcmp(name, INET_CONGESTION_CONTROL) ? 0 : -ENOENT;
}

int inet_tcp_set_option(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    if (option == TCP_CONGESTION || option == TCP_ULP)
        return set_name(option, value, len);
    if (len < (int)sizeof(n))
        return -EINVAL;
    int err = get_user(n, (const int __user *)value);
    if (err)
        return err;
    inet_lock(i->s.net);
    err = set_number(i, option, n);
    if (!err) {
        inet_apply_options(i);
        // What was held back goes.
        bool flush = (option == TCP_CORK && !n) || (option == TCP_NODELAY && n && !i->tcp_options.cork);
        if (flush && i->tcp && i->tcp->state != LISTEN) {
            i->held_since = 0;
            tcp_output(i->tcp);
        }
    }
    inet_unlock();
    return err;
}

// [n]
static int get_number(struct inet_socket *i, int option, int *out) {
    const struct tcp_options *o = &i->tcp_options;
    switch (option) {
    case TCP_NODELAY:
        *out = o->nodelay;
        return 0;
    case TCP_CORK:
        *out = o->cork;
        return 0;
    case TCP_QUICKACK:
        *out = o->quickack;
        return 0;
    case TCP_MAXSEG:
        *out = i->tcp && i->tcp->state != LISTEN && READ_ONCE(i->s.state) == SOCKET_CONNECTED ? i->tcp->mss
               : o->max_segment                                                               ? o->max_segment
                                : TCP_MSS_DEFAULT;
        return 0;
    case TCP_KEEPIDLE:
        *out = o->keep_idle;
        return 0;
    case TCP_KEEPINTVL:
        *out = o->keep_interval;
        return 0;
    case TCP_KEEPCNT:
        *out = o->keep_count;
        return 0;
    case TCP_SYNCNT:
        *out = o->syn_count ?: (int)READ_ONCE(inet_net->settings.syn_retries);
        return 0;
    case TCP_USER_TIMEOUT:
        *out = (int)o->user_timeout;
        return 0;
    case TCP_DEFER_ACCEPT:
        *out = (int)inet_tcp_defer_seconds(o->defer);
        return 0;
    case TCP_NOTSENT_LOWAT:
        *out = (int)o->unsent_low;
        return 0;
    case TCP_INQ:
        *out = o->inq;
        return 0;
    case TCP_LINGER2:
        *out = o->linger2 ?: (int)READ_ONCE(inet_net->settings.fin_timeout);
        return 0;
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT:
    case TCP_IS_MPTCP:
        *out = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- TCP_INFO

static uint8_t state_number(const struct inet_socket *i) {
    static const uint8_t states[] = {
        [CLOSED] = TCP_CLOSE,         [LISTEN] = TCP_LISTEN,           [SYN_SENT] = TCP_SYN_SENT,
        [SYN_RCVD] = TCP_SYN_RECV,    [ESTABLISHED] = TCP_ESTABLISHED, [FIN_WAIT_1] = TCP_FIN_WAIT1,
        [FIN_WAIT_2] = TCP_FIN_WAIT2, [CLOSE_WAIT] = TCP_CLOSE_WAIT,   [CLOSING] = TCP_CLOSING,
        [LAST_ACK] = TCP_LAST_ACK,    [TIME_WAIT] = TCP_TIME_WAIT,
    };
    if (i->tcp && i->tcp->state == SYN_SENT && i->crossed)
        return TCP_SYN_RECV;
    return i->tcp ? states[i->tcp->state] : TCP_CLOSE;
}

// [n] What lwIP knows; the rest is 0.
static void fill_info(const struct inet_socket *i, struct tcp_info *info) {
    const struct tcp_pcb *p = i->tcp;
    memset(info, 0, sizeof(*info));
    info->tcpi_state = state_number(i);
    if (!p)
        return;
    if (p->state == LISTEN) {
        info->tcpi_unacked = i->accept_count;
        info->tcpi_sacked = i->s.backlog;
        return;
    }
    info->tcpi_options = TCPI_OPT_SACK | (p->flags & TF_WND_SCALE ? TCPI_OPT_WSCALE : 0);
    info->tcpi_snd_wscale = p->snd_scale;
    info->tcpi_rcv_wscale = p->rcv_scale;
    info->tcpi_rto = p->rto * TCP_SLOW_INTERVAL * 1000u;
    info->tcpi_snd_mss = info->tcpi_rcv_mss = info->tcpi_advmss = p->mss;
    info->tcpi_pmtu = 65535;
    info->tcpi_rtt = (p->sa >> 3) * TCP_SLOW_INTERVAL * 1000u;
    info->tcpi_snd_ssthresh = p->ssthresh / p->mss;
    info->tcpi_snd_cwnd = p->cwnd / p->mss;
    info->tcpi_rcv_space = p->rcv_wnd;
    info->tcpi_retransmits = p->nrtx;
    info->tcpi_notsent_bytes = (uint32_t)inet_tcp_unsent(i);
    info->tcpi_bytes_sent = i->bytes_sent - info->tcpi_notsent_bytes;
    info->tcpi_bytes_acked = i->bytes_sent - MIN((uint64_t)inet_tcp_unacked(i), i->bytes_sent);
    info->tcpi_bytes_received = i->bytes_received;
    info->tcpi_snd_wnd = p->snd_wnd;
    for (const struct tcp_seg *s = p->unacked; s; s = s->next)
        info->tcpi_unacked++;
}

static int get_info(struct inet_socket *i, void __user *value, int __user *user_len) {
    struct tcp_info info;
    int len;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    inet_lock(i->s.net);
    fill_info(i, &info);
    inet_unlock();
    len = MIN(len, (int)sizeof(info));
    err = put_object_part((struct tcp_info __user *)value, info, len);
    return err ? err : put_user(len, user_len);
}

int inet_tcp_get_option(struct inet_socket *i, int option, void __user *value, int __user *user_len) {
    int len, n;
    char name[NAME_SIZE] = INET_CONGESTION_CONTROL;
    if (option == TCP_INFO)
        return get_info(i, value, user_len);
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    if (option == TCP_ULP) // there is none
        return put_user(0, user_len);
    if (option == TCP_CONGESTION) {
        len = MIN(len, (int)sizeof(name));
        err = copy_to_user(value, name, len);
        return err ? err : put_user(len, user_len);
    }
    inet_lock(i->s.net);
    err = get_number(i, option, &n);
    inet_unlock();
    if (err)
        return err;
    len = MIN(len, (int)sizeof(n));
    err = put_object_part((int __user *)value, n, len);
    return err ? err : put_user(len, user_len);
}
