// SPDX-License-Identifier: MIT
// MOUNT_ATTR_* as programs say them, beside MS_* as mounts have them.
#pragma once
#include "core/types.h"

// How access times are kept is one of three: none of these is left out of what is made of flags.
uint64_t mount_attributes_of(unsigned int flags);
