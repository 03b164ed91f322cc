// SPDX-License-Identifier: MIT
#pragma once
#include "core/types.h"
struct spinlock {
    char none;
};
struct refcount {
    int count;
};
static inline void ref_get(struct refcount *r) {
    r->count++;
}
