// SPDX-License-Identifier: MIT
// 9P mounts: options, the beginning, the end. `mount -t 9p -o trans=virtio,version=9p2000.L TAG DIR`, with Linux's options
// (Documentation/filesystems/9p.rst). What an option cannot change here is taken and does nothing: how much is kept in memory
// is always what lets changes on the host be seen.
#include "core/errno.h"
#include "fs/9p/mount.h"
#include "fs/9p/private.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/limits.h>
#include <linux/magic.h>

#define MSIZE_DEFAULT ((P9_IO_PAGES << PAGE_SHIFT) + PAGE_SIZE)
#define MSIZE_MOST    (1u << 20)
#define NAME_ROOM     64

static struct spinlock all_lock = SPINLOCK_INIT;
static struct list_head mounts = LIST_HEAD_INIT(mounts); // [all_lock]
static unsigned int count;                               // [all_lock]; read without

unsigned int p9_mount_count(void) {
    return READ_ONCE(count);
}

// The one behind m (NULL: the first), with a reference to its superblock, if there is one whose end has not begun.
static struct p9_mount *next_mount(struct p9_mount *m) {
    struct p9_mount *found = NULL;
    spin_lock(&all_lock);
    for (struct list_head *at = m ? m->link.next : mounts.next; at != &mounts && !found; at = at->next) {
        struct p9_mount *next = list_entry(at, struct p9_mount, link);
        if (ref_get_unless_zero(&next->sb->refs))
            found = next;
    }
    spin_unlock(&all_lock);
    return found;
}

// ---- options

struct options {
    uint32_t msize;
    bool access_user;
    char uname[NAME_ROOM], aname[PATH_MAX / 4];
};

static int take_text(char *to, size_t room, const char *value) {
    return value && strlcpy(to, value, room) < room ? 0 : -EINVAL;
}

static int one_of(const char *value, const char *const *words) {
    for (; value && *words; words++)
        if (!strcmp(value, *words))
            return 0;
    return -EINVAL;
}

static int take_option(const char *key, const char *value, void *arg) {
    static const char *const transports[] = {"virtio", NULL},
                             *const versions[] = {"9p2000.L", "9P2000.L", NULL},
                             *const accesses[] = {"user", "client", "any", NULL};
    struct options *o = arg;
    uint64_t number = 0;
    int err = 0;
    if (!strcmp(key, "trans")) {
        err = one_of(value, transports);
    } else if (!strcmp(key, "version")) {
        err = one_of(value, versions);
    } else if (!strcmp(key, "access")) {
        err = one_of(value, accesses);
        o->access_user = !err && !strcmp(value, "user");
    } else if (!strcmp(key, "msize")) {
        err = value ? fs_option_number(value, 10, INT32_MAX, &number) : -EINVAL;
        if (!err && number < PAGE_SIZE)
            err = -EINVAL;
        o->msize = (uint32_t)MIN(number, (uint64_t)MSIZE_MOST);
    } else if (!strcmp(key, "uname")) {
        err = take_text(o->uname, sizeof(o->uname), value);
    } else if (!strcmp(key, "aname")) {
        err = take_text(o->aname, sizeof(o->aname), value);
    }
    return err; // others are let pass, as Linux does
}

// ---- life

static void free_mount(struct p9_mount *m) {
    spin_lock(&all_lock);
    list_del(&m->link);
    WRITE_ONCE(count, count - 1);
    spin_unlock(&all_lock);
    if (m->root)
        p9_fid_put(m->root);
    p9_client_close(m->client); // and with it, m
}

// The inodes have gone, and nothing of them is to be written.
static void destroy(struct superblock *sb) {
    if (sb->private_data)
        free_mount(sb->private_data);
}

