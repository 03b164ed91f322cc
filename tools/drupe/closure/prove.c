// SPDX-License-Identifier: MIT
#include "closure/prove.h"
#include <stdlib.h>
#include <string.h>

// ---- libcs ----

void prove_one_libc(const struct closure *c) {
    for (size_t i = 1; i < c->count && c->loader->kind == LOADER_GLIBC; i++) {
        const struct loaded *l = &c->all[i];
        if (!strings_have(&l->object->needed, "libc.so") || !is_new(xasprintf("%s two libcs", l->path)))
            continue;
        complain("/%s is for musl, and /%s, which needs it, is for glibc", l->path, c->all[l->by].path);
        complain_more("found as   %s", l->object->host);
        complain_more("give a sysroot that has it for glibc, before the one that this is of (--sysroot DIR)");
    }
}

// ---- versions ----

static char *join(const struct strings *s) {
    char *all = xstrdup("");
    for (size_t i = 0; i < s->count; i++) {
        char *longer = xasprintf("%s%s%s", all, i ? " " : "", s->at[i]);
        free(all);
        all = longer;
    }
    return all;
}

// Whether it has been said already that a file of this name is missing.
static bool is_missing(const struct closure *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        for (size_t n = 0; n < c->all[i].needs_count; n++)
            if (c->all[i].needs[n].index == SIZE_MAX && strcmp(c->all[i].needs[n].name, name) == 0)
                return true;
    return false;
}

static void report_mismatch(const struct closure *c, const struct loaded *l, const struct version_need *need,
                            const struct loaded *from) {
    const struct versions *has = &from->object->versions;
    bool is_fatal = has->defines && !need->weak && c->loader->kind != LOADER_MUSL;
    char *what = xasprintf("/%s needs version %s of %s, which /%s does not define%s", l->path, need->version,
                           need->file, from->path, has->defines ? "" : ": it has no versions");
    if (is_new(xstrdup(what))) {
        char *defined = join(&has->defined);
        if (is_fatal)
            complain("%s", what);
        else
            note("%s; the loader goes on all the same", what);
        complain_more("needed by  %s", l->object->host);
        complain_more("found in   %s", from->object->host);
        if (has->defined.count)
            complain_more("it defines %s", defined);
        complain_more("they are of different releases; take both from the same one");
        free(defined);
    }
    free(what);
}

static void prove_version(const struct closure *c, const struct loaded *l, const struct version_need *need) {
    size_t index = closure_find(c, need->file);
    if (index != SIZE_MAX) {
        if (!strings_have(&c->all[index].object->versions.defined, need->version))
            report_mismatch(c, l, need, &c->all[index]);
    } else if (c->loader->kind != LOADER_MUSL && !is_missing(c, need->file) &&
               is_new(xasprintf("%s %s", l->path, need->file))) {
        complain("/%s needs version %s of %s, but it does not need %s itself, nor does any of its libraries",
                 l->path, need->version, need->file, need->file);
        complain_more("needed by  %s; was it changed after it was linked?", l->object->host);
    }
}

void prove_versions(const struct closure *c) {
    for (size_t i = 0; i < c->count; i++) {
        const struct versions *versions = &c->all[i].object->versions;
        for (size_t n = 0; n < versions->needs_count; n++)
            prove_version(c, &c->all[i], &versions->needs[n]);
    }
}

// ---- symbols ----

#define SYMBOLS_TOLD 20

// musl's loader does not look at versions.
static bool is_defined_in(const struct closure *c, const struct object *o, const struct symbol *symbol) {
    return symbols_define(&o->symbols, symbol->name, c->loader->kind == LOADER_MUSL ? NULL : symbol->version);
}

static bool is_defined(struct view *v, const struct closure *c, const struct symbol *symbol) {
    for (size_t i = 0; i < c->count; i++)
        if (is_defined_in(c, c->all[i].object, symbol))
            return true;
    if (c->all[0].object->interp)
        return false;
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e))
        if (S_ISREG(e->mode) && is_defined_in(c, entry_object(e), symbol))
            return true;
    return false;
}

static void tell_symbols(const struct closure *c, const struct loaded *l, const struct strings *lacking) {
    size_t count = lacking->count;
    complain("/%s needs %zu symbol%s that nothing %s defines:", l->path, count, count == 1 ? "" : "s",
             c->all[0].object->interp ? "it is loaded with" : "in the archive");
    for (size_t i = 0; i < count && i < SYMBOLS_TOLD; i++)
        complain_more("symbol     %s", lacking->at[i]);
    if (count > SYMBOLS_TOLD)
        complain_more("and %zu more", count - SYMBOLS_TOLD);
    complain_more("needed by  %s", l->object->host);
    if (l != &c->all[0])
        complain_more("loaded for %s", c->all[0].object->host);
}

void prove_symbols(struct view *v, const struct closure *c) {
    for (size_t i = 0; i < c->count; i++) {
        const struct loaded *l = &c->all[i];
        const struct symbols *symbols = &l->object->symbols;
        struct strings lacking = {0};
        for (size_t n = 0; n < symbols->undefined_count; n++) {
            const struct symbol *symbol = &symbols->undefined[n];
            if (is_defined(v, c, symbol) || !is_new(xasprintf("%s %s", l->path, symbol->name)))
                continue;
            char *name = xasprintf("%s%s%s", symbol->name, symbol->version ? ", version " : "",
                                   symbol->version ? symbol->version : "");
            strings_add(&lacking, name);
            free(name);
        }
        if (lacking.count)
            tell_symbols(c, l, &lacking);
        strings_free(&lacking);
    }
}
