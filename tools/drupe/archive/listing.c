// SPDX-License-Identifier: MIT
#include "archive/listing.h"
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include "closure/xattrs.h"
#include "image/image.h"
#include "lib/decompress/decompress.h"
#include "lib/metadata.h"
#include "lib/path.h"
#include "common/room.h"

// Tells of the reader's error.
static void tell(const char *file, const struct cpio_error *error) {
    char text[512];
    cpio_error_text(error, text, sizeof(text));
    complain("%s: %s", file, text);
}

static void add(struct listing *l, const struct cpio_entry *entry) {
    char normal[PATHNAME_MAX + 1];
    if ((l->count & (l->count - 1)) == 0) // full at powers of two
        l->at = xrealloc(l->at, (l->count ? 2 * l->count : 1) * sizeof(*l->at));
    bool is_normal = pathname_normalise(entry->name, normal, sizeof(normal)) == 0;
    l->at[l->count++] = (struct listed){.entry = *entry,
                                        .data = entry->data,
                                        .size = entry->data_size,
                                        .path = xstrdup(is_normal ? normal : entry->name)};
}

// Puts the attributes that the entry holds in front of those of what came before it, if that can have any.
static void add_xattrs(struct listed *before, const struct cpio_entry *entry) {
    struct metadata_record r;
    if (!before || (before->entry.mode & CPIO_IFMT) == CPIO_IFLNK)
        return;
    for (uint64_t at = 0; metadata_at(entry, at, &r); at += r.size) {
        struct xattr *x = xcalloc(1, sizeof(*x));
        *x = (struct xattr){before->xattrs, r.name, r.value, r.value_size};
        before->xattrs = x;
    }
    before->xattrs = xattrs_sorted(before->xattrs);
}

static bool may_be_linked(const struct listed *l) {
    return (l->entry.mode & CPIO_IFMT) == CPIO_IFREG && l->entry.nlink > 1;
}

#define ORDER(a, b, field)                                                                                   \
    if ((a)->field != (b)->field)                                                                            \
    return (a)->field < (b)->field ? -1 : 1

// Names of one file stand together, in the archive's order.
static int compare_links(const void *pa, const void *pb) {
    const struct cpio_entry *a = &(*(struct listed *const *)pa)->entry;
    const struct cpio_entry *b = &(*(struct listed *const *)pb)->entry;
    ORDER(a, b, archive);
    ORDER(a, b, dev_major);
    ORDER(a, b, dev_minor);
    ORDER(a, b, ino);
    ORDER(a, b, index);
    return 0;
}

static bool same_file(const struct cpio_entry *a, const struct cpio_entry *b) {
    return a->archive == b->archive && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
           a->ino == b->ino;
}

const struct xattr *listed_join_xattrs(const struct xattr *older, const struct xattr *newer) {
    const struct xattr *list = older;
    for (const struct xattr *x = newer; x; x = x->next) {
        struct xattr *copy = xcalloc(1, sizeof(*copy));
        *copy = *x;
        copy->next = list;
        list = copy;
    }
    return newer ? xattrs_sorted(list) : older;
}

// Gives all names of a file the data that one of them carries: the last, should there be several; and the attributes of all.
static void join_links(struct listing *l) {
    struct listed **links = xcalloc(l->count, sizeof(struct listed *));
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        if (may_be_linked(&l->at[i]))
            links[count++] = &l->at[i];
    qsort(links, count, sizeof(*links), compare_links);
    for (size_t first = 0, end; first < count; first = end) {
        const struct cpio_entry *with_data = &links[first]->entry;
        const struct xattr *xattrs = NULL;
        for (end = first; end < count && same_file(&links[end]->entry, &links[first]->entry); end++) {
            if (links[end]->entry.data_size)
                with_data = &links[end]->entry;
            xattrs = listed_join_xattrs(xattrs, links[end]->xattrs);
        }
        for (size_t i = first; i < end; i++) {
            links[i]->xattrs = xattrs;
            links[i]->data = with_data->data;
            links[i]->size = with_data->data_size;
        }
    }
    free(links);
}

