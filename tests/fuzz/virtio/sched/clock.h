// SPDX-License-Identifier: MIT
#pragma once
#include "core/types.h"
