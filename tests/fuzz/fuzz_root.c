// SPDX-License-Identifier: MIT
// Whole roots from any tar or OCI image: laid over layers, and put into a tree whose names and bytes are where they should be.
#include "packer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/path.h"
#include "tools/drupe/common/util.h"
#include "tools/drupe/root/libarchive.h"
#include "tools/drupe/root/oci.h"
#include "tools/drupe/root/tar.h"

// ---- spool.h, in files that stay from one input to the next; and the archives of libarchive, which are freed after an input that
// ended early

#define FILES      3         // an image's parts, what comes of them, and the input
#define SPOOL_SIZE (4 << 20) // of each, at most

static struct {
    int fd;
    void *map;
    size_t mapped;
} files[FILES];
static unsigned int used;
static struct archive *open_archives[4];

static int take_file(void) {
    packer_check(used < FILES);
    if (!files[used].fd)
        files[used].fd = memfd_create("fuzz", 0);
    packer_check(ftruncate(files[used].fd, 0) == 0);
    return files[used++].fd;
}

void spool_open(struct spool *s) {
    *s = (struct spool){.fd = take_file()};
}

void spool_write(struct spool *s, uint64_t at, const void *bytes, size_t count, const char *name) {
    if (at > SPOOL_SIZE || count > SPOOL_SIZE - at)
        fail("%s: too much", name);
    packer_check(pwrite(s->fd, bytes, count, (off_t)at) == (ssize_t)count);
}

void spool_end_at(struct spool *s, uint64_t at, const char *name) {
    packer_check(at >= s->size);
    if (at > SPOOL_SIZE)
        fail("%s: too much", name);
    packer_check(ftruncate(s->fd, (off_t)at) == 0);
    s->size = at;
}

void spool_map(struct spool *s) {
    s->bytes = s->size ? mmap(NULL, s->size, PROT_READ, MAP_SHARED, s->fd, 0) : (const void *)"";
    packer_check(s->bytes != MAP_FAILED);
    for (unsigned int i = 0; i < FILES; i++)
        if (files[i].fd == s->fd && s->size) {
            files[i].map = (void *)s->bytes;
            files[i].mapped = s->size;
        }
}

static struct archive *read_new(void) {
    for (size_t i = 0; i < sizeof(open_archives) / sizeof(open_archives[0]); i++)
        if (!open_archives[i])
            return open_archives[i] = archive_read_new();
    abort();
}

static int read_free(struct archive *a) {
    for (size_t i = 0; i < sizeof(open_archives) / sizeof(open_archives[0]); i++)
        if (open_archives[i] == a)
            open_archives[i] = NULL;
    return archive_read_free(a);
}

// libarchive.h, with libarchive linked in.
const struct libarchive *libarchive(void) {
#define MEMBER(name) .name = archive_##name,
    static const struct libarchive linked = {LIBARCHIVE_CALLS(MEMBER)};
#undef MEMBER
    static struct libarchive watched;
    watched = linked;
    watched.read_new = read_new;
    watched.read_free = read_free;
    return &watched;
}

static void clean(void) {
    for (size_t i = 0; i < sizeof(open_archives) / sizeof(open_archives[0]); i++)
        if (open_archives[i])
            read_free(open_archives[i]);
    for (unsigned int i = 0; i < FILES; i++) {
        if (files[i].map)
            munmap(files[i].map, files[i].mapped);
        files[i].map = NULL;
    }
    used = 0;
}

// ---- what is made

static void check_tree(struct layers *l) {
    struct tree tree = {0};
    char normal[PATHNAME_MAX + 1];
    size_t names = 0;
    layers_to_tree(l, "input", &tree);
    for (struct entry *e = tree_first(&tree); e; e = tree_next(e), names++) {
        packer_check(pathname_normalise(e->path, normal, sizeof(normal)) == 0 &&
                     strcmp(normal, e->path) == 0);
        if (S_ISREG(e->mode) && e->size) {
            size_t at = (size_t)((const uint8_t *)e->bytes - l->spool.bytes);
            packer_check(at <= l->spool.size && e->size <= l->spool.size - at);
        }
        packer_check(!S_ISLNK(e->mode) || *e->target);
    }
    packer_check(names == l->names);
}

static void make(const uint8_t *bytes, size_t size) {
    struct piece piece = {.fd = take_file(), .size = size};
    struct layers outer, inner;
    struct tar_findings findings;
    struct root_config config = {.user = NULL};
    struct oci_store store = {.name = "input", .outer = &outer};
    uint64_t attributed = 0;
    packer_check(pwrite(piece.fd, bytes, size, 0) == (ssize_t)size);
    layers_open(&outer);
    tar_lay(&outer, piece, TAR_ROOT, "input", &findings);
    if (oci_is_image(&store)) {
        oci_read(&store, &inner, &config, &attributed);
        check_tree(&inner);
        return;
    }
    tar_lay(&outer, piece, TAR_LAYER, "input", &findings);
    check_tree(&outer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    packer_run(make, bytes, size);
    clean();
    return 0;
}
