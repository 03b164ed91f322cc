// SPDX-License-Identifier: MIT
#pragma once
#include "core/spinlock.h"
struct wait_queue {
    char none;
};
