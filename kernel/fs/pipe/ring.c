// SPDX-License-Identifier: MIT
// The bytes in a pipe: a ring of pages. `tail` and `head` count the bytes ever read and written since
// the ring was last found empty (both then start again at 0, so that a pipe that never holds much uses one
// page only), and byte number i is in page (i / PAGE_SIZE) % slots. A page is there while it holds a byte;
// one more is kept for the next that is needed.
//
// Others may have such a page, too: a file whose content it is, another pipe, a socket (splice(2), tee(2), sendfile(2)). It is never written to then
// (pipe_owns()): who adds bytes to it gets a copy.
//
// A packet (pipe2(2), O_DIRECT) has a page to itself: it begins at a page's start, and `ends` of its slot says how
// long it is. The page before it, if it was not full, ends early in the same way. What lies between such an end
// and the page's end is `padding`: it counts as used, and readers step over it. A pipe that no packet was ever
// written to has no `ends`.
#include "core/errno.h"
#include "fs/pipe/private.h"
#include "lib/string.h"
#include "mm/slab.h"

static void pipe_drop_page(struct pipe *p, struct page **slot) {
    if (p->spare || !pipe_owns(*slot))
        page_put(*slot);
    else
        p->spare = *slot;
    *slot = NULL;
}

// The page of a slot, to be written to: a new one if there is none, and a copy of one that others have, too. NULL: no memory.
static struct page *pipe_page_to_write(struct pipe *p, struct page **slot) {
    struct page *old = *slot;
    if (old && pipe_owns(old))
        return old;
    struct page *page = p->spare ? p->spare : page_alloc(0, 0);
    p->spare = NULL;
    if (!page)
        return NULL;
    if (old && p->head != p->tail)
        page_copy(page_address(page), page_address(old));
    if (old)
        page_put(old);
    return *slot = page;
}

// The bytes before `tail` are used up: gives back the page that they end, starts again when none are left.
static void pipe_consumed(struct pipe *p, uint64_t old_tail) {
    if (p->tail == p->head) {
        struct page **slot = pipe_slot(p, old_tail);
        struct page *page = *slot;
        *slot = NULL;
        if (pipe_owns(page))
            p->pages[0] = page;
        else
            page_put(page);
        WRITE_ONCE(p->head, 0);
        WRITE_ONCE(p->tail, 0);
    } else if (!(p->tail & PAGE_MASK) &&
               ((p->head - 1) >> PAGE_SHIFT) - (old_tail >> PAGE_SHIFT) < p->slots) {
        pipe_drop_page(p, pipe_slot(p, old_tail)); // the ring's newest bytes are not on it, too
    }
}

static uint16_t *pipe_end_of(struct pipe *p, uint64_t i) {
    return p->ends ? &p->ends[(i >> PAGE_SHIFT) & (p->slots - 1)] : NULL;
}

// Bytes before `tail` in a page that ends early have been read, or its packet has: past the end, on to the next page.
static uint64_t pipe_step_over(struct pipe *p, uint64_t tail, uint16_t *end) {
    uint64_t next = ALIGN_UP(tail, (uint64_t)PAGE_SIZE);
    WRITE_ONCE(p->padding, p->padding - (PAGE_SIZE - (*end & ~END_PACKET)));
    *end = 0;
    return next;
}

// pipe_take() where there may be packets.
static __attribute__((noinline)) ssize_t pipe_take_packets(struct pipe *p, struct uio *u) {
    size_t done = 0;
    while (u->resid && p->tail != p->head) {
        uint64_t tail = p->tail, next;
        size_t offset = tail & PAGE_MASK, there = MIN(PAGE_SIZE - offset, p->head - tail);
        uint16_t *end = pipe_end_of(p, tail);
        bool ends = unlikely(end && *end), packet = ends && *end & END_PACKET;
        if (ends)
            there = (*end & ~END_PACKET) - offset;
        if (packet && done)
            break;
        size_t n = MIN(there, u->resid);
        size_t copied = uio_write_to(u, (char *)page_address(*pipe_slot(p, tail)) + offset, n);
        next = tail + copied;
        if (ends && copied && (packet || copied == there))
            next = pipe_step_over(p, tail + 1, end);
        WRITE_ONCE(p->tail, next);
        done += copied;
        if (copied)
            pipe_consumed(p, tail);
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
        if (packet)
            break;
    }
    return done;
}

