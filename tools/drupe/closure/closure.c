// SPDX-License-Identifier: MIT
#include "closure/closure.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/advice.h"
#include "closure/ldcache.h"
#include "closure/preload.h"
#include "closure/prove.h"
#include "closure/search.h"
#include "closure/silent.h"

const char *const need_kinds[] = {[NEED_LOADER] = " (loader)", [NEED_NEEDED] = "",
                                  [NEED_DLOPEN] = " (dlopen)", [NEED_SILENT] = " (opened by glibc)",
                                  [NEED_FILTER] = " (filter)", [NEED_PRELOAD] = " (preloaded)",
                                  [NEED_AUDIT] = " (audit)"};

static bool is_musl(const struct closure *c) {
    return c->loader->kind == LOADER_MUSL;
}

void closure_default_directories(struct view *v, enum loader_kind kind, struct strings *dirs) {
    if (kind != LOADER_MUSL) {
        const struct loader *glibc = loader_usual(v, LOADER_GLIBC);
        ldcache_directories(v, glibc, dirs);
        loader_directories(v, glibc, dirs);
    }
    if (kind != LOADER_GLIBC)
        loader_directories(v, loader_usual(v, LOADER_MUSL), dirs);
    size_t kept = 0;
    for (size_t i = 0; i < dirs->count; i++) {
        bool known = false;
        for (size_t k = 0; k < kept && !known; k++)
            known = strcmp(dirs->at[k], dirs->at[i]) == 0;
        if (known)
            free(dirs->at[i]);
        else
            dirs->at[kept++] = dirs->at[i];
    }
    dirs->count = kept;
}

// ---- the closure of one program

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
            (!is_musl(c) && o->soname && strcmp(o->soname, name) == 0))
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

// Puts a file of this machine where the loader will look for it, if it is for the target. False: it is not
// there, or not such a file.
static bool bring(struct view *v, const struct place *p) {
    struct found f;
    struct stat st;
    if (!p->host || stat(p->host, &st) < 0 || !S_ISREG(st.st_mode) ||
        object_of(p->host)->kind != OBJECT_ELF || view_resolve(v, p->path, VIEW_ADD | VIEW_MAY_LACK, &f) ||
        !*f.path || f.st.st_mode)
        return false;
    view_add_host(v, f.path, p->host, &st);
    return true;
}

// For the same machine and the same way to pass floating-point numbers: others are passed over by glibc.
static bool is_for_loader(const struct closure *c, const struct object *o) {
    const struct object *loader = c->loader->object;
    if (o->kind != OBJECT_ELF)
        return !o->wrong_machine;
    return is_musl(c) || !loader || !((loader->flags ^ o->flags) & EF_RISCV_FLOAT_ABI);
}

// Tries one place: found, it goes into the tree, and the index in the closure is given. SIZE_MAX: not there; a
// file that is there but cannot be used is told of in *unusable, and *stop is set where the loader gives up then.
static size_t try_place(struct view *v, struct closure *c, const char *name, const struct place *p, size_t by,
                        char **unusable, bool *stop) {
    struct found f;
    int err = p->path ? view_resolve(v, p->path, 0, &f) : -ENOENT;
    if (err && p->path && bring(v, p))
        err = view_resolve(v, p->path, 0, &f);
    if (err == -ELOOP) {
        *stop = is_musl(c);
        if (!*unusable)
            *unusable = xasprintf("%s is a loop of symlinks", p->path);
    }
    if (err || !S_ISREG(f.st.st_mode))
        return SIZE_MAX;
    struct object *o = found_object(&f);
    if (o->kind != OBJECT_ELF || !is_for_loader(c, o)) {
        *stop = is_musl(c) || is_for_loader(c, o);
        if (!*unusable)
            *unusable = xasprintf("/%s (%s) %s", f.path, o->host,
                                  o->kind == OBJECT_BAD   ? o->problem
                                  : o->kind == OBJECT_ELF ? "passes floating-point numbers in another way"
                                                          : "is no ELF file");
        return SIZE_MAX;
    }
    view_resolve(v, p->path, VIEW_ADD, &f);
    view_add(v, &f)->examined = true; // here and now, with the rpaths of those that need it
    size_t known = find_path(c, f.path);
    return known != SIZE_MAX ? known
                             : add_loaded(c, strchr(name, '/') ? p->path : name, p->path, f.path, o, by);
}

static void report_missing(struct view *v, const struct closure *c, size_t index, const char *name,
                           const struct strings *dirs, const char *unusable) {
    const struct loaded *l = &c->all[index];
    if (unusable)
        complain("/%s needs %s, but %s", l->path, name, unusable);
    else
        complain("/%s needs %s, which is in none of the places searched:", l->path, name);
    complain_more("needed by  %s", l->object->host);
    closure_tell_places(v, dirs);
    advise(v, c, index, name);
}

