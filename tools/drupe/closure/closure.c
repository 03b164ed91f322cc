// SPDX-License-Identifier: MIT
// The order of the search is ld.so(8)'s for glibc and that of musl's ldso/dynlink.c for musl:
//   glibc: DT_RPATH of the object and of those it was needed by, unless one has DT_RUNPATH; DT_RUNPATH of the
//   object; ld.so.conf;
//          the default directories. Files for another machine are passed over.
//   musl:  DT_RPATH or DT_RUNPATH (one and the same to it) of the object and of those it was needed by; the
//   path file, or the
//          default directories. The names of libc's own parts are the loader itself.
#include "closure/closure.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/prove.h"
#include "closure/silent.h"

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
static const char *const musl_path_file = "/etc/ld-musl-riscv64.path";

// ---- where the loader looks ----

static char *read_guest_file(struct view *v, const char *path) {
    struct found f;
    size_t size;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return NULL;
    return found_read(&f, &size);
}

static void add_directory(struct strings *dirs, const char *dir) {
    if (*dir && !strings_have(dirs, dir))
        strings_add(dirs, dir);
}

static void add_conf(struct view *v, const char *path, struct strings *dirs, int depth);

static void add_conf_glob(struct view *v, const char *pattern, struct strings *dirs, int depth) {
    char full[PATHNAME_MAX + 1];
    if (pathname_join("etc", pattern, full, sizeof(full)))
        return;
    char *parent = xstrndup(full, pathname_parent_length(full));
    struct strings names = {0};
    struct found f;
    if (view_resolve(v, parent, 0, &f) == 0)
        view_list(v, f.path, &names);
    for (size_t i = 0; i < names.count; i++)
        if (fnmatch(pathname_base(full), names.at[i], FNM_PERIOD) == 0) {
            char *path = xasprintf("%s/%s", parent, names.at[i]);
            add_conf(v, path, dirs, depth + 1);
            free(path);
        }
    strings_free(&names);
    free(parent);
}

// ld.so.conf: a directory on each line, `include GLOB`, comments.
static void add_conf(struct view *v, const char *path, struct strings *dirs, int depth) {
    char *text = depth < 8 ? read_guest_file(v, path) : NULL, *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        line[strcspn(line, "#")] = '\0';
        line += strspn(line, " \t\r");
        for (size_t n = strlen(line); n && strchr(" \t\r/", line[n - 1]); n--)
            line[n - 1] = '\0';
        if (strncmp(line, "include", 7) == 0 && (line[7] == ' ' || line[7] == '\t'))
            add_conf_glob(v, line + 7 + strspn(line + 7, " \t"), dirs, depth);
        else if (*line == '/')
            add_directory(dirs, line);
    }
    free(text);
}

static void add_list(const char *const *list, struct strings *dirs) {
    for (; *list; list++)
        add_directory(dirs, *list);
}

void closure_default_directories(struct view *v, enum loader loader, struct strings *dirs) {
    if (loader != LOADER_MUSL) {
        add_conf(v, "/etc/ld.so.conf", dirs, 0);
        add_list(glibc_directories, dirs);
    }
    if (loader != LOADER_GLIBC) {
        char *text = read_guest_file(v, musl_path_file), *rest = text;
        for (char *dir; text && (dir = strsep(&rest, ":\n"));)
            add_directory(dirs, dir);
        if (!text)
            add_list(musl_directories, dirs);
        free(text);
    }
}

// Replaces $ORIGIN and $LIB, with or without braces, in one element of an rpath. A NULL result: another
// token, which nothing matches.
static char *expand(const char *element, const char *origin, const char *lib) {
    char *out = xstrdup("");
    while (*element) {
        size_t plain = strcspn(element, "$");
        const char *value = NULL, *token = element + plain;
        size_t length = 0;
        if (strncmp(token, "$ORIGIN", length = 7) == 0 || strncmp(token, "${ORIGIN}", length = 9) == 0)
            value = origin;
        else if (strncmp(token, "$LIB", length = 4) == 0 || strncmp(token, "${LIB}", length = 6) == 0)
            value = lib;
        if (*token && !value) {
            free(out);
            return NULL;
        }
        char *longer = xasprintf("%s%.*s%s", out, (int)plain, element, value ? value : "");
        free(out);
        out = longer;
        element = token + (value ? length : 0);
    }
    return out;
}

