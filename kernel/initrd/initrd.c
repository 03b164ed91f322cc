// SPDX-License-Identifier: MIT
// Unpacks the archives. lib/unpack knows the rules; here is what it needs of a tree: a sink over the root's
// tmpfs, whose nodes are dentries. Files keep pointing into the archive (tmpfs_set_borrowed()); mm/ledger.h tells
// whose its pages are.
#include "initrd/initrd.h"
#include "core/cmdline.h"
#include "core/errno.h"
#include "core/fdt.h"
#include "core/panic.h"
#include "core/printk.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/vfs.h"
#include "fs/xattr.h"
#include "initrd/inits.h"
#include "lib/format.h"
#include "lib/metadata.h"
#include "lib/string.h"
#include "lib/unpack.h"
#include "mm/ledger.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include <linux/fs.h>
#include <linux/stat.h>
#include <linux/xattr.h>

// The sink's ctx.
struct archive {
    const char *which; // in messages
    struct dentry *root;
};

static struct dentry *dentry_of(struct unpack_node *node) {
    return (struct dentry *)node;
}
static struct unpack_node *node_of(struct dentry *d) {
    return (struct unpack_node *)d;
}

// ---- the sink

static inline struct iattr iattr_of(const struct unpack_attr *attr) {
    filetime_t mtime = (filetime_t)attr->mtime * NSEC_PER_SEC;
    return (struct iattr){
        .valid = ATTR_MODE | ATTR_ATIME | ATTR_MTIME | (attr->uid == UNPACK_NO_OWNER ? 0 : ATTR_UID) |
                 (attr->gid == UNPACK_NO_OWNER ? 0 : ATTR_GID),
        .mode = attr->mode,
        .uid = attr->uid,
        .gid = attr->gid,
        .atime = mtime,
        .mtime = mtime,
    };
}

static int set_attr(void *ctx, struct unpack_node *node, const struct unpack_attr *attr) {
    (void)ctx;
    struct iattr a = iattr_of(attr);
    return inode_setattr(dentry_of(node)->inode, &a);
}

static int set_mtime(void *ctx, struct unpack_node *node, int64_t mtime) {
    (void)ctx;
    struct iattr a = {.valid = ATTR_MTIME, .mtime = (filetime_t)mtime * NSEC_PER_SEC};
    return inode_setattr(dentry_of(node)->inode, &a);
}

// What tmpfs keeps, as the calls have it (sys/xattr.c). However many entries bring some, a file has no more than one may have in an archive.
static int set_xattr(void *ctx, struct unpack_node *node, const char *name, const void *value, size_t size) {
    (void)ctx;
    struct inode *inode = dentry_of(node)->inode;
    if (!name) {
        xattr_free(inode); // nobody else is there yet
        return 0;
    }
    if (xattr_check_name(inode, name))
        return -EOPNOTSUPP;
    if (!strncmp(name, XATTR_USER_PREFIX, strlen(XATTR_USER_PREFIX)) && !S_ISREG(inode->mode) &&
        !S_ISDIR(inode->mode))
        return -EPERM;
    if (!strcmp(name, XATTR_NAME_CAPS) && (!S_ISREG(inode->mode) || !file_caps_are_valid(value, size)))
        return -EINVAL;
    if (xattr_get(inode, name, NULL, 0) == -ENODATA &&
        xattr_list(inode, NULL, 0, true) + (ssize_t)strlen(name) + 1 > METADATA_XATTR_NAMES)
        return -E2BIG;
    return xattr_set(inode, name, value, size, 0);
}

static int set_data(void *ctx, struct unpack_node *node, struct unpack_span *span) {
    (void)ctx;
    inits_rewritten(dentry_of(node)->inode);
    tmpfs_set_borrowed(dentry_of(node)->inode, span->data, span->size);
    return 0;
}

// The end of making something: its name keeps the dentry, so our reference is not needed.
static int finish(int err, struct dentry *d, const struct unpack_attr *attr, struct unpack_node **out) {
    if (err == -EEXIST)
        dentry_put(d); // the one that is there
    if (err)
        return err;
    err = set_attr(NULL, node_of(d), attr);
    if (out)
        *out = node_of(d);
    dentry_put(d);
    return err;
}

