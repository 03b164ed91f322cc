// SPDX-License-Identifier: MIT
// Semaphores and messages of System V. (Shared memory is in sys/shm.c.)
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "ipc/ipc_ns.h"
#include "ipc/msg.h"
#include "ipc/object.h"
#include "ipc/sem.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sys/timespec.h"

#define FEW_OPS 16

// ---- semaphores

long sys_semget(int key, int count, int flags) {
    return sem_get(key, count, flags);
}

static long operate(int id, const void __user *user, unsigned int n, ktime_t deadline) {
    struct sembuf few[FEW_OPS], *ops = n <= FEW_OPS ? few : kmalloc(n * sizeof(*ops));
    if (!ops)
        return -ENOMEM;
    long ret = copy_from_user(ops, user, n * sizeof(*ops));
    if (!ret)
        ret = sem_operate(id, ops, n, deadline);
    if (ops != few)
        kfree(ops);
    return ret;
}

long sys_semtimedop(int id, const void __user *ops, unsigned int n, const void __user *timeout) {
    struct __kernel_timespec ts;
    ktime_t wait = KTIME_NEVER;
    if (timeout && copy_from_user(&ts, timeout, sizeof(ts)))
        return -EFAULT;
    if (!n || id < 0)
        return -EINVAL;
    if (n > READ_ONCE(ipc_current()->sem_limits[2]))
        return -E2BIG;
    if (timeout && timespec_to_ktime(&ts, &wait))
        return -EINVAL;
    return operate(id, ops, n, timeout ? ktime_add(clock_monotonic(), wait) : KTIME_NEVER);
}

long sys_semop(int id, const void __user *ops, unsigned int n) {
    return sys_semtimedop(id, ops, n, NULL);
}

static long tell_values(int id, void __user *user) {
    unsigned int n;
    unsigned short *values = sem_values(id, &n);
    if (IS_ERR(values))
        return PTR_ERR(values);
    long ret = copy_to_user(user, values, n * sizeof(*values)) ? -EFAULT : 0;
    kfree(values);
    return ret;
}

static long store_values(int id, const void __user *user) {
    int n = sem_values_wanted(id);
    if (n < 0)
        return n;
    unsigned short *values = kmalloc((size_t)n * sizeof(*values));
    if (!values)
        return -ENOMEM;
    long ret = copy_from_user(values, user, (size_t)n * sizeof(*values)) ? -EFAULT : 0;
    if (!ret)
        ret = sem_set_values(id, values, (unsigned int)n);
    kfree(values);
    return ret;
}

static long tell_set(int id, int cmd, void __user *user) {
    struct semid64_ds d;
    int found = sem_stat(id, cmd, &d);
    return found >= 0 && put_object(user, d) ? -EFAULT : found;
}

static long tell_sem_info(int cmd, void __user *user) {
    struct seminfo info;
    int highest = sem_info(&info, cmd == SEM_INFO);
    return put_object(user, info) ? -EFAULT : highest;
}

long sys_semctl(int id, int number, int cmd, unsigned long arg) {
    void __user *user = (void __user *)arg;
    struct semid64_ds to;
    if (id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
        return tell_sem_info(cmd, user);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return tell_set(id, cmd, user);
    case IPC_SET:
        return copy_from_user(&to, user, sizeof(to)) ? -EFAULT : sem_set(id, &to);
    case IPC_RMID:
        return sem_remove(id);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
        return sem_ask(id, number, cmd);
    case SETVAL:
        if ((int)arg < 0 || (int)arg > SEM_VALUE_MAX)
            return -ERANGE;
        return sem_set_value(id, number, (int)arg);
    case GETALL:
        return tell_values(id, user);
    case SETALL:
        return store_values(id, user);
    default:
        return -EINVAL;
    }
}

// ---- messages

long sys_msgget(int key, int flags) {
    return msg_get(key, flags);
}

long sys_msgsnd(int id, const void __user *message, size_t n, int flags) {
    const long __user *user = message;
    long type;
    if (get_user(type, user))
        return -EFAULT;
    if (n > READ_ONCE(ipc_current()->msg_longest) || (long)n < 0 || id < 0 || type < 1)
        return -EINVAL;
    struct message *m = msg_alloc(type, n);
    if (IS_ERR(m))
        return PTR_ERR(m);
    long ret = copy_from_user(msg_text(m), user + 1, n) ? -EFAULT : 0;
    if (!ret)
        ret = msg_send(id, m, flags);
    if (ret)
        msg_free(m);
    return ret;
}

long sys_msgrcv(int id, void __user *message, size_t n, long msgtype, int flags) {
    long __user *user = message;
    if (id < 0 || (long)n < 0)
        return -EINVAL;
    struct message *m = msg_receive(id, n, msgtype, flags);
    if (IS_ERR(m))
        return PTR_ERR(m);
    long ret = (long)MIN(msg_size(m), n);
    if (put_user(msg_type(m), user) || copy_to_user(user + 1, msg_text(m), (size_t)ret))
        ret = -EFAULT;
    msg_free(m);
    return ret;
}

static long tell_queue(int id, int cmd, void __user *user) {
    struct msqid64_ds d;
    int found = msg_stat(id, cmd, &d);
    return found >= 0 && put_object(user, d) ? -EFAULT : found;
}

static long tell_msg_info(int cmd, void __user *user) {
    struct msginfo info;
    int highest = msg_info(&info, cmd == MSG_INFO);
    return put_object(user, info) ? -EFAULT : highest;
}

long sys_msgctl(int id, int cmd, void __user *buf) {
    struct msqid64_ds to;
    if (id < 0 || cmd < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
    case MSG_INFO:
        return tell_msg_info(cmd, buf);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        return tell_queue(id, cmd, buf);
    case IPC_SET:
        return copy_from_user(&to, buf, sizeof(to)) ? -EFAULT : msg_set(id, &to);
    case IPC_RMID:
        return msg_remove(id);
    default:
        return -EINVAL;
    }
}
