// SPDX-License-Identifier: MIT
// Changing what is mapped: mmap(2), munmap(2), mprotect(2), brk(2), madvise(2), and truncation of what is
// mapped.
#include "core/panic.h"
#include "mm/slab.h"
#include "vm/vm_private.h"
#include <asm/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/resource.h>

// ---- taking away

// Takes [start, end) away from `a`, of which it is the beginning, the end, or all.
static void cut(struct vmspace *vm, struct gather *g, struct vm_area *a, unsigned long start,
                unsigned long end) {
    vm_zap_tables(g, start, end);
    if (start > a->start)
        area_set_range(vm, a, a->start, start);
    else if (end < a->end)
        area_set_range(vm, a, end, a->end);
    else
        area_remove(vm, a);
}

// Nothing of the range is sealed. 0 or -EPERM.
static int check_seals(struct vmspace *vm, unsigned long addr, unsigned long end) {
    if (likely(!vm->sealed))
        return 0;
    for (const struct vm_area *a = area_first_from(vm, addr); a && a->start < end;
         a = area_first_from(vm, a->end)) {
        if (a->flags & VM_SEALED)
            return -EPERM;
        cond_resched();
    }
    return 0;
}

int vm_unmap_locked(struct vmspace *vm, unsigned long addr, unsigned long length) {
    ASSERT_HELD(&vm->lock);
    unsigned long end = addr + length;
    struct vm_area *a = area_first_from(vm, addr), *next;
    struct gather g;
    int err;
    if (!a || a->start >= end)
        return 0;
    if ((err = check_seals(vm, addr, end)))
        return err;
    if (a->start < addr && a->end > end && (err = area_split(vm, end)))
        return err;
    gather_init(&g, vm);
    for (a = area_first_from(vm, addr); a && a->start < end; a = next) {
        next = a->end < end ? area_next(a) : NULL;
        cut(vm, &g, a, MAX(a->start, addr), MIN(a->end, end));
        cond_resched();
    }
    gather_finish(&g);
    if (end > vm->free_hint)
        vm->free_hint = MIN(end, vm->mmap_base);
    return 0;
}

int vm_unmap(struct vmspace *vm, unsigned long addr, unsigned long length) {
    if ((addr & PAGE_MASK) || !length || length > USER_END || addr > USER_END - page_up(length))
        return -EINVAL;
    mutex_lock(&vm->lock);
    int err = vm_unmap_locked(vm, addr, page_up(length));
    vm_unlock(vm);
    return err;
}

int vm_unmap_mapping(struct vmspace *vm, unsigned long addr, bool (*one)(const struct file *f),
                     size_t (*size)(const struct file *f)) {
    const struct file *file = NULL;
    unsigned long end = USER_END;
    int err = 0;
    if (addr & PAGE_MASK)
        return -EINVAL;
    mutex_lock(&vm->lock);
    for (struct vm_area *a = area_first_from(vm, addr), *next; !err && a && a->end <= end; a = next) {
        unsigned long stop = a->end;
        if (a->file && (a->start - addr) >> PAGE_SHIFT == a->pgoff &&
            (file ? a->file == file : one(a->file))) {
            if (!file)
                end = addr + ALIGN_UP(size(a->file), (size_t)PAGE_SIZE);
            file = a->file;
            err = vm_unmap_locked(vm, a->start, a->end - a->start);
            err = err == -EPERM ? 0 : err; // what is sealed stays, and nobody is told
        }
        next = area_first_from(vm, stop);
        cond_resched();
    }
    vm_unlock(vm);
    return file ? err : -EINVAL;
}

// ---- adding

