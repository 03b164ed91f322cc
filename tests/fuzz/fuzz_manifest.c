// SPDX-License-Identifier: MIT
// Manifests of any bytes, over a sysroot with symlinks, in and out and in a circle. The tree that comes of it
// is one that can be written.
#include "packer.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tools/drupe/closure/input.h"

static char directory[] = "/tmp/fuzz-manifest-XXXXXX";
static int manifest;
static char manifest_name[64];

static void remove_directory(void) {
    static const char *const names[] = {"lib", "up", "loop", "file", "usr/lib", "usr"};
    int at = open(directory, O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(at, names[i], i < 4 ? 0 : AT_REMOVEDIR);
    close(at);
    rmdir(directory);
}

static void set_up(void) {
    packer_check(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    int at = open(directory, O_PATH | O_DIRECTORY);
    packer_check(mkdirat(at, "usr", 0755) == 0 && mkdirat(at, "usr/lib", 0755) == 0 &&
                 symlinkat("usr/lib", at, "lib") == 0 && symlinkat("../../..", at, "up") == 0 &&
                 symlinkat("loop", at, "loop") == 0);
    int file = openat(at, "file", O_WRONLY | O_CREAT, 0644);
    packer_check(write(file, "text", 4) == 4 && close(file) == 0 && close(at) == 0);
    manifest = memfd_create("manifest", MFD_CLOEXEC);
    snprintf(manifest_name, sizeof(manifest_name), "/proc/self/fd/%d", manifest);
    packer_check(manifest >= 0 && setenv("here", directory, 1) == 0);
}

static void check_entry(struct tree *t, struct entry *e) {
    char normal[PATHNAME_MAX + 1];
    struct entry *next = tree_next(e);
    packer_check(pathname_normalise(e->path, normal, sizeof(normal)) == 0 && strcmp(normal, e->path) == 0);
    packer_check(tree_find(t, e->path) == e && (!next || tree_from(t, next->path) == next));
    packer_check((e->mode & ~(uint32_t)(S_IFMT | 07777)) == 0);
    packer_check(!S_ISLNK(e->mode) || e->target);
    packer_check(!S_ISREG(e->mode) || e->host);
    normal[pathname_parent_length(normal)] = '\0';
    struct entry *parent = tree_find(t, normal);
    packer_check(!*normal || (parent && S_ISDIR(parent->mode)));
}

static void read_manifest(const uint8_t *bytes, size_t size) {
    struct view v = {.uid = 0};
    packer_check(ftruncate(manifest, 0) == 0 && pwrite(manifest, bytes, size, 0) == (ssize_t)size);
    strings_add(&v.sysroots, directory);
    input_manifest(&v, manifest_name);
    size_t count = 0;
    for (struct entry *e = tree_first(&v.tree); e; e = tree_next(e), count++)
        check_entry(&v.tree, e);
    packer_check(count == v.tree.count && v.tree.pending_count <= count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!*manifest_name)
        set_up();
    int status = packer_run(read_manifest, bytes, size);
    packer_check(status == 0 || status == EXIT_FAILURE);
    return 0;
}
