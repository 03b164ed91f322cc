// SPDX-License-Identifier: MIT
// Address spaces: areas, mappings, faults. docs/memory.md tells how it works.
//
// A vmspace is a page table and a red-black tree of areas. An area maps a range of a backing (a file's pages)
// or anonymous memory. Pages come in at the first touch; a private writable page is shared until written
// (copy on write). Locks: vm->lock, a mutex; then locks of a backing's pages. vm->lock may be taken while an
// inode's lock is held.
#pragma once
#include "arch/riscv/layout.h"
#include "lib/tree.h"
#include "mm/page.h"
#include "mm/user_table.h"
#include "sched/wait.h"

struct file;
struct vmspace;

// n bytes in whole pages; 0 where that is too much.
static inline unsigned long page_up(unsigned long n) {
    return ALIGN_UP(n, (unsigned long)PAGE_SIZE);
}

// What an area gets its pages from: the content of a file (fs), or shared anonymous memory (also a tmpfs
// file). A page number's page never changes while it is mapped, but for vm_backing_truncate().
struct vm_backing {
    const struct vm_backing_ops *ops;
    struct list_head areas; // [lock] vm_area.backing_link; those that the last round has seen come last
    struct spinlock lock;
    unsigned int round;   // [lock] number of the last vm_backing_truncate()
    unsigned int writers; // [lock] areas that may be written through
    uint16_t coming; // [lock] mappings on their way that may be: at most one of each thread (THREADS_MOST)
    bool no_writers; // [lock] none of these may come any more
    uint64_t id;     // [a] as futexes name it: no other ever has the same; 0: none was asked for yet
};
struct vm_backing_ops {
    // The page `index` (in pages), with a reference for the caller. `write`: the page will be changed through
    // a shared mapping (so a borrowed page must become the file's own, and holes must be filled). For reads
    // of a hole a page of zeros will do, if vm_backing_truncate() is called before the hole is filled. Errors
    // as ERR_PTR: -EFAULT past the end (SIGBUS), -ENOMEM; -EINTR if the thread is being killed. May sleep. Called with
    // vm->lock held, so that nobody changes the address space meanwhile; unless it `waits`.
    struct page *(*get_page)(struct vm_backing *b, unsigned long index, bool write);
    bool
        waits; // for a device, as long as that takes: called without vm->lock, and the fault looked at anew afterwards
    // Optional: up to `n` pages from `index` on that are present without work, for mapping around a fault.
    // Returns how many were put into `pages` (stops at the first that is not there; each with a reference).
    unsigned int (*get_present)(struct vm_backing *b, unsigned long index, struct page **pages,
                                unsigned int n);
    // Optional: how many pages from *index to `last` are in memory, *dirty grown by those of them that a
    // device is yet to get. Not all at once: *index is moved on behind what was looked at, at the end behind `last`.
    unsigned long (*count)(struct vm_backing *b, unsigned long *index, unsigned long last,
                           unsigned long *dirty);
};
// Before any use of b. Does not allocate.
static inline void vm_backing_init(struct vm_backing *b, const struct vm_backing_ops *ops) {
    b->ops = ops;
    b->round = b->coming = 0;
    b->writers = 0;
    b->no_writers = false;
    b->id = 0;
    spin_init(&b->lock);
    list_init(&b->areas);
}

struct vm_area {
    RB_ENTRY(vm_area) node;
    unsigned long start, end;   // page-aligned, end exclusive
    unsigned int prot;          // PROT_*
    unsigned int flags;         // MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_LOCKED, VM_*
    struct vm_backing *backing; // NULL: anonymous private
    struct file *file;          // holds the backing alive and names it in /proc/PID/maps; a reference
    unsigned long pgoff;        // first page of the backing
    const char *name;           // "[stack]", "[heap]", "[vdso]": static string, or NULL
    unsigned int max_prot;      // what mprotect may give
    bool anon;                  // may have anonymous pages of its own
    unsigned int round;         // [backing->lock] last vm_backing_truncate() that saw it
    const paddr_t *special;     // VM_SPECIAL: its pages
    struct vmspace *vm;         // [I]
    struct list_head backing_link; // [backing->lock]
};
#define VM_DONTFORK     (1u << 30)
#define VM_WIPEONFORK   (1u << 29)
#define VM_SPECIAL      (1u << 28) // pages are not ours to free or copy (vDSO data)
#define VM_SEALED       (1u << 27) // mseal(2): stays as it is
#define VM_POLICY_SHIFT 21         // five bits of mbind(2)'s: sys/numa.c
#define VM_POLICY       (31u << VM_POLICY_SHIFT)

