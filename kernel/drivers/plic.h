// SPDX-License-Identifier: MIT
// The platform-level interrupt controller: RISC-V PLIC specification 1.0.
#pragma once
#include "core/types.h"

// Finds it in the device tree and takes it into use. False: there is none.
bool plic_init(void);