void closure_tell_places(const struct view *v, const struct strings *dirs) {
    for (size_t i = 0; i < dirs->count; i++)
        complain_more("searched   %s", dirs->at[i]);
    for (size_t i = 0; i < v->sysroots.count; i++)
        complain_more("in sysroot %s", *v->sysroots.at[i] ? v->sysroots.at[i] : "/");
    if (!v->sysroots.count && !v->complete)
        complain_more("in no sysroot: none was given (--sysroot DIR)");
    if (v->base)
        complain_more("in the kernel's own root (%s)", v->base->base_name);
}

// A library that no program here needs is opened by name (a plugin): whoever does that may have what it needs
// already, found through an rpath of its own.
bool closure_is_in_tree(struct view *v, const char *name) {
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e))
        if (!S_ISDIR(e->mode) && strcmp(pathname_base(e->path), name) == 0)
            return true;
    return false;
}

// A library that was found through ld.so.cache: would the loader find the same without one?
static void note_cache(struct view *v, const struct closure *c, const char *name, const char *path) {
    struct found f;
    for (size_t i = 0; i < c->loader->directories.count; i++) {
        char *usual = xasprintf("%s/%s", c->loader->directories.at[i], name);
        bool is_there = view_resolve(v, usual, 0, &f) == 0 && S_ISREG(f.st.st_mode);
        bool same = strcmp(usual, path) == 0;
        free(usual);
        if (is_there && same)
            return;
        if (is_there)
            break;
    }
    ldcache_used(v, c->loader);
}

static size_t search_in_places(struct view *v, struct closure *c, size_t index, const char *name,
                               struct strings *dirs, char **unusable) {
    struct places places = {0};
    size_t found = SIZE_MAX;
    bool stop = false;
    search_places(v, c, index, name, &places);
    for (size_t i = 0; i < places.count && found == SIZE_MAX && !stop; i++) {
        const struct place *p = &places.at[i];
        if (!strings_have(dirs, p->told))
            strings_add(dirs, p->told);
        found = try_place(v, c, name, p, index, unusable, &stop);
        if (found != SIZE_MAX && p->by_cache)
            note_cache(v, c, name, p->path);
    }
    places_free(&places);
    return found;
}

size_t closure_search(struct view *v, struct closure *c, size_t index, const char *name, struct strings *dirs,
                      char **unusable) {
    if (is_musl(c) && musl_own_name(name) && c->all[0].needs_count)
        return c->all[0].needs[0].index;
    size_t found = closure_find(c, name);
    return found != SIZE_MAX ? found : search_in_places(v, c, index, name, dirs, unusable);
}

static void find_needed(struct view *v, struct closure *c, size_t index, const char *name,
                        enum need_kind kind) {
    char *unusable = NULL;
    struct strings dirs = {0};
    size_t found = closure_search(v, c, index, name, &dirs, &unusable);
    // glibc leaves out what has a token in it that means nothing.
    bool is_void = !dirs.count && strchr(name, '$') && !c->without_proc && !is_musl(c);
    // That musl is missing has been said of the loader.
    is_void |= found == SIZE_MAX && is_musl(c) && musl_own_name(name) && c->all[0].needs_count;
    if (found == SIZE_MAX && !is_void && (c->all[0].object->interp || !closure_is_in_tree(v, name)))
        report_missing(v, c, index, name, &dirs, unusable);
    if (found != SIZE_MAX || !is_void)
        closure_add_need(c, index, kind, name, found);
    strings_free(&dirs);
    free(unusable);
}

// What is opened if it is there, and not missed if it is not.
static void find_auxiliary(struct view *v, struct closure *c, size_t index, const char *name) {
    char *unusable = NULL;
    struct strings dirs = {0};
    size_t found = closure_search(v, c, index, name, &dirs, &unusable);
    if (found != SIZE_MAX)
        closure_add_need(c, index, NEED_FILTER, name, found);
    strings_free(&dirs);
    free(unusable);
}

static void find_all_needed(struct view *v, struct closure *c, size_t index) {
    const struct object *o = c->all[index].object;
    for (size_t n = 0; n < o->needed.count; n++)
        find_needed(v, c, index, o->needed.at[n], NEED_NEEDED);
    for (size_t n = 0; n < o->filters.count && !is_musl(c); n++)
        find_needed(v, c, index, o->filters.at[n], NEED_FILTER);
    for (size_t n = 0; n < o->auxiliaries.count && !is_musl(c); n++)
        find_auxiliary(v, c, index, o->auxiliaries.at[n]);
}

static void add_interpreter(struct view *v, struct closure *c) {
    const struct object *o = c->all[0].object;
    struct place p = {.path = o->interp};
    char *unusable = NULL;
    struct strings here = {0};
    bool stop;
    size_t found = try_place(v, c, o->interp, &p, 0, &unusable, &stop);
    strings_add(&here, o->interp);
    if (found == SIZE_MAX)
        report_missing(v, c, 0, o->interp, &here, unusable);
    closure_add_need(c, 0, NEED_LOADER, o->interp, found);
    strings_free(&here);
    free(unusable);
}

