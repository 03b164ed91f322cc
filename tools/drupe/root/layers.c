// SPDX-License-Identifier: MIT
#include "root/layers.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/util.h"
#include "lib/path.h"

#define FOLLOW_MAX      40 // symlinks on one way, as in Linux
#define WHITEOUT        ".wh."
#define WHITEOUT_LENGTH 4
#define OPAQUE          ".wh..wh..opq"
#define RESERVED        ".wh..wh."
#define DEVICE          ((dev_t)-1) // of all entries of a tree that are numbered here

static int compare(struct layers_node *a, struct layers_node *b) {
    return strcmp(a->name, b->name);
}
// clang-format off
#define LOCAL static __attribute__((unused))
RB_PROTOTYPE_INTERNAL(layers_names, layers_node, tree, compare, LOCAL)
RB_GENERATE_INTERNAL(layers_names, layers_node, tree, compare, LOCAL)
// clang-format on

// ---- nodes

static struct layers_object *new_object(struct layers *l, const struct layers_object *from) {
    struct layers_object *o = xcalloc(1, sizeof(*o));
    *o = *from;
    o->names = 0;
    o->serial = ++l->serials;
    if (from->target)
        o->target = xstrdup(from->target);
    return o;
}

static void drop_object(struct layers_object *o) {
    if (--o->names)
        return;
    free(o->target);
    free(o);
}

static struct layers_node *new_node(struct layers *l, struct layers_node *dir, const char *name,
                                    struct layers_object *object) {
    size_t length = strlen(name);
    struct layers_node *n = xcalloc(1, sizeof(*n) + length + 1);
    n->name = memcpy(n + 1, name, length);
    n->parent = dir ? dir : n;
    n->length = dir ? dir->length + (dir->length ? 1 : 0) + (unsigned int)length : 0;
    n->object = object;
    object->names++;
    l->names++;
    l->name_bytes += n->length;
    if (dir)
        RB_INSERT(layers_names, &dir->names, n);
    return n;
}

static struct layers_node *find(struct layers_node *dir, const char *name, size_t length) {
    char text[PATHNAME_PART_MAX + 1];
    if (length > PATHNAME_PART_MAX)
        return NULL;
    memcpy(text, name, length);
    text[length] = '\0';
    struct layers_node key = {.name = text};
    return RB_FIND(layers_names, &dir->names, &key);
}

static void remove_node(struct layers *l, struct layers_node *n) {
    struct layers_node *child;
    while ((child = RB_ROOT(&n->names)))
        remove_node(l, child);
    RB_REMOVE(layers_names, &n->parent->names, n);
    l->names--;
    l->name_bytes -= n->length;
    drop_object(n->object);
    free(n);
}

static void remove_earlier(struct layers *l, struct layers_node *n);

static void remove_earlier_below(struct layers *l, struct layers_node *dir) {
    for (struct layers_node *n = RB_MIN(layers_names, &dir->names), *next; n; n = next) {
        next = RB_NEXT(layers_names, &dir->names, n);
        remove_earlier(l, n);
    }
}

// What earlier layers have there; directories in which this one has something stay.
static void remove_earlier(struct layers *l, struct layers_node *n) {
    remove_earlier_below(l, n);
    if (n->layer < l->layer && RB_EMPTY(&n->names))
        remove_node(l, n);
}

void layers_open(struct layers *l) {
    const struct layers_object root = {.mode = S_IFDIR | 0755};
    *l = (struct layers){.layer = 0};
    spool_open(&l->spool);
    l->top = new_node(l, NULL, "", new_object(l, &root));
}

void layers_next(struct layers *l) {
    l->layer++;
}

// ---- ways

static const char *child_of(struct layers *l, struct layers_node *dir, const char *name,
                            const struct layers_object *object, struct layers_node **out) {
    if (dir->length + strlen(name) + 1 > PATHNAME_MAX)
        return "the name is too long";
    if (l->names >= LAYERS_NAMES || l->name_bytes > LAYERS_NAME_BYTES)
        return "too many names; that is no root";
    *out = new_node(l, dir, name, new_object(l, object));
    return NULL;
}

// A way still to go; symlinks' targets are put in front.
struct way {
    char text[2 * (PATHNAME_MAX + 1)];
    const char *rest;
    size_t length;
    unsigned int followed;
};

