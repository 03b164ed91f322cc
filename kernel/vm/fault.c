// SPDX-License-Identifier: MIT
// Page faults, and other ways to the page of an address.
//
// Writable entries belong to shared mappings and to private pages that nobody else refers to; a write to any
// other page of a private area copies it. All writable entries have the dirty bit, and all have the accessed
// bit but for those pages of files that were mapped around a fault or copied by fork(): there the hart sets
// it, and fork() copies what was used since. If it turns out that harts trap instead, all entries have it
// from then on. An entry that only becomes more permissive is not told to other harts: they fault, find it
// right, and drop their own old translation.
#include "arch/riscv/cpu.h"
#include "core/panic.h"
#include "lib/string.h"
#include "sched/thread.h"
#include "upcalls.h"
#include "vm/vm_private.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/resource.h>

#define AROUND 16 // pages mapped around a fault on a file, if they are there

struct page *vm_zero_page;

// Traps at entries without the accessed bit. A few come from threads that fault on one page at once.
static unsigned int accessed_traps;
#define ACCESSED_TRAPS_MAX 1000 // so many mean that harts do not set the bit themselves

bool vm_harts_set_accessed(void) {
    return READ_ONCE(accessed_traps) < ACCESSED_TRAPS_MAX;
}

// The bits of a leaf for PROT_READ | PROT_WRITE | PROT_EXEC, without the right to write. Without any right
// the entry only remembers the page.
static unsigned long rights(unsigned int prot) {
    static const uint8_t bits[] = {
        PTE_U | PTE_A,
        PTE_U | PTE_A | PTE_V | PTE_R,
        PTE_U | PTE_A | PTE_V | PTE_R,
        PTE_U | PTE_A | PTE_V | PTE_R,
        PTE_U | PTE_A | PTE_V | PTE_X,
        PTE_U | PTE_A | PTE_V | PTE_R | PTE_X,
        PTE_U | PTE_A | PTE_V | PTE_R | PTE_X,
        PTE_U | PTE_A | PTE_V | PTE_R | PTE_X,
    };
    return bits[prot & (PROT_READ | PROT_WRITE | PROT_EXEC)];
}

// Code is fetched through caches that do not see stores: before a page is first mapped executable, every hart
// drops what it has fetched.
static void make_fetchable(struct page **pages, unsigned int n) {
    bool all = true;
    for (unsigned int i = 0; i < n; i++)
        all &= !!(pages[i]->flags & PAGE_FETCHABLE);
    if (likely(all))
        return;
    for (unsigned int i = 0; i < n; i++) // before: what is written from now on, page_rewritten() tells
        WRITE_ONCE(pages[i]->flags, pages[i]->flags | PAGE_FETCHABLE);
    vm_fetch_barrier();
}

static void set_entry(struct vm_area *a, pte_t *pte, struct page *page, bool writable) {
    if (a->prot & PROT_EXEC)
        make_fetchable(&page, 1);
    *pte = pte_make(page_to_phys(page), rights(a->prot) | (writable ? PTE_W | PTE_D : 0));
}

// A new right to write comes at the next write's fault, which knows whether to copy; unless nobody else has
// the page.
void vm_rewrite_entry(const struct vm_area *a, pte_t *pte) {
    pte_t old = *pte, keep = 0;
    if (old & PTE_SPECIAL) {
        keep = PTE_SPECIAL;
    } else {
        struct page *page = phys_to_page(pte_phys(old));
        bool own = area_is_private(a) ? page->flags & PAGE_ANON && READ_ONCE(page->refs) == 1 : old & PTE_W;
        if (a->prot & PROT_WRITE && own)
            keep = PTE_W | PTE_D;
        if (a->prot & PROT_EXEC && !(old & PTE_X)) {
            if (page->flags & PAGE_ANON || !area_is_private(a))
                page_rewritten(page); // it may have been
            make_fetchable(&page, 1);
        }
    }
    *pte = pte_make(pte_phys(old), rights(a->prot) | keep);
}

