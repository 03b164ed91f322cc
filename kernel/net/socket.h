// SPDX-License-Identifier: MIT
// Sockets: what all families have in common (socket(7)), and what a family has to bring.
//
// A socket is one object: struct socket is the first member of the family's own structure. It lives as long as anybody
// refers to it; its file, if it has one (connections that nobody has accepted yet have none), is one of these. When the
// file goes the family's `release` ends what the socket does, and `free` ends the object with the last reference.
//
// The layer (socket.c, options.c, message.c) does: files, poll_wait(), time-outs and non-blocking, SO_*, copying in and out of
// addresses and control data, the common half of a connect that takes its time. The family does the rest, through
// struct socket_ops. All ops are called without locks, by a thread that has a reference and may sleep.
//
// Who waits where: `read_wait` for something to read, an end, a connection to accept; `write_wait` for room to write, and for
// the end of a connect. A family tells of changes by socket_readable(), socket_writable(), socket_changed(), after it has
// made them. These may be called with spinlocks held.
//
// Key: [I] immutable once others know the socket, [l] `lock`, [a] atomic or read without.
#pragma once
#include "core/errno.h"
#include "core/spinlock.h"
#include "fs/event/poll.h"
#include "fs/file.h"
#include "net/abi.h"
#include "sched/wait.h"

struct socket;
struct poll_table;
struct identity;
struct net_ns;

// An address as it was copied in or is to be copied out; what is behind `len` is 0.
struct socket_address {
    int len;
    union {
        __kernel_sa_family_t family;
        struct __kernel_sockaddr_storage storage;
    };
};

static inline const char *socket_address_bytes(const struct socket_address *a) {
    return (const char *)&a->storage;
}

// One message, or one piece of a stream, on its way in or out.
struct message {
    struct uio *uio;    // its data
    unsigned int flags; // MSG_*; MSG_DONTWAIT also for O_NONBLOCK
    unsigned int out;   // recv: MSG_TRUNC, MSG_CTRUNC, ... for msg_flags
    // send: where to, NULL: nowhere said. recv: where from goes here, NULL: nobody asks; its `len` is 0 at first.
    struct socket_address *address;
    // send: kernel memory. recv: user memory that is left; moves on as message_put_control() fills it.
    void *control;
    size_t control_len;
    bool pages; // send: the data are whole or parts of pages of a file; who keeps them takes references
};

struct socket_ops {
    int (*bind)(struct socket *s, const struct socket_address *address);
    int (*listen)(struct socket *s, int backlog); // clipped to 0..SOMAXCONN
    // 0: done. -EINPROGRESS: it has begun, and socket_connected() will tell; the layer waits for that if the caller would.
    int (*connect)(struct socket *s, const struct socket_address *address, ktime_t deadline);
    // A connection, referenced, without a file. ERR_PTR.
    struct socket *(*accept)(struct socket *s, ktime_t deadline);
    int (*pair)(struct socket *a, struct socket *b);
    int (*name)(struct socket *s, struct socket_address *out, bool peer); // getsockname(2), getpeername(2)
    ssize_t (*send)(struct socket *s, struct message *m);
    ssize_t (*recv)(struct socket *s, struct message *m);
    // Mere bytes, with nothing to say or ask beside, where that is short: NULL, or 0, if `send` and `recv` are to do it.
    ssize_t (*send_bytes)(struct socket *s, struct uio *u);
    ssize_t (*recv_bytes)(struct socket *s, struct uio *u, bool nonblock);
    // The events now; the layer has registered the caller on both queues.
    unsigned int (*poll)(struct socket *s);
    int (*shutdown)(struct socket *s, unsigned int how); // RCV_SHUTDOWN, SEND_SHUTDOWN, or both
    // Levels other than SOL_SOCKET; and options of that level that only a family can answer (-ENOPROTOOPT: neither). NULL:
    // -EOPNOTSUPP for other levels.
    int (*set_option)(struct socket *s, int level, int option, const void __user *value, int len);
    int (*get_option)(struct socket *s, int level, int option, void __user *value, int __user *len);
    void (*option_changed)(struct socket *s, int option); // one of SOL_SOCKET was set; NULL: never mind
    long (*ioctl)(struct socket *s, unsigned int cmd, unsigned long arg); // -ENOTTY: unknown
    void (*release)(struct socket *s); // its file goes, or whoever else had it
    void (*free)(struct socket *s);    // the last reference has gone: the memory, too
};

enum socket_state { SOCKET_UNCONNECTED, SOCKET_CONNECTING, SOCKET_CONNECTED, SOCKET_LISTENING };

// socket.shutdown; SHUT_RD, ... plus one.
#define RCV_SHUTDOWN  1u
#define SEND_SHUTDOWN 2u
#define BOTH_SHUTDOWN 3u

