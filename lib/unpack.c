// SPDX-License-Identifier: MIT
// The common entry, a new file in the directory of the one before, costs one comparison with the remembered
// parent and one call of the sink; all else is off that path. The remembered nodes of directories are not
// held: whenever a directory or a symlink is removed they are forgotten. Nodes in the tables of links and of
// mtimes are held.
#include "lib/unpack.h"
#include "lib/unpack_private.h"
#include "lib/errno.h"
#include "lib/path.h"
#include "lib/text.h"
#include "lib/tree.h"

#define LINK_TARGET_MAX 4095
#define FOLLOW_MAX      40 // symlinks on one way, as in Linux

struct unpack_link {
    RB_ENTRY(unpack_link) tree;
    uint32_t dev_major, dev_minor, ino, type;
    struct unpack_node *node; // held
};

#define LINKS_PER_CHUNK ((UNPACK_ALLOC_MAX - 16) / sizeof(struct unpack_link))
struct unpack_chunk {
    struct unpack_chunk *next;
    size_t used;
    struct unpack_link links[LINKS_PER_CHUNK];
};

_Static_assert(sizeof(struct unpack_chunk) <= UNPACK_ALLOC_MAX, "one allocation");

// What an entry's name means: a name in a directory; length 0: the directory itself.
struct place {
    struct unpack_node *dir;
    const char *name;
    size_t length;
};

// ---- the table of files with several names ----

static int compare_links(struct unpack_link *a, struct unpack_link *b) {
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    if (a->dev_minor != b->dev_minor)
        return a->dev_minor < b->dev_minor ? -1 : 1;
    if (a->dev_major != b->dev_major)
        return a->dev_major < b->dev_major ? -1 : 1;
    return a->type < b->type ? -1 : a->type > b->type;
}

RB_HEAD(link_tree, unpack_link);
#define LOCAL static __attribute__((unused))
// clang-format off
RB_PROTOTYPE_INTERNAL(link_tree, unpack_link, tree, compare_links, LOCAL)
RB_GENERATE_INTERNAL(link_tree, unpack_link, tree, compare_links, LOCAL)
// clang-format on

static bool may_be_linked(const struct cpio_entry *e) {
    return e->nlink > 1;
}

static struct unpack_link link_key(const struct cpio_entry *e) {
    return (struct unpack_link){
        .dev_major = e->dev_major, .dev_minor = e->dev_minor, .ino = e->ino, .type = e->mode & CPIO_IFMT};
}

static struct unpack_link *link_find(struct unpack *u, const struct cpio_entry *e) {
    struct link_tree head = {.rbh_root = u->links};
    struct unpack_link key = link_key(e);
    return RB_FIND(link_tree, &head, &key);
}

static int link_add(struct unpack *u, const struct cpio_entry *e, struct unpack_node *node) {
    struct unpack_chunk *chunk = u->link_chunks;
    if (!chunk || chunk->used == LINKS_PER_CHUNK) {
        chunk = u->sink->alloc(u->ctx, sizeof(*chunk));
        if (!chunk)
            return -ENOMEM;
        chunk->next = u->link_chunks;
        chunk->used = 0;
        u->link_chunks = chunk;
    }
    struct unpack_link *link = &chunk->links[chunk->used++];
    *link = link_key(e);
    link->node = node;
    u->sink->hold(u->ctx, node);
    struct link_tree head = {.rbh_root = u->links};
    RB_INSERT(link_tree, &head, link);
    u->links = head.rbh_root;
    return 0;
}

void unpack_links_forget(struct unpack *u) {
    u->links = NULL;
    while (u->link_chunks) {
        struct unpack_chunk *chunk = u->link_chunks;
        for (size_t i = 0; i < chunk->used; i++)
            u->sink->drop(u->ctx, chunk->links[i].node);
        u->link_chunks = chunk->next;
        u->sink->free(u->ctx, chunk, sizeof(*chunk));
    }
}

// ---- reports ----

void unpack_report(struct unpack *u, enum unpack_severity severity, const char *sentence) {
    if (severity == UNPACK_NOTE)
        u->summary.notes++;
    else if (severity == UNPACK_WARNING)
        u->summary.warnings++;
    else
        u->summary.errors++;
    u->sink->report(u->ctx, severity, sentence);
}