static void add_rpath(const struct loaded *l, const char *rpath, struct strings *dirs) {
    char *copy = xstrdup(rpath), *rest = copy;
    char *origin = xasprintf("/%.*s", (int)pathname_parent_length(l->found_as), l->found_as);
    for (char *element; (element = strsep(&rest, ":"));) {
        static const char *const libs[] = {"lib/riscv64-linux-gnu", "lib"};
        size_t variants = strstr(element, "LIB") ? 2 : 1;
        for (size_t i = 0; i < variants; i++) {
            char *dir = expand(element, strcmp(origin, "/") == 0 ? "" : origin, libs[i]);
            if (dir && *dir == '/')
                add_directory(dirs, dir);
            free(dir);
        }
    }
    free(origin);
    free(copy);
}

// The directories searched for what all[index] needs, in order.
static void search_path(struct view *v, const struct closure *c, size_t index, struct strings *dirs) {
    const struct loaded *l = &c->all[index];
    bool musl = c->loader == LOADER_MUSL;
    for (size_t i = index;; i = c->all[i].by) {
        const struct object *o = c->all[i].object;
        const char *path = musl && o->runpath ? o->runpath : o->rpath;
        if (path && (musl || (!o->runpath && !l->object->runpath)))
            add_rpath(&c->all[i], path, dirs);
        if (c->all[i].by == i)
            break;
    }
    if (!musl && l->object->runpath)
        add_rpath(l, l->object->runpath, dirs);
    closure_default_directories(v, c->loader, dirs);
}

// ---- the closure of one program ----

static enum loader loader_of(const struct object *o) {
    const char *name = o->interp ? o->interp : o->soname ? o->soname : "";
    if (strstr(name, "ld-musl") ||
        (!o->interp && (strings_have(&o->needed, "libc.so") || strcmp(name, "libc.so") == 0)))
        return LOADER_MUSL;
    if (strstr(name, "ld-linux") || strings_have(&o->needed, "libc.so.6") || strcmp(name, "libc.so.6") == 0)
        return LOADER_GLIBC;
    return LOADER_UNKNOWN;
}

