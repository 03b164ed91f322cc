// SPDX-License-Identifier: MIT
// Small objects. A slab is a block of pages cut into objects of one size; its first page's descriptor holds
// the list of its free objects. Each hart keeps a magazine of free objects a cache, filled and emptied by
// halves, so that most calls touch nothing shared.
//
// Debug builds fill free objects with a pattern and look at it when they are given out: a write after free,
// or an object that is freed twice, ends in a panic that names the cache.
//
// Locks: a cache's lock for its slabs; a magazine is used with interrupts disabled.
#include "mm/slab.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/string.h"
#include "mm/fail_alloc.h"
#include "mm/page.h"
#include "mm/sanitize.h"

#define MAX_CACHES     64
#define MAGAZINE       16
#define SLAB_MIN_FIT   8 // objects a slab shall hold, if that takes no more than 8 pages
#define SLAB_MAX_ORDER 3

#define POISON 0x6b6b6b6b6b6b6b6bull // in debug builds

struct magazine {
    unsigned long count;
    void *objects[MAGAZINE];
};

struct slab_cache {
    const char *name;
    size_t size;   // [I] of an object, alignment (and in sanitized kernels a red zone) included
    size_t usable; // [I] of that, the owner's
    unsigned int order, per_slab; // [I]
    struct magazine *magazines;   // [I] one for each hart
    struct spinlock lock;
    struct list_head partial; // [lock] slabs with free objects
    unsigned int empty;       // [lock] of them: without any object in use
    unsigned long slabs, max; // [lock] in all; how many there may be, 0: any number
#ifdef CONFIG_SANITIZE
    struct sanitize_rest rest; // [lock]
#endif
};

static struct slab_cache slab_caches[MAX_CACHES];
static unsigned int cache_count;

// kmalloc()'s sizes, and for each multiple of 16 the cache that serves it.
static const uint16_t class_sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048};
static const char *const class_names[] = {"kmalloc-16",   "kmalloc-32",  "kmalloc-48",  "kmalloc-64",
                                          "kmalloc-96",   "kmalloc-128", "kmalloc-192", "kmalloc-256",
                                          "kmalloc-384",  "kmalloc-512", "kmalloc-768", "kmalloc-1024",
                                          "kmalloc-1536", "kmalloc-2048"};
static struct slab_cache *classes[ARRAY_SIZE(class_sizes)];
static uint8_t class_of[2048 / 16 + 1];

// Magazines live as long as the kernel: cut from whole pages.
static void *magazines_alloc(void) {
    static char *at;
    static size_t left;
    size_t n = ALIGN_UP(sizeof(struct magazine) * hart_count, 64ul);
    if (n > left) {
        unsigned int order = 0;
        while (((size_t)PAGE_SIZE << order) < n)
            order++;
        struct page *page = page_alloc(order, ALLOC_ZERO);
        if (!page)
            return NULL;
        at = page_address(page);
        left = (size_t)PAGE_SIZE << order;
    }
    at += n;
    left -= n;
    return at - n;
}

struct slab_cache *slab_create(const char *name, size_t size, size_t align) {
    ASSERT(cache_count < MAX_CACHES && size <= (PAGE_SIZE << SLAB_MAX_ORDER));
    struct slab_cache *c = &slab_caches[cache_count];
    c->name = name;
    c->usable = MAX(size, 16ul);
    c->size = ALIGN_UP(c->usable + SANITIZE_RED_ZONE, MAX(align, 16ul));
    while (c->order < SLAB_MAX_ORDER && ((size_t)PAGE_SIZE << c->order) / c->size < SLAB_MIN_FIT)
        c->order++;
    c->per_slab = ((size_t)PAGE_SIZE << c->order) / c->size;
    list_init(&c->partial);
    c->magazines = magazines_alloc();
    if (!c->magazines)
        return NULL;
    cache_count++;
    return c;
}

void slab_set_limit(struct slab_cache *c, unsigned long objects) {
    WRITE_ONCE(c->max, MAX(objects / c->per_slab, 1ul));
}

bool slab_is_full(const struct slab_cache *c) {
    unsigned long max = READ_ONCE(c->max);
    return max && READ_ONCE(c->slabs) >= max;
}

unsigned long slab_room(const struct slab_cache *c) {
    return READ_ONCE(c->slabs) * c->per_slab;
}

static struct page *slab_of(const struct slab_cache *c, const void *object) {
    return phys_to_page(virt_to_phys(object) & ~(((paddr_t)PAGE_SIZE << c->order) - 1));
}

