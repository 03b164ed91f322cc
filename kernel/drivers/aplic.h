// SPDX-License-Identifier: MIT
// The advanced interrupt architecture: RISC-V AIA specification 1.0.
#pragma once
#include "core/types.h"

// Finds the supervisor's APLIC in the device tree, with IMSICs or without, and takes it into use. False: there is none.
bool aplic_init(void);
