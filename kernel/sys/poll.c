// SPDX-License-Identifier: MIT
// Waiting for files: ppoll, pselect6, epoll.
#include "sys/syscalls.h"
#include "fs/event/epoll.h"
#include "fs/event/poll.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process.h"
#include "proc/signal.h"
#include "sys/timespec.h"
#include <linux/fcntl.h>

// ---- timeouts and masks

// The monotonic deadline of a relative timeout: KTIME_NEVER if `user` is NULL, 0 if it is zero (do not sleep
// at all).
static int read_deadline(const void __user *user, ktime_t *deadline) {
    ktime_t t = KTIME_NEVER;
    int err = user ? timespec_read(user, &t) : 0;
    *deadline = t && t != KTIME_NEVER ? ktime_add(clock_monotonic(), t) : t;
    return err;
}

// The end of ppoll and pselect6: puts the mask back if no signal is to be handled with it, and tells what is
// left of the timeout. A call whose timeout cannot be told is not started again, as it would wait too long.
static long finish_wait(long ret, const void __user *mask, void __user *timeout, ktime_t deadline) {
    if (mask && ret != -EINTR)
        signal_restore_user_mask();
    if (ret == -EINTR)
        ret = -ERESTARTNOHAND;
    if (!timeout)
        return ret;
    ktime_t left = deadline ? deadline - clock_monotonic() : 0;
    if (deadline != KTIME_NEVER && timespec_write(timeout, MAX(left, 0)) && ret == -ERESTARTNOHAND)
        return -EINTR;
    return ret;
}

// ---- ppoll

#define POLL_FDS_ON_STACK 16

static unsigned int poll_one(struct pollfd *p, struct poll_waiter *w) {
    if (p->fd < 0)
        return 0;
    struct file *f = fd_get_io(p->fd);
    if (!f)
        return POLLNVAL;
    unsigned int wanted = (uint16_t)p->events | POLLERR | POLLHUP;
    if (w)
        w->events = wanted;
    unsigned int events = file_poll(f, w ? &w->table : NULL) & wanted;
    file_put(f);
    return events;
}

// The number of entries with events, -EINTR, -ENOMEM.
static long poll_wait_all(struct pollfd *fds, unsigned int n, ktime_t deadline) {
    struct poll_waiter waiter, *w = deadline ? &waiter : NULL;
    long count = 0;
    int err = 0;
    if (w)
        poll_waiter_init(w);
    for (;;) {
        for (unsigned int i = 0; i < n; i++) {
            fds[i].revents = poll_one(&fds[i], w);
            if (fds[i].revents) {
                count++;
                w = NULL; // no need to wait any more
            }
            if (cond_resched_killable()) {
                err = -EINTR;
                break;
            }
        }
        if (count || !deadline || err)
            break;
        if (w && w->error) {
            err = w->error;
            break;
        }
        w = NULL; // on all queues now
        err = poll_waiter_sleep(&waiter, deadline);
    }
    if (deadline)
        poll_waiter_end(&waiter);
    return count ? count : err == -ETIME ? 0 : err;
}

#define TOLD_AT_ONCE 4096u

// Of each entry what was found, and nothing else: the caller's other threads may be changing that. 0 or -EFAULT.
static int tell_events(struct pollfd __user *out, const struct pollfd *fds, unsigned int n) {
    _Static_assert(sizeof(*fds) == USER_COLUMN_STEP, "the column's step");
    for (unsigned int i = 0, part; i < n; i += part) {
        part = MIN(n - i, TOLD_AT_ONCE);
        if (user_store_u16_column((uint16_t __user *)&out[i].revents, (const uint16_t *)&fds[i].revents,
                                  part))
            return -EFAULT;
        cond_resched();
    }
    return 0;
}

