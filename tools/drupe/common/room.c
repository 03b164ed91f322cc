// SPDX-License-Identifier: MIT
#include "common/room.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common/util.h"

#define ROOM_SIZE (1ull << 36)
#define PAGE      4096ull

// No more than the machine has, nearly: what expands without end is told to be too large, and nothing else has to go for it.
static uint64_t most(void) {
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4 * 3;
    return (memory < ROOM_SIZE ? memory : ROOM_SIZE) & ~(PAGE - 1);
}

void *room_take(uint64_t *size) {
    uint64_t room_size = most();
    void *room =
        mmap(NULL, room_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        fail("no addresses to decompress to; is there a limit (ulimit -v)?");
    *size = room_size;
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
