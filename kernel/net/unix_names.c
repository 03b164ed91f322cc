// SPDX-License-Identifier: MIT
// Names of UNIX sockets: paths, abstract names, those that the kernel picks.
//
// A name is bound once and for all. One table holds all bound sockets: those with a path by the inode that bind made, the
// others by network, type and name. A socket is in it without a reference; it leaves it as the first thing when it ends.
#include "core/random.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/path_walk.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "net/unix_private.h"
#include <linux/fcntl.h>
#include <linux/stat.h>

#define BUCKETS       256
#define AUTOBIND_MASK 0xfffffu

static struct spinlock names_lock = SPINLOCK_INIT;
static struct unix_socket *names[BUCKETS]; // [names_lock]

// ---- addresses

int unix_check_address(const struct socket_address *a) {
    return a->len <= UNIX_NAME_OFFSET || a->len > (int)sizeof(struct sockaddr_un) || a->family != AF_UNIX
               ? -EINVAL
               : 0;
}

void unix_address_put(struct unix_address *a) {
    if (a && ref_put(&a->refs))
        kfree(a);
}

static const char *address_text(const struct socket_address *a) {
    return (const char *)&a->storage + UNIX_NAME_OFFSET;
}

static unsigned int hash_abstract(const struct net_ns *net, const char *name, int len, int type) {
    unsigned int h = (unsigned int)net->cookie * 31 + type;
    for (int i = 0; i < len; i++)
        h = h * 31 + (unsigned char)name[i];
    return h % BUCKETS;
}

static unsigned int hash_inode(const struct inode *inode) {
    return ((unsigned long)inode >> 7) % BUCKETS;
}

// len: of the name. NULL if no memory.
static struct unix_address *address_create(const char *name, int len) {
    struct unix_address *a = kzalloc(sizeof(*a));
    if (!a)
        return NULL;
    ref_init(&a->refs);
    a->family = AF_UNIX;
    a->len = UNIX_NAME_OFFSET + len;
    memcpy(a->name, name, len);
    return a;
}

// ---- the table

static void insert_locked(struct unix_socket *u, unsigned int hash) {
    ASSERT_HELD(&names_lock);
    u->next_name = names[hash];
    u->name_link = &names[hash];
    if (u->next_name)
        u->next_name->name_link = &u->next_name;
    names[hash] = u;
}

static void remove_name(struct unix_socket *u) {
    spin_lock(&names_lock);
    if (u->name_link) {
        *u->name_link = u->next_name;
        if (u->next_name)
            u->next_name->name_link = u->name_link;
        u->name_link = NULL;
    }
    spin_unlock(&names_lock);
}

static struct unix_socket *find_abstract_locked(const struct net_ns *net, const char *name, int len,
                                                int type) {
    ASSERT_HELD(&names_lock);
    for (struct unix_socket *u = names[hash_abstract(net, name, len, type)]; u; u = u->next_name)
        if (u->s.type == type && u->s.net == net && u->address->len == UNIX_NAME_OFFSET + len &&
            !memcmp(u->address->name, name, len))
            return u;
    return NULL;
}

static struct unix_socket *find_abstract(const struct net_ns *net, const char *name, int len, int type) {
    spin_lock(&names_lock);
    struct unix_socket *u = find_abstract_locked(net, name, len, type);
    if (u)
        socket_get(&u->s);
    spin_unlock(&names_lock);
    return u;
}

static struct unix_socket *find_inode(const struct inode *inode) {
    spin_lock(&names_lock);
    struct unix_socket *u = names[hash_inode(inode)];
    while (u && !(u->path.dentry && u->path.dentry->inode == inode))
        u = u->next_name;
    if (u)
        socket_get(&u->s);
    spin_unlock(&names_lock);
    return u;
}

static struct unix_socket *find_path(const char *name, int type) {
    struct path path;
    int err = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (err)
        return ERR_PTR(err);
    struct inode *inode = path.dentry->inode;
    struct unix_socket *u = NULL;
    err = inode_permission(inode, 2);
    if (!err) {
        u = S_ISSOCK(inode->mode) ? find_inode(inode) : NULL;
        err = !u ? -ECONNREFUSED : u->s.type != type ? -EPROTOTYPE : 0;
    }
    path_put(&path);
    if (err && u)
        unix_put(u);
    return err ? ERR_PTR(err) : u;
}

struct unix_socket *unix_find(const struct net_ns *net, const struct socket_address *a, int type) {
    const char *text = address_text(a);
    int len = a->len - UNIX_NAME_OFFSET;
    if (*text) {
        char name[UNIX_PATH_MAX + 1] = {0};
        memcpy(name, text, MIN(len, UNIX_PATH_MAX));
        return find_path(name, type);
    }
    struct unix_socket *u = find_abstract(net, text, len, type);
    return u ? u : ERR_PTR(-ECONNREFUSED);
}

