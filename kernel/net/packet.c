// SPDX-License-Identifier: MIT
#include "net/packet.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/user.h"

#define INSIDE_MAX  (2048u - (unsigned int)sizeof(struct packet)) // of data in the packet itself
#define LARGE_SHIFT (PAGE_SHIFT + 2)                              // blocks, if they can be had

// What Linux 6.12 charges: its struct sk_buff; its struct skb_shared_info, which lies behind the bytes; the memory they get.
#define SKB_SIZE        256u
#define SHARED_SIZE     320u
#define STREAM_HEAD_MAX (4096u - SHARED_SIZE)     // what of a stream goes before pages are taken
#define PACKET_HEAD_MAX (4 * 4096u - SHARED_SIZE) // the same of a packet
#define PACKET_PAGES    (17 * 4096u)              // that it may take

// ---- charging

static uint32_t packet_charge(uint32_t len, bool stream) {
    uint32_t most = stream ? STREAM_HEAD_MAX : PACKET_HEAD_MAX, pages = 0, head = 512;
    if (len > most && stream)
        pages = MIN(ALIGN_UP(len - most, 4096u), len);
    else if (len > most)
        pages = ALIGN_UP(MIN(len - most, PACKET_PAGES), 4096u);
    while (head < ALIGN_UP(len - pages, 64u) + SHARED_SIZE)
        head *= 2;
    return SKB_SIZE + head + ALIGN_UP(pages, 4096u);
}

bool socket_is_squeezed(const struct socket *s) {
    return (unsigned long)READ_ONCE(s->user->used[USER_SOCKET_BYTES]) > READ_ONCE(limits.socket_bytes_max) ||
           memory_is_short();
}

// Brings what the user's account is charged with for this socket near to what it has underway.
static __attribute__((noinline)) void socket_settle(struct socket *s) {
    spin_lock(&s->lock);
    unsigned long used = socket_bytes_underway(s);
    unsigned long wanted = used <= PACKET_SQUEEZED ? 0 : ALIGN_UP(used, PACKET_RESERVE);
    if (wanted > s->reserved || s->reserved - wanted > PACKET_RESERVE) {
        user_charge(s->user, USER_SOCKET_BYTES, (long)(wanted - s->reserved));
        s->reserved = wanted;
    }
    spin_unlock(&s->lock);
}

static inline bool reserve_is_off(const struct socket *s, unsigned long used) {
    unsigned long reserved = READ_ONCE(s->reserved);
    return used > reserved + PACKET_SQUEEZED || reserved > used + 2 * PACKET_RESERVE;
}

static void socket_free(struct socket *s) {
    kfree(s->spare);
    user_uncharge(s->user, USER_SOCKET_BYTES, (long)s->reserved);
    user_put(s->user);
    s->ops->free(s);
}

void socket_uncharge(struct socket *s, unsigned long n) {
    unsigned long left = __atomic_sub_fetch(&s->wmem, n, __ATOMIC_ACQ_REL);
    if (unlikely(!left))
        socket_free(s);
}

bool socket_has_room(const struct socket *s) {
    unsigned long wmem = READ_ONCE(s->wmem);
    return wmem << 2 <= READ_ONCE(s->sndbuf) && (wmem <= PACKET_SQUEEZED || !socket_is_squeezed(s));
}

// May the socket take another packet?
static bool may_send(const struct socket *s) {
    unsigned long used = socket_bytes_underway(s);
    return used < READ_ONCE(s->sndbuf) && (used < PACKET_SQUEEZED || !socket_is_squeezed(s));
}

static int wait_for_room(struct socket *s, ktime_t deadline) {
    for (;;) {
        int err = socket_take_error(s);
        if (err)
            return err;
        if (READ_ONCE(s->shutdown) & SEND_SHUTDOWN)
            return -EPIPE;
        if (may_send(s))
            return 0;
        err = socket_wait(&s->write_wait,
                          may_send(s) || READ_ONCE(s->error) || READ_ONCE(s->shutdown) & SEND_SHUTDOWN,
                          deadline, false);
        if (err)
            return err;
    }
}

