// SPDX-License-Identifier: MIT
// Instances of tmpfs and ramfs: their options and limits. tmpfs(5), mount(8).
//
// An instance may take half of the usable memory and half as many inodes as that has pages, if its options do not say
// otherwise. What an archive holds is not counted: it takes no memory that anybody else could have. ramfs has no limits.
#include "core/errno.h"
#include "core/printk.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/tmpfs/data.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include <linux/magic.h>

#define DEFAULT_MODE 01777
#define RAMFS_MODE   0755

// What options name. Sizes of 0: no limit.
struct tmpfs_options {
    bool has_pages, has_inodes, has_mode, has_uid, has_gid;
    uint64_t pages, inodes;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

static uint64_t default_limit(void) {
    return memory_usable_pages() / 2;
}

// ---- reading options

// A number as the command line has it: 0x, 0, and k, m, g, ... behind it. The first character that does not belong to it.
static const char *parse_number(const char *s, uint64_t *out) {
    static const char suffixes[] = "kmgtpe";
    unsigned int base = 10;
    *out = 0;
    if (s[0] == '0' && (s[1] | 32) == 'x') {
        base = 16;
        s += 2;
    } else if (s[0] == '0') {
        base = 8;
    }
    for (;; s++) {
        unsigned int digit = *s >= '0' && *s <= '9'                 ? *s - '0'
                             : (*s | 32) >= 'a' && (*s | 32) <= 'f' ? (*s | 32) - 'a' + 10
                                                                    : 99;
        if (digit >= base)
            break;
        *out = *out * base + digit;
    }
    const char *suffix = *s ? strchr(suffixes, *s | 32) : NULL;
    if (!suffix)
        return s;
    *out <<= 10 * (suffix - suffixes + 1);
    return s + 1;
}

static bool parse_whole(const char *s, uint64_t *out) {
    return *s && !*parse_number(s, out);
}

static bool parse_size(const char *s, uint64_t *pages) {
    uint64_t size;
    const char *rest = parse_number(s, &size);
    if (*rest == '%') {
        size = (size << PAGE_SHIFT) * memory_usable_pages() / 100;
        rest++;
    }
    *pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    return !*rest && rest > s;
}

enum option { SIZE, NR_BLOCKS, NR_INODES, MODE, UID, GID, HUGE, FLAG };

static bool parse_value(enum option option, const char *value, struct tmpfs_options *o) {
    uint64_t v = 0;
    bool ok = false;
    switch (option) {
    case SIZE:
        o->has_pages = ok = parse_size(value, &o->pages);
        break;
    case NR_BLOCKS:
        o->has_pages = ok = parse_whole(value, &o->pages) && o->pages <= INT64_MAX;
        break;
    case NR_INODES:
        o->has_inodes = ok = parse_whole(value, &o->inodes);
        break;
    case MODE:
        o->has_mode = ok = !fs_option_number(value, 8, UINT32_MAX, &v);
        o->mode = v & 07777;
        break;
    case UID:
        ok = !fs_option_number(value, 10, UINT32_MAX - 1, &v);
        o->uid = uid_from_user(current->cred->user_ns, v);
        o->has_uid = ok = ok && o->uid != ID_NONE;
        break;
    case GID:
        ok = !fs_option_number(value, 10, UINT32_MAX - 1, &v);
        o->gid = gid_from_user(current->cred->user_ns, v);
        o->has_gid = ok = ok && o->gid != ID_NONE;
        break;
    case HUGE:
        ok = !strcmp(value, "never"); // as a Linux without huge pages
        break;
    case FLAG: // nothing is ever swapped out, and inode numbers have 64 bits and never come near 32
        ok = !*value;
        break;
    }
    return ok;
}

// One `key=value`, in which `=` may be replaced. What is unknown is refused, as Linux does.
static int parse_option(char *s, struct tmpfs_options *o) {
    static const struct {
        const char *key;
        enum option option;
    } table[] = {{"size", SIZE},
                 {"nr_blocks", NR_BLOCKS},
                 {"nr_inodes", NR_INODES},
                 {"mode", MODE},
                 {"uid", UID},
                 {"gid", GID},
                 {"huge", HUGE},
                 {"noswap", FLAG},
                 {"inode32", FLAG},
                 {"inode64", FLAG}};
    char *value = strchr(s, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (strcmp(s, table[i].key))
            continue;
        if (!value == (table[i].option == FLAG) && parse_value(table[i].option, value ? value : "", o))
            return 0;
        pr_err("tmpfs: Bad value for '%s'", s);
        return -EINVAL;
    }
    pr_err("tmpfs: Unknown parameter '%s'", s);
    return -EINVAL;
}

static int parse_options(const char *options, struct tmpfs_options *o) {
    *o = (struct tmpfs_options){.mode = DEFAULT_MODE};
    char *copy = options ? kstrndup(options, strlen(options)) : NULL;
    int err = options && !copy ? -ENOMEM : 0;
    for (char *at = copy, *next; at && !err; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        err = *at ? parse_option(at, o) : 0;
    }
    kfree(copy);
    return err;
}

int tmpfs_check_options(const char *options) {
    struct tmpfs_options o;
    return parse_options(options, &o);
}

// ---- what programs see

int tmpfs_statfs(struct superblock *sb, struct kstatfs *out) {
    *out = (struct kstatfs){.type = TMPFS_MAGIC, .bsize = PAGE_SIZE};
    uint64_t max = READ_ONCE(sb->max_pages), used = READ_ONCE(sb->used_pages), free = memory_free_pages();
    if (max) {
        free -= MIN(free, memory_level.tight);
        out->blocks = max + READ_ONCE(sb->archive_pages);
        out->bfree = MIN(max - MIN(max, used), free);
    }
    max = READ_ONCE(sb->max_inodes);
    if (max) {
        out->files = max;
        out->ffree = max - MIN(max, READ_ONCE(sb->used_inodes));
    }
    return 0;
}

int tmpfs_show_options(struct superblock *sb, char *buf, size_t n) {
    const struct tmpfs_options *o = sb->private_data;
    uint64_t pages = READ_ONCE(sb->max_pages), inodes = READ_ONCE(sb->max_inodes);
    int len = 0;
    buf[0] = '\0';
    if (pages != default_limit())
        len += lib_snprintf(buf, n, ",size=%luk", (unsigned long)pages * (PAGE_SIZE / 1024));
    if (inodes != default_limit())
        len += lib_snprintf(buf + len, n - len, ",nr_inodes=%lu", (unsigned long)inodes);
    if (o->mode != DEFAULT_MODE)
        len += lib_snprintf(buf + len, n - len, ",mode=%03o", o->mode);
    const struct user_ns *reader = current->cred->user_ns;
    if (o->uid)
        len += lib_snprintf(buf + len, n - len, ",uid=%u", uid_shown(reader, o->uid));
    if (o->gid)
        len += lib_snprintf(buf + len, n - len, ",gid=%u", gid_shown(reader, o->gid));
    return len;
}

// ---- making

// `o` is copied.
static struct dentry *create(const struct fs_type *type, const struct tmpfs_options *o) {
    struct superblock *sb = superblock_create(type);
    if (!sb)
        return ERR_PTR(-ENOMEM);
    struct tmpfs_options *kept = kmalloc(sizeof(*kept));
    struct inode *inode = kept ? tmpfs_inode(sb, S_IFDIR | o->mode) : ERR_PTR(-ENOMEM);
    if (kept)
        *kept = *o;
    sb->private_data = kept;
    superblock_put(sb); // the inode holds it
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    sb->max_pages = o->pages;
    sb->max_inodes = o->inodes;
    inode->uid = o->has_uid ? o->uid : current->cred->fsuid;
    inode->gid = o->has_gid ? o->gid : current->cred->fsgid;
    struct dentry *root = dentry_create_root(inode);
    inode_put(inode);
    return root ? root : ERR_PTR(-ENOMEM);
}

struct dentry *tmpfs_create_instance(const struct fs_type *type, const char *options) {
    struct tmpfs_options o;
    int err = parse_options(options, &o);
    if (err)
        return ERR_PTR(err);
    if (options && !o.has_pages)
        o.pages = default_limit();
    if (options && !o.has_inodes)
        o.inodes = default_limit();
    if (!options)
        o.mode = RAMFS_MODE;
    return create(type, &o);
}

static struct dentry *tmpfs_mount(const struct fs_type *type, const char *source, const char *options) {
    (void)source;
    return tmpfs_create_instance(type, options ? options : "");
}

// All memory is the inodes'.
void tmpfs_destroy(struct superblock *sb) {
    kfree(sb->private_data);
}

// ---- changing

// Sets a limit that is not below what is in use. The order is that of tmpfs_charge(), so that of a charge and a change at
// the same time at least one sees the other.
static int change_limit(uint64_t *max, const uint64_t *used, uint64_t new, const char *what,
                        const char *too) {
    uint64_t old = *max;
    if (!old && new) {
        pr_err("tmpfs: Cannot retroactively limit %s", what);
        return -EINVAL;
    }
    __atomic_store_n(max, new, __ATOMIC_SEQ_CST);
    if (!new || __atomic_load_n(used, __ATOMIC_SEQ_CST) <= new)
        return 0;
    WRITE_ONCE(*max, old);
    pr_err("tmpfs: Too %s for current use", too);
    return -EINVAL;
}

// As in Linux mode, uid and gid are those of the first mount.
int tmpfs_remount(struct superblock *sb, const char *options) {
    struct tmpfs_options o;
    uint64_t old = sb->max_pages;
    int err = parse_options(options, &o);
    if (!err && o.has_pages)
        err = change_limit(&sb->max_pages, &sb->used_pages, o.pages, "size", "small a size");
    if (!err && o.has_inodes) {
        err = change_limit(&sb->max_inodes, &sb->used_inodes, o.inodes, "inodes", "few inodes");
        if (err)
            WRITE_ONCE(sb->max_pages, old);
    }
    return err;
}

void tmpfs_limit_root(struct dentry *root, const char *options) {
    struct superblock *sb = root->inode->sb;
    struct tmpfs_options o;
    int err = parse_options(options, &o);
    if (err) {
        pr_warn("rootflags=%s: not all of it is an option of tmpfs; the root has the usual limits", options);
        o = (struct tmpfs_options){.mode = DEFAULT_MODE};
    }
    uint64_t pages = o.has_pages ? o.pages : default_limit();
    sb->max_pages = pages && pages < sb->used_pages ? sb->used_pages : pages;
    // The archive's inodes are there, however many; a number given is that of all, as the option says.
    sb->max_inodes = o.has_inodes ? o.inodes : sb->used_inodes + default_limit();
    struct iattr attr = {.valid = (o.has_mode ? ATTR_MODE : 0) | (o.has_uid ? ATTR_UID : 0) |
                                  (o.has_gid ? ATTR_GID : 0),
                         .mode = o.mode,
                         .uid = o.uid,
                         .gid = o.gid};
    if (attr.valid)
        (void)inode_setattr(root->inode, &attr);
    *(struct tmpfs_options *)sb->private_data = o;
}

// ---- ramfs

// Takes mode= and, as Linux, lets all else pass.
static struct dentry *ramfs_mount(const struct fs_type *type, const char *source, const char *options) {
    struct tmpfs_options o = {.mode = RAMFS_MODE};
    uint64_t mode = 0;
    (void)source;
    for (const char *at = options; at && *at;) {
        const char *end = strchr(at, ',');
        char value[16];
        if (!strncmp(at, "mode=", 5)) {
            strlcpy(value, at + 5, MIN(sizeof(value), end ? (size_t)(end - at) - 4 : sizeof(value)));
            if (fs_option_number(value, 8, UINT32_MAX, &mode))
                return ERR_PTR(-EINVAL);
            o.mode = mode & 07777;
        }
        at = end ? end + 1 : NULL;
    }
    return create(type, &o);
}

static int ramfs_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = RAMFS_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static int ramfs_show_options(struct superblock *sb, char *buf, size_t n) {
    const struct tmpfs_options *o = sb->private_data;
    buf[0] = '\0';
    return o->mode == RAMFS_MODE ? 0 : lib_snprintf(buf, n, ",mode=%o", o->mode);
}

static int ramfs_remount(struct superblock *sb, const char *options) {
    (void)sb, (void)options;
    return 0;
}

struct fs_type tmpfs_type = {.name = "tmpfs",
                             .nodev = true,
                             .for_users = true,
                             .xattrs = true,
                             .has_flags = true,
                             .handles = true,
                             .mount = tmpfs_mount,
                             .statfs = tmpfs_statfs,
                             .destroy = tmpfs_destroy,
                             .inode_free = tmpfs_inode_free,
                             .unmounted = dentry_drop_tree,
                             .show_options = tmpfs_show_options,
                             .remount = tmpfs_remount};

struct fs_type ramfs_type = {.name = "ramfs",
                             .nodev = true,
                             .for_users = true,
                             .mount = ramfs_mount,
                             .statfs = ramfs_statfs,
                             .destroy = tmpfs_destroy,
                             .inode_free = tmpfs_inode_free,
                             .unmounted = dentry_drop_tree,
                             .show_options = ramfs_show_options,
                             .remount = ramfs_remount};
