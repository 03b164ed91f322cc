// SPDX-License-Identifier: MIT
// process_vm_readv(2), process_vm_writev(2): copying between the caller's memory and another process's.
#include "arch/riscv/uaccess.h"
#include "mm/slab.h"
#include "proc/access.h"
#include "sys/syscalls.h"
#include "vm/vmspace.h"
#include <linux/uio.h>

#define VECTORS_MAX 1024 // IOV_MAX

struct transfer {
    struct vmspace *vm; // the other side
    struct iovec *local, *remote;
    unsigned long local_count, remote_count;
    bool write;   // into the other side
    void *buffer; // a page of the kernel's
};

static int copy_vectors(const void __user *from, unsigned long n, struct iovec **out) {
    *out = NULL;
    if (n > VECTORS_MAX)
        return -EINVAL;
    *out = kmalloc(n * sizeof(struct iovec) + 1);
    if (!*out)
        return -ENOMEM;
    return copy_from_user(*out, from, n * sizeof(struct iovec));
}

// One stretch that is contiguous on both sides. Bytes done.
static size_t copy_stretch(struct transfer *t, char __user *local, unsigned long remote, size_t n) {
    size_t done = 0;
    while (done < n) {
        size_t part = MIN(n - done, (size_t)PAGE_SIZE);
        if (t->write && copy_from_user(t->buffer, local + done, part))
            break;
        ssize_t r = vm_access(t->vm, remote + done, t->buffer, part, t->write);
        if (r <= 0 || (!t->write && copy_to_user(local + done, t->buffer, (size_t)r)))
            break;
        done += (size_t)r;
        if ((size_t)r < part)
            break;
    }
    return done;
}

static long copy_all(struct transfer *t) {
    struct iovec *l = t->local, *r = t->remote;
    unsigned long nl = t->local_count, nr = t->remote_count;
    size_t total = 0;
    while (nl && nr) {
        size_t n = MIN(l->iov_len, r->iov_len);
        size_t done = copy_stretch(t, l->iov_base, (unsigned long)r->iov_base, n);
        total += done;
        if (done < n)
            return total ? (long)total : -EFAULT;
        l->iov_base = (char *)l->iov_base + n;
        r->iov_base = (char *)r->iov_base + n;
        l->iov_len -= n;
        r->iov_len -= n;
        if (!l->iov_len)
            l++, nl--;
        if (!r->iov_len)
            r++, nr--;
    }
    return (long)total;
}

// The address space of pid, referenced, or ERR_PTR(-ESRCH, -EPERM).
static struct vmspace *find_vm(pid_t pid) {
    struct process *p = process_find_any(pid);
    if (!p)
        return ERR_PTR(-ESRCH);
    struct vmspace *vm = process_access_vm(p, ACCESS_CALL);
    process_put(p);
    if (IS_ERR(vm))
        return ERR_PTR(-EPERM);
    return vm ? vm : ERR_PTR(-ESRCH);
}

static long process_vm(struct transfer *t, pid_t pid, const void __user *local, const void __user *remote,
                       unsigned long flags) {
    if (flags)
        return -EINVAL;
    long result = copy_vectors(local, t->local_count, &t->local);
    if (!result)
        result = copy_vectors(remote, t->remote_count, &t->remote);
    if (!result && !(t->buffer = kmalloc(PAGE_SIZE)))
        result = -ENOMEM;
    if (!result) {
        t->vm = find_vm(pid);
        result = IS_ERR(t->vm) ? PTR_ERR(t->vm) : copy_all(t);
        if (!IS_ERR(t->vm))
            vmspace_put(t->vm);
    }
    kfree(t->buffer);
    kfree(t->remote);
    kfree(t->local);
    return result;
}

long sys_process_vm_readv(pid_t pid, const void __user *local, unsigned long nlocal,
                          const void __user *remote, unsigned long nremote, unsigned long flags) {
    struct transfer t = {.local_count = nlocal, .remote_count = nremote};
    return process_vm(&t, pid, local, remote, flags);
}

long sys_process_vm_writev(pid_t pid, const void __user *local, unsigned long nlocal,
                           const void __user *remote, unsigned long nremote, unsigned long flags) {
    struct transfer t = {.local_count = nlocal, .remote_count = nremote, .write = true};
    return process_vm(&t, pid, local, remote, flags);
}
