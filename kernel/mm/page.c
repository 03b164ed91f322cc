// SPDX-License-Identifier: MIT
// The page allocator: a buddy system over the banks of RAM, with a small cache of single pages for each hart.
//
// Memory comes to life as it is used. At boot each free range of RAM is just an interval with a *frontier*:
// what lies below has been handed to the buddy system. Descriptors are valid by *chunks* of 4 MiB, the
// largest block: a chunk's descriptors are cleared when its first page comes in from the frontier, is adopted
// or donated. A block's buddy lies in the same chunk, so the buddy system looks at valid descriptors only.
//
// Locks: `lock` for free lists, ranges and chunk bits, taken with interrupts disabled; a hart's cache is used
// with interrupts disabled.
#include "mm/page.h"
#include "arch/riscv/cpu.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "mm/fail_alloc.h"
#include "mm/sanitize.h"

#define MAX_BANKS   8
#define MAX_RANGES  64
#define CHUNK_ORDER PAGE_MAX_ORDER
#define CHUNK_PAGES (1ul << CHUNK_ORDER)
#define CHUNK_SIZE  (CHUNK_PAGES * PAGE_SIZE)
#define CHUNKS      (DIRECT_SIZE / CHUNK_SIZE)
#define CACHE_SIZE  64 // pages a hart keeps at most
#define BATCH_ORDER 5  // what it takes from the buddy system at once, and gives back
#define BATCH       (1u << BATCH_ORDER)

struct range {
    uint64_t start, end; // page numbers
};
struct page_cache {
    unsigned int count;
    struct page *pages[CACHE_SIZE];
};

#define SMALL_ORDER 3   // of blocks that are worth a program
#define TIGHT_PART  8   // of the usable memory is left when it is tight
#define LOW_PART    32  // is the reserve, within these bounds:
#define KSTACK_PART 128 // may be kernel stacks that nobody uses
#define LOW_MIN     96ul
#define LOW_MAX     2048ul

struct memory_bank memory_banks[MAX_BANKS];
struct memory_level memory_level;
static unsigned int bank_count;
static struct range ranges[MAX_RANGES], reserved[MAX_RANGES]; // sorted, apart
static unsigned int range_count, reserved_count;

static struct spinlock lock;
static struct list_head free_lists[PAGE_MAX_ORDER + 1]; // [lock]
static uint64_t total_pages;                            // [I]
static uint64_t managed_pages;                          // [lock] that were free at boot, or returned
static uint64_t chunk_valid[CHUNKS / 64];               // [lock]
static struct page_cache caches[MAX_HARTS];
static long accounts[MAX_HARTS][MEM_KINDS]; // [a] own hart adds

static struct memory_bank *bank_of(paddr_t pa) {
    for (unsigned int i = 0; i < bank_count; i++) {
        if (pa - memory_banks[i].base < memory_banks[i].size)
            return &memory_banks[i];
    }
    return NULL;
}

struct page *phys_to_page_slow(paddr_t pa) {
    struct memory_bank *b = bank_of(pa);
    ASSERT(b);
    return b->descriptors + ((pa - b->base) >> PAGE_SHIFT);
}

paddr_t page_to_phys_slow(const struct page *page) {
    for (unsigned int i = 0; i < bank_count; i++) {
        const struct memory_bank *b = &memory_banks[i];
        if (page >= b->descriptors && page < b->descriptors + (b->size >> PAGE_SHIFT))
            return b->base + ((paddr_t)(page - b->descriptors) << PAGE_SHIFT);
    }
    panic("no page has a descriptor at 0x%lx", (unsigned long)page);
}

bool phys_is_ram(paddr_t pa) {
    return bank_of(pa) != NULL;
}

static uint64_t page_number(const struct page *page) {
    return page_to_phys(page) >> PAGE_SHIFT;
}

// ---- the buddy system; all with `lock` held