long sys_ppoll(void __user *user_fds, unsigned int n, const void __user *timeout, const void __user *mask,
               size_t mask_size) {
    struct pollfd on_stack[POLL_FDS_ON_STACK], *fds = on_stack;
    ktime_t deadline;
    int err = read_deadline(timeout, &deadline);
    if (err)
        return err;
    if (n > current_rlimit(RLIMIT_NOFILE))
        return -EINVAL;
    if (n > POLL_FDS_ON_STACK && !(fds = kmalloc(n * sizeof(*fds))))
        return -ENOMEM;
    long ret = copy_from_user(fds, user_fds, n * sizeof(*fds));
    if (!ret && mask)
        ret = signal_set_user_mask(mask, mask_size);
    if (ret)
        goto out;
    ret = poll_wait_all(fds, n, deadline);
    if (ret >= 0 && tell_events(user_fds, fds, n))
        ret = -EFAULT;
    ret = finish_wait(ret, mask, (void __user *)timeout, deadline);
out:
    if (fds != on_stack)
        kfree(fds);
    return ret;
}

// ---- pselect6

#define SELECT_IN             (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define SELECT_OUT            (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define SELECT_EX             POLLPRI
#define NR_OPEN               (1 << 20) // no descriptor is higher
#define SELECT_WORDS_ON_STACK 16        // 1024 descriptors a set

// The three sets asked for and the three found, each of `words`.
struct select_sets {
    unsigned int words;
    uint64_t *wanted[3], *found[3];
};
static const unsigned int select_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

// Asks one descriptor. The number of sets it is put into, or -EBADF.
static int select_one(struct select_sets *s, unsigned int fd, struct poll_waiter *w) {
    uint64_t bit = 1ul << (fd % 64);
    unsigned int word = fd / 64, wanted = 0;
    int count = 0;
    for (int k = 0; k < 3; k++)
        if (s->wanted[k][word] & bit)
            wanted |= select_events[k];
    if (!wanted)
        return 0;
    struct file *f = fd_get_io(fd);
    if (!f)
        return -EBADF;
    if (w)
        w->events = wanted | POLLERR | POLLHUP;
    unsigned int events = file_poll(f, w ? &w->table : NULL);
    file_put(f);
    for (int k = 0; k < 3; k++)
        if ((s->wanted[k][word] & bit) && (events & select_events[k])) {
            s->found[k][word] |= bit;
            count++;
        }
    return count;
}

static int select_scan(struct select_sets *s, struct poll_waiter *w) {
    int count = 0;
    for (unsigned int word = 0; word < s->words; word++) {
        uint64_t any = s->wanted[0][word] | s->wanted[1][word] | s->wanted[2][word];
        for (; any; any &= any - 1) {
            int n = select_one(s, word * 64 + __builtin_ctzl(any), count ? NULL : w);
            if (n < 0)
                return n;
            count += n;
            if (cond_resched_killable())
                return -EINTR;
        }
    }
    return count;
}

static long select_wait_all(struct select_sets *s, ktime_t deadline) {
    struct poll_waiter waiter, *w = deadline ? &waiter : NULL;
    int count, err = 0;
    if (w)
        poll_waiter_init(w);
    for (;;) {
        count = select_scan(s, w);
        if (count || !deadline || err)
            break;
        if (w && (err = w->error))
            break;
        w = NULL;
        err = poll_waiter_sleep(&waiter, deadline);
    }
    if (deadline)
        poll_waiter_end(&waiter);
    return count ? count : err == -ETIME ? 0 : err;
}

// Copies the sets in; bits past the last descriptor do not count.
static int select_copy_in(struct select_sets *s, unsigned int n, const void __user *const user[3]) {
    for (int k = 0; k < 3; k++) {
        if (user[k] && copy_from_user(s->wanted[k], user[k], s->words * 8))
            return -EFAULT;
        if (n % 64)
            s->wanted[k][s->words - 1] &= (1ul << n % 64) - 1;
    }
    return 0;
}

