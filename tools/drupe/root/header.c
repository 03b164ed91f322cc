// SPDX-License-Identifier: MIT
#include "root/header.h"
#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/util.h"

#define MAGIC "drupe root 2\n\0\0"

// Behind it strings, each with a NUL: what it was made of, user, directory, and the two lists.
struct header {
    char magic[sizeof(MAGIC)];
    char sha256[72];                 // of the archive
    uint8_t sum[SHA256_DIGEST_SIZE]; // SHA-256 of the header, this being zeros, and the strings
    uint64_t size;                   // of the archive
    int64_t mtime_ns;
    uint32_t text_size, commands, variables, zero;
};

static void sum_up(struct header *h, const char *text, uint8_t *sum) {
    struct sha256_ctx c;
    memset(h->sum, 0, sizeof(h->sum));
    sha256_init(&c);
    sha256_update(&c, sizeof(*h), (const uint8_t *)h);
    sha256_update(&c, h->text_size, (const uint8_t *)text);
    sha256_digest(&c, SHA256_DIGEST_SIZE, sum);
}

static bool take_string(const char **at, const char *limit, const char **out) {
    const char *end = memchr(*at, '\0', (size_t)(limit - *at));
    if (!end)
        return false;
    *out = *at;
    *at = end + 1;
    return true;
}

static bool take_list(const char **at, const char *limit, uint32_t count, struct strings *out) {
    const char *string;
    for (; count; count--) {
        if (!take_string(at, limit, &string))
            return false;
        strings_add(out, string);
    }
    return true;
}

static bool take_text(const struct header *h, const char *text, struct kept *k) {
    const char *at = text, *limit = text + h->text_size, *from, *user, *workdir;
    if (!take_string(&at, limit, &from) || !take_string(&at, limit, &user) ||
        !take_string(&at, limit, &workdir))
        return false;
    k->from = xstrdup(from);
    k->config.user = xstrdup(user);
    k->config.workdir = xstrdup(workdir);
    return take_list(&at, limit, h->commands, &k->config.command) &&
           take_list(&at, limit, h->variables, &k->config.variables);
}

bool header_read(int fd, uint64_t file_size, struct kept *out, int64_t *mtime_ns, char *sha256) {
    struct header h;
    uint8_t sum[SHA256_DIGEST_SIZE], should[SHA256_DIGEST_SIZE];
    if (pread(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.magic, MAGIC, sizeof(MAGIC)) != 0 ||
        h.text_size > HEADER_MOST - sizeof(h) || file_size < KEPT_AT || h.size > file_size - KEPT_AT)
        return false;
    char *text = xrealloc(NULL, h.text_size + 1);
    memcpy(should, h.sum, sizeof(should));
    bool ok = pread(fd, text, h.text_size, sizeof(h)) == (ssize_t)h.text_size;
    if (ok) {
        sum_up(&h, text, sum);
        ok = memcmp(sum, should, sizeof(sum)) == 0 && take_text(&h, text, out);
    }
    free(text);
    out->size = h.size;
    *mtime_ns = h.mtime_ns;
    snprintf(sha256, 65, "%.64s", h.sha256);
    return ok;
}

static void add_string(FILE *f, const char *string) {
    fwrite(string, 1, strlen(string) + 1, f);
}

static void add_list(FILE *f, const struct strings *list) {
    for (size_t i = 0; i < list->count; i++)
        add_string(f, list->at[i]);
}

static char *make_text(const struct kept *k, size_t *size) {
    char *text;
    FILE *f = open_memstream(&text, size);
    if (!f)
        fail("out of memory");
    add_string(f, k->from);
    add_string(f, k->config.user ? k->config.user : "");
    add_string(f, k->config.workdir ? k->config.workdir : "");
    add_list(f, &k->config.command);
    add_list(f, &k->config.variables);
    if (fclose(f) != 0)
        fail("out of memory");
    return text;
}

void header_write(int fd, const struct kept *k, int64_t mtime_ns, const char *sha256) {
    size_t size;
    char *text = make_text(k, &size);
    struct header h = {.magic = MAGIC, .size = k->size, .mtime_ns = mtime_ns};
    if (size > HEADER_MOST - sizeof(h))
        fail("%s: the image's command and environment have %zu bytes; that is too much", k->from, size);
    h.text_size = (uint32_t)size;
    h.commands = (uint32_t)k->config.command.count;
    h.variables = (uint32_t)k->config.variables.count;
    snprintf(h.sha256, sizeof(h.sha256), "%s", sha256);
    uint8_t sum[SHA256_DIGEST_SIZE];
    sum_up(&h, text, sum);
    memcpy(h.sum, sum, sizeof(sum));
    if (pwrite(fd, &h, sizeof(h), 0) != sizeof(h) || pwrite(fd, text, size, sizeof(h)) != (ssize_t)size)
        fail("%s: %s", cache_place(), trouble(cache_place(), errno));
    free(text);
}

int64_t header_set_time(int fd, int64_t mtime_ns) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000}};
    struct stat st;
    if (futimens(fd, times) < 0 || fstat(fd, &st) < 0)
        fail("%s: %s", cache_place(), trouble(cache_place(), errno));
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}
