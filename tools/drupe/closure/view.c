// SPDX-License-Identifier: MIT
#include "closure/view.h"
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "closure/xattrs.h"

#define FOLLOW_MAX 40

// Reads the symlink at host path `host` into `target` (PATHNAME_MAX + 1 bytes).
static int read_link(const char *host, char *target) {
    ssize_t n = readlink(host, target, PATHNAME_MAX);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    return n ? 0 : -ENOENT;
}

// A way still to go: components not yet taken. Symlinks' targets are put in front.
struct way {
    char rest[2 * (PATHNAME_MAX + 1)];
    unsigned int followed;
};

static int way_follow(struct way *w, const char *target, const char *behind) {
    char rest[sizeof(w->rest)];
    if (++w->followed > FOLLOW_MAX)
        return -ELOOP;
    int n = snprintf(rest, sizeof(rest), "%s/%s", target, behind);
    if (n < 0 || (size_t)n >= sizeof(rest))
        return -ENAMETOOLONG;
    memcpy(w->rest, rest, (size_t)n + 1);
    return 0;
}

// Appends a component to a normal name.
static int append_part(char *path, size_t size, const char *part, size_t length) {
    size_t used = strlen(path), slash = used ? 1 : 0;
    if (length > PATHNAME_PART_MAX || used + slash + length >= size)
        return -ENAMETOOLONG;
    if (slash)
        path[used] = '/';
    memcpy(path + used + slash, part, length);
    path[used + slash + length] = '\0';
    return 0;
}

// Finds the directory of a normal guest path inside one sysroot, following that sysroot's own symlinks within
// it: its host path.
static int sysroot_directory(const char *sysroot, const char *guest, char *host, size_t size) {
    struct way way = {.followed = 0};
    char at[PATHNAME_MAX + 1] = "", target[PATHNAME_MAX + 1];
    struct stat st;
    snprintf(way.rest, sizeof(way.rest), "%s", guest);
    const char *rest = way.rest, *part;
    size_t length = strlen(rest), part_length;
    while (pathname_next(&rest, &length, &part, &part_length)) {
        size_t parent = strlen(at);
        if (pathname_is_dot(part, part_length))
            continue;
        if (pathname_is_dot_dot(part, part_length)) {
            at[pathname_parent_length(at)] = '\0';
            continue;
        }
        int err = append_part(at, sizeof(at), part, part_length);
        if (err)
            return err;
        if ((size_t)snprintf(host, size, "%s/%s", sysroot, at) >= size)
            return -ENAMETOOLONG;
        if (lstat(host, &st) < 0)
            return -errno;
        if (S_ISLNK(st.st_mode)) {
            err = read_link(host, target);
            if (!err)
                err = way_follow(&way, target, rest);
            if (err)
                return err;
            at[target[0] == '/' ? 0 : parent] = '\0';
            rest = way.rest;
            length = strlen(rest);
        } else if (!S_ISDIR(st.st_mode)) {
            return -ENOTDIR;
        }
    }
    return (size_t)snprintf(host, size, "%s%s%s", sysroot, *at || !*sysroot ? "/" : "", at) >= size
               ? -ENAMETOOLONG
               : 0;
}

// Complains, once, of something that may be there but cannot be looked at. What is not there is no trouble.
static void complain_of_host(const char *host, int error) {
    if (error != ENOENT && error != ENOTDIR && error != ELOOP && error != ENAMETOOLONG &&
        is_new(xasprintf("%s %d", host, error)))
        complain("%s: %s", host, trouble(host, error));
}

static void add_host_directory(const char *sysroot, const char *path, struct strings *dirs) {
    char dir[PATHNAME_MAX + 1] = "";
    int err = sysroot_directory(sysroot, path, dir, sizeof(dir));
    if (err)
        complain_of_host(dir, -err);
    else
        strings_add(dirs, dir);
}

// What the directory `path` of the view may be called elsewhere: that, and through symlinks that were followed.
static void other_names(const struct view *v, const char *path, struct strings *names) {
    strings_add(names, path);
    for (size_t k = 0; k < v->directories.count; k++) {
        if (!pathname_is_below(path, v->directories.at[k]))
            continue;
        char *name = xasprintf("%s%s", v->links.at[k], path + strlen(v->directories.at[k]));
        strings_add(names, name);
        free(name);
    }
}

// The host's directories that together are the directory `path` of the view, the first sysroot's first.
static void host_directories(struct view *v, const char *path, struct strings *dirs) {
    struct strings names = {0};
    if (!v->sysroots.count)
        return;
    other_names(v, path, &names);
    for (size_t i = 0; i < v->sysroots.count; i++)
        for (size_t k = 0; k < names.count && !(v->hide_cross && i + 1 == v->cross); k++)
            add_host_directory(v->sysroots.at[i], names.at[k], dirs);
    strings_free(&names);
}

