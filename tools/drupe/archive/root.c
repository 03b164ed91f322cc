// SPDX-License-Identifier: MIT
// Nodes and objects are never freed: the unpacker may hold them, and the command ends soon.
#include "archive/root.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "image/image.h"
#include "lib/metadata.h"
#include "lib/path.h"
#include "common/room.h"
#include "common/util.h"

static int compare(struct unpack_node *a, struct unpack_node *b) {
    return strcmp(a->name, b->name);
}
static int compare_xattrs(struct root_xattr *a, struct root_xattr *b) {
    return strcmp(a->xattr.name, b->xattr.name);
}
// clang-format off
#define LOCAL static __attribute__((unused))
RB_PROTOTYPE_INTERNAL(root_names, unpack_node, tree, compare, LOCAL)
RB_GENERATE_INTERNAL(root_names, unpack_node, tree, compare, LOCAL)
RB_PROTOTYPE_INTERNAL(root_xattrs, root_xattr, tree, compare_xattrs, LOCAL)
RB_GENERATE_INTERNAL(root_xattrs, root_xattr, tree, compare_xattrs, LOCAL)
// clang-format on

struct unpack_node *root_first(struct unpack_node *directory) {
    return RB_MIN(root_names, &directory->names);
}

struct unpack_node *root_next(struct unpack_node *node) {
    return RB_NEXT(root_names, &node->parent->names, node);
}

// ---- the sink

static struct unpack_node *find(struct unpack_node *dir, const char *name, size_t length) {
    char text[PATHNAME_PART_MAX + 1];
    if (length > PATHNAME_PART_MAX)
        return NULL;
    memcpy(text, name, length);
    text[length] = '\0';
    struct unpack_node key = {.name = text};
    return RB_FIND(root_names, &dir->names, &key);
}

static int add(struct unpack_node *dir, const char *name, size_t length, struct root_object *object,
               struct unpack_node **out) {
    if (length > PATHNAME_PART_MAX)
        return -ENAMETOOLONG;
    if (find(dir, name, length))
        return -EEXIST;
    struct unpack_node *node = xcalloc(1, sizeof(*node));
    node->name = xstrndup(name, length);
    node->parent = dir;
    node->object = object;
    object->names++;
    RB_INSERT(root_names, &dir->names, node);
    if (out)
        *out = node;
    return 0;
}

static void keep_owner(struct unpack_attr *attr, uint32_t uid, uint32_t gid) {
    if (attr->uid == UNPACK_NO_OWNER)
        attr->uid = uid;
    if (attr->gid == UNPACK_NO_OWNER)
        attr->gid = gid;
}

static uint64_t objects;

static struct root_object *new_object(const struct unpack_attr *attr) {
    struct root_object *object = xcalloc(1, sizeof(*object));
    object->serial = ++objects;
    object->attr = *attr;
    keep_owner(&object->attr, 0, 0);
    return object;
}

static int create(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  const struct unpack_attr *attr, struct unpack_span *span, struct unpack_node **out) {
    (void)ctx;
    struct root_object *object = new_object(attr);
    object->data = span->data;
    object->size = span->size;
    return add(dir, name, length, object, out);
}

static int make_directory(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                          const struct unpack_attr *attr, struct unpack_node **out) {
    (void)ctx;
    return add(dir, name, length, new_object(attr), out);
}

static int make_symlink(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                        const struct unpack_attr *attr, const char *target, size_t target_length) {
    (void)ctx;
    struct root_object *object = new_object(attr);
    object->attr.mode = CPIO_IFLNK | 0777;
    object->target = xstrndup(target, target_length);
    return add(dir, name, length, object, NULL);
}

static int make_link(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                     struct unpack_node *node) {
    (void)ctx;
    return add(dir, name, length, node->object, NULL);
}

static int remove_name(void *ctx, struct unpack_node *dir, const char *name, size_t length) {
    (void)ctx;
    struct unpack_node *node = find(dir, name, length);
    if (!node)
        return -ENOENT;
    if (!RB_EMPTY(&node->names))
        return -ENOTEMPTY;
    RB_REMOVE(root_names, &dir->names, node);
    node->object->names--;
    return 0;
}

