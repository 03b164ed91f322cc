// SPDX-License-Identifier: MIT
#include "root/oci.h"
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/json.h"
#include "common/util.h"
#include "root/tar.h"

#define JSON_MOST    (4u << 20) // bytes of a manifest, as registries have it
#define NESTED_MOST  4          // indexes in indexes,
#define NAMED_MOST   4096       // what all of them name, as often as they do
#define LAYERS_MOST  1024
#define DIGEST       "sha256:"
#define DIGITS       64
#define ARCHITECTURE "riscv64"

// The image that was chosen.
struct image {
    char *digest;       // of the manifest, or the configuration's name: for messages, and to tell two apart
    struct json config; // an object
    struct strings layers; // where they are
    struct strings sums;   // what each should have, 64 digits,
    bool of_plain_tars;    // and whether that is of the tar before it was compressed
};

struct search {
    struct oci_store *store;
    struct image found;
    struct strings others; // architectures of images that are for other machines
    unsigned int count;
    unsigned int named;
};

// ---- parts

static bool find_part(struct oci_store *s, const char *path, struct piece *out) {
    struct stat st;
    if (s->outer) {
        const struct layers_object *o = layers_file(s->outer, path);
        if (o)
            *out = (struct piece){.fd = s->outer->spool.fd, .at = o->at, .size = o->size};
        return o;
    }
    char *host = xasprintf("%s/%s", s->directory, path);
    int fd = open(host, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    free(host);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return false;
    }
    *out = (struct piece){.fd = fd, .size = (uint64_t)st.st_size};
    return true;
}

static void let_go(struct oci_store *s, const struct piece *p) {
    if (!s->outer)
        close(p->fd);
}

static struct piece part(struct oci_store *s, const char *path, const char *what) {
    struct piece p;
    if (!find_part(s, path, &p))
        fail("%s: %s is not in it: %s; was all of the image saved?", s->name, what, path);
    return p;
}

static char *read_piece(struct oci_store *s, const struct piece *p, const char *path) {
    if (p->size > JSON_MOST)
        fail("%s: %s has %llu bytes; that is no manifest", s->name, path, (unsigned long long)p->size);
    char *text = xrealloc(NULL, p->size + 1);
    if (pread(p->fd, text, p->size, (off_t)p->at) != (ssize_t)p->size)
        fail("%s: %s cannot be read: %s", s->name, path, strerror(errno));
    text[p->size] = '\0';
    return text;
}

static void check_sum(struct oci_store *s, const char *what, const char *is, const char *should) {
    if (strcmp(is, should) != 0)
        fail("%s: %s should have the digest sha256:%s, and has sha256:%s; the image is damaged", s->name,
             what, should, is);
}

// `sum`: NULL, or what its bytes should have.
static void read_json(struct oci_store *s, const char *path, const char *what, const char *sum,
                      struct json *out) {
    struct piece p = part(s, path, what);
    char *text = read_piece(s, &p, path);
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx c;
    const char *problem;
    size_t at;
    let_go(s, &p);
    sha256_init(&c);
    sha256_update(&c, p.size, (const uint8_t *)text);
    sha256_digest(&c, sizeof(digest), digest);
    char *is = hex(digest, sizeof(digest));
    if (sum)
        check_sum(s, what, is, sum);
    if (!json_read(text, p.size, out, &problem, &at))
        fail("%s: %s (%s): byte %zu: %s", s->name, what, path, at, problem);
    free(is);
    free(text);
}

// ---- JSON

static const struct json *member(const struct json *object, const char *key, enum json_type type) {
    const struct json *m = object ? json_member(object, key) : NULL;
    return m && m->type == type ? m : NULL;
}

static const char *string(const struct json *object, const char *key) {
    const struct json *m = member(object, key, JSON_STRING);
    return m ? m->string : NULL;
}

static void add_strings(struct oci_store *s, const struct json *object, const char *key,
                        struct strings *out) {
    const struct json *list = object ? json_member(object, key) : NULL;
    if (!list || list->type == JSON_NULL)
        return;
    if (list->type != JSON_ARRAY)
        fail("%s: %s in the image's configuration is no list", s->name, key);
    for (size_t i = 0; i < list->count; i++) {
        if (list->values[i].type != JSON_STRING)
            fail("%s: %s in the image's configuration has something in it that is no text", s->name, key);
        strings_add(out, list->values[i].string);
    }
}

