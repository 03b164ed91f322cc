// SPDX-License-Identifier: MIT
// Message queues of POSIX. A queue is an inode of a file system of one flat directory. Messages are taken by priority, and in order
// of arrival among equals. Who waits for a message is handed it; who waits for room has his message put in by who makes it, so
// that nobody overtakes him. A queue's mutex guards it.
//
// A queue counts on its maker with all that it may hold (RLIMIT_MSGQUEUE).
#include "ipc/mqueue.h"
#include "core/user_ns.h"
#include "ipc/ipc_ns.h"
#include "core/cred.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/event/poll.h"
#include "fs/mount.h"
#include "fs/superblock.h"
#include "fs/vfs.h"
#include "lib/format.h"
#include "lib/list.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "net/netlink.h"
#include "sched/id.h"
#include "sched/user.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/magic.h>
#include <linux/resource.h>

#ifndef MQUEUE_MAGIC
#define MQUEUE_MAGIC 0x19800202
#endif
#define WAITS     1    // a status that no call returns
#define TEXT_SIZE 80   // of a queue's file, as stat(2) says
#define NODE_SIZE 48ul // what Linux counts for each message and each priority, beside the bytes

struct mq_message {
    struct list_head link;
    unsigned int priority;
    size_t size;
    char text[];
};

struct mq_waiter {
    struct list_head link;
    struct thread *thread;
    struct mq_message *message; // [m] a sender's; what a receiver was handed
    int status;                 // [a] WAITS; 0: done. Written last
};

// Key: [m] lock, [I].
struct mqueue {
    struct mutex lock;
    struct list_head messages;           // [m] by priority
    struct list_head receivers, senders; // [m] struct mq_waiter, the first first
    unsigned long count, max, size_max;  // [m], read without; [I]
    size_t bytes;                        // [m]
    unsigned long charged;               // [I]
    struct user *user;                   // [I] a reference
    struct mq_notification notify;       // [m]
    struct wait_queue wait;              // pollers
};

const struct mqueue_owner_ops *mqueue_ops;
static const struct file_ops queue_fops;

static struct mqueue *queue_of(const struct inode *inode) {
    return inode->private_data;
}

static struct ipc_ns *ns_of(const struct superblock *sb) {
    return sb->private_data;
}

// ---- queues

// 0, -EINVAL, -EOVERFLOW.
static int check_attr(const struct ipc_ns *ns, const struct mq_attr *attr) {
    bool any = capable(CAP_SYS_RESOURCE);
    unsigned long count = (unsigned long)attr->mq_maxmsg, size = (unsigned long)attr->mq_msgsize, product;
    if (attr->mq_maxmsg <= 0 || attr->mq_msgsize <= 0)
        return -EINVAL;
    if (count > (any ? MQ_MESSAGES_MOST : READ_ONCE(ns->mqueue.messages)) ||
        size > (any ? MQ_SIZE_MOST : READ_ONCE(ns->mqueue.size)))
        return -EINVAL;
    return __builtin_mul_overflow(count, size, &product) ? -EOVERFLOW : 0;
}

static struct mqueue *make_queue(const struct mq_attr *attr) {
    struct user *user = current->cred->user;
    unsigned long count = (unsigned long)attr->mq_maxmsg,
                  bytes = count * (unsigned long)attr->mq_msgsize +
                          (count + MIN(count, (unsigned long)MQ_PRIORITIES)) * NODE_SIZE;
    if ((unsigned long)user_charge(user, USER_MQUEUE_BYTES, (long)bytes) > current_rlimit(RLIMIT_MSGQUEUE)) {
        user_uncharge(user, USER_MQUEUE_BYTES, (long)bytes);
        return ERR_PTR(-EMFILE);
    }
    struct mqueue *q = kzalloc(sizeof(*q));
    if (!q) {
        user_uncharge(user, USER_MQUEUE_BYTES, (long)bytes);
        return ERR_PTR(-ENOMEM);
    }
    mutex_init(&q->lock);
    wait_queue_init(&q->wait);
    list_init(&q->messages);
    list_init(&q->receivers);
    list_init(&q->senders);
    q->max = count;
    q->size_max = (unsigned long)attr->mq_msgsize;
    q->charged = bytes;
    q->user = user_get(user);
    return q;
}