// Below this address only who has CAP_SYS_RAWIO may map anything: what follows a null pointer of the kernel's is
// then nobody's. In bytes, as /proc/sys/vm/mmap_min_addr has it.
extern unsigned long vm_min_addr; // [a]

extern unsigned long vm_max_areas; // [a] of an address space: vm.max_map_count

// Promises of memory (vm/commit.c). Of pages that a program may write to as its own it is said when they are asked for
// whether they can be had: by vm.overcommit_memory.
enum vm_overcommit_mode {
    VM_COMMIT_HEURISTIC, // what could never be had is refused
    VM_COMMIT_ALWAYS,    // nothing is
    VM_COMMIT_STRICT,    // no more is promised, all in all, than vm_commit_limit()
};
extern unsigned long vm_overcommit; // [a] enum vm_overcommit_mode
extern unsigned long vm_overcommit_ratio,
    vm_overcommit_kbytes; // [a] of memory in per cent; not 0: instead of that
extern unsigned long vm_admin_reserve_kbytes,
    vm_user_reserve_kbytes;     // [a] what strictness leaves for repairs
uint64_t vm_commit_limit(void); // pages
uint64_t vm_committed(void);    // pages that are promised, or are files of memory
// n more pages of the running program's: must they be refused? `flags` of mmap(2): MAP_NORESERVE asks for no promise.
bool vm_overcommits(unsigned long pages, unsigned int flags);
// n more of its pages, vm's: may they be locked (RLIMIT_MEMLOCK)? 0, -ENOMEM; -EPERM: not one.
int __must_check vm_may_lock(const struct vmspace *vm, unsigned long pages);
// What is put at random addresses, as /proc/sys/kernel/randomize_va_space has it: 0 nothing, 1 all but the heap, 2 all; and
// beyond Linux's, all, but drawn once a boot for all programs that get no privileges: an emulator has to translate the code of
// a program anew for each address that it is run at.
#define VM_RANDOMIZE_BOOT 3
extern unsigned long vm_randomize; // [a]

RB_HEAD(vm_area_tree, vm_area);

struct vmspace {
    struct user_table table; // first: what sched switches to
    struct refcount refs;
    struct mutex lock;         // areas, page table structure
    struct vm_area_tree areas; // [lock]
    struct vm_area *last_area; // [lock] what vm_area_find() found last, or NULL
    struct vm_area *released;  // [lock] areas gone whose files are let go of by vm_unlock()
    unsigned int area_count;   // [lock]
    bool dontfork;             // [lock] there may be areas with VM_DONTFORK
    bool sealed;               // [lock] there may be areas with VM_SEALED
    uint64_t id;               // [I] no other address space has had it
    bool dumpable;             // [a] others with the same identity may look into it: proc/access.h
    unsigned long brk_start, brk, mmap_base; // [lock]
    unsigned long free_hint;                 // [lock] where the search for free room starts, 0: mmap_base
    unsigned long stack_start;               // [lock] where the stack ends at its top
    unsigned long stack_limit; // [lock] bytes that MAP_GROWSDOWN areas may grow to: RLIMIT_STACK
    unsigned long arg_start, arg_end, env_start, env_end; // [I] after exec: /proc/PID/cmdline, environ
    unsigned long total_pages, locked_pages, data_pages;  // [lock] of areas
    long rss_anon, rss_file, rss_peak;                    // [lock] pages
    unsigned int new_flags;  // [lock] flags of areas to come: MAP_LOCKED after mlockall(MCL_FUTURE)
    unsigned int membarrier; // [a] what was registered for (sys/memory.c)
    bool reaped;             // [lock] vm_reap() has been here: who still uses it is to end
    struct file *exe_file;   // [lock] /proc/PID/exe: of vm_file_ops.get_program()
    unsigned long auxv[64];  // [I]
    unsigned long vdso;      // [I] address of the vDSO
};

