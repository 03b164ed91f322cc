// SPDX-License-Identifier: MIT
// mmap(2) and its kin: arguments checked, then vm/ does it.
#include "arch/riscv/cpu.h"
#include "arch/riscv/uaccess.h"
#include "fs/fdtable.h"
#include "fs/mount.h"
#include "fs/tmpfs/tmpfs.h"
#include "proc/process.h"
#include "sys/memory.h"
#include "sys/syscalls.h"
#include "vm/vmspace.h"
#include <asm/mman.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/membarrier.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/mount.h>

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
// Above these are the sizes of huge pages; and, in areas, flags of vm's own, which no program sets.
#define USED_MAP_FLAGS ((1u << MAP_HUGE_SHIFT) - 1)
// What MAP_SHARED_VALIDATE takes; the other types pass over what they do not know.
#define KNOWN_MAP_FLAGS                                                                                      \
    (MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED |               \
     MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_UNINITIALIZED |             \
     MAP_HUGE_2MB | MAP_HUGE_1GB)

static bool range_ok(unsigned long addr, size_t n) {
    return n <= USER_END && addr <= USER_END - page_up(n);
}

// ---- limits

// How many bytes more the address space may hold.
static uint64_t total_headroom(void) {
    uint64_t limit = current_rlimit(RLIMIT_AS), used = current->vm->total_pages << PAGE_SHIFT;
    return limit > used ? limit - used : 0;
}

int memory_check_room(size_t n, int prot, int flags) {
    unsigned int locked = ((unsigned int)flags | READ_ONCE(current->vm->new_flags)) & MAP_LOCKED;
    int err = locked ? vm_may_lock(current->vm, page_up(n) >> PAGE_SHIFT) : 0;
    if (err)
        return err == -EPERM && flags & MAP_LOCKED ? -EPERM : -EAGAIN;
    if (page_up(n) > total_headroom())
        return -ENOMEM;
    if (!(prot & PROT_WRITE) || (flags & MAP_TYPE) != MAP_PRIVATE)
        return 0;
    uint64_t limit = current_rlimit(RLIMIT_DATA), used = current->vm->data_pages << PAGE_SHIFT;
    return limit != RLIM64_INFINITY && used + page_up(n) > limit ? -ENOMEM : 0;
}

// ---- mmap and what changes mappings

long sys_brk(unsigned long addr) {
    struct vmspace *vm = current->vm;
    uint64_t now = vm->brk - vm->brk_start, data = current_rlimit(RLIMIT_DATA), room = total_headroom();
    return (long)vm_brk(vm, addr, MIN(data, room > ~0ull - now ? ~0ull : now + room));
}

// What the file's open mode and its mount allow. 0, -EACCES or -EPERM.
static int check_file(struct file *f, int prot, int flags, unsigned int *max_prot) {
    int mode = f->flags & O_ACCMODE;
    *max_prot = PROT_ALL;
    if (mode == O_WRONLY)
        return -EACCES;
    if (flags & MAP_SHARED && mode == O_RDONLY) {
        if (prot & PROT_WRITE)
            return -EACCES;
        *max_prot &= ~PROT_WRITE;
    } else if (flags & MAP_SHARED && inode_is_append_only(f->inode)) {
        return -EACCES; // what is mapped could be changed in the middle
    }
    if (f->path.mount && (f->path.mount->flags & MS_NOEXEC)) {
        if (prot & PROT_EXEC)
            return -EPERM;
        *max_prot &= ~PROT_EXEC;
    }
    return 0;
}

static long map_file(struct vm_map_args *m, struct file *f) {
    unsigned long last = (unsigned long)(INT64_MAX - (off_t)page_up(m->length)) >> PAGE_SHIFT;
    if (S_ISREG(f->inode->mode) && m->pgoff > last) // no file is as large
        return -EOVERFLOW;
    int err = check_file(f, m->prot, m->flags, &m->max_prot);
    if (err)
        return err;
    m->file = f;
    m->backing = f->backing;
    if (f->ops->mmap)
        err = f->ops->mmap(f, m);
    else if (!f->backing)
        err = -ENODEV;
    bool writers = !err && m->backing && m->flags & MAP_SHARED && m->max_prot & PROT_WRITE;
    if (writers)
        err = vm_backing_begin_mapping(m->backing);
    if (err)
        return err;
    long addr = vm_map(current->vm, m);
    if (writers)
        vm_backing_end_mapping(m->backing);
    if (m->file != f) // the op has put another in its place, with a reference for us
        file_put(m->file);
    return addr;
}

