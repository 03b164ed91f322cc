// SPDX-License-Identifier: MIT
// futex(2) and the robust lists: arguments. The work is in proc/futex.c.
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "mm/slab.h"
#include "proc/access.h"
#include "proc/futex.h"
#include "proc/rseq.h"
#include "sys/timespec.h"
#include <linux/futex.h>
#include <linux/time.h>

// The deadline of a wait: FUTEX_WAIT counts from now on the monotonic clock, FUTEX_WAIT_BITSET names a time
// of the clock that the operation chooses.
static int get_timeout(int op, const void __user *user, struct futex_timeout *timeout) {
    ktime_t t;
    *timeout = (struct futex_timeout){.deadline = KTIME_NEVER};
    if (!user)
        return 0;
    int err = timespec_read(user, &t);
    if (err)
        return err;
    if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
        timeout->deadline = ktime_add(clock_monotonic(), t);
    else
        timeout->deadline = t;
    timeout->realtime = op & FUTEX_CLOCK_REALTIME;
    return 0;
}

static long wait(uint32_t __user *addr, int op, uint32_t value, const void __user *user_timeout,
                 uint32_t bitset) {
    struct futex_timeout timeout;
    int err = get_timeout(op, user_timeout, &timeout);
    if (err)
        return err;
    if (!bitset)
        return -EINVAL;
    return futex_wait(addr, !(op & FUTEX_PRIVATE_FLAG), value, &timeout, bitset);
}

static long lock_pi(uint32_t __user *addr, int op, const void __user *user_timeout) {
    struct futex_timeout timeout;
    int err = get_timeout(op, user_timeout, &timeout);
    return err ? err : futex_lock_pi(addr, !(op & FUTEX_PRIVATE_FLAG), false, &timeout);
}

long sys_futex(uint32_t __user *addr, int op, uint32_t value, const void __user *timeout,
               uint32_t __user *addr2, uint32_t value3) {
    bool shared = !(op & FUTEX_PRIVATE_FLAG);
    int command = op & FUTEX_CMD_MASK,
        count2 = (int)(long)timeout; // a number for those that take two addresses
    if ((unsigned long)addr % sizeof(*addr))
        return -EINVAL;
    if (op & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2)
        return -ENOSYS;
    switch (command) {
    case FUTEX_WAIT:
        return wait(addr, op, value, timeout, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAIT_BITSET:
        return wait(addr, op, value, timeout, value3);
    case FUTEX_WAKE:
        return futex_wake(addr, shared, (int)value, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET:
        return value3 ? futex_wake(addr, shared, (int)value, value3) : -EINVAL;
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        if ((int)value < 0 || count2 < 0 || (unsigned long)addr2 % sizeof(*addr2))
            return -EINVAL;
        return futex_requeue(addr, addr2, shared, value, count2, command == FUTEX_REQUEUE ? NULL : &value3);
    case FUTEX_WAKE_OP:
        if ((unsigned long)addr2 % sizeof(*addr2))
            return -EINVAL;
        return futex_wake_op(addr, addr2, shared, (int)value, count2, value3);
    case FUTEX_LOCK_PI:
        return lock_pi(addr, op | FUTEX_CLOCK_REALTIME, timeout);
    case FUTEX_LOCK_PI2:
        return lock_pi(addr, op, timeout);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_pi(addr, shared, true, NULL);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_pi(addr, shared);
    default:
        return -ENOSYS;
    }
}

static int get_wait_item(const struct futex_waitv __user *user, struct futex_wait_item *item) {
    struct futex_waitv w;
    int err = copy_from_user(&w, user, sizeof(w));
    if (err)
        return err;
    if (w.flags & ~(FUTEX_32 | FUTEX_PRIVATE_FLAG) || !(w.flags & FUTEX_32) || w.__reserved ||
        w.val > UINT32_MAX || w.uaddr % sizeof(uint32_t))
        return -EINVAL;
    *item = (struct futex_wait_item){(uint32_t __user *)w.uaddr, w.val, !(w.flags & FUTEX_PRIVATE_FLAG)};
    return 0;
}

// The timeout is absolute, on CLOCK_MONOTONIC or CLOCK_REALTIME.
long sys_futex_waitv(const void __user *waiters, unsigned int n, unsigned int flags,
                     const void __user *user_timeout, int clock) {
    struct futex_timeout timeout = {.deadline = KTIME_NEVER, .realtime = clock == CLOCK_REALTIME};
    if (flags || !n || n > FUTEX_WAITV_MAX || !waiters)
        return -EINVAL;
    if (user_timeout) {
        if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
            return -EINVAL;
        int err = timespec_read(user_timeout, &timeout.deadline);
        if (err)
            return err;
    }
    struct futex_wait_item *items = kmalloc(n * sizeof(*items));
    long ret = items ? 0 : -ENOMEM;
    for (unsigned int i = 0; !ret && i < n; i++)
        ret = get_wait_item((const struct futex_waitv __user *)waiters + i, &items[i]);
    if (!ret)
        ret = futex_wait_any(items, n, &timeout);
    kfree(items);
    return ret;
}

long sys_rseq(void __user *area, uint32_t length, int flags, uint32_t signature) {
    return rseq_call(area, length, flags, signature);
}

long sys_set_robust_list(void __user *head, size_t size) {
    if (size != sizeof(struct robust_list_head))
        return -EINVAL;
    current->robust_list = head;
    return 0;
}

static int list_of_thread(pid_t tid, void __user **list) {
    struct thread *t = thread_find(tid);
    struct process *p = t ? thread_get_process(t) : NULL;
    int err = p ? process_access_begin(p, ACCESS_CALL) : -ESRCH;
    if (!err) {
        *list = t->robust_list;
        process_access_end(p);
    }
    if (p)
        process_put(p);
    if (t)
        thread_put(t);
    return err == -EACCES ? -EPERM : err;
}

long sys_get_robust_list(pid_t tid, void __user *head, size_t __user *size) {
    void __user *list = current->robust_list;
    if (tid < 0)
        return -ESRCH;
    int err = tid ? list_of_thread(tid, &list) : 0;
    if (err)
        return err;
    err = put_user(sizeof(struct robust_list_head), size);
    return err ? err : put_user(list, (void __user *__user *)head);
}
