// SPDX-License-Identifier: MIT
// What has been sent and not been received: datagrams and pieces of streams.
//
// A packet counts on its sender's socket (socket.wmem) until it is freed, with the number of bytes that Linux charges for one
// of its length, headers included: so buffers fill up at the same point, and SIOCOUTQ says the same. That count also keeps the
// sender's memory while a packet of its is underway.
//
// What all sockets of a user hold together is on the user's account, in steps. One who has reached the limit is
// *squeezed*: each of the sockets may have one small packet underway, so that everything goes on, slowly.
#pragma once
#include "core/cred.h"
#include "fs/file.h"
#include "lib/list.h"
#include "net/socket.h"

#define SNDBUF_MIN      4608u  // as in Linux: two of its smallest packets
#define PACKET_RESERVE  65536u // steps in which the user is charged
#define PACKET_SQUEEZED 4096u  // bytes that a socket of a squeezed user may have underway
#define STREAM_PIECE    36544u // bytes of a stream in one packet at most, as in Linux

struct scm_files;

// Who sent it. no process and ids of -1: it was not noted.
struct credentials {
    void *process; // referenced, or NULL (net/identity.h)
    uid_t uid;
    gid_t gid;
};

static inline bool credentials_unknown(const struct credentials *c) {
    return c->uid == (uid_t)-1;
}

struct packet {
    struct list_head link;   // [its queue's lock]
    struct socket *sender;   // [I] counted by its wmem
    uint32_t charge;         // [I]
    uint32_t len;            // [I] bytes of data
    uint32_t done;           // [the reader's] bytes that have been read
    uint8_t shift;           // [I] log2 of the size of its blocks; 0: the data is inside
    uint16_t skip;           // [I] bytes of the first block that are not its
    struct credentials from; // [I] once queued
    struct scm_files *files; // [queue's lock] descriptors in flight, or NULL
    ktime_t stamp;           // realtime when it was queued, 0: not noted
    union {
        char data[0];
        char *block[0];
    };
};

// Room in the send buffer: waits for it. A packet for `len` bytes with its charge; `len` may be cut for a user who is
// squeezed if `may_cut`. -EAGAIN, -EPIPE (SEND_SHUTDOWN), -ENOBUFS, -ENOMEM, signals, the socket's error, as ERR_PTR.
struct packet *__must_check packet_create(struct socket *s, size_t len, bool stream, ktime_t deadline);
// A piece of a stream, of at most `len` bytes and at least a page, that is not copied: the pages in which the next bytes of `u` lie, which moves on, are
// referenced (message.pages). They count as if they were the packet's own, whole, however little of the first and the last is its. Errors as above.
struct packet *__must_check packet_create_of_pages(struct socket *s, struct uio *u, size_t len,
                                                   ktime_t deadline);
// Copies all of its data in. 0 or -EFAULT.
int __must_check packet_fill(struct packet *p, struct uio *u);
// Copies n bytes from `offset` on out. 0 or -EFAULT.
int __must_check packet_copy_out(const struct packet *p, size_t offset, struct uio *u, size_t n);
// Its files and credentials must have gone.
void packet_free(struct packet *p);

// Its user has reached the limit, or memory is short.
bool socket_is_squeezed(const struct socket *s);
// True if a socket has room to send (poll's answer, a quarter of the buffer).
bool socket_has_room(const struct socket *s);
// Bytes underway, as Linux counts them.
static inline unsigned long socket_bytes_underway(const struct socket *s) {
    return READ_ONCE(s->wmem) - 1;
}
void socket_uncharge(struct socket *s, unsigned long n);

// ---- small packets
//
// The memory of a small packet stays with its sender for the next one (socket.spare): it has that sender and the charge of a
// small packet already, and nothing of what may go along. So a few bytes on their way cost no more than two exchanges.

#define PACKET_SMALL        128u // bytes of data
#define PACKET_SMALL_CHARGE 768u

// For `len` bytes, where so little is underway that there is room in the smallest buffer and for the user. NULL: ask
// packet_create().
static inline struct packet *packet_take_spare(struct socket *s, size_t len) {
    if (len > PACKET_SMALL || socket_bytes_underway(s) > PACKET_SQUEEZED - PACKET_SMALL_CHARGE ||
        READ_ONCE(s->error) || READ_ONCE(s->shutdown) & SEND_SHUTDOWN || !READ_ONCE(s->spare))
        return NULL;
    struct packet *p = __atomic_exchange_n(&s->spare, NULL, __ATOMIC_ACQUIRE);
    if (unlikely(!p))
        return NULL;
    p->len = len;
    p->done = 0;
    __atomic_fetch_add(&s->wmem, PACKET_SMALL_CHARGE, __ATOMIC_RELAXED);
    return p;
}

void packet_put_spare_unusual(struct socket *s, struct packet *other);
// As packet_free() for a small one with which nothing went along, and whose sender is sure to stay meanwhile.
static inline void packet_put_spare(struct packet *p) {
    struct socket *s = p->sender;
    struct packet *other = __atomic_exchange_n(&s->spare, p, __ATOMIC_ACQ_REL);
    unsigned long left = __atomic_sub_fetch(&s->wmem, PACKET_SMALL_CHARGE, __ATOMIC_RELEASE);
    if (unlikely(other || left > SNDBUF_MIN >> 2 || READ_ONCE(s->reserved) > 2 * PACKET_RESERVE))
        packet_put_spare_unusual(s, other);
    else
        socket_writable(s);
}
