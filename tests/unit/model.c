// SPDX-License-Identifier: MIT
// A node is a name; the object it names may have others and is counted. Removed names stay as long as they
// are held.
#include "model.h"
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include "lib/metadata.h"
#include "lib/decompress/decompress.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/tree.h"

struct object {
    unsigned int refs, links;
    uint64_t serial;
    struct unpack_attr attr;
    char *target;     // symlink
    char *first;      // of several names, the one that was dumped first
    const char *data; // borrowed, or `copy`
    char *copy;
    size_t size;
    char *xattrs;       // of the dump; NULL: none
    size_t xattr_names; // bytes
};

RB_HEAD(children, unpack_node);

struct unpack_node {
    RB_ENTRY(unpack_node) tree;
    struct unpack_node *parent;
    struct children children;
    struct object *object;
    unsigned int refs; // its name, and holds
    size_t length;
    char name[];
};

static int compare(struct unpack_node *a, struct unpack_node *b) {
    size_t n = a->length < b->length ? a->length : b->length;
    int c = memcmp(a->name, b->name, n);
    return c ? c : (a->length > b->length) - (a->length < b->length);
}

#define LOCAL static __attribute__((unused))
// clang-format off
RB_PROTOTYPE_INTERNAL(children, unpack_node, tree, compare, LOCAL)
RB_GENERATE_INTERNAL(children, unpack_node, tree, compare, LOCAL)
// clang-format on

static struct unpack_node *new_node(struct unpack_node *parent, const char *name, size_t length,
                                    struct object *object) {
    struct unpack_node *node = calloc(1, sizeof(*node) + length + 1);
    memcpy(node->name, name, length);
    node->length = length;
    node->parent = parent;
    node->object = object;
    node->refs = 1;
    object->refs++;
    object->links++;
    if (parent)
        RB_INSERT(children, &parent->children, node);
    return node;
}

static void put_node(struct unpack_node *node) {
    if (--node->refs)
        return;
    struct object *object = node->object;
    if (--object->refs == 0) {
        free(object->target);
        free(object->first);
        free(object->copy);
        free(object->xattrs);
        free(object);
    }
    free(node);
}

static struct unpack_node *find(struct unpack_node *dir, const char *name, size_t length) {
    struct unpack_node *key = calloc(1, sizeof(*key) + length + 1);
    memcpy(key->name, name, length);
    key->length = length;
    struct unpack_node *node = RB_FIND(children, &dir->children, key);
    free(key);
    return node;
}

// Counts a call. An error where this is the one that fails.
static int count_call(struct model *m) {
    return ++m->calls == m->failing_call ? -ENOMEM : 0;
}

static int check_new(struct model *m, struct unpack_node *dir, const char *name, size_t length) {
    int err = count_call(m);
    if (length == 0 || memchr(name, '/', length) || (length == 1 && name[0] == '.') ||
        (length == 2 && memcmp(name, "..", 2) == 0) || (dir->object->attr.mode & CPIO_IFMT) != CPIO_IFDIR)
        abort(); // the unpacker broke the sink's contract
    if (err || m->refuse)
        return err ? err : m->refuse;
    if (length > 255)
        return -ENAMETOOLONG;
    if (find(dir, name, length))
        return -EEXIST;
    if (m->room == 0)
        return -ENOSPC;
    m->room--;
    return 0;
}

static void keep_owner(struct unpack_attr *attr, uint32_t uid, uint32_t gid) {
    if (attr->uid == UNPACK_NO_OWNER)
        attr->uid = uid;
    if (attr->gid == UNPACK_NO_OWNER)
        attr->gid = gid;
}

static int make(struct model *m, struct unpack_node *dir, const char *name, size_t length,
                const struct unpack_attr *attr, struct unpack_node **out) {
    int err = check_new(m, dir, name, length);
    if (err)
        return err;
    struct object *object = calloc(1, sizeof(*object));
    object->attr = *attr;
    object->serial = m->serial++;
    keep_owner(&object->attr, 0, 0);
    *out = new_node(dir, name, length, object);
    return 0;
}

static int model_mkdir(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                       const struct unpack_attr *attr, struct unpack_node **out) {
    return make(ctx, dir, name, length, attr, out);
}