static const char *follow(struct way *w, const char *target) {
    char text[sizeof(w->text)];
    if (++w->followed > FOLLOW_MAX)
        return "too many symlinks on its way";
    int n = snprintf(text, sizeof(text), "%s/%.*s", target, (int)w->length, w->rest);
    if (n < 0 || (size_t)n >= sizeof(text))
        return "the name is too long, with the symlinks on its way";
    memcpy(w->text, text, (size_t)n + 1);
    w->rest = w->text;
    w->length = (size_t)n;
    return NULL;
}

// One part of the way, which is `part`, from *at on.
static const char *take_part(struct layers *l, struct way *w, struct layers_node **at, const char *part,
                             size_t length, bool make) {
    static const struct layers_object implied = {.mode = S_IFDIR | 0755};
    char name[PATHNAME_PART_MAX + 1];
    if (pathname_is_dot(part, length))
        return NULL;
    if (pathname_is_dot_dot(part, length)) {
        *at = (*at)->parent;
        return NULL;
    }
    if (length > PATHNAME_PART_MAX)
        return "the name is too long";
    memcpy(name, part, length);
    name[length] = '\0';
    struct layers_node *n = find(*at, name, length);
    if (!n && !make)
        return "it is not there";
    if (!n)
        return child_of(l, *at, name, &implied, at);
    if (S_ISLNK(n->object->mode)) {
        if (n->object->target[0] == '/')
            *at = l->top;
        return follow(w, n->object->target);
    }
    if (!S_ISDIR(n->object->mode))
        return "what it is below is no directory";
    *at = n;
    return NULL;
}

// Goes a way to its end; missing directories are made if asked for.
static const char *walk(struct layers *l, const char *path, size_t path_length, bool make,
                        struct layers_node **out) {
    struct way w = {.followed = 0};
    const char *part, *problem = NULL;
    size_t length;
    memcpy(w.text, path, path_length);
    w.text[path_length] = '\0';
    w.rest = w.text;
    w.length = path_length;
    *out = l->top;
    while (!problem && pathname_next(&w.rest, &w.length, &part, &length))
        problem = take_part(l, &w, out, part, length, make);
    return problem;
}

// The directory that a name of a tar is in, and the name there, which may not be taken ("" for the root).
static const char *place(struct layers *l, const char *name, bool make, struct layers_node **dir,
                         char *base) {
    char path[PATHNAME_MAX + 1];
    int err = pathname_normalise(name, path, sizeof(path));
    if (err)
        return err == -EXDEV ? "the name leads out of the root" : "the name is too long";
    snprintf(base, PATHNAME_PART_MAX + 1, "%s", pathname_base(path));
    return walk(l, path, pathname_parent_length(path), make, dir);
}

// ---- entries

static void change(struct layers *l, struct layers_node *n, const struct layers_object *to) {
    drop_object(n->object);
    n->object = new_object(l, to);
    n->object->names++;
    n->layer = l->layer;
}

const char *layers_add(struct layers *l, const char *name, const struct layers_object *object) {
    struct layers_node *dir, *n;
    char base[PATHNAME_PART_MAX + 1];
    const char *problem = place(l, name, true, &dir, base);
    if (problem)
        return problem;
    n = *base ? find(dir, base, strlen(base)) : l->top;
    if (n && S_ISDIR(n->object->mode) && S_ISDIR(object->mode)) {
        change(l, n, object);
        return NULL;
    }
    if (n == l->top)
        return "the root is a directory";
    if (n)
        remove_node(l, n);
    problem = child_of(l, dir, base, object, &n);
    if (!problem)
        n->layer = l->layer;
    return problem;
}

const char *layers_link(struct layers *l, const char *name, const char *target) {
    struct layers_node *dir, *n, *old;
    char base[PATHNAME_PART_MAX + 1];
    const char *problem = place(l, target, false, &dir, base);
    old = problem || !*base ? NULL : find(dir, base, strlen(base));
    if (!old)
        return "it is a link to something that is not there";
    if (S_ISDIR(old->object->mode))
        return "it is a link to a directory";
    struct layers_object *object = old->object;
    problem = place(l, name, true, &dir, base);
    if (problem)
        return problem;
    n = *base ? find(dir, base, strlen(base)) : l->top;
    if (n == l->top)
        return "the root is a directory";
    if (n && n->object == object)
        return NULL;
    object->names++; // it may be below what goes now
    if (n)
        remove_node(l, n);
    problem = child_of(l, dir, base, &(struct layers_object){.mode = S_IFREG}, &n);
    if (!problem) {
        drop_object(n->object);
        n->object = object;
        object->names++;
        n->layer = l->layer;
    }
    drop_object(object);
    return problem;
}