// A new anonymous page with the content of `from`, or of zeros.
static struct page *private_copy(struct vm_area *a, const struct page *from) {
    struct page *page = page_alloc(0, from ? 0 : ALLOC_ZERO);
    if (!page)
        return NULL;
    if (from)
        page_copy(page_address(page), page_address(from));
    page->flags = PAGE_ANON;
    memory_account(MEM_ANON, 1);
    a->anon = true;
    a->vm->rss_anon++;
    return page;
}

static int no_page(const struct page *error) {
    return PTR_ERR(error) == -EFAULT ? -ENXIO : PTR_ERR(error);
}

// ---- pages of backings that wait

static uint64_t backing_id(struct vm_backing *b);

static void fetch_drop_page(struct vm_fetch *fetch) {
    if (fetch->page && !IS_ERR(fetch->page))
        page_put(fetch->page);
    fetch->page = NULL;
}

void vm_fetch_end(struct vm_fetch *fetch) {
    fetch_drop_page(fetch);
}

static unsigned int round_of(struct vm_backing *b) {
    spin_lock(&b->lock);
    unsigned int round = b->round;
    spin_unlock(&b->lock);
    return round;
}

// The page that was fetched, if it is the one, and no truncation has passed that would have taken it out of this area.
// Else `fetch` tells what to fetch: -EAGAIN.
static __attribute__((noinline)) struct page *fetched_page(const struct vm_area *a, unsigned long index,
                                                           bool write, struct vm_fetch *fetch) {
    if (!fetch)
        return ERR_PTR(-EAGAIN);
    struct vm_backing *b = a->backing;
    unsigned int round = round_of(b);
    struct page *page = fetch->page;
    if (page && fetch->id == backing_id(b) && fetch->index == index && fetch->write == write &&
        fetch->round == round) {
        fetch->page = NULL;
        return page;
    }
    fetch_drop_page(fetch);
    vm_file_ops->hold(a->file);
    *fetch = (struct vm_fetch){b, a->file, backing_id(b), index, write, round, NULL};
    return ERR_PTR(-EAGAIN);
}

static inline __attribute__((always_inline)) struct page *backing_page(struct vm_area *a, unsigned long addr,
                                                                       bool write, struct vm_fetch *fetch) {
    const struct vm_backing_ops *ops = a->backing->ops;
    unsigned long index = area_page_index(a, addr);
    return unlikely(ops->waits) ? fetched_page(a, index, write, fetch)
                                : ops->get_page(a->backing, index, write);
}

int vm_fault_wait(struct vmspace *vm, struct vm_fetch *fetch, int fault) {
    int err = 0;
    ASSERT_HELD(&vm->lock);
    mutex_unlock(&vm->lock);
    if (fault == -ENOMEM) {
        err = memory_make_room();
    } else if (fetch->backing) {
        lock_check_may_sleep("waits for a page");
        fetch->page = fetch->backing->ops->get_page(fetch->backing, fetch->index, fetch->write);
        vm_file_ops->drop(fetch->file);
        if (IS_ERR(fetch->page) && PTR_ERR(fetch->page) == -EINTR)
            err = -EINTR;
    }
    mutex_lock(&vm->lock);
    return err;
}

// ---- absent pages

static inline __attribute__((always_inline)) int fault_anonymous(struct vm_area *a, pte_t *pte, bool write) {
    if (!write) {
        *pte = pte_make(page_to_phys(vm_zero_page), rights(a->prot) | PTE_SPECIAL);
        return 0;
    }
    struct page *page = private_copy(a, NULL);
    if (!page)
        return -ENOMEM;
    set_entry(a, pte, page, a->prot & PROT_WRITE);
    return 0;
}

