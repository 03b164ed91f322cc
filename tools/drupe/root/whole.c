// SPDX-License-Identifier: MIT
#include "root/whole.h"
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "archive/root.h"
#include "closure/xattrs.h"
#include "common/util.h"
#include "image/image.h"
#include "kernel/core/version.h"
#include "lib/magic.h"
#include "root/directory.h"
#include "root/oci.h"
#include "root/tar.h"

#define FORMAT "1" // raised when the same WHAT makes another archive
#define BUFFER (256 * 1024)

#define LOOKED_AT (1u << 20) // bytes in which something has to show what it is

// What WHAT has come to.
struct made {
    struct tree tree;
    struct root_config config;
    uint64_t attributed;
};

// As others name images; a file with such a name is meant as it is.
static const char *without_prefix(const char *what) {
    static const char *const prefixes[] = {"oci-archive:", "docker-archive:", "oci:", "dir:"};
    for (size_t i = 0; access(what, F_OK) < 0 && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(what, prefixes[i], strlen(prefixes[i])) == 0)
            return what + strlen(prefixes[i]);
    return what;
}

// ---- what it is

// Whether it begins as what the kernel unpacks, or is an image that has some.
static bool may_be_cpio(struct piece file) {
    uint8_t bytes[4096], first[64];
    ssize_t n = pread(file.fd, first, sizeof(first), 0);
    if (n == sizeof(first) && image_is_kernel(first, sizeof(first)))
        return true;
    for (uint64_t at = 0; at < LOOKED_AT && (n = pread(file.fd, bytes, sizeof(bytes), (off_t)at)) > 0;
         at += (uint64_t)n)
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i]) {
                n = pread(file.fd, first, sizeof(first), (off_t)at + i);
                return n > 0 && ((n > 5 && memcmp(first, "07070", 5) == 0) || magic_find(first, (size_t)n));
            }
    return false;
}

// Whether it is a tar, else it may be a cpio. Ends the command where it is neither, before more of it is looked at.
static bool is_tar(struct piece file, const char *name) {
    char *problem = tar_problem(file);
    if (problem && !may_be_cpio(file))
        fail("%s: it is no directory, cpio, tar or OCI image (as a tar: %s)", name, problem);
    bool is = !problem;
    free(problem);
    return is;
}

// ---- keys

static void begin_key(struct sha256_ctx *c, const char *kind) {
    const char *version = KERNEL_RELEASE " " FORMAT;
    sha256_init(c);
    sha256_update(c, strlen(version) + 1, (const uint8_t *)version);
    sha256_update(c, strlen(kind) + 1, (const uint8_t *)kind);
}

static char *end_key(struct sha256_ctx *c) {
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(c, sizeof(digest), digest);
    return hex(digest, sizeof(digest));
}

static char *key_of_text(const char *kind, const char *text) {
    struct sha256_ctx c;
    begin_key(&c, kind);
    sha256_update(&c, strlen(text), (const uint8_t *)text);
    return end_key(&c);
}

