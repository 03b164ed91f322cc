// SPDX-License-Identifier: MIT
// Shared memory of System V: shmget(2), shmop(2), shmctl(2).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "ipc/shm.h"
#include "sched/thread.h"
#include "sys/memory.h"
#include "vm/vmspace.h"
#include <linux/mman.h>

long sys_shmget(int key, size_t size, int flags) {
    return shm_get(key, size, flags);
}

// Where it goes: *addr, rounded with SHM_RND. 0 or -EINVAL.
static int check_place(unsigned long *addr, int flags, unsigned int *map_flags) {
    *map_flags = MAP_SHARED;
    if (*addr & (PAGE_SIZE - 1)) {
        if (!(flags & SHM_RND))
            return -EINVAL;
        *addr &= ~(PAGE_SIZE - 1);
        if (!*addr && (flags & SHM_REMAP))
            return -EINVAL;
        *map_flags |= *addr ? 0 : MAP_FIXED;
    }
    if (*addr)
        *map_flags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    else if (flags & SHM_REMAP)
        return -EINVAL;
    return 0;
}

long sys_shmat(int id, unsigned long addr, int flags) {
    struct vm_map_args m = {.prot = PROT_READ};
    int err = id < 0 ? -EINVAL : check_place(&addr, flags, &m.flags);
    if (err)
        return err;
    if (!(flags & SHM_RDONLY))
        m.prot |= PROT_WRITE;
    if (flags & SHM_EXEC)
        m.prot |= PROT_EXEC;
    struct file *f = shm_begin_attach(id, flags, &m.length);
    if (IS_ERR(f))
        return PTR_ERR(f);
    m.addr = addr;
    m.file = f;
    m.backing = f->backing;
    m.max_prot = flags & SHM_RDONLY ? PROT_READ | PROT_EXEC : 0;
    long at = memory_check_room(m.length, (int)m.prot, (int)m.flags);
    if (!at)
        at = vm_map(current->vm, &m);
    shm_end_attach(f);
    return at == -EEXIST ? -EINVAL : at; // something is there already
}

long sys_shmdt(unsigned long addr) {
    return vm_unmap_mapping(current->vm, addr, shm_is_segment, shm_size);
}

static long stat_segment(int id, int cmd, void __user *buf) {
    struct shmid64_ds d;
    int found = shm_stat(id, cmd, &d);
    if (found < 0)
        return found;
    return put_object(buf, d) ? -EFAULT : found;
}

static long tell_limits(void __user *buf) {
    struct shminfo64 info;
    int highest = shm_limits(&info);
    return put_object(buf, info) ? -EFAULT : highest;
}

static long tell_usage(void __user *buf) {
    struct shm_info info;
    int highest = shm_usage(&info);
    return put_object(buf, info) ? -EFAULT : highest;
}

long sys_shmctl(int id, int cmd, void __user *buf) {
    struct shmid64_ds to;
    if (cmd < 0 || id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
        return tell_limits(buf);
    case SHM_INFO:
        return tell_usage(buf);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return stat_segment(id, cmd, buf);
    case IPC_SET:
        return copy_from_user(&to, buf, sizeof(to)) ? -EFAULT : shm_set(id, &to);
    case IPC_RMID:
        return shm_remove(id);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return shm_keep_in_memory(id, cmd == SHM_LOCK, current_rlimit(RLIMIT_MEMLOCK) != 0);
    default:
        return -EINVAL;
    }
}