// musl's loader is its libc: these names never lead to a file.
static bool musl_own_name(const char *name) {
    static const char *const parts[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};
    if (strncmp(name, "lib", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (strncmp(name + 3, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

static size_t add_loaded(struct closure *c, const char *name, const char *found_as, const char *path,
                         struct object *o, size_t by) {
    c->all = xrealloc(c->all, (c->count + 1) * sizeof(*c->all));
    c->all[c->count] = (struct loaded){
        .object = o, .name = xstrdup(name), .found_as = xstrdup(found_as), .path = xstrdup(path), .by = by};
    return c->count++;
}

void closure_add_need(struct closure *c, size_t index, enum need_kind kind, const char *name, size_t found) {
    struct loaded *l = &c->all[index];
    l->needs = xrealloc(l->needs, (l->needs_count + 1) * sizeof(*l->needs));
    l->needs[l->needs_count++] = (struct need){.name = name, .kind = kind, .index = found};
}

size_t closure_find(const struct closure *c, const char *name) {
    for (size_t i = 0; i < c->count; i++) {
        const struct object *o = c->all[i].object;
        if ((i && strcmp(c->all[i].name, name) == 0) ||
            (c->loader != LOADER_MUSL && o->soname && strcmp(o->soname, name) == 0))
            return i;
    }
    return SIZE_MAX;
}

static size_t find_path(const struct closure *c, const char *path) {
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->all[i].path, path) == 0)
            return i;
    return SIZE_MAX;
}

// Tries one guest path: found, it goes into the tree, and the index in the closure is given. SIZE_MAX: not
// there; a file that is there but cannot be used is told of in *unusable.
static size_t try_path(struct view *v, struct closure *c, const char *name, const char *path, size_t by,
                       char **unusable) {
    struct found f;
    char found_as[PATHNAME_MAX + 1];
    int err = view_resolve(v, path, 0, &f);
    if (err == -ELOOP && !*unusable)
        *unusable = xasprintf("%s is a loop of symlinks", path);
    if (err || !S_ISREG(f.st.st_mode) || pathname_normalise(path, found_as, sizeof(found_as)))
        return SIZE_MAX;
    struct object *o = found_object(&f);
    if (o->kind != OBJECT_ELF) {
        if (!*unusable)
            *unusable = xasprintf("/%s (%s) %s", f.path, o->host,
                                  o->kind == OBJECT_BAD ? o->problem : "is no ELF file");
        return SIZE_MAX;
    }
    view_resolve(v, path, VIEW_ADD, &f);
    view_add(v, &f)->examined = true; // here and now, with the rpaths of those that need it
    size_t known = find_path(c, f.path);
    return known != SIZE_MAX ? known : add_loaded(c, name, found_as, f.path, o, by);
}

static void report_missing(struct view *v, const struct loaded *l, const char *name,
                           const struct strings *dirs, const char *unusable) {
    if (unusable)
        complain("/%s needs %s, but %s", l->path, name, unusable);
    else
        complain("/%s needs %s, which is in none of the places searched:", l->path, name);
    complain_more("needed by  %s", l->object->host);
    closure_tell_places(v, dirs);
}

void closure_tell_places(const struct view *v, const struct strings *dirs) {
    for (size_t i = 0; i < dirs->count; i++)
        complain_more("searched   %s", dirs->at[i]);
    for (size_t i = 0; i < v->sysroots.count; i++)
        complain_more("in sysroot %s", *v->sysroots.at[i] ? v->sysroots.at[i] : "/");
    if (!v->sysroots.count && !v->complete)
        complain_more("in no sysroot: none was given (--sysroot DIR)");
}

// A library that no program here needs is opened by name (a plugin): whoever does that may have what it needs
// already, found through an rpath of its own.
bool closure_is_in_tree(struct view *v, const char *name) {
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e))
        if (!S_ISDIR(e->mode) && strcmp(pathname_base(e->path), name) == 0)
            return true;
    return false;
}

size_t closure_search(struct view *v, struct closure *c, size_t index, const char *name, struct strings *dirs,
                      char **unusable) {
    size_t found = closure_find(c, name);
    bool has_slash = strchr(name, '/') != NULL;
    if (found == SIZE_MAX && has_slash && *name == '/')
        found = try_path(v, c, name, name, index, unusable);
    if (found == SIZE_MAX && !has_slash) {
        search_path(v, c, index, dirs);
        for (size_t i = 0; i < dirs->count && found == SIZE_MAX; i++) {
            char *path = xasprintf("%s/%s", dirs->at[i], name);
            found = try_path(v, c, name, path, index, unusable);
            free(path);
        }
    }
    if (found == SIZE_MAX && c->loader == LOADER_MUSL && musl_own_name(name) && c->all[0].needs_count)
        found = c->all[0].needs[0].index;
    return found;
}

static void find_needed(struct view *v, struct closure *c, size_t index, const char *name) {
    char *unusable = NULL;
    struct strings dirs = {0};
    size_t found = closure_search(v, c, index, name, &dirs, &unusable);
    if (found == SIZE_MAX && (c->all[0].object->interp || !closure_is_in_tree(v, name)))
        report_missing(v, &c->all[index], name, &dirs, unusable);
    closure_add_need(c, index, NEED_NEEDED, name, found);
    strings_free(&dirs);
    free(unusable);
}

static void add_interpreter(struct view *v, struct closure *c) {
    const struct object *o = c->all[0].object;
    char *unusable = NULL;
    struct strings here = {0};
    size_t found = try_path(v, c, o->interp, o->interp, 0, &unusable);
    strings_add(&here, o->interp);
    if (found == SIZE_MAX)
        report_missing(v, &c->all[0], o->interp, &here, unusable);
    closure_add_need(c, 0, NEED_LOADER, o->interp, found);
    strings_free(&here);
    free(unusable);
}

void closure_of(struct view *v, const char *path, struct closure *c) {
    struct found f;
    *c = (struct closure){0};
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return;
    struct object *o = found_object(&f);
    add_loaded(c, path, f.path, f.path, o, 0);
    if (o->kind == OBJECT_BAD)
        complain("/%s (%s) %s", f.path, o->host, o->problem);
    if (o->kind != OBJECT_ELF)
        return;
    if (f.entry)
        f.entry->examined = true;
    c->loader = loader_of(o);
    if (o->interp)
        add_interpreter(v, c);
    // All that is NEEDED comes first, as at run time, then what each of these opens, with what that needs.
    for (size_t i = 0, k = 0; i < c->count || k < c->count;) {
        for (; i < c->count; i++)
            for (size_t n = 0; n < c->all[i].object->needed.count; n++)
                find_needed(v, c, i, c->all[i].object->needed.at[n]);
        silent_add(v, c, k++);
    }
    silent_add_hints(v, c);
    prove_versions(c);
    if (v->check_symbols)
        prove_symbols(v, c);
}

void closure_free(struct closure *c) {
    for (size_t i = 0; i < c->count; i++) {
        free(c->all[i].name);
        free(c->all[i].found_as);
        free(c->all[i].path);
        free(c->all[i].needs);
    }
    free(c->all);
    *c = (struct closure){0};
}

// ---- all closures ----

// What a script needs and nobody has: an error for a script that was asked for by name, a note for one in a
// directory, where examples and the like may lie around.
static void report_script(const struct entry *script, const char *what) {
    if (script->named)
        complain("the script /%s (%s) needs %s, which is neither in the archive nor in a sysroot",
                 script->path, script->host, what);
    else
        note("the script /%s needs %s, which is neither in the archive nor in a sysroot", script->path, what);
}

static bool add_program(struct view *v, const char *path) {
    struct found f;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return false;
    view_resolve(v, path, VIEW_ADD, &f);
    view_add(v, &f)->named = true;
    return true;
}

// The program that `#!/usr/bin/env NAME` will find.
static void add_env_program(struct view *v, const struct entry *script, const char *argument) {
    static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                       "/usr/bin",        "/sbin",          "/bin"};
    bool found = false;
    if (strncmp(argument, "-S", 2) == 0)
        argument += 2 + strspn(argument + 2, " \t");
    char *name = xstrndup(argument, strcspn(argument, " \t"));
    if (!*name || *name == '-' || strchr(name, '='))
        found = true; // options and variables: whatever env makes of them
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !found; i++) {
        char *path = xasprintf("%s/%s", dirs[i], name);
        found = add_program(v, path);
        free(path);
    }
    if (!found)
        report_script(script, name);
    free(name);
}

