// SPDX-License-Identifier: MIT
#include "closure/base.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// A kernel is mapped: most of it is only passed on. What writes one (output.h, make) puts another file in its place.
static uint8_t *bytes_of(const char *path, size_t *size) {
    struct stat st;
    void *at = MAP_FAILED;
    int fd = -1;
    // Nothing else is opened here: the writer of a FIFO sees one reader.
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (at == MAP_FAILED)
        return (uint8_t *)read_file(path, size);
    *size = (size_t)st.st_size;
    return at;
}

struct base *base_open(struct base *base, const char *path, char **tried) {
    size_t size;
    *base = (struct base){.path = path ? path : image_default_kernel(tried)};
    if (!base->path)
        return base;
    uint8_t *bytes = bytes_of(base->path, &size);
    image_open(&base->image, base->path, bytes, size);
    return base;
}

void base_lay_under(struct base *base, struct view *v) {
    if (!base->path || !base->image.descriptor.archive_size)
        return;
    base->view.complete = true;
    base->view.base_name = base->path;
    v->base = &base->view;
    root_read_bytes(base->path, base->image.bytes, base->image.size, &base->root);
    root_to_tree(&base->root, base->path, &base->view.tree);
}

const void *base_archive(const struct base *base, uint64_t *size) {
    *size = base->root.top ? base->image.descriptor.archive_size : 0;
    return base->image.bytes + base->image.archive_at;
}