// Maps those of the n pages from addr on that the backing has ready and that are not mapped yet.
static void map_present(struct vmspace *vm, struct vm_area *a, unsigned long addr, pte_t *pte,
                        unsigned int n) {
    struct page *pages[AROUND];
    unsigned long bits = rights(a->prot) & ~(vm_harts_set_accessed() ? PTE_A : 0);
    n = a->backing->ops->get_present(a->backing, area_page_index(a, addr), pages, n);
    if (a->prot & PROT_EXEC)
        make_fetchable(pages, n);
    unsigned int mapped = n;
    for (unsigned int i = 0; i < n; i++) {
        if (unlikely(pte[i])) {
            page_put(pages[i]);
            mapped--;
        } else {
            pte[i] = pte_make(page_to_phys(pages[i]), bits);
        }
    }
    vm->rss_file += mapped;
}

// The part of the area in the aligned stretch of AROUND pages that addr lies in: where it begins, and ends.
static inline unsigned long around(const struct vm_area *a, unsigned long addr, unsigned long *end) {
    unsigned long stretch = ALIGN_DOWN(addr, (unsigned long)AROUND * PAGE_SIZE);
    *end = MIN(stretch + AROUND * PAGE_SIZE, a->end);
    return MAX(stretch, a->start);
}

// Maps the neighbours that the file has ready.
static void map_around(struct vmspace *vm, struct vm_area *a, unsigned long addr) {
    unsigned long end, first = around(a, addr, &end);
    unsigned long next = addr + PAGE_SIZE;
    if (next < end)
        map_present(vm, a, next,
                    pt_make(vm->table.root, end - PAGE_SIZE) - ((end - PAGE_SIZE - next) >> PAGE_SHIFT),
                    (end - next) >> PAGE_SHIFT);
    if (first < addr)
        map_present(vm, a, first, pt_make(vm->table.root, first), (addr - first) >> PAGE_SHIFT);
}

static inline __attribute__((always_inline)) int fault_backed(struct vmspace *vm, struct vm_area *a,
                                                              unsigned long addr, pte_t *pte, bool write,
                                                              struct vm_fetch *fetch) {
    bool private_write = write && area_is_private(a);
    struct page *page = backing_page(a, addr, write && !private_write, fetch);
    if (IS_ERR(page))
        return no_page(page);
    if (private_write) {
        struct page *copy = private_copy(a, page);
        page_put(page);
        if (!copy)
            return -ENOMEM;
        set_entry(a, pte, copy, a->prot & PROT_WRITE);
        return 0;
    }
    vm->rss_file++;
    if (write)
        page_rewritten(page);
    set_entry(a, pte, page, write);
    if (!write && a->backing->ops->get_present)
        map_around(vm, a, addr);
    return 0;
}

// ---- a write to a page that is mapped read-only

static int fault_shared_write(struct vmspace *vm, struct vm_area *a, unsigned long addr, pte_t *pte,
                              struct vm_fetch *fetch) {
    struct page *old = phys_to_page(pte_phys(*pte));
    struct page *page = backing_page(a, addr, true, fetch);
    if (IS_ERR(page))
        return no_page(page);
    if (page != old) {
        *pte = 0;
        vm_flush(vm, addr, addr + PAGE_SIZE);
    }
    page_rewritten(page);
    set_entry(a, pte, page, true);
    page_put(old); // the entry's reference is get_page()'s now
    return 0;
}

// An entry's page that is a private copy and nobody else's: a program's that forked, when its child has gone its own way.
static struct page *own_page(pte_t pte) {
    struct page *page = !(pte & PTE_V) || pte & PTE_SPECIAL ? NULL : phys_to_page(pte_phys(pte));
    bool own = page && page->flags & PAGE_ANON && __atomic_load_n(&page->refs, __ATOMIC_ACQUIRE) == 1;
    return own ? page : NULL;
}