static bool are_digits(const char *text, size_t count) {
    return strlen(text) >= count && strspn(text, "0123456789abcdef") >= count;
}

// The digits of a digest.
static const char *digits_of(struct oci_store *s, const char *digest, const char *what) {
    if (!digest || strncmp(digest, DIGEST, strlen(DIGEST)) != 0 ||
        !are_digits(digest + strlen(DIGEST), DIGITS) || strlen(digest) != strlen(DIGEST) + DIGITS)
        fail("%s: %s has no digest by SHA-256, but %.100s", s->name, what, digest ? digest : "none");
    return digest + strlen(DIGEST);
}

static char *blob_path(const char *digits) {
    return xasprintf("blobs/sha256/%s", digits);
}

// ---- which image

static void offer(struct search *s, const struct image *image) {
    const char *architecture = string(&image->config, "architecture");
    if (!architecture || strcmp(architecture, ARCHITECTURE) != 0) {
        strings_add(&s->others, architecture ? architecture : "unknown");
        return;
    }
    if (s->count && strcmp(s->found.digest, image->digest) == 0)
        return; // it has several names
    s->found = *image;
    s->count++;
}

static void read_manifest(struct search *s, const struct json *manifest, const char *digest) {
    struct oci_store *store = s->store;
    struct image image = {.digest = xstrdup(digest)};
    const char *digits =
        digits_of(store, string(member(manifest, "config", JSON_OBJECT), "digest"), "the configuration");
    const struct json *layers = member(manifest, "layers", JSON_ARRAY);
    char *path = blob_path(digits);
    read_json(store, path, "the configuration", digits, &image.config);
    free(path);
    if (!layers)
        fail("%s: the manifest %s names no layers", store->name, digest);
    for (size_t i = 0; i < layers->count; i++) {
        digits = digits_of(store, string(&layers->values[i], "digest"), "a layer");
        path = blob_path(digits);
        strings_add(&image.layers, path);
        strings_add(&image.sums, digits);
        free(path);
    }
    offer(s, &image);
}

static void read_index(struct search *s, const struct json *index, unsigned int depth);

// Says that what is described is for another machine, and notes which.
static bool is_for_others(struct search *s, const struct json *descriptor) {
    const char *architecture = string(member(descriptor, "platform", JSON_OBJECT), "architecture");
    if (!architecture || strcmp(architecture, ARCHITECTURE) == 0)
        return false;
    strings_add(&s->others, architecture);
    return true;
}

static void read_described(struct search *s, const struct json *descriptor, unsigned int depth) {
    struct json value;
    if (++s->named > NAMED_MOST)
        fail("%s: its indexes name more than %d manifests", s->store->name, NAMED_MOST);
    if (is_for_others(s, descriptor))
        return;
    const char *digest = string(descriptor, "digest"), *digits = digits_of(s->store, digest, "a manifest");
    char *path = blob_path(digits);
    read_json(s->store, path, "a manifest", digits, &value);
    if (member(&value, "manifests", JSON_ARRAY))
        read_index(s, &value, depth + 1);
    else
        read_manifest(s, &value, digest);
    json_free(&value);
    free(path);
}

static void read_index(struct search *s, const struct json *index, unsigned int depth) {
    const struct json *manifests = member(index, "manifests", JSON_ARRAY);
    if (depth > NESTED_MOST)
        fail("%s: indexes in indexes, more than %d deep", s->store->name, NESTED_MOST);
    if (!manifests)
        fail("%s: its index names no manifests", s->store->name);
    for (size_t i = 0; i < manifests->count; i++)
        read_described(s, &manifests->values[i], depth);
}

// What `docker save` and `podman save` call manifest.json: a list of images. A configuration is named for its digest.
static void read_saved(struct search *s, const struct json *list) {
    struct oci_store *store = s->store;
    for (size_t i = 0; list->type == JSON_ARRAY && i < list->count; i++) {
        const struct json *saved = &list->values[i];
        const char *path = string(saved, "Config");
        if (!path)
            fail("%s: manifest.json names no configuration", store->name);
        struct image image = {.digest = xstrdup(path), .of_plain_tars = true};
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        char *sum = are_digits(base, DIGITS) ? xstrndup(base, DIGITS) : NULL;
        read_json(store, path, "the configuration", sum, &image.config);
        add_strings(store, saved, "Layers", &image.layers);
        struct strings sums = {0};
        add_strings(store, member(&image.config, "rootfs", JSON_OBJECT), "diff_ids", &sums);
        for (size_t k = 0; k < sums.count; k++)
            strings_add(&image.sums, digits_of(store, sums.at[k], "a layer"));
        if (image.sums.count != image.layers.count)
            fail("%s: manifest.json names %zu layers, and the configuration %zu", store->name,
                 image.layers.count, image.sums.count);
        offer(s, &image);
        free(sum);
    }
}

