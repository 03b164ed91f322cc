// SPDX-License-Identifier: MIT
// What QEMU is given to load: the kernel, and the program's root to be laid over the kernel's own. A small one goes beside the kernel's file,
// as a loader's archive; a large one, for which the place that QEMU has for that may not do, into an image of its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/archive.h"
#include "closure/base.h"
#include "common/util.h"
#include "run/run.h"

#define MIB          (1ull << 20)
#define BESIDE_MOST  (16 * MIB)  // bytes of an archive beside the kernel, and in a machine of
#define BESIDE_LEAST (64 * MIB)  // that much memory: QEMU puts it into the middle
#define LOADERS_MOST (128 * MIB) // or there, in a large machine
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
    uint64_t decompressed = base->root.summary.decompressed;
    root_lay(&base->root, "what goes over the kernel's own root", archive, size);
    base->root.summary.decompressed = decompressed;
    set_saying(old);
    if (complaints())
        fail("nothing was run; --bare leaves the kernel's own root out");
}

static bool is_regular(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

// Makes an image of its own of the kernel, its root unless it is to be left out, and what goes over that.
static char *make_image(struct base *base, const char *over, uint64_t over_size, const char *command_line) {
    uint64_t below_size;
    char *path;
    const char *below = base_archive(base, &below_size), *built_in = image_command_line(&base->image);
    char *line = xasprintf("%s%s%s", built_in, *built_in ? " " : "", command_line);
    char *archive = xrealloc(NULL, below_size + over_size);
    memcpy(archive, below, below_size);
    memcpy(archive + below_size, over, over_size);
    memory_file("image", &path);
    image_write(&base->image, archive, below_size + over_size, line, path);
    free(archive);
    free(line);
    return path;
}

// Where QEMU puts an archive, from the kernel's first byte: it does not look how far the kernel reaches.
static uint64_t loaders_place(uint64_t memory) {
    return memory / 2 < LOADERS_MOST ? memory / 2 : LOADERS_MOST;
}

void run_image(struct view *v, struct request *r, struct base *base, const char *command_line,
               struct payload *payload) {
    struct archive_options archive = {.keep_mtime = true};
    struct archive_totals totals;
    uint64_t below_size;
    char *path;
    int fd = memory_file("archive", &path);
    archive.output = path;
    base_archive(base, &below_size);
    archive_write(&v->tree, &archive, &totals);
    void *bytes = mmap(NULL, totals.bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail("memory for the archive: %s", strerror(errno));
    try_root(r, base, bytes, totals.bytes);
    set_memory(r,
               image_memory_size(&base->image, below_size + totals.bytes) + base->root.summary.decompressed);
    bool beside = below_size == base->image.descriptor.archive_size && !base->image.is_elf &&
                  totals.bytes <= BESIDE_MOST && r->memory >= BESIDE_LEAST &&
                  image_memory_size(&base->image, below_size) <= loaders_place(r->memory) &&
                  strlen(command_line) < base->image.descriptor.cmdline_size && is_regular(r->kernel);
    if (beside) {
        *payload = (struct payload){.kernel = r->kernel, .archive = path, .command_line = command_line};
    } else {
        *payload = (struct payload){.kernel = make_image(base, bytes, totals.bytes, command_line)};
        close(fd);
    }
    munmap(bytes, totals.bytes);
}
