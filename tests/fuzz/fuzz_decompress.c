// SPDX-License-Identifier: MIT
// The decompressors on any bytes: they neither read nor write beyond their memory, what they report lies in
// bounds, and all working memory is given back; also where there is little room, or none to work in.
#include <stdlib.h>
#include "lib/decompress/decompress.h"
#include "lib/errno.h"

#define ROOM (64u << 10)

static size_t allocated, allocations; // bytes now; how many more there may be
static bool refused;

static void check(bool good) {
    if (!good)
        abort();
}

static void *allocate(void *ctx, size_t size) {
    (void)ctx;
    check(size <= DECOMPRESS_ALLOC_MAX);
    if (!allocations) {
        refused = true;
        return NULL;
    }
    allocations--;
    allocated += size;
    return malloc(size);
}

static void release(void *ctx, void *memory, size_t size) {
    (void)ctx;
    allocated -= size;
    free(memory);
}

static void progress(void *ctx, uint64_t consumed) {
    uint64_t *last = ctx;
    check(consumed >= *last);
    *last = consumed;
}

// All bytes that it says it made are there: MSan sees it, as the check depends on each of them.
static void check_written(const uint8_t *bytes, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += bytes[i];
    check(sum <= 255 * count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    uint64_t last = 0;
    size_t room_size = size % 8 == 7 ? size / 8 % 512 + 1 : ROOM;
    uint8_t *room = malloc(room_size);
    struct decompress d = {.in = bytes,
                           .in_size = size,
                           .out = room,
                           .out_size = room_size,
                           .alloc = allocate,
                           .free = release,
                           .progress = progress,
                           .ctx = &last};
    allocations = size % 8 == 5 ? size / 8 % 4 : SIZE_MAX;
    refused = false;
    int err = decompress(&d);
    check((err == 0) == (d.cause == NULL));
    check(d.consumed <= size && last <= d.consumed && d.produced <= room_size);
    check(allocated == 0 && refused == (err == -ENOMEM));
    check_written(room, d.produced);
    check((decompress_format(bytes, size) == NULL) == (err == -ENOSYS));
    free(room);
    return 0;
}
