// SPDX-License-Identifier: MIT
#include "root/tar.h"
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "closure/xattrs.h"
#include "common/util.h"
#include "lib/path.h"
#include "root/libarchive.h"

#define BUFFER      (256 * 1024)
#define GZIP_WINDOW (16 + 15) // inflateInit2(): with gzip's header and trailer

struct source {
    struct piece left;
    struct sha256_ctx hash;
    uint8_t *buffer;
    bool hashed;
    int error;
    // gzip's own checksum, which libarchive does not look at
    bool gzip, whole; // it is that; as far as it was read it ends where it should
    bool damaged;
    z_stream z;
};

struct reader {
    struct archive *archive;
    struct archive_entry *entry;
    struct layers *layers;
    const char *name;
    enum tar_kind kind;
    uint64_t index; // of the entry at hand, from 1
    uint64_t attributed;
};

// ---- bytes

static void *z_alloc(void *ctx, unsigned int count, unsigned int size) {
    (void)ctx;
    return xcalloc(count, size);
}

static void z_free(void *ctx, void *memory) {
    (void)ctx;
    free(memory);
}

static void begin_check(struct source *s, size_t n) {
    s->gzip = n >= 2 && s->buffer[0] == 0x1f && s->buffer[1] == 0x8b;
    s->z.zalloc = z_alloc;
    s->z.zfree = z_free;
    if (s->gzip && inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
        fail("out of memory");
}

// Decompresses once more, for the checksums of all members.
static void check(struct source *s, size_t n) {
    static uint8_t nowhere[65536];
    s->z.next_in = s->buffer;
    s->z.avail_in = (uInt)n;
    while (s->z.avail_in && !s->damaged) {
        if (s->whole && *s->z.next_in != 0x1f)
            return; // zeros or the like behind the last member
        if (s->whole)
            inflateReset(&s->z);
        s->z.next_out = nowhere;
        s->z.avail_out = sizeof(nowhere);
        int code = inflate(&s->z, Z_NO_FLUSH);
        s->whole = code == Z_STREAM_END;
        s->damaged = code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR;
    }
}

static void end_check(struct source *s, const char *name) {
    if (!s->gzip)
        return;
    inflateEnd(&s->z);
    if (s->damaged || !s->whole)
        fail("%s: it is damaged: what it decompresses to is not what gzip's checksum is of", name);
}

static ssize_t more(struct archive *a, void *ctx, const void **bytes) {
    struct source *s = ctx;
    ssize_t n;
    do
        n = pread(s->left.fd, s->buffer, s->left.size < BUFFER ? (size_t)s->left.size : BUFFER,
                  (off_t)s->left.at);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        libarchive()->set_error(a, errno, "%s", strerror(errno));
        return -1;
    }
    if (s->hashed) {
        if (!s->hash.count && !s->hash.index)
            begin_check(s, (size_t)n);
        sha256_update(&s->hash, (size_t)n, s->buffer);
        if (s->gzip)
            check(s, (size_t)n);
    }
    s->left.at += (uint64_t)n;
    s->left.size -= (uint64_t)n;
    *bytes = s->buffer;
    return n;
}

// Nothing that libarchive would start another program for.
static struct archive *open_archive(struct source *s, bool may_be_empty) {
    struct archive *a = libarchive()->read_new();
    if (!a)
        fail("out of memory");
    libarchive()->read_support_filter_gzip(a);
    libarchive()->read_support_filter_bzip2(a);
    libarchive()->read_support_filter_xz(a);
    libarchive()->read_support_filter_lzma(a);
    libarchive()->read_support_filter_zstd(a);
    libarchive()->read_support_filter_lz4(a);
    libarchive()->read_support_filter_compress(a);
    libarchive()->read_support_format_tar(a);
    if (may_be_empty)
        libarchive()->read_support_format_empty(a);
    s->buffer = xrealloc(NULL, BUFFER);
    sha256_init(&s->hash);
    libarchive()->read_open(a, s, NULL, more, NULL); // an error shows at the first entry
    return a;
}