static void report_entry(struct unpack *u, enum unpack_severity severity, const struct cpio_entry *e,
                         const char *what, const char *remedy) {
    struct text t;
    text_begin(&t, u->text, UNPACK_TEXT_MAX);
    t.length = cpio_entry_text(e->archive, e->index, e->name, e->name_length, u->text, UNPACK_TEXT_MAX);
    text_add(&t, ", offset ");
    text_add_number(&t, e->header);
    text_add(&t, ": ");
    text_add(&t, what);
    text_add(&t, remedy);
    unpack_report(u, severity, u->text);
}

int unpack_skip(struct unpack *u, const struct cpio_entry *e, const char *why) {
    report_entry(u, UNPACK_WARNING, e, why, "; left out");
    return UNPACK_SKIPPED;
}

static void report_no_room(struct unpack *u, const struct cpio_entry *e) {
    struct text t;
    text_begin(&t, u->text, UNPACK_TEXT_MAX);
    t.length = cpio_entry_text(e->archive, e->index, e->name, e->name_length, u->text, UNPACK_TEXT_MAX);
    text_add(&t, ", offset ");
    text_add_number(&t, e->header);
    text_add(&t, ": no room for it and its ");
    text_add_number(&t, e->data_size);
    text_add(&t, " bytes; it and all behind it are left out");
    unpack_report(u, UNPACK_ERROR, u->text);
}

void unpack_report_error(struct unpack *u, enum unpack_severity severity, const struct cpio_error *error) {
    cpio_error_text(error, u->text, UNPACK_TEXT_MAX);
    unpack_report(u, severity, u->text);
}

// What became of an entry: an error that ends the buffer stays one, any other is reported and the entry
// skipped.
static int settle(struct unpack *u, const struct cpio_entry *e, int err) {
    switch (-err) {
    case 0:
    case -UNPACK_SKIPPED:
        return 0;
    case ENOMEM:
    case ENOSPC:
        report_no_room(u, e);
        return err;
    case EXDEV:
        unpack_skip(u, e, "the name climbs out of the root");
        return 0;
    case ENOTDIR:
        unpack_skip(u, e, "something on its way is not a directory");
        return 0;
    case EISDIR:
        unpack_skip(u, e, "the name is that of a directory");
        return 0;
    case ELOOP:
        unpack_skip(u, e, "more than 40 symlinks on its way");
        return 0;
    case ENAMETOOLONG:
        unpack_skip(u, e, "a part of its name, or a way through symlinks, is too long");
        return 0;
    case ENOTEMPTY:
        unpack_skip(u, e, "a directory that is not empty is in the way");
        return 0;
    default:
        break;
    }
    struct text t;
    char why[48];
    text_begin(&t, why, sizeof(why));
    text_add(&t, "the file system refuses it, error ");
    text_add_number(&t, (uint64_t)-err);
    unpack_skip(u, e, why);
    return 0;
}

// ---- from names to places ----

static int make_implied(struct unpack *u, struct unpack_node *dir, const char *name, size_t length,
                        int64_t mtime, struct unpack_node **out) {
    struct unpack_attr attr = {.mode = CPIO_IFDIR | 0755, .mtime = mtime};
    int err = u->sink->mkdir(u->ctx, dir, name, length, &attr, out);
    if (!err)
        u->summary.implied++;
    return err;
}

// Puts `target`, and the rest of the way behind it, into the walk buffer that `rest` does not point into.
static int splice_target(struct unpack *u, const char *target, const char **rest, size_t *rest_length) {
    size_t length = __builtin_strlen(target);
    if (length + 1 + *rest_length > CPIO_PATH_MAX)
        return -ENAMETOOLONG;
    for (int i = 0; i < 2; i++)
        if (!u->walk[i] && !(u->walk[i] = u->sink->alloc(u->ctx, CPIO_PATH_MAX)))
            return -ENOMEM;
    bool in_first = (uintptr_t)*rest - (uintptr_t)u->walk[0] <= CPIO_PATH_MAX;
    char *way = u->walk[in_first ? 1 : 0];
    __builtin_memcpy(way, target, length);
    way[length] = '/';
    __builtin_memcpy(way + length + 1, *rest, *rest_length);
    *rest = way;
    *rest_length += length + 1;
    return 0;
}

