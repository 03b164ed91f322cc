// SPDX-License-Identifier: MIT
#include "archive.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Bytes behind an archive's end may not be looked at, though there is room for more.
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, count)
#define ASAN_UNPOISON_MEMORY_REGION(at, count)
#endif

void archive_bytes(struct archive *a, const void *bytes, size_t count) {
    if (a->size + count >= a->room) {
        a->room = 2 * (a->size + count) + 1024;
        a->bytes = realloc(a->bytes, a->room);
    }
    ASAN_UNPOISON_MEMORY_REGION(a->bytes + a->size, count);
    memcpy(a->bytes + a->size, bytes, count);
    a->size += count;
    ASAN_POISON_MEMORY_REGION(a->bytes + a->size, a->room - a->size);
}

void archive_zeros(struct archive *a, size_t count) {
    while (count--)
        archive_bytes(a, "", 1);
}

static void pad(struct archive *a) {
    while ((a->size - a->base) % 4)
        archive_zeros(a, 1);
}

void archive_add_member(struct archive *a, const struct member *m) {
    size_t length = strlen(m->name);
    size_t name_size = m->name_size ? m->name_size : length + 1;
    size_t data_size = m->data_size ? m->data_size : m->data ? strlen(m->data) : 0;
    char header[128];
    a->last_header = a->size;
    snprintf(header, sizeof(header), "%s%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
             m->crc ? "070702" : "070701", m->ino, m->mode, m->uid, m->gid, m->nlink ? m->nlink : 1, m->mtime,
             data_size, m->dev_major, m->dev_minor, m->rdev_major, m->rdev_minor, name_size, m->checksum);
    archive_bytes(a, header, 110);
    archive_bytes(a, m->name, length < name_size ? length : name_size);
    if (length < name_size)
        archive_zeros(a, name_size - length);
    pad(a);
    if (data_size)
        archive_bytes(a, m->data, data_size);
    pad(a);
}

void archive_end(struct archive *a) {
    archive_add(a, .name = "TRAILER!!!");
    a->base = a->size;
}

void archive_free(struct archive *a) {
    free(a->bytes);
    *a = (struct archive){0};
}
