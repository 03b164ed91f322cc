// SPDX-License-Identifier: MIT
// Memory policies: numa(7). All memory is one node, 0, so that a policy chooses nothing; but what is asked for is checked,
// kept, and told again, of threads and of areas, and a page that is to move is where it should be.
//
// A policy is its mode with the flags MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES; which nodes it is of, if any, follows.
#include "arch/riscv/uaccess.h"
#include "proc/access.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include "vm/vmspace.h"
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>

#define NODE_0              1ul
#define MODE_WEIGHTED       6 // MPOL_WEIGHTED_INTERLEAVE, younger than the oldest headers that we build with
#define MODE_FLAGS          (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES)
#define NODE_BITS_MOST      (PAGE_SIZE * 8)
#define POLICY_MODE(policy) ((policy) & ~MODE_FLAGS)

// Of a set of nodes in the caller's memory whether 0 is in it, as *out. One bit less is looked at than is said.
static int get_nodes(const void __user *from, unsigned long bits, unsigned long *out) {
    const unsigned long __user *words = from;
    unsigned long word, others = 0;
    *out = 0;
    if (--bits == 0 || !from)
        return 0;
    if (bits > NODE_BITS_MOST) // 0 that were said, too
        return -EINVAL;
    for (unsigned long i = 0; i * 64 < bits; i++) {
        int err = get_user(word, words + i);
        if (err)
            return err;
        if (bits - i * 64 < 64)
            word &= (1ul << (bits - i * 64)) - 1;
        *out |= i ? 0 : word & NODE_0;
        others |= i ? word : word & ~NODE_0;
    }
    return !*out && others ? -EINVAL : 0; // nodes that there are not
}

static int put_nodes(void __user *to, unsigned long bits, unsigned long nodes) {
    unsigned long bytes = (bits - 1 + 63) / 64 * 8;
    if (bytes > PAGE_SIZE)
        return -EINVAL;
    for (unsigned long i = 0; i < bytes / 8; i++) {
        int err = put_user(i ? 0 : nodes, (unsigned long __user *)to + i);
        if (err)
            return err;
    }
    return 0;
}

// The policy that mode and nodes make, or -EINVAL.
static long make_policy(int mode, unsigned long nodes) {
    unsigned int flags = (unsigned int)mode & MODE_FLAGS;
    mode &= ~MODE_FLAGS;
    if (flags == MODE_FLAGS)
        return -EINVAL;
    switch (mode) {
    case MPOL_DEFAULT:
        return nodes || flags ? -EINVAL : MPOL_DEFAULT;
    case MPOL_LOCAL:
        return nodes || flags ? -EINVAL : MPOL_LOCAL;
    case MPOL_PREFERRED:
        if (!nodes)
            return flags ? -EINVAL : MPOL_LOCAL;
        return mode | (long)flags;
    case MPOL_BIND:
    case MPOL_INTERLEAVE:
    case MPOL_PREFERRED_MANY:
    case MODE_WEIGHTED:
        return nodes ? mode | (long)flags : -EINVAL;
    default:
        return -EINVAL;
    }
}

static unsigned long nodes_of(unsigned int policy) {
    return POLICY_MODE(policy) != MPOL_DEFAULT && POLICY_MODE(policy) != MPOL_LOCAL ? NODE_0 : 0;
}

static long policy_asked_for(int mode, const void __user *nodes, unsigned long bits) {
    unsigned long set;
    int err = get_nodes(nodes, bits, &set);
    return err ? err : make_policy(mode, set);
}

// In the bits that an area has for it.
static unsigned int pack(unsigned int policy) {
    return (POLICY_MODE(policy) | (policy & MPOL_F_STATIC_NODES ? 8 : 0) |
            (policy & MPOL_F_RELATIVE_NODES ? 16 : 0))
           << VM_POLICY_SHIFT;
}

static unsigned int unpack(unsigned int area_flags) {
    unsigned int bits = (area_flags & VM_POLICY) >> VM_POLICY_SHIFT;
    return (bits & 7) | (bits & 8 ? MPOL_F_STATIC_NODES : 0) | (bits & 16 ? MPOL_F_RELATIVE_NODES : 0);
}

long sys_set_mempolicy(int mode, const void __user *nodes, unsigned long bits) {
    long policy = policy_asked_for(mode, nodes, bits);
    if (policy < 0)
        return policy;
    current->memory_policy = (unsigned int)policy;
    return 0;
}

static int policy_at(unsigned long addr, unsigned int *out) {
    struct vmspace *vm = current->vm;
    mutex_lock(&vm->lock);
    const struct vm_area *a = vm_area_find(vm, addr);
    bool mapped = a && a->start <= addr;
    if (mapped && a->flags & VM_POLICY)
        *out = unpack(a->flags);
    mutex_unlock(&vm->lock);
    return mapped ? 0 : -EFAULT;
}

