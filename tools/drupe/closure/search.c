// SPDX-License-Identifier: MIT
#include "closure/search.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "closure/ldcache.h"

// Who names a place, as glibc's and musl's rules need it.
struct context {
    struct view *v;
    const struct closure *c;
    size_t index;     // whose list it is
    const char *name; // what is looked for
    struct places *places;
};

static bool is_musl(const struct closure *c) {
    return c->loader->kind == LOADER_MUSL;
}

// ---- places

static void add_place(const struct context *x, struct place p) {
    struct places *all = x->places;
    if ((all->count & (all->count - 1)) == 0)
        all->at = xrealloc(all->at, (all->count ? 2 * all->count : 1) * sizeof(*all->at));
    all->at[all->count++] = p;
}

void places_free(struct places *p) {
    for (size_t i = 0; i < p->count; i++) {
        free(p->at[i].path);
        free(p->at[i].told);
        free(p->at[i].host);
    }
    free(p->at);
    *p = (struct places){0};
}

// Relative paths count from where the program is started: the root, for an init and in `drupe run`.
static char *absolute(const char *path) {
    return *path == '/' ? xstrdup(path) : xasprintf("/%s", path);
}

// ---- where an object is

// The directory of a path, as the loaders take it: glibc keeps the slash of the root, musl does not.
static char *directory_of(const char *path, bool musl) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path && !musl ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

// $ORIGIN of all[index]: of the program, where it really is; of a library, as its path was put together.
static char *origin_of(const struct context *x) {
    const struct loaded *l = &x->c->all[x->index];
    char *path = !x->index       ? xasprintf("/%s", l->path)
                 : is_musl(x->c) ? xstrdup(l->found_as)
                                 : absolute(l->found_as);
    char *origin = directory_of(path, is_musl(x->c));
    free(path);
    return origin;
}

// The same on this machine, for an object that was brought from a place of its own here; else NULL.
static char *host_origin_of(const struct context *x) {
    char real[PATH_MAX];
    const struct loaded *l = &x->c->all[x->index];
    const struct entry *e = tree_find(&x->v->tree, l->path);
    if (!e || !e->host || e->bytes || !realpath(e->host, real))
        return NULL;
    for (size_t i = 0; i < x->v->sysroots.count; i++)
        if (pathname_is_below(real, x->v->sysroots.at[i]) && *x->v->sysroots.at[i])
            return NULL;
    return directory_of(real, false);
}

// ---- tokens

// The length of a token at a dollar sign, with or without braces; 0: it is not this one.
static size_t token_length(const char *at, const char *name) {
    size_t length = strlen(name);
    bool braces = at[1] == '{';
    const char *behind = at + 1 + braces + length;
    if (strncmp(at + 1 + braces, name, length) != 0 || (braces && *behind != '}'))
        return 0;
    if (!braces && (isalnum((unsigned char)*behind) || *behind == '_'))
        return 0;
    return length + 1 + (braces ? 2 : 0);
}

// As glibc does: what is no token stays; NULL where one has no value.
static char *expand(const char *text, const char *origin, const char *lib) {
    char *out = xstrdup("");
    while (*text) {
        size_t plain = strcspn(text, "$"), length;
        const char *at = text + plain, *value = "";
        if (!*at)
            length = 0;
        else if ((length = token_length(at, "ORIGIN")))
            value = origin;
        else if ((length = token_length(at, "LIB")))
            value = lib;
        else if ((length = token_length(at, "PLATFORM")))
            value = NULL; // the kernel names none, neither Linux's nor ours
        if (!value) {
            free(out);
            return NULL;
        }
        if (*at && !length)
            plain++; // the dollar sign itself
        char *longer = xasprintf("%s%.*s%s", out, (int)plain, text, value);
        free(out);
        out = longer;
        text += plain + length;
    }
    return out;
}

// musl knows $ORIGIN alone: with anything else the whole list is void.
static bool musl_takes(const char *list) {
    for (const char *at = list; (at = strchr(at, '$')); at++)
        if (strncmp(at, "$ORIGIN", 7) != 0 && strncmp(at, "${ORIGIN}", 9) != 0)
            return false;
    return true;
}

static char *expand_musl(const char *text, const char *origin) {
    char *out = xstrdup("");
    while (*text) {
        size_t plain = strcspn(text, "$");
        char *longer = xasprintf("%s%.*s%s", out, (int)plain, text, text[plain] ? origin : "");
        free(out);
        out = longer;
        text += plain;
        if (*text)
            text += text[1] == '{' ? 9 : 7;
    }
    return out;
}

static char *expand_for(const struct context *x, const char *text, const char *origin, const char *lib) {
    return is_musl(x->c) ? expand_musl(text, origin) : expand(text, origin, lib);
}

// ---- one element of a list, or a name with a slash

// What an element is, expanded, with the name behind it (NULL: it is a path itself).
static void add_element(const struct context *x, const char *element, const char *name, const char *lib) {
    bool has_origin = strstr(element, "ORIGIN") != NULL && strchr(element, '$');
    bool by_program = has_origin && x->index == 0;
    if (by_program && x->c->without_proc)
        return;
    char *origin = origin_of(x), *here = has_origin ? host_origin_of(x) : NULL;
    char *text = expand_for(x, element, origin, lib);
    char *host = here ? expand_for(x, element, here, lib) : NULL;
    if (text && !host && *text != '/' && !x->v->complete)
        host = xstrdup(*text ? text : ".");
    if (text && (*text || !is_musl(x->c))) {
        size_t length = strlen(text);
        while (name && length > 1 && text[length - 1] == '/')
            text[--length] = '\0';
        const char *slash = *text && strcmp(text, "/") != 0 ? "/" : "";
        struct place p = {.by_program = by_program, .told = absolute(text)};
        p.path = name ? xasprintf("%s%s%s", text, slash, name) : xstrdup(text);
        p.host = host && name ? xasprintf("%s/%s", host, name) : host ? xstrdup(host) : NULL;
        add_place(x, p);
    }
    free(origin);
    free(here);
    free(text);
    free(host);
}