// Whoever reads it now is found out. (It is not given to anybody: the buffer is the test's.)
static void release(struct model *m, const char *from, const char *end) {
    size_t size = (size_t)(end - from);
    m->released += size;
    struct model_released *r = malloc(sizeof(*r));
    *r = (struct model_released){m->releases, from, size};
    m->releases = r;
    ASAN_POISON_MEMORY_REGION(from, size);
}

static void finish_entry(struct model_reader *r, struct model *m) {
    if (r->gap)
        release(m, r->gap, r->gap_end);
    r->gap = NULL;
}

static int model_set_data(void *ctx, struct unpack_node *node, struct unpack_span *span) {
    struct model *m = ctx;
    struct object *object = node->object;
    int err = count_call(m);
    if (err)
        return err;
    free(object->copy);
    object->copy = NULL;
    object->data = span->data;
    object->size = span->size;
    if (m->copy) {
        object->data = object->copy = malloc(span->size + 1);
        memcpy(object->copy, span->data, span->size);
        span->copied = span->size;
    } else if (span->size) {
        struct model_reader *r = &m->readers[m->depth - 1];
        finish_entry(r, m);
        r->gap = r->passed;
        r->gap_end = span->data;
        r->passed = r->gap_end + span->size;
    }
    return 0;
}

static void remove_name(struct unpack_node *dir, struct unpack_node *node) {
    RB_REMOVE(children, &dir->children, node);
    node->object->links--;
    put_node(node);
}

static int model_create(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                        const struct unpack_attr *attr, struct unpack_span *span, struct unpack_node **out) {
    int err = make(ctx, dir, name, length, attr, out);
    if (err)
        return err;
    err = model_set_data(ctx, *out, span);
    if (err)
        remove_name(dir, *out);
    return err;
}

static int model_symlink(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                         const struct unpack_attr *attr, const char *target, size_t target_length) {
    struct unpack_node *node;
    int err = make(ctx, dir, name, length, attr, &node);
    if (!err)
        node->object->target = strndup(target, target_length);
    return err;
}

static int model_link(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                      struct unpack_node *node) {
    int err = check_new(ctx, dir, name, length);
    if (!err)
        new_node(dir, name, length, node->object);
    return err;
}

static int model_remove(void *ctx, struct unpack_node *dir, const char *name, size_t length) {
    struct model *m = ctx;
    struct unpack_node *node = find(dir, name, length);
    int err = count_call(m);
    if (err)
        return err;
    if (!node)
        return -ENOENT;
    if (!RB_EMPTY(&node->children))
        return -ENOTEMPTY;
    remove_name(dir, node);
    return 0;
}

static int model_lookup(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                        struct unpack_node **out, uint32_t *mode) {
    struct model *m = ctx;
    int err = count_call(m);
    if (err)
        return err;
    if (length > 255)
        return -ENAMETOOLONG;
    *out = find(dir, name, length);
    if (!*out)
        return -ENOENT;
    *mode = (*out)->object->attr.mode;
    return 0;
}

static struct unpack_node *model_parent(void *ctx, struct unpack_node *dir) {
    (void)ctx;
    return dir->parent ? dir->parent : dir;
}

static uint64_t model_serial(void *ctx, struct unpack_node *node) {
    const struct model *m = ctx;
    return node ? node->object->serial : m->serial;
}

static struct unpack_node *model_first(void *ctx, struct unpack_node *dir, const char **name, size_t *length,
                                       uint32_t *mode) {
    (void)ctx;
    struct unpack_node *node = RB_MIN(children, &dir->children);
    if (node) {
        *name = node->name;
        *length = node->length;
        *mode = node->object->attr.mode;
    }
    return node;
}

static int model_move(void *ctx, struct unpack_node *from, const char *name, size_t length,
                      struct unpack_node *to) {
    struct unpack_node *node = find(from, name, length);
    int err = count_call(ctx);
    if (!node || find(to, name, length) || (to->object->attr.mode & CPIO_IFMT) != CPIO_IFDIR)
        abort(); // the unpacker broke the sink's contract
    for (const struct unpack_node *up = to; up; up = up->parent)
        if (up == node)
            abort();
    if (err)
        return err;
    RB_REMOVE(children, &from->children, node);
    node->parent = to;
    RB_INSERT(children, &to->children, node);
    return 0;
}

