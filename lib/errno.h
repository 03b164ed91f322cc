// SPDX-License-Identifier: MIT
// Linux's error numbers, on the host and in the kernel.
#pragma once
#if __STDC_HOSTED__
#include <errno.h>
#else
#include <asm/errno.h>
#endif