ssize_t pipe_take(struct pipe *p, struct uio *u) {
    ASSERT_HELD(&p->mutex);
    size_t done = 0;
    if (unlikely(p->ends))
        return pipe_take_packets(p, u);
    while (u->resid && p->tail != p->head) {
        uint64_t tail = p->tail;
        size_t offset = tail & PAGE_MASK;
        size_t n = MIN(MIN(PAGE_SIZE - offset, p->head - tail), u->resid);
        size_t copied = uio_write_to(u, (char *)page_address(*pipe_slot(p, tail)) + offset, n);
        WRITE_ONCE(p->tail, tail + copied);
        done += copied;
        if (copied)
            pipe_consumed(p, tail);
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return done;
}

// A packet of what is left to write, at most a page. There is room (pipe_writable()). Bytes, -EFAULT, -ENOMEM.
static ssize_t pipe_put_packet(struct pipe *p, struct uio *u) {
    uint64_t head = ALIGN_UP(p->head, (uint64_t)PAGE_SIZE);
    size_t n = MIN(u->resid, PAGE_SIZE);
    struct page **slot = pipe_slot(p, head);
    bool fresh = !*slot; // else of the empty ring's only page
    if (!pipe_page_to_write(p, slot))
        return -ENOMEM;
    if (uio_read_from(u, page_address(*slot), n) != n) {
        if (fresh)
            pipe_drop_page(p, slot);
        return -EFAULT;
    }
    if (head != p->head)
        *pipe_end_of(p, p->head) = p->head & PAGE_MASK;
    *pipe_end_of(p, head) = n | END_PACKET;
    WRITE_ONCE(p->padding, p->padding + (head - p->head) + (PAGE_SIZE - n));
    WRITE_ONCE(p->head, head + PAGE_SIZE);
    return n;
}

ssize_t pipe_put(struct pipe *p, struct uio *u) {
    ASSERT_HELD(&p->mutex);
    size_t done = 0;
    for (size_t room; u->resid && (room = pipe_room(p));) {
        struct page **slot = pipe_slot(p, p->head);
        size_t offset = p->head & PAGE_MASK;
        bool fresh = !*slot;
        if (!pipe_page_to_write(p, slot))
            return done ? (ssize_t)done : -ENOMEM;
        size_t n = MIN(MIN(PAGE_SIZE - offset, room), u->resid);
        size_t copied = uio_read_from(u, (char *)page_address(*slot) + offset, n);
        WRITE_ONCE(p->head, p->head + copied);
        done += copied;
        if (fresh && !copied)
            pipe_drop_page(p, slot);
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return done;
}

// Before the first packet, what goes beyond whole pages joins the bytes on the page at hand if it fits there, as in
// Linux.
static ssize_t pipe_put_joined(struct pipe *p, struct uio *u) {
    size_t offset = p->head & PAGE_MASK, n = u->resid & PAGE_MASK, rest = u->resid - n;
    if (!offset || !n || offset + n > PAGE_SIZE || pipe_room(p) < n)
        return 0;
    u->resid = n;
    ssize_t done = pipe_put(p, u);
    u->resid += rest;
    return done;
}

ssize_t pipe_put_packets(struct pipe *p, struct uio *u) {
    ASSERT_HELD(&p->mutex);
    ssize_t done = pipe_put_joined(p, u);
    if (done < 0)
        return done;
    while (u->resid && pipe_writable(p)) {
        ssize_t n = pipe_put_packet(p, u);
        if (n < 0)
            return done ? done : n;
        done += n;
    }
    return done;
}

// ---- in place

unsigned int pipe_peek(struct pipe *p, size_t n, struct uio_segment *segments, unsigned int most) {
    ASSERT_HELD(&p->mutex);
    unsigned int count = 0;
    for (uint64_t tail = p->tail; n && count < most && tail != p->head;) {
        size_t offset = tail & PAGE_MASK, there = MIN(PAGE_SIZE - offset, p->head - tail), next = there;
        uint16_t *end = pipe_end_of(p, tail);
        if (end && *end) {
            there = (*end & ~END_PACKET) - offset;
            next = PAGE_SIZE - offset;
        }
        segments[count].kernel = (char *)page_address(*pipe_slot(p, tail)) + offset;
        segments[count++].len = MIN(there, n);
        n -= MIN(there, n);
        tail += next;
    }
    return count;
}

void pipe_skip(struct pipe *p, size_t n) {
    ASSERT_HELD(&p->mutex);
    while (n) {
        uint64_t tail = p->tail, next;
        size_t offset = tail & PAGE_MASK, there = MIN(PAGE_SIZE - offset, p->head - tail);
        uint16_t *end = pipe_end_of(p, tail);
        if (end && *end)
            there = (*end & ~END_PACKET) - offset;
        size_t gone = MIN(there, n);
        next = tail + gone;
        if (end && *end && gone == there)
            next = pipe_step_over(p, tail + 1, end);
        WRITE_ONCE(p->tail, next);
        pipe_consumed(p, tail);
        n -= gone;
    }
}

// ---- pages as they are

unsigned int pipe_peek_pages(struct pipe *p, size_t *n, struct page **pages, size_t *offset,
                             unsigned int most) {
    ASSERT_HELD(&p->mutex);
    unsigned int count = 0;
    uint64_t at = p->tail, end = p->tail + MIN(*n, p->head - p->tail);
    *offset = at & PAGE_MASK;
    for (; at < end && count < most; at = (at | PAGE_MASK) + 1)
        pages[count++] = *pipe_slot(p, at);
    *n = MIN(at, end) - p->tail;
    return count;
}

// n bytes of a page from `offset` on, which is as far as the ring is in its own page, whose slot is free.
static void pipe_put_page(struct pipe *p, struct page *page, size_t n) {
    page_get(page);
    *pipe_slot(p, p->head) = page;
    WRITE_ONCE(p->head, p->head + n);
}

// The empty ring begins at `offset` of a page, and has none.
static void pipe_begin_at(struct pipe *p, size_t offset) {
    if (p->pages[0])
        pipe_drop_page(p, &p->pages[0]);
    WRITE_ONCE(p->tail, offset);
    WRITE_ONCE(p->head, offset);
}

static ssize_t pipe_put_copy(struct pipe *p, const struct page *page, size_t offset, size_t n) {
    struct uio_segment segment;
    struct uio u;
    uio_init_kernel(&u, &segment, (char *)page_address(page) + offset, n);
    return pipe_put(p, &u);
}

ssize_t pipe_put_pages(struct pipe *p, struct page **pages, unsigned int count, size_t offset, size_t n) {
    ASSERT_HELD(&p->mutex);
    size_t done = 0, part, room;
    for (unsigned int i = 0; i < count && done < n && (room = pipe_room(p)); i++, offset = 0) {
        ssize_t put = part = MIN(MIN(PAGE_SIZE - offset, n - done), room);
        if (p->head == p->tail)
            pipe_begin_at(p, offset);
        if ((p->head & PAGE_MASK) == offset && !*pipe_slot(p, p->head))
            pipe_put_page(p, pages[i], part);
        else
            put = pipe_put_copy(p, pages[i], offset, part);
        if (put < 0)
            return done ? (ssize_t)done : put;
        done += put;
        if ((size_t)put < part)
            break;
    }
    return done;
}

// ---- room to read into

void pipe_reserve(struct pipe *p, size_t n, struct pipe_room *room) {
    ASSERT_HELD(&p->mutex);
    uint64_t head = p->head;
    room->count = 0;
    room->fresh = 0;
    for (size_t left = MIN(n, pipe_room(p)); left && room->count < PIPE_PIECES; room->count++) {
        struct page **slot = pipe_slot(p, head);
        size_t offset = head & PAGE_MASK, piece = MIN(PAGE_SIZE - offset, left);
        bool fresh = !*slot;
        if (!pipe_page_to_write(p, slot))
            break;
        room->fresh |= (uint32_t)fresh << room->count;
        room->segments[room->count].kernel = (char *)page_address(*slot) + offset;
        room->segments[room->count].len = piece;
        head += piece;
        left -= piece;
    }
}

void pipe_commit(struct pipe *p, const struct pipe_room *room, size_t n) {
    ASSERT_HELD(&p->mutex);
    uint64_t at = p->head;
    WRITE_ONCE(p->head, at + n);
    for (unsigned int i = 0; i < room->count; i++) {
        if (at >= p->head && room->fresh >> i & 1)
            pipe_drop_page(p, pipe_slot(p, at));
        at += room->segments[i].len;
    }
}

// ---- another size

// Where the content goes when the ring changes.
struct ring {
    struct page **pages;
    uint16_t *ends;
    unsigned int slots, used; // slots there are, and that hold something
};

static void ring_free(struct ring *r) {
    for (unsigned int i = 0; r->pages && i < r->used; i++)
        page_put(r->pages[i]);
    kfree(r->pages);
    kfree(r->ends);
}

// Appends n bytes, on the last page if there is room on it (`at` bytes are) and neither is a packet's. 0, -EBUSY,
// -ENOMEM.
static int ring_append(struct ring *r, size_t *at, const char *bytes, size_t n, bool packet) {
    while (n) {
        if (packet || *at == PAGE_SIZE) {
            if (r->used == r->slots)
                return -EBUSY;
            if (!(r->pages[r->used] = page_alloc(0, 0)))
                return -ENOMEM;
            r->used++;
            *at = 0;
        }
        size_t part = MIN(n, PAGE_SIZE - *at);
        memcpy((char *)page_address(r->pages[r->used - 1]) + *at, bytes, part);
        *at += part;
        bytes += part;
        n -= part;
        if (r->ends)
            r->ends[r->used - 1] = packet ? part | END_PACKET : *at < PAGE_SIZE ? *at : 0;
    }
    if (packet)
        *at = PAGE_SIZE; // nothing joins it
    return 0;
}

// Copies the content into `r`, and how far its last page is filled into *at. [m] 0, -EBUSY if it does not fit,
// -ENOMEM.
static int ring_fill(struct pipe *p, struct ring *r, size_t *at) {
    int err = 0;
    *at = PAGE_SIZE;
    for (uint64_t from = p->tail; from < p->head && !err;) {
        size_t offset = from & PAGE_MASK, n = MIN(PAGE_SIZE - offset, p->head - from), next = n;
        uint16_t *end = pipe_end_of(p, from);
        bool packet = end && *end & END_PACKET;
        if (end && *end) {
            next = PAGE_SIZE - offset;
            n = (*end & ~END_PACKET) - offset;
        }
        err = ring_append(r, at, (char *)page_address(*pipe_slot(p, from)) + offset, n, packet);
        from += next;
    }
    return err;
}

int pipe_move(struct pipe *p, unsigned int slots) {
    ASSERT_HELD(&p->mutex);
    struct ring r = {kzalloc(slots * sizeof(r.pages[0])), NULL, slots, 0};
    size_t at, padding = 0;
    if (p->ends)
        r.ends = kzalloc(slots * sizeof(r.ends[0]));
    int err = !r.pages || (p->ends && !r.ends) ? -ENOMEM : ring_fill(p, &r, &at);
    if (err) {
        ring_free(&r);
        return err;
    }
    uint64_t head = (uint64_t)r.used << PAGE_SHIFT;
    if (r.used && at < PAGE_SIZE) { // the last page is still to be written on
        head -= PAGE_SIZE - at;
        if (r.ends)
            r.ends[r.used - 1] = 0;
    }
    for (unsigned int i = 0; r.ends && i < r.used; i++)
        padding += r.ends[i] ? PAGE_SIZE - (r.ends[i] & ~END_PACKET) : 0;
    struct ring old = {p->pages, p->ends, p->slots, 0};
    for (unsigned int i = 0; i < old.slots; i++)
        if (old.pages[i])
            old.pages[old.used++] = old.pages[i];
    p->pages = r.pages;
    p->ends = r.ends;
    p->padding = padding;
    p->tail = 0;
    p->head = head;
    WRITE_ONCE(p->slots, slots);
    ring_free(&old);
    return 0;
}
