// SPDX-License-Identifier: MIT
// The image that QEMU is given: the kernel with the program's root laid over its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "archive/archive.h"
#include "closure/base.h"
#include "common/util.h"
#include "run/run.h"

#define MIB          (1ull << 20)
#define MEMORY_FREE  (128 * MIB) // left beside a large image, if the request does not say how much memory
#define MEMORY_LEAST (16 * MIB)  // beside any, for something to run

static int memory_file(const char *name, char **path) {
    int fd = memfd_create(name, 0);
    if (fd < 0)
        fail("memory for %s: %s", name, trouble(name, errno));
    *path = xasprintf("/dev/fd/%d", fd);
    return fd;
}

extern const uint8_t run_firmware[], run_firmware_end[];

const char *run_firmware_path(const struct request *r) {
    char *path;
    size_t size = (size_t)(run_firmware_end - run_firmware);
    if (r->firmware)
        return r->firmware;
    int fd = memory_file("firmware", &path);
    if (write(fd, run_firmware, size) != (ssize_t)size)
        fail("memory for the firmware: %s", strerror(errno));
    return path;
}

static void set_memory(struct request *r, uint64_t image_size) {
    if (!r->memory)
        r->memory = image_size + MEMORY_FREE > RUN_MEMORY ? image_size + MEMORY_FREE : RUN_MEMORY;
    if (r->memory < image_size + MEMORY_LEAST)
        fail("the image has %llu MiB, and --mem gives the machine %llu MiB; it needs %llu at least: --mem "
             "%lluM",
             (unsigned long long)(image_size / MIB), (unsigned long long)(r->memory / MIB),
             (unsigned long long)((image_size + MEMORY_LEAST) / MIB + 1),
             (unsigned long long)((image_size + MEMORY_LEAST) / MIB + 1));
}

// Unpacks over the base what goes over it, as the kernel will: what that would leave out is told before.
static void try_root(const struct request *r, struct base *base, const char *archive, uint64_t size) {
    if (!base->root.top)
        return;
    enum saying old = set_saying(r->verbose ? SAY_ALL : SAY_COMPLAINTS);
    uint64_t decompressed = base->root.summary.decompressed, below = base->image.descriptor.archive_size;
    root_lay(&base->root, "what goes over the kernel's own root", archive + below, size - below);
    base->root.summary.decompressed = decompressed;
    set_saying(old);
    if (complaints())
        fail("nothing was run; --bare leaves the kernel's own root out");
}

char *run_image(struct view *v, struct request *r, struct base *base, const char *command_line) {
    struct archive_options archive = {.keep_mtime = true};
    struct archive_totals totals;
    char *archive_path, *path;
    int fd = memory_file("archive", &archive_path);
    archive.output = archive_path;
    archive.below = base_archive(base, &archive.below_size);
    archive_write(&v->tree, &archive, &totals);
    void *bytes = mmap(NULL, totals.bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail("memory for the archive: %s", strerror(errno));
    try_root(r, base, bytes, totals.bytes);
    memory_file("image", &path);
    image_write(&base->image, bytes, totals.bytes, command_line, path);
    munmap(bytes, totals.bytes);
    close(fd);
    set_memory(r, image_memory_size(&base->image, totals.bytes) + base->root.summary.decompressed);
    return path;
}