// Goes `rest` from *dir on: one component of an entry's name, or, with `avoid`, a symlink's whole target. Symlinks are
// followed, missing directories made. Within the targets of symlinks `..` stops at the root, as in any path; in the
// component itself it may not try. -ENOTEMPTY: the way leads through `avoid`.
static inline int walk_way(struct unpack *u, struct unpack_node **dir, const char *rest, size_t rest_length,
                           int64_t mtime, const struct unpack_node *avoid) {
    const char *part;
    size_t length;
    struct unpack_node *at = *dir, *node;
    unsigned int followed = avoid ? 1 : 0;
    while (pathname_next(&rest, &rest_length, &part, &length)) {
        if (pathname_is_dot(part, length))
            continue;
        if (pathname_is_dot_dot(part, length)) {
            if (at == u->root && !followed)
                return -EXDEV;
            at = u->sink->parent(u->ctx, at);
            continue;
        }
        uint32_t mode = CPIO_IFDIR;
        int err = u->sink->lookup(u->ctx, at, part, length, &node, &mode);
        if (err == -ENOENT)
            err = make_implied(u, at, part, length, mtime, &node);
        if (err)
            return err;
        if ((mode & CPIO_IFMT) == CPIO_IFDIR) {
            if (avoid && node == avoid)
                return -ENOTEMPTY;
            at = node;
        } else if ((mode & CPIO_IFMT) == CPIO_IFLNK) {
            const char *target = u->sink->readlink(u->ctx, node);
            if (++followed > FOLLOW_MAX)
                return -ELOOP;
            if (target[0] == '/')
                at = u->root;
            err = splice_target(u, target, &rest, &rest_length);
            if (err)
                return err;
        } else {
            return -ENOTDIR;
        }
    }
    *dir = at;
    return 0;
}

static int step(struct unpack *u, struct unpack_node **dir, const char *part, size_t length, int64_t mtime) {
    return walk_way(u, dir, part, length, mtime, NULL);
}

int unpack_walk_target(struct unpack *u, struct unpack_node **dir, const char *target, size_t length,
                       int64_t mtime, const struct unpack_node *avoid) {
    if (target[0] == '/')
        *dir = u->root;
    return walk_way(u, dir, target, length, mtime, avoid);
}

// Forgets the remembered parent: a directory or symlink it may lead through is gone.
static void parent_forget(struct unpack *u) {
    u->parent.length = 0;
    u->parent_node = u->root;
    u->depth = 0;
}

// The bytes at the beginning that `name` has in common with the remembered parent.
static uint32_t common_length(const struct unpack *u, const char *name, uint32_t length) {
    uint32_t i = 0;
    if (length > u->parent.length)
        length = u->parent.length;
    while (i < length && name[i] == u->parent.text[i])
        i++;
    return i;
}

// Finds, or makes, the directory that the first `length` bytes of `name` lead to (they end with '/', or there
// are none), and remembers it: walks only what the last one does not share.
static int parent_walk(struct unpack *u, const char *name, uint32_t length, int64_t mtime) {
    uint32_t common = common_length(u, name, length);
    while (u->depth && u->levels[u->depth - 1].length > common)
        u->depth--;
    uint32_t at = u->depth ? u->levels[u->depth - 1].length : 0;
    struct unpack_node *node = u->depth ? u->levels[u->depth - 1].node : u->root;
    __builtin_memcpy(u->names + CPIO_NAME_ALIGNMENT + at, name + at, length - at);
    while (at < length) {
        uint32_t start = at;
        while (name[at] != '/')
            at++;
        int err = at > start ? step(u, &node, name + start, at - start, mtime) : 0;
        if (err) {
            parent_forget(u);
            return err;
        }
        at++;
        if (u->depth < UNPACK_DEPTH) {
            u->levels[u->depth].length = at;
            u->levels[u->depth++].node = node;
        }
    }
    u->parent.length = length;
    u->parent_node = node;
    return 0;
}

static __attribute__((noinline)) int find_other_place(struct unpack *u, const struct cpio_entry *e,
                                                      struct place *place) {
    const char *name = e->name;
    uint32_t base = e->base, end = e->name_length;
    if (base == end) { // ends with '/': what counts is before it
        while (end && name[end - 1] == '/')
            end--;
        for (base = end; base && name[base - 1] != '/';)
            base--;
    }
    int err = parent_walk(u, name, base, e->mtime);
    if (err)
        return err;
    *place = (struct place){.dir = u->parent_node, .name = name + base, .length = end - base};
    if (pathname_is_dot(place->name, place->length) || pathname_is_dot_dot(place->name, place->length)) {
        err = step(u, &place->dir, place->name, place->length, e->mtime);
        place->length = 0;
    }
    return err;
}