static int create(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  const struct unpack_attr *attr, struct unpack_span *span, struct unpack_node **out) {
    (void)ctx;
    struct dentry *d;
    int err = tmpfs_unpack(dentry_of(dir), name, length, attr, span->data, span->size, &d);
    if (err)
        return err;
    *out = node_of(d);
    return 0;
}

static int make_directory(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                          const struct unpack_attr *attr, struct unpack_node **out) {
    (void)ctx;
    struct dentry *d;
    int err = vfs_mkdir(dentry_of(dir), name, length, attr->mode, &d);
    return finish(err, d, attr, out);
}

static int make_symlink(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                        const struct unpack_attr *attr, const char *target, size_t target_length) {
    (void)ctx;
    struct dentry *d;
    char *copy = kstrndup(target, target_length);
    if (!copy)
        return -ENOMEM;
    int err = vfs_symlink(dentry_of(dir), name, length, copy, &d);
    kfree(copy);
    return finish(err, d, attr, NULL);
}

static int make_link(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                     struct unpack_node *node) {
    (void)ctx;
    struct inode *inode = dentry_of(node)->inode;
    inode->linkable = !inode->nlink; // the first name may have been replaced since: a link is to the file
    return vfs_link(dentry_of(dir), name, length, inode);
}

static int remove_name(void *ctx, struct unpack_node *dir, const char *name, size_t length) {
    (void)ctx;
    int err = vfs_unlink(dentry_of(dir), name, length, false, NULL);
    return err == -EISDIR ? vfs_unlink(dentry_of(dir), name, length, true, NULL) : err;
}

static int lookup(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  struct unpack_node **out, uint32_t *mode) {
    (void)ctx;
    struct dentry *d = dentry_find(dentry_of(dir), name, length);
    if (!d)
        return -ENOENT;
    *out = node_of(d);
    *mode = d->inode->mode;
    dentry_put(d); // its name keeps it
    return 0;
}

static struct unpack_node *parent(void *ctx, struct unpack_node *dir) {
    (void)ctx;
    return node_of(dentry_of(dir)->parent);
}

// Inodes are numbered as they are made.
static uint64_t serial(void *ctx, struct unpack_node *node) {
    if (node)
        return dentry_of(node)->inode->ino;
    return ((struct archive *)ctx)->root->inode->sb->next_ino;
}

static struct unpack_node *first(void *ctx, struct unpack_node *dir, const char **name, size_t *length,
                                 uint32_t *mode) {
    (void)ctx;
    struct dentry *d = RB_ROOT(&dentry_of(dir)->children);
    if (!d)
        return NULL;
    *name = d->name;
    *length = d->name_len;
    *mode = d->inode->mode;
    return node_of(d);
}

static int move(void *ctx, struct unpack_node *from, const char *name, size_t length,
                struct unpack_node *to) {
    (void)ctx;
    return vfs_rename(dentry_of(from), name, length, dentry_of(to), name, length, RENAME_NOREPLACE, NULL);
}

static const char *read_link(void *ctx, struct unpack_node *node) {
    (void)ctx;
    struct inode *inode = dentry_of(node)->inode;
    const char *target = inode->ops->readlink(inode, NULL, 0); // tmpfs has it in memory
    return IS_ERR(target) ? "" : target;
}

static void hold(void *ctx, struct unpack_node *node) {
    (void)ctx;
    dentry_get(dentry_of(node));
}

static void drop(void *ctx, struct unpack_node *node) {
    (void)ctx;
    dentry_put(dentry_of(node));
}

static void *allocate(void *ctx, size_t size) {
    (void)ctx;
    return kmalloc(size);
}

static void release(void *ctx, void *memory, size_t size) {
    (void)ctx, (void)size;
    kfree(memory);
}

// ---- memory of archives

static void *room(void *ctx, uint64_t *size) {
    (void)ctx;
    return ledger_take_room(size);
}

static void keep(void *ctx, void *memory, uint64_t size, uint64_t used) {
    (void)ctx;
    ledger_keep_room(memory, size, used);
}

static void begin_reading(void *ctx, const void *at) {
    (void)ctx;
    ledger_open(at);
}

static void pass(void *ctx, const void *end) {
    (void)ctx;
    ledger_pass(end);
}

static void end_reading(void *ctx) {
    (void)ctx;
    ledger_close();
}

