// SPDX-License-Identifier: MIT
#include "closure/input.h"
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "closure/advice.h"
#include "closure/closure.h"

void input_sysroot(struct view *v, const char *dir) {
    char real[PATH_MAX];
    struct stat st;
    if (!realpath(dir, real) || stat(real, &st) < 0)
        fail("sysroot %s: %s", dir, trouble(dir, errno));
    if (!S_ISDIR(st.st_mode))
        fail("sysroot %s is not a directory; name the one that the target's lib and usr are in", dir);
    strings_add(&v->sysroots, strcmp(real, "/") == 0 ? "" : real);
}

static bool lacks_glibc(struct view *v, const struct object *o) {
    static const char glibc[] = "/lib/ld-linux-";
    struct found f;
    if (o->kind != OBJECT_ELF)
        return false;
    if (!o->interp) // a library by itself
        return strings_have(&o->needed, "libc.so.6") && !loader_usual(v, LOADER_GLIBC)->object &&
               !closure_is_in_tree(v, "libc.so.6");
    return strncmp(o->interp, glibc, sizeof(glibc) - 1) == 0 && view_resolve(v, o->interp, 0, &f) != 0;
}

void input_cross_root(struct view *v) {
    struct stat st;
    if (v->sysroots.count || stat(CROSS_ROOT, &st) < 0 || !S_ISDIR(st.st_mode))
        return;
    for (size_t i = 0; i < v->tree.pending_count; i++)
        if (lacks_glibc(v, entry_object(v->tree.pending[i]))) {
            input_sysroot(v, CROSS_ROOT);
            v->cross = v->sysroots.count;
            return;
        }
}

static const char *path_trouble(int err) {
    return err == -EXDEV ? "leaves the root" : strerror(-err);
}

// Finds out where a guest path really leads, so that what goes there has no symlink on its way: the symlinks
// go in as well. A symlink at the end is followed when a directory is to go there.
static bool place(struct view *v, const char *guest, bool directory, struct found *out) {
    char normal[PATHNAME_MAX + 1];
    int err = pathname_normalise(guest, normal, sizeof(normal));
    if (!err)
        err = view_resolve(v, guest, VIEW_ADD | VIEW_MAY_LACK | (directory ? 0 : VIEW_NO_FOLLOW), out);
    if (err)
        complain("the path %s in the archive: %s; name another: GUEST=HOST", guest, path_trouble(err));
    return !err;
}

// ---- what is in the view already ----

static void add_guest_tree(struct view *v, const char *dir) {
    struct strings names = {0};
    view_list(v, dir, &names);
    for (size_t i = 0; i < names.count; i++) {
        struct found f;
        char *path = xasprintf("%s/%s", dir, names.at[i]);
        if (view_resolve(v, path, VIEW_NO_FOLLOW, &f) == 0) {
            view_add(v, &f);
            progress("adding files", v->tree.count, 0);
            if (S_ISDIR(f.st.st_mode))
                add_guest_tree(v, f.path);
        }
        free(path);
    }
    strings_free(&names);
}

// Adds something at a guest path of the view: symlinks as themselves and what they lead to, a directory with
// its content.
static int add_guest(struct view *v, const char *guest) {
    struct found f;
    int err = view_resolve(v, guest, VIEW_NO_FOLLOW, &f);
    if (err)
        return err;
    err = view_resolve(v, guest, VIEW_ADD, &f);
    if (err) { // a dangling symlink is what was asked for
        view_resolve(v, guest, VIEW_ADD | VIEW_NO_FOLLOW, &f);
        view_add(v, &f);
        return 0;
    }
    if (*f.path)
        view_add(v, &f)->named = true;
    if (S_ISDIR(f.st.st_mode))
        add_guest_tree(v, f.path);
    return 0;
}

// ---- host paths ----

static void add_host_tree(struct view *v, const char *guest, const char *host);

static void add_one(struct view *v, const char *guest, const char *host, const struct stat *st, bool named) {
    struct found f;
    if (!place(v, guest, S_ISDIR(st->st_mode), &f))
        return;
    progress("adding files", v->tree.count, 0);
    if (*f.path)
        view_add_host(v, f.path, host, st)->named |= named;
    if (S_ISDIR(st->st_mode))
        add_host_tree(v, f.path, host);
}

static void add_host_tree(struct view *v, const char *guest, const char *host) {
    struct strings names = {0};
    view_list_host(host, &names);
    strings_sort(&names);
    for (size_t i = 0; i < names.count; i++) {
        struct stat st;
        char *child = xasprintf("%s/%s", host, names.at[i]), *path = xasprintf("%s/%s", guest, names.at[i]);
        if (lstat(child, &st) < 0)
            fail("%s: %s", child, trouble(child, errno));
        add_one(v, path, child, &st, false);
        free(child);
        free(path);
    }
    strings_free(&names);
}

