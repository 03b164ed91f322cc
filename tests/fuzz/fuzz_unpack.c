// SPDX-License-Identifier: MIT
// Walker and unpacker on any bytes, into the model file system, which aborts where the sink's contract is
// broken, and in which now and then an operation or an allocation fails. Checked besides: data and names lie
// in the buffer, entries do not overlap, nothing stays held or allocated, messages are strings.
#include <stdlib.h>
#include <string.h>
#include "model.h"

static void check(bool good) {
    if (!good)
        abort();
}

static void check_entry(const struct cpio_entry *e, size_t size, uint64_t *end) {
    check(e->header >= *end);
    check(e->data_offset <= size && e->data_size <= size - e->data_offset);
    check(strlen(e->name) == e->name_length && e->base <= e->name_length);
    check(e->header + CPIO_HEADER_SIZE + e->name_length < e->data_offset || e->data_size == 0);
    *end = e->data_offset + e->data_size;
}

static void walk(const uint8_t *bytes, size_t size) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    struct cpio_error error;
    uint64_t end = 0;
    char text[300];
    cpio_open(&reader, bytes, size);
    for (;;) {
        enum cpio_result result = cpio_next(&reader, &entry);
        if (result == CPIO_ENTRY || result == CPIO_TRAILER)
            check_entry(&entry, size, &end);
        if (result == CPIO_ENTRY && !cpio_verify(&entry, &error))
            check(cpio_error_text(&error, text, sizeof(text)) == strlen(text));
        if (result == CPIO_SKIPPED || result == CPIO_ERROR)
            check(cpio_error_text(&reader.error, text, sizeof(text)) == strlen(text));
        if (result == CPIO_END || result == CPIO_ERROR)
            break;
    }
    check(reader.position <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct model m;
    struct unpack u;
    walk(bytes, size);
    model_init(&m);
    m.copy = size % 2;
    m.room = 10000;
    m.room_size = size % 16 ? 1 << 20 : 0;
    if (size % 4 == 3)
        m.failing_call = size / 4 % 64;
    if (size % 8 == 5)
        m.allocations = size / 8 % 16;
    if (unpack_begin(&u, &model_sink, &m, m.root) == 0) {
        unpack_buffer(&u, bytes, size);
        unpack_end(&u);
        check(u.summary.borrowed + u.summary.copied <= u.summary.bytes);
    }
    check(m.held == 0 && m.allocated == 0);
    free(model_dump(&m));
    model_free(&m);
    return 0;
}