static const char *model_readlink(void *ctx, struct unpack_node *node) {
    (void)ctx;
    return node->object->target;
}

static int model_set_attr(void *ctx, struct unpack_node *node, const struct unpack_attr *attr) {
    struct model *m = ctx;
    int err = count_call(m);
    if (err)
        return err;
    if ((node->object->attr.mode ^ attr->mode) & CPIO_IFMT)
        abort(); // the unpacker broke the sink's contract
    struct unpack_attr old = node->object->attr;
    node->object->attr = *attr;
    keep_owner(&node->object->attr, old.uid, old.gid);
    return 0;
}

static int model_set_xattr(void *ctx, struct unpack_node *node, const char *name, const void *value,
                           size_t size) {
    struct object *o = node->object;
    int err = count_call(ctx);
    if (err)
        return err;
    char *old = o->xattrs;
    size_t names = name ? o->xattr_names + strlen(name) + 1 : 0;
    if (names > METADATA_XATTR_NAMES)
        return -E2BIG;
    o->xattr_names = names;
    o->xattrs = NULL;
    if (name &&
        asprintf(&o->xattrs, "%s {%s=%.*s}", old ? old : "", name, (int)size, (const char *)value) < 0)
        abort();
    free(old);
    return 0;
}

static int model_set_mtime(void *ctx, struct unpack_node *node, int64_t mtime) {
    (void)ctx;
    node->object->attr.mtime = mtime;
    return 0;
}

static void model_hold(void *ctx, struct unpack_node *node) {
    struct model *m = ctx;
    m->held++;
    node->refs++;
}

static void model_drop(void *ctx, struct unpack_node *node) {
    struct model *m = ctx;
    m->held--;
    put_node(node);
}

static void *model_alloc(void *ctx, size_t size) {
    struct model *m = ctx;
    if (size > UNPACK_ALLOC_MAX && !(m->rooms && size <= DECOMPRESS_ALLOC_MAX))
        abort(); // the unpacker broke the sink's contract
    if (m->allocations == 0)
        return NULL;
    m->allocations--;
    m->allocated += size;
    return malloc(size);
}

static void model_free_memory(void *ctx, void *memory, size_t size) {
    struct model *m = ctx;
    m->allocated -= size;
    free(memory);
}

// Rooms are address space first, and memory as it is used.
static void *model_room(void *ctx, uint64_t *size) {
    struct model *m = ctx;
    *size = m->room_size;
    if (!m->room_size)
        return NULL;
    struct model_room *room = calloc(1, sizeof(*room));
    room->size = m->room_size;
    room->memory =
        mmap(NULL, room->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room->memory == MAP_FAILED)
        abort();
    room->next = m->rooms;
    m->rooms = room;
    return room->memory;
}

static void model_keep(void *ctx, void *memory, uint64_t size, uint64_t used) {
    struct model *m = ctx;
    if (m->rooms->memory != memory || m->rooms->size != size || used > size)
        abort();
}

static void model_open(void *ctx, const void *at) {
    struct model *m = ctx;
    m->readers[m->depth++] = (struct model_reader){.passed = at};
}

static void model_pass(void *ctx, const void *end) {
    struct model *m = ctx;
    struct model_reader *r = &m->readers[m->depth - 1];
    finish_entry(r, m);
    release(m, r->passed, end);
    r->passed = end;
}

static void model_close(void *ctx) {
    struct model *m = ctx;
    finish_entry(&m->readers[--m->depth], m);
}

static void model_report(void *ctx, enum unpack_severity severity, const char *sentence) {
    static const char *const words[] = {"note", "warning", "error"};
    struct model *m = ctx;
    char *all;
    if (asprintf(&all, "%s%s: %s\n", m->reports, words[severity], sentence) < 0)
        abort();
    free(m->reports);
    m->reports = all;
}

const struct unpack_sink model_sink = {
    .create = model_create,
    .mkdir = model_mkdir,
    .symlink = model_symlink,
    .link = model_link,
    .remove = model_remove,
    .lookup = model_lookup,
    .parent = model_parent,
    .serial = model_serial,
    .first = model_first,
    .move = model_move,
    .readlink = model_readlink,
    .set_data = model_set_data,
    .set_attr = model_set_attr,
    .set_xattr = model_set_xattr,
    .set_mtime = model_set_mtime,
    .hold = model_hold,
    .drop = model_drop,
    .alloc = model_alloc,
    .free = model_free_memory,
    .room = model_room,
    .keep = model_keep,
    .open = model_open,
    .pass = model_pass,
    .close = model_close,
    .report = model_report,
};

