// SPDX-License-Identifier: MIT
// The lock, memory, time and devices under lwIP (inet_stack.h).
#include "net/inet_stack.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/random.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/device.h"
#include "net/inet_tcp.h"
#include "sched/user.h"
#include "sched/wait.h"

#define TIMER_STEP (TCP_TMR_INTERVAL * 1000 * NSEC_PER_USEC)

#define TIME_WAIT_MOST 1024 // between two steps there may be more

struct mutex inet_mutex;
static struct wait_queue thread_wait;
static bool started;        // [inet_mutex]
static bool timers_wanted;  // [inet_mutex], read without
static struct netif lo;     // [inet_mutex]
static unsigned long bytes; // [a] that lwIP and frames have

static struct spinlock inbox_lock = SPINLOCK_INIT;
static struct list_head inbox = LIST_HEAD_INIT(inbox);

// ---- memory: each piece has in front of it how long it is, and who pays

// Who is running pays: a sender for what it sends, a reader for what its reading sets in motion, one who connects for what that
// makes at the other end. What the kernel's own thread sends again is nobody's, and kept within the bound for one user.
struct block {
    struct user *user; // referenced
    size_t size;
};
_Static_assert(sizeof(struct block) % MEM_ALIGNMENT == 0, "what lies behind it is aligned");

// When data has taken all, connections still get a quarter more, and headers, which give memory back, half.
#define SMALL 512u
#define TINY  192u
_Static_assert(sizeof(struct tcp_pcb) > TINY && sizeof(struct tcp_pcb) <= SMALL,
               "a connection is small, not tiny");
#define FEW (128ul * 1024) // that each user may have whatever others do

bool inet_user_is_full(const struct user *user) {
    unsigned long most = READ_ONCE(limits.socket_bytes_max), used = READ_ONCE(user->used[USER_SOCKET_BYTES]);
    return used > most || (used > FEW && (READ_ONCE(bytes) > 2 * most || memory_is_short()));
}

static bool may_have(const struct user *user, size_t size) {
    unsigned long most = READ_ONCE(limits.socket_bytes_max);
    unsigned long more = size <= TINY ? most / 2 : size <= SMALL ? most / 4 : 0;
    if (user == &kernel_user)
        return READ_ONCE(bytes) <= most + more;
    if (likely(!inet_user_is_full(user)))
        return true;
    return (unsigned long)READ_ONCE(user->used[USER_SOCKET_BYTES]) <= most + more && size <= SMALL;
}

void *inet_malloc(size_t size) {
    struct user *user = current->cred ? current->cred->user : &kernel_user;
    if (!may_have(user, size))
        return NULL;
    struct block *b = kmalloc(sizeof(*b) + size);
    if (!b)
        return NULL;
    *b = (struct block){.user = user_get(user), .size = size};
    __atomic_fetch_add(&bytes, size, __ATOMIC_RELAXED);
    user_charge(user, USER_SOCKET_BYTES, (long)size);
    return b + 1;
}

void *inet_calloc(size_t n, size_t size) {
    size_t all;
    void *p = __builtin_mul_overflow(n, size, &all) ? NULL : inet_malloc(all);
    if (p)
        memset(p, 0, all);
    return p;
}

void inet_free(void *memory) {
    if (!memory)
        return;
    struct block *b = (struct block *)memory - 1;
    __atomic_fetch_sub(&bytes, b->size, __ATOMIC_RELAXED);
    user_uncharge(b->user, USER_SOCKET_BYTES, (long)b->size);
    user_put(b->user);
    kfree(b);
}

// ---- what lwIP asks for

unsigned int inet_random(void) {
    unsigned int n;
    random_bytes(&n, sizeof(n));
    return n;
}

unsigned int inet_initial_sequence(void) {
    return inet_random();
}

void inet_assertion_failed(const char *what) {
    panic("lwip: %s", what);
}

void tcp_timer_needed(void) {
    if (READ_ONCE(timers_wanted))
        return;
    WRITE_ONCE(timers_wanted, true);
    wake_all(&thread_wait);
}

int inet_errno(err_t err) {
    switch (err) {
    case ERR_OK:
        return 0;
    case ERR_MEM:
    case ERR_BUF:
        return -ENOBUFS;
    case ERR_RTE:
        return -ENETUNREACH;
    case ERR_USE:
        return -EADDRINUSE;
    case ERR_ALREADY:
        return -EALREADY;
    case ERR_ISCONN:
        return -EISCONN;
    case ERR_CONN:
    case ERR_CLSD:
        return -ENOTCONN;
    case ERR_RST:
        return -ECONNRESET;
    case ERR_ABRT:
        return -ETIMEDOUT;
    case ERR_TIMEOUT:
        return -ETIMEDOUT;
    case ERR_WOULDBLOCK:
    case ERR_INPROGRESS:
        return -EAGAIN;
    default:
        return -EINVAL;
    }
}

// ---- frames

struct net_frame *net_frame_create(struct net_device *device, size_t len) {
    struct net_frame *f = inet_malloc(sizeof(*f) + len);
    if (f) {
        f->device = device;
        f->len = len;
    }
    return f;
}

void net_frame_free(struct net_frame *frame) {
    inet_free(frame);
}

void net_receive(struct net_frame *frame) {
    unsigned long flags = spin_lock_irqsave(&inbox_lock);
    list_add_tail(&frame->link, &inbox);
    spin_unlock_irqrestore(&inbox_lock, flags);
    if (!mutex_is_mine(&inet_mutex)) // who holds the lock looks before letting go
        wake_all(&thread_wait);
}