static void report(void *ctx, enum unpack_severity severity, const char *sentence) {
    const struct archive *archive = ctx;
    static const enum log_level levels[] = {
        [UNPACK_NOTE] = LOG_INFO, [UNPACK_WARNING] = LOG_WARNING, [UNPACK_ERROR] = LOG_ERR};
    printk(levels[severity], "initrd: %s archive: %s", archive->which, sentence);
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
    .readlink = read_link,
    .set_data = set_data,
    .set_attr = set_attr,
    .set_xattr = set_xattr,
    .set_mtime = set_mtime,
    .hold = hold,
    .drop = drop,
    .alloc = allocate,
    .free = release,
    .room = room,
    .keep = keep,
    .open = begin_reading,
    .pass = pass,
    .close = end_reading,
    .report = report,
};

// ---- the archives

// initrd=strict or initrd=lenient on the command line: whether to go on where memory ends before the archive does.
// Without it all but the loader's are strict: half a root that somebody gave the image is no root.
static bool is_strict(bool is_loaders) {
    const char *word = cmdline_get("initrd");
    if (word && !strcmp(word, "strict"))
        return true;
    return !is_loaders && !(word && !strcmp(word, "lenient"));
}

static void summarise(const char *which, const struct unpack_summary *s, ktime_t took, int err) {
    char decompressed[48] = "";
    if (s->decompressed)
        lib_snprintf(decompressed, sizeof(decompressed), "%lu decompressed, ", s->decompressed);
    pr_info(
        "initrd: %s archive: %lu entries, %lu bytes, %s%lu borrowed, %lu copied, %lu directories implied, "
        "%lu warnings, in %ld us%s",
        which, s->entries, s->bytes, decompressed, s->borrowed, s->copied, s->implied,
        s->warnings + s->errors, took / NSEC_PER_USEC, err ? "; not all of it could be read" : "");
}

static void unpack_one(struct dentry *root, const char *which, bool is_loaders, const void *archive,
                       uint64_t size) {
    struct archive ctx = {which, root};
    struct unpack u;
    ktime_t start = clock_monotonic();
    if (unpack_begin(&u, &sink, &ctx, node_of(root)))
        panic("initrd: no memory to unpack the %s archive", which);
    int err = unpack_buffer(&u, archive, size);
    unpack_end(&u);
    summarise(which, &u.summary, clock_monotonic() - start, err);
    if ((err == -ENOMEM || err == -ENOSPC) && is_strict(is_loaders))
        panic(
            "initrd: the %s archive, %lu KiB, needs more memory than there is: %lu of %lu KiB are free. Give "
            "the machine more, or go on with what fits: initrd=lenient",
            which, size >> 10, memory_free_pages() * (PAGE_SIZE >> 10),
            memory_total_pages() * (PAGE_SIZE >> 10));
}

// What Linux's image has in it if it was built without an archive, so that an archive made by somebody who may
// not make device nodes starts an init with input and output.
static int make_default_root(struct dentry *root) {
    struct unpack_node *dev;
    struct dentry *made;
    const struct unpack_attr directory = {.mode = S_IFDIR | 0755}, home = {.mode = S_IFDIR | 0700};
    const struct unpack_attr console = {.mode = S_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1};
    int err = make_directory(NULL, node_of(root), "dev", 3, &directory, &dev);
    if (!err)
        err = tmpfs_unpack(dentry_of(dev), "console", 7, &console, NULL, 0, &made);
    return err ? err : make_directory(NULL, node_of(root), "root", 4, &home, NULL);
}

const char *initrd_load(struct fdt_range below, struct fdt_range embedded, struct fdt_range external) {
    struct path root = mount_root();
    const char *init = NULL;
    if (!embedded.size && make_default_root(root.dentry))
        panic("initrd: no memory for /dev/console");
    if (below.size) {
        ledger_fence(phys_to_virt(below.base), below.size);
        unpack_one(root.dentry, "lower", false, phys_to_virt(below.base), below.size);
    }
    if (embedded.size)
        unpack_one(root.dentry, "embedded", false, phys_to_virt(embedded.base), embedded.size);
    if (external.size) {
        ledger_fence(phys_to_virt(external.base), external.size);
        inits_look();
        unpack_one(root.dentry, "external", true, phys_to_virt(external.base), external.size);
        init = inits_of_later_archive();
    }
    memory_set_levels();
    tmpfs_limit_root(root.dentry, cmdline_get("rootflags"));
    path_put(&root);
    return init;
}
