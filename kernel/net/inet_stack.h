// SPDX-License-Identifier: MIT
// lwIP, and the lock around it.
//
// All of lwIP, and all that its callbacks change, belongs to the one who holds the stack's lock. Frames that come in wait in
// the inbox; the holder gives them to lwIP before letting go of the lock, so that on loopback sender and receiver need
// nobody else; if there are many, others get the lock between. A kernel thread runs lwIP's timers while there are any, and takes what devices bring meanwhile.
//
// The lock is a mutex that comes after those of sockets (read_mutex, write_mutex) and before socket.lock; user memory is
// never touched with it held.
#pragma once
#include "core/types.h"
#include "net/inet_lock.h"
#include "net/lwip/lwip.h"
#include "net/net_ns.h"

// Four bytes of a packet's headers, as they stand there. A frame's data begin at a multiple of 8, and IP's headers are
// multiples of 4 long, which lwIP's own structures do not say.
static inline uint32_t net_word_at(const void *header) {
    typedef uint32_t __attribute__((may_alias)) word;
    return *(const word *)header;
}

// Starts lwIP for a network, the first time. 0 or -ENOMEM.
int __must_check inet_start(struct net_ns *net);
// The same number for the same address and port, until the next start; others cannot guess it.
unsigned int inet_hash(const ip_addr_t *ip, uint16_t port);
// [n] Where a packet goes out, NULL: nowhere; and from which address, if that is not known ("any"). `device`: the one that was said, 0:
// none was.
struct netif *inet_find_netif(const ip_addr_t *to, ip_addr_t *from, int device);
// Is there such a device, and lwIP knows it?
bool inet_has_device(struct net_ns *net, int index);
// In 127.0.0.0/8, and that is this machine without a look at the routes; not what stands for all of it.
bool inet_is_plain_loopback(const struct net_ns *net, const ip4_addr_t *ip);
// [n] What inet_bind.c needs. 0 or -ENOMEM.
int __must_check inet_bind_start(void);
void inet_bind_end(void);
// [n] Ends what inet_listen_for_errors() began (inet_error.c).
void inet_listen_end(void);
// [n] Is anybody a member of this group on this device (inet_group.c)?
bool inet_group_is_known(const ip4_addr_t *group, int device);
// A frame that has come in as lwIP has it: pbuf_free() frees the frame.
struct net_frame;
struct pbuf *inet_frame_pbuf(struct net_frame *f);
// lwIP's error as -errno.
int inet_errno(err_t err);
// [n] A frame that is made here of others that have come in: on the kernel's account. NULL: no memory.
struct net_device;
struct net_frame *inet_frame_create_received(struct net_device *device, size_t len);
// [n] A socket keeps what has come in: what of it is on the kernel's account goes on its user's. False: his is full.
struct user;
bool inet_take_over(struct pbuf *data, struct user *user, bool even_if_full);
// Boot.
void inet_stack_init(void);
