// SPDX-License-Identifier: MIT
// What libfdt expects of <string.h>.
#pragma once
#include "lib/string.h"
