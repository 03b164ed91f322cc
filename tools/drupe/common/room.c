// SPDX-License-Identifier: MIT
#include "common/room.h"
#include <stdlib.h>
#include <sys/mman.h>
#include "common/util.h"

#define ROOM_SIZE (1ull << 36)
#define PAGE      4096ull

void *room_take(uint64_t *size) {
    void *room =
        mmap(NULL, ROOM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        fail("no 64 GiB of addresses to decompress to; is there a limit (ulimit -v)?");
    *size = ROOM_SIZE;
    return room;
}

void room_keep(void *room, uint64_t size, uint64_t used) {
    uint64_t kept = (used + PAGE - 1) & ~(PAGE - 1);
    munmap((char *)room + kept, size - kept);
}

void *room_work(void *ctx, size_t size) {
    (void)ctx;
    return malloc(size);
}

void room_work_free(void *ctx, void *memory, size_t size) {
    (void)ctx, (void)size;
    free(memory);
}
