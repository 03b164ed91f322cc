// SPDX-License-Identifier: MIT
#include "closure/preload.h"
#include <stdlib.h>
#include <string.h>

#define PRELOAD "/etc/ld.so.preload"

// Looks for one; false: it is not there, which a note tells.
static bool add_one(struct view *v, struct closure *c, const char *name, enum need_kind kind,
                    const char *where) {
    struct strings dirs = {0};
    char *unusable = NULL;
    size_t found = closure_search(v, c, 0, name, &dirs, &unusable);
    if (found != SIZE_MAX) {
        closure_add_need(c, 0, kind, c->all[found].name, found);
    } else if (is_new(xasprintf("%s %s", where, name))) {
        note("%s names %s, which %s%s; the loader says so at each start, and goes on", where, name,
             unusable ? "cannot be used: " : "is neither in the archive nor in a sysroot",
             unusable ? unusable : "");
        for (size_t i = 0; i < dirs.count && !unusable; i++)
            complain_more("searched   %s", dirs.at[i]);
    }
    strings_free(&dirs);
    free(unusable);
    return found != SIZE_MAX;
}

// Those of a list; whether there was one of them.
static bool add_list(struct view *v, struct closure *c, const char *list, const char *separators,
                     enum need_kind kind, const char *where) {
    char *copy = xstrdup(list), *rest = copy;
    bool any = false;
    for (char *name; (name = strsep(&rest, separators));)
        if (*name && add_one(v, c, name, kind, where))
            any = true;
    free(copy);
    return any;
}

// As glibc does it, who counts on from the first comment but looks from the start: of later ones something may
// stay, which it then tries to load.
static void drop_comments(char *text, size_t size) {
    for (char *at; (at = memchr(text, '#', size));) {
        size -= (size_t)(at - text);
        do
            *at = ' ';
        while (--size && *++at != '\n');
    }
}

// glibc's file: in the tree, or the system's from which the libraries come.
static void add_file(struct view *v, struct closure *c) {
    struct found f;
    size_t size;
    if (view_resolve(v, PRELOAD, 0, &f) || !S_ISREG(f.st.st_mode))
        return;
    char *text = found_read(&f, &size);
    drop_comments(text, size);
    bool any = add_list(v, c, text, " \t\n:", NEED_PRELOAD, PRELOAD);
    if (any && !f.entry) {
        view_resolve(v, PRELOAD, VIEW_ADD, &f);
        view_add(v, &f);
    }
    free(text);
}

void preload_add(struct view *v, struct closure *c) {
    const struct object *o = c->all[0].object;
    bool glibc = c->loader->kind == LOADER_GLIBC;
    for (size_t i = 0; glibc && i < o->audits.count; i++)
        add_list(v, c, o->audits.at[i], ":", NEED_AUDIT, "DT_AUDIT");
    if (glibc && v->audit)
        add_list(v, c, v->audit, ":", NEED_AUDIT, "LD_AUDIT");
    if (v->preload)
        add_list(v, c, v->preload, glibc ? " :" : " :\t\n", NEED_PRELOAD, "LD_PRELOAD");
    if (glibc)
        add_file(v, c);
}