static int lookup(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  struct unpack_node **out, uint32_t *mode) {
    (void)ctx;
    *out = find(dir, name, length);
    if (!*out)
        return length > PATHNAME_PART_MAX ? -ENAMETOOLONG : -ENOENT;
    *mode = (*out)->object->attr.mode;
    return 0;
}

static struct unpack_node *parent(void *ctx, struct unpack_node *dir) {
    (void)ctx;
    return dir->parent;
}

static uint64_t serial(void *ctx, struct unpack_node *node) {
    (void)ctx;
    return node ? node->object->serial : objects + 1;
}

static struct unpack_node *first(void *ctx, struct unpack_node *dir, const char **name, size_t *length,
                                 uint32_t *mode) {
    (void)ctx;
    struct unpack_node *node = root_first(dir);
    if (node) {
        *name = node->name;
        *length = strlen(node->name);
        *mode = node->object->attr.mode;
    }
    return node;
}

static int move(void *ctx, struct unpack_node *from, const char *name, size_t length,
                struct unpack_node *to) {
    (void)ctx;
    struct unpack_node *node = find(from, name, length);
    RB_REMOVE(root_names, &from->names, node);
    node->parent = to;
    RB_INSERT(root_names, &to->names, node);
    return 0;
}

static const char *read_target(void *ctx, struct unpack_node *node) {
    (void)ctx;
    return node->object->target;
}

static int set_data(void *ctx, struct unpack_node *node, struct unpack_span *span) {
    (void)ctx;
    node->object->data = span->data;
    node->object->size = span->size;
    return 0;
}

static int set_attr(void *ctx, struct unpack_node *node, const struct unpack_attr *attr) {
    (void)ctx;
    struct unpack_attr old = node->object->attr;
    node->object->attr = *attr;
    node->object->attr.mode = (old.mode & CPIO_IFMT) | (attr->mode & 07777);
    keep_owner(&node->object->attr, old.uid, old.gid);
    return 0;
}

// What the kernel's tmpfs says to a name (kernel/initrd/initrd.c).
static int check_xattr(const struct unpack_node *node, const char *name) {
    static const char *const prefixes[] = {"user.", "trusted.", "security."};
    uint32_t mode = node->object->attr.mode;
    size_t i = 0;
    while (i < 3 && strncmp(name, prefixes[i], strlen(prefixes[i])) != 0)
        i++;
    return i == 3 || !name[strlen(prefixes[i])]         ? -EOPNOTSUPP
           : i == 0 && !S_ISREG(mode) && !S_ISDIR(mode) ? -EPERM
                                                        : 0;
}

// Name and value stay where the archive is, as files' data do. However many entries bring some, a file has no more than one may have in
// an archive.
static int set_xattr(void *ctx, struct unpack_node *node, const char *name, const void *value, size_t size) {
    (void)ctx;
    struct root_object *o = node->object;
    if (!name) {
        o->xattrs = NULL;
        RB_INIT(&o->xattrs_by_name);
        o->xattr_names = 0;
        return 0;
    }
    int err = check_xattr(node, name);
    if (err)
        return err;
    struct root_xattr key = {.xattr.name = name}, *x = RB_FIND(root_xattrs, &o->xattrs_by_name, &key);
    if (!x) {
        if (o->xattr_names + strlen(name) + 1 > METADATA_XATTR_NAMES)
            return -E2BIG;
        x = xcalloc(1, sizeof(*x));
        x->xattr = (struct xattr){.next = o->xattrs, .name = name};
        o->xattrs = &x->xattr;
        o->xattr_names += strlen(name) + 1;
        RB_INSERT(root_xattrs, &o->xattrs_by_name, x);
    }
    x->xattr.value = value;
    x->xattr.size = size;
    return 0;
}

static int set_mtime(void *ctx, struct unpack_node *node, int64_t mtime) {
    (void)ctx;
    node->object->attr.mtime = mtime;
    return 0;
}

static void hold(void *ctx, struct unpack_node *node) {
    (void)ctx;
    node->object->held++;
}
static void drop(void *ctx, struct unpack_node *node) {
    (void)ctx;
    node->object->held--;
}

