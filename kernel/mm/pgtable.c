// SPDX-License-Identifier: MIT
// Page tables of user address spaces: see pgtable.h for the words.
//
// Each hart keeps some empty tables, and some empty roots, which have the kernel's entries already. The
// kernel is not preempted and interrupts do not come here, so they need no lock.
#include "mm/pgtable.h"
#include "arch/riscv/cpu.h"
#include "core/panic.h"

#define GROUP     8 // entries
#define KEEP      24
#define KEEP_ROOT 8
#define L1_SPAN   (1ul << 30)

struct table_cache {
    unsigned int tables, roots;
    pte_t *table[KEEP];
    pte_t *root[KEEP_ROOT];
};
static struct table_cache caches[MAX_HARTS];

static unsigned int index_of(unsigned long va, unsigned int level) {
    return va >> (PAGE_SHIFT + 9 * level) & (PT_ENTRIES - 1);
}

static inline pte_t *table_of(pte_t pte) {
    return phys_to_virt(pte_phys(pte));
}

// The descriptor of the table that an entry leads to.
static inline struct page *below(pte_t pte) {
    return phys_to_page(pte_phys(pte));
}

static inline struct page *descriptor(const pte_t *table) {
    return phys_to_page((paddr_t)table - DIRECT_BASE);
}

static uint64_t group_bit(unsigned int index) {
    return 1ull << index / GROUP;
}

// The number of the lowest bit of x, which is not 0.
static unsigned int lowest(uint64_t x) {
    unsigned int n = 0;
    for (; !(x & 0xff); x >>= 8)
        n += 8;
    for (; !(x & 1); x >>= 1)
        n++;
    return n;
}

// ---- tables

__attribute__((noinline)) static pte_t *table_new(void) {
    struct page *page = page_alloc(0, ALLOC_ZERO);
    if (!page)
        return NULL;
    page->flags = PAGE_TABLE;
    page->groups = page->index = 0;
    memory_account(MEM_PAGE_TABLES, 1);
    return page_address(page);
}

static pte_t *table_alloc(void) {
    struct table_cache *c = &caches[this_hart_id()];
    return likely(c->tables) ? c->table[--c->tables] : table_new();
}

__attribute__((noinline)) static void table_discard(pte_t *table) {
    memory_account(MEM_PAGE_TABLES, -1);
    page_free(descriptor(table));
}

// The table is empty.
static void table_free(pte_t *table) {
    struct table_cache *c = &caches[this_hart_id()];
    if (likely(c->tables < KEEP))
        c->table[c->tables++] = table;
    else
        table_discard(table);
}

pte_t *pt_create(void) {
    struct table_cache *c = &caches[this_hart_id()];
    if (likely(c->roots))
        return c->root[--c->roots];
    pte_t *root = table_new();
    if (root)
        arch_copy_kernel_mappings(root);
    return root;
}

static void root_free(pte_t *root) {
    struct table_cache *c = &caches[this_hart_id()];
    if (likely(c->roots < KEEP_ROOT))
        c->root[c->roots++] = root;
    else
        table_discard(root);
}

void pt_discard_kept(void) {
    struct table_cache *c = &caches[this_hart_id()];
    while (c->tables)
        table_discard(c->table[--c->tables]);
    while (c->roots)
        table_discard(c->root[--c->roots]);
}

// ---- finding

pte_t *pt_find(pte_t *root, unsigned long va) {
    pte_t e2 = root[index_of(va, 2)];
    pte_t e1 = e2 ? table_of(e2)[index_of(va, 1)] : 0;
    return e1 ? &table_of(e1)[index_of(va, 0)] : NULL;
}

// Fills entry `index` of `table` with a new table. False: no memory.
__attribute__((noinline)) static bool extend(pte_t *root, pte_t *table, unsigned int index) {
    pte_t *new = table_alloc();
    if (!new)
        return false;
    descriptor(root)->index++;
    descriptor(table)->groups |= group_bit(index);
    table[index] = pte_make(virt_to_phys(new), PTE_V);
    return true;
}

// The entry of va in the lowest table that e1 leads to, whose group counts as used from now on.
static inline pte_t *use_entry(pte_t e1, unsigned long va) {
    unsigned int i0 = index_of(va, 0);
    below(e1)->groups |= group_bit(i0);
    return &table_of(e1)[i0];
}

__attribute__((noinline)) static pte_t *make_tables(pte_t *root, unsigned long va) {
    unsigned int i2 = index_of(va, 2), i1 = index_of(va, 1);
    if (!root[i2] && !extend(root, root, i2))
        return NULL;
    pte_t *l1 = table_of(root[i2]);
    if (!l1[i1] && !extend(root, l1, i1))
        return NULL;
    return use_entry(l1[i1], va);
}

pte_t *pt_make(pte_t *root, unsigned long va) {
    pte_t e2 = root[index_of(va, 2)];
    pte_t e1 = e2 ? table_of(e2)[index_of(va, 1)] : 0;
    return likely(e1) ? use_entry(e1, va) : make_tables(root, va);
}

