// SPDX-License-Identifier: MIT
// Waiting for files: what a poll op registers in. poll, ppoll, select and epoll are built on it.
#pragma once
#include "fs/file.h"

struct poll_table {
    // Adds the table's owner to q; NULL when the events are all that is wanted.
    void (*queue)(struct poll_table *table, struct file *f, struct wait_queue *q);
};
static inline void poll_wait(struct file *f, struct wait_queue *q, struct poll_table *table) {
    if (table && table->queue)
        table->queue(table, f, q);
}
// The file's events now.
unsigned int file_poll(struct file *f, struct poll_table *table);
