// SPDX-License-Identifier: MIT
#include "archive/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "closure/xattrs.h"
#include "lib/cpio.h"
#include "lib/path.h"
#include "common/output.h"
#include "common/util.h"

#define PAGE_SIZE  4096
#define BLOCK_SIZE 512 // archives end on one, as other tools' do
#define BUFFER     (256 * 1024)

struct writer {
    const struct archive_options *options;
    struct output output;
    struct compressor compressor;
    uint64_t offset; // of the next byte in the archive
    size_t used;
    char buffer[BUFFER];
};

// ---- bytes ----

static void flush(struct writer *w) {
    compressor_write(&w->compressor, w->buffer, w->used);
    w->used = 0;
}

static void put(struct writer *w, const void *bytes, size_t count) {
    const char *from = bytes;
    w->offset += count;
    while (count) {
        size_t room = sizeof(w->buffer) - w->used, n = count < room ? count : room;
        memcpy(w->buffer + w->used, from, n);
        w->used += n;
        from += n;
        count -= n;
        if (w->used == sizeof(w->buffer))
            flush(w);
    }
}

static void put_zeros(struct writer *w, uint64_t count) {
    static const char zeros[PAGE_SIZE];
    for (; count; count -= count < sizeof(zeros) ? count : sizeof(zeros))
        put(w, zeros, count < sizeof(zeros) ? (size_t)count : sizeof(zeros));
}

static void pad_to(struct writer *w, uint64_t unit) {
    put_zeros(w, (unit - w->offset % unit) % unit);
}