// ---- packets

static bool add_blocks(struct packet *p, unsigned int shift) {
    unsigned int n = (p->len + (1u << shift) - 1) >> shift;
    for (unsigned int i = 0; i < n; i++) {
        unsigned int left = p->len - (i << shift), order = 0;
        while (order + PAGE_SHIFT < shift && ((unsigned int)PAGE_SIZE << order) < left)
            order++;
        struct page *page = page_alloc(order, 0);
        if (!page) {
            while (i--)
                page_put(phys_to_page(virt_to_phys(p->block[i])));
            return false;
        }
        p->block[i] = page_address(page);
    }
    p->shift = shift;
    return true;
}

static inline void packet_clear(struct packet *p, size_t len) {
    p->len = len;
    p->done = 0;
    p->shift = 0;
    p->skip = 0;
    p->from = (struct credentials){.uid = -1, .gid = -1};
    p->files = NULL;
    p->stamp = 0;
}

// Memory for `extra` bytes of data inside; all small ones have the same size.
static inline struct packet *packet_memory(struct socket *s, size_t extra) {
    struct packet *p = NULL;
    if (extra <= PACKET_SMALL && READ_ONCE(s->spare))
        p = __atomic_exchange_n(&s->spare, NULL, __ATOMIC_ACQUIRE);
    return p ? p : kmalloc(sizeof(*p) + MAX(extra, (size_t)PACKET_SMALL));
}

static struct packet *packet_alloc(struct socket *s, size_t len) {
    size_t extra = len <= INSIDE_MAX ? len : ((len + PAGE_SIZE - 1) >> PAGE_SHIFT) * sizeof(char *);
    struct packet *p = packet_memory(s, extra);
    if (!p)
        return NULL;
    packet_clear(p, len);
    if (len > INSIDE_MAX && !add_blocks(p, LARGE_SHIFT) && !add_blocks(p, PAGE_SHIFT)) {
        kfree(p);
        return NULL;
    }
    return p;
}

// 0, or why nothing can be sent.
static inline int packet_may_be_made(struct socket *s, ktime_t deadline) {
    if (likely(may_send(s) && !READ_ONCE(s->error) && !(READ_ONCE(s->shutdown) & SEND_SHUTDOWN)))
        return 0;
    return wait_for_room(s, deadline);
}

// `memory`: what its data takes of it, as far as that is known here.
static inline void packet_count(struct packet *p, struct socket *s, size_t memory, bool stream) {
    p->sender = s;
    p->charge = packet_charge((uint32_t)memory, stream);
    unsigned long used = __atomic_add_fetch(&s->wmem, p->charge, __ATOMIC_RELAXED);
    if (unlikely(reserve_is_off(s, used)))
        socket_settle(s);
}

struct packet *packet_create(struct socket *s, size_t len, bool stream, ktime_t deadline) {
    int err = packet_may_be_made(s, deadline);
    if (unlikely(err))
        return ERR_PTR(err);
    if (unlikely(len > PACKET_SQUEEZED) && socket_is_squeezed(s)) {
        if (!stream)
            return ERR_PTR(-ENOBUFS);
        len = PACKET_SQUEEZED;
    }
    struct packet *p = packet_alloc(s, len);
    if (!p)
        return ERR_PTR(-ENOBUFS);
    packet_count(p, s, p->len, stream);
    return p;
}