static void *room(void *ctx, uint64_t *size) {
    (void)ctx;
    return room_take(size);
}
static void *no_room(void *ctx, uint64_t *size) {
    (void)ctx;
    *size = 0;
    return NULL;
}
static void keep(void *ctx, void *memory, uint64_t size, uint64_t used) {
    (void)ctx;
    room_keep(memory, size, used);
}
static void reading(void *ctx, const void *at) {
    (void)ctx, (void)at;
}
static void end_reading(void *ctx) {
    (void)ctx;
}

// ctx: the file.
static void report(void *ctx, enum unpack_severity severity, const char *sentence) {
    if (severity == UNPACK_NOTE)
        note("%s: %s", (const char *)ctx, sentence);
    else
        complain("%s: %s", (const char *)ctx, sentence);
}

static const struct unpack_sink sink = {
    .create = create,
    .mkdir = make_directory,
    .symlink = make_symlink,
    .link = make_link,
    .remove = remove_name,
    .lookup = lookup,
    .parent = parent,
    .serial = serial,
    .first = first,
    .move = move,
    .readlink = read_target,
    .set_data = set_data,
    .set_attr = set_attr,
    .set_xattr = set_xattr,
    .set_mtime = set_mtime,
    .hold = hold,
    .drop = drop,
    .alloc = room_work,
    .free = room_work_free,
    .room = room,
    .keep = keep,
    .open = reading,
    .pass = reading,
    .close = end_reading,
    .report = report,
};

void root_lay(struct root *r, const char *name, const void *archive, uint64_t size) {
    struct unpack u;
    struct unpack_sink uncompressed = sink;
    uncompressed.room = no_room;
    if (unpack_begin(&u, r->uncompressed ? &uncompressed : &sink, (void *)name, r->top))
        fail("there is no memory to unpack %s", name);
    r->error = unpack_buffer(&u, archive, size);
    unpack_end(&u);
    r->summary = u.summary;
}

void root_begin(struct root *out) {
    const struct unpack_attr attr = {.mode = CPIO_IFDIR | 0755};
    *out = (struct root){.top = xcalloc(1, sizeof(*out->top))};
    out->top->parent = out->top;
    out->top->name = "";
    out->top->object = new_object(&attr);
}

void root_read_bytes(const char *name, const uint8_t *bytes, size_t size, struct root *out) {
    const uint8_t *archive;
    uint64_t archive_size;
    image_find_archive(name, bytes, size, &archive, &archive_size);
    root_begin(out);
    out->file_size = archive_size;
    root_lay(out, name, archive, archive_size);
}

void root_read(const char *file, struct root *out) {
    size_t size;
    const uint8_t *bytes = (const uint8_t *)read_file(file, &size);
    root_read_bytes(file, bytes, size, out);
}

// ---- as a packer's tree

#define GROUPS 0x80000000u // of a root's hard links; those of manifests are below

static void add_to_tree(const struct unpack_node *node, const char *path, const char *file,
                        struct tree *out) {
    const struct root_object *o = node->object;
    struct entry e = {.path = (char *)path,
                      .mode = o->attr.mode,
                      .uid = o->attr.uid,
                      .gid = o->attr.gid,
                      .mtime = o->attr.mtime,
                      .rdev_major = o->attr.rdev_major,
                      .rdev_minor = o->attr.rdev_minor,
                      .xattrs = o->xattrs,
                      .target = o->target,
                      .size = o->size,
                      .group = GROUPS + (unsigned int)o->serial,
                      .linked = o->names > 1};
    if (S_ISREG(e.mode)) {
        e.host = xasprintf("%s:/%s", file, path);
        e.bytes = o->size ? (const void *)o->data : "";
    }
    tree_add(out, &e);
    free(e.host);
}

static void add_below(const struct unpack_node *directory, const char *path, const char *file,
                      struct tree *out) {
    for (struct unpack_node *n = root_first((struct unpack_node *)directory); n; n = root_next(n)) {
        char *below = *path ? xasprintf("%s/%s", path, n->name) : xstrdup(n->name);
        add_to_tree(n, below, file, out);
        add_below(n, below, file, out);
        free(below);
    }
}

void root_to_tree(const struct root *r, const char *file, struct tree *out) {
    add_below(r->top, "", file, out);
}
