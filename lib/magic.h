// SPDX-License-Identifier: MIT
// What archives begin with, compressed ones and those of other formats too: each magic is listed here and nowhere else, but for the
// header that the walker compares by words (cpio.c). ELF's is elf.h's.
#pragma once
#include <stdint.h>

enum magic_kind {
    MAGIC_CPIO, // newc or crc
    MAGIC_GZIP,
    MAGIC_XZ,
    MAGIC_ZSTD,
    MAGIC_LZ4,
    MAGIC_LZ4_LEGACY,
    MAGIC_NAMED, // known by name only
};

struct magic {
    const char *
        name; // "gzip", "xz", "zstd", "lz4", "lz4 (legacy)", "bzip2", "lzma", "lzo", "cpio odc", "cpio old binary", ...
    uint8_t kind, size;
    uint8_t bytes[6];
};

// The magic that these bytes begin with, NULL if it is none.
const struct magic *magic_find(const void *bytes, uint64_t size);
