// SPDX-License-Identifier: MIT
// AF_INET and AF_INET6, for the socket layer.
#pragma once

// Boot: makes the families known. lwIP starts with their first socket.
void inet_init(void);

#define INET_CONGESTION_CONTROL "reno" // lwIP's
