// SPDX-License-Identifier: MIT
// What kernel/drivers/virtio/queue.c needs of it, on the host.
#pragma once
static inline void fence_io(void) {}
