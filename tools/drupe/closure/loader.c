// SPDX-License-Identifier: MIT
#include "closure/loader.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GLIBC_NAME     "/lib/ld-linux-riscv64-lp64d.so.1"
#define MUSL_NAME      "/lib/ld-musl-riscv64.so.1"
#define CACHE_NAME     "/ld.so.cache"
#define MUSL_PATH_FILE "/etc/ld-musl-"

// What is usual: of all distributions, where a loader's file does not say.
static const char *const glibc_directories[] = {
    "/lib/riscv64-linux-gnu",
    "/usr/lib/riscv64-linux-gnu",
    "/lib64/lp64d",
    "/usr/lib64/lp64d",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    NULL,
};
static const char *const musl_directories[] = {"/lib", "/usr/local/lib", "/usr/lib", NULL};
static const char *const usual_libs[] = {"lib/riscv64-linux-gnu", "lib", NULL};

static void add_all(struct strings *out, const char *const *list) {
    for (; *list; list++)
        strings_add(out, *list);
}

// ---- what its file says

struct bytes {
    const char *at;
    size_t size;
};

static bool is_path_character(char c) {
    return isalnum((unsigned char)c) || (c && strchr("/._-+:", c));
}

// The string at `at`, which ends with a NUL in the file and has only what paths have; its length, or 0.
static size_t path_length(struct bytes file, size_t at) {
    size_t n = 0;
    while (at + n < file.size && is_path_character(file.at[at + n]))
        n++;
    return at + n < file.size && file.at[at + n] == '\0' ? n : 0;
}

static bool starts_string(struct bytes file, size_t at) {
    return file.at[at] == '/' && (at == 0 || !is_path_character(file.at[at - 1]));
}

static bool is_system_directory(const char *path, size_t length) {
    return length > 2 && path[length - 1] == '/' && memmem(path, length, "lib", 3);
}

// The number of strings in a row at `at` that system_dirs may be.
static size_t directories_at(struct bytes file, size_t at) {
    size_t count = 0;
    while (at < file.size && file.at[at] == '/') {
        size_t length = path_length(file, at);
        if (!is_system_directory(file.at + at, length))
            break;
        count++;
        at += length + 1;
    }
    return count;
}

static void read_system_directories(struct bytes file, struct strings *out) {
    size_t best = 0, where = 0;
    for (size_t at = 0; at < file.size; at++) {
        const char *slash = memchr(file.at + at, '/', file.size - at);
        if (!slash)
            break;
        at = (size_t)(slash - file.at);
        size_t count = starts_string(file, at) ? directories_at(file, at) : 0;
        if (count > best) {
            best = count;
            where = at;
        }
    }
    for (; best; best--) {
        char *dir = xstrndup(file.at + where, strlen(file.at + where) - 1);
        strings_add(out, dir);
        where += strlen(file.at + where) + 1;
        free(dir);
    }
}

// A whole string of the file that contains, or with `at_end` ends with, some text; NULL: there is none.
static char *find_string(struct bytes file, const char *text, bool at_end) {
    size_t length = strlen(text);
    for (size_t at = 0; at + length < file.size; at++) {
        const char *hit = memmem(file.at + at, file.size - at, text, length);
        if (!hit)
            break;
        at = (size_t)(hit - file.at);
        size_t begin = at;
        while (begin && is_path_character(file.at[begin - 1]))
            begin--;
        size_t whole = path_length(file, begin);
        if (whole && (!at_end || begin + whole == at + length))
            return xstrndup(file.at + begin, whole);
    }
    return NULL;
}

static bool has_string(struct bytes file, const char *text) {
    char *found = find_string(file, text, true);
    bool same = found && strcmp(found, text) == 0;
    free(found);
    return same;
}

// What $LIB stands for: the first directory of the system without its slash (Debian), or its last part.
static void read_lib(struct bytes file, struct loader *l) {
    const char *first = l->directories.at[0];
    const char *base = strrchr(first, '/') + 1;
    strings_add(&l->libs, has_string(file, first + 1) ? first + 1 : base);
}

static void read_glibc(struct bytes file, struct loader *l) {
    read_system_directories(file, &l->directories);
    l->is_known = l->directories.count > 0;
    l->cache = find_string(file, CACHE_NAME, true);
    if (l->is_known) {
        read_lib(file, l);
        return;
    }
    add_all(&l->directories, glibc_directories);
    add_all(&l->libs, usual_libs);
    if (!l->cache)
        l->cache = xstrdup("/etc" CACHE_NAME);
}

// "/lib:/usr/local/lib:/usr/lib", as directories.
static bool read_musl_path(struct bytes file, struct strings *out) {
    for (size_t at = 0; at < file.size; at++) {
        const char *slash = memchr(file.at + at, '/', file.size - at);
        if (!slash)
            break;
        at = (size_t)(slash - file.at);
        size_t length = starts_string(file, at) ? path_length(file, at) : 0;
        char *path = xstrndup(file.at + at, length), *rest = path;
        bool is_path = memmem(path, length, ":/", 2) && memmem(path, length, "/lib", 4);
        for (char *dir; is_path && (dir = strsep(&rest, ":"));)
            if (*dir)
                strings_add(out, dir);
        free(path);
        if (is_path)
            return true;
    }
    return false;
}

