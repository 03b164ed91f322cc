// SPDX-License-Identifier: MIT
// What a test can do to the loopback device of a debug kernel.
#pragma once

#ifdef CONFIG_DEBUG
extern unsigned long loopback_faults[3]; // [a] frames lost, doubled, held back until the next: of a thousand
#endif
