// SPDX-License-Identifier: MIT
// Copying between kernel memory and the memory of a read or write.
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "fs/file.h"
#include "lib/string.h"
#include "sched/thread.h"
#include <linux/uio.h>

void uio_init_user(struct uio *u, struct uio_segment *seg, void __user *buf, size_t n) {
    *seg = (struct uio_segment){.user = buf, .len = n};
    *u = (struct uio){.seg = seg, .nseg = 1, .resid = n};
}

_Static_assert(sizeof(struct iovec) == sizeof(struct uio_segment) &&
                   offsetof(struct iovec, iov_len) == offsetof(struct uio_segment, len),
               "an iovec is copied in as segments");

int uio_import(struct uio_segment *out, const void __user *iov, size_t n) {
    size_t total = 0;
    int err = copy_from_user(out, iov, n * sizeof(*out));
    for (size_t i = 0; !err && i < n; i++) {
        if ((ssize_t)out[i].len < 0 || __builtin_add_overflow(total, out[i].len, &total) ||
            (ssize_t)total < 0)
            err = -EINVAL;
    }
    return err;
}

int uio_limit(struct uio_segment *segments, size_t n, size_t max, size_t *total) {
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        struct uio_segment *s = &segments[i];
        if (!user_range_ok((unsigned long)s->user, s->len))
            return -EFAULT;
        s->len = MIN(s->len, max - *total);
        *total += s->len;
    }
    return 0;
}

void uio_init_kernel(struct uio *u, struct uio_segment *seg, void *buf, size_t n) {
    *seg = (struct uio_segment){.kernel = buf, .len = n};
    *u = (struct uio){.seg = seg, .nseg = 1, .resid = n, .kernel = true};
}

enum direction { OUT, IN, ZERO };

// Part of the current segment, from `at` on. Bytes copied.
static size_t copy_part(const struct uio *u, size_t at, char *buf, size_t n, enum direction how) {
    if (u->kernel) {
        char *base = (char *)u->seg->kernel + at;
        if (how == OUT)
            memcpy(base, buf, n);
        else if (how == IN)
            memcpy(buf, base, n);
        else
            memset(base, 0, n);
        return n;
    }
    char __user *base = (char __user *)u->seg->user + at;
    if (how == OUT)
        return n - copy_to_user_partial(base, buf, n);
    if (how == IN)
        return n - copy_from_user_partial(buf, base, n);
    return clear_user(base, n) ? 0 : n;
}

#define CHUNK (64ul * 1024) // copied between two looks at who else wants the hart

// Fewer than n bytes also when the thread is being killed.
static __attribute__((noinline)) size_t copy_long(const struct uio *u, size_t at, char *buf, size_t n,
                                                  enum direction how) {
    size_t done = 0;
    while (done < n) {
        size_t part = MIN(n - done, CHUNK), copied = copy_part(u, at + done, buf + done, part, how);
        done += copied;
        if (copied < part || cond_resched_killable())
            break;
    }
    return done;
}

static inline size_t uio_copy(struct uio *u, char *buf, size_t n, enum direction how) {
    size_t done = 0;
    n = MIN(n, u->resid);
    while (done < n) {
        size_t left = u->seg->len - u->offset, part = MIN(left, n - done);
        size_t copied = !part                    ? 0
                        : unlikely(part > CHUNK) ? copy_long(u, u->offset, buf + done, part, how)
                                                 : copy_part(u, u->offset, buf + done, part, how);
        done += copied;
        u->offset += copied;
        u->resid -= copied;
        if (copied < part)
            break;
        if (u->nseg > 1 && u->offset == u->seg->len) {
            u->seg++;
            u->nseg--;
            u->offset = 0;
        }
    }
    return done;
}

size_t uio_write_to(struct uio *u, const void *buf, size_t n) {
    return uio_copy(u, (char *)buf, n, OUT);
}

size_t uio_read_from(struct uio *u, void *buf, size_t n) {
    return uio_copy(u, buf, n, IN);
}

size_t uio_write_pages(struct uio *u, struct page **pages, unsigned int count, size_t offset, size_t n) {
    size_t done = 0, part, copied = 0;
    for (unsigned int i = 0, run; i < count; i += run) {
        const char *from = page_address(pages[i]);
        for (run = 1; i + run < count && page_address(pages[i + run]) == from + run * PAGE_SIZE;)
            run++;
        part = MIN(run * PAGE_SIZE - offset, n - done);
        copied = uio_write_to(u, from + offset, part);
        done += copied;
        if (copied < part)
            break;
        offset = 0;
    }
    for (unsigned int i = 0; i < count; i++)
        page_put(pages[i]);
    return done;
}

size_t uio_zero(struct uio *u, size_t n) {
    return uio_copy(u, NULL, n, ZERO);
}

bool uio_is_aligned(const struct uio *u, size_t n, size_t address, size_t length) {
    const struct uio_segment *seg = u->seg;
    size_t offset = u->offset;
    bool aligned = true;
    for (unsigned int left = u->nseg; n && left; left--, seg++) {
        size_t part = MIN(n, seg->len - offset);
        aligned &=
            !(part & length) && (!part || u->kernel || !(((unsigned long)seg->user + offset) & address));
        n -= part;
        offset = 0;
    }
    return aligned;
}
