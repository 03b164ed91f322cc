// SPDX-License-Identifier: MIT
// What pipe.c and ring.c share. Key: [m] mutex, [a] atomic, [I] immutable.
#pragma once
#include "fs/pipe/pipe.h"
#include "mm/page.h"
#include <linux/limits.h>

#define PIPE_PIECES 16      // pages that are filled or emptied at once, without a copy
#define END_PACKET  0x8000u // of pipe.ends: a packet, which one read takes

struct pipe {
    struct mutex mutex;
    struct page **pages; // [m] slots, a power of two; what others have, too, is not written to
    unsigned int slots;  // [m]
    uint16_t *ends;      // [m] of the slots: 0, or where the page's bytes end, with END_PACKET; NULL: none
    size_t padding;      // [m] bytes behind such ends; read without
    struct page *spare;  // [m]
    uint64_t head, tail; // [m] head - tail bytes are in the ring; both are read without
    unsigned int readers, writers; // [m] open ends
    unsigned int reader_opens,
        writer_opens;  // [m] how often each end was ever opened, for FIFO opens that wait
    unsigned int refs; // [inode->spin] open files
    uint8_t demand;    // [a] what PIPE_ON_DEMAND made of it
    struct user *user; // [I] to whom the slots are charged, a reference
    struct wait_queue read_wait, write_wait, open_wait;
};

enum { DEMAND_IGNORED, DEMAND_AWAITED, DEMAND_SEEN }; // of pipe.demand

static inline size_t pipe_used(const struct pipe *p) {
    return READ_ONCE(p->head) - READ_ONCE(p->tail);
}
static inline size_t pipe_capacity(const struct pipe *p) {
    return (size_t)READ_ONCE(p->slots) << PAGE_SHIFT;
}
// Bytes may come to lie on the page that `tail` is still on, before it. Where packets are used they do not: what `ends` says of a
// slot is of one page.
static inline size_t pipe_room(const struct pipe *p) {
    size_t used = pipe_used(p), capacity = pipe_capacity(p);
    if (unlikely(READ_ONCE(p->ends)))
        used += READ_ONCE(p->tail) & PAGE_MASK;
    return used < capacity ? capacity - used : 0;
}

// The bytes there are to read.
static inline size_t pipe_readable_bytes(const struct pipe *p) {
    return pipe_used(p) - READ_ONCE(p->padding);
}
static inline bool pipe_readable(const struct pipe *p) {
    return pipe_used(p) != 0;
}
// Is there room for whatever write must go in whole? Where packets are used: for one, which begins a page.
static inline bool pipe_writable(const struct pipe *p) {
    if (unlikely(READ_ONCE(p->ends)))
        return ALIGN_UP(READ_ONCE(p->head), (uint64_t)PAGE_SIZE) + PAGE_SIZE <=
               READ_ONCE(p->tail) + pipe_capacity(p);
    return pipe_room(p) >= PIPE_BUF;
}

// The ring, all with the mutex held.
static inline struct page **pipe_slot(struct pipe *p, uint64_t i) {
    return &p->pages[(i >> PAGE_SHIFT) & (p->slots - 1)];
}
// Whether nobody but the pipe has the page, so that its bytes may change.
static inline bool pipe_owns(const struct page *page) {
    return __atomic_load_n(&page->refs, __ATOMIC_ACQUIRE) == 1;
}
// Copies out up to what is there, or of a packet that is next what fits, and all of it is gone. Bytes, or -EFAULT if none
// could be.
ssize_t pipe_take(struct pipe *p, struct uio *u);
// Copies in up to what there is room for. Bytes, or -EFAULT or -ENOMEM if none could be.
ssize_t pipe_put(struct pipe *p, struct uio *u);
// The same as packets of at most a page; p->ends is there.
ssize_t pipe_put_packets(struct pipe *p, struct uio *u);
// Without a copy. The bytes that are next, at most n, as segments of kernel memory, at most `most` of them, whether packets or
// not; gives how many. They stay while the mutex is held.
unsigned int pipe_peek(struct pipe *p, size_t n, struct uio_segment *segments, unsigned int most);
// The same as pages, without references, the bytes beginning at *offset of the first; how many of those there are goes to *n. Not of a pipe
// that has had packets.
unsigned int pipe_peek_pages(struct pipe *p, size_t *n, struct page **pages, size_t *offset,
                             unsigned int most);
// Puts in what there is room for of n bytes from `offset` of the first of `count` pages on, whose content others may change. A page that
// comes to lie in the ring as it is gets a reference; what does not is copied. Bytes, or -ENOMEM if there are none.
ssize_t pipe_put_pages(struct pipe *p, struct page **pages, unsigned int count, size_t offset, size_t n);
// The first n bytes of those are gone.
void pipe_skip(struct pipe *p, size_t n);
// Room behind what is there: pages that are filled before the mutex is given up.
struct pipe_room {
    struct uio_segment segments[PIPE_PIECES];
    unsigned int count;
    uint32_t fresh; // bit n: segment n's page was not there before
};
// For at most n bytes; count is 0 where there is no memory.
void pipe_reserve(struct pipe *p, size_t n, struct pipe_room *room);
// n bytes of it hold something now; the rest goes back.
void pipe_commit(struct pipe *p, const struct pipe_room *room, size_t n);
// Puts the content into a ring of `slots`. 0, -EBUSY if it does not fit, -ENOMEM.
int __must_check pipe_move(struct pipe *p, unsigned int slots);

// pipe.c
// A reader has found nothing.
void pipe_demand(struct pipe *p);
// Nobody reads any more: SIGPIPE, -EPIPE.
ssize_t pipe_broken(void);
// As read() and write() of an end do; `wait`: else -EAGAIN instead of sleeping.
ssize_t pipe_read_bytes(struct pipe *p, struct uio *u, bool wait);
ssize_t pipe_write_bytes(struct pipe *p, struct uio *u, bool wait, bool packets);
