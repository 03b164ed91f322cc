// SPDX-License-Identifier: MIT
// /proc/PID/ns, and uid_map, gid_map and setgroups of the process's user namespace.
#include "core/errno.h"
#include "core/user_ns.h"
#include "fs/dentry.h"
#include "fs/nsfs.h"
#include "lib/string.h"
#include "proc/namespace.h"
#include "procfs/pid.h"
#include <linux/capability.h>

struct namespace *pid_node_namespace(const struct pid_node *n, int flag) {
    struct thread *t = pid_node_thread(n);
    struct namespace *ns = t ? thread_get_namespace(t, flag) : NULL;
    if (t)
        thread_put(t);
    return ns;
}

// ---- ns/: a link for each kind there is

static struct namespace *children_ns(const struct pid_node *n) {
    struct thread *t = pid_node_thread(n);
    struct namespace *ns = t ? thread_get_children_ns(t) : NULL;
    if (t)
        thread_put(t);
    return ns;
}

#define OF_CHILDREN (-1) // instead of a flag: the pid namespace of those

static int follow(struct pid_node *n, int flag, struct path *out) {
    int err = process_access_begin(n->process, ACCESS_FILE);
    if (err)
        return err;
    struct namespace *ns = flag == OF_CHILDREN ? children_ns(n) : pid_node_namespace(n, flag);
    process_access_end(n->process);
    err = ns ? nsfs_path(ns, out) : -ENOENT;
    namespace_put(ns);
    return err;
}

#define FOLLOW_(name, flag)                                                                                  \
    static int follow_##name(struct pid_node *n, struct path *out) {                                         \
        return follow(n, flag, out);                                                                         \
    }
FOLLOW_(user, CLONE_NEWUSER)
FOLLOW_(mnt, CLONE_NEWNS)
FOLLOW_(uts, CLONE_NEWUTS)
FOLLOW_(ipc, CLONE_NEWIPC)
FOLLOW_(pid, CLONE_NEWPID)
FOLLOW_(pid_for_children, OF_CHILDREN)
FOLLOW_(net, CLONE_NEWNET)

static const struct ns_link {
    int flag;
    struct pid_file file;
} links[] = {
#define LINK_(name_, flag_)                                                                                  \
    {                                                                                                        \
        flag_, {                                                                                             \
            .name = #name_, .mode = S_IFLNK | 0777, .follow = follow_##name_                                 \
        }                                                                                                    \
    }
    LINK_(ipc, CLONE_NEWIPC),
    LINK_(mnt, CLONE_NEWNS),
    LINK_(net, CLONE_NEWNET),
    LINK_(pid, CLONE_NEWPID),
    LINK_(pid_for_children, CLONE_NEWPID),
    LINK_(user, CLONE_NEWUSER),
    LINK_(uts, CLONE_NEWUTS),
};

static int lookup(struct inode *inode, struct dentry *d) {
    struct pid_node *dir = pid_node(inode);
    for (unsigned int i = 0; i < ARRAY_SIZE(links); i++) {
        if (strcmp(links[i].file.name, d->name) || !namespace_flags_are_known(links[i].flag))
            continue;
        struct inode *made =
            pid_inode_create(inode->sb, dir->process, dir->tid, 0, &links[i].file, PID_INO_NS + i);
        if (IS_ERR(made))
            return PTR_ERR(made);
        d->inode = made;
        return 0;
    }
    return 0;
}

static int readdir(struct file *f, struct dir_context *ctx) {
    struct pid_node *dir = pid_node(f->inode);
    int err = process_access_begin(dir->process, ACCESS_FILE);
    if (err)
        return err;
    process_access_end(dir->process);
    for (off_t i = ctx->pos - 2; i < (off_t)ARRAY_SIZE(links); i++) {
        const char *name = links[i].file.name;
        ctx->pos = i + 2;
        if (!namespace_flags_are_known(links[i].flag))
            continue;
        if (!ctx->emit(ctx, name, strlen(name), i + 3, pid_ino(dir->process, dir->tid, PID_INO_NS + i),
                       S_IFLNK >> 12))
            return 0;
    }
    ctx->pos = ARRAY_SIZE(links) + 2;
    return 0;
}

const struct inode_ops pid_ns_dir_ops = {.lookup = lookup};
const struct file_ops pid_ns_dir_fops = {.readdir = readdir, .lseek = proc_lseek};

// ---- maps

// The user namespace of a process, also of one that has ended; referenced.
static struct user_ns *user_ns_of_node(const struct pid_node *n) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    struct user_ns *u = user_ns_get(n->process->cred->user_ns);
    spin_unlock_irqrestore(&process_lock, flags);
    return u;
}

// What is below is shown as the reader's namespace has it; to those in that namespace itself, as its parent has it.
static int show_map(struct seq_buf *s, struct pid_node *n, bool groups) {
    struct user_ns *u = user_ns_of_node(n);
    const struct user_ns *reader = current->cred->user_ns;
    const struct user_ns *seen = reader == u && u->parent ? u->parent : reader;
    const struct id_map *map = __atomic_load_n(groups ? &u->gids : &u->uids, __ATOMIC_ACQUIRE);
    if (!u->parent)
        seq_printf(s, "%10u %10u %10u\n", 0, 0, UINT32_MAX);
    for (unsigned int i = 0; map && i < map->count; i++) {
        const struct id_extent *e = &map->extent[i];
        seq_printf(s, "%10u %10u %10u\n", e->first, groups ? gid_in(seen, e->below) : uid_in(seen, e->below),
                   e->count);
    }
    user_ns_put(u);
    return 0;
}

int pid_show_uid_map(struct seq_buf *s, struct pid_node *n) {
    return show_map(s, n, false);
}

int pid_show_gid_map(struct seq_buf *s, struct pid_node *n) {
    return show_map(s, n, true);
}

static ssize_t store_map(struct pid_node *n, const char *text, size_t size, bool groups,
                         const struct cred *opener) {
    struct user_ns *u = user_ns_of_node(n);
    int err = strlen(text) == size ? user_ns_set_map(u, groups, text, opener) : -EINVAL;
    user_ns_put(u);
    return err ? err : (ssize_t)size;
}

ssize_t pid_store_uid_map(struct pid_node *n, const char *text, size_t size, const struct cred *opener) {
    return store_map(n, text, size, false, opener);
}

ssize_t pid_store_gid_map(struct pid_node *n, const char *text, size_t size, const struct cred *opener) {
    return store_map(n, text, size, true, opener);
}

int pid_show_setgroups(struct seq_buf *s, struct pid_node *n) {
    struct user_ns *u = user_ns_of_node(n);
    seq_puts(s, READ_ONCE(u->setgroups_denied) ? "deny\n" : "allow\n");
    user_ns_put(u);
    return 0;
}

ssize_t pid_store_setgroups(struct pid_node *n, const char *text, size_t size, const struct cred *opener) {
    static const char *const words[] = {"allow", "deny"};
    int deny = -1;
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(words[i]);
        if (!strncmp(text, words[i], len) && (!text[len] || (text[len] == '\n' && !text[len + 1])))
            deny = i;
    }
    if (deny < 0)
        return -EINVAL;
    struct user_ns *u = user_ns_of_node(n);
    int err = cred_capable_in(opener, u, CAP_SYS_ADMIN) ? user_ns_deny_setgroups(u, deny) : -EPERM;
    user_ns_put(u);
    return err ? err : (ssize_t)size;
}
