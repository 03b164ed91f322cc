// SPDX-License-Identifier: MIT
// What other processes have: their files (pidfd_getfd(2)), and whether two share something (kcmp(2)).
#include "sys/syscalls.h"
#include "arch/riscv/uaccess.h"
#include "core/random.h"
#include "fs/event/epoll.h"
#include "fs/fdtable.h"
#include "fs/path.h"
#include "proc/access.h"
#include "proc/pidfd.h"
#include "vm/vmspace.h"
#include <linux/fcntl.h>
#include <linux/kcmp.h>

// ---- files

// The table of files of a thread of p (NULL: any), with a reference; ERR_PTR(-EPERM, -ESRCH).
static struct files *get_files(struct process *p, struct thread *t) {
    if (process_access_begin(p, ACCESS_CALL))
        return ERR_PTR(-EPERM);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    if (!t)
        t = p->leader                 ? p->leader
            : list_empty(&p->threads) ? NULL
                                      : list_first_entry(&p->threads, struct thread, process_link);
    struct files *files = t ? t->files : NULL;
    if (files)
        ref_get(&files->refs);
    spin_unlock_irqrestore(&process_lock, flags);
    process_access_end(p);
    return files ? files : ERR_PTR(-ESRCH);
}

// ERR_PTR(-EBADF) where the number is none.
static struct file *get_file(struct process *p, struct thread *t, unsigned long fd) {
    struct files *files = get_files(p, t);
    if (IS_ERR(files))
        return ERR_PTR(PTR_ERR(files));
    struct file *f = files_get_file(files, (unsigned int)fd);
    files_put(files);
    return f ? f : ERR_PTR(-EBADF);
}

long sys_pidfd_getfd(int pidfd, int fd, unsigned int flags) {
    if (flags)
        return -EINVAL;
    struct process *p = pidfd_find(pidfd);
    if (IS_ERR(p))
        return PTR_ERR(p);
    struct file *f = get_file(p, NULL, (unsigned int)fd);
    process_put(p);
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, O_CLOEXEC);
}

// ---- kcmp(2)

// One of the two. What it has stays what it is until it is compared, as far as references keep it.
struct side {
    struct thread *thread;   // referenced
    struct process *process; // referenced
    const void *object;
    struct file *file;   // referenced
    struct files *files; // referenced
    struct vmspace *vm;  // referenced
};

static int find_side(struct side *s, pid_t tid) {
    s->thread = tid > 0 ? thread_find(tid) : NULL;
    s->process = s->thread ? thread_get_process(s->thread) : NULL;
    return s->process ? 0 : -ESRCH;
}

static void put_side(struct side *s) {
    if (s->file)
        file_put(s->file);
    if (s->files)
        files_put(s->files);
    if (s->vm)
        vmspace_put(s->vm);
    if (s->process)
        process_put(s->process);
    if (s->thread)
        thread_put(s->thread);
}

static void look_locked(struct side *s, int type) {
    ASSERT_HELD(&process_lock);
    struct thread *t = s->thread;
    switch (type) {
    case KCMP_VM:
        s->object = s->vm = t->vm;
        if (s->vm)
            vmspace_get(s->vm);
        break;
    case KCMP_FILES:
        s->object = s->files = t->files;
        if (s->files)
            ref_get(&s->files->refs);
        break;
    case KCMP_FS:
        s->object = t->fs;
        break;
    case KCMP_SIGHAND:
        s->object = s->process->handlers;
        break;
    case KCMP_IO: // nobody shares one that was set
        s->object = READ_ONCE(t->io_priority) ? t : NULL;
        break;
    case KCMP_SYSVSEM:
        s->object = t->sem_undos;
    }
}

static int look(struct side *s, int type, unsigned long fd) {
    if (type == KCMP_FILE) {
        struct file *f = get_file(s->process, s->thread, fd);
        if (IS_ERR(f))
            return PTR_ERR(f) == -ESRCH ? -EBADF : PTR_ERR(f);
        s->object = s->file = f;
        return 0;
    }
    if (process_access_begin(s->process, ACCESS_CALL))
        return -EPERM;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    look_locked(s, type);
    spin_unlock_irqrestore(&process_lock, flags);
    process_access_end(s->process);
    return 0;
}

// The second is one of those that the first one's epoll set has.
static int look_target(struct side *s, const void __user *user) {
    struct kcmp_epoll_slot slot;
    int err = copy_from_user(&slot, user, sizeof(slot));
    if (err)
        return err;
    struct file *set = get_file(s->process, s->thread, slot.efd);
    if (IS_ERR(set))
        return PTR_ERR(set) == -ESRCH ? -EBADF : PTR_ERR(set);
    s->object = epoll_target(set, (int)slot.tfd, slot.toff);
    s->file = set;
    return IS_ERR(s->object) ? PTR_ERR(s->object) : 0;
}

// A random number, drawn when it is first asked for.
static uint64_t drawn(uint64_t *key) {
    uint64_t now = __atomic_load_n(key, __ATOMIC_RELAXED), drawn = 0;
    while (!now && !drawn)
        random_bytes(&drawn, sizeof(drawn));
    return now || !__atomic_compare_exchange_n(key, &now, drawn, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
               ? now
               : drawn;
}

// An order that tells nothing of where things are in memory: 0 equal, 1 less, 2 more.
static long compare(const void *a, const void *b, int type) {
    static uint64_t keys[KCMP_TYPES][2]; // [a]
    uint64_t mask = drawn(&keys[type][0]), odd = drawn(&keys[type][1]) | 1;
    uint64_t x = ((uint64_t)a ^ mask) * odd, y = ((uint64_t)b ^ mask) * odd;
    return x == y ? 0 : x < y ? 1 : 2;
}

static long compare_sides(struct side *a, struct side *b, int type, unsigned long first, unsigned long last) {
    int err = look(a, type == KCMP_EPOLL_TFD ? KCMP_FILE : type, first);
    if (!err && type == KCMP_EPOLL_TFD)
        err = look_target(b, (const void __user *)last);
    else if (!err)
        err = look(b, type, last);
    if (!err && (type < 0 || type >= KCMP_TYPES))
        err = -EINVAL;
    return err ? err : compare(a->object, b->object, type);
}

long sys_kcmp(pid_t pid, pid_t tid, int type, unsigned long first, unsigned long last) {
    struct side a = {0}, b = {0};
    long result = find_side(&a, pid);
    if (!result)
        result = find_side(&b, tid);
    if (!result)
        result = compare_sides(&a, &b, type, first, last);
    put_side(&b);
    put_side(&a);
    return result;
}
