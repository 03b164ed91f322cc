// SPDX-License-Identifier: MIT
#include "closure/init.h"
#include <stdlib.h>
#include <string.h>

#define SCRIPTS_MAX 5

const char *init_find(struct view *v, const char *asked, bool *is_other) {
    static const char *const usual[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    struct found f;
    const char *first = asked ? asked : "/init";
    *is_other = false;
    if (view_resolve(v, first, 0, &f) == 0)
        return first;
    *is_other = true;
    for (size_t i = 0; !asked && i < sizeof(usual) / sizeof(usual[0]); i++)
        if (view_resolve(v, usual[i], 0, &f) == 0)
            return usual[i];
    return NULL;
}

static size_t find_named(const struct closure *c, const char *name) {
    for (size_t i = 0; i < c->count; i++)
        for (size_t n = 0; n < c->all[i].needs_count; n++)
            if (strcmp(c->all[i].needs[n].name, name) == 0)
                return c->all[i].needs[n].index;
    return SIZE_MAX;
}

static void tell(const struct closure *with, const char *init, const struct need *need, bool is_certain) {
    const char *program = with->all[0].path;
    const struct loaded *library = &with->all[find_named(with, need->name)];
    char *what =
        xasprintf("%s (/%s) finds %s by $ORIGIN, for which the loader asks /proc/self/exe: /proc is not "
                  "mounted yet when the init starts, neither here nor on Linux",
                  init, program, need->name);
    if (is_certain)
        complain("%s", what);
    else
        note("%s", what);
    complain_more("without $ORIGIN: patchelf --set-rpath /%.*s %s",
                  (int)pathname_parent_length(library->path), library->path, with->all[0].object->host);
    complain_more("or let the init be a script that ends with: mount -t proc proc /proc; exec /%s", program);
    free(what);
}

void init_check_origin(struct view *v, const char *init, bool is_certain) {
    struct closure with, without;
    struct found f;
    const char *path = init;
    for (int i = 0; i < SCRIPTS_MAX; i++) {
        if (view_resolve(v, path, 0, &f) || !S_ISREG(f.st.st_mode) || found_object(&f)->kind != OBJECT_SCRIPT)
            break;
        path = found_object(&f)->interp;
    }
    if (tree_find(&v->tree, "proc/self/exe"))
        return;
    enum saying old = set_saying(SAY_NOTHING);
    closure_of(v, path, &with);
    set_saying(old);
    closure_without_proc(v, path, &without);
    for (size_t i = 0; i < without.count; i++)
        for (size_t n = 0; n < without.all[i].needs_count; n++) {
            const struct need *need = &without.all[i].needs[n];
            if (need->index == SIZE_MAX && find_named(&with, need->name) != SIZE_MAX)
                tell(&with, init, need, is_certain);
        }
    closure_free(&with);
    closure_free(&without);
}
