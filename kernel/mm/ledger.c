// SPDX-License-Identifier: MIT
#include "mm/ledger.h"
#include "core/panic.h"
#include "lib/string.h"

// Pages are numbered by their address in the direct map; 0 is none.
static inline unsigned long page_at(const void *at) {
    return (unsigned long)at >> PAGE_SHIFT;
}
static inline bool is_border(const void *at) {
    return !((unsigned long)at & PAGE_MASK);
}
static inline unsigned long border_from(const void *at) {
    return ((unsigned long)at + PAGE_MASK) >> PAGE_SHIFT;
}
static inline paddr_t address_of(unsigned long page) {
    return virt_to_phys((void *)(page << PAGE_SHIFT));
}

static struct page *share(unsigned long page) {
    struct page *p = page_claim(address_of(page));
    page_get(p);
    return p;
}

// The last user of a page that was lent in parts gives it away.
static void unshare(struct page *p) {
    if (__atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    p->order = 0;
    p->flags = PAGE_BORROWED;
    page_free(p);
}

static void unshare_number(unsigned long page) {
    unshare(phys_to_page(address_of(page)));
}

// [first, end): nobody counts on these.
static void give(unsigned long first, unsigned long end) {
    page_donate(address_of(first), end - first);
    memory_account(MEM_RELEASED, (long)(end - first));
}

// ---- the archive

void ledger_fence(const void *data, uint64_t size) {
    const char *end = (const char *)data + size;
    if (!is_border(data))
        share(page_at(data));
    if (!is_border(end))
        share(page_at(end));
}

void *ledger_take_room(uint64_t *size) {
    paddr_t base = memory_take_untouched(size);
    return base ? phys_to_virt(base) : NULL;
}

void ledger_keep_room(void *room, uint64_t size, uint64_t used) {
    uint64_t kept = ALIGN_UP(used, (uint64_t)PAGE_SIZE);
    if (size > kept)
        memory_return_untouched(virt_to_phys(room) + kept, size - kept);
}

// ---- the reader

#define READERS 2 // a buffer's, and one of what came out of compressed data in it

static struct reader {
    const char *passed;   // what lies before this is lent, given, or on the page that this is on
    unsigned long number; // of the page that counts the reader, 0: none does
    struct page *page;    // that page
    unsigned long first,
        end; // pages that are to be given: the entry that brought the last loan may have its name there
    struct page *before; // and the page that counted the reader before, NULL: none
} readers[READERS];
static struct reader *reader; // at hand

void ledger_open(const void *at) {
    reader = reader ? reader + 1 : readers;
    ASSERT(reader < readers + READERS);
    *reader = (struct reader){.passed = at};
}

// The entry that brought the last loan is done with.
static void finish_entry(struct reader *r) {
    if (r->first < r->end)
        give(r->first, r->end);
    if (r->before)
        unshare(r->before);
    r->first = r->end = 0;
    r->before = NULL;
}

void ledger_pass(const void *to) {
    struct reader *r = reader;
    unsigned long first = border_from(r->passed), end = page_at(to);
    finish_entry(r);
    if (first >= end) // too little: it waits for more behind it
        return;
    give(first, end);
    r->passed = (const char *)(end << PAGE_SHIFT);
}

void ledger_close(void) {
    finish_entry(reader);
    if (reader->number)
        unshare(reader->page);
    reader = reader > readers ? reader - 1 : NULL;
}

// What the reader has passed ends with these bytes, which are lent.
static void read_past(struct reader *r, const char *data, const char *end) {
    unsigned long number = is_border(end) ? 0 : page_at(end);
    finish_entry(r);
    r->first = border_from(r->passed);
    r->end = page_at(data);
    r->passed = end;
    if (number == r->number)
        return;
    r->before = r->number ? r->page : NULL;
    r->number = number;
    if (number)
        r->page = share(number);
}

// ---- loans

static unsigned long counted_first(const char *data, uint64_t size) {
    return size && !is_border(data) ? page_at(data) : 0;
}

static unsigned long counted_last(const char *data, uint64_t size) {
    const char *end = data + size;
    return size && !is_border(end) && (is_border(data) || page_at(data) != page_at(end)) ? page_at(end) : 0;
}

static __attribute__((noinline)) void lend(const char *data, uint64_t size) {
    const char *end = data + size;
    unsigned long first = counted_first(data, size), last = counted_last(data, size);
    if (first)
        share(first);
    if (last)
        share(last);
    if (border_from(data) < page_at(end))
        memory_account(MEM_BORROWED, (long)(page_at(end) - border_from(data)));
    read_past(reader, data, end);
}

void loan_make(struct loan *l, const void *data, uint64_t size) {
    const char *start = data, *end = start + size;
    struct reader *r = reader;
    if (!size)
        return;
    *l = (struct loan){start, size};
    if (likely(page_at(start) == r->number && page_at(end) == r->number)) {
        page_get(r->page); // a small file behind another on the same page
        r->passed = end;
    } else {
        lend(start, size);
    }
}

struct page *loan_adopt(const struct loan *l, unsigned long index) {
    struct page *p = page_claim(virt_to_phys(l->data + ((uint64_t)index << PAGE_SHIFT)));
    DEBUG_ASSERT(!(p->flags & PAGE_FREE) && p->refs == 0);
    p->refs = 1;
    p->order = 0;
    p->flags = PAGE_BORROWED;
    memory_account(MEM_ADOPTED, 1);
    memory_account(MEM_BORROWED, -1);
    return p;
}

void loan_copy(const struct loan *l, unsigned long index, void *to) {
    size_t n = loan_bytes(l, index);
    memcpy(to, l->data + ((uint64_t)index << PAGE_SHIFT), n);
    memset((char *)to + n, 0, PAGE_SIZE - n);
    memory_account(MEM_COPIED, 1);
}

void loan_return(struct loan old, uint64_t size, unsigned long (*adopted)(void *arg, unsigned long index),
                 void *arg) {
    unsigned long base = page_at(old.data), end = page_at(old.data + old.size);
    unsigned long at = border_from(old.data + size);
    unsigned long last = counted_last(old.data, size), old_last = counted_last(old.data, old.size);
    bool aligned = is_border(old.data); // of others none is ever adopted
    if (last && last != old_last) {     // it was lent whole
        share(last);
        if (!aligned || adopted(arg, last - base) != last - base)
            memory_account(MEM_BORROWED, -1);
    }
    if (old_last && last != old_last)
        unshare_number(old_last);
    if (!size && counted_first(old.data, old.size))
        unshare_number(base);
    while (at < end) {
        unsigned long next = aligned ? adopted(arg, at - base) : ~0ul;
        next = next < end - base ? next + base : end;
        if (at < next) {
            memory_account(MEM_BORROWED, -(long)(next - at));
            give(at, next);
        }
        at = next + 1;
    }
}