static void make_valid(uint64_t number) {
    uint64_t chunk = number >> CHUNK_ORDER;
    if (likely(chunk_valid[chunk / 64] >> chunk % 64 & 1))
        return;
    chunk_valid[chunk / 64] |= 1ull << chunk % 64;
    memset(phys_to_page(chunk * CHUNK_SIZE), 0, CHUNK_PAGES * sizeof(struct page));
}

static void put_block(struct page *page, unsigned int order) {
    ASSERT_HELD(&lock);
    sanitize_block_freed(page, order);
    uint64_t number = page_number(page);
    memory_level.free += 1ull << order;
    while (order < PAGE_MAX_ORDER) {
        long away = 1l << order;
        struct page *buddy = number & (uint64_t)away ? page - away : page + away;
        if (!(buddy->flags & PAGE_FREE) || buddy->order != order)
            break;
        buddy->link.prev->next = buddy->link.next;
        buddy->link.next->prev = buddy->link.prev;
        buddy->flags = 0;
        if (buddy < page)
            page = buddy;
        number &= ~(uint64_t)away;
        order++;
    }
    page->flags = PAGE_FREE;
    page->order = order;
    list_add(&page->link, &free_lists[order]);
}

// The largest order of a block that starts at page `number` and ends by `end`.
static unsigned int order_at(uint64_t number, uint64_t end) {
    unsigned int order = PAGE_MAX_ORDER;
    while (order > 0 && ((number & ((1ull << order) - 1)) || number + (1ull << order) > end))
        order--;
    return order;
}

// Moves one block from a frontier to the lists. False if no untouched RAM is left.
static bool advance_frontier(void) {
    for (unsigned int i = 0; i < range_count; i++) {
        struct range *r = &ranges[i];
        if (r->start == r->end)
            continue;
        unsigned int order = order_at(r->start, r->end);
        uint64_t number = r->start;
        r->start += 1ull << order;
        make_valid(number);
        memory_level.free -= 1ull << order; // put_block() counts it again
        put_block(phys_to_page(number << PAGE_SHIFT), order);
        return true;
    }
    return false;
}

static struct page *take_block(unsigned int order) {
    ASSERT_HELD(&lock);
    unsigned int o = order;
    while (list_empty(&free_lists[o])) {
        if (o++ < PAGE_MAX_ORDER)
            continue;
        if (!advance_frontier())
            return NULL;
        o = order;
    }
    struct page *page = list_first_entry(&free_lists[o], struct page, link);
    list_del(&page->link);
    while (o > order) {
        struct page *half = page + (1ul << --o);
        half->flags = PAGE_FREE;
        half->order = o;
        list_add(&half->link, &free_lists[o]);
    }
    page->flags = 0;
    page->order = order;
    memory_level.free -= 1ull << order;
    return page;
}

// ---- a hart's own pages

static enum memory_class kernels(void) {
    return MEMORY_ALL;
}

static int no_room(void) {
    return -ENOMEM;
}

static const struct memory_policy no_policy = {.class = kernels, .make_room = no_room};
const struct memory_policy *memory_policy = &no_policy;

// How many pages must be left to others.
static uint64_t floor_of(enum memory_class class) {
    static const uint8_t shift[] = {
        [MEMORY_USER] = 0, [MEMORY_ROOT] = 2, [MEMORY_INIT] = 3, [MEMORY_ALL] = 63};
    return memory_level.low >> shift[class];
}

bool memory_is_above(enum memory_class class, uint64_t n) {
    return READ_ONCE(memory_level.free) >= floor_of(class) + n;
}

// How many of the n pages the current thread may take; all, or one at a time from the reserve, so that nothing of it lies
// about in a hart's cache for whoever comes next.
static unsigned int allowed(unsigned int n) {
    uint64_t free = READ_ONCE(memory_level.free);
    if (likely(free >= memory_level.low + n))
        return n;
    return free > floor_of(memory_class());
}

