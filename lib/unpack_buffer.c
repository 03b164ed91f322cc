// SPDX-License-Identifier: MIT
// A buffer in Linux's initramfs format: archives and compressed archives one after the other, with zeros
// between. A run of compressed frames is decompressed into one piece of memory, which is then walked like a
// buffer of its own. The sink is told how far it has been read.
#include "lib/unpack_private.h"
#include "lib/decompress/decompress.h"
#include "lib/errno.h"
#include "lib/text.h"

// ---- compressed archives

struct frames {
    struct unpack *u;
    const char *in; // the frame at hand
};

static void *work_alloc(void *ctx, size_t size) {
    struct unpack *u = ((struct frames *)ctx)->u;
    return u->sink->alloc(u->ctx, size);
}
static void work_free(void *ctx, void *memory, size_t size) {
    struct unpack *u = ((struct frames *)ctx)->u;
    u->sink->free(u->ctx, memory, size);
}
static void progress(void *ctx, uint64_t consumed) {
    struct frames *f = ctx;
    f->u->sink->pass(f->u->ctx, f->in + consumed);
}

static void report_compressed(struct unpack *u, const char *format, uint64_t offset, const char *cause) {
    struct text t;
    text_begin(&t, u->text, UNPACK_TEXT_MAX);
    text_add(&t, format);
    text_add(&t, " data at offset ");
    text_add_number(&t, offset);
    text_add(&t, ": ");
    text_add(&t, cause);
    unpack_report(u, UNPACK_ERROR, u->text);
}

static uint64_t skip_zeros(const uint8_t *bytes, uint64_t position, uint64_t size) {
    while (position < size && !bytes[position])
        position++;
    return position;
}

static int walk(struct unpack *u, const uint8_t *bytes, uint64_t size, uint64_t *position, bool compressed);

// The run of frames at *position of the buffer, which is moved behind it.
static int unpack_frames(struct unpack *u, const uint8_t *bytes, uint64_t size, uint64_t *position) {
    struct frames f = {.u = u};
    uint64_t start = *position, room_size = 0, used = 0, walked = 0;
    const char *format = decompress_format(bytes + start, size - start);
    uint8_t *room = u->sink->room(u->ctx, &room_size);
    int err = 0;
    if (!room) {
        report_compressed(u, format, start, "there is no memory for what is in it");
        return -ENOSPC;
    }
    do {
        struct decompress d = {.in = bytes + *position,
                               .in_size = size - *position,
                               .out = room + used,
                               .out_size = room_size - used,
                               .alloc = work_alloc,
                               .free = work_free,
                               .progress = progress,
                               .ctx = &f};
        f.in = (const char *)d.in;
        err = decompress(&d);
        if (err)
            report_compressed(u, format, *position, d.cause);
        used += d.produced;
        *position = skip_zeros(bytes, *position + d.consumed, size);
    } while (!err && decompress_format(bytes + *position, size - *position));
    u->sink->keep(u->ctx, room, room_size, used);
    u->summary.decompressed += used;
    if (!err)
        u->sink->pass(u->ctx, bytes + *position);
    u->sink->open(u->ctx, room);
    int in_it = walk(u, room, used, &walked, true);
    u->sink->pass(u->ctx, room + used);
    u->sink->close(u->ctx);
    return err ? err : in_it;
}

// ---- archives

static void report_no_trailer(struct unpack *u, const struct cpio_reader *r) {
    struct text t;
    text_begin(&t, u->text, UNPACK_TEXT_MAX);
    text_add(&t, "archive ");
    text_add_number(&t, r->archive);
    text_add(&t, " ends behind entry ");
    text_add_number(&t, r->index);
    text_add(&t, " without a trailer; archive truncated?");
    unpack_report(u, UNPACK_NOTE, u->text);
}

// Goes through archives from *position on, which it moves, to the end or to compressed data, which may not be
// in compressed data again.
static int walk(struct unpack *u, const uint8_t *bytes, uint64_t size, uint64_t *position, bool compressed) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    int err = 0;
    cpio_open(&reader, bytes, size);
    reader.position = *position;
    reader.archive = (uint32_t)u->archives;
    reader.prefix = &u->parent;
    for (bool at_end = false; !at_end && !err;) {
        switch (cpio_next(&reader, &entry)) {
        case CPIO_ENTRY:
            err = unpack_entry(u, &entry);
            break;
        case CPIO_TRAILER:
            unpack_links_forget(u);
            u->last = NULL;
            u->first_serial = u->sink->serial(u->ctx, NULL);
            break;
        case CPIO_SKIPPED:
            u->last = NULL;
            unpack_report_error(u, UNPACK_WARNING, &reader.error);
            break;
        case CPIO_ERROR:
            at_end = true;
            if (!compressed && reader.error.problem == CPIO_MAGIC_OTHER &&
                decompress_format(bytes + reader.position, size - reader.position)) {
                reader.archive -= !reader.in_archive; // it is none itself
                break;
            }
            unpack_report_error(u, UNPACK_ERROR, &reader.error);
            err = -EINVAL;
            break;
        case CPIO_END:
            at_end = true;
            if (reader.in_archive)
                report_no_trailer(u, &reader);
            break;
        }
    }
    u->archives = reader.archive;
    *position = reader.position;
    return err;
}

int unpack_buffer(struct unpack *u, const void *buffer, uint64_t size) {
    const uint8_t *bytes = buffer;
    uint64_t position = 0;
    int err = 0;
    u->archives = 0;
    u->last = NULL;
    u->first_serial = u->sink->serial(u->ctx, NULL);
    if (!size)
        return 0; // the buffer may be NULL
    u->sink->open(u->ctx, buffer);
    while (!err && position < size) {
        err = walk(u, bytes, size, &position, false);
        if (!err && position < size)
            err = unpack_frames(u, bytes, size, &position);
    }
    u->sink->pass(u->ctx, bytes + size);
    u->sink->close(u->ctx);
    u->summary.archives += u->archives;
    return err;
}