// ---- binding. u->bind_mutex is held

// Gives u the address, unless another has that name. Takes over the reference, and the path if there is one.
static bool publish(struct unix_socket *u, struct unix_address *a, const struct path *path) {
    const char *name = a->name;
    int len = a->len - UNIX_NAME_OFFSET;
    spin_lock(&names_lock);
    bool free = path || !find_abstract_locked(u->s.net, name, len, u->s.type);
    if (free) {
        spin_lock(&u->s.lock);
        if (path)
            u->path = *path;
        __atomic_store_n(&u->address, a, __ATOMIC_RELEASE);
        spin_unlock(&u->s.lock);
        insert_locked(u,
                      path ? hash_inode(path->dentry->inode) : hash_abstract(u->s.net, name, len, u->s.type));
    }
    spin_unlock(&names_lock);
    return free;
}

static int bind_abstract(struct unix_socket *u, const char *name, int len) {
    if (u->address)
        return -EINVAL;
    struct unix_address *a = address_create(name, len);
    if (!a)
        return -ENOMEM;
    if (publish(u, a, NULL))
        return 0;
    unix_address_put(a);
    return -EADDRINUSE;
}

int unix_autobind(struct unix_socket *u) {
    char name[7] = {0};
    int err = 0;
    uint32_t number;
    mutex_lock(&u->bind_mutex);
    random_bytes(&number, sizeof(number));
    for (uint32_t i = 0; !u->address && !err; i++) {
        lib_snprintf(name + 1, sizeof(name) - 1, "%05x", (unsigned int)((number + i) & AUTOBIND_MASK));
        err = i > AUTOBIND_MASK ? -ENOSPC : cond_resched_killable();
        if (!err)
            err = bind_abstract(u, name, 6);
        if (err == -EADDRINUSE)
            err = 0;
    }
    mutex_unlock(&u->bind_mutex);
    return err;
}

// May a socket be made there?
static int check_place(const struct path *dir, const struct last_component *last) {
    if (last->dots)
        return -EADDRINUSE;
    struct dentry *d = vfs_lookup(dir->dentry, last->name, last->len);
    if (!IS_ERR(d)) {
        dentry_put(d);
        return -EADDRINUSE;
    }
    if (PTR_ERR(d) != -ENOENT)
        return PTR_ERR(d);
    if (last->slash)
        return -ENOENT;
    int err = mount_check_writable(dir->mount);
    if (!err)
        err = inode_permission(dir->dentry->inode, 3);
    return err ? err : inode_check_new_owner(dir->dentry->inode);
}

static int bind_in(struct unix_socket *u, struct path *dir, const struct last_component *last,
                   struct unix_address *a) {
    struct dentry *d = NULL;
    int err = check_place(dir, last);
    if (err)
        return err;
    if (u->address)
        return -EINVAL;
    mode_t mode = READ_ONCE(u->s.file->inode->mode) & ~current->fs->umask; // also where a list stands for it
    err = vfs_create(dir->dentry, last->name, last->len, inode_new_mode(dir->dentry->inode, mode), 0, &d);
    if (err) {
        if (d)
            dentry_put(d);
        return err == -EEXIST ? -EADDRINUSE : err;
    }
    struct path path = {dir->mount, d};
    mount_get(path.mount);
    ref_get(&a->refs);
    publish(u, a, &path);
    return 0;
}

static int bind_path(struct unix_socket *u, const char *text, int len) {
    struct last_component last;
    struct path dir;
    len = strnlen(text, MIN(len, UNIX_PATH_MAX));
    struct unix_address *a = address_create(text, len + 1);
    if (!a)
        return -ENOMEM;
    a->name[len] = '\0';
    int err = path_lookup_parent(AT_FDCWD, a->name, 0, &dir, &last);
    if (!err) {
        err = bind_in(u, &dir, &last, a);
        path_put(&dir);
    }
    unix_address_put(a);
    return err;
}

int unix_bind(struct socket *s, const struct socket_address *address) {
    struct unix_socket *u = to_unix(s);
    const char *text = address_text(address);
    if (address->len == UNIX_NAME_OFFSET && address->family == AF_UNIX)
        return unix_autobind(u); // bound already: it stays so, and that is no error
    int err = unix_check_address(address);
    if (err)
        return err;
    mutex_lock(&u->bind_mutex);
    int len = address->len - UNIX_NAME_OFFSET;
    err = *text ? bind_path(u, text, len) : bind_abstract(u, text, len);
    mutex_unlock(&u->bind_mutex);
    return err;
}

void unix_unbind(struct unix_socket *u) {
    remove_name(u);
    spin_lock(&u->s.lock);
    struct path path = u->path;
    u->path = (struct path){0};
    spin_unlock(&u->s.lock);
    if (path.dentry)
        path_put(&path);
}
