// SPDX-License-Identifier: MIT
#include "procfs/sysfs_file.h"
#include "core/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"

static const char *target(char *buf, size_t n, const struct proc_tree *tree, void *arg) {
    const struct sysfs_file *f = arg;
    (void)buf, (void)n, (void)tree;
    return f->path + strlen(f->path) + 1;
}

// One that is there from an attempt before, which found no memory for others, stays.
static void add(struct sysfs_filling *t, const struct sysfs_file *like, const char *path, const char *to) {
    size_t length = strlen(path) + 1, more = strlen(to) + 1;
    struct sysfs_file *f = t->err ? NULL : kmalloc(sizeof(*f) + length + more);
    if (!f) {
        t->err = t->err ? t->err : -ENOMEM;
        return;
    }
    *f = *like;
    memcpy(f->path, path, length);
    memcpy(f->path + length, to, more);
    f->entry.path = f->path;
    if (!f->entry.arg)
        f->entry.arg = f;
    int err = proc_tree_add(t->tree, f->path, &f->entry);
    if (err)
        kfree(f);
    t->err = err == -EEXIST ? 0 : err;
}

static void add_in(struct sysfs_filling *t, const struct sysfs_file *like, const char *directory,
                   const char *name) {
    char path[SYSFS_PATH];
    lib_snprintf(path, sizeof(path), "%s/%s", directory, name);
    add(t, like, path, "");
}

void sysfs_add_file(struct sysfs_filling *t, const char *directory, const char *name, sysfs_show *show,
                    sysfs_store *store, void *device, const void *attribute) {
    const struct sysfs_file like = {.entry = {.mode = store ? 0644 : 0444, .show = show, .store = store},
                                    .device = device,
                                    .attribute = attribute};
    add_in(t, &like, directory, name);
}

void sysfs_add_file_of_net(struct sysfs_filling *t, const char *directory, const char *name, sysfs_show *show,
                           sysfs_store_net *store, void *device, const void *attribute) {
    const struct sysfs_file like = {.entry = {.mode = store ? 0644 : 0444, .show = show, .store_net = store},
                                    .device = device,
                                    .attribute = attribute};
    add_in(t, &like, directory, name);
}

void sysfs_add_text(struct sysfs_filling *t, const char *directory, const char *name, const char *text) {
    const struct sysfs_file like = {.entry = {.mode = 0444, .show = proc_show_text, .arg = (void *)text}};
    add_in(t, &like, directory, name);
}

void sysfs_add_link(struct sysfs_filling *t, const char *up, const char *to, const char *path, ...) {
    static const struct sysfs_file like = {.entry = {.link = target}};
    char at[SYSFS_PATH], target_[SYSFS_PATH];
    va_list args;
    va_start(args, path);
    lib_vsnprintf(at, sizeof(at), path, args);
    va_end(args);
    lib_snprintf(target_, sizeof(target_), "%s%s", up, to);
    add(t, &like, at, target_);
}
