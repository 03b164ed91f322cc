// SPDX-License-Identifier: MIT
// Partitions of disks.
#pragma once
#include "core/types.h"

#define DISK_MINORS 16u // of each disk: it, and 15 partitions

struct partition {
    uint64_t start, sectors; // of 512 bytes; 0: there is none
};

// Reads the table of a disk of `sectors` sectors, MBR or GPT; found[n] becomes partition n. `read` gives a sector, which stays until the
// next one, NULL: it cannot be read. `unit`: what GPT counts in, in sectors. What does not lie on the disk is left out.
void partitions_read(const char *(*read)(void *disk, uint64_t sector), void *disk, uint64_t sectors,
                     unsigned int unit, struct partition found[DISK_MINORS]);
