// SPDX-License-Identifier: MIT
// What the parts of AF_UNIX share. unix.c tells how it works.
// Key: [I] immutable, [l] socket.lock, [b] bind_mutex, [n] names_lock (unix_names.c), [g] flight_mutex (unix_gc.c),
// [a] read without.
#pragma once
#include "fs/path.h"
#include "net/scm.h"
#include "net/unix.h"
#include <linux/un.h>

#define UNIX_NAME_OFFSET 2 // of sun_path

// Shared by a listener and the connections made to it, and by the packets of a socket.
struct unix_address {
    struct refcount refs;
    int len;           // [I] with the family; a path's terminating NUL counts
    unsigned int hash; // [I]
    __kernel_sa_family_t family;
    char name[UNIX_PATH_MAX + 1]; // path, or behind a NUL an abstract name
};

struct unix_socket {
    struct socket s;           // first
    struct list_head all_link; // [all_lock of unix.c]
    struct unix_socket *peer;  // [l] referenced. Of a stream: changes once, and by the socket's own release
    struct unix_address *address; // [l] changes once; NULL: unbound. Referenced
    struct path path;             // [b] [l] of a bound name in the file system, referenced
    struct mutex bind_mutex;
    struct unix_socket *next_name, **name_link; // [n] in its bucket
    struct list_head queue;                     // [l] packets to read, taken out with read_mutex as well
    unsigned int queued;                        // [l] [a] how many
    struct packet *urgent;                      // [l] [a] one of these, NULL: none (unix_urgent.c)
    struct list_head waiting;                   // [l] listener: connections to accept, by waiting_link
    unsigned int waiting_count;                 // [l] [a]
    struct list_head waiting_link;
    bool embryo;                 // [l] nobody has accepted it yet
    struct wait_queue peer_wait; // for room in `queue` (who sends datagrams here) or `waiting` (who connects)
    struct wait_entry watch;     // on watched->peer_wait: room there is news for our pollers
    struct unix_socket *watched; // [l] referenced
    unsigned long in_flight;     // [g] references to its file in messages
    struct list_head flight_link; // [g]
    long outside;                 // [g] unix_gc.c
    bool candidate, reached;      // [g]
};

static inline struct unix_socket *to_unix(struct socket *s) {
    return container_of(s, struct unix_socket, s);
}

static inline bool unix_is_connection(const struct unix_socket *u) {
    return u->s.type != SOCK_DGRAM;
}

// unix.c
struct unix_socket *__must_check unix_alloc(int type);            // NULL if no memory
struct unix_socket *unix_get_peer(struct unix_socket *u);         // referenced, or NULL
void unix_lock_two(struct unix_socket *a, struct unix_socket *b); // may be the same; b may be NULL
void unix_unlock_two(struct unix_socket *a, struct unix_socket *b);
void unix_packet_free(struct packet *p);
void unix_packets_free(struct list_head *packets); // that nobody else knows any more
void unix_drop_queue(struct unix_socket *u);       // with read_mutex, or as the last who has it
static inline void unix_put(struct unix_socket *u) {
    socket_put(&u->s);
}
// Packets of the queue. [l]
static inline void unix_enqueue(struct unix_socket *u, struct packet *p) {
    list_add_tail(&p->link, &u->queue);
    __atomic_store_n(&u->queued, u->queued + 1, __ATOMIC_RELEASE); // who sees it may look at the first packet
}
static inline void unix_dequeue(struct unix_socket *u, struct packet *p) {
    list_del(&p->link);
    WRITE_ONCE(u->queued, u->queued - 1);
}
static inline bool unix_has_packet(const struct unix_socket *u) {
    return READ_ONCE(u->queued) != 0;
}
// The events of every kind of socket that say what may be read.
unsigned int unix_poll_reading(struct unix_socket *u);
// Gives a packet what goes along. `files`: with the descriptors. 0 or -ETOOMANYREFS, -ENOMEM.
int __must_check unix_attach(struct packet *p, struct scm *scm, bool files);
void unix_note_sender(struct packet *p, struct unix_socket *from,
                      struct unix_socket *to); // just before it is queued
// Descriptors of p for its reader: taken away, or copied (MSG_PEEK; none if there is no memory).
void unix_take_files(struct unix_socket *u, struct packet *p, struct scm *scm, bool peek);
void unix_copy_address(struct message *m, const struct unix_address *a);

// The next socket of all networks after u (NULL: the first), referenced; the reference to u goes. It stays in the list while it has one.
struct unix_socket *unix_next_socket(struct unix_socket *u);
long unix_bytes_to_read(struct unix_socket *u);

// unix_names.c
int unix_bind(struct socket *s, const struct socket_address *address);
int __must_check unix_autobind(struct unix_socket *u);
void unix_unbind(struct unix_socket *u); // the socket goes
int __must_check unix_check_address(const struct socket_address *a);
// Referenced. -ECONNREFUSED, -EPROTOTYPE, those of path_lookup(), as ERR_PTR.
struct unix_socket *__must_check unix_find(const struct net_ns *net, const struct socket_address *a,
                                           int type);
void unix_address_put(struct unix_address *a);

// unix_urgent.c

// [l] A read has come to p, which is urgent or was: where it goes on, NULL: nowhere. `any`: it has got something already. What is dropped goes to
// `gone`.
struct packet *unix_pass_mark_locked(struct unix_socket *u, struct packet *p, bool any, bool peek,
                                     struct list_head *gone);
bool unix_deliver_urgent(struct unix_socket *peer, struct packet *p); // false: it hears nothing any more
ssize_t unix_recv_urgent(struct unix_socket *u, struct message *m);   // 1, -EINVAL: there is none, -EFAULT
bool unix_is_at_mark(struct unix_socket *u);                          // SIOCATMARK

// unix_stream.c, unix_dgram.c
extern const struct socket_ops unix_stream_ops, unix_dgram_ops, unix_seqpacket_ops;
void unix_dgram_unwatch(struct unix_socket *u);
bool unix_watch_wake(struct wait_entry *e, unsigned int events);

// unix.c, for the ops
int unix_pair(struct socket *a, struct socket *b);
int unix_listen(struct socket *s, int backlog);
int unix_connect(struct socket *s, const struct socket_address *address, ktime_t deadline);
struct socket *unix_accept(struct socket *s, ktime_t deadline);
int unix_name(struct socket *s, struct socket_address *out, bool peer);
int unix_shutdown(struct socket *s, unsigned int how);
long unix_ioctl(struct socket *s, unsigned int cmd, unsigned long arg);
int unix_get_option(struct socket *s, int level, int option, void __user *value, int __user *len);
void unix_release(struct socket *s);
void unix_free(struct socket *s);

// unix_gc.c
int __must_check unix_files_fly(struct scm_files *files); // -ETOOMANYREFS
void unix_files_landed(struct scm_files *files);
void unix_gc(void); // somebody lets go of a socket: perhaps some that only messages know are left
void unix_flight_lock(void);
void unix_flight_unlock(void);
