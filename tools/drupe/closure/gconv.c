// SPDX-License-Identifier: MIT
// The modules are listed in gconv-modules and gconv-modules.d/*.conf below the library directory, in lines
//   alias NAME// OTHER//
//   module FROM// TO// FILE COST
// glibc converts by way of its INTERNAL form, so that the modules whose FROM or TO is the character set are
// all that it takes. All of these text files go in: names are found as where they come from.
#include "closure/gconv.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/closure.h"

#define ALIASES_MAX 16

static const char *const built_in[] = {
    "UTF-8",         "UTF8",       "ISO-10646/UTF8", "ISO-10646/UTF-8", "UCS-4",    "UCS4",
    "UCS-4LE",       "UCS-4BE",    "ISO-10646",      "UCS-2",           "UCS2",     "WCHAR_T",
    "UNICODELITTLE", "UNICODEBIG", "ANSI_X3.4-1968", "ASCII",           "US-ASCII", "INTERNAL",
};

// What glibc makes of a name: capital letters, and no slashes at the end.
static char *normal(const char *name) {
    size_t length = strlen(name);
    while (length && name[length - 1] == '/')
        length--;
    char *copy = xstrndup(name, length);
    for (char *p = copy; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return copy;
}

static bool same(const char *field, const char *name) {
    char *plain = normal(field);
    bool is_same = strcmp(plain, name) == 0;
    free(plain);
    return is_same;
}

// The fields of a line, up to `max`; what is behind '#' does not count.
static size_t split(char *line, char **fields, size_t max) {
    size_t count = 0;
    line[strcspn(line, "#\r")] = '\0';
    for (char *field; count < max && (field = strsep(&line, " \t"));)
        if (*field)
            fields[count++] = field;
    return count;
}

// The name behind an alias, normal; NULL: it is none.
static char *follow_alias(const struct strings *texts, const char *name) {
    char *found = NULL, *fields[3];
    for (size_t i = 0; i < texts->count && !found; i++) {
        char *text = xstrdup(texts->at[i]), *rest = text;
        for (char *line; !found && (line = strsep(&rest, "\n"));)
            if (split(line, fields, 3) == 3 && strcmp(fields[0], "alias") == 0 && same(fields[1], name))
                found = normal(fields[2]);
        free(text);
    }
    return found;
}

static void find_modules(const struct strings *texts, const char *name, struct strings *modules) {
    char *fields[4];
    for (size_t i = 0; i < texts->count; i++) {
        char *text = xstrdup(texts->at[i]), *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
            if (split(line, fields, 4) < 4 || strcmp(fields[0], "module") != 0 ||
                (!same(fields[1], name) && !same(fields[2], name)))
                continue;
            size_t length = strlen(fields[3]);
            bool has_suffix = length > 3 && strcmp(fields[3] + length - 3, ".so") == 0;
            char *file = xasprintf("%s%s", fields[3], has_suffix ? "" : ".so");
            if (!strings_have(modules, file))
                strings_add(modules, file);
            free(file);
        }
        free(text);
    }
}

// Puts the file at a guest path into the tree; false: there is none.
static bool add_file(struct view *v, const char *path) {
    struct found f;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return false;
    view_resolve(v, path, VIEW_ADD, &f);
    view_add(v, &f);
    return true;
}

// Reads one of the text files into `texts` and puts it into the tree.
static bool add_text(struct view *v, const char *path, struct strings *texts) {
    struct found f;
    size_t size;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return false;
    char *text = found_read(&f, &size);
    strings_add(texts, text);
    free(text);
    return add_file(v, path);
}

static void add_conf_files(struct view *v, const char *dir, struct strings *texts) {
    char *parts = xasprintf("%s/gconv-modules.d", dir);
    struct strings names = {0};
    struct found f;
    if (view_resolve(v, parts, 0, &f) == 0 && S_ISDIR(f.st.st_mode))
        view_list(v, f.path, &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *dot = strrchr(names.at[i], '.');
        char *path = xasprintf("%s/%s", parts, names.at[i]);
        if (dot && strcmp(dot, ".conf") == 0)
            add_text(v, path, texts);
        free(path);
    }
    strings_free(&names);
    free(parts);
}

// The first library directory that has gconv-modules, and the texts of the files there; false: there is none.
static bool find_texts(struct view *v, char **dir, struct strings *texts, struct strings *dirs) {
    closure_default_directories(v, LOADER_GLIBC, dirs);
    for (size_t i = 0; i < dirs->count; i++) {
        *dir = xasprintf("%s/gconv", dirs->at[i]);
        char *path = xasprintf("%s/gconv-modules", *dir);
        bool found = add_text(v, path, texts);
        free(path);
        if (found) {
            add_conf_files(v, *dir, texts);
            return true;
        }
        free(*dir);
    }
    *dir = NULL;
    return false;
}

static void add_modules(struct view *v, const char *charset, const char *dir, const struct strings *texts) {
    struct strings modules = {0};
    char *name = normal(charset), *next;
    for (int i = 0; i < ALIASES_MAX && (next = follow_alias(texts, name)); i++) {
        free(name);
        name = next;
    }
    find_modules(texts, name, &modules);
    if (!modules.count)
        complain("--gconv %s: no line of %s/gconv-modules or gconv-modules.d/*.conf is for it", charset, dir);
    for (size_t i = 0; i < modules.count; i++) {
        char *path = xasprintf("%s/%s", dir, modules.at[i]);
        if (!add_file(v, path))
            complain("--gconv %s: %s is listed in gconv-modules, but neither in the archive nor in a sysroot",
                     charset, path);
        free(path);
    }
    strings_free(&modules);
    free(name);
}

void gconv_add(struct view *v, const char *charset) {
    struct strings texts = {0}, dirs = {0};
    char *dir = NULL, *name = normal(charset);
    bool is_built_in = false;
    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
        is_built_in |= strcmp(built_in[i], name) == 0;
    if (is_built_in) {
        note("--gconv %s: glibc has it built in", charset);
    } else if (find_texts(v, &dir, &texts, &dirs)) {
        add_modules(v, charset, dir, &texts);
    } else {
        complain("--gconv %s: there is no gconv/gconv-modules in the library directories", charset);
        closure_tell_places(v, &dirs);
        complain_more("give the root of a glibc that has them: --sysroot DIR (Debian: libc6 for riscv64)");
    }
    strings_free(&texts);
    strings_free(&dirs);
    free(dir);
    free(name);
}
