// SPDX-License-Identifier: MIT
// Address spaces: areas, mappings, faults.
//
// A vmspace is a page table and a red-black tree of areas. An area maps a range of a backing (a file's pages) or anonymous memory. Pages come in at
// the first touch; a private writable page is shared until written (copy on write).
#pragma once
#include "arch/riscv/layout.h"
#include "lib/tree.h"
#include "mm/page.h"
#include "sched/wait.h"

struct file;

// What an area gets its pages from: the content of a file (fs), or shared anonymous memory (also a tmpfs file).
struct vm_backing {
    const struct vm_backing_ops *ops;
};
struct vm_backing_ops {
    // The page `index` (in pages), with a reference for the caller. `write`: the page will be changed through a shared mapping (so a borrowed page must become
    // the file's own, and holes must be filled). For reads of a hole a page of zeros will do. Errors as ERR_PTR: -EFAULT past the end (SIGBUS), -ENOMEM. May sleep.
    struct page *(*get_page)(struct vm_backing *b, unsigned long index, bool write);
    // Optional: up to `n` pages from `index` on that are present without work, for mapping around a fault. Returns how many were put into `pages`
    // (stops at the first that is not there; each with a reference).
    unsigned int (*get_present)(struct vm_backing *b, unsigned long index, struct page **pages, unsigned int n);
};

struct vm_area {
    RB_ENTRY(vm_area) node;
    unsigned long start, end; // page-aligned, end exclusive
    unsigned int prot;        // PROT_*
    unsigned int flags;       // MAP_SHARED or MAP_PRIVATE, MAP_GROWSDOWN, MAP_NORESERVE, MAP_LOCKED, VM_*
    struct vm_backing *backing; // NULL: anonymous private
    struct file *file;          // holds the backing alive and names it in /proc/PID/maps; a reference
    unsigned long pgoff;        // first page of the backing
    const char *name;           // "[stack]", "[heap]", "[vdso]": static string, or NULL
    unsigned int max_prot;      // what mprotect may give
};
#define VM_DONTFORK  (1u << 30)
#define VM_WIPEONFORK (1u << 29)
#define VM_SPECIAL   (1u << 28) // pages are not ours to free or copy (vDSO data)

struct vmspace {
    struct refcount refs;
    struct mutex lock;          // areas, page table structure
    RB_HEAD(vm_area_tree, vm_area) areas; // [lock]
    pte_t *root;                // [I] page table
    uint64_t active_harts;      // [a] harts whose satp may hold it (dense index)
    unsigned long brk_start, brk, mmap_base, stack_start, stack_limit; // [lock]
    unsigned long arg_start, arg_end, env_start, env_end; // [I] after exec: /proc/PID/cmdline, environ
    unsigned long total_pages, locked_pages, data_pages;  // [lock] of areas
    long rss_anon, rss_file, rss_peak;                    // [a] pages
    struct file *exe_file;      // [lock] /proc/PID/exe
    unsigned long auxv[64];     // [I]
    unsigned long vdso;         // [I] address of the vDSO
};

struct vmspace *__must_check vmspace_create(void); // ERR_PTR(-ENOMEM)
// A copy for fork: areas duplicated, private pages shared copy-on-write.
struct vmspace *__must_check vmspace_fork(struct vmspace *old);
void vmspace_get(struct vmspace *vm);
void vmspace_put(struct vmspace *vm);
// Makes it the current thread's and this hart's (NULL: the kernel's). sched calls vmspace_activate() at each switch.
void vmspace_switch(struct vmspace *vm);
void vmspace_activate(struct thread *next);

struct vm_map_args {
    unsigned long addr, length; // addr: hint, or exact with MAP_FIXED; length in bytes, rounded up
    unsigned int prot, flags;   // as mmap(2)
    struct file *file;          // takes its own reference
    struct vm_backing *backing; // of `file`
    unsigned long pgoff;
    unsigned int max_prot;
    const char *name;
};
// The address, or -errno. Takes vm->lock.
long __must_check vm_map(struct vmspace *vm, const struct vm_map_args *args);
int __must_check vm_unmap(struct vmspace *vm, unsigned long addr, unsigned long length);
int __must_check vm_protect(struct vmspace *vm, unsigned long addr, unsigned long length, unsigned int prot);
// A page of the kernel's own (vDSO image or data) at addr, read-only/executable as prot says; pages never freed.
int __must_check vm_map_special(struct vmspace *vm, unsigned long addr, const paddr_t *pages, size_t n, unsigned int prot, const char *name);
// The area that holds addr, or the next above it (vm->lock held).
struct vm_area *vm_area_find(struct vmspace *vm, unsigned long addr);
// Access to another (or this) address space without its page table: for /proc/PID/cmdline, environ, mem, exec's stack, process_vm_readv. Bytes done or -EFAULT/-EIO.
ssize_t __must_check vm_access(struct vmspace *vm, unsigned long addr, void *buf, size_t n, bool write);
// Drops all mappings of backing's pages [first, last] in all address spaces after truncation. Called by fs with the inode's lock.
void vm_backing_truncate(struct vm_backing *b, unsigned long first, unsigned long last);
// Futex key of a user address: private areas: (vmspace, address); shared: (backing, offset). 0 or -EFAULT.
struct futex_key {
    void *object; // vmspace or backing
    unsigned long offset;
};
int __must_check vm_futex_key(unsigned long addr, bool private_only, struct futex_key *key);