static struct p9_mount *make(struct superblock *sb, struct p9_client *client, const struct options *o) {
    struct p9_mount *m = kzalloc(sizeof(*m));
    if (!m)
        return NULL;
    m->sb = sb;
    m->client = client;
    m->keeps_owners = true;
    m->msize = o->msize;
    m->access_user = o->access_user;
    spin_init(&m->lock);
    RB_INIT(&m->inodes);
    list_init(&m->kept);
    list_init(&m->dirty);
    mutex_init(&m->sync);
    client->arg = m;
    client->tend = p9_tend;
    sb->private_data = m;
    spin_lock(&all_lock);
    list_add_tail(&m->link, &mounts);
    WRITE_ONCE(count, count + 1);
    spin_unlock(&all_lock);
    return m;
}

static struct dentry *attach(struct p9_mount *m, const struct options *o) {
    struct p9_fid *fid = p9_attach(m->client, o->uname, o->aname, current->cred->fsuid);
    if (IS_ERR(fid))
        return ERR_PTR(PTR_ERR(fid));
    m->root = fid;
    p9_fid_get(fid);
    struct inode *inode = p9_inode_get(m, fid);
    if (IS_ERR(inode))
        return ERR_PTR(PTR_ERR(inode));
    struct dentry *root = S_ISDIR(inode->mode) ? dentry_create_root(inode) : ERR_PTR(-ENOTDIR);
    inode_put(inode);
    return root ? root : ERR_PTR(-ENOMEM);
}

static struct dentry *mount_with(const struct fs_type *type, const char *tag, const struct options *o) {
    struct p9_client *client = p9_client_create(tag, o->msize);
    if (IS_ERR(client))
        return ERR_PTR(PTR_ERR(client));
    struct superblock *sb = superblock_create(type);
    struct p9_mount *m = sb ? make(sb, client, o) : NULL;
    struct dentry *root = m ? attach(m, o) : ERR_PTR(-ENOMEM);
    if (!m)
        p9_client_close(client);
    if (sb)
        superblock_put(sb); // the root's inode holds it
    return root;
}

static struct dentry *mount(const struct fs_type *type, const char *source, const char *options) {
    struct options *o = kzalloc(sizeof(*o));
    if (!o)
        return ERR_PTR(-ENOMEM);
    o->msize = MSIZE_DEFAULT;
    strlcpy(o->uname, "nobody", sizeof(o->uname));
    int err = source ? fs_options_for_each(options, take_option, o) : -EINVAL;
    struct dentry *root = err ? ERR_PTR(err) : mount_with(type, source, o);
    kfree(o);
    return root;
}

static int statfs(struct superblock *sb, struct kstatfs *out) {
    struct p9_mount *m = sb->private_data;
    struct p9_statfs st;
    int err = p9_statfs(m->root, &st);
    if (err)
        return err;
    *out = (struct kstatfs){.type = V9FS_MAGIC,
                            .bsize = st.bsize,
                            .blocks = st.blocks,
                            .bfree = st.bavail,
                            .files = st.files,
                            .ffree = st.ffree};
    return 0;
}

static void sync(struct superblock *sb) {
    (void)p9_write_back_all(sb->private_data);
}

static int show_options(struct superblock *sb, char *buf, size_t n) {
    const struct p9_mount *m = sb->private_data;
    return lib_snprintf(buf, n, ",access=%s,msize=%u,trans=virtio", m->access_user ? "user" : "client",
                        m->msize);
}

static void trim_all(void) {
    for (struct p9_mount *m = next_mount(NULL), *next; m; m = next) {
        p9_trim(m);
        next = next_mount(m);
        superblock_put(m->sb);
    }
}

static struct fs_type p9_type = {.name = "9p",
                                 .nodev = true,
                                 .no_leases = true,
                                 .mount = mount,
                                 .statfs = statfs,
                                 .sync = sync,
                                 .destroy = destroy,
                                 .inode_free = p9_inode_free,
                                 .unmounted = p9_unmounted,
                                 .show_options = show_options};

void p9_init(void) {
    p9_inode_init();
    fs_type_register(&p9_type);
    memory_trim_files = trim_all;
}