static void open_entry(const struct entry *e, int *fd, struct stat *st) {
    *fd = open(e->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // it may have become a FIFO
    if (*fd < 0 || fstat(*fd, st) < 0)
        fail("%s: %s", e->host, trouble(e->host, errno));
    if (!S_ISREG(st->st_mode) || (e->ino && (e->ino != st->st_ino || e->dev != st->st_dev)))
        fail("%s was replaced while it was packed; pack again when it is at rest", e->host);
}

// Whether nobody wrote to the file meanwhile.
static bool is_unchanged(int fd, const struct stat *before) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_size == before->st_size &&
           st.st_mtim.tv_sec == before->st_mtim.tv_sec && st.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

static void put_file(struct writer *w, const struct entry *e) {
    struct stat st;
    int fd;
    open_entry(e, &fd, &st);
    bool changed = (uint64_t)st.st_size != e->size;
    for (uint64_t left = e->size; left && !changed;) {
        size_t room = sizeof(w->buffer) - w->used;
        ssize_t n = read(fd, w->buffer + w->used, left < room ? (size_t)left : room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail("%s: %s", e->host, trouble(e->host, errno));
        changed = n == 0;
        left -= (uint64_t)n;
        w->used += (size_t)n;
        w->offset += (uint64_t)n;
        if (w->used == sizeof(w->buffer))
            flush(w);
    }
    if (changed || !is_unchanged(fd, &st))
        fail("%s changed while it was packed; pack again when it is at rest", e->host);
    close(fd);
}

// ---- entries ----

// The size of the name field, NUL and padding included.
static size_t name_size(const struct writer *w, const char *name, uint64_t data_size) {
    size_t size = strlen(name) + 1;
    if (data_size < PAGE_SIZE)
        return size;
    size_t over = (size_t)((w->offset + CPIO_HEADER_SIZE + size) % PAGE_SIZE);
    size_t padded = size + (over ? PAGE_SIZE - over : 0);
    return padded <= CPIO_PATH_MAX ? padded : size;
}

static void put_header(struct writer *w, const struct entry *e, const char *name, uint64_t data_size) {
    char header[CPIO_HEADER_SIZE + 1];
    size_t size = name_size(w, name, data_size);
    int64_t mtime = w->options->keep_mtime ? e->mtime : w->options->mtime;
    if (mtime < 0)
        mtime = 0;
    if (mtime > UINT32_MAX)
        mtime = UINT32_MAX;
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", e->number,
             e->mode, e->uid, e->gid, e->names, (uint32_t)mtime, (uint32_t)data_size, 0, 0, e->rdev_major,
             e->rdev_minor, (uint32_t)size, 0);
    put(w, header, CPIO_HEADER_SIZE);
    put(w, name, strlen(name));
    put_zeros(w, size - strlen(name));
    pad_to(w, 4);
}

static void put_xattrs(struct writer *w, const struct entry *e) {
    uint64_t size = 0;
    char head[METADATA_RECORD_HEAD + 1];
    const struct xattr *all = xattrs_sorted(e->xattrs); // equal input gives equal bytes
    for (const struct xattr *x = all; x; x = x->next)
        size += METADATA_RECORD_HEAD + strlen(x->name) + 1 + x->size;
    if (size > UINT32_MAX)
        fail("/%s: its extended attributes have %llu bytes; the format's limit is 4294967295", e->path,
             (unsigned long long)size);
    struct entry metadata = {.number = e->number, .names = 1, .mode = S_IFREG, .mtime = e->mtime};
    put_header(w, &metadata, METADATA_NAME, size);
    for (const struct xattr *x = all; x; x = x->next) {
        size_t name_size = strlen(x->name) + 1;
        snprintf(head, sizeof(head), METADATA_RECORD_FORMAT,
                 (uint32_t)(METADATA_RECORD_HEAD + name_size + x->size));
        put(w, head, METADATA_RECORD_HEAD);
        put(w, x->name, name_size);
        put(w, x->value, x->size);
    }
    pad_to(w, 4);
}

static void put_entry(struct writer *w, const struct entry *e) {
    const char *name = strcmp(e->path, METADATA_NAME) == 0 ? "./" METADATA_NAME : *e->path ? e->path : ".";
    uint64_t size = 0;
    if (S_ISLNK(e->mode))
        size = strlen(e->target);
    else if (S_ISREG(e->mode) && e->has_data)
        size = e->size;
    put_header(w, e, name, size);
    if (S_ISLNK(e->mode))
        put(w, e->target, size);
    else if (size && e->bytes)
        put(w, e->bytes, size);
    else if (size)
        put_file(w, e);
    pad_to(w, 4);
    if (e->xattrs && !S_ISLNK(e->mode))
        put_xattrs(w, e);
}

// ---- numbers ----

static bool same_file(const struct entry *a, const struct entry *b) {
    return a->group == b->group && (a->group || (a->dev == b->dev && a->ino == b->ino)) &&
           a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

#define ORDER(a, b, field)                                                                                   \
    if ((a)->field != (b)->field)                                                                            \
    return (a)->field < (b)->field ? -1 : 1

static int compare_files(const void *pa, const void *pb) {
    const struct entry *a = *(struct entry *const *)pa, *b = *(struct entry *const *)pb;
    ORDER(a, b, group);
    if (!a->group) {
        ORDER(a, b, dev);
        ORDER(a, b, ino);
    }
    ORDER(a, b, mode);
    ORDER(a, b, uid);
    ORDER(a, b, gid);
    ORDER(a, b, number);
    return 0;
}

// Gives every entry its inode number, one to all names of a file, and the data to the last of them, as GNU
// cpio does.
static void number_entries(struct tree *t) {
    struct entry **linked = xcalloc(t->count, sizeof(struct entry *));
    uint32_t number = 0;
    size_t count = 0;
    for (struct entry *e = tree_first(t); e; e = tree_next(e)) {
        e->number = ++number;
        e->names = S_ISDIR(e->mode) ? 2 : 1;
        e->has_data = true;
        if (S_ISREG(e->mode) && e->linked)
            linked[count++] = e;
    }
    qsort(linked, count, sizeof(*linked), compare_files);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && same_file(linked[first], linked[end]);)
            end++;
        for (size_t i = first; i < end; i++) {
            linked[i]->number = linked[first]->number;
            linked[i]->names = (uint32_t)(end - first);
            linked[i]->has_data = i == end - 1;
        }
    }
    free(linked);
}

static void put_tree(struct writer *w, struct tree *t, struct archive_totals *totals) {
    pad_to(w, PAGE_SIZE); // zeros may stand between archives
    for (struct entry *e = tree_first(t); e; e = tree_next(e)) {
        if (e->is_below && !S_ISDIR(e->mode))
            continue;
        put_entry(w, e);
        totals->entries++;
        progress("writing", totals->entries, w->offset);
    }
    struct entry trailer = {.names = 1};
    struct archive_options zero = {.output = w->options->output};
    w->options = &zero;
    put_header(w, &trailer, CPIO_TRAILER_NAME, 0);
    pad_to(w, BLOCK_SIZE);
}

void archive_write(struct tree *t, const struct archive_options *options, struct archive_totals *totals) {
    struct writer *w = xcalloc(1, sizeof(*w));
    w->options = options;
    *totals = (struct archive_totals){0};
    number_entries(t);
    output_open(&w->output, options->output, "an archive");
    if (options->output_at)
        output_seek(&w->output, options->output_at);
    compressor_open(&w->compressor, &options->compression, &w->output);
    put(w, options->below, options->below_size);
    if (t->count || !options->below_size)
        put_tree(w, t, totals);
    flush(w);
    compressor_finish(&w->compressor);
    totals->bytes = w->offset;
    output_finish(&w->output);
    progress_end();
    free(w);
}