static struct page *slab_make(struct slab_cache *c) {
    bool full = c->max && c->slabs >= c->max && memory_class() == MEMORY_USER;
    struct page *slab = full ? NULL : page_alloc(c->order, 0);
    if (!slab)
        return NULL;
#ifdef CONFIG_DEBUG
    memset(page_address(slab), POISON & 0xff, c->per_slab * c->size);
#endif
    slab->freelist = NULL;
    slab->fresh = c->per_slab;
    slab->inuse = 0;
    for (unsigned int i = 0; i < 1u << c->order; i++) {
        slab[i].flags = PAGE_SLAB;
        slab[i].cache = c - slab_caches;
    }
    memory_account(MEM_SLAB, 1l << c->order);
    list_add(&slab->link, &c->partial);
    c->empty++;
    c->slabs++;
    return slab;
}

static bool has_objects(const struct page *slab) {
    return slab->freelist || slab->fresh;
}

// Moves up to `want` objects of a slab into the magazine.
static void take_objects(struct slab_cache *c, struct page *slab, struct magazine *m, unsigned int want) {
    unsigned int before = m->count;
    for (; slab->freelist && want; want--) {
        m->objects[m->count++] = slab->freelist;
        slab->freelist = *(void **)slab->freelist;
    }
    char *object = page_address(slab) + (c->per_slab - slab->fresh) * c->size;
    unsigned int fresh = MIN(want, slab->fresh);
    for (unsigned int i = 0; i < fresh; i++, object += c->size)
        m->objects[m->count++] = object;
    slab->fresh -= fresh;
    slab->inuse += m->count - before;
}

static void refill(struct slab_cache *c, struct magazine *m) {
    spin_lock(&c->lock);
    while (m->count < MAGAZINE / 2) {
        struct page *slab =
            list_empty(&c->partial) ? slab_make(c) : list_first_entry(&c->partial, struct page, link);
        if (!slab)
            break;
        if (slab->inuse == 0)
            c->empty--;
        take_objects(c, slab, m, MAGAZINE / 2 - m->count);
        if (!has_objects(slab))
            list_del(&slab->link);
    }
    spin_unlock(&c->lock);
}

// The slab, which nobody uses, is no longer in `partial`.
static void slab_discard(struct slab_cache *c, struct page *slab) {
    c->slabs--;
    memory_account(MEM_SLAB, -(1l << c->order));
    for (unsigned int i = 1; i < 1u << c->order; i++)
        slab[i].flags = 0;
    page_free(slab);
}

// Free objects are linked through their first word.
static void give_back(struct slab_cache *c, void *object) {
    struct page *slab = slab_of(c, object);
    if (!has_objects(slab))
        list_add(&slab->link, &c->partial);
    *(void **)object = slab->freelist;
    slab->freelist = object;
    if (--slab->inuse)
        return;
    if (c->empty == 0) {
        c->empty = 1; // one is kept
        return;
    }
    list_del(&slab->link);
    slab_discard(c, slab);
}

static void drain(struct slab_cache *c, struct magazine *m) {
    spin_lock(&c->lock);
    while (m->count > MAGAZINE / 2)
        give_back(c, m->objects[--m->count]);
    spin_unlock(&c->lock);
}

static void discard_empty_locked(struct slab_cache *c) {
    ASSERT_HELD(&c->lock);
    struct page *slab, *next;
    list_for_each_entry_safe (slab, next, &c->partial, link) {
        if (c->empty == 0)
            break;
        if (slab->inuse == 0) {
            c->empty--;
            list_del(&slab->link);
            slab_discard(c, slab);
        }
    }
}

void slab_trim(void) {
    for (unsigned int i = 0; i < cache_count; i++) {
        struct slab_cache *c = &slab_caches[i];
        unsigned long flags = spin_lock_irqsave(&c->lock);
        struct magazine *m = &c->magazines[this_hart_id()];
        while (m->count)
            give_back(c, m->objects[--m->count]);
        discard_empty_locked(c);
        spin_unlock_irqrestore(&c->lock, flags);
    }
}

#ifdef CONFIG_DEBUG
// The first word links free objects, so the pattern begins behind it.
static bool is_poisoned(const struct slab_cache *c, const uint64_t *word) {
    for (size_t i = 1; i < c->size / sizeof(*word); i++) {
        if (word[i] != POISON)
            return false;
    }
    return true;
}

static void note_freed(const struct slab_cache *c, uint64_t *word) {
    const struct page *slab = slab_of(c, word);
    if (!(slab->flags & PAGE_SLAB) || &slab_caches[slab->cache] != c)
        panic("slab: 0x%lx is freed to cache %s, but is not its own", (unsigned long)word, c->name);
    if (is_poisoned(c, word))
        panic("slab: 0x%lx of cache %s is freed twice", (unsigned long)word, c->name);
#ifdef CONFIG_SANITIZE
    if (!sanitize_object_intact(word, c->size))
        panic("slab: 0x%lx of cache %s was written behind its end", (unsigned long)word, c->name);
#endif
    for (size_t i = 1; i < c->size / sizeof(*word); i++)
        word[i] = POISON;
}

