// SPDX-License-Identifier: MIT
// The only way to user memory. Every function may sleep (page faults), so no spinlock may be held; all
// check that the range lies below USER_END and return -EFAULT for what cannot be accessed. Copies are at
// least 8 bytes at a time where both sides allow. Faults inside are fixed up through an exception table
// (uaccess.S).
#pragma once
#include "arch/riscv/layout.h"
#include "lib/types.h"

// What the routines leave sstatus without: SUM, or nothing (`uaccess=open`): then the kernel may touch user memory all the time, and is only
// held to these routines by being built so. QEMU up to 8.0 forgets all translations when SUM changes. [I] when harts are started.
extern unsigned long uaccess_close;

int __must_check copy_from_user(void *dst, const void __user *src, size_t n);
// What goes out is bytes that were written one by one, or a whole array of numbers; an object goes by put_object().
int __must_check copy_to_user(void __user *dst, const void *src, size_t n);
// As copy_*, but tell how far they got: return bytes NOT copied.
size_t __must_check copy_from_user_partial(void *dst, const void __user *src, size_t n);
size_t __must_check copy_to_user_partial(void __user *dst, const void *src, size_t n);
int __must_check clear_user(void __user *dst, size_t n);
// A structure that grows with time, of which the program's is `size` bytes and ours `known`, the first version `least`. What a
// shorter one does not have is 0; what a longer one has that we do not know must be 0. -EINVAL: shorter than the first;
// -E2BIG: longer than a page, or asks for what we do not know; -EFAULT.
int __must_check copy_struct_from_user(void *dst, size_t known, size_t least, const void __user *src,
                                       size_t size);
// Copies a string with its NUL. Returns its length without the NUL, -EFAULT, or -ENAMETOOLONG if there is no
// NUL within n.
ssize_t __must_check strncpy_from_user(char *dst, const char __user *src, size_t n);
// Stores n numbers of 16 bits, with USER_COLUMN_STEP bytes from one to the next both there and here: a column of a table. 0 or -EFAULT.
#define USER_COLUMN_STEP 8u
int __must_check user_store_u16_column(uint16_t __user *to, const uint16_t *from, size_t n);
// Atomic on user memory, for futexes and robust lists: 32-bit load; compare-and-swap (*old gets the value
// found). 0 or -EFAULT.
int __must_check user_load_u32(const uint32_t __user *addr, uint32_t *value);
int __must_check user_cmpxchg_u32(uint32_t __user *addr, uint32_t *old, uint32_t new_value);
// *addr = op(*addr, arg) for FUTEX_WAKE_OP: returns old value in *old.
int __must_check user_atomic_op_u32(uint32_t __user *addr, int op, uint32_t arg, uint32_t *old);

// One scalar, of the pointer's own size (1, 2, 4 or 8). 0 or -EFAULT.
#define get_user(x, uptr) copy_from_user(&(x), (uptr), sizeof(x))
#define put_user(x, uptr)                                                                                    \
    ({                                                                                                       \
        __typeof__(*(uptr)) v_ = (x);                                                                        \
        _Static_assert(sizeof(v_) <= 8, "a scalar");                                                         \
        copy_to_user((uptr), &v_, sizeof(v_));                                                               \
    })

// Copies a structure out, all or its first n bytes. The language says nothing about the bytes between its members,
// also if all members were given: they are cleared here, so that none of the kernel's stack goes along. `make check`
// finds who copies an object otherwise. 0 or -EFAULT.
#if defined(__has_builtin) && __has_builtin(__builtin_clear_padding)
#define clear_padding(pointer) __builtin_clear_padding(pointer)
#else // an analyser's compiler
#define clear_padding(pointer) ((void)(pointer))
#endif
#define put_object(user, object) put_object_part((user), (object), sizeof(object))
#define put_object_part(user, object, n)                                                                     \
    ({                                                                                                       \
        __typeof__(&(object)) o_ = &(object);                                                                \
        clear_padding(o_);                                                                                   \
        copy_to_user((user), o_, (n));                                                                       \
    })

static inline bool user_range_ok(unsigned long addr, size_t n) {
    return addr <= USER_END && n <= USER_END - addr;
}