// Shared anonymous memory is a file of tmpfs without a name.
static long map_shared_anonymous(struct vm_map_args *m) {
    if (vm_overcommits(page_up(m->length) >> PAGE_SHIFT, m->flags))
        return -ENOMEM;
    struct file *f = tmpfs_create_anon("dev/zero", page_up(m->length), 0);
    if (IS_ERR(f))
        return PTR_ERR(f);
    m->file = f;
    m->backing = f->backing;
    m->pgoff = 0;
    long addr = vm_map(current->vm, m);
    file_put(f);
    return addr;
}

// Checks what does not depend on the file. 0 or -errno.
static int check_map(const struct vm_map_args *m, off_t offset) {
    unsigned long pages = page_up(m->length) >> PAGE_SHIFT;
    if (!m->length || (m->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && m->addr & PAGE_MASK))
        return -EINVAL;
    if (m->length > USER_END)
        return -ENOMEM;
    if (m->pgoff + pages < m->pgoff || offset < 0)
        return -EOVERFLOW;
    return memory_check_room(m->length, m->prot, m->flags);
}

long sys_mmap(unsigned long addr, size_t n, int prot, int flags, int fd, off_t offset) {
    struct vm_map_args m = {.addr = addr,
                            .length = n,
                            .prot = (unsigned int)prot & PROT_ALL,
                            .flags = (unsigned int)flags & USED_MAP_FLAGS,
                            .pgoff = (unsigned long)offset >> PAGE_SHIFT};
    int type = flags & MAP_TYPE;
    struct file *f = NULL;
    unsigned int unknown = (unsigned int)flags & ~(MAP_TYPE | KNOWN_MAP_FLAGS);
    if (offset & PAGE_MASK || flags & MAP_HUGETLB) // of these there are none
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS) && !(f = fd_get_io(fd)))
        return -EBADF;
    long result = check_map(&m, offset);
    if (type == MAP_SHARED_VALIDATE && f) {
        m.flags = (m.flags & ~MAP_TYPE) | MAP_SHARED;
        if (unknown && !result)
            result = -EOPNOTSUPP; // MAP_SYNC too: no file here is on persistent memory
    } else if (type != MAP_SHARED && type != MAP_PRIVATE)
        result = -EINVAL;
    if (!result) {
        if (f)
            result = map_file(&m, f);
        else if (m.flags & MAP_SHARED)
            result = map_shared_anonymous(&m);
        else
            result = vm_map(current->vm, &m);
    }
    if (f)
        file_put(f);
    return result;
}

long sys_munmap(unsigned long addr, size_t n) {
    return vm_unmap(current->vm, addr, n);
}

long sys_mprotect(unsigned long addr, size_t n, int prot) {
    if (prot & ~(PROT_ALL | PROT_SEM))
        return -EINVAL;
    return vm_protect(current->vm, addr, n, (unsigned int)prot & PROT_ALL);
}

long sys_mremap(unsigned long addr, size_t old_n, size_t new_n, int flags, unsigned long new_addr) {
    unsigned long more = page_up(new_n) > page_up(old_n) ? page_up(new_n) - page_up(old_n) : 0;
    if (flags & MREMAP_DONTUNMAP)
        more = page_up(new_n);
    if (more > total_headroom())
        return -ENOMEM;
    return vm_remap(current->vm, addr, old_n, new_n, flags, new_addr);
}

long sys_mseal(unsigned long addr, size_t n, unsigned long flags) {
    if (flags || (addr & PAGE_MASK) || page_up(n) < n || addr + page_up(n) < addr)
        return -EINVAL;
    if (!n)
        return 0;
    return range_ok(addr, n) ? vm_seal(current->vm, addr, addr + page_up(n)) : -ENOMEM;
}

// ---- remap_file_pages: what is mapped there becomes another part of its file

struct part {
    struct file *file; // referenced
    unsigned long next;
    unsigned int prot, flags;
};