// What get_mempolicy() gives: in *mode a policy, or with MPOL_F_NODE a node.
static int find_policy(unsigned long addr, unsigned long flags, unsigned int *mode, unsigned long *nodes) {
    unsigned int policy = current->memory_policy;
    if (flags & ~(unsigned long)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
        return -EINVAL;
    if (flags & MPOL_F_MEMS_ALLOWED) {
        *mode = 0;
        *nodes = NODE_0;
        return flags & (MPOL_F_NODE | MPOL_F_ADDR) ? -EINVAL : 0;
    }
    if (addr && !(flags & MPOL_F_ADDR))
        return -EINVAL;
    int err = flags & MPOL_F_ADDR ? policy_at(addr, &policy) : 0;
    if (!err && flags & MPOL_F_NODE && flags & MPOL_F_ADDR) // the page's node: it is brought in
        err = vm_populate(current->vm, ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE), PAGE_SIZE, PROT_READ)
                  ? -EFAULT
                  : 0;
    else if (!err && flags & MPOL_F_NODE && POLICY_MODE(policy) != MPOL_INTERLEAVE &&
             POLICY_MODE(policy) != MODE_WEIGHTED)
        err = -EINVAL;
    *mode = flags & MPOL_F_NODE ? 0 : policy;
    *nodes = nodes_of(policy);
    return err;
}

long sys_get_mempolicy(int __user *mode, void __user *nodes, unsigned long bits, unsigned long addr,
                       unsigned long flags) {
    unsigned int found;
    unsigned long set;
    if (nodes && !bits)
        return -EINVAL;
    int err = find_policy(addr, flags, &found, &set);
    if (!err && mode)
        err = put_user((int)found, mode);
    if (!err && nodes)
        err = put_nodes(nodes, bits, set);
    return err;
}

static int check_range(unsigned long addr, size_t n, unsigned long *end) {
    *end = addr + page_up(n);
    return addr & PAGE_MASK || *end < addr || page_up(n) < n ? -EINVAL : 0;
}

long sys_mbind(unsigned long addr, size_t n, int mode, const void __user *nodes, unsigned long bits,
               unsigned int flags) {
    unsigned long end;
    if (flags & ~(unsigned int)MPOL_MF_VALID)
        return -EINVAL;
    if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
        return -EPERM;
    long policy = policy_asked_for(mode, nodes, bits);
    if (policy < 0)
        return policy;
    int err = check_range(addr, n, &end);
    if (err || end == addr)
        return err;
    if (addr >= USER_END)
        return -EFAULT;
    err = vm_flag_range(current->vm, addr, MIN(end, USER_END), pack((unsigned int)policy),
                        VM_POLICY & ~pack((unsigned int)policy));
    return err == -ENOMEM ? -EFAULT : err;
}

static int has_home(struct vmspace *vm, struct vm_area *a, unsigned long start, unsigned long end,
                    void *arg) {
    (void)vm, (void)start, (void)end, (void)arg;
    unsigned int mode = POLICY_MODE(unpack(a->flags));
    return a->flags & VM_POLICY && mode != MPOL_BIND && mode != MPOL_PREFERRED_MANY ? -EOPNOTSUPP : 0;
}

long sys_set_mempolicy_home_node(unsigned long addr, size_t n, unsigned long node, unsigned long flags) {
    unsigned long end;
    if (flags || node || check_range(addr, n, &end))
        return -EINVAL;
    if (end == addr)
        return 0;
    int err = vm_for_range(current->vm, addr, MIN(end, USER_END), has_home, NULL);
    return err == -ENOMEM ? 0 : err; // what is not mapped has none
}

// The address space of pid, 0: the caller's, referenced. ERR_PTR(-ESRCH, -EPERM).
static struct vmspace *memory_of(pid_t pid) {
    struct process *p = pid ? process_find_any(pid) : current->process;
    if (!p)
        return ERR_PTR(-ESRCH);
    struct vmspace *vm = process_access_vm(p, ACCESS_CALL);
    if (pid)
        process_put(p);
    if (IS_ERR(vm))
        return ERR_PTR(-EPERM);
    return vm ? vm : ERR_PTR(-ESRCH);
}

// How many pages could not be moved: none had to.
long sys_migrate_pages(pid_t pid, unsigned long bits, const void __user *from, const void __user *to) {
    unsigned long old, new;
    int err = get_nodes(from, bits, &old);
    if (err && err != -EINVAL)
        return err;
    err = get_nodes(to, bits, &new);
    if (err)
        return err;
    struct vmspace *vm = memory_of(pid);
    if (IS_ERR(vm))
        return PTR_ERR(vm);
    vmspace_put(vm);
    return new ? 0 : -EINVAL;
}

// Where the page of an address is: a node, -ENOENT, or -EFAULT.
static int page_node(struct vmspace *vm, unsigned long addr) {
    int there = addr < USER_END ? vm_is_present(vm, ALIGN_DOWN(addr, (unsigned long)PAGE_SIZE)) : -EFAULT;
    return there < 0 ? -EFAULT : there ? 0 : -ENOENT;
}

static long move_each(struct vmspace *vm, unsigned long n, const unsigned long __user *pages,
                      const int __user *nodes, int __user *status) {
    for (unsigned long i = 0; i < n; i++) {
        unsigned long addr;
        int node = 0, err = get_user(addr, pages + i);
        if (!err && nodes)
            err = get_user(node, nodes + i);
        if (!err && node)
            err = -ENODEV;
        if (!err)
            err = put_user(page_node(vm, addr), status + i);
        if (!err)
            err = cond_resched_killable();
        if (err)
            return err;
    }
    return 0;
}

long sys_move_pages(pid_t pid, unsigned long n, const void __user *pages, const int __user *nodes,
                    int __user *status, int flags) {
    if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -EINVAL;
    if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
        return -EPERM;
    struct vmspace *vm = memory_of(pid);
    if (IS_ERR(vm))
        return PTR_ERR(vm);
    long ret = move_each(vm, n, pages, nodes, status);
    vmspace_put(vm);
    return ret;
}
