// SPDX-License-Identifier: MIT
// Makes cpio archives in memory, good ones and (by changing bytes afterwards) bad ones.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive {
    uint8_t *bytes;
    size_t size, room;  // used, had
    size_t base;        // where the current archive begins
    size_t last_header; // of the entry added last
};

// One entry. Zero fields: name_size is strlen + 1, nlink 1, magic newc; data_size is strlen(data) where data
// is given.
struct member {
    const char *name, *data;
    size_t name_size, data_size;
    uint32_t ino, mode, uid, gid, nlink, mtime, dev_major, dev_minor, rdev_major, rdev_minor, checksum;
    bool crc;
};

void archive_add_member(struct archive *a, const struct member *m);
#define archive_add(a, ...) archive_add_member(a, &(struct member){__VA_ARGS__})

// The entry that ends an archive; what is added next begins another one.
void archive_end(struct archive *a);
void archive_zeros(struct archive *a, size_t count);
void archive_bytes(struct archive *a, const void *bytes, size_t count);
void archive_free(struct archive *a);
