// SPDX-License-Identifier: MIT
// What is promised of memory, and who is refused more: Linux's rules, Documentation/mm/overcommit-accounting.rst. And how much
// is locked.
//
// Counted are the pages of private areas that may be written (stacks apart, which have a limit of their own); area.c does it
// as areas come, go and change. Files of tmpfs and shared memory count as they fill. Two harts that ask at the same moment
// may both be told yes: the limit is one for a whole machine, not for a page.
#include "core/cred.h"
#include "sched/thread.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/mman.h>

#define PAGE_KB (PAGE_SIZE / 1024)

unsigned long vm_overcommit, vm_overcommit_ratio = 50, vm_overcommit_kbytes;
unsigned long vm_admin_reserve_kbytes = 8192, vm_user_reserve_kbytes = 131072;

uint64_t vm_commit_limit(void) {
    unsigned long kilobytes = READ_ONCE(vm_overcommit_kbytes);
    return kilobytes ? kilobytes / PAGE_KB : memory_total_pages() * READ_ONCE(vm_overcommit_ratio) / 100;
}

uint64_t vm_committed(void) {
    struct memory_stats m;
    memory_get_stats(&m);
    return m.committed + m.cache;
}

// So that somebody can log in and end what has taken everything, and no program takes all that is left of it.
static uint64_t reserve(void) {
    uint64_t pages = capable(CAP_SYS_ADMIN) ? 0 : READ_ONCE(vm_admin_reserve_kbytes) / PAGE_KB;
    if (current->vm)
        pages += MIN(READ_ONCE(current->vm->total_pages) / 32, READ_ONCE(vm_user_reserve_kbytes) / PAGE_KB);
    return pages;
}

bool vm_overcommits(unsigned long pages, unsigned int flags) {
    switch (READ_ONCE(vm_overcommit)) {
    case VM_COMMIT_ALWAYS:
        return false;
    case VM_COMMIT_STRICT:
        return vm_committed() + pages + reserve() > vm_commit_limit();
    default:
        return !(flags & MAP_NORESERVE) && pages > memory_total_pages();
    }
}

int vm_may_lock(const struct vmspace *vm, unsigned long pages) {
    uint64_t limit = current_rlimit(RLIMIT_MEMLOCK);
    if ((limit && READ_ONCE(vm->locked_pages) + pages <= limit >> PAGE_SHIFT) || capable(CAP_IPC_LOCK))
        return 0;
    return limit ? -ENOMEM : -EPERM;
}
