// SPDX-License-Identifier: MIT
// The firmware as the console until a driver has one: with `earlycon` on the command line, on machines whose
// UART we do not know, and for a panic before there is any other.
#pragma once
#include "core/types.h"

// Takes it into use if the command line asks for it. After cmdline_init().
void earlycon_init(void);
// Takes it into use.
void earlycon_register(void);
