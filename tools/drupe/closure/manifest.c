// SPDX-License-Identifier: MIT
// Manifests in the format of Linux's usr/gen_init_cpio.c, a line an entry, modes in octal:
//   file NAME LOCATION MODE UID GID [HARD-LINK...]     dir NAME MODE UID GID
//   slink NAME TARGET MODE UID GID                     pipe NAME MODE UID GID
//   nod NAME MODE UID GID b|c MAJOR MINOR              sock NAME MODE UID GID
// LOCATION may hold ${VARIABLE}s of the environment. Empty lines and lines that begin with '#' mean nothing.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/input.h"

#define WORDS_MAX 64

struct line {
    const char *file;
    unsigned int number;
    char *words[WORDS_MAX];
    size_t count;
    unsigned int *groups; // of hard links, so far
};

static void line_fail(const struct line *l, const char *what, const char *detail) {
    fail("%s:%u: %s%s; what goes there: man drupe-pack", l->file, l->number, what, detail);
}

static uint32_t number(const struct line *l, size_t index, int base) {
    char *end;
    const char *word = l->words[index];
    errno = 0;
    unsigned long long n = strtoull(word, &end, base);
    if (*word < '0' || *word > '9' || *end || errno || n > UINT32_MAX)
        line_fail(l, base == 8 ? "not an octal number: " : "not a number: ", word);
    return (uint32_t)n;
}

// Mode, owner and group, which stand side by side.
static void attributes(const struct line *l, size_t index, uint32_t type, struct entry *e) {
    uint32_t mode = number(l, index, 8);
    if (mode & ~(uint32_t)(S_IFMT | 07777))
        line_fail(l, "not a mode: ", l->words[index]);
    e->mode = type | (mode & 07777);
    e->uid = number(l, index + 1, 10);
    e->gid = number(l, index + 2, 10);
}

static char *replace_variables(const struct line *l, const char *text) {
    char *out = xstrdup("");
    for (;;) {
        const char *start = strstr(text, "${"), *end = start ? strchr(start, '}') : NULL;
        char *longer;
        if (!end) {
            longer = xasprintf("%s%s", out, text);
            free(out);
            return longer;
        }
        char *name = xstrndup(start + 2, (size_t)(end - start - 2));
        const char *value = getenv(name);
        if (!value)
            line_fail(l, "this environment variable is not set: ", name);
        longer = xasprintf("%s%.*s%s", out, (int)(start - text), text, value);
        free(name);
        free(out);
        out = longer;
        text = end + 1;
    }
}

static void add(struct view *v, const struct line *l, const char *name, const struct entry *e) {
    struct found f;
    char normal[PATHNAME_MAX + 1];
    int err = pathname_normalise(name, normal, sizeof(normal));
    unsigned int follow = S_ISDIR(e->mode) ? 0 : VIEW_NO_FOLLOW;
    if (!err)
        err = view_resolve(v, normal, VIEW_ADD | VIEW_MAY_LACK | follow, &f);
    if (err)
        complain("%s:%u: the path %s in the archive: %s", l->file, l->number, name,
                 err == -EXDEV ? "leaves the root; name one within it" : strerror(-err));
    if (err)
        return;
    struct entry placed = *e;
    placed.path = f.path;
    placed.named = true;
    tree_add(&v->tree, &placed);
}

static void add_file(struct view *v, struct line *l) {
    struct stat st;
    struct entry e = {.mode = 0};
    char *host = replace_variables(l, l->words[2]);
    attributes(l, 3, S_IFREG, &e);
    if (stat(host, &st) < 0)
        fail("%s:%u: %s: %s", l->file, l->number, host, trouble(host, errno));
    if (!S_ISREG(st.st_mode))
        line_fail(l, "not a file: ", host);
    e.host = host;
    e.size = (uint64_t)st.st_size;
    e.mtime = st.st_mtime;
    e.dev = st.st_dev;
    e.ino = st.st_ino;
    if (l->count > 6) {
        e.linked = true;
        e.group = ++*l->groups;
    }
    add(v, l, l->words[1], &e);
    for (size_t i = 6; i < l->count; i++)
        add(v, l, l->words[i], &e);
    free(host);
}

static void add_node(struct view *v, struct line *l) {
    struct entry e = {.mode = 0};
    char type = l->words[5][0];
    if ((type != 'b' && type != 'c') || l->words[5][1])
        line_fail(l, "a device is b or c, not ", l->words[5]);
    attributes(l, 2, type == 'b' ? S_IFBLK : S_IFCHR, &e);
    e.rdev_major = number(l, 6, 10);
    e.rdev_minor = number(l, 7, 10);
    add(v, l, l->words[1], &e);
}

static void add_symlink(struct view *v, struct line *l) {
    struct entry e = {.target = l->words[2]};
    attributes(l, 3, S_IFLNK, &e);
    add(v, l, l->words[1], &e);
}

static void add_plain(struct view *v, struct line *l) {
    struct entry e = {.mode = 0};
    const char *kind = l->words[0];
    attributes(l, 2, strcmp(kind, "dir") == 0 ? S_IFDIR : strcmp(kind, "pipe") == 0 ? S_IFIFO : S_IFSOCK, &e);
    add(v, l, l->words[1], &e);
}

static void add_line(struct view *v, struct line *l) {
    static const struct {
        const char *kind;
        size_t least, most;
        void (*add)(struct view *v, struct line *l);
    } kinds[] = {
        {"file", 6, WORDS_MAX, add_file}, {"dir", 5, 5, add_plain},  {"nod", 8, 8, add_node},
        {"slink", 6, 6, add_symlink},     {"pipe", 5, 5, add_plain}, {"sock", 5, 5, add_plain},
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(l->words[0], kinds[i].kind) != 0)
            continue;
        if (l->count < kinds[i].least || l->count > kinds[i].most)
            line_fail(l, "too few or too many words for ", l->words[0]);
        kinds[i].add(v, l);
        return;
    }
    line_fail(l, "unknown kind of entry: ", l->words[0]);
}

void input_manifest(struct view *v, const char *file) {
    static unsigned int groups;
    size_t size;
    char *text = read_file(file, &size), *rest = text;
    struct line l = {.file = strcmp(file, "-") == 0 ? "standard input" : file, .groups = &groups};
    for (char *line; (line = strsep(&rest, "\n"));) {
        l.number++;
        l.count = 0;
        if (*line == '#')
            continue;
        for (char *word; (word = strsep(&line, " \t\r"));) {
            if (*word && l.count == WORDS_MAX)
                line_fail(&l, "more than 64 words", "");
            if (*word)
                l.words[l.count++] = word;
        }
        if (l.count)
            add_line(v, &l);
    }
    free(text);
}