static struct net_frame *next_frame(void) {
    struct net_frame *f = NULL;
    if (likely(READ_ONCE(inbox.next) == &inbox))
        return NULL;
    unsigned long flags = spin_lock_irqsave(&inbox_lock);
    if (!list_empty(&inbox)) {
        f = list_first_entry(&inbox, struct net_frame, link);
        list_del(&f->link);
    }
    spin_unlock_irqrestore(&inbox_lock, flags);
    return f;
}

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct net_frame *)0)->stack),
               "a frame has room for it");

static void frame_done(struct pbuf *p) {
    net_frame_free((struct net_frame *)((char *)p - offsetof(struct net_frame, stack)));
}

// All of 127.0.0.0/8 is here: to lwIP, which knows one address of an interface, it is the one that was called.
static void give(struct pbuf *p) {
    const struct ip_hdr *h = p->payload;
    if (p->len >= IP_HLEN && IPH_V(h) == 6) {
        ip6_input(p, &lo);
        return;
    }
    ip4_addr_t own = *netif_ip4_addr(&lo);
    if (p->len >= IP_HLEN && ip4_addr_isloopback(&h->dest))
        ip4_addr_copy(*ip_2_ip4(&lo.ip_addr), h->dest);
    ip4_input(p, &lo);
    ip4_addr_copy(*ip_2_ip4(&lo.ip_addr), own);
}

static void input(struct net_frame *f) {
    struct pbuf_custom *custom = (struct pbuf_custom *)f->stack;
    custom->custom_free_function = frame_done;
    struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, f->len, PBUF_REF, custom, f->data, f->len);
    f->device->rx_packets++;
    f->device->rx_bytes += f->len;
    give(p);
}

static void drain(void) {
    struct net_frame *f;
    while ((f = next_frame()))
        input(f);
}

static err_t output(struct netif *netif, struct pbuf *p) {
    struct net_device *device = netif->state;
    struct net_frame *f = net_frame_create(device, p->tot_len);
    if (!f)
        return ERR_MEM;
    pbuf_copy_partial(p, f->data, p->tot_len, 0);
    device->tx_packets++;
    device->tx_bytes += f->len;
    return device->ops->transmit(device, f) ? ERR_BUF : ERR_OK;
}

static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to) {
    (void)to;
    return output(netif, p);
}

static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to) {
    (void)to;
    return output(netif, p);
}

// ---- the lock

void inet_lock(void) {
    mutex_lock(&inet_mutex);
}

void inet_unlock(void) {
    drain();
    mutex_unlock(&inet_mutex);
}

// ---- the thread

// Searching takes longer the more connections are in TIME_WAIT, which tells nothing of loopback: the oldest of many go.
static void trim_time_wait(void) {
    unsigned int n = 0;
    for (struct tcp_pcb *p = tcp_tw_pcbs, *next; p; p = next) {
        next = p->next;
        if (++n > TIME_WAIT_MOST)
            tcp_abort(p); // which, of these, tells nobody
    }
}

static void run_timers(void) {
    inet_lock();
    tcp_tmr();
    trim_time_wait();
    inet_tcp_feed();
    bool wanted = tcp_active_pcbs || tcp_tw_pcbs;
    WRITE_ONCE(timers_wanted, wanted);
    inet_unlock();
}

static void inet_thread(void *arg) {
    ktime_t next = 0;
    (void)arg;
    for (;;) {
        bool timers = READ_ONCE(timers_wanted);
        if (timers && !next)
            next = clock_monotonic() + TIMER_STEP;
        else if (!timers)
            next = 0;
        (void)wait_event_common_(&thread_wait,
                                 READ_ONCE(inbox.next) != &inbox || READ_ONCE(timers_wanted) != timers,
                                 THREAD_UNINTERRUPTIBLE, false, next ? next : KTIME_NEVER);
        if (next && clock_monotonic() >= next) {
            next += TIMER_STEP;
            run_timers();
        } else if (READ_ONCE(inbox.next) != &inbox) {
            inet_lock();
            inet_unlock();
        }
    }
}

// ---- start

static err_t lo_init(struct netif *netif) {
    netif->name[0] = 'l';
    netif->name[1] = 'o';
    netif->mtu = loopback_device.mtu;
    netif->output = output4;
    netif->output_ip6 = output6;
    NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_DISABLE_ALL);
    return ERR_OK;
}

static void start_lwip(void) {
    ip4_addr_t address, mask, none = {0};
    lwip_init();
    IP4_ADDR(&address, 127, 0, 0, 1);
    IP4_ADDR(&mask, 255, 0, 0, 0);
    netif_add(&lo, &address, &mask, &none, &loopback_device, lo_init, ip_input);
    IP_ADDR6_HOST(&lo.ip6_addr[0], 0, 0, 0, 1);
    lo.ip6_addr_state[0] = IP6_ADDR_VALID;
    netif_set_link_up(&lo);
    netif_set_up(&lo);
}

int inet_start(void) {
    int err = 0;
    if (likely(__atomic_load_n(&started, __ATOMIC_ACQUIRE)))
        return 0;
    mutex_lock(&inet_mutex);
    if (!started) {
        err = kthread_run("inet", inet_thread, NULL);
        if (!err) {
            start_lwip();
            __atomic_store_n(&started, true, __ATOMIC_RELEASE);
        }
    }
    mutex_unlock(&inet_mutex);
    return err;
}

void inet_stack_init(void) {
    mutex_init(&inet_mutex);
    wait_queue_init(&thread_wait);
}
