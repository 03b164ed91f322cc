// SPDX-License-Identifier: MIT
// Page tables of user address spaces: Sv39, three levels of 512 entries. A leaf entry is 0 (nothing here), or
// holds a page, on which it has a reference unless PTE_SPECIAL is set; one without PTE_V remembers a page
// that may not be accessed now.
//
// The descriptor of each table has a bit for each *group* of 8 entries (page->groups), set when an entry of
// the group is given out to be filled. So sparse tables are walked, copied and freed without looking at 512
// entries, and a table without groups is empty, hence all zeros, and kept for the next user without being
// cleared again.
//
// Who uses a table holds the lock of its address space. Nothing here drops translations.
#pragma once
#include "mm/page.h"

#define PT_ENTRIES 512
#define PT_SPAN    (1ul << 21) // of the addresses of one lowest table

// A root whose upper half is the kernel's. NULL: no memory.
pte_t *__must_check pt_create(void);
void pt_discard_kept(void); // gives back what this hart keeps for the next to come
// How many tables it has, itself included.
static inline unsigned long pt_count(const pte_t *root) {
    return phys_to_page((paddr_t)root - DIRECT_BASE)->index + 1;
}
// Drops the references of all leaves and frees the tables. No hart may use it any more. Calls `pause`, which may
// sleep, after each table.
void pt_destroy(pte_t *root, void (*pause)(void));
// The leaf entry of va; NULL if there is no table for it. It must not be filled if it is empty.
pte_t *pt_find(pte_t *root, unsigned long va);
// The same, making the tables; the entry may be filled, and those that follow it within its group of 8. NULL:
// no memory.
pte_t *pt_make(pte_t *root, unsigned long va);
// Takes tables that are empty after the leaves of [start, end) were cleared out of the tree and puts them on
// `freed`, for pt_release() once no hart can walk them any more.
void pt_trim(pte_t *root, unsigned long start, unsigned long end, struct list_head *freed);
void pt_release(struct list_head *freed);

// A pass over the entries in use of a range:
//   pt_run_init(&r, root, start, end);
//   while ((pte = pt_run_next(&r))) ... pt_run_va(&r, pte) ...
// The entry may be changed or cleared in the body, and entries outside the range be filled.
struct pt_run {
    pte_t *root;
    pte_t *at, *stop;        // what is left of the current group
    pte_t *table;            // the current one,
    unsigned long base;      // the address of its first entry,
    pte_t *first, *last;     // its entries that are in the range,
    uint64_t groups;         // and its groups still to look at: bit 0 is
    unsigned int group;      // this one
    unsigned long next, end; // addresses still to look at
};
static inline void pt_run_init(struct pt_run *r, pte_t *root, unsigned long start, unsigned long end) {
    r->root = root;
    r->at = r->stop = NULL;
    r->groups = 0;
    r->next = start;
    r->end = end;
}
bool pt_run_advance(struct pt_run *r);
static inline pte_t *pt_run_next(struct pt_run *r) {
    for (;;) {
        while (r->at < r->stop) {
            pte_t *pte = r->at++;
            if (*pte)
                return pte;
        }
        if (!pt_run_advance(r))
            return NULL;
    }
}
static inline unsigned long pt_run_va(const struct pt_run *r, const pte_t *pte) {
    return r->base + (((unsigned long)pte & PAGE_MASK) / sizeof(pte_t) << PAGE_SHIFT);
}
