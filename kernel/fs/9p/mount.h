// SPDX-License-Identifier: MIT
// Directories of the host, mounted from a server that speaks 9P2000.L.
#pragma once

// Boot.
void p9_init(void);