// musl's path file goes in with the programs that it steers.
static void add_path_file(struct view *v, const struct loader *l) {
    struct found f;
    if (l->path_file && view_resolve(v, l->path_file, 0, &f) == 0 && S_ISREG(f.st.st_mode) && !f.entry) {
        view_resolve(v, l->path_file, VIEW_ADD, &f);
        view_add(v, &f);
    }
}

// The cross compiler's libraries are for the programs whose loader is there.
static bool is_loaded_elsewhere(struct view *v, const struct object *o) {
    struct found f;
    if (!v->cross)
        return false;
    v->hide_cross = true;
    bool there =
        o->interp ? view_resolve(v, o->interp, 0, &f) == 0 : loader_of_library(v, o)->kind == LOADER_MUSL;
    v->hide_cross = false;
    return there;
}

static void collect(struct view *v, struct closure *c) {
    const struct object *o = c->all[0].object;
    c->loader = o->interp ? loader_of_program(v, o->interp) : loader_of_library(v, o);
    if (o->interp) {
        add_interpreter(v, c);
        add_path_file(v, c->loader);
        preload_add(v, c);
    }
    // All that is NEEDED comes first, as at run time, then what each of these opens, with what that needs.
    for (size_t i = 0, k = 0; i < c->count || k < c->count;) {
        for (; i < c->count; i++)
            find_all_needed(v, c, i);
        silent_add(v, c, k++);
    }
    silent_add_hints(v, c);
    prove_one_libc(c);
    prove_versions(c);
    if (v->check_symbols)
        prove_symbols(v, c);
}

static void find_closure(struct view *v, const char *path, bool without_proc, struct closure *c) {
    struct found f;
    *c = (struct closure){.without_proc = without_proc};
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode))
        return;
    struct object *o = found_object(&f);
    add_loaded(c, path, f.path, f.path, o, 0);
    if (o->kind == OBJECT_BAD)
        complain("/%s (%s) %s", f.path, o->host, o->problem);
    if (o->kind == OBJECT_BAD)
        advise_bad(v, o);
    if (f.entry && (o->kind == OBJECT_BAD || o->kind == OBJECT_ELF))
        f.entry->examined = true;
    if (o->kind != OBJECT_ELF)
        return;
    v->hide_cross = is_loaded_elsewhere(v, o);
    collect(v, c);
    v->hide_cross = false;
}

void closure_of(struct view *v, const char *path, struct closure *c) {
    find_closure(v, path, false, c);
}

void closure_without_proc(struct view *v, const char *path, struct closure *c) {
    enum saying old = set_saying(SAY_NOTHING);
    find_closure(v, path, true, c);
    set_saying(old);
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
static void report_script(const struct view *v, const struct entry *script, const char *what) {
    if (script->named)
        complain("the script /%s (%s) needs %s, which is neither in the archive nor in a sysroot",
                 script->path, script->host, what);
    else
        note("the script /%s needs %s, which is neither in the archive nor in a sysroot", script->path, what);
    if (script->named || what[strlen(what) - 1] == '\r')
        advise_script(v, script, what);
}

// The interpreter of a script, or what env is to start; false: it is not there, or no program.
static bool add_program(struct view *v, const char *path) {
    struct found f;
    if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode) || !(f.st.st_mode & 0111))
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
        report_script(v, script, name);
    free(name);
}

static void add_script_interpreter(struct view *v, const struct entry *script, const struct object *o) {
    const char *base = strrchr(o->interp, '/'), *argument = o->interp_argument;
    if (!add_program(v, o->interp)) {
        report_script(v, script, o->interp);
    } else if (base && strcmp(base, "/env") == 0 && argument) {
        add_env_program(v, script, argument);
    } else if (argument && argument[strlen(argument) - 1] == '\r') {
        note("the script /%s starts %s with the argument %s", script->path, o->interp, argument);
        advise_script(v, script, argument);
    }
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

static void examine_pending(struct view *v) {
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
}

void closure_program(struct view *v, const char *path) {
    struct entry **others = v->tree.pending;
    size_t count = v->tree.pending_count;
    struct found f;
    if (view_resolve(v, path, 0, &f) || !f.entry)
        return;
    v->tree.pending = NULL;
    v->tree.pending_count = 0;
    f.entry->named = true;
    examine(v, f.entry, entry_object(f.entry));
    examine_pending(v);
    free(v->tree.pending);
    v->tree.pending = others;
    v->tree.pending_count = count;
}

void closure_complete(struct view *v) {
    examine_pending(v);
    progress_end();
    silent_tell_hints(v);
    if (!v->complete)
        ldcache_finish(v);
}