void model_init(struct model *m) {
    struct object *object = calloc(1, sizeof(*object));
    object->attr.mode = CPIO_IFDIR | 0755;
    *m = (struct model){.room = SIZE_MAX,
                        .serial = 1,
                        .allocations = SIZE_MAX,
                        .room_size = 256 << 20,
                        .reports = strdup("")};
    m->root = new_node(NULL, "", 0, object);
}

static void free_tree(struct unpack_node *node) {
    struct unpack_node *child;
    while ((child = RB_ROOT(&node->children))) {
        RB_REMOVE(children, &node->children, child);
        free_tree(child);
    }
    put_node(node);
}

void model_forget_releases(struct model *m) {
    for (struct model_released *r; (r = m->releases); free(r)) {
        ASAN_UNPOISON_MEMORY_REGION(r->data, r->size);
        m->releases = r->next;
    }
}

void model_free(struct model *m) {
    model_forget_releases(m);
    free_tree(m->root);
    free(m->reports);
    for (struct model_room *room; (room = m->rooms); free(room)) {
        munmap(room->memory, room->size);
        m->rooms = room->next;
    }
}

// Short text as it is, else size and a hash.
static void dump_content(FILE *f, const struct object *o) {
    bool text = o->size < 64;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < o->size; i++) {
        hash = (hash ^ (uint8_t)o->data[i]) * 16777619u;
        text = text && o->data[i] >= ' ' && o->data[i] <= '~';
    }
    if (text)
        fprintf(f, " = %.*s", (int)o->size, o->data);
    else
        fprintf(f, " = %zu bytes, FNV %08x", o->size, hash);
}

static void dump_line(const struct model *m, FILE *f, struct unpack_node *node, const char *name) {
    const struct object *o = node->object;
    uint32_t type = o->attr.mode & CPIO_IFMT;
    char letter = type == CPIO_IFREG   ? 'f'
                  : type == CPIO_IFDIR ? 'd'
                  : type == CPIO_IFLNK ? 'l'
                  : type == CPIO_IFCHR ? 'c'
                  : type == CPIO_IFBLK ? 'b'
                  : type == CPIO_IFIFO ? 'p'
                                       : 's';
    fprintf(f, "%c %04o %u:%u %ld %s", letter, o->attr.mode & 07777, o->attr.uid, o->attr.gid,
            (long)o->attr.mtime, name);
    if (type == CPIO_IFREG) {
        dump_content(f, o);
    }
    if (type == CPIO_IFLNK)
        fprintf(f, " -> %s", o->target);
    if (type == CPIO_IFCHR || type == CPIO_IFBLK)
        fprintf(f, " %u:%u", o->attr.rdev_major, o->attr.rdev_minor);
    if (o->links > 1)
        fprintf(f, o->first ? " (%u links, as %s)" : " (%u links)", o->links, o->first);
    if (m->attributes && o->xattrs)
        fputs(o->xattrs, f);
    fputc('\n', f);
}

static void dump_tree(const struct model *m, FILE *f, struct unpack_node *node, const char *name) {
    dump_line(m, f, node, *name ? name : ".");
    if (m->groups && node->object->links > 1 && !node->object->first)
        node->object->first = strdup(name);
    struct unpack_node *child;
    RB_FOREACH (child, children, &node->children) {
        char *path;
        if (asprintf(&path, "%s%s%s", name, *name ? "/" : "", child->name) < 0)
            abort();
        dump_tree(m, f, child, path);
        free(path);
    }
}

char *model_dump(struct model *m) {
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    dump_tree(m, f, m->root, "");
    fclose(f);
    return text;
}

char *model_line(struct model *m, const char *name) {
    struct unpack_node *node = m->root;
    const char *p = name;
    while (*p && strcmp(name, ".") != 0) {
        size_t length = strcspn(p, "/");
        node = find(node, p, length);
        if (!node)
            return NULL;
        p += length + (p[length] == '/');
    }
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    dump_line(m, f, node, name);
    fclose(f);
    text[size - 1] = '\0';
    return text;
}