// An allocation of 2^order pages has failed. Killing programs helps if there are few pages, not if those that there are
// lie apart.
static void __cold note_failure(unsigned int order) {
    if (order <= SMALL_ORDER && !this_hart()->irq_depth && !memory_is_above(memory_class(), 2ul << order))
        __atomic_fetch_or(&((struct arch_thread *)current)->work, WORK_MEMORY, __ATOMIC_RELAXED);
}

// In one piece, whose lowest page goes out first; single pages that lie about are used up before that, and alone: were a
// block split to go with them, its last page would lie about next time.
__attribute__((noinline)) static void cache_fill(struct page_cache *c) {
    unsigned int want = allowed(BATCH);
    if (!want)
        return;
    spin_lock(&lock);
    bool singles = !list_empty(&free_lists[0]);
    struct page *block = want == BATCH && !singles ? take_block(BATCH_ORDER) : NULL;
    for (unsigned int i = BATCH; block && i-- > 0;) {
        block[i].order = 0;
        block[i].flags = 0;
        c->pages[c->count++] = &block[i];
    }
    while (!block && c->count < want && !(singles && list_empty(&free_lists[0]))) {
        struct page *page = take_block(0);
        if (!page)
            break;
        c->pages[c->count++] = page;
    }
    spin_unlock(&lock);
}

// Frees n pages in a row in the largest blocks that they make.
static void put_row(struct page *page, unsigned int n) {
    uint64_t number = page_number(page);
    while (n) {
        unsigned int order = 0;
        while (!(number & 1ull << order) && 2u << order <= n)
            order++;
        put_block(page, order);
        page += 1u << order;
        number += 1u << order;
        n -= 1u << order;
    }
}

// Pages are often freed in the order of their addresses, so rows are looked for.
__attribute__((noinline)) static void cache_drain(struct page_cache *c) {
    struct page **batch = &c->pages[CACHE_SIZE - BATCH];
    spin_lock(&lock);
    for (unsigned int i = 0, n; i < BATCH; i += n) {
        for (n = 1; i + n < BATCH && batch[i + n] == batch[i] + n; n++)
            ;
        put_row(batch[i], n);
    }
    spin_unlock(&lock);
    c->count = CACHE_SIZE - BATCH;
}

__attribute__((noinline)) static struct page *alloc_block(unsigned int order) {
    if (order > PAGE_MAX_ORDER ||
        (!memory_is_above(MEMORY_USER, 1ul << order) && !memory_is_above(memory_class(), 1ul << order)))
        return NULL;
    unsigned long irq = spin_lock_irqsave(&lock);
    struct page *page = take_block(order);
    spin_unlock_irqrestore(&lock, irq);
    return page;
}

static struct page *alloc_single(void) {
    struct page *page = NULL;
    unsigned long irq = irq_save();
    struct page_cache *c = &caches[this_hart_id()];
    if (unlikely(!c->count))
        cache_fill(c);
    if (likely(c->count))
        page = c->pages[--c->count];
    irq_restore(irq);
    return page;
}

static void clear_block(struct page *page, unsigned int order) {
    char *at = page_address(page), *end = at + ((size_t)PAGE_SIZE << order);
    for (; at < end; at += PAGE_SIZE)
        page_clear(at);
}

struct page *page_alloc(unsigned int order, unsigned int flags) {
    if (alloc_must_fail())
        return NULL;
    struct page *page = likely(order == 0) ? alloc_single() : alloc_block(order);
    if (unlikely(!page)) {
        note_failure(order);
        return NULL;
    }
    DEBUG_ASSERT(!(page->flags & PAGE_FREE) && page->order == order);
    sanitize_block_taken(page, order);
    __atomic_store_n(&page->refs, 1, __ATOMIC_RELAXED);
    page->flags = 0;
    if (flags & ALLOC_ZERO)
        clear_block(page, order);
    return page;
}