static void add_script_interpreter(struct view *v, const struct entry *script, const struct object *o) {
    const char *base = strrchr(o->interp, '/');
    if (!add_program(v, o->interp))
        report_script(script, o->interp);
    else if (base && strcmp(base, "/env") == 0 && o->interp_argument)
        add_env_program(v, script, o->interp_argument);
}

static void examine(struct view *v, struct entry *e, struct object *o) {
    struct closure c;
    e->examined = true;
    progress("looking at files", v->tree.count, 0);
    if (o->kind == OBJECT_SCRIPT) {
        add_script_interpreter(v, e, o);
    } else if (o->kind != OBJECT_OTHER) {
        closure_of(v, e->path, &c);
        closure_free(&c);
    }
}

void closure_complete(struct view *v) {
    struct entry **libraries = NULL;
    size_t count = 0;
    // Programs first: most libraries are seen as theirs.
    while (v->tree.pending_count) {
        struct entry *e = v->tree.pending[--v->tree.pending_count];
        struct object *o = entry_object(e);
        if (e->examined)
            continue;
        if (o->kind == OBJECT_ELF && !o->interp) {
            libraries = xrealloc(libraries, (count + 1) * sizeof(struct entry *));
            libraries[count++] = e;
        } else {
            examine(v, e, o);
        }
    }
    for (size_t i = 0; i < count; i++)
        if (!libraries[i]->examined)
            examine(v, libraries[i], entry_object(libraries[i]));
    free(libraries);
    progress_end();
    silent_tell_hints(v);
}