// Where a mapping goes; what MAP_FIXED replaces is unmapped.
static long place(struct vmspace *vm, const struct vm_map_args *m, unsigned long length) {
    if (!(m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
        return area_find_free(vm, m->addr, length);
    if (m->addr & PAGE_MASK)
        return -EINVAL;
    if (m->addr > USER_END - length)
        return -ENOMEM;
    int err = area_check_low(m->addr);
    if (err)
        return err;
    struct vm_area *a = area_first_from(vm, m->addr);
    if (!a || a->start >= m->addr + length)
        return (long)m->addr;
    if (m->flags & MAP_FIXED_NOREPLACE)
        return -EEXIST;
    err = vm_unmap_locked(vm, m->addr, length);
    return err ? err : (long)m->addr;
}

unsigned long vm_max_areas = 65530;

static bool overcommits(const struct vm_map_args *m, unsigned long length) {
    return m->prot & PROT_WRITE && !(m->flags & (MAP_SHARED | VM_SPECIAL)) &&
           vm_overcommits(length >> PAGE_SHIFT, m->flags);
}

static void fill_area(struct vm_area *a, const struct vm_map_args *m, const paddr_t *special) {
    *a = (struct vm_area){
        .prot = m->prot,
        .max_prot = m->max_prot ? m->max_prot : PROT_READ | PROT_WRITE | PROT_EXEC,
        .backing = m->backing,
        .file = m->file,
        .pgoff = m->backing ? m->pgoff : 0,
        .name = m->name,
        .special = special,
    };
    if (a->file)
        vm_file_ops->get(a->file);
}

long vm_map_locked(struct vmspace *vm, const struct vm_map_args *m, const paddr_t *special) {
    ASSERT_HELD(&vm->lock);
    unsigned long length = page_up(m->length);
    unsigned int flags = (m->flags & VM_KEPT_FLAGS) | vm->new_flags;
    if (!m->length)
        return -EINVAL;
    if (m->length > USER_END || vm->area_count >= READ_ONCE(vm_max_areas) || overcommits(m, length))
        return -ENOMEM;
    struct vm_area *a = slab_alloc(vm_area_cache);
    if (!a)
        return -ENOMEM;
    long addr = place(vm, m, length);
    bool plain = !m->backing && !m->file && !m->name && !special && !m->max_prot;
    if (addr < 0 ||
        (plain && area_absorb(vm, (unsigned long)addr, (unsigned long)addr + length, m->prot, flags))) {
        slab_free(vm_area_cache, a);
        return addr;
    }
    fill_area(a, m, special);
    a->flags = flags;
    a->start = (unsigned long)addr;
    a->end = a->start + length;
    area_insert(vm, a);
    if (!plain)
        area_merge(vm, a);
    return addr;
}

long vm_map(struct vmspace *vm, const struct vm_map_args *m) {
    mutex_lock(&vm->lock);
    unsigned int flags = m->flags | vm->new_flags;
    long addr = vm_map_locked(vm, m, NULL);
    vm_unlock(vm);
    if (addr >= 0 && flags & (MAP_POPULATE | MAP_LOCKED) && !(flags & MAP_NONBLOCK)) {
        int err = vm_populate(vm, (unsigned long)addr, m->length, 0);
        (void)err; // what cannot be had now faults later
    }
    return addr;
}

int vm_map_special(struct vmspace *vm, unsigned long addr, const paddr_t *pages, size_t n, unsigned int prot,
                   const char *name) {
    struct vm_map_args m = {.addr = addr,
                            .length = n * PAGE_SIZE,
                            .prot = prot,
                            .max_prot = prot | PROT_READ,
                            .flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE | VM_SPECIAL,
                            .name = name};
    mutex_lock(&vm->lock);
    long err = vm_map_locked(vm, &m, pages);
    vm_unlock(vm);
    return err < 0 ? (int)err : 0;
}

// 0 too if what there is will do; less than 0 also for what vm_fault_wait() is for.
static int populate_page_locked(struct vmspace *vm, unsigned long addr, unsigned int access,
                                struct vm_fetch *fetch) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *a = area_first_from(vm, addr);
    if (!a || addr < a->start)
        return -EFAULT;
    if (!access)
        access = area_is_private(a) && a->prot & PROT_WRITE ? PROT_WRITE
                 : a->prot & (PROT_READ | PROT_WRITE)       ? PROT_READ
                                                            : PROT_EXEC;
    unsigned long wanted = access == PROT_WRITE ? PTE_W : PTE_V;
    pte_t *pte = pt_find(vm->table.root, addr);
    return pte && *pte & wanted ? 0 : vm_fault_locked(vm, addr, access, fetch);
}

static int populate_page(struct vmspace *vm, unsigned long addr, unsigned int access) {
    struct vm_fetch fetch = {.page = NULL};
    int fault;
    mutex_lock(&vm->lock);
    while (vm_fault_may_wait(fault = populate_page_locked(vm, addr, access, &fetch)) &&
           !vm_fault_wait(vm, &fetch, fault))
        ;
    vm_unlock(vm);
    vm_fetch_end(&fetch);
    return !fault ? 0 : fault == -EFAULT ? -ENOMEM : -EFAULT;
}

// The lock is let go between pages, so that others' faults do not wait for all of them.
int vm_populate(struct vmspace *vm, unsigned long addr, unsigned long length, unsigned int access) {
    unsigned long end = addr + page_up(length);
    int err = 0;
    for (; addr < end && !err; addr += PAGE_SIZE) {
        err = populate_page(vm, addr, access);
        if (!err)
            err = cond_resched_killable();
    }
    return err;
}

// ---- mprotect

static void rewrite_entries(struct gather *g, const struct vm_area *a, unsigned long start,
                            unsigned long end) {
    struct pt_run run;
    pte_t *pte;
    pt_run_init(&run, a->vm->table.root, start, end);
    while ((pte = pt_run_next(&run))) {
        pte_t old = *pte;
        unsigned long va = pt_run_va(&run, pte);
        vm_rewrite_entry(a, pte);
        cond_resched();
        if (old & ~*pte & (PTE_V | PTE_R | PTE_W | PTE_X)) // more rights are found out by faults
            gather_range(g, va, va + PAGE_SIZE);
    }
}

// The heuristic looks at each area by itself, as Linux's.
bool area_may_write_more(struct vmspace *vm, const struct vm_area *a, unsigned long pages,
                         unsigned long before) {
    uint64_t limit = current_rlimit(RLIMIT_DATA);
    bool strict = READ_ONCE(vm_overcommit) == VM_COMMIT_STRICT;
    if (vm_overcommits(strict ? before + pages : pages, a->flags))
        return false;
    return a->flags & MAP_GROWSDOWN || limit == RLIM64_INFINITY ||
           vm->data_pages + before + pages <= limit >> PAGE_SHIFT;
}

static int check_protect(struct vmspace *vm, unsigned long addr, unsigned long end, unsigned int prot) {
    unsigned long more = 0;
    for (unsigned long at = addr; at < end;) {
        struct vm_area *a = area_first_from(vm, at);
        if (!a || a->start > at)
            return -ENOMEM;
        if (prot & ~a->max_prot)
            return -EACCES;
        if (a->flags & VM_SEALED)
            return -EPERM;
        if (prot & ~a->prot & PROT_WRITE && area_is_private(a)) {
            unsigned long pages = (MIN(a->end, end) - at) >> PAGE_SHIFT;
            if (!area_may_write_more(vm, a, pages, more))
                return -ENOMEM;
            more += a->flags & MAP_GROWSDOWN ? 0 : pages;
        }
        at = a->end;
    }
    return 0;
}

static int protect_locked(struct vmspace *vm, unsigned long addr, unsigned long end, unsigned int prot) {
    ASSERT_HELD(&vm->lock);
    struct gather g;
    int err = check_protect(vm, addr, end, prot);
    if (err)
        return err;
    gather_init(&g, vm);
    for (unsigned long at = addr; at < end && !err;) {
        struct vm_area *a = area_first_from(vm, at);
        if (a->prot == prot) {
            at = a->end;
            continue;
        }
        if (a->start < at && (err = area_split(vm, at)))
            break;
        if (a->start < at)
            a = area_next(a); // a itself is what lies below now
        if (a->end > end && (err = area_split(vm, end)))
            break;
        unsigned long stop = a->end;
        area_set_prot(vm, a, prot);
        rewrite_entries(&g, area_merge(vm, a), at, stop);
        at = stop;
    }
    gather_finish(&g);
    return err;
}

int vm_protect(struct vmspace *vm, unsigned long addr, unsigned long length, unsigned int prot) {
    if (addr & PAGE_MASK)
        return -EINVAL;
    if (!length)
        return 0;
    if (length > USER_END || addr > USER_END - page_up(length))
        return -ENOMEM;
    mutex_lock(&vm->lock);
    int err = protect_locked(vm, addr, addr + page_up(length), prot);
    vm_unlock(vm);
    return err;
}

// ---- brk

// Enlarges the heap from old_end, which it has reached. 0 or -ENOMEM.
static int grow_heap(struct vmspace *vm, unsigned long old_end, unsigned long end) {
    struct vm_area *next = area_first_from(vm, old_end);
    struct vm_map_args m = {.addr = old_end,
                            .length = end - old_end,
                            .prot = PROT_READ | PROT_WRITE,
                            .flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE,
                            .name = "[heap]"};
    if (next && next->start < end + PAGE_SIZE)
        return -ENOMEM;
    if (vm->new_flags & MAP_LOCKED && vm_may_lock(vm, m.length >> PAGE_SHIFT))
        return -ENOMEM;
    return vm_map_locked(vm, &m, NULL) < 0 ? -ENOMEM : 0;
}

unsigned long vm_brk(struct vmspace *vm, unsigned long addr, unsigned long max_bytes) {
    mutex_lock(&vm->lock);
    unsigned long old_end = page_up(vm->brk), end = page_up(addr);
    bool ok = addr >= vm->brk_start && addr < USER_END && addr - vm->brk_start <= max_bytes;
    if (ok && end < old_end)
        ok = !vm_unmap_locked(vm, end, old_end - end);
    else if (ok && end > old_end)
        ok = !grow_heap(vm, old_end, end);
    if (ok)
        vm->brk = addr;
    addr = vm->brk;
    bool locked = ok && end > old_end && vm->new_flags & MAP_LOCKED;
    vm_unlock(vm);
    if (locked) {
        int err = vm_populate(vm, old_end, end - old_end, 0);
        (void)err; // what cannot be had now faults later
    }
    return addr;
}

// ---- madvise, mlock

int vm_for_range(struct vmspace *vm, unsigned long addr, unsigned long end,
                 int (*fn)(struct vmspace *, struct vm_area *, unsigned long, unsigned long, void *),
                 void *arg) {
    int err = 0;
    bool hole = false;
    mutex_lock(&vm->lock);
    while (addr < end && !err) {
        struct vm_area *a = area_first_from(vm, addr);
        if (!a || a->start >= end) {
            hole = true;
            break;
        }
        hole |= a->start > addr;
        addr = MAX(addr, a->start);
        unsigned long stop = MIN(end, a->end);
        err = fn(vm, a, addr, stop, arg);
        addr = stop;
        cond_resched();
    }
    vm_unlock(vm);
    return err ? err : hole ? -ENOMEM : 0;
}

int vm_discard_range(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                     void *arg) {
    struct gather g;
    (void)arg;
    if (area_keeps_pages(a))
        return -EPERM;
    if (a->flags & (MAP_LOCKED | VM_SPECIAL))
        return -EINVAL;
    gather_init(&g, vm);
    vm_zap(&g, start, end, false);
    gather_finish(&g);
    return 0;
}

int vm_flag_range(struct vmspace *vm, unsigned long addr, unsigned long end, unsigned int set,
                  unsigned int clear) {
    int err;
    bool hole = false;
    mutex_lock(&vm->lock);
    if ((err = area_split(vm, addr)) || (err = area_split(vm, end)))
        goto out;
    vm->dontfork |= !!(set & VM_DONTFORK);
    for (unsigned long at = addr; at < end;) {
        struct vm_area *a = area_first_from(vm, at);
        if (!a || a->start >= end) {
            hole = true;
            break;
        }
        hole |= a->start > at;
        at = a->end;
        if (set & (VM_DONTFORK | VM_WIPEONFORK) && area_keeps_pages(a)) {
            err = -EPERM;
            break;
        }
        if (!(a->flags & VM_SPECIAL))
            area_set_flags(vm, a, (a->flags | set) & ~clear);
        area_merge(vm, a);
        cond_resched();
    }
out:
    vm_unlock(vm);
    return err ? err : hole ? -ENOMEM : 0;
}

static int seal_locked(struct vmspace *vm, unsigned long addr, unsigned long end) {
    ASSERT_HELD(&vm->lock);
    struct vm_area *a;
    int err;
    for (unsigned long at = addr; at < end; at = a->end) {
        a = area_first_from(vm, at);
        if (!a || a->start > at)
            return -ENOMEM;
        cond_resched();
    }
    if ((err = area_split(vm, addr)) || (err = area_split(vm, end)))
        return err;
    vm->sealed = true;
    for (unsigned long at = addr; at < end; cond_resched()) {
        a = area_first_from(vm, at);
        at = a->end;
        area_set_flags(vm, a, a->flags | VM_SEALED);
        area_merge(vm, a);
    }
    return 0;
}

int vm_seal(struct vmspace *vm, unsigned long addr, unsigned long end) {
    mutex_lock(&vm->lock);
    int err = seal_locked(vm, addr, end);
    vm_unlock(vm);
    return err;
}

struct file *vm_next_shared_file(struct vmspace *vm, unsigned long *addr, unsigned long end) {
    struct file *f = NULL;
    mutex_lock(&vm->lock);
    for (struct vm_area *a = area_first_from(vm, *addr); a && a->start < end && !f; a = area_next(a)) {
        if (area_is_private(a) || !a->file)
            continue;
        f = a->file;
        vm_file_ops->hold(f);
        *addr = a->end;
    }
    vm_unlock(vm);
    return f;
}

// ---- truncation

#define LOOKED_AT_ONCE 64

// The address space of an area that maps b and was not looked at in this round, with a reference. NULL: *more says whether all were.
// One that is being freed has nobody who could use its old mappings.
static struct vmspace *next_mapper(struct vm_backing *b, unsigned int round, bool *more) {
    struct vmspace *vm = NULL;
    spin_lock(&b->lock);
    for (unsigned int n = 0; !vm && n < LOOKED_AT_ONCE; n++) {
        struct vm_area *a =
            list_empty(&b->areas) ? NULL : list_first_entry(&b->areas, struct vm_area, backing_link);
        *more = a && a->round != round;
        if (!*more)
            break;
        if (ref_get_unless_zero(&a->vm->refs))
            vm = a->vm; // seen once nothing is left that a fork could copy
        else
            area_seen_locked(a, round);
    }
    spin_unlock(&b->lock);
    return vm;
}

static void zap_area(struct gather *g, struct vm_area *a, unsigned long first, unsigned long last) {
    unsigned long pages = (a->end - a->start) >> PAGE_SHIFT;
    if (last < a->pgoff || first >= a->pgoff + pages)
        return;
    unsigned long from = first > a->pgoff ? first - a->pgoff : 0;
    unsigned long to = last - a->pgoff < pages ? last - a->pgoff + 1 : pages;
    vm_zap(g, a->start + (from << PAGE_SHIFT), a->start + (to << PAGE_SHIFT), true);
}

static void zap_backing(struct vmspace *vm, struct vm_backing *b, unsigned long first, unsigned long last,
                        unsigned int round) {
    struct gather g;
    struct vm_area *a;
    mutex_lock(&vm->lock);
    gather_init(&g, vm);
    RB_FOREACH (a, vm_area_tree, &vm->areas) {
        if (a->backing == b) {
            spin_lock(&b->lock);
            area_seen_locked(a, round);
            spin_unlock(&b->lock);
            zap_area(&g, a, first, last);
        }
        cond_resched();
    }
    gather_finish(&g);
    vm_unlock(vm);
}

void vm_backing_truncate(struct vm_backing *b, unsigned long first, unsigned long last) {
    spin_lock(&b->lock);
    unsigned int round = ++b->round;
    bool more = !list_empty(&b->areas);
    spin_unlock(&b->lock);
    for (; more; cond_resched()) {
        struct vmspace *vm = next_mapper(b, round, &more);
        if (vm) {
            zap_backing(vm, b, first, last, round);
            vmspace_put(vm);
        }
    }
}
