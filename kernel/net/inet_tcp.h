// SPDX-License-Identifier: MIT
// What TCP's files have of each other.
#pragma once
#include "net/inet_private.h"

// States as Linux numbers them (TCP_INFO, /proc/net/tcp).
enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RECV,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_TIME_WAIT,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
};

// [n]
void inet_tcp_arrived(struct inet_socket *i, struct pbuf *data);
void inet_tcp_room(struct inet_socket *i);        // something was acknowledged
void inet_tcp_feed(void);                         // now and then: who waits for memory
void inet_tcp_watch(void);                        // now and then: time-outs that lwIP does not have
void inet_tcp_size_window(struct inet_socket *i); // to SO_RCVBUF
void inet_tcp_fail(struct tcp_pcb *p, int err);   // a connection that is being made: ICMP says why not
void inet_tcp_stop_listening(struct inet_socket *i);
void inet_tcp_leave(
    struct inet_socket *i); // the connection is over for the socket; lwIP may go on with the pcb for a while
void inet_tcp_stop_deferring(
    struct inet_socket *i); // TCP_DEFER_ACCEPT: something has come, an end perhaps, or it has taken too long
// A segment for one that waits for the answer to its SYN: perhaps the other's own SYN.
void inet_tcp_hear_crossing(struct inet_socket *i, const struct tcp_hdr *header);
// Drops what has not been read, of one that nobody reads from any more.
void inet_tcp_drop(struct inet_socket *i);
// The same of one that goes on: what has not been read, for inet_tcp_free_unread() without the lock. [n], and its read_mutex
struct pbuf *inet_tcp_take_unread(struct inet_socket *i);
void inet_tcp_free_unread(struct pbuf *p); // NULL: nothing

long inet_tcp_defer_seconds(int tries); // TCP_DEFER_ACCEPT as it is told

// A read or a write of a connection that is being made waits for it. 0, -EAGAIN, signals.
int __must_check inet_tcp_wait_connected(struct socket *s, ktime_t deadline);
ssize_t inet_tcp_send(struct socket *s, struct message *m);
ssize_t inet_tcp_recv(struct socket *s, struct message *m);
unsigned int inet_tcp_poll(struct socket *s);
int inet_tcp_shutdown(struct socket *s, unsigned int how);
void inet_tcp_release(struct socket *s);