// socket.flags [a]: options that are on or off.
enum socket_flag {
    SOCKET_DEBUG,
    SOCKET_REUSEADDR,
    SOCKET_REUSEPORT,
    SOCKET_DONTROUTE,
    SOCKET_BROADCAST,
    SOCKET_KEEPALIVE,
    SOCKET_OOBINLINE,
    SOCKET_NO_CHECK,
    SOCKET_LINGER,
    SOCKET_PASSCRED,
    SOCKET_PASSPIDFD,
    SOCKET_PASSSEC,
    SOCKET_TIMESTAMP,    // SO_TIMESTAMP
    SOCKET_TIMESTAMP_NS, // SO_TIMESTAMPNS
    SOCKET_TIMESTAMP_NEW,
    SOCKET_STAMPED,    // SO_TIMESTAMPING wants what comes in stamped
    SOCKET_STAMP_KEPT, // SIOCGSTAMP has been asked for
    SOCKET_RXQ_OVFL,
    SOCKET_NOFCS,
    SOCKET_LOCK_FILTER,
    SOCKET_SELECT_ERR_QUEUE,
    SOCKET_WIFI_STATUS,
    SOCKET_RCVMARK,
    SOCKET_PREFER_BUSY_POLL,
    SOCKET_DEAD, // its file has gone, or is about to
};

struct socket {
    struct refcount refs;
    const struct socket_ops *ops;     // [I]
    uint16_t family;                  // [I] AF_*
    uint8_t type;                     // [I] SOCK_*
    uint8_t protocol;                 // [I]
    struct spinlock lock;             // never taken by interrupt handlers; two of them by address
    enum socket_state state;          // [l], read without
    unsigned int shutdown;            // [l], read without
    int error;                        // [a] SO_ERROR, positive
    unsigned int flags;               // [a] 1 << SOCKET_*
    unsigned int sndbuf, rcvbuf;      // [a] bytes, as Linux counts them: twice what was asked for
    unsigned int buf_lock;            // [a] SO_BUF_LOCK
    ktime_t snd_timeout, rcv_timeout; // [a] ns; KTIME_NEVER: none
    int rcvlowat;                     // [a] at least 1
    int linger;                       // [a] seconds
    int priority;                     // [a]
    int busy_poll,
        busy_budget;  // [a] SO_BUSY_POLL, SO_BUSY_POLL_BUDGET: kept; no device here is polled by its readers
    int mark;         // [a]
    int incoming_cpu; // [a] SO_INCOMING_CPU: where the last packet came in; -1: none has
    unsigned int timestamping; // [a] SO_TIMESTAMPING
    unsigned long pacing;      // [a] SO_MAX_PACING_RATE, bytes a second
    int peek_offset;           // [l] SO_PEEK_OFF; -1: off
    unsigned int backlog;      // [l] listen(2)'s; of AF_UNIX's datagrams how many may wait. Read without
    bool told;                 // [a] connect(2) has told how its attempt ended
    unsigned long
        wmem; // [a] 1 for the object, and the charges of what it sent that has not been received: packet.h
    unsigned long reserved; // [l] bytes of these that the user's account has been charged with
    struct user *user;      // [I] a reference
    struct net_ns
        *net; // [I] its network, until it is released; a reference only once it has a file (`holds_net`)
    bool holds_net;                 // [I]
    struct packet *spare;           // [a] memory of a small packet that it sent, for the next one
    uint64_t cookie;                // [a] SO_COOKIE; 0: nobody asked yet
    struct identity *peer_identity; // [l] who is at the other end, SO_PEERCRED; NULL: nobody
    struct file *file;              // [a] not referenced; NULL: none (any more)
    ino_t ino;                      // [I] once it has a file
    uid_t uid;                      // [I] the same: who made that
    int missed_room;                // [a] somebody found no room, and its file signals
    struct mutex read_mutex;        // one reader at a time; held over copies to user memory
    struct wait_queue read_wait, write_wait;
};

static inline bool socket_has(const struct socket *s, enum socket_flag flag) {
    return READ_ONCE(s->flags) >> flag & 1;
}
static inline void socket_put_flag(struct socket *s, enum socket_flag flag, bool on) {
    if (on)
        __atomic_fetch_or(&s->flags, 1u << flag, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&s->flags, ~(1u << flag), __ATOMIC_RELAXED);
}

// ---- families

struct socket_family {
    int family;
    // A socket without a file, made with socket_init(). -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EPERM, -ENOMEM as ERR_PTR.
    struct socket *(*create)(int type, int protocol);
};
void socket_family_register(const struct socket_family *family);
// The family's part of a socket has been cleared; this fills in the common one, of the caller's network. One reference.
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type, int protocol);

// ---- life

// socket(2), without its flags. ERR_PTR.
struct socket *__must_check socket_create(int family, int type, int protocol);
// A file that waits for its socket; file_put() gives it up. `flags`: O_NONBLOCK. -ENOMEM, -ENFILE as ERR_PTR.
struct file *__must_check socket_file_create(unsigned int flags);
// It gets one, and the caller's reference.
void socket_file_attach(struct file *f, struct socket *s);
// Its socket, without a reference, or NULL.
struct socket *file_socket(const struct file *f);
static inline void socket_get(struct socket *s) {
    ref_get(&s->refs);
}
void socket_put(struct socket *s);
// How many of a network have a file, of a family; AF_UNSPEC: of all.
unsigned long socket_count(const struct net_ns *net, int family);
// It keeps its network until it is released. For those that get no file at once, and whose family has no other reason why that stays.
void socket_hold_net(struct socket *s);
void socket_leave_net(struct socket *s); // it has not been released, and never will be
// For those without a file: `release`, and the caller's reference goes.
void socket_release(struct socket *s);

