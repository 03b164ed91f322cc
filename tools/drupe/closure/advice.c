// SPDX-License-Identifier: MIT
#include "closure/advice.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The option that puts a file of this machine at a guest path.
static char *option_for(const struct view *v, const char *host, const char *guest) {
    return v->command == COMMAND_RUN ? xasprintf("--file %s:%s", host, guest)
                                     : xasprintf("%s=%s", guest, host);
}

static const char *program_of(const struct view *v) {
    return v->command == COMMAND_RUN ? "drupe run" : v->command == COMMAND_DEPS ? "drupe deps" : "drupe pack";
}

// Where the loader would find a library of that name.
static char *good_place(const struct closure *c, const char *name) {
    if (strchr(name, '/'))
        return xasprintf("%s%s", *name == '/' ? "" : "/", name);
    const struct strings *dirs = &c->loader->directories;
    return xasprintf("%s/%s", dirs->count ? dirs->at[dirs->count - 1] : "/lib", name);
}

// The file is here, beside the one that needs it.
static bool advise_beside(const struct view *v, const struct loaded *l, const char *name, const char *place) {
    const char *slash = strrchr(l->object->host, '/');
    char *beside = xasprintf("%.*s%s", slash ? (int)(slash - l->object->host + 1) : 2,
                             slash ? l->object->host : "./", name);
    bool there = *name != '/' && access(beside, R_OK) == 0 && object_of(beside)->kind == OBJECT_ELF;
    if (there) {
        char *option = option_for(v, beside, place);
        complain_more("it is here: add %s", option);
        free(option);
    }
    free(beside);
    return there;
}

// It is in the archive, where the loader does not look.
static bool advise_path(struct view *v, const char *name) {
    for (struct entry *e = tree_first(&v->tree); e; e = tree_next(e)) {
        if (S_ISDIR(e->mode) || strcmp(pathname_base(e->path), name) != 0)
            continue;
        complain_more("it is there as /%s: if the program runs with LD_LIBRARY_PATH=/%.*s, add "
                      "--library-path /%.*s",
                      e->path, (int)pathname_parent_length(e->path), e->path,
                      (int)pathname_parent_length(e->path), e->path);
        return true;
    }
    return false;
}

static bool advise_cross(const struct view *v, const char *name) {
    char *path = *name == '/' ? xasprintf(CROSS_ROOT "%s", name) : xasprintf(CROSS_ROOT "/lib/%s", name);
    bool there = !v->cross && access(path, R_OK) == 0;
    for (size_t i = 0; i < v->sysroots.count; i++)
        there &= strcmp(v->sysroots.at[i], CROSS_ROOT) != 0;
    if (there)
        complain_more("the cross compiler has it: add --sysroot " CROSS_ROOT);
    free(path);
    return there;
}

void advise(struct view *v, const struct closure *c, size_t index, const char *name) {
    char *place = good_place(c, name);
    bool is_loader = index == 0 && c->all[0].object->interp && strcmp(name, c->all[0].object->interp) == 0;
    if (v->command == COMMAND_CHECK) {
        complain_more("pack it anew: drupe pack -s DIR ... adds it from DIR%s", place);
    } else if (!advise_beside(v, &c->all[index], name, place) && !(!is_loader && advise_path(v, name)) &&
               !(c->loader->kind != LOADER_MUSL && advise_cross(v, name))) {
        char *host = xasprintf("HOST/%s", strrchr(place, '/') + 1), *option = option_for(v, host, place);
        complain_more("try: %s --sysroot DIR ..., with DIR%s, or %s%s", program_of(v), place, option,
                      is_loader && c->loader->kind == LOADER_GLIBC && access(CROSS_ROOT "/lib", X_OK) < 0
                          ? "; Debian: apt install libc6-riscv64-cross"
                          : "");
        free(host);
        free(option);
    }
    free(place);
}

void advise_script(const struct view *v, const struct entry *script, const char *path) {
    size_t length = strlen(path);
    if (length && path[length - 1] == '\r') {
        complain_more("its lines end with CR and LF, and the CR is a part of the name: sed -i 's/\\r$//' %s",
                      v->command == COMMAND_CHECK ? pathname_base(script->path) : script->host);
        return;
    }
    char *place = xasprintf("%s%s", *path == '/' ? "" : "/usr/bin/", path);
    char *host = xasprintf("HOST/%s", strrchr(place, '/') + 1), *option = option_for(v, host, place);
    if (v->command == COMMAND_CHECK)
        complain_more("pack it anew: drupe pack -s DIR ... adds it from DIR%s", place);
    else
        complain_more("try: %s --sysroot DIR ..., with DIR%s, or %s", program_of(v), place, option);
    free(host);
    free(option);
    free(place);
}

void advise_bad(const struct view *v, const struct object *o) {
    if (!o->wrong_machine)
        complain_more("is it whole? readelf -hl %s",
                      v->command == COMMAND_CHECK ? "FILE, and pack it anew" : o->host);
    else if (v->command == COMMAND_CHECK)
        complain_more("pack one for riscv64 in its place, or leave it out");
    else
        complain_more("compile it for riscv64 (riscv64-linux-gnu-gcc; Debian: apt install "
                      "gcc-riscv64-linux-gnu), or take "
                      "a distribution's: %s --sysroot DIR ...",
                      program_of(v));
}
