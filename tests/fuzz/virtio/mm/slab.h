// SPDX-License-Identifier: MIT
#pragma once
#include <stdlib.h>
#define kmalloc(n)     malloc(n)
#define kzalloc(n)     calloc(1, n)
#define kfree(p)       free(p)
#define kstrndup(s, n) strndup(s, n)