static inline int find_place(struct unpack *u, const struct cpio_entry *e, struct place *place) {
    if (!e->in_prefix || e->base == e->name_length || e->name[e->base] == '.')
        return find_other_place(u, e, place);
    *place =
        (struct place){.dir = u->parent_node, .name = e->name + e->base, .length = e->name_length - e->base};
    return 0;
}

// ---- making things ----

static int clear_way(struct unpack *u, const struct place *place, uint32_t mode) {
    int err = u->sink->remove(u->ctx, place->dir, place->name, place->length);
    if (!err && ((mode & CPIO_IFMT) == CPIO_IFDIR || (mode & CPIO_IFMT) == CPIO_IFLNK))
        parent_forget(u);
    return err;
}

static struct unpack_attr attr_of(const struct cpio_entry *e) {
    return (struct unpack_attr){.mode = e->mode & (CPIO_IFMT | 07777),
                                .uid = e->uid,
                                .gid = e->gid,
                                .mtime = e->mtime,
                                .rdev_major = e->rdev_major,
                                .rdev_minor = e->rdev_minor};
}

static void count_span(struct unpack *u, const struct unpack_span *span) {
    u->summary.bytes += span->size;
    u->summary.copied += span->copied;
    u->summary.borrowed += span->size - span->copied;
}

static int rewrite(struct unpack *u, struct unpack_node *node, const struct unpack_attr *attr,
                   struct unpack_span *span) {
    int err = u->sink->set_data(u->ctx, node, span);
    if (err)
        return err;
    count_span(u, span);
    return u->sink->set_attr(u->ctx, node, attr);
}

// ---- what is there already ----

enum comes { FILE_COMES, SPECIAL_COMES, NAME_COMES, SYMLINK_COMES, DIRECTORY_COMES, SLASH_COMES };

// What an entry makes.
struct coming {
    enum comes kind;
    const struct cpio_entry *e;
    const struct place *place;
    const struct unpack_attr *attr;
    struct unpack_span *span; // a file's data, a symlink's target; else NULL
    struct unpack_node *node; // what was made, or is there; NAME_COMES: the file that gets one more
};

// A directory that is not empty stops all but CARRY: -ENOTEMPTY.
enum action {
    REPLACE,  // it goes, what comes is made
    ANNOUNCE, // the same, with a note
    REWRITE,  // it gets the content and the attributes
    CHANGE,   // it gets the attributes
    FOLLOW,   // the directory that it leads to gets them
    CARRY,    // it goes; what an earlier archive put into it goes along to the symlink's target
};

// What comes x what is there -> what happens; the same table is in docs/initrd.md. The name of a file that is that file's already
// stays.
// clang-format off
static const uint8_t actions[][4] = {
    //                  a file   special  a symlink  a directory
    [FILE_COMES]      = {REWRITE, REPLACE, REPLACE,  REPLACE},
    [SPECIAL_COMES]   = {REPLACE, REPLACE, REPLACE,  REPLACE},
    [NAME_COMES]      = {REPLACE, REPLACE, REPLACE,  REPLACE},
    [SYMLINK_COMES]   = {REPLACE, REPLACE, REPLACE,  CARRY},
    [DIRECTORY_COMES] = {REPLACE, REPLACE, ANNOUNCE, CHANGE},
    [SLASH_COMES]     = {REPLACE, REPLACE, FOLLOW,   CHANGE},
};
// clang-format on

static unsigned int column_of(uint32_t mode) {
    uint32_t type = mode & CPIO_IFMT;
    return type == CPIO_IFREG ? 0 : type == CPIO_IFLNK ? 2 : type == CPIO_IFDIR ? 3 : 1;
}

static inline int create(struct unpack *u, const struct place *p, const struct unpack_attr *attr,
                         struct unpack_span *span, struct unpack_node **out) {
    int err = u->sink->create(u->ctx, p->dir, p->name, p->length, attr, span, out);
    if (!err)
        count_span(u, span);
    return err;
}

