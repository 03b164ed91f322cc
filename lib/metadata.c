// SPDX-License-Identifier: MIT
#include "lib/metadata.h"

#define RECORD_VERSION 1
#define RECORD_XATTR   1

static bool read_record(const uint8_t *bytes, uint64_t left, struct metadata_record *r) {
    uint32_t size;
    size_t n = 0;
    if (left < METADATA_RECORD_HEAD || !cpio_read_hex8(bytes, &size))
        return false;
    if (size <= METADATA_RECORD_HEAD || size > left || bytes[8] != RECORD_VERSION || bytes[9] != RECORD_XATTR)
        return false;
    const char *name = (const char *)bytes + METADATA_RECORD_HEAD;
    size_t most = size - METADATA_RECORD_HEAD;
    while (n < most && n <= METADATA_XATTR_NAME && name[n])
        n++;
    if (!n || n > METADATA_XATTR_NAME || n == most)
        return false;
    *r = (struct metadata_record){name, n + 1, bytes + METADATA_RECORD_HEAD + n + 1, most - n - 1, size};
    return r->value_size <= METADATA_XATTR_VALUE;
}

bool metadata_at(const struct cpio_entry *e, uint64_t at, struct metadata_record *r) {
    return at < e->data_size && read_record(e->data + at, e->data_size - at, r);
}

bool metadata_is(const struct cpio_entry *e) {
    struct metadata_record r;
    uint64_t at = 0, names = 0;
    if ((e->mode & CPIO_IFMT) != CPIO_IFREG || e->name_length != sizeof(METADATA_NAME) - 1 ||
        __builtin_memcmp(e->name, METADATA_NAME, sizeof(METADATA_NAME) - 1) != 0)
        return false;
    for (; at < e->data_size; at += r.size, names += r.name_size)
        if (names > METADATA_XATTR_NAMES || !metadata_at(e, at, &r))
            return false;
    return at && names <= METADATA_XATTR_NAMES;
}
