// SPDX-License-Identifier: MIT
// The entry METADATA!!! of an archive: extended attributes (xattr(7)) of the entry before it, as records, one behind the other. A record is
// eight hex digits of its size, with them; a byte for the version, 1; one for the kind, 1: an extended attribute; its name with a NUL; and to
// the record's end its value. Other content under that name is a file's.
#pragma once
#include "lib/cpio.h"

#define METADATA_NAME          "METADATA!!!"
#define METADATA_RECORD_HEAD   10             // bytes: the record's size, the version and the kind of record
#define METADATA_RECORD_FORMAT "%08X\001\001" // of such a head
#define METADATA_XATTR_NAME    255            // bytes of an attribute's name, without the NUL,
#define METADATA_XATTR_VALUE   65536          // of its value,
#define METADATA_XATTR_NAMES   65536 // and of the names of all that a file has, with their NULs; as in Linux

struct metadata_record {
    const char *name;
    size_t name_size; // with the NUL
    const uint8_t *value;
    size_t value_size;
    uint64_t size; // of it all: the next record is so much further
};

// Whether the entry is one, every byte of it as it should be.
bool metadata_is(const struct cpio_entry *e);

// The record at an offset in such an entry's data; false: there is no more.
bool metadata_at(const struct cpio_entry *e, uint64_t at, struct metadata_record *r);