static void note_taken(const struct slab_cache *c, uint64_t *word, size_t size) {
    if (!word)
        return;
    if (!is_poisoned(c, word))
        panic("slab: 0x%lx of cache %s was written after it was freed", (unsigned long)word, c->name);
    word[1] = ~POISON; // freed twice is told from freed unwritten
    sanitize_object_taken(word, size, c->size);
}
#else
#define note_freed(c, object)       ((void)0)
#define note_taken(c, object, size) ((void)0)
#endif

// The magazine was empty. Not part of alloc(), which keeps no registers for the sake of this.
__attribute__((noinline)) static void *alloc_refilled(struct slab_cache *c, size_t size) {
    void *object = NULL;
    unsigned long flags = irq_save();
    struct magazine *m = &c->magazines[this_hart_id()];
    if (!m->count)
        refill(c, m);
    if (m->count)
        object = m->objects[--m->count];
    irq_restore(flags);
    note_taken(c, object, size);
    return object;
}

static inline void *alloc(struct slab_cache *c, size_t size) {
    if (alloc_must_fail())
        return NULL;
    unsigned long flags = irq_save();
    struct magazine *m = &c->magazines[this_hart_id()];
    if (unlikely(!m->count)) {
        irq_restore(flags);
        return alloc_refilled(c, size);
    }
    void *object = m->objects[--m->count];
    irq_restore(flags);
    note_taken(c, object, size);
    return object;
}

void *slab_alloc(struct slab_cache *c) {
    return alloc(c, c->usable);
}

void *slab_zalloc(struct slab_cache *c) {
    void *object = slab_alloc(c);
    if (object)
        memset(object, 0, c->usable);
    return object;
}

// The magazine was full.
__attribute__((noinline)) static void free_drained(struct slab_cache *c, void *object) {
    unsigned long flags = irq_save();
    struct magazine *m = &c->magazines[this_hart_id()];
    if (m->count == MAGAZINE)
        drain(c, m);
    m->objects[m->count++] = object;
    irq_restore(flags);
}

void slab_free(struct slab_cache *c, void *object) {
    if (!object)
        return;
    note_freed(c, object);
#ifdef CONFIG_SANITIZE
    unsigned long rest_flags = spin_lock_irqsave(&c->lock);
    object = sanitize_rest_object(&c->rest, object);
    spin_unlock_irqrestore(&c->lock, rest_flags);
    if (!object)
        return;
#endif
    unsigned long flags = irq_save();
    struct magazine *m = &c->magazines[this_hart_id()];
    if (unlikely(m->count == MAGAZINE)) {
        irq_restore(flags);
        free_drained(c, object);
        return;
    }
    m->objects[m->count++] = object;
    irq_restore(flags);
}

bool slab_get_stats(unsigned int i, struct slab_stats *out) {
    if (i >= cache_count)
        return false;
    struct slab_cache *c = &slab_caches[i];
    struct page *slab;
    unsigned long idle = 0;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    list_for_each_entry (slab, &c->partial, link)
        idle += c->per_slab - slab->inuse;
    for (unsigned int hart = 0; hart < hart_count; hart++)
        idle += READ_ONCE(c->magazines[hart].count);
    *out = (struct slab_stats){c->name, c->size, c->per_slab, c->order, c->slabs, 0};
    spin_unlock_irqrestore(&c->lock, flags);
    out->active = out->slabs * c->per_slab - MIN(idle, out->slabs * c->per_slab);
    return true;
}

// ---- kmalloc

static unsigned int order_for(size_t size) {
    unsigned int order = 0;
    while (((size_t)PAGE_SIZE << order) < size)
        order++;
    return order;
}

__attribute__((noinline)) static void *alloc_pages(size_t size) {
    struct page *page = size <= ((size_t)PAGE_SIZE << PAGE_MAX_ORDER) ? page_alloc(order_for(size), 0) : NULL;
    return page ? page_address(page) : NULL;
}

void *kmalloc(size_t size) {
    return likely(size <= 2048) ? alloc(classes[class_of[(size + 15) / 16]], size) : alloc_pages(size);
}

void *kzalloc(size_t size) {
    void *p = kmalloc(size);
    if (p)
        memset(p, 0, size);
    return p;
}

void kfree(void *p) {
    if (!p)
        return;
    struct page *page = phys_to_page(virt_to_phys(p));
    if (page->flags & PAGE_SLAB)
        slab_free(&slab_caches[page->cache], p);
    else
        page_put(page);
}

void *krealloc(void *p, size_t old_size, size_t new_size) {
    void *q = kmalloc(new_size);
    if (q && p) {
        memcpy(q, p, MIN(old_size, new_size));
        kfree(p);
    }
    return q;
}

char *kstrndup(const char *s, size_t n) {
    n = strnlen(s, n);
    char *copy = kmalloc(n + 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

void slab_init(void) {
    unsigned int c = 0;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        classes[i] = slab_create(class_names[i], class_sizes[i], 16);
        if (!classes[i])
            panic("slab: no memory at boot");
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(class_of); i++) {
        while (i * 16 > class_sizes[c])
            c++;
        class_of[i] = c;
    }
}
