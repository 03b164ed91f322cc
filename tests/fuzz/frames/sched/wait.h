// SPDX-License-Identifier: MIT
#pragma once
struct mutex {
    char none;
};
#define ASSERT_HELD(lock) ((void)(lock))