__attribute__((noinline)) static void free_block(struct page *page) {
    unsigned long irq = spin_lock_irqsave(&lock);
    put_block(page, page->order);
    spin_unlock_irqrestore(&lock, irq);
}

void page_free(struct page *page) {
    DEBUG_ASSERT(!(page->flags & PAGE_FREE));
    if (page->flags & PAGE_ANON)
        memory_account(MEM_ANON, -1);
    else if (page->flags & PAGE_BORROWED)
        memory_account(MEM_RELEASED, 1);
    page->flags = 0;
    if (unlikely(page->order)) {
        free_block(page);
        return;
    }
    sanitize_block_freed(page, 0);
    page = sanitize_rest_page(page);
    if (SANITIZED && !page)
        return;
    unsigned long irq = irq_save();
    struct page_cache *c = &caches[this_hart_id()];
    if (unlikely(c->count == CACHE_SIZE))
        cache_drain(c);
    c->pages[c->count++] = page;
    irq_restore(irq);
}

void page_put_all(struct page **pages, unsigned int n) {
    long anon = 0;
    unsigned long irq = irq_save();
    struct page_cache *c = &caches[this_hart_id()];
    for (unsigned int i = 0; i < n; i++) {
        struct page *page = pages[i];
        if (__atomic_fetch_sub(&page->refs, 1, __ATOMIC_ACQ_REL) != 1)
            continue;
        if (unlikely(SANITIZED || page->order || page->flags & PAGE_BORROWED)) {
            page_free(page);
            continue;
        }
        anon += !!(page->flags & PAGE_ANON);
        page->flags = 0;
        if (unlikely(c->count == CACHE_SIZE))
            cache_drain(c);
        c->pages[c->count++] = page;
    }
    irq_restore(irq);
    if (anon)
        memory_account(MEM_ANON, -anon);
}

// ---- memory that was reserved

void page_donate(paddr_t start, size_t count) {
    uint64_t number = start >> PAGE_SHIFT, end = number + count;
    unsigned long irq = spin_lock_irqsave(&lock);
    while (number < end) {
        unsigned int order = order_at(number, end);
        if (phys_is_ram(number << PAGE_SHIFT)) {
            make_valid(number);
            put_block(phys_to_page(number << PAGE_SHIFT), order);
        }
        number += 1ull << order;
    }
    spin_unlock_irqrestore(&lock, irq);
}

static __attribute__((noinline)) struct page *claim_first(paddr_t pa) {
    unsigned long irq = spin_lock_irqsave(&lock);
    make_valid(pa >> PAGE_SHIFT);
    spin_unlock_irqrestore(&lock, irq);
    return phys_to_page(pa);
}

struct page *page_claim(paddr_t pa) {
    uint64_t chunk = pa / CHUNK_SIZE;
    bool valid = READ_ONCE(chunk_valid[chunk / 64]) >> chunk % 64 & 1;
    return likely(valid) ? phys_to_page(pa) : claim_first(pa);
}

#define SPARE_PAGES 1024ul // left to others while the largest piece is out

paddr_t memory_take_untouched(uint64_t *size) {
    struct range *best = NULL;
    unsigned long irq = spin_lock_irqsave(&lock);
    for (unsigned int i = 0; i < range_count; i++) {
        if (!best || ranges[i].end - ranges[i].start > best->end - best->start)
            best = &ranges[i];
    }
    uint64_t count = best ? best->end - best->start : 0;
    count -= MIN(SPARE_PAGES, count / 4);
    if (count) {
        best->end -= count;
        memory_level.free -= count;
        managed_pages -= count;
    }
    paddr_t base = count ? best->end << PAGE_SHIFT : 0;
    spin_unlock_irqrestore(&lock, irq);
    *size = count << PAGE_SHIFT;
    return base;
}

