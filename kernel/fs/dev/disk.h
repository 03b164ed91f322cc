// SPDX-License-Identifier: MIT
// What /proc and /sys tell of disks and their partitions.
#pragma once
#include "fs/dev/chrdev.h"

// What has been transferred since the start. Read without a lock: numbers that do not quite belong together.
struct disk_counts {
    struct disk_count {
        unsigned long requests, sectors;
        uint64_t ns; // the device's time
    } read, write, flush;
};

struct disk_info {
    const char *name;
    dev_t dev;
    const char *whole;       // of a partition: the disk's name; else NULL
    unsigned int number;     // of a partition
    uint64_t start, sectors; // of 512 bytes
    unsigned int block_size; // bytes
    bool read_only;
    bool write_back; // what was written is on the medium after a flush, not before
    const struct disk_counts *counts;
};

// Of a block device.
void disk_tell(const struct chrdev *c, struct disk_info *out);
