// SPDX-License-Identifier: MIT
// What outside libraries expect of <stdio.h>: to find it.
#pragma once
