// SPDX-License-Identifier: MIT
// The slow halves of spinlock.h.
#include "core/spinlock.h"

void spin_lock_contended(struct spinlock *lock) {
    do {
        while (spin_is_taken(lock))
            cpu_relax();
    } while (!spin_exchange_(lock));
}

bool ref_get_unless_zero(struct refcount *r) {
    int n = ref_read(r);
    while (n > 0) {
        if (__atomic_compare_exchange_n(&r->count, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}
