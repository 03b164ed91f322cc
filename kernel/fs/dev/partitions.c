// SPDX-License-Identifier: MIT
// Tables of partitions: MBR with its chain of logical ones, and GPT (UEFI specification 2.10, section 5.3).
#include "fs/dev/partitions.h"
#include "lib/string.h"

#define TABLE        446u // of an MBR
#define ENTRIES      4u
#define ENTRY_SIZE   16u
#define GPT_TYPE     0xeeu
#define LOGICAL      5u    // the first number of one
#define GPT_MOST     4096u // bytes of an entry at most
#define GPT_AT_LEAST 128u

struct table {
    const char *(*read)(void *disk, uint64_t sector);
    void *disk;
    uint64_t sectors;
    unsigned int unit;
    struct partition *found;
};

static uint64_t number(const char *at, unsigned int bytes) {
    uint64_t n = 0;
    for (unsigned int i = bytes; i--;)
        n = n << 8 | (uint8_t)at[i];
    return n;
}

static bool is_mbr(const char *sector) {
    return sector && (uint8_t)sector[510] == 0x55 && (uint8_t)sector[511] == 0xaa;
}

static bool is_extended(unsigned int type) {
    return type == 0x05 || type == 0x0f || type == 0x85;
}

static void note(const struct table *t, unsigned int index, uint64_t start, uint64_t sectors) {
    if (index < DISK_MINORS && sectors && start < t->sectors && sectors <= t->sectors - start)
        t->found[index] = (struct partition){start, sectors};
}

// ---- GPT

static void read_entries(const struct table *t, uint64_t first, uint64_t count, uint64_t size) {
    for (unsigned int i = 0; i < count && i + 1 < DISK_MINORS; i++) {
        uint64_t at = first * t->unit * 512 + i * size;
        const char *sector = t->read(t->disk, at / 512), *entry = sector + at % 512;
        if (!sector)
            return;
        if (!(number(entry, 8) | number(entry + 8, 8)))
            continue;
        uint64_t start = number(entry + 32, 8), end = number(entry + 40, 8);
        if (start <= end && end < t->sectors / t->unit)
            note(t, i + 1, start * t->unit, (end - start + 1) * t->unit);
    }
}

static bool read_gpt(const struct table *t) {
    const char *header = t->read(t->disk, t->unit);
    if (!header || memcmp(header, "EFI PART", 8) || number(header + 24, 8) != 1)
        return false;
    uint64_t first = number(header + 72, 8), count = number(header + 80, 4), size = number(header + 84, 4);
    if (first >= t->sectors / t->unit || size < GPT_AT_LEAST || size > GPT_MOST || size & (size - 1))
        return false;
    read_entries(t, first, count, size);
    return true;
}

// ---- MBR

// The chain of logical partitions: each begins with a table of its own, with the partition and the next table.
static void read_logical(const struct table *t, uint64_t base) {
    uint64_t at = base;
    for (unsigned int index = LOGICAL; index < DISK_MINORS; index++) {
        const char *sector = t->read(t->disk, at);
        uint64_t next = 0;
        if (!is_mbr(sector))
            return;
        for (unsigned int i = 0; i < 2; i++) {
            const char *entry = sector + TABLE + i * ENTRY_SIZE;
            if (is_extended((uint8_t)entry[4]))
                next = base + number(entry + 8, 4) * t->unit;
            else if (entry[4])
                note(t, index, at + number(entry + 8, 4) * t->unit, number(entry + 12, 4) * t->unit);
        }
        if (next <= at) // there is none, or one that was read: a chain goes forward
            return;
        at = next;
    }
}

void partitions_read(const char *(*read)(void *disk, uint64_t sector), void *disk, uint64_t sectors,
                     unsigned int unit, struct partition found[DISK_MINORS]) {
    const struct table t = {read, disk, sectors, unit, found};
    const char *sector = read(disk, 0);
    char table[ENTRIES * ENTRY_SIZE];
    if (!is_mbr(sector))
        return;
    memcpy(table, sector + TABLE, sizeof(table));
    for (unsigned int i = 0; i < ENTRIES; i++)
        if ((uint8_t)table[i * ENTRY_SIZE + 4] == GPT_TYPE && read_gpt(&t))
            return;
    for (unsigned int i = 0; i < ENTRIES; i++) {
        const char *entry = table + i * ENTRY_SIZE;
        uint64_t start = number(entry + 8, 4) * t.unit, sectors = number(entry + 12, 4) * t.unit;
        if (is_extended((uint8_t)entry[4]))
            read_logical(&t, start);
        if (entry[4])
            note(&t, i + 1, start, is_extended((uint8_t)entry[4]) ? MIN(2ul * t.unit, sectors) : sectors);
    }
}