static void close_archive(struct archive *a, struct source *s) {
    libarchive()->read_free(a);
    free(s->buffer);
}

// Names are bytes here; in the C locale libarchive would lose those that are not ASCII.
static locale_t use_bytes(void) {
    static locale_t bytes;
    if (!bytes)
        bytes = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return uselocale(bytes);
}

// ---- entries

static _Noreturn void refuse(const struct reader *r, const char *problem) {
    const char *name = libarchive()->entry_pathname(r->entry);
    fail("%s: entry %" PRIu64 " (\"%.300s\"): %s", r->name, r->index, name ? name : "?", problem);
}

static _Noreturn void refuse_archive(const struct reader *r) {
    const char *what = libarchive()->error_string(r->archive);
    fail("%s: behind entry %" PRIu64 ": %s", r->name, r->index, what ? what : "damaged");
}

static uint32_t owner(const struct reader *r, int64_t id) {
    if (id < 0 || id >= UINT32_MAX)
        refuse(r, "its owner is no number that an owner can have");
    return (uint32_t)id;
}

// Copies the file's bytes; what no block has is zeros.
static void take_data(struct reader *r, struct layers_object *o) {
    struct spool *s = &r->layers->spool;
    const void *bytes;
    size_t count;
    int64_t at;
    int code;
    o->at = s->size;
    while ((code = libarchive()->read_data_block(r->archive, &bytes, &count, &at)) == ARCHIVE_OK) {
        if (at < 0 || (uint64_t)at > o->size || count > o->size - (uint64_t)at)
            refuse(r, "it has more bytes than it says");
        spool_write(s, o->at + (uint64_t)at, bytes, count, r->name);
        progress("reading", r->index, o->at + (uint64_t)at);
    }
    if (code != ARCHIVE_EOF)
        refuse_archive(r);
    spool_end_at(s, o->at + o->size, r->name);
}

static void take_attributes(struct reader *r, struct layers_object *o) {
    struct archive_entry *e = r->entry;
    const char *target = libarchive()->entry_symlink(e);
    int64_t size = libarchive()->entry_size(e);
    *o = (struct layers_object){.mode = libarchive()->entry_mode(e),
                                .uid = owner(r, libarchive()->entry_uid(e)),
                                .gid = owner(r, libarchive()->entry_gid(e)),
                                .mtime = libarchive()->entry_mtime(e)};
    if (S_ISREG(o->mode) && (size < 0 || size > UINT32_MAX))
        refuse(r, xasprintf("%" PRIi64 " bytes; a file of a root in memory has 4294967295 at most", size));
    if (S_ISREG(o->mode))
        o->size = (uint64_t)size;
    if (S_ISCHR(o->mode) || S_ISBLK(o->mode)) {
        o->rdev_major = (uint32_t)libarchive()->entry_rdevmajor(e);
        o->rdev_minor = (uint32_t)libarchive()->entry_rdevminor(e);
    }
    if (S_ISLNK(o->mode) && (!target || !*target || strlen(target) > PATHNAME_MAX))
        refuse(r, "a symlink to nothing, or to a name that is too long");
    if (S_ISLNK(o->mode))
        o->target = (char *)target;
}

// libarchive knows SCHILY.xattr, LIBARCHIVE.xattr and star's.
static const struct xattr *take_xattrs(struct reader *r) {
    const struct xattr *list = NULL;
    const char *name;
    const void *value;
    size_t size, names = 0;
    bool left_out = libarchive()->entry_acl_types(r->entry) != 0;
    libarchive()->entry_xattr_reset(r->entry);
    while (libarchive()->entry_xattr_next(r->entry, &name, &value, &size) == ARCHIVE_OK) {
        bool kept = name && xattrs_are_kept(name, size) && names + strlen(name) + 1 <= METADATA_XATTR_NAMES;
        if (kept) {
            xattrs_add(&list, name, value, size);
            names += strlen(name) + 1;
        }
        left_out |= !kept;
    }
    r->attributed += left_out;
    return list;
}

