// SPDX-License-Identifier: MIT
// Patterns, red zones and quarantine: see sanitize.h.
#include "mm/sanitize.h"
#include "core/panic.h"
#include "core/spinlock.h"
#include "lib/string.h"

#ifdef CONFIG_SANITIZE

#define FREE_PAGE 0xaaaaaaaaaaaaaaaaull
#define RED       0xbb

static struct spinlock rest_lock = SPINLOCK_INIT; // taken with interrupts disabled
static struct page *resting[SANITIZE_PAGES];      // [rest_lock]
static unsigned int next_resting;                 // [rest_lock]

void sanitize_block_freed(struct page *page, unsigned int order) {
    memset(page_address(page), FREE_PAGE & 0xff, (size_t)PAGE_SIZE << order);
}

void sanitize_block_taken(struct page *page, unsigned int order) {
    const uint64_t *word = page_address(page);
    for (size_t i = 0; i < ((size_t)PAGE_SIZE << order) / sizeof(*word); i++) {
        if (word[i] != FREE_PAGE)
            panic("page: 0x%lx was written after it was freed: 0x%lx", (unsigned long)&word[i],
                  (unsigned long)word[i]);
    }
}

struct page *sanitize_rest_page(struct page *page) {
    unsigned long flags = spin_lock_irqsave(&rest_lock);
    unsigned int at = next_resting++ % SANITIZE_PAGES;
    struct page *out = resting[at];
    resting[at] = page;
    spin_unlock_irqrestore(&rest_lock, flags);
    return out;
}

static size_t *size_of(const void *object, size_t slot) {
    return (size_t *)((char *)object + slot - sizeof(size_t));
}

void sanitize_object_taken(void *object, size_t size, size_t slot) {
    memset((char *)object + size, RED, slot - sizeof(size_t) - size);
    *size_of(object, slot) = size;
}

bool sanitize_object_intact(const void *object, size_t slot) {
    const unsigned char *bytes = object;
    size_t size = *size_of(object, slot);
    if (size > slot - SANITIZE_RED_ZONE)
        return false;
    for (size_t i = size; i < slot - sizeof(size_t); i++) {
        if (bytes[i] != RED)
            return false;
    }
    return true;
}

void *sanitize_rest_object(struct sanitize_rest *rest, void *object) {
    unsigned int at = rest->next++ % SANITIZE_OBJECTS;
    void *out = rest->objects[at];
    rest->objects[at] = object;
    return out;
}

#endif