// Takes references to the pages of u's next p->len bytes, which lie behind each other but for where one segment ends and the next begins.
static void take_pages(struct packet *p, struct uio *u) {
    size_t at = 0;
    for (unsigned int n = 0; at < p->len; n++) {
        char *from = (char *)u->seg->kernel + u->offset;
        size_t skip = (unsigned long)from & PAGE_MASK;
        size_t part = MIN(MIN(PAGE_SIZE - skip, u->seg->len - u->offset), p->len - at);
        p->block[n] = from - skip;
        page_get(phys_to_page(virt_to_phys(p->block[n])));
        at += part;
        u->offset += part;
        u->resid -= part;
        if (u->nseg > 1 && u->offset == u->seg->len) {
            u->seg++;
            u->nseg--;
            u->offset = 0;
        }
    }
}

struct packet *packet_create_of_pages(struct socket *s, struct uio *u, size_t len, ktime_t deadline) {
    int err = packet_may_be_made(s, deadline);
    if (err)
        return ERR_PTR(err);
    if (unlikely(len > PACKET_SQUEEZED) && socket_is_squeezed(s))
        len = PACKET_SQUEEZED;
    size_t skip = ((unsigned long)u->seg->kernel + u->offset) & PAGE_MASK;
    size_t pages = (skip + len + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct packet *p = packet_memory(s, pages * sizeof(char *));
    if (!p)
        return ERR_PTR(-ENOBUFS);
    packet_clear(p, len);
    p->shift = PAGE_SHIFT;
    p->skip = (uint16_t)skip;
    take_pages(p, u);
    packet_count(p, s, pages << PAGE_SHIFT, true);
    return p;
}

void packet_put_spare_unusual(struct socket *s, struct packet *other) {
    kfree(other);
    if (reserve_is_off(s, socket_bytes_underway(s)))
        socket_settle(s);
    if (socket_bytes_underway(s) << 2 <= READ_ONCE(s->sndbuf))
        socket_writable(s);
}

// The next one of the sender may have the memory, if it is that of a small packet.
static bool becomes_spare(struct packet *p) {
    struct packet *none = NULL;
    if (p->len > PACKET_SMALL || READ_ONCE(p->sender->spare))
        return false;
    packet_clear(p, 0);
    return __atomic_compare_exchange_n(&p->sender->spare, &none, p, false, __ATOMIC_RELEASE,
                                       __ATOMIC_RELAXED);
}

void packet_free(struct packet *p) {
    struct socket *s = p->sender;
    unsigned int n = p->shift ? (p->skip + p->len + (1u << p->shift) - 1) >> p->shift : 0;
    uint32_t charge = p->charge;
    for (unsigned int i = 0; i < n; i++)
        page_put(phys_to_page(virt_to_phys(p->block[i])));
    if (n || !becomes_spare(p))
        kfree(p);
    // The last byte of the charge keeps the socket until it has been told.
    unsigned long left = __atomic_sub_fetch(&s->wmem, charge - 1, __ATOMIC_ACQ_REL);
    if (unlikely(reserve_is_off(s, left)))
        socket_settle(s);
    if (left << 2 <= READ_ONCE(s->sndbuf))
        socket_writable(s);
    socket_uncharge(s, 1);
}

int packet_fill(struct packet *p, struct uio *u) {
    if (likely(!p->shift))
        return uio_read_from(u, p->data, p->len) == p->len ? 0 : -EFAULT;
    for (size_t at = 0, n; at < p->len; at += n) {
        n = MIN(p->len - at, (size_t)1 << p->shift);
        if (uio_read_from(u, p->block[at >> p->shift], n) != n)
            return -EFAULT;
    }
    return 0;
}

int packet_copy_out(const struct packet *p, size_t offset, struct uio *u, size_t n) {
    if (likely(!p->shift))
        return uio_write_to(u, p->data + offset, n) == n ? 0 : -EFAULT;
    offset += p->skip;
    for (size_t part; n; offset += part, n -= part) {
        size_t at = offset & (((size_t)1 << p->shift) - 1);
        part = MIN(n, ((size_t)1 << p->shift) - at);
        if (uio_write_to(u, p->block[offset >> p->shift] + at, part) != part)
            return -EFAULT;
    }
    return 0;
}