// ---- the calls, on the file of a socket

int __must_check socket_connect(struct socket *s, const struct socket_address *address, bool nonblock);
// A connection, referenced, without a file. ERR_PTR.
struct socket *__must_check socket_accept(struct socket *s, bool nonblock);
int __must_check socket_bind(struct socket *s, const struct socket_address *address);
int __must_check socket_listen(struct socket *s, int backlog);
int __must_check socket_pair(struct socket *a, struct socket *b);
int __must_check socket_name(struct socket *s, struct socket_address *out, bool peer);
int __must_check socket_shutdown(struct socket *s, int how); // SHUT_*
int __must_check socket_get_option(struct socket *s, int level, int option, void __user *value,
                                   int __user *len);
int __must_check socket_set_option(struct socket *s, int level, int option, const void __user *value,
                                   int len);
// MSG_DONTWAIT is added for O_NONBLOCK.
ssize_t __must_check socket_send(struct file *f, struct socket *s, struct message *m);
ssize_t __must_check socket_recv(struct file *f, struct socket *s, struct message *m);

// ---- for families: telling

static inline void socket_readable(struct socket *s) {
    if (!wait_queue_empty(&s->read_wait))
        wait_wake(&s->read_wait, 1, POLLIN | POLLRDNORM | POLLRDBAND);
}
void socket_wake_writers(struct socket *s);
static inline void socket_writable(struct socket *s) { // as EPOLLOUT
    if (!wait_queue_empty(&s->write_wait))
        socket_wake_writers(s);
}
unsigned int socket_room_events(struct socket *s); // what its write_wait is woken with then
void socket_changed(struct socket *s);             // anything may have: all who wait look
// An error for SO_ERROR and EPOLLERR.
void socket_set_error(struct socket *s, int err);
// Takes the error: -errno, or 0.
static inline int socket_take_error(struct socket *s) {
    if (likely(!READ_ONCE(s->error)))
        return 0;
    return -__atomic_exchange_n(&s->error, 0, __ATOMIC_RELAXED);
}
// The end of a connect that returned -EINPROGRESS: 0, or the error. Not with s->lock held.
void socket_connected(struct socket *s, int err);

// ---- for families: waiting

// When a call that begins now is to give up: 0 (at once) for MSG_DONTWAIT, KTIME_NEVER, or by the time-out.
ktime_t socket_deadline_after(ktime_t timeout);
static inline ktime_t socket_deadline(ktime_t timeout, bool nonblock) {
    return nonblock ? 0 : likely(timeout == KTIME_NEVER) ? KTIME_NEVER : socket_deadline_after(timeout);
}
static inline ktime_t socket_send_deadline(struct socket *s, const struct message *m) {
    return socket_deadline(READ_ONCE(s->snd_timeout), m->flags & MSG_DONTWAIT);
}
static inline ktime_t socket_recv_deadline(struct socket *s, const struct message *m) {
    return socket_deadline(READ_ONCE(s->rcv_timeout), m->flags & MSG_DONTWAIT);
}
// Sleeps on the queue `q` until `cond`, which must not sleep, is true. 0, -EAGAIN at the deadline, -ERESTARTSYS or (with a
// time-out, after which nothing is restarted) -EINTR. `exclusive`: one change, one waiter.
#define socket_wait(q, cond, deadline, exclusive)                                                            \
    ((deadline) ? socket_wait_result(wait_event_common_(q, cond, THREAD_INTERRUPTIBLE, exclusive, deadline), \
                                     deadline)                                                               \
                : -EAGAIN)
static inline int socket_wait_result(int err, ktime_t deadline) {
    return !err ? 0 : err == -ETIME ? -EAGAIN : deadline == KTIME_NEVER ? err : -EINTR;
}

// SO_COOKIE (options.c).
uint64_t socket_get_cookie(struct socket *s);
// Who is at the other end, referenced, or NULL (options.c).
struct identity *socket_get_peer_identity(struct socket *s);

// ---- for families: control data (message.c)

// Appends a control message to what recvmsg(2) gives back; what does not fit is cut off, with MSG_CTRUNC.
void message_put_control(struct message *m, int level, int type, const void *data, size_t len);
// The stamps of SO_TIMESTAMP or SO_TIMESTAMPNS and of SO_TIMESTAMPING, if they are wanted. 0: it was not noted.
void message_put_timestamp(struct socket *s, struct message *m, ktime_t realtime);
// Goes through the control data of a message to send: *at is NULL at first. 1: *at is the next; 0: no more; -EINVAL.
int message_next_control(const struct message *m, struct cmsghdr **at);

extern unsigned long socket_wmem_max, socket_rmem_max; // bytes that SO_SNDBUF, SO_RCVBUF may ask for
extern unsigned long socket_wmem_default, socket_rmem_default;

// Boot.
void socket_layer_init(void);
