// SPDX-License-Identifier: MIT
// The file system type "devtmpfs": a tmpfs with a node for every device that has a name. There is one
// instance; every mount shows it, and what programs make in it stays.
#pragma once
#include "fs/dev/chrdev.h"

// Makes the node of a device. Before devtmpfs_init() it does nothing, as that makes the nodes of all devices
// known.
void devtmpfs_add(struct chrdev *c);
void devtmpfs_init(void);
