// SPDX-License-Identifier: MIT
// User memory, checked: see uaccess.h. The raw routines are in uaccess.S.
#include "arch/riscv/uaccess.h"
#include "arch/riscv/cpu.h"
#include "arch/riscv/fault.h"
#include <asm/errno.h>
#include <linux/futex.h>

size_t user_copy_raw(void *to, const void *from, size_t n);
size_t user_clear_raw(void *to, size_t n);
ssize_t user_string_raw(char *to, const char *from, size_t n);
int user_load_u32_raw(const uint32_t *from, uint32_t *value);
int user_store_u16_column_raw(uint16_t *to, const uint16_t *from, size_t n);
int user_cmpxchg_u32_raw(uint32_t *at, uint32_t *old, uint32_t new_value);
extern const struct uaccess_range uaccess_table[];

unsigned long uaccess_close = SSTATUS_SUM;

const struct uaccess_range *uaccess_find(unsigned long pc) {
    for (const struct uaccess_range *r = uaccess_table; r->start; r++) {
        if (pc >= r->start && pc < r->end)
            return r;
    }
    return NULL;
}

size_t copy_from_user_partial(void *dst, const void __user *src, size_t n) {
    return user_range_ok((unsigned long)src, n) ? user_copy_raw(dst, src, n) : n;
}

size_t copy_to_user_partial(void __user *dst, const void *src, size_t n) {
    return user_range_ok((unsigned long)dst, n) ? user_copy_raw(dst, src, n) : n;
}

int copy_from_user(void *dst, const void __user *src, size_t n) {
    return copy_from_user_partial(dst, src, n) ? -EFAULT : 0;
}

static int check_zeros(const char __user *src, size_t n) {
    uint64_t words[16];
    for (size_t part; n; src += part, n -= part) {
        part = MIN(n, sizeof(words));
        words[(part - 1) / sizeof(*words)] = 0; // the last one may not be filled
        if (copy_from_user_partial(words, src, part))
            return -EFAULT;
        for (size_t i = 0; i * sizeof(*words) < part; i++)
            if (words[i])
                return -E2BIG;
    }
    return 0;
}

int copy_struct_from_user(void *dst, size_t known, size_t least, const void __user *src, size_t size) {
    if (size < least)
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    int err = size > known ? check_zeros((const char __user *)src + known, size - known) : 0;
    if (size < known)
        __builtin_memset((char *)dst + size, 0, known - size);
    return err ? err : copy_from_user(dst, src, MIN(size, known));
}

int copy_to_user(void __user *dst, const void *src, size_t n) {
    return copy_to_user_partial(dst, src, n) ? -EFAULT : 0;
}

int clear_user(void __user *dst, size_t n) {
    return user_range_ok((unsigned long)dst, n) && user_clear_raw(dst, n) == 0 ? 0 : -EFAULT;
}

ssize_t strncpy_from_user(char *dst, const char __user *src, size_t n) {
    if ((unsigned long)src >= USER_END)
        return -EFAULT;
    size_t room = USER_END - (unsigned long)src;
    ssize_t length = user_string_raw(dst, src, n < room ? n : room);
    if (length < 0 || (size_t)length == room)
        return -EFAULT;
    return (size_t)length < n ? length : -ENAMETOOLONG;
}

int user_load_u32(const uint32_t __user *addr, uint32_t *value) {
    return user_range_ok((unsigned long)addr, 4) && !user_load_u32_raw(addr, value) ? 0 : -EFAULT;
}

int user_store_u16_column(uint16_t __user *to, const uint16_t *from, size_t n) {
    const size_t step = USER_COLUMN_STEP / sizeof(*to);
    int err = 0;
    for (; unlikely((unsigned long)to % sizeof(*to)) && n && !err; n--, to += step, from += step)
        err = put_user(*from, to);
    if (!n || err)
        return err;
    return user_range_ok((unsigned long)to, n * USER_COLUMN_STEP) && !user_store_u16_column_raw(to, from, n)
               ? 0
               : -EFAULT;
}

int user_cmpxchg_u32(uint32_t __user *addr, uint32_t *old, uint32_t new_value) {
    return user_range_ok((unsigned long)addr, 4) && !user_cmpxchg_u32_raw(addr, old, new_value) ? 0 : -EFAULT;
}

static bool apply(int op, uint32_t old, uint32_t arg, uint32_t *result) {
    switch (op) {
    case FUTEX_OP_SET:
        *result = arg;
        return true;
    case FUTEX_OP_ADD:
        *result = old + arg;
        return true;
    case FUTEX_OP_OR:
        *result = old | arg;
        return true;
    case FUTEX_OP_ANDN:
        *result = old & ~arg;
        return true;
    case FUTEX_OP_XOR:
        *result = old ^ arg;
        return true;
    }
    return false;
}

int user_atomic_op_u32(uint32_t __user *addr, int op, uint32_t arg, uint32_t *old) {
    uint32_t expected, found, wanted;
    int err = user_load_u32(addr, &found);
    do {
        if (err)
            return err;
        expected = found;
        if (!apply(op, expected, arg, &wanted))
            return -ENOSYS;
        err = user_cmpxchg_u32(addr, &found, wanted);
    } while (err || found != expected);
    *old = expected;
    return 0;
}
