// SPDX-License-Identifier: MIT
// Kernel stacks, in a part of the address space of their own. Each has a slot of twice its size, aligned to
// that, and lies in its upper half; the lower half is never mapped, so a stack that runs over faults, and the
// trap entry can tell by one bit of sp.
//
// A freed stack stays mapped for the next thread, up to FREE_MAX of them; more are unmapped on all harts and
// their pages given back.
#include "arch/riscv/cpu.h"
#include "arch/riscv/mmu.h"
#include "arch/riscv/sbi.h"
#include "core/spinlock.h"
#include "mm/page.h"

#define SLOT        (2ul * KSTACK_SIZE)
#define SLOTS       ((1ul << 30) / SLOT)
#define PAGES       (KSTACK_SIZE / PAGE_SIZE)
#define MIB2        (1ul << 21)
#define FREE_MAX    64
#define STACK_FLAGS (PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D)

static struct spinlock lock;
static void *cached[FREE_MAX];          // [lock] mapped and free
static unsigned int cached_count;       // [lock]
static uint64_t slots_used[SLOTS / 64]; // [lock] bit set: mapped
static unsigned int first_free_word;    // [lock] no free slot in lower words

static pte_t *entry_of(unsigned long va, bool make) {
    pte_t *l1 = &kernel_stacks_table[(va - STACKS_BASE) / MIB2];
    if (!*l1) {
        struct page *table = make ? page_alloc(0, ALLOC_ZERO) : NULL;
        if (!table)
            return NULL;
        *l1 = pte_make(page_to_phys(table), PTE_V);
    }
    return (pte_t *)phys_to_virt(pte_phys(*l1)) + (va >> PAGE_SHIFT & 511);
}

static void *slot_stack(unsigned long slot) {
    return (void *)(STACKS_BASE + slot * SLOT + KSTACK_SIZE);
}

// Pages are given back only when no hart can reach them through an old translation.
static void unmap(void *stack) {
    struct page *pages[PAGES];
    unsigned int n = 0;
    for (unsigned int i = 0; i < PAGES; i++) {
        pte_t *pte = entry_of((unsigned long)stack + i * PAGE_SIZE, false);
        if (pte && *pte) {
            pages[n++] = phys_to_page(pte_phys(*pte));
            *pte = 0;
        }
    }
    sbi_remote_sfence_vma(hart_count == 64 ? ~0ull : (1ull << hart_count) - 1, (unsigned long)stack,
                          KSTACK_SIZE);
    while (n)
        page_put(pages[--n]);
}

static bool map(void *stack) {
    for (unsigned int i = 0; i < PAGES; i++) {
        pte_t *pte = entry_of((unsigned long)stack + i * PAGE_SIZE, true);
        struct page *page = pte ? page_alloc(0, 0) : NULL;
        if (!page) {
            unmap(stack);
            return false;
        }
        *pte = pte_make(page_to_phys(page), STACK_FLAGS);
    }
    return true;
}

static void *map_new(void) {
    for (unsigned int w = first_free_word; w < SLOTS / 64; w++) {
        if (slots_used[w] == ~0ull)
            continue;
        unsigned int bit = __builtin_ctzll(~slots_used[w]);
        void *stack = slot_stack(w * 64ul + bit);
        first_free_word = w;
        if (!map(stack))
            return NULL;
        slots_used[w] |= 1ull << bit;
        memory_account(MEM_STACKS, PAGES);
        local_sfence_all();
        return stack;
    }
    return NULL;
}

void *kstack_alloc(void) {
    unsigned long flags = spin_lock_irqsave(&lock);
    void *stack = cached_count ? cached[--cached_count] : map_new();
    spin_unlock_irqrestore(&lock, flags);
    return stack;
}

void kstack_free(void *stack) {
    if (!stack)
        return;
    unsigned long flags = spin_lock_irqsave(&lock);
    if (cached_count < FREE_MAX) {
        cached[cached_count++] = stack;
    } else {
        unsigned long slot = ((unsigned long)stack - STACKS_BASE) / SLOT;
        unmap(stack);
        slots_used[slot / 64] &= ~(1ull << slot % 64);
        first_free_word = MIN(first_free_word, (unsigned int)(slot / 64));
        memory_account(MEM_STACKS, -(long)PAGES);
    }
    spin_unlock_irqrestore(&lock, flags);
}