// Lets the area write to all such pages around addr.
static void own_around(const struct vm_area *a, unsigned long addr, pte_t *pte) {
    unsigned long end, first = around(a, addr, &end);
    pte_t *at = pte - ((addr - first) >> PAGE_SHIFT);
    for (pte_t *last = at + ((end - first) >> PAGE_SHIFT); at < last; at++) {
        struct page *page = *at & PTE_W ? NULL : own_page(*at);
        if (page) {
            page_rewritten(page);
            *at |= PTE_W | PTE_D;
        }
    }
}

// An entry with more rights than a hart remembers need not be told to it: it looks again, or faults again, and then forgets (fault_in()).
static int fault_private_write(struct vmspace *vm, struct vm_area *a, unsigned long addr, pte_t *pte) {
    struct page *own = own_page(*pte);
    if (own) {
        page_rewritten(own);
        set_entry(a, pte, own, a->prot & PROT_WRITE);
        if ((a->prot & (PROT_WRITE | PROT_EXEC)) == PROT_WRITE)
            own_around(a, addr, pte);
        return 0;
    }
    bool zeros = *pte & PTE_SPECIAL;
    struct page *old = zeros ? NULL : phys_to_page(pte_phys(*pte));
    struct page *page = private_copy(a, old);
    if (!page)
        return -ENOMEM;
    *pte = 0;
    vm_flush(vm, addr,
             addr + PAGE_SIZE); // no hart may see the old page once it is somebody else's, or differs
    set_entry(a, pte, page, a->prot & PROT_WRITE);
    if (old) {
        vm->rss_anon -= !!(old->flags & PAGE_ANON);
        vm->rss_file -= !(old->flags & PAGE_ANON);
        page_put(old);
    }
    return 0;
}

// The area of addr; a stack below which addr lies is extended if its limit allows.
static struct vm_area *find_area(struct vmspace *vm, unsigned long addr) {
    struct vm_area *a = area_first_from(vm, addr);
    if (!a || likely(addr >= a->start))
        return a;
    unsigned long start = ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE);
    if (!(a->flags & MAP_GROWSDOWN) || a->end - start > vm->stack_limit)
        return NULL;
    if (vm == current->vm &&
        vm->total_pages + ((a->start - start) >> PAGE_SHIFT) > current_rlimit(RLIMIT_AS) >> PAGE_SHIFT)
        return NULL;
    if (vm == current->vm && a->flags & MAP_LOCKED && vm_may_lock(vm, (a->start - start) >> PAGE_SHIFT))
        return NULL;
    struct vm_area *below = area_prev(a);
    if (start < area_lowest() ||
        (below && below->end + VM_STACK_GAP > start && !(below->flags & MAP_GROWSDOWN)))
        return NULL;
    area_set_range(vm, a, start, a->end);
    return a;
}

// Brings in the page of addr, in area a; for a write, one that a alone has, whether its program may write there or not.
static inline __attribute__((always_inline)) int
fault_in(struct vmspace *vm, struct vm_area *a, unsigned long addr, bool write, struct vm_fetch *fetch) {
    addr = ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE);
    pte_t *pte = pt_make(vm->table.root, addr);
    if (unlikely(!pte))
        return -ENOMEM;
    if (!*pte) {
        if (a->backing)
            return fault_backed(vm, a, addr, pte, write, fetch);
        if (unlikely(a->flags & VM_SPECIAL)) {
            *pte = pte_make(a->special[area_page_index(a, addr)], rights(a->prot) | PTE_SPECIAL);
            return 0;
        }
        return fault_anonymous(a, pte, write);
    }
    if (write && !(*pte & PTE_W)) {
        if (area_is_private(a))
            return fault_private_write(vm, a, addr, pte);
        return fault_shared_write(vm, a, addr, pte, fetch);
    }
    if (!(*pte & PTE_A)) {
        *pte |= PTE_A;
        if (vm_harts_set_accessed())
            accessed_traps++;
    }
    local_sfence_page(addr); // another thread brought it in meanwhile
    return 0;
}