// -EEXIST, and nothing has changed: the name is taken.
static int make_new(struct unpack *u, struct coming *c) {
    const struct place *p = c->place;
    if (c->kind == NAME_COMES)
        return u->sink->link(u->ctx, p->dir, p->name, p->length, c->node);
    if (c->kind == SYMLINK_COMES)
        return u->sink->symlink(u->ctx, p->dir, p->name, p->length, c->attr, c->span->data, c->span->size);
    if (c->kind >= DIRECTORY_COMES)
        return u->sink->mkdir(u->ctx, p->dir, p->name, p->length, c->attr, &c->node);
    return create(u, p, c->attr, c->span, &c->node);
}

// The directory `node`, which is not empty, has the name that is to be a symlink's: if it is an earlier archive's, what
// lies in it goes along to where the symlink points.
static int carry_along(struct unpack *u, const struct coming *c, struct unpack_node *node) {
    const struct cpio_entry *e = c->e;
    struct unpack_node *to = c->place->dir;
    if (u->sink->serial(u->ctx, node) >= u->first_serial)
        return -ENOTEMPTY;
    parent_forget(u);
    int err = unpack_walk_target(u, &to, c->span->data, c->span->size, e->mtime, node);
    if (err)
        return err == -ENOMEM || err == -ENOSPC ? err : -ENOTEMPTY;
    err = unpack_carry(u, node, to, e->mtime);
    if (!err)
        err = clear_way(u, c->place, CPIO_IFDIR);
    if (!err)
        report_entry(
            u, UNPACK_NOTE, e,
            "this symlink takes the place of an earlier archive's directory, whose content goes along "
            "to its target",
            "");
    return err;
}

// The name is taken.
static __attribute__((noinline)) int make_over(struct unpack *u, struct coming *c) {
    const struct place *p = c->place;
    struct unpack_node *there;
    uint32_t mode;
    int err = u->sink->lookup(u->ctx, p->dir, p->name, p->length, &there, &mode);
    if (err || (c->kind == NAME_COMES && there == c->node))
        return err;
    enum action action = actions[c->kind][column_of(mode)];
    switch (action) {
    case REWRITE:
        c->node = there;
        err = u->sink->set_xattr(u->ctx, there, NULL, NULL, 0);
        return err ? err : rewrite(u, there, c->attr, c->span);
    case FOLLOW:
        there = p->dir;
        err = step(u, &there, p->name, p->length, c->e->mtime);
        if (err)
            return err;
        __attribute__((fallthrough));
    case CHANGE:
        c->node = there;
        return u->sink->set_attr(u->ctx, there, c->attr);
    case REPLACE:
    case ANNOUNCE:
    case CARRY:
        err = clear_way(u, p, mode);
        break;
    }
    if (err == -ENOTEMPTY && action == CARRY)
        err = carry_along(u, c, there);
    if (!err)
        err = make_new(u, c);
    if (!err && action == ANNOUNCE)
        report_entry(u, UNPACK_NOTE, c->e, "this directory takes the place of a symlink", "");
    return err;
}

static inline int make(struct unpack *u, struct coming *c) {
    int err = make_new(u, c);
    return err == -EEXIST ? make_over(u, c) : err;
}

// One more name for a file that is there already, and its data where this entry brings them.
static int make_link(struct unpack *u, struct coming *c, struct unpack_node *node) {
    c->kind = NAME_COMES;
    c->node = node;
    int err = make(u, c);
    if (err)
        return err;
    if (c->e->data_size)
        return rewrite(u, node, c->attr, c->span);
    return u->sink->set_attr(u->ctx, node, c->attr);
}

// A file that may have several names, or whose name is taken.
static __attribute__((noinline)) int make_other_file(struct unpack *u, struct coming *c) {
    c->kind = (c->e->mode & CPIO_IFMT) == CPIO_IFREG ? FILE_COMES : SPECIAL_COMES;
    if (!may_be_linked(c->e))
        return make_over(u, c);
    struct unpack_link *link = link_find(u, c->e);
    if (link)
        return make_link(u, c, link->node);
    int err = make(u, c);
    return err ? err : link_add(u, c->e, c->node);
}

// A regular file, device, FIFO or socket.
static int make_file(struct unpack *u, const struct cpio_entry *e, const struct place *place) {
    if (!place->length)
        return -EISDIR;
    const struct unpack_attr attr = attr_of(e);
    struct unpack_span span = {.data = e->data, .size = e->data_size, .offset = e->data_offset};
    int err = may_be_linked(e) ? -EEXIST : create(u, place, &attr, &span, &u->last);
    if (err != -EEXIST)
        return err;
    struct coming c = {.e = e, .place = place, .attr = &attr, .span = &span};
    err = make_other_file(u, &c);
    u->last = err ? NULL : c.node;
    return err;
}