static int select_copy_out(struct select_sets *s, void __user *const user[3]) {
    for (int k = 0; k < 3; k++)
        if (user[k] && copy_to_user(user[k], s->found[k], s->words * 8))
            return -EFAULT;
    return 0;
}

long sys_pselect6(int n, void __user *in, void __user *out, void __user *except, const void __user *timeout,
                  const void __user *mask) {
    uint64_t on_stack[6 * SELECT_WORDS_ON_STACK], *words = on_stack;
    void __user *user[3] = {in, out, except};
    struct {
        const void __user *mask;
        size_t size;
    } sig = {NULL, 0};
    ktime_t deadline;
    int err = read_deadline(timeout, &deadline);
    if (err || (mask && (err = copy_from_user(&sig, mask, sizeof(sig)))))
        return err;
    if (n < 0)
        return -EINVAL;
    n = MIN(n, NR_OPEN);
    struct select_sets s = {.words = (n + 63) / 64};
    if (s.words > SELECT_WORDS_ON_STACK && !(words = kmalloc(6 * 8 * s.words)))
        return -ENOMEM;
    memset(words, 0, 6 * 8 * s.words);
    for (int k = 0; k < 3; k++) {
        s.wanted[k] = words + k * s.words;
        s.found[k] = words + (3 + k) * s.words;
    }
    long ret = select_copy_in(&s, n, (const void __user *const *)user);
    if (!ret && sig.mask)
        ret = signal_set_user_mask(sig.mask, sig.size);
    if (ret)
        goto out;
    ret = select_wait_all(&s, deadline);
    if (ret >= 0 && select_copy_out(&s, user))
        ret = -EFAULT;
    ret = finish_wait(ret, sig.mask, (void __user *)timeout, deadline);
out:
    if (words != on_stack)
        kfree(words);
    return ret;
}

// ---- epoll

long sys_epoll_create1(int flags) {
    if (flags & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct file *f = epoll_create();
    return IS_ERR(f) ? PTR_ERR(f) : fd_add(f, flags & O_CLOEXEC);
}

long sys_epoll_ctl(int epfd, int op, int fd, const void __user *event) {
    struct epoll_event e = {0, 0};
    if (op != EPOLL_CTL_DEL && copy_from_user(&e, event, sizeof(e)))
        return -EFAULT;
    struct file *set = fd_get_io(epfd), *target = fd_get_io(fd);
    int err = set && target ? epoll_ctl(set, op, fd, target, &e) : -EBADF;
    if (target)
        file_put(target);
    if (set)
        file_put(set);
    return err;
}

static long epoll_pwait(int epfd, void __user *events, int n, ktime_t deadline, const void __user *mask,
                        size_t mask_size) {
    if (n <= 0 || (size_t)n > INT32_MAX / sizeof(struct epoll_event))
        return -EINVAL;
    struct file *f = fd_get_io(epfd);
    if (!f)
        return -EBADF;
    long ret = mask ? signal_set_user_mask(mask, mask_size) : 0;
    if (!ret) {
        ret = epoll_wait(f, events, n, deadline);
        if (mask && ret != -EINTR)
            signal_restore_user_mask();
    }
    file_put(f);
    return ret;
}

long sys_epoll_pwait(int epfd, void __user *events, int n, int timeout, const void __user *mask,
                     size_t mask_size) {
    ktime_t deadline = KTIME_NEVER;
    if (timeout >= 0)
        deadline = timeout ? clock_monotonic() + timeout * 1000000l : 0;
    return epoll_pwait(epfd, events, n, deadline, mask, mask_size);
}

long sys_epoll_pwait2(int epfd, void __user *events, int n, const void __user *timeout,
                      const void __user *mask, size_t mask_size) {
    ktime_t deadline;
    int err = read_deadline(timeout, &deadline);
    return err ? err : epoll_pwait(epfd, events, n, deadline, mask, mask_size);
}