static char *key_of_looks(const struct stat *st) {
    char *text = xasprintf("%ju %ju %jd %jd.%ld %jd.%ld", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                           (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                           (intmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    char *key = key_of_text("looks", text);
    free(text);
    return key;
}

static char *key_of_bytes(int fd, const char *name) {
    uint8_t *buffer = xrealloc(NULL, BUFFER);
    struct sha256_ctx c;
    ssize_t n;
    uint64_t at = 0;
    begin_key(&c, "file");
    while ((n = pread(fd, buffer, BUFFER, (off_t)at)) > 0 || (n < 0 && errno == EINTR)) {
        sha256_update(&c, n > 0 ? (size_t)n : 0, buffer);
        at += n > 0 ? (uint64_t)n : 0;
        progress("reading", 1, at);
    }
    if (n < 0)
        fail("%s: %s", name, trouble(name, errno));
    free(buffer);
    return end_key(&c);
}

// ---- what is made of what

static void make_image(struct oci_store *store, struct made *m) {
    struct layers layers;
    oci_read(store, &layers, &m->config, &m->attributed);
    layers_to_tree(&layers, store->name, &m->tree);
}

static void make_of_tar(struct piece file, const char *name, struct made *m) {
    struct layers layers;
    struct tar_findings findings;
    struct oci_store store = {.name = name, .outer = &layers};
    layers_open(&layers);
    tar_lay(&layers, file, TAR_ROOT, name, &findings);
    if (oci_is_image(&store)) {
        make_image(&store, m);
        return;
    }
    m->attributed = findings.attributed;
    layers_to_tree(&layers, name, &m->tree);
}

static void make_of_cpio(struct piece file, const char *name, struct made *m) {
    struct root root;
    unsigned int before = complaints();
    char *path = xasprintf("/dev/fd/%d", file.fd);
    size_t size;
    const uint8_t *bytes = (const uint8_t *)read_file(path, &size); // stays, as the tree points into it
    root_read_bytes(name, bytes, size, &root);
    if (complaints() > before)
        give_up(); // half a root is none
    free(path);
    const struct unpack_attr *top = &root.top->object->attr;
    tree_add(&m->tree, &(struct entry){.path = "",
                                       .xattrs = root.top->object->xattrs,
                                       .mode = top->mode,
                                       .uid = top->uid,
                                       .gid = top->gid,
                                       .mtime = top->mtime});
    root_to_tree(&root, name, &m->tree);
}

static void keep(const char *key, const char *name, struct made *m, struct kept *out) {
    if (complaints())
        fail("nothing was made of %s", name);
    xattrs_tell_left_out(name, m->attributed);
    cache_keep(key, name, &m->tree, &m->config, out);
}

static void open_directory(const char *path, struct kept *out) {
    struct made m = {.attributed = 0};
    struct oci_store store = {.name = path, .directory = path};
    char *key, *text;
    cache_lock();
    if (oci_is_image(&store)) {
        char *index_path = xasprintf("%s/index.json", path);
        size_t size;
        text = read_file(index_path, &size); // all else is named in it by its digest
        key = key_of_text("layout", text);
        if (!cache_find(key, out)) {
            make_image(&store, &m);
            keep(key, path, &m, out);
        }
    } else {
        text = directory_read(path, &m.tree, &m.attributed);
        key = key_of_text("directory", text);
        if (!cache_find(key, out))
            keep(key, path, &m, out);
    }
    cache_unlock();
    free(text);
    free(key);
}

static void make_of_file(const char *key, int fd, uint64_t size, const char *name, struct kept *out) {
    struct made m = {.attributed = 0};
    struct piece file = {.fd = fd, .size = size};
    if (is_tar(file, name))
        make_of_tar(file, name, &m);
    else
        make_of_cpio(file, name, &m);
    keep(key, name, &m, out);
}

static void open_file(int fd, const struct stat *st, const char *name, struct kept *out) {
    char *looks = key_of_looks(st), *key = cache_known(looks);
    if (!key || !cache_find(key, out)) {
        is_tar((struct piece){.fd = fd, .size = (uint64_t)st->st_size}, name);
        cache_lock();
        free(key);
        key = key_of_bytes(fd, name);
        if (!cache_find(key, out))
            make_of_file(key, fd, (uint64_t)st->st_size, name, out);
        cache_note(looks, key);
        cache_unlock();
    }
    free(looks);
    free(key);
}

// Standard input, into a file that it can be read from again.
static int read_input(void) {
    struct spool s;
    char *buffer = xrealloc(NULL, BUFFER);
    bool is_known = false;
    ssize_t n;
    spool_open(&s);
    while ((n = read(STDIN_FILENO, buffer, BUFFER)) > 0 || (n < 0 && errno == EINTR)) {
        spool_write(&s, s.size, buffer, n > 0 ? (size_t)n : 0, "standard input");
        s.size += n > 0 ? (uint64_t)n : 0;
        if (!is_known && s.size >= LOOKED_AT) {
            is_tar((struct piece){.fd = s.fd, .size = s.size}, "standard input");
            is_known = true;
        }
    }
    if (n < 0)
        fail("standard input: %s", strerror(errno));
    free(buffer);
    return s.fd;
}

void whole_open(const char *what, struct kept *out) {
    bool is_input = strcmp(what, "-") == 0;
    const char *path = without_prefix(what);
    struct stat st;
    int fd = is_input ? read_input() : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        fail("root %s: %s", path, trouble(path, errno));
    char *name = is_input ? xstrdup("standard input") : realpath(path, NULL);
    if (!name)
        fail("root %s: %s", path, trouble(path, errno));
    if (S_ISDIR(st.st_mode))
        open_directory(name, out);
    else if (S_ISREG(st.st_mode))
        open_file(fd, &st, name, out);
    else
        fail("root %s is neither a directory nor a file; from a pipe: --root - <PIPE", path);
    close(fd);
    free(name);
}
