// SPDX-License-Identifier: MIT
// What outside libraries expect of <string.h>.
#pragma once
#include "lib/string.h"
