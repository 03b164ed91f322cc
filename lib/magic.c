// SPDX-License-Identifier: MIT
#include "lib/magic.h"
#include <stddef.h>

static const struct magic magics[] = {
    {"cpio newc", MAGIC_CPIO, 6, {'0', '7', '0', '7', '0', '1'}},
    {"cpio crc", MAGIC_CPIO, 6, {'0', '7', '0', '7', '0', '2'}},
    {"gzip", MAGIC_GZIP, 2, {0x1f, 0x8b}},
    {"xz", MAGIC_XZ, 6, {0xfd, '7', 'z', 'X', 'Z', 0x00}},
    {"zstd", MAGIC_ZSTD, 4, {0x28, 0xb5, 0x2f, 0xfd}},
    {"lz4", MAGIC_LZ4, 4, {0x04, 0x22, 0x4d, 0x18}},
    {"lz4 (legacy)", MAGIC_LZ4_LEGACY, 4, {0x02, 0x21, 0x4c, 0x18}},
    {"gzip", MAGIC_NAMED, 2, {0x1f, 0x9e}},
    {"bzip2", MAGIC_NAMED, 3, {'B', 'Z', 'h'}},
    {"lzma", MAGIC_NAMED, 3, {0x5d, 0x00, 0x00}},
    {"lzo", MAGIC_NAMED, 6, {0x89, 'L', 'Z', 'O', 0x00, 0x0d}},
    {"cpio odc", MAGIC_NAMED, 6, {'0', '7', '0', '7', '0', '7'}},
    {"cpio old binary", MAGIC_NAMED, 2, {0xc7, 0x71}},
    {"cpio old binary", MAGIC_NAMED, 2, {0x71, 0xc7}},
};

const struct magic *magic_find(const void *bytes, uint64_t size) {
    for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if (size >= magics[i].size && __builtin_memcmp(bytes, magics[i].bytes, magics[i].size) == 0)
            return &magics[i];
    return NULL;
}
