// SPDX-License-Identifier: MIT
// The integer types of the kernel's own interfaces and the annotations of the compiler.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; // a physical address
typedef int pid_t;
typedef uint32_t uid_t, gid_t, mode_t;
typedef uint64_t ino_t, dev_t; // dev_t: MKDEV(major, minor), see fs/inode.h
typedef int64_t off_t, ssize_t;
typedef int64_t ktime_t; // nanoseconds, of the clock the context names

#ifdef __CHECKER__
#define __user __attribute__((noderef, address_space(1)))
#else
#define __user // a pointer into user memory: only arch/riscv/uaccess may follow it
#endif

#define __must_check    __attribute__((warn_unused_result))
#define __noreturn      __attribute__((noreturn))
#define __printf(f, a)  __attribute__((format(printf, f, a)))
#define __aligned_to(n) __attribute__((aligned(n)))
#define __cold          __attribute__((cold))
#define likely(x)       __builtin_expect(!!(x), 1)
#define unlikely(x)     __builtin_expect(!!(x), 0)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)                ((x) & ~((__typeof__(x))(a)-1)) // a: a power of two
#define ALIGN_UP(x, a)                  ALIGN_DOWN((x) + (a)-1, a)
#define MIN(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) a_ = (a);                                                                              \
        __typeof__(b) b_ = (b);                                                                              \
        a_ < b_ ? a_ : b_;                                                                                   \
    })
#define MAX(a, b)                                                                                            \
    ({                                                                                                       \
        __typeof__(a) a_ = (a);                                                                              \
        __typeof__(b) b_ = (b);                                                                              \
        a_ > b_ ? a_ : b_;                                                                                   \
    })

// One access the compiler may neither tear, repeat nor leave out.
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

// A pointer result that carries -errno, as Linux has it: the last 4095 addresses are errors.
static inline void *ERR_PTR(long err) {
    return (void *)err;
}
static inline long PTR_ERR(const void *p) {
#ifdef __clang_analyzer__ // it forgets that an error is not 0
    if ((int)(long)p == 0)
        __builtin_unreachable();
#endif
    return (long)p;
}
static inline bool IS_ERR(const void *p) {
    return (unsigned long)p >= -4095UL;
}