void memory_return_untouched(paddr_t base, uint64_t size) {
    struct range r = {base >> PAGE_SHIFT, (base + size) >> PAGE_SHIFT};
    if (!size)
        return;
    unsigned long irq = spin_lock_irqsave(&lock);
    bool listed = range_count < MAX_RANGES;
    managed_pages += r.end - r.start;
    if (listed) {
        ranges[range_count++] = r;
        memory_level.free += r.end - r.start;
    }
    spin_unlock_irqrestore(&lock, irq);
    if (!listed) // no place to note it down: page by page
        page_donate(base, size >> PAGE_SHIFT);
}

// ---- content

#define EIGHT(op, at)                                                                                        \
    op(at) op((at) + 1) op((at) + 2) op((at) + 3) op((at) + 4) op((at) + 5) op((at) + 6) op((at) + 7)
#define CLEAR(i) p[i] = 0;

// 64 words a round: about 530 instructions a page.
void page_clear(void *to) {
    typedef uint64_t __attribute__((may_alias)) word;
    word *p = to, *end = p + PAGE_SIZE / sizeof(word);
    do {
        EIGHT(CLEAR, 0)
        EIGHT(CLEAR, 8)
        EIGHT(CLEAR, 16)
        EIGHT(CLEAR, 24)
        EIGHT(CLEAR, 32)
        EIGHT(CLEAR, 40)
        EIGHT(CLEAR, 48)
        EIGHT(CLEAR, 56)
        p += 64;
    } while (p != end);
}

void page_copy(void *restrict to, const void *restrict from) {
    memcpy(to, from, PAGE_SIZE);
}

// ---- statistics

void memory_account(enum memory_kind kind, long pages) {
    __atomic_fetch_add(&accounts[this_hart_id()][kind], pages, __ATOMIC_RELAXED);
}

static uint64_t account_sum(enum memory_kind kind) {
    long sum = 0;
    for (unsigned int i = 0; i < hart_count; i++)
        sum += __atomic_load_n(&accounts[i][kind], __ATOMIC_RELAXED);
    return sum > 0 ? sum : 0;
}

uint64_t memory_total_pages(void) {
    return total_pages;
}

uint64_t memory_usable_pages(void) {
    return READ_ONCE(managed_pages) + account_sum(MEM_RELEASED);
}

void memory_set_levels(void) {
    uint64_t usable = memory_usable_pages();
    memory_level.tight = usable / TIGHT_PART;
    memory_level.low = MIN(MAX(usable / LOW_PART, LOW_MIN), LOW_MAX);
    kstack_keep(usable / KSTACK_PART);
}

uint64_t memory_free_pages(void) {
    uint64_t n = READ_ONCE(memory_level.free);
    for (unsigned int i = 0; i < hart_count; i++)
        n += READ_ONCE(caches[i].count);
    return n;
}

void memory_get_stats(struct memory_stats *out) {
    *out = (struct memory_stats){
        .total = total_pages,
        .free = memory_free_pages(),
        .cache = account_sum(MEM_CACHE),
        .dirty = account_sum(MEM_DIRTY),
        .slab = account_sum(MEM_SLAB),
        .page_tables = account_sum(MEM_PAGE_TABLES),
        .kernel_stacks = account_sum(MEM_STACKS),
        .anon = account_sum(MEM_ANON),
        .committed = account_sum(MEM_COMMITTED),
        .borrowed = account_sum(MEM_BORROWED),
        .adopted = account_sum(MEM_ADOPTED),
        .copied = account_sum(MEM_COPIED),
        .released = account_sum(MEM_RELEASED),
    };
}

// ---- boot

// Device trees may give one bank in pieces.
void memory_add_bank(paddr_t base, uint64_t size) {
    paddr_t first = ALIGN_UP(base, (paddr_t)PAGE_SIZE), end = ALIGN_DOWN(base + size, (paddr_t)PAGE_SIZE);
    if (end <= first)
        return;
    total_pages += (end - first) >> PAGE_SHIFT;
    for (unsigned int i = 0; i < bank_count; i++) {
        if (memory_banks[i].base + memory_banks[i].size == first) {
            memory_banks[i].size += end - first;
            return;
        }
    }
    if (bank_count == MAX_BANKS)
        panic("memory: more than %d banks", MAX_BANKS);
    memory_banks[bank_count++] = (struct memory_bank){.base = first, .size = end - first};
}