int vm_fault_locked(struct vmspace *vm, unsigned long addr, int access, struct vm_fetch *fetch) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *a = find_area(vm, addr);
    if (!a)
        return -EFAULT;
    if (unlikely(vm->reaped)) // the thread is about to end; until then it must not see what is left
        return -ENOMEM;
    unsigned int allowed = a->prot | (a->prot & PROT_WRITE ? PROT_READ : 0);
    if (!(allowed & access))
        return -EACCES;
    return fault_in(vm, a, addr, access == PROT_WRITE, fetch);
}

// With a page of a device's the fault goes on; with memory the access is made again, and faults again.
static __attribute__((noinline)) int fault_slowly(struct vmspace *vm, unsigned long addr, int access,
                                                  int fault) {
    struct vm_fetch fetch = {.page = NULL};
    if (fault == -ENOMEM)
        return memory_make_room();
    mutex_lock(&vm->lock);
    while (vm_fault_may_wait(fault = vm_fault_locked(vm, addr, access, &fetch)) &&
           !vm_fault_wait(vm, &fetch, fault))
        ;
    mutex_unlock(&vm->lock);
    vm_fetch_end(&fetch);
    return fault;
}

int vm_fault(unsigned long addr, int access) {
    struct vmspace *vm = current->vm;
    if (unlikely(!vm))
        return -EFAULT;
    unsigned long switches = thread_switches(current);
    current->min_faults++;
    mutex_lock(&vm->lock);
    int fault = vm_fault_locked(vm, addr, access, NULL);
    mutex_unlock(&vm->lock);
    if (unlikely(vm_fault_may_wait(fault))) {
        if (current->waits_for_no_page)
            current->missed_page = true;
        else
            fault = fault_slowly(vm, addr, access, fault);
    }
    if (unlikely(thread_switches(current) != switches)) // what faulted may be a sequence of rseq(2)
        __atomic_fetch_or(&current->arch.work, WORK_RSEQ, __ATOMIC_RELAXED);
    return fault;
}

// ---- other ways to a page

// As vm_fault_locked(), for a debugger: also what the program itself may not read or write, but for what it shares.
static __attribute__((noinline)) int fault_forced(struct vmspace *vm, unsigned long addr, bool write,
                                                  struct vm_fetch *fetch) {
    struct vm_area *a = area_first_from(vm, addr);
    if (!a || addr < a->start || (write && a->flags & VM_SPECIAL) ||
        (write && !area_is_private(a) && !(a->prot & PROT_WRITE)))
        return -EFAULT;
    return vm->reaped ? -ENOMEM : fault_in(vm, a, addr, write, fetch);
}

// Brings the page of addr in for reach(). 0, or there is no access.
static __attribute__((noinline)) int reach_fault(struct vmspace *vm, unsigned long addr, bool write,
                                                 bool force) {
    struct vm_fetch fetch = {.page = NULL};
    int fault;
    do {
        fault = force ? fault_forced(vm, addr, write, &fetch)
                      : vm_fault_locked(vm, addr, write ? PROT_WRITE : PROT_READ, &fetch);
    } while (vm_fault_may_wait(fault) && !vm_fault_wait(vm, &fetch, fault));
    vm_fetch_end(&fetch);
    return fault;
}

// The page of addr for kernel access through the direct map, brought in where needed. NULL: no access. vm->lock is held,
// but given up for a while where memory has run out or a device is waited for: areas may be others then.
static char *reach(struct vmspace *vm, unsigned long addr, bool write, bool force) {
    pte_t *pte = pt_find(vm->table.root, addr);
    const unsigned long right = write   ? PTE_W
                                : force ? ~0ul
                                        : PTE_R; // an entry without rights remembers its page
    if (!pte || !(*pte & right)) {
        if (reach_fault(vm, addr, write, force))
            return NULL;
        pte = pt_find(vm->table.root, addr);
    }
    return phys_to_virt(pte_phys(*pte));
}