// An empty one. Where things go in it (mmap_base, stack_limit, brk_start) is for exec to say.
struct vmspace *__must_check vmspace_create(void); // ERR_PTR(-ENOMEM)
// A copy for fork: areas duplicated, private pages shared copy-on-write.
struct vmspace *__must_check vmspace_fork(struct vmspace *old);
void vmspace_get(struct vmspace *vm);
// The last reference frees everything; then no hart has it active. May sleep. Whose program it was waits until what that wrote
// through it is with the files' devices; others, who may hold any lock, for no device.
void vmspace_leave(struct vmspace *vm);
void vmspace_put(struct vmspace *vm);
// Pages that go with it: its own and files' that it maps, its page tables, its areas. Page tables alone. Read without locks.
unsigned long vm_footprint(const struct vmspace *vm);
unsigned long vm_table_pages(const struct vmspace *vm);
// Takes its private pages away, as its programs are being killed and it takes them long; they fault no more in.
void vm_reap(struct vmspace *vm);
// Makes it the current thread's and this hart's (NULL: the kernel's). References are the caller's: the
// thread's to the old one is to be dropped, that to the new one becomes the thread's.
void vmspace_switch(struct vmspace *vm);

// What an area and an address space do with the file that they are of; fs sets it.
struct vm_file_ops {
    void (*get)(struct file *f);
    void (*put)(struct file *f);
    // Somebody else looks at it for a while.
    void (*hold)(struct file *f);
    void (*drop)(struct file *f);
    // The same for the program that an address space runs, which nobody may write meanwhile. Whoever hands it on keeps
    // that so.
    void (*get_program)(struct file *f);
    void (*put_program)(struct file *f);
};
extern const struct vm_file_ops *vm_file_ops;

struct vm_map_args {
    unsigned long addr, length; // addr: hint, or exact with MAP_FIXED; length in bytes, rounded up
    unsigned int prot, flags;   // as mmap(2)
    struct file *file;          // takes its own reference
    struct vm_backing *backing; // of `file`
    unsigned long pgoff;
    unsigned int max_prot; // 0: all
    const char *name;
};
// Around the vm_map() of a shared mapping that may be written through, now or after mprotect: -EPERM if there may be
// none of the backing.
int __must_check vm_backing_begin_mapping(struct vm_backing *b);
void vm_backing_end_mapping(struct vm_backing *b);
// From now on there may be none; -EBUSY if there is one, or one on its way.
int __must_check vm_backing_forbid_writers(struct vm_backing *b);
// The address, or -errno: -EINVAL, -ENOMEM, -EEXIST. Takes vm->lock, as all that follow unless they say
// otherwise.
long __must_check vm_map(struct vmspace *vm, const struct vm_map_args *args);
int __must_check vm_unmap(struct vmspace *vm, unsigned long addr, unsigned long length);
// shmdt(2): unmaps what is left of the mapping that began at addr with the first page of a file that is `one`: its areas
// that still are where that put them. -EINVAL if there is none.
int __must_check vm_unmap_mapping(struct vmspace *vm, unsigned long addr, bool (*one)(const struct file *f),
                                  size_t (*size)(const struct file *f));
int __must_check vm_protect(struct vmspace *vm, unsigned long addr, unsigned long length, unsigned int prot);
// mremap(2); limits are the caller's to check. The new address or -errno.
long __must_check vm_remap(struct vmspace *vm, unsigned long addr, unsigned long old_n, unsigned long new_n,
                           int flags, unsigned long new_addr);
// brk(2): moves the end of the heap, at most `max_bytes` from its start; returns where it is then.
unsigned long vm_brk(struct vmspace *vm, unsigned long addr, unsigned long max_bytes);
// Brings in the pages of a range for reading (PROT_READ), for writing (PROT_WRITE), or as far as each area
// allows (0). 0, -ENOMEM (a hole), -EFAULT (no access, no memory, past the end of a file).
int __must_check vm_populate(struct vmspace *vm, unsigned long addr, unsigned long length,
                             unsigned int access);
// Calls fn for the part [start, end) of each area within [addr, end), with vm->lock held, until it returns an
// error. That error, or -ENOMEM at the end if something in the range was not mapped.
int __must_check vm_for_range(struct vmspace *vm, unsigned long addr, unsigned long end,
                              int (*fn)(struct vmspace *vm, struct vm_area *a, unsigned long start,
                                        unsigned long end, void *arg),
                              void *arg);
