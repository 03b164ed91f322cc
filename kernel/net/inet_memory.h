// SPDX-License-Identifier: MIT
// What lwIP and frames have of memory, and who pays for it: an account of a user's (USER_SOCKET_BYTES), of which a part of all memory may be
// used (limits.socket_bytes_max).
//
// Who is running pays: a sender for what it sends, a reader for what its reading sets in motion, one who connects for what that makes at the
// other end. What comes in from a network, what waits for the rest of its packet, and what the kernel's own thread sends again is the kernel's,
// which has an account like everybody's: no user who has used up his own takes from that. What a socket keeps of it goes on its user's account.
#pragma once
#include "core/types.h"

struct user;

struct user *inet_current_user(void);
// Memory on a user's account, or NULL; inet_malloc() of lwip/lwipopts.h is for the one who is running.
void *inet_malloc_beside(size_t size, size_t beside); // of who is running, who pays for `beside` bytes more
void *inet_malloc_for(struct user *user, size_t size);
void *inet_malloc(size_t size);
void *inet_calloc(size_t n, size_t size);
void inet_free(void *memory); // NULL: nothing
// Who pays for it; somebody else from now on, without asking whether he may.
struct user *inet_payer(const void *memory);
void inet_recharge(void *memory, struct user *user);
// What a user may have is used up for now.
bool inet_user_is_full(const struct user *user);