static int make_directory(struct unpack *u, const struct cpio_entry *e, const struct place *place) {
    const struct unpack_attr attr = attr_of(e);
    bool slash = e->name[e->name_length - 1] == '/';
    struct coming c = {.kind = slash ? SLASH_COMES : DIRECTORY_COMES, .e = e, .place = place, .attr = &attr};
    int err;
    if (place->length) {
        err = make(u, &c);
    } else { // its name leads to it, so it is there
        c.node = place->dir;
        err = u->sink->set_attr(u->ctx, c.node, &attr);
    }
    u->last = err ? NULL : c.node;
    return err ? err : unpack_time_add(u, c.node, attr.mtime);
}

static int make_symlink(struct unpack *u, const struct cpio_entry *e, const struct place *place) {
    const char *target = (const char *)e->data;
    size_t length = 0;
    while (length < e->data_size && target[length])
        length++;
    if (!length)
        return unpack_skip(u, e, "a symlink without a target");
    if (length > LINK_TARGET_MAX)
        return unpack_skip(u, e, "the symlink's target is longer than 4095 bytes");
    if (!place->length)
        return -EISDIR;
    const struct unpack_attr attr = attr_of(e);
    struct unpack_span span = {.data = target, .size = length};
    struct coming c = {.kind = SYMLINK_COMES, .e = e, .place = place, .attr = &attr, .span = &span};
    int err = make(u, &c);
    if (!err)
        u->summary.bytes += length;
    return err;
}

static int make_entry(struct unpack *u, const struct cpio_entry *e) {
    uint32_t type = e->mode & CPIO_IFMT;
    u->last = NULL;
    if (!e->name_length)
        return unpack_skip(u, e, "it has no name");
    bool has_body = type == CPIO_IFREG || type == CPIO_IFLNK;
    if (e->data_size && !has_body)
        return unpack_skip(u, e, "data, but neither a file nor a symlink");
    struct place place;
    int err;
    switch (type) {
    case CPIO_IFREG:
    case CPIO_IFCHR:
    case CPIO_IFBLK:
    case CPIO_IFIFO:
    case CPIO_IFSOCK:
        err = find_place(u, e, &place);
        return err ? err : make_file(u, e, &place);
    case CPIO_IFDIR:
        err = find_place(u, e, &place);
        return err ? err : make_directory(u, e, &place);
    case CPIO_IFLNK:
        err = find_place(u, e, &place);
        return err ? err : make_symlink(u, e, &place);
    default:
        return unpack_skip(u, e, "its type is none that Linux knows");
    }
}

// ---- the whole ----

int unpack_begin(struct unpack *u, const struct unpack_sink *sink, void *ctx, struct unpack_node *root) {
    *u = (struct unpack){.sink = sink, .ctx = ctx, .root = root};
    parent_forget(u);
    u->names = sink->alloc(ctx, CPIO_PATH_MAX);
    u->text = sink->alloc(ctx, UNPACK_TEXT_MAX);
    if (!u->names || !u->text) {
        unpack_end(u);
        return -ENOMEM;
    }
    // It is shorter than a name by one byte, and that by its NUL.
    u->parent.text = u->names + CPIO_NAME_ALIGNMENT;
    return 0;
}

int unpack_entry(struct unpack *u, const struct cpio_entry *e) {
    struct cpio_error error;
    u->summary.entries++;
    if (e->has_checksum && !cpio_verify(e, &error)) {
        unpack_report_error(u, UNPACK_ERROR, &error);
        return -EINVAL;
    }
    int err = unpack_is_xattrs(e) ? unpack_xattrs(u, e) : make_entry(u, e);
    return err ? settle(u, e, err) : 0;
}

void unpack_end(struct unpack *u) {
    unpack_times_set(u);
    unpack_links_forget(u);
    char *pages[] = {u->names, u->walk[0], u->walk[1]};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (pages[i])
            u->sink->free(u->ctx, pages[i], CPIO_PATH_MAX);
    if (u->text)
        u->sink->free(u->ctx, u->text, UNPACK_TEXT_MAX);
    u->names = u->walk[0] = u->walk[1] = u->text = NULL;
}
