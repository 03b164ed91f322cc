// SPDX-License-Identifier: MIT
// Red-black trees: the BSD macros of sys/tree.h (libbsd-dev, header only). This is the one file that
// includes it; use RB_HEAD, RB_ENTRY, RB_GENERATE_STATIC and their kin as tree(3bsd) describes.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifndef __unused
#define __unused __attribute__((unused)) // on what RB_GENERATE_STATIC makes
#endif
#include <bsd/sys/tree.h>