// The file of the first shared mapping in [*addr, end), with a reference by vm_file_ops->hold(); *addr is behind that then. NULL:
// there is none.
struct file *vm_next_shared_file(struct vmspace *vm, unsigned long *addr, unsigned long end);
// For vm_for_range(): lets the pages go, so that they come anew. -EINVAL for locked ones; -EPERM: vm_seal().
int vm_discard_range(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                     void *arg);
// Sets and clears flags (MAP_LOCKED, VM_*) of all areas in a range. -ENOMEM: something in it is not mapped,
// the rest was changed. -EPERM: a child would not get what is sealed.
int __must_check vm_flag_range(struct vmspace *vm, unsigned long addr, unsigned long end, unsigned int set,
                               unsigned int clear);
// mseal(2): from now on these areas are not unmapped, moved, replaced or given other rights; their pages are not thrown away
// where one may not write: -EPERM. -ENOMEM: something in the range is not mapped, and nothing was changed.
int __must_check vm_seal(struct vmspace *vm, unsigned long addr, unsigned long end);
// A page of the kernel's own (vDSO image or data) at addr, read-only/executable as prot says; pages never
// freed.
int __must_check vm_map_special(struct vmspace *vm, unsigned long addr, const paddr_t *pages, size_t n,
                                unsigned int prot, const char *name);
// The area that holds addr, or the next above it (vm->lock held).
struct vm_area *vm_area_find(struct vmspace *vm, unsigned long addr);
// Calls fn for each area in order of addresses until it returns false. Takes vm->lock: fn must not fault on
// user memory.
void vm_area_for_each(struct vmspace *vm, bool (*fn)(const struct vm_area *a, void *arg), void *arg);
// What of an area is in memory, in pages. A page is shared if it is mapped elsewhere, too; dirty if it is a program's own or
// was written through a shared mapping.
struct vm_area_usage {
    unsigned long anon, file;                 // anonymous pages, pages of files
    unsigned long shared_clean, shared_dirty; // of both
    unsigned long private_clean, private_dirty;
    unsigned long referenced;                  // used since they came
    uint64_t part_anon, part_file, part_dirty; // each page's VM_PAGE_PARTS divided by those who map it
};
#define VM_PAGE_PARTS 4096
// For fn of vm_area_for_each(). Adds to *sum; yields. False if the thread is being killed.
bool vm_area_usage(const struct vm_area *a, struct vm_area_usage *sum);
// What is at each of n pages from addr on, all of it at one moment.
struct vm_page_state {
    paddr_t pa;   // 0: nothing is in memory
    bool file;    // a page of a file's, or of shared memory
    bool only_us; // nobody else maps it
};
void vm_page_states(struct vmspace *vm, unsigned long addr, struct vm_page_state *out, unsigned int n);
// 1 if the page of addr is in memory, 0 if not, -ENOMEM where nothing is mapped.
int vm_is_present(struct vmspace *vm, unsigned long addr);
// The first page of [addr, end) that the page table leads to; `end`: none.
unsigned long vm_next_mapped(struct vmspace *vm, unsigned long addr, unsigned long end);
// Access to another (or this) address space without its page table: for /proc/PID/cmdline, environ,
// exec's stack, process_vm_readv. Bytes done, or -EFAULT if there were none.
ssize_t __must_check vm_access(struct vmspace *vm, unsigned long addr, void *buf, size_t n, bool write);
// The same for /proc/PID/mem: what the program may not read is read, and what it may not write is written, in a copy of
// its own, unless it shares that with others.
ssize_t __must_check vm_access_forced(struct vmspace *vm, unsigned long addr, void *buf, size_t n,
                                      bool write);
// Drops all mappings of backing's pages [first, last] in all address spaces after truncation. Called by fs
// with the inode's lock, after the change that keeps get_page() from giving the pages out again. Not from
// get_page().
void vm_backing_truncate(struct vm_backing *b, unsigned long first, unsigned long last);
// Futex key of a user address: private: (vmspace, address), mapped or not; shared memory: (backing, offset) if the
// page can be read, so that it is brought in. 0 or -EFAULT. May sleep.
struct futex_key {
    uint64_t object; // the vmspace's address, or the backing's id
    unsigned long offset;
};
int __must_check vm_futex_key(unsigned long addr, bool private_only, struct futex_key *key);
// Waits until all harts that run this address space (`all`: all harts) have passed a full barrier and dropped
// what their instruction fetch had ahead.
void vm_barrier(struct vmspace *vm, bool all);

// Boot, after sched_init().
void vm_init(void);