static void free_queue(struct mqueue *q) {
    while (!list_empty(&q->messages)) {
        struct mq_message *m = list_first_entry(&q->messages, struct mq_message, link);
        list_del(&m->link);
        kfree(m);
        cond_resched();
    }
    user_uncharge(q->user, USER_MQUEUE_BYTES, (long)q->charged);
    user_put(q->user);
    kfree(q);
}

// How many there may be binds all but CAP_SYS_RESOURCE.
static int count_queue(struct ipc_ns *ns) {
    unsigned long n = __atomic_add_fetch(&ns->mqueues, 1, __ATOMIC_RELAXED);
    if (n <= READ_ONCE(ns->mqueue.queues) || capable(CAP_SYS_RESOURCE))
        return 0;
    __atomic_fetch_sub(&ns->mqueues, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

static int create_with(struct inode *dir, struct dentry *d, mode_t mode, const struct mq_attr *attr) {
    struct ipc_ns *ns = ns_of(dir->sb);
    int err = READ_ONCE(ns->ended) ? -EACCES : S_ISREG(mode) ? count_queue(ns) : -EPERM;
    if (err)
        return err;
    struct mqueue *q = memory_is_short() ? ERR_PTR(-ENOMEM) : make_queue(attr);
    struct inode *inode = IS_ERR(q) ? NULL : inode_create(dir->sb, mode);
    if (!inode) {
        __atomic_fetch_sub(&ns->mqueues, 1, __ATOMIC_RELAXED);
        if (IS_ERR(q))
            return (int)PTR_ERR(q);
        free_queue(q);
        return -ENOMEM;
    }
    inode_init_owner(inode, NULL);
    inode->size = TEXT_SIZE;
    inode->fops = &queue_fops;
    inode->private_data = q;
    d->inode = inode;
    return 0;
}

static struct mq_attr default_attr(const struct ipc_ns *ns) {
    return (struct mq_attr){
        .mq_maxmsg = (long)MIN(READ_ONCE(ns->mqueue.messages), READ_ONCE(ns->mqueue.default_messages)),
        .mq_msgsize = (long)MIN(READ_ONCE(ns->mqueue.size), READ_ONCE(ns->mqueue.default_size))};
}

struct making {
    mode_t mode;
    struct mq_attr attr;
};

static int make_with(struct inode *dir, struct dentry *d, const void *arg) {
    const struct making *m = arg;
    return create_with(dir, d, m->mode, &m->attr);
}

static int mqueue_create(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev) {
    struct mq_attr attr = default_attr(ns_of(dir->sb));
    (void)rdev;
    return create_with(dir, d, mode, &attr);
}

static int mqueue_unlink_op(struct inode *dir, struct dentry *d) {
    (void)dir;
    inode_change_nlink(d->inode, -1);
    return 0;
}

// ---- notification

static void tell_socket(struct mq_notification *n, char what) {
    n->cookie[NOTIFY_COOKIE_LEN - 1] = what;
    netlink_deliver(n->netlink, n->cookie, sizeof(n->cookie));
    file_put(n->netlink);
}

// Nobody is asked for any more; `what`: NOTIFY_WOKENUP, NOTIFY_REMOVED. The lock is not held: the file may go.
static void end_notification(struct mq_notification *n, char what) {
    if (!n->owner.nr)
        return;
    if (n->netlink)
        tell_socket(n, what);
    else if (n->sig && what == NOTIFY_WOKENUP)
        mqueue_ops->send(&n->owner, n->sig, n->value);
}

static void take_notification_locked(struct mqueue *q, struct mq_notification *out) {
    ASSERT_HELD(&q->lock);
    *out = q->notify;
    q->notify.owner.nr = 0;
}

int mqueue_notify(struct file *f, const struct mq_notification *n) {
    struct mqueue *q = queue_of(f->inode);
    struct mq_notification old = {.owner.nr = 0};
    mutex_lock(&q->lock);
    int err = q->notify.owner.nr && mqueue_ops->is_there(&q->notify.owner) ? -EBUSY : 0;
    if (!err) {
        take_notification_locked(q, &old); // of one who has gone
        q->notify = *n;
    }
    mutex_unlock(&q->lock);
    end_notification(&old, NOTIFY_REMOVED);
    return err;
}

void mqueue_notify_no_more(struct file *f) {
    struct mqueue *q = queue_of(f->inode);
    struct mq_notification n = {.owner.nr = 0};
    mutex_lock(&q->lock);
    if (q->notify.owner.nr == current->pid)
        take_notification_locked(q, &n);
    mutex_unlock(&q->lock);
    end_notification(&n, NOTIFY_REMOVED);
}

static void mqueue_inode_free(struct inode *inode) {
    if (!S_ISREG(inode->mode))
        return;
    // A registration may have come when its process had closed the file already, or never closed it.
    end_notification(&queue_of(inode)->notify, NOTIFY_REMOVED);
    free_queue(queue_of(inode));
    __atomic_fetch_sub(&ns_of(inode->sb)->mqueues, 1, __ATOMIC_RELAXED);
}

// ---- messages

struct mq_message *mqueue_message(struct file *f, size_t size, unsigned int priority) {
    if (size > queue_of(f->inode)->size_max)
        return ERR_PTR(-EMSGSIZE);
    struct mq_message *m = kmalloc(sizeof(*m) + size);
    if (!m)
        return ERR_PTR(-ENOMEM);
    m->size = size;
    m->priority = priority;
    return m;
}

char *mqueue_text(struct mq_message *m) {
    return m->text;
}

size_t mqueue_size(const struct mq_message *m) {
    return m->size;
}

unsigned int mqueue_priority(const struct mq_message *m) {
    return m->priority;
}

size_t mqueue_size_max(struct file *f) {
    return queue_of(f->inode)->size_max;
}

static void insert_locked(struct mqueue *q, struct mq_message *m) {
    ASSERT_HELD(&q->lock);
    struct list_head *at = q->messages.prev;
    while (at != &q->messages && list_entry(at, struct mq_message, link)->priority < m->priority) {
        at = at->prev;
        cond_resched();
    }
    list_add(&m->link, at);
    WRITE_ONCE(q->count, q->count + 1);
    q->bytes += m->size;
}

// The waiter's stack is its own again as soon as it sees the status.
static void finish_locked(struct mqueue *q, struct mq_waiter *w, struct mq_message *m) {
    ASSERT_HELD(&q->lock);
    struct thread *t = w->thread;
    thread_get(t);
    list_del(&w->link);
    w->message = m;
    __atomic_store_n(&w->status, 0, __ATOMIC_SEQ_CST);
    thread_wake(t);
    thread_put(t);
}

// Puts w, whose mutex is held and is released meanwhile, in the list until it has been done. 0, -ETIMEDOUT, -ERESTARTSYS.
static int wait_turn_locked(struct mqueue *q, struct list_head *list, struct mq_waiter *w, ktime_t deadline) {
    ASSERT_HELD(&q->lock);
    w->thread = current;
    w->status = WAITS;
    list_add_tail(&w->link, list);
    mutex_unlock(&q->lock);
    int err = wait_until_woken(!__atomic_load_n(&w->status, __ATOMIC_ACQUIRE), -ERESTARTSYS,
                               schedule_until_realtime(deadline));
    mutex_lock(&q->lock);
    if (!w->status)
        return 0;
    list_del(&w->link);
    return err == -ETIME ? -ETIMEDOUT : err;
}

int mqueue_send(struct file *f, struct mq_message *m, ktime_t deadline) {
    struct mqueue *q = queue_of(f->inode);
    struct mq_waiter w = {.message = m};
    struct mq_notification n = {.owner.nr = 0};
    int err = 0;
    mutex_lock(&q->lock);
    if (q->count >= q->max) {
        err = f->flags & O_NONBLOCK ? -EAGAIN : wait_turn_locked(q, &q->senders, &w, deadline);
    } else if (!list_empty(&q->receivers)) {
        finish_locked(q, list_first_entry(&q->receivers, struct mq_waiter, link), m);
    } else {
        insert_locked(q, m);
        if (q->count == 1)
            take_notification_locked(q, &n);
    }
    if (!err)
        inode_touch(f->inode, true);
    mutex_unlock(&q->lock);
    if (!err)
        wake_poll(&q->wait, POLLIN | POLLRDNORM);
    end_notification(&n, NOTIFY_WOKENUP);
    return err;
}

struct mq_message *mqueue_receive(struct file *f, ktime_t deadline) {
    struct mqueue *q = queue_of(f->inode);
    struct mq_waiter w = {.message = NULL};
    int err = 0;
    mutex_lock(&q->lock);
    if (!q->count) {
        err = f->flags & O_NONBLOCK ? -EAGAIN : wait_turn_locked(q, &q->receivers, &w, deadline);
    } else {
        w.message = list_first_entry(&q->messages, struct mq_message, link);
        list_del(&w.message->link);
        WRITE_ONCE(q->count, q->count - 1);
        q->bytes -= w.message->size;
        if (!list_empty(&q->senders)) {
            struct mq_waiter *s = list_first_entry(&q->senders, struct mq_waiter, link);
            insert_locked(q, s->message);
            finish_locked(q, s, NULL);
        }
    }
    if (!err)
        inode_touch(f->inode, false);
    mutex_unlock(&q->lock);
    if (!err)
        wake_poll(&q->wait, POLLOUT | POLLWRNORM);
    return err ? ERR_PTR(err) : w.message;
}

// ---- files

static ssize_t queue_read(struct file *f, struct uio *u, off_t *pos) {
    struct mqueue *q = queue_of(f->inode);
    char text[TEXT_SIZE];
    mutex_lock(&q->lock);
    const struct mq_notification *n = &q->notify;
    bool asked = n->owner.nr != 0;
    int how = !asked ? 0 : n->netlink ? 2 /* SIGEV_THREAD */ : n->sig ? 0 : 1 /* SIGEV_NONE */;
    int len = lib_snprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                           (unsigned long)q->bytes, how, asked && !n->netlink ? n->sig : 0,
                           asked ? pid_shown(n->owner.nr) : 0);
    mutex_unlock(&q->lock);
    if (*pos >= len)
        return 0;
    size_t n_bytes = MIN((size_t)(len - *pos), u->resid), done = uio_write_to(u, text + *pos, n_bytes);
    *pos += (off_t)done;
    return done || !n_bytes ? (ssize_t)done : -EFAULT;
}

static off_t queue_lseek(struct file *f, off_t offset, int whence) {
    return file_seek(f, offset, whence, TEXT_SIZE);
}

static unsigned int queue_poll(struct file *f, struct poll_table *table) {
    struct mqueue *q = queue_of(f->inode);
    poll_wait(f, &q->wait, table);
    unsigned long count = READ_ONCE(q->count);
    return (count ? POLLIN | POLLRDNORM : 0) | (count < q->max ? POLLOUT | POLLWRNORM : 0);
}

static int queue_flush(struct file *f) {
    mqueue_notify_no_more(f);
    return 0;
}

static const struct file_ops queue_fops = {
    .read = queue_read, .lseek = queue_lseek, .poll = queue_poll, .flush = queue_flush};

bool mqueue_is(const struct file *f) {
    return f->ops == &queue_fops;
}

void mqueue_get_attr(struct file *f, struct mq_attr *out) {
    const struct mqueue *q = queue_of(f->inode);
    *out = (struct mq_attr){.mq_flags = READ_ONCE(f->flags) & O_NONBLOCK,
                            .mq_maxmsg = (long)q->max,
                            .mq_msgsize = (long)q->size_max,
                            .mq_curmsgs = (long)READ_ONCE(q->count)};
}

// ---- names

// A name as the C library gives it, without the slash. 0 or -errno.
static int check_name(const struct dentry *root, const char *name, size_t len) {
    if (!len)
        return -ENOENT;
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return -EACCES;
    return inode_permission(root->inode, 1);
}

static int find_or_make(struct ipc_ns *ns, const char *name, size_t len, int flags, mode_t mode,
                        const struct mq_attr *attr, struct dentry **d, bool *made) {
    struct dentry *root = ns->mqueue_mount->root;
    struct making m = {.mode = inode_new_mode(root->inode, S_IFREG | (mode & 07777)),
                       .attr = default_attr(ns)};
    *made = false;
    *d = vfs_lookup(root, name, len);
    if (!IS_ERR(*d))
        return (flags & O_CREAT) && (flags & O_EXCL) ? -EEXIST : 0;
    if (!(flags & O_CREAT))
        return (int)PTR_ERR(*d);
    int err = inode_permission(root->inode, 2);
    if (!err && attr) {
        m.attr = *attr;
        err = check_attr(ns, attr);
    }
    if (err)
        return err;
    *d = NULL;
    err = vfs_make(root, name, len, make_with, &m, d);
    *made = !err;
    return err == -EEXIST && !(flags & O_EXCL) ? 0 : err;
}

struct file *mqueue_open(const char *name, int flags, mode_t mode, const struct mq_attr *attr) {
    static const int masks[] = {4, 2, 6};
    struct ipc_ns *ns = ipc_current();
    size_t len = strlen(name);
    struct dentry *d = NULL;
    bool made;
    int err = check_name(ns->mqueue_mount->root, name, len);
    if (err)
        return ERR_PTR(err);
    err = find_or_make(ns, name, len, flags, mode, attr, &d, &made);
    if (!err && !made)
        err =
            (flags & O_ACCMODE) == O_ACCMODE ? -EINVAL : inode_permission(d->inode, masks[flags & O_ACCMODE]);
    struct path path = {ns->mqueue_mount, d};
    struct file *f = err ? ERR_PTR(err) : file_open_path(&path, flags & (O_ACCMODE | O_NONBLOCK));
    if (d && !IS_ERR(d))
        dentry_put(d);
    return f;
}

static int may_remove(struct inode *dir, struct inode *victim) {
    return !(dir->mode & S_ISVTX) || inode_is_owner(victim) || inode_is_owner(dir) ? 0 : -EPERM;
}

int mqueue_unlink(const char *name) {
    struct dentry *root = ipc_current()->mqueue_mount->root;
    size_t len = strlen(name);
    int err = check_name(root, name, len);
    if (!err)
        err = inode_permission(root->inode, 2);
    return err ? err : vfs_unlink(root, name, len, false, may_remove);
}

// ---- the file system

static struct dentry *mqueue_mount_op(const struct fs_type *type, const char *source, const char *options) {
    const struct ipc_ns *ns = ipc_current();
    (void)type, (void)source, (void)options;
    if (!capable_in(ns->ns.owner, CAP_SYS_ADMIN))
        return ERR_PTR(-EPERM);
    dentry_get(ns->mqueue_mount->root);
    return ns->mqueue_mount->root;
}

static void mqueue_destroy(struct superblock *sb) {
    if (sb->private_data)
        ipc_ns_drop(sb->private_data);
}

static int mqueue_statfs(struct superblock *sb, struct kstatfs *out) {
    (void)sb;
    *out = (struct kstatfs){.type = MQUEUE_MAGIC, .bsize = PAGE_SIZE};
    return 0;
}

static struct fs_type mqueue_type = {.name = "mqueue",
                                     .nodev = true,
                                     .shared = true,
                                     .for_users = true,
                                     .mount = mqueue_mount_op,
                                     .statfs = mqueue_statfs,
                                     .destroy = mqueue_destroy,
                                     .unmounted = dentry_drop_tree,
                                     .inode_free = mqueue_inode_free};

static const struct inode_ops root_ops = {
    .create = mqueue_create, .unlink = mqueue_unlink_op, .setattr = inode_setattr};
static const struct file_ops root_fops = {.readdir = dentry_readdir, .lseek = dentry_lseek_dir};

int mqueue_begin(struct ipc_ns *ns) {
    struct superblock *sb = superblock_create(&mqueue_type);
    struct inode *inode = sb ? inode_create(sb, S_IFDIR | S_ISVTX | 0777) : NULL;
    struct dentry *root = inode ? dentry_create_root(inode) : NULL;
    if (sb)
        sb->private_data = ipc_ns_hold(ns);
    if (inode) {
        inode->ops = &root_ops;
        inode->fops = &root_fops;
        if (current->cred)
            inode_init_owner(inode, NULL);
        inode_put(inode);
    }
    ns->mqueue_mount = root ? mount_create_internal(root) : NULL;
    if (root)
        dentry_put(root);
    if (sb)
        superblock_put(sb); // the inode's and the mount's are left
    return ns->mqueue_mount ? 0 : -ENOMEM;
}

void mqueue_init(void) {
    ipc_ns_init();
    if (mqueue_begin(&first_ipc_ns))
        panic("no memory for message queues");
    fs_type_register(&mqueue_type);
}