// All of the range is one shared mapping, whatever parts it has been cut into.
static int find_part(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                     void *arg) {
    struct part *p = arg;
    (void)vm;
    if (!(a->flags & MAP_SHARED) || !a->file || !a->backing)
        return -EINVAL;
    if (p->file && (start != p->next || a->file != p->file || a->prot != p->prot || a->flags != p->flags))
        return -EINVAL;
    if (!p->file) {
        vm_file_ops->hold(a->file);
        p->file = a->file;
        p->prot = a->prot;
        p->flags = a->flags;
    }
    p->next = end;
    return 0;
}

static long remap_part(const struct part *p, unsigned long addr, size_t n, unsigned long page,
                       unsigned int flags) {
    struct vm_map_args m = {.addr = addr,
                            .length = n,
                            .prot = p->prot,
                            .flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE | flags | (p->flags & MAP_LOCKED),
                            .pgoff = page};
    long result = check_map(&m, 0);
    if (!result)
        result = map_file(&m, p->file);
    return result > 0 ? 0 : result;
}

long sys_remap_file_pages(unsigned long addr, size_t n, unsigned long prot, unsigned long page,
                          unsigned long flags) {
    struct part p = {0};
    addr = ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE);
    n = ALIGN_DOWN(n, (size_t)PAGE_SIZE);
    if (prot || !n || addr + n <= addr || page + (n >> PAGE_SHIFT) < page || !range_ok(addr, n))
        return -EINVAL;
    long result = vm_for_range(current->vm, addr, addr + n, find_part, &p) ? -EINVAL : 0;
    if (!result)
        result = remap_part(&p, addr, n, page, flags & MAP_NONBLOCK);
    if (p.file)
        vm_file_ops->drop(p.file);
    return result;
}

// ---- madvise, msync, mincore

static int touch_nothing(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                         void *arg) {
    (void)vm, (void)a, (void)start, (void)end, (void)arg;
    return 0;
}

static int only_unlocked(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                         void *arg) {
    (void)vm, (void)start, (void)end, (void)arg;
    return a->flags & MAP_LOCKED ? -EBUSY : 0;
}

static bool is_private_anonymous(const struct vm_area *a) {
    return !a->backing && !(a->flags & MAP_SHARED);
}

static int only_anonymous(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                          void *arg) {
    (void)vm, (void)start, (void)end, (void)arg;
    return is_private_anonymous(a) ? 0 : -EINVAL;
}

static int free_range(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                      void *arg) {
    return is_private_anonymous(a) ? vm_discard_range(vm, a, start, end, arg) : -EINVAL;
}

struct hole {
    struct file *file; // referenced
    off_t offset, length;
};

// The first area of the range that has a file, for MADV_REMOVE.
static int find_hole(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                     void *arg) {
    struct hole *h = arg;
    (void)vm;
    if (a->flags & VM_SEALED && !(a->prot & PROT_WRITE) && is_private_anonymous(a))
        return -EPERM;
    if (a->flags & MAP_LOCKED || !a->backing || !a->file)
        return -EINVAL;
    if (!(a->flags & MAP_SHARED) || !(a->max_prot & PROT_WRITE))
        return -EACCES;
    file_get(a->file);
    h->file = a->file;
    h->offset = (off_t)((a->pgoff << PAGE_SHIFT) + (start - a->start));
    h->length = (off_t)(end - start);
    return 1;
}

static long punch_holes(unsigned long addr, unsigned long end) {
    while (addr < end && !cond_resched_killable()) {
        struct hole h = {0};
        int found = vm_for_range(current->vm, addr, end, find_hole, &h);
        if (found <= 0)
            return found;
        int err = h.file->ops->fallocate
                      ? h.file->ops->fallocate(h.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, h.offset,
                                               h.length)
                      : -EOPNOTSUPP;
        file_put(h.file);
        if (err)
            return err;
        addr += (unsigned long)h.length;
    }
    return 0;
}

