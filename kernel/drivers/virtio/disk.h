// SPDX-License-Identifier: MIT
// Disks: what blk.c offers the file layer. Threads only; one caller at a time for each disk.
#pragma once
#include "core/types.h"

#define DISK_SECTOR 512u         // bytes, of what `sectors` counts
#define DISK_BUFFER (64u * 1024) // bytes of a transfer at most

struct virtio_disk {
    unsigned int index; // [I] of all disks
    uint64_t sectors;   // [I]
    uint32_t
        block_size; // [I] what the device transfers at least: a power of 2, DISK_SECTOR or more, at most a page
    bool read_only;  // [I]
    bool write_back; // [I] the device has a cache, and flushes it
};

// Called with each disk, which stays for good; thread context.
extern void (*virtio_disk_found)(struct virtio_disk *disk);

// Where a transfer takes its bytes from, or puts them. NULL, and *err: the device still has it, and the caller is to end (-EINTR).
void *virtio_disk_buffer(struct virtio_disk *disk, int *err);
// n bytes, whole blocks, at a whole block, between the disk and the buffer. -EIO; -EINTR: a fatal signal came before the device's answer.
int __must_check virtio_disk_transfer(struct virtio_disk *disk, bool write, uint64_t sector, size_t n);
// What was written is on the medium: 0, -EIO, -EINTR.
int __must_check virtio_disk_flush(struct virtio_disk *disk);