// The base's directories that are the directory `path` of the view.
static void base_directories(struct view *v, const char *path, struct strings *dirs) {
    struct strings names = {0};
    struct found f;
    if (!v->base)
        return;
    other_names(v, path, &names);
    for (size_t k = 0; k < names.count; k++)
        if (view_resolve(v->base, names.at[k], 0, &f) == 0 && S_ISDIR(f.st.st_mode))
            strings_add(dirs, f.path);
    strings_free(&names);
}

// A file in a library's place that is none: what a linker reads (GNU ld's scripts, such as libc.so).
static bool is_linker_script(const struct found *f) {
    char magic[SELFMAG];
    if (!S_ISREG(f->st.st_mode) || !strstr(pathname_base(f->path), ".so"))
        return false;
    int fd = open(f->host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_elf = fd >= 0 && read(fd, magic, SELFMAG) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
    if (fd >= 0)
        close(fd);
    return !is_elf;
}

// Looks a normal path up in the sysroots, whose parent is a directory of the view. A linker's script is passed
// over, *is_script says so, and out->host has the first.
static int lookup_sysroots(struct view *v, const char *path, struct found *out, bool *is_script) {
    char *parent = xstrndup(path, pathname_parent_length(path));
    struct strings dirs = {0};
    struct found script = {.entry = NULL};
    int err = -ENOENT;
    *is_script = false;
    host_directories(v, parent, &dirs);
    for (size_t i = 0; i < dirs.count && err; i++) {
        if ((size_t)snprintf(out->host, sizeof(out->host), "%s/%s", dirs.at[i], pathname_base(path)) >=
            sizeof(out->host))
            continue;
        if (lstat(out->host, &out->st) != 0) {
            complain_of_host(out->host, errno);
        } else if (!is_linker_script(out)) {
            err = 0;
        } else if (!*is_script) {
            *is_script = true;
            script = *out;
        }
    }
    if (err && *is_script) {
        memcpy(out->host, script.host, sizeof(out->host));
        out->st = script.st;
    }
    *is_script &= err != 0;
    strings_free(&dirs);
    free(parent);
    return *is_script ? 0 : err;
}

// As lookup_sysroots() in the base.
static int lookup_base(struct view *v, const char *path, struct found *out) {
    char *parent = xstrndup(path, pathname_parent_length(path));
    struct strings dirs = {0};
    base_directories(v, parent, &dirs);
    for (size_t i = 0; i < dirs.count && !out->base; i++) {
        char *name = xasprintf("%s%s%s", dirs.at[i], *dirs.at[i] ? "/" : "", pathname_base(path));
        out->base = tree_find(&v->base->tree, name);
        free(name);
    }
    strings_free(&dirs);
    free(parent);
    if (!out->base)
        return -ENOENT;
    out->st = (struct stat){.st_mode = out->base->mode};
    return 0;
}

static int lookup_below(struct view *v, const char *path, struct found *out) {
    bool is_script;
    int err = lookup_sysroots(v, path, out, &is_script);
    struct stat script = out->st;
    if (err == -ENOENT || is_script)
        err = lookup_base(v, path, out);
    if (err && is_script) { // there is nothing better
        out->st = script;
        err = 0;
    }
    return err;
}

static int lookup(struct view *v, const char *path, struct found *out) {
    out->base = NULL;
    out->entry = tree_find(&v->tree, path);
    if (out->entry) {
        out->st = (struct stat){.st_mode = out->entry->mode};
        return 0;
    }
    if (!*path) { // the root is there even if nobody put it in
        out->st = (struct stat){.st_mode = S_IFDIR | 0755};
        return 0;
    }
    return lookup_below(v, path, out);
}

// Of the tree or of the base; NULL: it is on the host.
static const struct entry *found_entry(const struct found *found) {
    return found->entry ? found->entry : found->base;
}

static int link_target(const struct found *found, char *target) {
    const struct entry *e = found_entry(found);
    if (!e)
        return read_link(found->host, target);
    snprintf(target, PATHNAME_MAX + 1, "%s", e->target);
    return 0;
}

// Notes a symlink that is about to be followed, if a directory is behind it.
static void note_link(struct view *v, const char *link) {
    for (size_t i = 0; i < v->links.count; i++)
        if (strcmp(v->links.at[i], link) == 0)
            return;
    strings_add(&v->links, link);
    strings_add(&v->directories, link); // itself, while what is behind it is looked for
    size_t index = v->directories.count - 1;
    struct found f;
    if (view_resolve(v, link, 0, &f) == 0 && S_ISDIR(f.st.st_mode)) {
        free(v->directories.at[index]);
        v->directories.at[index] = xstrdup(f.path);
    }
}

// One component, already appended to out->path. `last`: nothing follows it. Gives 1 where the way was
// replaced by a symlink's target.
static int take_part(struct view *v, struct found *out, struct way *way, const char *rest, size_t parent,
                     unsigned int flags) {
    char target[PATHNAME_MAX + 1];
    bool last = rest[strspn(rest, "/")] == '\0';
    int err = lookup(v, out->path, out);
    if (err == -ENOENT && (flags & VIEW_MAY_LACK)) {
        out->st = (struct stat){0};
        return 0;
    }
    if (err)
        return err;
    if (S_ISLNK(out->st.st_mode) && !(last && (flags & VIEW_NO_FOLLOW))) {
        if (flags & VIEW_ADD)
            view_add(v, out);
        note_link(v, out->path);
        err = link_target(out, target);
        if (!err)
            err = way_follow(way, target, rest);
        out->path[target[0] == '/' ? 0 : parent] = '\0';
        return err ? err : 1;
    }
    return last || S_ISDIR(out->st.st_mode) ? 0 : -ENOTDIR;
}

int view_resolve(struct view *v, const char *path, unsigned int flags, struct found *out) {
    struct way way = {.followed = 0};
    if (strlen(path) > PATHNAME_MAX)
        return -ENAMETOOLONG;
    strcpy(way.rest, path);
    *out = (struct found){.st = {.st_mode = S_IFDIR | 0755}};
    const char *rest = way.rest, *part;
    size_t length = strlen(rest), part_length;
    while (pathname_next(&rest, &length, &part, &part_length)) {
        size_t parent = strlen(out->path);
        if (pathname_is_dot(part, part_length))
            continue;
        if (pathname_is_dot_dot(part, part_length)) {
            if ((flags & VIEW_ADD) && *out->path && S_ISDIR(out->st.st_mode) && !out->entry)
                view_add(v, out)->implied = true;
            out->path[pathname_parent_length(out->path)] = '\0';
            lookup(v, out->path, out);
            continue;
        }
        int err = append_part(out->path, sizeof(out->path), part, part_length);
        if (!err)
            err = take_part(v, out, &way, rest, parent, flags);
        if (err < 0)
            return err;
        if (err) {
            lookup(v, out->path, out); // where the target starts from: there may be nothing more in it
            rest = way.rest;
            length = strlen(rest);
        }
    }
    return 0;
}

// Puts a path's parent directories in, with the attributes they have in the sysroots.
static void add_parents(struct view *v, const char *path) {
    for (size_t at = 1; path[at]; at++) {
        if (path[at] != '/')
            continue;
        struct found dir = {.entry = NULL};
        memcpy(dir.path, path, at);
        if (!tree_find(&v->tree, dir.path) && lookup_below(v, dir.path, &dir) == 0 &&
            S_ISDIR(dir.st.st_mode)) {
            struct entry *e = view_add(v, &dir);
            e->implied = true;
        }
    }
}

static struct entry *add_of_base(struct view *v, const char *path, const struct entry *base) {
    struct entry e = *base;
    e.path = (char *)path;
    e.named = e.examined = false;
    e.is_below = v->base_stays && strcmp(path, base->path) == 0;
    if (S_ISREG(e.mode) && !v->base_stays)
        note("/%s is of the kernel's own root (%s); with --sysroot DIR it is taken from there, --bare leaves "
             "that root out",
             path, v->base->base_name);
    add_parents(v, path);
    return tree_add(&v->tree, &e);
}

struct entry *view_add(struct view *v, const struct found *found) {
    if (found->entry)
        return found->entry;
    if (found->base)
        return add_of_base(v, found->path, found->base);
    return view_add_host(v, found->path, found->host, &found->st);
}

struct entry *view_add_host(struct view *v, const char *path, const char *host, const struct stat *st) {
    char target[PATHNAME_MAX + 1];
    struct entry e = {
        .path = (char *)path, .mode = st->st_mode, .uid = v->uid, .gid = v->gid, .mtime = st->st_mtime};
    if (v->keep_owner) {
        e.uid = st->st_uid;
        e.gid = st->st_gid;
    }
    if (S_ISLNK(st->st_mode)) {
        int err = read_link(host, target);
        if (err)
            fail("%s: %s", host, trouble(host, -err));
        e.target = target;
    } else if (S_ISREG(st->st_mode)) {
        e.host = (char *)host;
        e.size = (uint64_t)st->st_size;
        e.dev = st->st_dev;
        e.ino = st->st_ino;
        e.linked = st->st_nlink > 1;
    } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        e.rdev_major = major(st->st_rdev);
        e.rdev_minor = minor(st->st_rdev);
    }
    if (!S_ISLNK(st->st_mode)) {
        bool left_out;
        e.xattrs = xattrs_of_host(host, &left_out);
        v->attributed += left_out;
    }
    add_parents(v, path);
    return tree_add(&v->tree, &e);
}