static long advise(struct vmspace *vm, unsigned long addr, unsigned long end, int advice) {
    int err;
    switch (advice) {
    case MADV_DONTNEED:
        return vm_for_range(vm, addr, end, vm_discard_range, NULL);
    case MADV_FREE: // giving the pages up at once is one of the things that may happen
        return vm_for_range(vm, addr, end, free_range, NULL);
    case MADV_REMOVE:
        return punch_holes(addr, end);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
        return vm_for_range(vm, addr, end, touch_nothing, NULL); // pages never leave memory
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return vm_populate(vm, addr, end - addr, advice == MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ);
    case MADV_DONTFORK:
        return vm_flag_range(vm, addr, end, VM_DONTFORK, 0);
    case MADV_DOFORK:
        return vm_flag_range(vm, addr, end, 0, VM_DONTFORK);
    case MADV_WIPEONFORK:
        err = vm_for_range(vm, addr, end, only_anonymous, NULL);
        return err == -EINVAL ? err : vm_flag_range(vm, addr, end, VM_WIPEONFORK, 0);
    case MADV_KEEPONFORK:
        return vm_flag_range(vm, addr, end, 0, VM_WIPEONFORK);
    }
    return -EINVAL; // huge pages, merging: as a Linux built without them
}

long memory_advise(struct vmspace *vm, unsigned long addr, size_t n, int advice) {
    if ((addr & PAGE_MASK) || !range_ok(addr, n))
        return -EINVAL;
    return advise(vm, addr, addr + page_up(n), advice);
}

long sys_madvise(unsigned long addr, size_t n, int advice) {
    return memory_advise(current->vm, addr, n, advice);
}

// For most files memory is where they are.
static int sync_range(unsigned long addr, unsigned long end) {
    int err = 0;
    for (struct file *f; !err && (f = vm_next_shared_file(current->vm, &addr, end));) {
        err = f->ops->fsync ? f->ops->fsync(f) : 0;
        vm_file_ops->drop(f);
    }
    return err;
}

long sys_msync(unsigned long addr, size_t n, int flags) {
    if ((addr & PAGE_MASK) || (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) ||
        (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    if (!range_ok(addr, n))
        return -ENOMEM;
    unsigned long end = addr + page_up(n);
    int err =
        vm_for_range(current->vm, addr, end, flags & MS_INVALIDATE ? only_unlocked : touch_nothing, NULL);
    return err || !(flags & MS_SYNC) ? err : sync_range(addr, end);
}

long sys_mincore(unsigned long addr, size_t n, unsigned char __user *vec) {
    unsigned char bytes[256];
    if (addr & PAGE_MASK)
        return -EINVAL;
    if (!range_ok(addr, n))
        return -ENOMEM;
    for (size_t left = page_up(n) >> PAGE_SHIFT; left;) {
        size_t part = MIN(left, sizeof(bytes));
        for (size_t i = 0; i < part; i++, addr += PAGE_SIZE) {
            int there = vm_is_present(current->vm, addr);
            if (there < 0)
                return there;
            bytes[i] = (unsigned char)there;
        }
        if (copy_to_user(vec, bytes, part))
            return -EFAULT;
        vec += part;
        left -= part;
        int err = cond_resched_killable();
        if (err)
            return err;
    }
    return 0;
}

// ---- locking: pages never leave memory, so it is enough to bring them in and to count them

static int add_locked_pages(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                            void *arg) {
    (void)vm;
    if (a->flags & MAP_LOCKED)
        *(unsigned long *)arg += (end - start) >> PAGE_SHIFT;
    return 0;
}

// What of the range is locked already counts once. 0, -EPERM, -ENOMEM.
static int may_lock_range(unsigned long start, unsigned long length) {
    struct vmspace *vm = current->vm;
    unsigned long pages = length >> PAGE_SHIFT, already = 0;
    int err = vm_may_lock(vm, pages);
    if (err != -ENOMEM)
        return err;
    int hole = vm_for_range(vm, start, start + length, add_locked_pages, &already);
    (void)hole; // which the call comes upon itself
    return vm_may_lock(vm, pages - already);
}

static long lock_range(unsigned long addr, size_t n, bool populate) {
    unsigned long start = ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE),
                  length = page_up(n + (addr & PAGE_MASK));
    if (n > USER_END || !range_ok(start, length))
        return n > USER_END ? -EINVAL : -ENOMEM;
    int err = may_lock_range(start, length);
    if (!err)
        err = vm_flag_range(current->vm, start, start + length, MAP_LOCKED, 0);
    if (err || !populate)
        return err;
    return vm_populate(current->vm, start, length, 0) ? -ENOMEM : 0;
}

long sys_mlock(unsigned long addr, size_t n) {
    return lock_range(addr, n, true);
}

long sys_mlock2(unsigned long addr, size_t n, int flags) {
    if (flags & ~MLOCK_ONFAULT)
        return -EINVAL;
    return lock_range(addr, n, !(flags & MLOCK_ONFAULT));
}

long sys_munlock(unsigned long addr, size_t n) {
    unsigned long start = ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE),
                  length = page_up(n + (addr & PAGE_MASK));
    if (n > USER_END || !range_ok(start, length))
        return n > USER_END ? -EINVAL : -ENOMEM;
    return vm_flag_range(current->vm, start, start + length, 0, MAP_LOCKED);
}