// The path file's name: `%.*s/etc/ld-musl-riscv64.path` in its file, with the loader's path but for its last
// two parts in front.
static char *path_file_of(struct bytes file, const char *interp) {
    char *name = find_string(file, MUSL_PATH_FILE, false), *path;
    const char *own = name ? strstr(name, MUSL_PATH_FILE) : MUSL_PATH_FILE "riscv64.path";
    size_t length = 0;
    for (int parts = 0; *interp == '/' && parts < 2; parts++) {
        length = parts ? length : strlen(interp);
        while (length && interp[length - 1] != '/')
            length--;
        length -= length ? 1 : 0;
    }
    path = xasprintf("%.*s%s", (int)length, interp, own);
    free(name);
    return path;
}

static void read_musl(struct bytes file, const char *interp, struct loader *l) {
    l->is_known = read_musl_path(file, &l->directories);
    if (!l->is_known)
        add_all(&l->directories, musl_directories);
    l->path_file = path_file_of(file, interp);
}

// ---- which it is

static enum loader_kind kind_of(const char *interp, const struct object *o, struct bytes file) {
    if (o && memmem(file.at, file.size, MUSL_PATH_FILE, strlen(MUSL_PATH_FILE)))
        return LOADER_MUSL;
    if (o && (memmem(file.at, file.size, "LD_LIBRARY_PATH", 15) ||
              strings_have(&o->versions.defined, "GLIBC_PRIVATE")))
        return LOADER_GLIBC;
    if (strstr(interp, "ld-musl"))
        return LOADER_MUSL;
    return strstr(interp, "ld-linux") ? LOADER_GLIBC : LOADER_UNKNOWN;
}

struct known {
    char *key;
    struct loader loader;
    struct known *next;
};

static struct loader *remembered(char *key, bool *is_new) {
    static struct known *all;
    for (struct known *k = all; k; k = k->next)
        if (strcmp(k->key, key) == 0) {
            free(key);
            *is_new = false;
            return &k->loader;
        }
    struct known *k = xcalloc(1, sizeof(*k));
    k->key = key;
    k->next = all;
    all = k;
    *is_new = true;
    return &k->loader;
}

static const struct loader *read_loader(struct view *v, const char *interp, enum loader_kind kind) {
    struct found f;
    bool is_new;
    bool is_there = view_resolve(v, interp, 0, &f) == 0 && S_ISREG(f.st.st_mode);
    const struct object *o = is_there ? found_object(&f) : NULL;
    struct loader *l = remembered(xasprintf("%s %d %s", interp, kind, o ? o->host : ""), &is_new);
    if (!is_new)
        return l;
    struct bytes file = {.at = ""};
    char *bytes = o && o->kind == OBJECT_ELF ? found_read(&f, &file.size) : NULL;
    file.at = bytes ? bytes : "";
    l->object = bytes ? o : NULL;
    l->kind = kind != LOADER_UNKNOWN ? kind : kind_of(interp, l->object, file);
    if (l->kind == LOADER_MUSL) {
        read_musl(file, interp, l);
    } else if (l->kind == LOADER_GLIBC) {
        read_glibc(file, l);
    } else {
        add_all(&l->directories, glibc_directories);
        add_all(&l->directories, musl_directories);
        add_all(&l->libs, usual_libs);
        l->cache = xstrdup("/etc" CACHE_NAME);
    }
    free(bytes);
    return l;
}

const struct loader *loader_of_program(struct view *v, const char *interp) {
    return read_loader(v, interp, LOADER_UNKNOWN);
}

const struct loader *loader_usual(struct view *v, enum loader_kind kind) {
    return read_loader(v, kind == LOADER_MUSL ? MUSL_NAME : kind == LOADER_GLIBC ? GLIBC_NAME : "", kind);
}

const struct loader *loader_of_library(struct view *v, const struct object *o) {
    const char *name = o->soname ? o->soname : "";
    if (strings_have(&o->needed, "libc.so") || strcmp(name, "libc.so") == 0 || strstr(name, "ld-musl"))
        return loader_usual(v, LOADER_MUSL);
    if (strings_have(&o->needed, "libc.so.6") || strcmp(name, "libc.so.6") == 0 || strstr(name, "ld-linux"))
        return loader_usual(v, LOADER_GLIBC);
    return loader_usual(v, LOADER_UNKNOWN);
}

void loader_directories(struct view *v, const struct loader *l, struct strings *dirs) {
    struct found f;
    size_t size;
    if (!l->path_file || view_resolve(v, l->path_file, 0, &f) || !S_ISREG(f.st.st_mode)) {
        for (size_t i = 0; i < l->directories.count; i++)
            strings_add(dirs, l->directories.at[i]);
        return;
    }
    char *text = found_read(&f, &size), *rest = text;
    for (char *dir; (dir = strsep(&rest, ":\n"));)
        if (*dir)
            strings_add(dirs, dir);
    free(text);
}