static _Noreturn void refuse_choice(struct search *s) {
    char *list = xstrdup("");
    if (s->count)
        fail("%s: %u images for " ARCHITECTURE " are in it; save the one that is meant alone", s->store->name,
             s->count);
    strings_sort(&s->others);
    for (size_t i = 0; i < s->others.count && i < 20; i++)
        if (i == 0 || strcmp(s->others.at[i], s->others.at[i - 1]) != 0)
            list = xasprintf("%s%s%s", list, *list ? ", " : "", s->others.at[i]);
    fail("%s: no image for " ARCHITECTURE " is in it%s%s; get it with --platform linux/" ARCHITECTURE,
         s->store->name, *list ? "; there is: " : "", list);
}

// ---- the image

// USER[:GROUP], which `run` takes as it stands.
static void read_config(struct oci_store *s, const struct json *config, struct root_config *out) {
    const struct json *how = member(config, "config", JSON_OBJECT);
    const char *user = string(how, "User"), *workdir = string(how, "WorkingDir");
    add_strings(s, how, "Entrypoint", &out->command);
    add_strings(s, how, "Cmd", &out->command);
    add_strings(s, how, "Env", &out->variables);
    for (size_t i = 0; i < out->variables.count; i++)
        if (*out->variables.at[i] == '=' || !strchr(out->variables.at[i], '='))
            fail("%s: Env in the image's configuration: %.100s is no NAME=VALUE", s->name,
                 out->variables.at[i]);
    if (workdir && *workdir && *workdir != '/')
        fail("%s: WorkingDir in the image's configuration is no absolute path: %.100s", s->name, workdir);
    out->user = xstrdup(user ? user : "");
    out->workdir = xstrdup(workdir ? workdir : "");
}

static void lay(struct oci_store *s, const struct image *image, size_t i, struct layers *out,
                uint64_t *attributed) {
    struct tar_findings findings;
    char *what = xasprintf("layer %zu of %zu", i + 1, image->layers.count);
    struct piece p = part(s, image->layers.at[i], what);
    char *name = xasprintf("%s: %s", s->name, what);
    tar_lay(out, p, TAR_LAYER, name, &findings);
    if (!image->of_plain_tars || !findings.compressed)
        check_sum(s, what, findings.sha256, image->sums.at[i]);
    *attributed += findings.attributed;
    let_go(s, &p);
    free(name);
    free(what);
}

bool oci_is_image(struct oci_store *s) {
    struct piece p;
    bool is_layout = find_part(s, "oci-layout", &p);
    if (is_layout)
        let_go(s, &p);
    if (is_layout || !s->outer)
        return is_layout;
    return find_part(s, "manifest.json", &p) && p.size && p.size <= JSON_MOST &&
           strstr(read_piece(s, &p, "manifest.json"), "\"Layers\"");
}

void oci_read(struct oci_store *s, struct layers *out, struct root_config *config, uint64_t *attributed) {
    struct search search = {.store = s};
    struct json top;
    struct piece p;
    bool is_layout = find_part(s, "oci-layout", &p);
    if (is_layout)
        let_go(s, &p);
    read_json(s, is_layout ? "index.json" : "manifest.json", "its list of images", NULL, &top);
    if (is_layout)
        read_index(&search, &top, 0);
    else
        read_saved(&search, &top);
    json_free(&top);
    if (search.count != 1)
        refuse_choice(&search);
    if (search.found.layers.count > LAYERS_MOST)
        fail("%s: it has %zu layers; at most %d make an image", s->name, search.found.layers.count,
             LAYERS_MOST);
    read_config(s, &search.found.config, config);
    layers_open(out);
    for (size_t i = 0; i < search.found.layers.count; i++)
        lay(s, &search.found, i, out, attributed);
}
