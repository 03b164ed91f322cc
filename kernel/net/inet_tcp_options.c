// SPDX-License-Identifier: MIT
// Options of level TCP (tcp(7)).
#include "net/inet_tcp.h"
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include <linux/tcp.h>

#define KEEP_TIME_MAX  32767
#define KEEP_COUNT_MAX 127
#define SYN_RETRIES    6 // lwIP's

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
        o->quickack = n & 1;
        return 0;
    case TCP_KEEPIDLE:
        return set_up_to(&o->keep_idle, n, KEEP_TIME_MAX);
    case TCP_KEEPINTVL:
        return set_up_to(&o->keep_interval, n, KEEP_TIME_MAX);
    case TCP_KEEPCNT:
        return set_up_to(&o->keep_count, n, KEEP_COUNT_MAX);
    default: // TCP_MAXSEG and TCP_SYNCNT, too: lwIP has one number for all
        return -ENOPROTOOPT;
    }
}

int inet_tcp_set_option(struct inet_socket *i, int option, const void __user *value, int len) {
    int n;
    if (len < (int)sizeof(n))
        return -EINVAL;
    int err = get_user(n, (const int __user *)value);
    if (err)
        return err;
    inet_lock();
    err = set_number(i, option, n);
    if (!err) {
        inet_apply_options(i);
        // What was held back goes.
        bool flush = (option == TCP_CORK && !n) || (option == TCP_NODELAY && n && !i->tcp_options.cork);
        if (flush && i->tcp && i->tcp->state != LISTEN)
            tcp_output(i->tcp);
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
        *out = i->tcp && i->tcp->state != LISTEN && READ_ONCE(i->s.state) == SOCKET_CONNECTED
                   ? i->tcp->mss
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
        *out = SYN_RETRIES;
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
    info->tcpi_notsent_bytes = p->snd_lbb - p->snd_nxt;
}

static int get_info(struct inet_socket *i, void __user *value, int __user *user_len) {
    struct tcp_info info;
    int len;
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    inet_lock();
    fill_info(i, &info);
    inet_unlock();
    len = MIN(len, (int)sizeof(info));
    err = put_object_part((struct tcp_info __user *)value, info, len);
    return err ? err : put_user(len, user_len);
}

int inet_tcp_get_option(struct inet_socket *i, int option, void __user *value, int __user *user_len) {
    int len, n;
    if (option == TCP_INFO)
        return get_info(i, value, user_len);
    int err = get_user(len, user_len);
    if (err)
        return err;
    if (len < 0)
        return -EINVAL;
    inet_lock();
    err = get_number(i, option, &n);
    inet_unlock();
    if (err)
        return err;
    len = MIN(len, (int)sizeof(n));
    err = put_object_part((int __user *)value, n, len);
    return err ? err : put_user(len, user_len);
}