// Decompresses the run of frames at *position, which is moved behind it.
static uint8_t *decompress_run(const char *file, const uint8_t *bytes, uint64_t size, uint64_t *position,
                               uint64_t *out_size) {
    uint64_t room = 0, used = 0;
    uint8_t *out = room_take(&room);
    const char *format;
    while ((format = decompress_format(bytes + *position, size - *position))) {
        struct decompress d = {.in = bytes + *position,
                               .in_size = size - *position,
                               .out = out + used,
                               .out_size = room - used,
                               .alloc = room_work,
                               .free = room_work_free};
        int err = decompress(&d);
        used += d.produced;
        if (err) {
            complain("%s: %s data at offset %llu: %s", file, format, (unsigned long long)*position, d.cause);
            *position = size;
            break;
        }
        *position += d.consumed;
        while (*position < size && !bytes[*position])
            ++*position;
    }
    room_keep(out, room, used);
    *out_size = used;
    return out;
}

// Lists archives from *position on, which it moves, to the end or to compressed data. The number of archives
// there were before, and are behind it.
static uint32_t list(const char *file, const uint8_t *bytes, uint64_t size, uint64_t *position,
                     uint32_t archives, bool compressed, struct listing *out) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    struct cpio_error error;
    bool is_behind = false; // what comes is behind the last entry of the list
    cpio_open(&reader, bytes, size);
    reader.position = *position;
    reader.archive = archives;
    for (;;) {
        enum cpio_result result = cpio_next(&reader, &entry);
        bool is_xattrs = result == CPIO_ENTRY && metadata_is(&entry);
        if (is_xattrs)
            add_xattrs(is_behind ? &out->at[out->count - 1] : NULL, &entry);
        else if (result == CPIO_ENTRY)
            add(out, &entry);
        is_behind = result == CPIO_ENTRY && !is_xattrs;
        if (result == CPIO_ENTRY && !cpio_verify(&entry, &error))
            tell(file, &error);
        *position = reader.position;
        if (result == CPIO_ERROR && !compressed && reader.error.problem == CPIO_MAGIC_OTHER &&
            decompress_format(bytes + *position, size - *position))
            return reader.archive - !reader.in_archive; // it is none itself
        if (result == CPIO_ERROR || result == CPIO_SKIPPED)
            tell(file, &reader.error);
        if (result == CPIO_ERROR || result == CPIO_END)
            break;
    }
    if (reader.in_archive && !reader.failed)
        note("%s: no trailer behind the last entry; archive truncated?", file);
    *position = size;
    return reader.archive;
}

void listing_read(const char *file, struct listing *out) {
    const uint8_t *archive, *plain;
    uint64_t archive_size, plain_size, position = 0;
    uint32_t archives = 0;
    size_t size;
    uint8_t *bytes = (uint8_t *)read_file(file, &size);
    *out = (struct listing){0};
    image_find_archive(file, bytes, size, &archive, &archive_size);
    while (position < archive_size) {
        archives = list(file, archive, archive_size, &position, archives, false, out);
        if (position >= archive_size)
            break;
        plain = decompress_run(file, archive, archive_size, &position, &plain_size);
        archives = list(file, plain, plain_size, &(uint64_t){0}, archives, true, out);
    }
    if (!archives)
        complain("%s: no archive in it; make one: drupe pack -o FILE ...", file);
    join_links(out);
}

const char *listed_type(const struct listed *l) {
    switch (l->entry.mode & CPIO_IFMT) {
    case CPIO_IFREG:
        return "file";
    case CPIO_IFDIR:
        return "directory";
    case CPIO_IFLNK:
        return "symlink";
    case CPIO_IFCHR:
        return "character device";
    case CPIO_IFBLK:
        return "block device";
    case CPIO_IFIFO:
        return "fifo";
    case CPIO_IFSOCK:
        return "socket";
    default:
        return "unknown";
    }
}

char *listed_sha256(const struct listed *l) {
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    sha256_update(&context, l->size, l->data);
    sha256_digest(&context, sizeof(digest), digest);
    return hex(digest, sizeof(digest));
}

struct object *listed_object(const struct listed *l) {
    bool is_file = (l->entry.mode & CPIO_IFMT) == CPIO_IFREG;
    return object_of_elf(l->path, l->data, is_file ? l->size : 0);
}