static long flag_all(unsigned int set, unsigned int clear) {
    int err = vm_flag_range(current->vm, 0, USER_END, set, clear);
    return err == -ENOMEM ? 0 : err; // holes are no error here
}

static int populate_area(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                         void *arg) {
    unsigned long *range = arg;
    (void)vm, (void)a;
    range[0] = start;
    range[1] = end;
    return 1;
}

// Area by area, as they are at the time.
static void populate_all(void) {
    unsigned long range[2] = {0, 0};
    while (!cond_resched_killable() &&
           vm_for_range(current->vm, range[1], USER_END, populate_area, range) == 1) {
        int err = vm_populate(current->vm, range[0], range[1] - range[0], 0);
        (void)err; // PROT_NONE, past the end of a file: Linux says nothing either
    }
}

long sys_mlockall(int flags) {
    struct vmspace *vm = current->vm;
    if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return -EINVAL;
    int err = vm_may_lock(vm, flags & MCL_CURRENT ? vm->total_pages - vm->locked_pages : 0);
    if (!(flags & MCL_CURRENT) && err == -ENOMEM) // what there is stays as it is
        err = 0;
    if (err)
        return err;
    mutex_lock(&vm->lock);
    vm->new_flags = flags & MCL_FUTURE ? MAP_LOCKED : 0;
    mutex_unlock(&vm->lock);
    if (!(flags & MCL_CURRENT))
        return 0;
    long result = flag_all(MAP_LOCKED, 0);
    if (!result && !(flags & MCL_ONFAULT))
        populate_all();
    return result;
}

long sys_munlockall(void) {
    struct vmspace *vm = current->vm;
    mutex_lock(&vm->lock);
    vm->new_flags = 0;
    mutex_unlock(&vm->lock);
    return flag_all(0, MAP_LOCKED);
}

long sys_memfd_create(const char __user *name, unsigned int flags) {
    char copy[250]; // Linux's limit: NAME_MAX less the "memfd:" in front
    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
        (flags & (MFD_NOEXEC_SEAL | MFD_EXEC)) == (MFD_NOEXEC_SEAL | MFD_EXEC))
        return -EINVAL;
    ssize_t n = strncpy_from_user(copy, name, sizeof(copy));
    if (n < 0)
        return n == -ENAMETOOLONG ? -EINVAL : n;
    struct file *f = tmpfs_create_memfd(copy, flags);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

// ---- barriers

#define REGISTERED_CMDS                                                                                      \
    (MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |                  \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

// The barriers reach all harts that matter at once; only what must be registered before use is remembered.
long sys_membarrier(int cmd, unsigned int flags, int hart) {
    struct vmspace *vm = current->vm;
    (void)hart;
    if (flags)
        return -EINVAL;
    switch (cmd) {
    case MEMBARRIER_CMD_QUERY:
        return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
               MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | REGISTERED_CMDS;
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        __atomic_fetch_or(&vm->membarrier, (unsigned int)cmd, __ATOMIC_RELAXED);
        return 0;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
        vm_barrier(vm, true);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
        if (!(READ_ONCE(vm->membarrier) & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
            return -EPERM;
        vm_barrier(vm, false);
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
        if (!(READ_ONCE(vm->membarrier) & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE))
            return -EPERM;
        vm_barrier(vm, false);
        return 0;
    }
    return -EINVAL;
}

// Threads move between harts, and "this thread only" (SYS_RISCV_FLUSH_ICACHE_LOCAL) follows them.
long sys_riscv_flush_icache(unsigned long start, unsigned long end, unsigned long flags) {
    (void)start, (void)end;
    if (flags & ~1ul)
        return -EINVAL;
    vm_barrier(current->vm, true);
    return 0;
}