// Goes to the next used group; there is one.
static inline bool enter_group(struct pt_run *r) {
    while (!(r->groups & 1)) {
        unsigned int step = r->groups & 0xff ? 1 : 8;
        r->groups >>= step;
        r->group += step;
    }
    pte_t *group = r->table + r->group * GROUP;
    r->groups >>= 1;
    r->group++;
    r->at = MAX(group, r->first);
    r->stop = MIN(group + GROUP, r->last + 1);
    return true;
}

// Goes to the first used group of the next table that has one in the range. False: there is none.
__attribute__((noinline)) static bool enter_table(struct pt_run *r) {
    while (r->next < r->end) {
        unsigned long va = r->next;
        pte_t e2 = r->root[index_of(va, 2)];
        if (!e2) {
            r->next = ALIGN_DOWN(va, L1_SPAN) + L1_SPAN;
            continue;
        }
        r->base = ALIGN_DOWN(va, PT_SPAN);
        r->next = r->base + PT_SPAN;
        pte_t e1 = table_of(e2)[index_of(va, 1)];
        if (!e1)
            continue;
        unsigned int first = index_of(va, 0),
                     last = (MIN(r->end, r->next) - PAGE_SIZE - r->base) >> PAGE_SHIFT;
        uint64_t groups = below(e1)->groups & ~0ull >> (63 - last / GROUP);
        r->group = first / GROUP;
        r->groups = groups >> r->group;
        r->table = table_of(e1);
        r->first = r->table + first;
        r->last = r->table + last;
        if (r->groups)
            return enter_group(r);
    }
    return false;
}

bool pt_run_advance(struct pt_run *r) {
    if (r->groups)
        return enter_group(r);
    return r->next < r->end && enter_table(r);
}

// ---- taking apart

static bool group_empty(const pte_t *table, unsigned int group) {
    const pte_t *p = table + group * GROUP;
    return !(p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]);
}

// Entry `index` is empty now: is its group, and the table?
static bool drop_group(pte_t *table, unsigned int index) {
    struct page *d = descriptor(table);
    if (group_empty(table, index / GROUP))
        d->groups &= ~group_bit(index);
    return !d->groups;
}

static void unhook(pte_t *table, unsigned int index, struct list_head *freed) {
    list_add(&descriptor(table_of(table[index]))->link, freed);
    table[index] = 0;
}

// The lowest table that covers [start, end), all of it below one entry of l1.
static bool trim_lowest(pte_t *table, unsigned long start, unsigned long end) {
    struct page *d = descriptor(table);
    unsigned int first = index_of(start, 0) / GROUP, last = index_of(end - PAGE_SIZE, 0) / GROUP;
    uint64_t mask = (~0ull << first) & (~0ull >> (63 - last)) & d->groups;
    while (mask) {
        unsigned int group = lowest(mask);
        mask &= mask - 1;
        if (group_empty(table, group))
            d->groups &= ~(1ull << group);
    }
    return !d->groups;
}

void pt_trim(pte_t *root, unsigned long start, unsigned long end, struct list_head *freed) {
    while (start < end) {
        unsigned int i2 = index_of(start, 2), i1 = index_of(start, 1);
        if (!root[i2]) {
            start = ALIGN_DOWN(start, L1_SPAN) + L1_SPAN;
            continue;
        }
        pte_t *l1 = table_of(root[i2]);
        unsigned long stop = MIN(end, ALIGN_DOWN(start, PT_SPAN) + PT_SPAN);
        if (l1[i1] && trim_lowest(table_of(l1[i1]), start, stop)) {
            unhook(l1, i1, freed);
            descriptor(root)->index--;
            if (drop_group(l1, i1)) {
                unhook(root, i2, freed);
                descriptor(root)->index--;
                drop_group(root, i2);
            }
        }
        start = stop;
    }
}

void pt_release(struct list_head *freed) {
    while (!list_empty(freed)) {
        struct page *d = list_first_entry(freed, struct page, link);
        list_del(&d->link);
        d->groups = 0;
        table_free(page_address(d));
    }
}

// Calls fn for all entries in use of a table, which is empty afterwards.
static inline __attribute__((always_inline)) void
empty_table(pte_t *table, struct page *d, void (*fn)(pte_t pte, void (*pause)(void)), void (*pause)(void)) {
    uint64_t groups = d->groups;
    d->groups = 0;
    for (pte_t *group = table; groups; group += GROUP, groups >>= 1) {
        while (!(groups & 0xff)) {
            groups >>= 8;
            group += 8 * GROUP;
        }
        if (!(groups & 1))
            continue;
        for (pte_t *p = group; p < group + GROUP; p++) {
            if (*p) {
                fn(*p, pause);
                *p = 0;
            }
        }
    }
}

static inline void drop_page(pte_t pte, void (*pause)(void)) {
    (void)pause;
    if (!(pte & PTE_SPECIAL))
        page_put(phys_to_page(pte_phys(pte)));
}

static void drop_l0(pte_t pte, void (*pause)(void)) {
    empty_table(table_of(pte), below(pte), drop_page, NULL);
    table_free(table_of(pte));
    pause();
}

static void drop_l1(pte_t pte, void (*pause)(void)) {
    empty_table(table_of(pte), below(pte), drop_l0, pause);
    table_free(table_of(pte));
}

void pt_destroy(pte_t *root, void (*pause)(void)) {
    empty_table(root, descriptor(root), drop_l1, pause);
    descriptor(root)->index = 0;
    root_free(root);
}
