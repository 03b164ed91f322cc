// SPDX-License-Identifier: MIT
// Kernel stacks, in a part of the address space of their own. Each has a slot of twice its size, aligned to
// that, and lies in its upper half; the lower half is never mapped, so a stack that runs over faults, and the
// trap entry can tell by one bit of sp.
//
// A freed stack stays mapped for the next thread. When `free_max` of them are free, half are unmapped: all harts
// drop their translations at one time, for that takes long where harts are virtual, and with no lock held; then
// the pages are given back and the slots can be used again.
//
// A hart may remember that an address was *not* mapped. So each hart drops that before it first uses a stack
// that was mapped since it last did so: `kstack_epoch` counts (kstack_catch_up()).
#include "arch/riscv/cpu.h"
#include "arch/riscv/mmu.h"
#include "arch/riscv/sbi.h"
#include "core/spinlock.h"
#include "mm/page.h"
#include "upcalls.h"

#define SLOT        (2ul * KSTACK_SIZE)
#define SLOTS       ((1ul << 30) / SLOT)
#define PAGES       (KSTACK_SIZE / PAGE_SIZE)
#define MIB2        (1ul << 21)
#define BATCH       64
#define FREE_MAX    (2 * BATCH)
#define FREE_LEAST  8
#define STACK_FLAGS (PTE_V | PTE_R | PTE_W | PTE_G | PTE_A | PTE_D)

static struct spinlock lock;
static void *cached[FREE_MAX];           // [lock] mapped and free
static unsigned int cached_count;        // [lock]
static unsigned int free_max = FREE_MAX; // [lock] how many are kept, by the memory there is
static uint64_t slots_used[SLOTS / 64];  // [lock] bit set: mapped, or about to be unmapped
static unsigned int first_free_word;     // [lock] no free slot in lower words

unsigned int kstack_epoch;

void kstack_catch_up_slow(struct hart *hart) {
    unsigned int epoch = __atomic_load_n(&kstack_epoch, __ATOMIC_ACQUIRE);
    local_sfence_all();
    hart->kstack_epoch = epoch;
}

// The table of a stack's slot. [lock] if it is to be made.
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

// Takes a stack's pages out of the page table.
static void unmap(void *stack, struct list_head *pages) {
    pte_t *pte = entry_of((unsigned long)stack, false);
    for (unsigned int i = 0; i < PAGES; i++) {
        list_add(&phys_to_page(pte_phys(pte[i]))->link, pages);
        pte[i] = 0;
    }
}

// A stack's slot lies within one table. [lock]
static bool map(void *stack) {
    struct page *pages[PAGES];
    unsigned int n = 0;
    pte_t *pte = entry_of((unsigned long)stack, true);
    while (pte && n < PAGES && (pages[n] = page_alloc(0, 0)))
        n++;
    if (n < PAGES) {
        while (n)
            page_put(pages[--n]);
        return false;
    }
    for (unsigned int i = 0; i < PAGES; i++)
        pte[i] = pte_make(page_to_phys(pages[i]), STACK_FLAGS);
    __atomic_fetch_add(&kstack_epoch, 1, __ATOMIC_RELEASE);
    return true;
}

static void *map_new(void) {
    for (unsigned int w = first_free_word; w < SLOTS / 64; w++) {
        if (slots_used[w] == ~0ull)
            continue;
        unsigned int bit = __builtin_ctzll(~slots_used[w]);
        void *stack = (void *)(STACKS_BASE + (w * 64ul + bit) * SLOT + KSTACK_SIZE);
        first_free_word = w;
        if (!map(stack))
            return NULL;
        slots_used[w] |= 1ull << bit;
        memory_account(MEM_STACKS, PAGES);
        return stack;
    }
    return NULL;
}

void *kstack_alloc(void) {
    unsigned long flags = spin_lock_irqsave(&lock);
    void *stack = cached_count ? cached[--cached_count] : map_new();
    spin_unlock(&lock);
    kstack_catch_up(this_hart());
    irq_restore(flags);
    return stack;
}

// Stacks that nobody uses any more. Their pages are given back when no hart can reach them through an old
// translation. No lock held.
static void release(void **stacks, unsigned int n) {
    struct list_head pages = LIST_HEAD_INIT(pages);
    unsigned long start = ~0ul, end = 0;
    for (unsigned int i = 0; i < n; i++) {
        unsigned long stack = (unsigned long)stacks[i];
        unmap(stacks[i], &pages);
        start = MIN(start, stack);
        end = MAX(end, stack + KSTACK_SIZE);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    sbi_remote_sfence_vma(hart_count == 64 ? ~0ull : (1ull << hart_count) - 1, start, end - start);
    while (!list_empty(&pages)) {
        struct page *page = list_first_entry(&pages, struct page, link);
        list_del(&page->link);
        page_put(page);
    }
    unsigned long flags = spin_lock_irqsave(&lock);
    for (unsigned int i = 0; i < n; i++) {
        unsigned long slot = ((unsigned long)stacks[i] - STACKS_BASE) / SLOT;
        slots_used[slot / 64] &= ~(1ull << slot % 64);
        first_free_word = MIN(first_free_word, (unsigned int)(slot / 64));
    }
    spin_unlock_irqrestore(&lock, flags);
    memory_account(MEM_STACKS, -(long)(n * PAGES));
}

void kstack_free(void *stack) {
    void *batch[BATCH];
    unsigned int n = 0;
    if (!stack)
        return;
    unsigned long flags = spin_lock_irqsave(&lock);
    if (cached_count >= free_max) {
        for (; n < free_max / 2; n++)
            batch[n] = cached[--cached_count];
    }
    cached[cached_count++] = stack;
    spin_unlock_irqrestore(&lock, flags);
    if (n)
        release(batch, n);
}

void kstack_trim(void) {
    void *batch[BATCH];
    unsigned int n;
    do {
        unsigned long flags = spin_lock_irqsave(&lock);
        for (n = 0; n < BATCH && cached_count; n++)
            batch[n] = cached[--cached_count];
        spin_unlock_irqrestore(&lock, flags);
        if (n)
            release(batch, n);
    } while (n == BATCH);
}

void kstack_keep(unsigned long pages) {
    unsigned long flags = spin_lock_irqsave(&lock);
    free_max = MIN(MAX(pages / PAGES, (unsigned long)FREE_LEAST), (unsigned long)FREE_MAX);
    spin_unlock_irqrestore(&lock, flags);
}

bool kstack_is_mapped(unsigned long addr) {
    if (addr - STACKS_BASE >= SLOTS * SLOT)
        return false;
    pte_t *pte = entry_of(addr, false);
    return pte && *pte;
}