void view_list_host(const char *dir, struct strings *names) {
    DIR *d = opendir(dir);
    if (!d) {
        complain_of_host(dir, errno);
        return;
    }
    for (struct dirent *e; (void)(errno = 0), (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strings_add(names, e->d_name);
    if (errno)
        complain_of_host(dir, errno);
    closedir(d);
}

static void list_tree(struct tree *t, const char *path, struct strings *names) {
    size_t length = strlen(path);
    for (struct entry *e = tree_from(t, path); e && pathname_is_below(e->path, path); e = tree_next(e))
        if (*e->path && pathname_parent_length(e->path) == length)
            strings_add(names, pathname_base(e->path));
}

void view_list(struct view *v, const char *path, struct strings *names) {
    struct strings dirs = {0};
    host_directories(v, path, &dirs);
    for (size_t i = 0; i < dirs.count; i++)
        view_list_host(dirs.at[i], names);
    strings_free(&dirs);
    if (v->base_stays)
        base_directories(v, path, &dirs);
    for (size_t i = 0; i < dirs.count; i++)
        list_tree(&v->base->tree, dirs.at[i], names);
    strings_free(&dirs);
    list_tree(&v->tree, path, names);
    strings_sort(names);
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (kept && strcmp(names->at[kept - 1], names->at[i]) == 0)
            free(names->at[i]);
        else
            names->at[kept++] = names->at[i];
    }
    names->count = kept;
}

char *found_read(const struct found *found, size_t *size) {
    const struct entry *e = found_entry(found);
    if (!e || !e->bytes)
        return read_file(e ? e->host : found->host, size);
    *size = e->size;
    char *copy = xrealloc(NULL, e->size + 1); // NUL-terminated, as read_file() has it
    memcpy(copy, e->bytes, e->size);
    copy[e->size] = '\0';
    return copy;
}

struct object *entry_object(const struct entry *e) {
    return e->bytes ? object_of_bytes(e->host, e->bytes, e->size, e->mode & 0111) : object_of(e->host);
}

struct object *found_object(const struct found *found) {
    const struct entry *e = found_entry(found);
    return e ? entry_object(e) : object_of(found->host);
}

// The sysroot that this directory is; -1: none.
static int sysroot_at(struct view *v, const char *dir) {
    struct stat a, b;
    if (stat(dir, &a) < 0)
        return -1;
    for (size_t i = 0; i < v->sysroots.count; i++)
        if (stat(*v->sysroots.at[i] ? v->sysroots.at[i] : "/", &b) == 0 && a.st_dev == b.st_dev &&
            a.st_ino == b.st_ino)
            return (int)i;
    return -1;
}

static int rest_of_path(const char *host, const char *rest, char *out, size_t size) {
    int err = pathname_normalise(rest, out, size);
    if (err)
        fail("%s: %s", host, err == -EXDEV ? "leaves the sysroot" : strerror(-err));
    // Symlinks are followed before `..`, by whoever resolves it.
    if (strstr(rest, "..") && strlen(rest) < size)
        strcpy(out, rest + strspn(rest, "/"));
    return 0;
}

int view_guest_path(struct view *v, const char *host, char *out, size_t size) {
    for (size_t i = 0;; i++) {
        if (host[i] && host[i] != '/')
            continue;
        char *dir = i ? xstrndup(host, i) : xstrdup(*host == '/' ? "/" : ".");
        int index = sysroot_at(v, dir);
        free(dir);
        if (index >= 0) {
            rest_of_path(host, host + i, out, size);
            return index;
        }
        if (!host[i])
            break;
    }
    // Perhaps it is relative to a directory inside one.
    char real[PATH_MAX];
    if (*host == '/' || !realpath(".", real))
        return -1;
    for (size_t i = 0; i < v->sysroots.count; i++)
        if (pathname_is_below(real, v->sysroots.at[i])) {
            char *rest = xasprintf("%s/%s", real + strlen(v->sysroots.at[i]), host);
            rest_of_path(host, rest, out, size);
            free(rest);
            return (int)i;
        }
    return -1;
}
