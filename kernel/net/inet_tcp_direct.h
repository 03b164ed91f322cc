// SPDX-License-Identifier: MIT
// TCP between two sockets of this machine, past segments.
#pragma once
#include "net/inet_tcp.h"

// The most bytes that inet_tcp_direct_alloc() takes at once: with what is in front of them half of a 64 KiB block.
#define DIRECT_PIECE 32704u
// The most that inet_tcp_direct_lend() does: half of a block, and in 16 bits.
#define LENT_PIECE 32768u

// [n] The other end, if data may go there directly now: it is a socket of this machine, all that was sent before has arrived, and nothing
// is between the two that would see segments or lose them. NULL: by lwIP.
struct inet_socket *inet_tcp_direct(struct inet_socket *i);
// A buffer for 1 to DIRECT_PIECE bytes on the account of who is running. NULL: there is no memory, or none for that user.
struct pbuf *__must_check inet_tcp_direct_alloc(size_t len);
// A chain of references to the pages in which the next bytes of `u` lie (message.pages), one for each run of pages, 1 to LENT_PIECE bytes, or
// fewer where memory is short; u moves on. NULL: as above.
struct pbuf *__must_check inet_tcp_direct_lend(struct uio *u, size_t len);
// [n] Gives a buffer or a chain (tot_len) of i's to the other end, which inet_tcp_direct() has just told.
void inet_tcp_direct_give(struct inet_socket *i, struct inet_socket *to, struct pbuf *data);
// [n] i has read n bytes. How many of them were not yet in the window, which do not open it.
size_t inet_tcp_direct_read(struct inet_socket *i, size_t n);
// [n] The window opens by n bytes. False: lwIP has to tell the other end.
bool inet_tcp_direct_open(struct inet_socket *i, size_t n);
// [n] i's connection begins; it has left its pcb.
void inet_tcp_direct_begin(struct inet_socket *i);
void inet_tcp_direct_end(struct inet_socket *i);

// [n] Bytes that the other end has been given and has not read, beyond its window. On a network they would still be here.
static inline size_t inet_tcp_ahead(const struct inet_socket *i) {
    return i->peer ? i->peer->ahead : 0;
}
// From one sequence number to another one. A FIN that goes with data has no number in snd_lbb, but is acknowledged.
static inline size_t inet_tcp_distance(uint32_t from, uint32_t to) {
    int32_t n = (int32_t)(to - from);
    return n > 0 ? (size_t)n : 0;
}
// [n] Bytes handed over and not acknowledged; and of these what has not been sent.
static inline size_t inet_tcp_unacked(const struct inet_socket *i) {
    return inet_tcp_distance(i->tcp->lastack, i->tcp->snd_lbb) + inet_tcp_ahead(i);
}
static inline size_t inet_tcp_unsent(const struct inet_socket *i) {
    return inet_tcp_distance(i->tcp->snd_nxt, i->tcp->snd_lbb) + inet_tcp_ahead(i);
}
