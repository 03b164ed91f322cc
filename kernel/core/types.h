// SPDX-License-Identifier: MIT
// The types and annotations that all of the kernel uses; they lie in lib/, for arch/ is below this folder.
#pragma once
#include "lib/types.h"
