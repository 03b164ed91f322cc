// SPDX-License-Identifier: MIT
// Memory for what is decompressed: as much as it may come to, of which only what is written takes any.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Ends the program where there are no addresses left. *size in bytes.
void *room_take(uint64_t *size);

// Gives back all but the first `used` bytes.
void room_keep(void *room, uint64_t size, uint64_t used);

// The working memory of a decompressor: `ctx` is not used.
void *room_work(void *ctx, size_t size);
void room_work_free(void *ctx, void *memory, size_t size);