// Keeps `reserved` sorted and its ranges apart.
void memory_reserve(paddr_t base, uint64_t size) {
    struct range r = {base >> PAGE_SHIFT, ALIGN_UP(base + size, (uint64_t)PAGE_SIZE) >> PAGE_SHIFT};
    unsigned int i = 0;
    if (!size)
        return;
    while (i < reserved_count && reserved[i].end < r.start)
        i++;
    unsigned int last = i;
    for (; last < reserved_count && reserved[last].start <= r.end; last++) {
        r.start = MIN(r.start, reserved[last].start);
        r.end = MAX(r.end, reserved[last].end);
    }
    if (last == i && reserved_count == MAX_RANGES)
        panic("memory: more than %d reserved ranges", MAX_RANGES);
    memmove(&reserved[i + 1], &reserved[last], (reserved_count - last) * sizeof(r));
    reserved_count += 1 + i - last;
    reserved[i] = r;
}

void memory_withhold(paddr_t base, uint64_t size) {
    memory_reserve(base, size);
    total_pages -= size >> PAGE_SHIFT;
}

static void add_range(uint64_t start, uint64_t end) {
    if (start >= end)
        return;
    if (range_count == MAX_RANGES)
        panic("memory: more than %d free ranges", MAX_RANGES);
    ranges[range_count++] = (struct range){start, end};
    memory_level.free += end - start;
}

static void add_free_ranges(const struct memory_bank *b) {
    uint64_t at = b->base >> PAGE_SHIFT, end = (b->base + b->size) >> PAGE_SHIFT;
    for (unsigned int i = 0; i < reserved_count; i++) {
        if (reserved[i].end <= at || reserved[i].start >= end)
            continue;
        add_range(at, reserved[i].start);
        at = reserved[i].end;
    }
    add_range(at, end);
}

// Takes room for the descriptors of one bank, of whole chunks, from the end of a free range.
static void place_descriptors(struct memory_bank *b) {
    paddr_t end = ALIGN_UP(b->base + b->size, CHUNK_SIZE);
    b->base = ALIGN_DOWN(b->base, CHUNK_SIZE);
    b->size = end - b->base;
    for (struct memory_bank *other = memory_banks; other < b; other++) {
        if (b->base < other->base + other->size && other->base < b->base + b->size)
            panic("memory: the banks at 0x%lx and 0x%lx are too close to each other",
                  (unsigned long)other->base, (unsigned long)b->base);
    }
    uint64_t need =
        ALIGN_UP((b->size >> PAGE_SHIFT) * sizeof(struct page), (uint64_t)PAGE_SIZE) >> PAGE_SHIFT;
    for (unsigned int i = range_count; i-- > 0;) {
        if (ranges[i].end - ranges[i].start < need)
            continue;
        ranges[i].end -= need;
        memory_level.free -= need;
        b->descriptors = phys_to_virt(ranges[i].end << PAGE_SHIFT);
        return;
    }
    panic("memory: no room for the descriptors of %lu MiB", (unsigned long)(b->size >> 20));
}

void memory_init(void) {
    if (!bank_count)
        panic("memory: there is none");
    for (unsigned int i = 0; i <= PAGE_MAX_ORDER; i++)
        list_init(&free_lists[i]);
    for (unsigned int i = 0; i < bank_count; i++)
        add_free_ranges(&memory_banks[i]);
    for (unsigned int i = 0; i < bank_count; i++)
        place_descriptors(&memory_banks[i]);
    managed_pages = memory_level.free;
}
