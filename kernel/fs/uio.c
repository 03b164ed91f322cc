// SPDX-License-Identifier: MIT
// Copying between kernel memory and the memory of a read or write.
#include "arch/riscv/uaccess.h"
#include "fs/file.h"
#include "lib/string.h"

void uio_init_user(struct uio *u, struct uio_segment *seg, void __user *buf, size_t n) {
    *seg = (struct uio_segment){buf, n};
    *u = (struct uio){.seg = seg, .nseg = 1, .resid = n};
}

void uio_init_kernel(struct uio *u, struct uio_segment *seg, void *buf, size_t n) {
    *seg = (struct uio_segment){buf, n};
    *u = (struct uio){.seg = seg, .nseg = 1, .resid = n, .kernel = true};
}

enum direction { OUT, IN, ZERO };

// One segment's part. Bytes copied.
static size_t copy_part(const struct uio *u, void *base, char *buf, size_t n, enum direction how) {
    if (u->kernel) {
        if (how == OUT)
            memcpy(base, buf, n);
        else if (how == IN)
            memcpy(buf, base, n);
        else
            memset(base, 0, n);
        return n;
    }
    if (how == OUT)
        return n - copy_to_user_partial(base, buf, n);
    if (how == IN)
        return n - copy_from_user_partial(buf, base, n);
    return clear_user(base, n) ? 0 : n;
}

static inline size_t uio_copy(struct uio *u, char *buf, size_t n, enum direction how) {
    size_t done = 0;
    n = MIN(n, u->resid);
    while (done < n) {
        size_t left = u->seg->len - u->offset, part = MIN(left, n - done);
        size_t copied = part ? copy_part(u, (char *)u->seg->base + u->offset, buf + done, part, how) : 0;
        done += copied;
        u->offset += copied;
        u->resid -= copied;
        if (copied < part)
            break;
        if (u->offset == u->seg->len && u->nseg > 1) {
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

size_t uio_zero(struct uio *u, size_t n) {
    return uio_copy(u, NULL, n, ZERO);
}