static void add_expanded(const struct context *x, const char *element, const char *name) {
    const struct strings *libs = &x->c->loader->libs;
    size_t variants = strstr(element, "LIB") && libs->count ? libs->count : 1;
    for (size_t i = 0; i < variants; i++)
        add_element(x, element, name, libs->count ? libs->at[i] : "lib");
}

// A list of directories, as in DT_RUNPATH and LD_LIBRARY_PATH, of all[index].
static void add_list(const struct context *like, size_t index, const char *list, const char *separators) {
    struct context x = *like;
    x.index = index;
    if (!*list || (is_musl(x.c) && !musl_takes(list)))
        return;
    if (is_musl(x.c) && x.c->without_proc && index == 0 && strchr(list, '$'))
        return; // all of it is void then
    char *copy = xstrdup(list), *rest = copy;
    for (char *element; (element = strsep(&rest, separators));)
        if (*element || !is_musl(x.c))
            add_expanded(&x, element, x.name);
    free(copy);
}

static void add_directories(const struct context *x, const struct strings *dirs) {
    for (size_t i = 0; i < dirs->count; i++) {
        struct place p = {.told = xstrdup(dirs->at[i])};
        p.path = xasprintf("%s/%s", dirs->at[i], x->name);
        add_place(x, p);
    }
}

// ---- the two loaders

// To musl, $ORIGIN of a program in / is no directory. What is beside such a program here goes where its loader
// does look.
static void add_beside_root(const struct context *like, const char *list, const struct strings *dirs) {
    struct context x = *like;
    x.index = 0;
    char *here = list && strstr(list, "ORIGIN") && !strchr(x.c->all[0].path, '/') ? host_origin_of(&x) : NULL;
    if (here && dirs->count)
        add_place(&x, (struct place){.path = xasprintf("%s/%s", dirs->at[dirs->count - 1], x.name),
                                     .told = xstrdup(here),
                                     .host = xasprintf("%s/%s", here, x.name)});
    free(here);
}

static void add_musl(const struct context *x) {
    const struct closure *c = x->c;
    struct strings dirs = {0};
    if (x->v->library_path)
        add_list(x, 0, x->v->library_path, ":\n");
    for (size_t i = x->index;; i = c->all[i].by) {
        const struct object *o = c->all[i].object;
        const char *list = o->runpath ? o->runpath : o->rpath;
        if (list)
            add_list(x, i, list, ":\n");
        if (c->all[i].by == i)
            break;
    }
    loader_directories(x->v, c->loader, &dirs);
    add_directories(x, &dirs);
    add_beside_root(x, c->all[0].object->runpath ? c->all[0].object->runpath : c->all[0].object->rpath,
                    &dirs);
    strings_free(&dirs);
}

static bool is_in_system_directory(const struct loader *l, const char *path) {
    for (size_t i = 0; i < l->directories.count; i++) {
        size_t length = strlen(l->directories.at[i]);
        if (strncmp(path, l->directories.at[i], length) == 0 && path[length] == '/')
            return true;
    }
    return false;
}

static void add_cached(const struct context *x, bool only_elsewhere) {
    const struct loader *l = x->c->loader;
    char *path = ldcache_lookup(x->v, l, x->name), *told = ldcache_describe(x->v, l);
    if (path && !(only_elsewhere && is_in_system_directory(l, path)))
        add_place(x, (struct place){.path = xstrdup(path), .told = xstrdup(path), .by_cache = true});
    else if (told)
        add_place(x, (struct place){.told = xstrdup(told)});
    free(path);
    free(told);
}

static void add_glibc(const struct context *x) {
    const struct closure *c = x->c;
    const struct object *wants = c->all[x->index].object;
    for (size_t i = x->index; !wants->runpath; i = c->all[i].by) {
        const struct object *o = c->all[i].object;
        if (o->rpath && !o->runpath)
            add_list(x, i, o->rpath, ":");
        if (c->all[i].by == i)
            break;
    }
    if (x->v->library_path)
        add_list(x, 0, x->v->library_path, ":;");
    if (wants->runpath)
        add_list(x, x->index, wants->runpath, ":");
    add_cached(x, wants->no_default);
    if (!wants->no_default)
        add_directories(x, &c->loader->directories);
}

void search_places(struct view *v, const struct closure *c, size_t index, const char *name,
                   struct places *out) {
    struct context x = {.v = v, .c = c, .index = index, .name = name, .places = out};
    if (strchr(name, '/') && is_musl(c)) {
        add_place(&x, (struct place){.path = xstrdup(name),
                                     .told = xstrdup(name),
                                     .host = *name == '/' || v->complete ? NULL : xstrdup(name)});
    } else if (strchr(name, '/')) {
        add_expanded(&x, name, NULL);
    } else if (is_musl(c)) {
        add_musl(&x);
    } else {
        add_glibc(&x);
    }
}
