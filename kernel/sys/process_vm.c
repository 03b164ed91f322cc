// SPDX-License-Identifier: MIT
// process_vm_readv(2), process_vm_writev(2): copying between the caller's memory and another process's. process_madvise(2).
#include "arch/riscv/uaccess.h"
#include "fs/file.h"
#include "mm/slab.h"
#include "proc/access.h"
#include "proc/pidfd.h"
#include "sys/memory.h"
#include "sys/syscalls.h"
#include "vm/vmspace.h"
#include <asm/mman.h>
#include <linux/capability.h>
#include <linux/uio.h>

struct transfer {
    struct vmspace *vm; // the other side
    struct uio_segment *local, *remote;
    unsigned long local_count, remote_count;
    bool write;   // into the other side
    void *buffer; // a page of the kernel's
};

static int copy_vectors(const void __user *from, unsigned long n, struct uio_segment **out) {
    *out = NULL;
    if (n > UIO_MAXIOV)
        return -EINVAL;
    *out = kmalloc(n * sizeof(struct uio_segment) + 1);
    if (!*out)
        return -ENOMEM;
    return uio_import(*out, from, n);
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
        if ((size_t)r < part || cond_resched_killable())
            break;
    }
    return done;
}

static long copy_all(struct transfer *t) {
    struct uio_segment *l = t->local, *r = t->remote;
    unsigned long nl = t->local_count, nr = t->remote_count;
    size_t total = 0;
    while (nl && nr) {
        size_t n = MIN(l->len, r->len);
        size_t done = copy_stretch(t, (char __user *)l->user, (unsigned long)r->user, n);
        total += done;
        if (done < n)
            return total ? (long)total : -EFAULT;
        l->user = (char __user *)l->user + n;
        r->user = (char __user *)r->user + n;
        l->len -= n;
        r->len -= n;
        if (!l->len)
            l++, nl--;
        if (!r->len)
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
    size_t total = 0;
    long result = copy_vectors(local, t->local_count, &t->local);
    if (!result)
        result = uio_limit(t->local, t->local_count, IO_MAX, &total);
    if (!result && total)
        result = copy_vectors(remote, t->remote_count, &t->remote);
    if (!result && !(t->buffer = kmalloc(PAGE_SIZE)))
        result = -ENOMEM;
    if (!result && total) {
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

// ---- process_madvise(2)

// What one process may advise for another.
static bool changes_nothing(int advice) {
    return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
}

// Bytes advised, up to the first stretch that was refused; the error if that is the first one of all.
static long advise_all(struct vmspace *vm, const struct uio_segment *s, size_t n, int advice) {
    size_t done = 0;
    for (; n; s++, n--) {
        long err = memory_advise(vm, (unsigned long)s->user, s->len, advice);
        if (!err)
            err = cond_resched_killable();
        if (err)
            return done ? (long)done : err;
        done += s->len;
    }
    return (long)done;
}

// The address space of a pidfd's process, referenced. ERR_PTR(-EBADF, -ESRCH, -EACCES, -EPERM).
static struct vmspace *advised_vm(int pidfd) {
    struct process *p = pidfd_find(pidfd);
    if (IS_ERR(p))
        return ERR_PTR(PTR_ERR(p));
    struct vmspace *vm = process_access_vm(p, ACCESS_FILE);
    process_put(p);
    if (!vm)
        return ERR_PTR(-ESRCH);
    if (!IS_ERR(vm) && !capable(CAP_SYS_NICE)) {
        vmspace_put(vm);
        return ERR_PTR(-EPERM);
    }
    return vm;
}

long sys_process_madvise(int pidfd, const void __user *iov, size_t count, int advice, unsigned int flags) {
    struct uio_segment *segments;
    size_t total;
    if (flags)
        return -EINVAL;
    long result = copy_vectors(iov, count, &segments);
    if (!result)
        result = uio_limit(segments, count, IO_MAX, &total);
    struct vmspace *vm = result ? NULL : advised_vm(pidfd);
    if (IS_ERR(vm)) {
        result = PTR_ERR(vm);
    } else if (vm) {
        result = changes_nothing(advice) ? advise_all(vm, segments, count, advice) : -EINVAL;
        vmspace_put(vm);
    }
    kfree(segments);
    return result;
}