static const char *take_file(struct reader *r, const char *name) {
    struct layers_object o;
    take_attributes(r, &o);
    o.xattrs = S_ISLNK(o.mode) ? NULL : take_xattrs(r);
    if (S_ISREG(o.mode))
        take_data(r, &o);
    else if (!S_ISDIR(o.mode) && !S_ISLNK(o.mode) && !S_ISCHR(o.mode) && !S_ISBLK(o.mode) &&
             !S_ISFIFO(o.mode))
        return "it is of no kind that a root can have";
    if (r->kind == TAR_PACKAGE && S_ISDIR(o.mode) && layers_is_link_to_directory(r->layers, name))
        return NULL;
    return layers_add(r->layers, name, &o);
}

static void take_entry(struct reader *r) {
    const char *name = libarchive()->entry_pathname(r->entry), *link, *problem;
    if (!name || !*name)
        refuse(r, "it has no name that can be read");
    link = libarchive()->entry_hardlink(r->entry);
    if (r->kind == TAR_LAYER && layers_is_whiteout(name))
        problem = layers_whiteout(r->layers, name);
    else if (link)
        problem = layers_link(r->layers, name, link);
    else
        problem = take_file(r, name);
    if (problem)
        refuse(r, problem);
    progress("reading", r->index, r->layers->spool.size);
}

static void take_entries(struct reader *r) {
    int code;
    while ((code = libarchive()->read_next_header(r->archive, &r->entry)) == ARCHIVE_OK ||
           code == ARCHIVE_WARN) {
        r->index++;
        if (code == ARCHIVE_WARN)
            note("%s: entry %" PRIu64 ": %s", r->name, r->index, libarchive()->error_string(r->archive));
        take_entry(r);
    }
    if (code != ARCHIVE_EOF)
        refuse_archive(r);
}

// What libarchive did not want to see is a part of the tar all the same.
static void drain(struct source *s, const char *name) {
    const void *bytes;
    ssize_t n;
    struct archive *a = libarchive()->read_new();
    while ((n = more(a, s, &bytes)) > 0)
        ;
    libarchive()->read_free(a);
    if (n < 0)
        fail("%s: %s", name, strerror(errno));
}

void tar_lay(struct layers *l, struct piece tar, enum tar_kind kind, const char *name,
             struct tar_findings *out) {
    struct source s = {.left = tar, .hashed = true};
    struct reader r = {.layers = l, .name = name, .kind = kind};
    uint8_t digest[SHA256_DIGEST_SIZE];
    locale_t old = use_bytes();
    r.archive = open_archive(&s, kind == TAR_LAYER);
    layers_next(l);
    take_entries(&r);
    drain(&s, name);
    end_check(&s, name);
    sha256_digest(&s.hash, sizeof(digest), digest);
    char *text = hex(digest, sizeof(digest));
    memcpy(out->sha256, text, sizeof(out->sha256));
    free(text);
    out->compressed = libarchive()->filter_count(r.archive) > 1;
    out->attributed = r.attributed;
    close_archive(r.archive, &s);
    uselocale(old);
    progress_end();
}

bool tar_has(struct piece tar, const char *name) {
    struct source s = {.left = tar};
    struct archive_entry *e;
    locale_t old = use_bytes();
    struct archive *a = open_archive(&s, true);
    bool found = false;
    for (int code;
         !found && ((code = libarchive()->read_next_header(a, &e)) == ARCHIVE_OK || code == ARCHIVE_WARN);) {
        const char *path = libarchive()->entry_pathname(e);
        found = path && strcmp(path, name) == 0;
    }
    close_archive(a, &s);
    uselocale(old);
    return found;
}

char *tar_problem(struct piece file) {
    struct source s = {.left = file};
    struct archive_entry *e;
    locale_t old = use_bytes();
    struct archive *a = open_archive(&s, false);
    int code = libarchive()->read_next_header(a, &e);
    const char *said = code == ARCHIVE_EOF ? "there is nothing in it" : libarchive()->error_string(a);
    char *problem = code == ARCHIVE_OK || code == ARCHIVE_WARN ? NULL : xstrdup(said ? said : "damaged");
    close_archive(a, &s);
    uselocale(old);
    return problem;
}