static const char *base_of(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

bool layers_is_whiteout(const char *name) {
    return strncmp(base_of(name), WHITEOUT, WHITEOUT_LENGTH) == 0;
}

const char *layers_whiteout(struct layers *l, const char *name) {
    const char *hidden = base_of(name) + WHITEOUT_LENGTH;
    char base[PATHNAME_PART_MAX + 1];
    struct layers_node *dir, *n;
    bool is_opaque = strcmp(base_of(name), OPAQUE) == 0;
    if (!is_opaque && strncmp(base_of(name), RESERVED, strlen(RESERVED)) == 0)
        return NULL; // of the file system that the format was taken from
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return "it is a whiteout of nothing";
    const char *problem = place(l, name, is_opaque, &dir, base);
    if (problem) // what is not there need not be taken away, but a name that is none is told
        return pathname_normalise(name, (char[PATHNAME_MAX + 1]){0}, PATHNAME_MAX + 1) ? problem : NULL;
    if (is_opaque) {
        remove_earlier_below(l, dir);
    } else {
        n = find(dir, hidden, strlen(hidden));
        if (n)
            remove_earlier(l, n);
    }
    return NULL;
}

bool layers_is_link_to_directory(struct layers *l, const char *name) {
    char base[PATHNAME_PART_MAX + 1], path[PATHNAME_MAX + 1];
    struct layers_node *dir, *n;
    if (place(l, name, false, &dir, base) || !*base)
        return false;
    n = find(dir, base, strlen(base));
    return n && S_ISLNK(n->object->mode) && pathname_normalise(name, path, sizeof(path)) == 0 &&
           walk(l, path, strlen(path), false, &dir) == NULL;
}

const struct layers_object *layers_file(struct layers *l, const char *path) {
    char text[2 * PATHNAME_MAX];
    struct layers_node *dir, *n;
    for (unsigned int followed = 0; followed < FOLLOW_MAX; followed++) {
        char base[PATHNAME_PART_MAX + 1];
        if (strlen(path) > PATHNAME_MAX || place(l, path, false, &dir, base) || !*base)
            return NULL;
        n = find(dir, base, strlen(base));
        if (!n || S_ISREG(n->object->mode))
            return n ? n->object : NULL;
        if (!S_ISLNK(n->object->mode) || strlen(n->object->target) > PATHNAME_MAX / 2)
            return NULL;
        char *next =
            xasprintf("%.*s/%s", n->object->target[0] == '/' ? 0 : (int)(strlen(path) - strlen(base)), path,
                      n->object->target);
        snprintf(text, sizeof(text), "%s", next);
        free(next);
        path = text;
    }
    return NULL;
}

// ---- all of it

static void add_to_tree(struct layers *l, const struct layers_node *n, const char *path, const char *name,
                        struct tree *out) {
    const struct layers_object *o = n->object;
    struct entry e = {.path = (char *)path,
                      .mode = o->mode,
                      .uid = o->uid,
                      .gid = o->gid,
                      .mtime = o->mtime,
                      .rdev_major = o->rdev_major,
                      .rdev_minor = o->rdev_minor,
                      .xattrs = o->xattrs,
                      .target = o->target,
                      .size = o->size,
                      .dev = DEVICE,
                      .ino = o->serial,
                      .linked = o->names > 1};
    if (S_ISREG(e.mode)) {
        e.host = xasprintf("%s:/%s", name, path);
        e.bytes = l->spool.bytes + o->at;
    }
    tree_add(out, &e);
    free(e.host);
}

static void add_below(struct layers *l, struct layers_node *dir, char *path, size_t length, const char *name,
                      struct tree *out) {
    struct layers_node *n;
    RB_FOREACH (n, layers_names, &dir->names) {
        int more = snprintf(path + length, PATHNAME_MAX + 1 - length, "%s%s", length ? "/" : "", n->name);
        add_to_tree(l, n, path, name, out);
        add_below(l, n, path, length + (size_t)more, name, out);
        path[length] = '\0';
    }
}

void layers_to_tree(struct layers *l, const char *name, struct tree *out) {
    char path[PATHNAME_MAX + 1] = "";
    spool_map(&l->spool);
    add_to_tree(l, l->top, "", name, out);
    add_below(l, l->top, path, 0, name, out);
}
