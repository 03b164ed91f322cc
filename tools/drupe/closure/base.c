// SPDX-License-Identifier: MIT
#include "closure/base.h"

struct base *base_open(struct base *base, const char *path, char **tried) {
    size_t size;
    *base = (struct base){.path = path ? path : image_default_kernel(tried)};
    if (!base->path)
        return base;
    uint8_t *bytes = (uint8_t *)read_file(base->path, &size);
    image_open(&base->image, base->path, bytes, size);
    return base;
}

void base_lay_under(struct base *base, struct view *v) {
    if (!base->path || !base->image.descriptor.archive_size)
        return;
    base->view.complete = true;
    base->view.base_name = base->path;
    v->base = &base->view;
    root_read(base->path, &base->root);
    root_to_tree(&base->root, base->path, &base->view.tree);
}

const void *base_archive(const struct base *base, uint64_t *size) {
    *size = base->root.top ? base->image.descriptor.archive_size : 0;
    return base->image.bytes + base->image.archive_at;
}