// What a path inside sysroot number `index` is. False, and complained of, where it is not there or another
// sysroot hides it.
static bool find_in_sysroot(struct view *v, int index, const char *guest, const char *host,
                            unsigned int flags, struct found *f) {
    const char *sysroot = v->sysroots.at[index];
    int err = view_resolve(v, guest, flags, f);
    if (err) {
        complain("%s: /%s in the sysroot: %s; what is there: ls -l %s", host, guest, path_trouble(err),
                 sysroot);
        return false;
    }
    if (!f->entry && *f->path && !pathname_is_below(f->host, sysroot) && !S_ISDIR(f->st.st_mode)) {
        complain("%s is hidden: /%s is %s, of a sysroot named before; name its sysroot first, or: GUEST=%s",
                 host, guest, f->host, host);
        return false;
    }
    return true;
}

static char *default_guest(const char *host, const struct stat *st) {
    if (S_ISDIR(st->st_mode))
        return xstrdup("");
    char *copy = xstrdup(host);
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    const char *slash = strrchr(copy, '/');
    char *guest = xstrdup(slash ? slash + 1 : copy);
    free(copy);
    return guest;
}

char *input_host(struct view *v, const char *argument) {
    const char *equals = strchr(argument, '=');
    const char *host = equals ? equals + 1 : argument;
    char *guest = equals && equals > argument ? xstrndup(argument, (size_t)(equals - argument)) : NULL;
    char inside[PATHNAME_MAX + 1];
    struct found f;
    struct stat st;
    int sysroot = view_guest_path(v, host, inside, sizeof(inside));
    if (sysroot >= 0 && !guest) {
        if (find_in_sysroot(v, sysroot, inside, host, VIEW_NO_FOLLOW, &f))
            add_guest(v, inside);
        return xstrdup(inside);
    }
    if (sysroot >= 0 && *inside) {
        if (!find_in_sysroot(v, sysroot, inside, host, 0, &f))
            return guest;
        host = !f.entry        ? f.host
               : f.entry->host ? f.entry->host
                               : xasprintf("%s/%s", v->sysroots.at[sysroot], f.path); // a directory
    }
    if (stat(host, &st) < 0)
        fail("%s: %s", host, trouble(host, errno));
    if (!guest || guest[strlen(guest) - 1] == '/') {
        char *name = default_guest(host, &st), *full = xasprintf("%s%s", guest ? guest : "", name);
        free(name);
        free(guest);
        guest = full;
    }
    add_one(v, guest, host, &st, true);
    return guest;
}

// ---- globs ----

static size_t add_matches(struct view *v, const char *dir, const char *pattern) {
    pattern += strspn(pattern, "/");
    size_t length = strcspn(pattern, "/"), matches = 0;
    char *part = xstrndup(pattern, length);
    struct strings names = {0};
    struct found f;
    if (view_resolve(v, dir, 0, &f) == 0 && S_ISDIR(f.st.st_mode))
        view_list(v, f.path, &names);
    for (size_t i = 0; i < names.count; i++) {
        if (fnmatch(part, names.at[i], FNM_PERIOD) != 0)
            continue;
        char *path = xasprintf("%s/%s", dir, names.at[i]);
        if (pattern[length] && pattern[length + 1])
            matches += add_matches(v, path, pattern + length);
        else
            matches += add_guest(v, path) == 0;
        free(path);
    }
    strings_free(&names);
    free(part);
    return matches;
}

void input_also(struct view *v, const char *pattern) {
    struct strings dirs = {0};
    size_t matches = 0;
    if (strchr(pattern, '/'))
        strings_add(&dirs, "");
    else
        closure_default_directories(v, LOADER_UNKNOWN, &dirs);
    for (size_t i = 0; i < dirs.count; i++)
        matches += add_matches(v, dirs.at[i], pattern);
    if (!matches) {
        complain("--also %s matches nothing%s", pattern,
                 v->sysroots.count ? "; is it in quotes, and of the target's names?"
                                   : ": no sysroot was given; add --sysroot DIR");
        for (size_t i = 0; i < dirs.count && !strchr(pattern, '/'); i++)
            complain_more("searched   %s", dirs.at[i]);
        for (size_t i = 0; i < v->sysroots.count; i++)
            complain_more("in sysroot %s", *v->sysroots.at[i] ? v->sysroots.at[i] : "/");
    }
    strings_free(&dirs);
}
