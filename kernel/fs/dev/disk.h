// SPDX-License-Identifier: MIT
// What /proc/partitions tells of disks.
#pragma once
#include "fs/dev/chrdev.h"

// The size of a block device.
uint64_t disk_kilobytes(const struct chrdev *c);