// Programs may be about to run what is written, as a debugger's breakpoints.
static void rewrite(char *page, size_t offset, const void *from, size_t n) {
    struct page *p = phys_to_page(virt_to_phys(page));
    bool fetchable = p->flags & PAGE_FETCHABLE;
    memcpy(page + offset, from, n);
    if (fetchable)
        vm_fetch_barrier();
}

static ssize_t access_any(struct vmspace *vm, unsigned long addr, void *buf, size_t n, bool write,
                          bool force) {
    size_t done = 0;
    mutex_lock(&vm->lock);
    while (done < n && addr < USER_END) {
        size_t offset = addr & PAGE_MASK, part = MIN(n - done, (size_t)PAGE_SIZE - offset);
        char *at = reach(vm, addr, write, force);
        if (!at)
            break;
        if (write)
            rewrite(at, offset, (char *)buf + done, part);
        else
            memcpy((char *)buf + done, at + offset, part);
        done += part;
        addr += part;
    }
    mutex_unlock(&vm->lock);
    return done || !n ? (ssize_t)done : -EFAULT;
}

ssize_t vm_access(struct vmspace *vm, unsigned long addr, void *buf, size_t n, bool write) {
    return access_any(vm, addr, buf, n, write, false);
}

ssize_t vm_access_forced(struct vmspace *vm, unsigned long addr, void *buf, size_t n, bool write) {
    return access_any(vm, addr, buf, n, write, true);
}

// The backing may go while somebody waits, and another be made at the same place: so it has a number.
static uint64_t backing_id(struct vm_backing *b) {
    static uint64_t last_id;
    uint64_t id = __atomic_load_n(&b->id, __ATOMIC_RELAXED);
    if (id)
        return id;
    uint64_t new_id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
    return __atomic_compare_exchange_n(&b->id, &id, new_id, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
               ? new_id
               : id;
}

int vm_futex_key(unsigned long addr, bool private_only, struct futex_key *key) {
    struct vmspace *vm = current->vm;
    int err = 0;
    if (!vm || addr >= USER_END)
        return -EFAULT;
    *key = (struct futex_key){(uint64_t)vm, addr};
    if (private_only)
        return 0;
    mutex_lock(&vm->lock);
    struct vm_area *a = area_first_from(vm, addr);
    // Anonymous memory is there when it is touched. All else may prove not to be, and areas may be others then.
    if (!a || addr < a->start || a->backing || !(a->prot & PROT_READ))
        a = reach(vm, addr, false, false) ? area_first_from(vm, addr) : NULL;
    if (!a)
        err = -EFAULT;
    else if (!area_is_private(a) && a->backing)
        *key = (struct futex_key){backing_id(a->backing),
                                  (area_page_index(a, addr) << PAGE_SHIFT) + (addr & PAGE_MASK)};
    mutex_unlock(&vm->lock);
    return err;
}

int vm_is_present(struct vmspace *vm, unsigned long addr) {
    struct page *page;
    mutex_lock(&vm->lock);
    struct vm_area *a = area_first_from(vm, addr);
    pte_t *pte = pt_find(vm->table.root, addr);
    int there = !a || addr < a->start ? -ENOMEM : pte && *pte;
    if (there == 0 && a->backing && a->backing->ops->get_present &&
        a->backing->ops->get_present(a->backing, area_page_index(a, addr), &page, 1)) {
        page_put(page);
        there = 1;
    }
    mutex_unlock(&vm->lock);
    return there;
}

unsigned long vm_next_mapped(struct vmspace *vm, unsigned long addr, unsigned long end) {
    struct pt_run run;
    mutex_lock(&vm->lock);
    pt_run_init(&run, vm->table.root, addr, end);
    const pte_t *pte = pt_run_next(&run);
    unsigned long next = pte ? pt_run_va(&run, pte) : end;
    mutex_unlock(&vm->lock);
    return next;
}
