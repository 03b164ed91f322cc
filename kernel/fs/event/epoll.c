// SPDX-License-Identifier: MIT
// epoll(7).
//
// A set holds an item for each (file, fd) pair. The item stands on the file's wait queues with hooks; when
// one is woken the item goes to the set's ready list, from interrupt context if need be. Collecting takes the
// items off that list one at a time, asks their files what is ready, and puts level-triggered ones back. An
// item is off the list while its file is asked, so that a wake-up in between puts it there again and nothing
// is lost.
//
// A set does not hold its files: when the last descriptor of one is closed, the file takes itself out of all
// sets (epoll_forget_file), which sees it in the list at file->epoll_links. That list is made when the file
// first joins a set; until then its `next` is NULL.
//
// Sets may be in sets, at most MAX_NESTS deep and never in a circle; that is checked, and links between sets
// are made, with `nest_mutex` held. What happens to a file goes up all *paths*, from set to set, in one go; so
// there may be only a few of each length from any file, as in Linux. Who makes a link looks afterwards from where
// it makes paths more: a file that joins a set looks whether that is in another; a set that does, at all below it.
//
// Order of locks: nest_mutex, a set's mutex (an outer set's before an inner's), links_lock; a wait queue's
// lock, a set's ready lock (inner before outer).
// Key: [I] immutable, [m] the set's mutex, [r] its ready lock, [l] links_lock.
#include "fs/event/epoll.h"
#include "arch/riscv/uaccess.h"
#include "fs/event/poll.h"
#include "fs/superblock.h"
#include "lib/format.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "mm/slab.h"
#include "sched/user.h"
#include <linux/fcntl.h>

#define MAX_NESTS     4
#define PRIVATE_BITS  (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EXCLUSIVE_OK  (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define ALWAYS_WANTED (EPOLLERR | EPOLLHUP)

struct epoll_hook {
    struct wait_entry wait;
    struct wait_queue *queue; // [I]
    struct epoll_item *item;  // [I]
    struct epoll_hook *next;  // [m]
};

struct epoll_item {
    RB_ENTRY(epoll_item) node;   // [m]
    struct epoll *set;           // [I]
    struct file *file;           // [I] not referenced
    int fd;                      // [I]
    unsigned int events;         // [m] wanted, with the flags; read without by hooks
    uint64_t data;               // [m]
    struct epoll_hook *hooks;    // [m]
    struct list_head ready_link; // [r]
    struct list_head file_link;  // [l]
};

RB_HEAD(epoll_tree, epoll_item);

struct epoll {
    struct refcount refs; // its file, and those who take items out of it
    struct mutex mutex;
    struct epoll_tree items; // [m]
    struct spinlock lock;    // of `ready`, taken with interrupts disabled
    struct list_head ready;  // [r]
    struct wait_queue wait;  // epoll_wait() and those who poll the set
    struct file *file;       // [I] the set's own
    unsigned long walk;      // [nest_mutex] the last walk that came here,
    int walk_depth;          // and how deep that was
};

static struct mutex nest_mutex = MUTEX_INIT(nest_mutex);
static unsigned long walks; // [nest_mutex]
static struct spinlock links_lock = SPINLOCK_INIT;
static const struct file_ops epoll_ops;

static int epoll_compare(const struct epoll_item *a, const struct epoll_item *b) {
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->fd < b->fd ? -1 : a->fd > b->fd;
}
RB_GENERATE_STATIC(epoll_tree, epoll_item, node, epoll_compare)

static struct epoll *epoll_of(const struct file *f) {
    return f->ops == &epoll_ops ? f->private_data : NULL;
}

static void epoll_put(struct epoll *set) {
    if (ref_put(&set->refs))
        kfree(set);
}

// ---- becoming ready

static void epoll_make_ready(struct epoll *set, struct epoll_item *item) {
    unsigned long flags = spin_lock_irqsave(&set->lock);
    if (list_empty(&item->ready_link))
        list_add_tail(&item->ready_link, &set->ready);
    spin_unlock_irqrestore(&set->lock, flags);
}

static void epoll_wake(struct epoll *set) {
    if (!wait_queue_empty(&set->wait))
        wait_wake(&set->wait, 1, POLLIN | POLLRDNORM);
}

static bool epoll_hook_wake(struct wait_entry *wait, unsigned int events) {
    struct epoll_hook *hook = container_of(wait, struct epoll_hook, wait);
    struct epoll_item *item = hook->item;
    unsigned int wanted = READ_ONCE(item->events) & ~PRIVATE_BITS;
    if (!wanted || (events && !(events & wanted)))
        return false;
    epoll_make_ready(item->set, item);
    if (!wait_queue_empty(&item->set->wait))
        wait_wake_chained(&item->set->wait, 1, POLLIN | POLLRDNORM);
    return true;
}

struct epoll_table {
    struct poll_table table;
    struct epoll_item *item;
    int error;
};

static void epoll_queue(struct poll_table *table, struct file *f, struct wait_queue *q) {
    struct epoll_table *t = container_of(table, struct epoll_table, table);
    struct epoll_hook *hook = kmalloc(sizeof(*hook));
    (void)f;
    if (!hook) {
        t->error = -ENOMEM;
        return;
    }
    *hook =
        (struct epoll_hook){.wait = {.wake = epoll_hook_wake, .exclusive = t->item->events & EPOLLEXCLUSIVE},
                            .queue = q,
                            .item = t->item,
                            .next = t->item->hooks};
    t->item->hooks = hook;
    wait_add(q, &hook->wait);
}

// ---- paths

struct paths {
    unsigned int count[MAX_NESTS + 1]; // by how many sets are between the file and the last
};
static const unsigned int paths_most[MAX_NESTS + 1] = {~0u, 500, 100, 50, 10};

static bool is_nested(const struct epoll *set) {
    const struct list_head *links = &set->file->epoll_links;
    return READ_ONCE(links->next) && !list_empty(links);
}

// False: there are too many from the items in `links` on. [l]
static bool count_paths_locked(const struct list_head *links, int between, struct paths *p) {
    ASSERT_HELD(&links_lock);
    const struct epoll_item *item;
    if (between > MAX_NESTS)
        return false;
    list_for_each_entry (item, links, file_link) {
        bool few = is_nested(item->set) ? count_paths_locked(&item->set->file->epoll_links, between + 1, p)
                                        : ++p->count[between] <= paths_most[between];
        if (!few)
            return false;
    }
    return true;
}

static int check_paths(const struct file *f) {
    struct paths p = {{0}};
    spin_lock(&links_lock);
    bool few = !f->epoll_links.next || count_paths_locked(&f->epoll_links, 0, &p);
    spin_unlock(&links_lock);
    return few ? 0 : -EINVAL;
}

// ---- items, with the set's mutex held

static struct epoll_item *epoll_find(struct epoll *set, struct file *f, int fd) {
    struct epoll_item key = {.file = f, .fd = fd};
    return RB_FIND(epoll_tree, &set->items, &key);
}

// The last touch of item->file is under links_lock, which epoll_forget_file() takes before the file goes.
static void epoll_remove(struct epoll *set, struct epoll_item *item) {
    ASSERT_HELD(&set->mutex);
    for (struct epoll_hook *hook = item->hooks, *next; hook; hook = next) {
        next = hook->next;
        wait_remove(hook->queue, &hook->wait);
        kfree(hook);
    }
    spin_lock(&links_lock);
    list_del(&item->file_link);
    spin_unlock(&links_lock);
    unsigned long flags = spin_lock_irqsave(&set->lock);
    list_del(&item->ready_link);
    spin_unlock_irqrestore(&set->lock, flags);
    RB_REMOVE(epoll_tree, &set->items, item);
    kfree(item);
    user_uncharge(set->file->cred->user, USER_WATCHES, 1);
}

static int epoll_add(struct epoll *set, struct file *f, int fd, const struct epoll_event *event) {
    ASSERT_HELD(&set->mutex);
    struct user *user = set->file->cred->user; // the file is there as long as it has items
    if (!user_may_charge(user, USER_WATCHES, 1, READ_ONCE(limits.watches_max)))
        return -ENOSPC;
    struct epoll_item *item = kmalloc(sizeof(*item));
    if (!item) {
        user_uncharge(user, USER_WATCHES, 1);
        return -ENOMEM;
    }
    *item = (struct epoll_item){
        .set = set, .file = f, .fd = fd, .events = event->events | ALWAYS_WANTED, .data = event->data};
    list_init(&item->ready_link);
    RB_INSERT(epoll_tree, &set->items, item);
    spin_lock(&links_lock);
    if (!f->epoll_links.next)
        list_init(&f->epoll_links);
    list_add(&item->file_link, &f->epoll_links);
    spin_unlock(&links_lock);

    struct epoll_table t = {.table.queue = epoll_queue, .item = item};
    if (unlikely(is_nested(set)))
        t.error = check_paths(f);
    unsigned int events = t.error ? 0 : file_poll(f, &t.table);
    if (t.error) {
        epoll_remove(set, item);
        return t.error;
    }
    if (events & item->events) {
        epoll_make_ready(set, item);
        epoll_wake(set);
    }
    return 0;
}

static int epoll_modify(struct epoll *set, struct epoll_item *item, const struct epoll_event *event) {
    ASSERT_HELD(&set->mutex);
    if ((item->events | event->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    WRITE_ONCE(item->events, event->events | ALWAYS_WANTED);
    item->data = event->data;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // a hook that still saw the old events came before this poll
    if (file_poll(item->file, NULL) & item->events) {
        epoll_make_ready(set, item);
        epoll_wake(set);
    }
    return 0;
}

// ---- sets in sets, with nest_mutex held

// Has this walk not been here, or not as deep?
static bool comes_to(struct epoll *set, int depth) {
    ASSERT_HELD(&nest_mutex);
    if (set->walk == walks && set->walk_depth >= depth)
        return false;
    set->walk = walks;
    set->walk_depth = depth;
    return true;
}

// What a walk downward asks of a file that is `depth` sets down. 0, or an error that ends the walk.
typedef int look(struct file *f, const struct epoll *loop, int depth);

// -ELOOP: a set that is too deep down, or is `loop`.
static int check_nest(struct file *f, const struct epoll *loop, int depth) {
    const struct epoll *set = epoll_of(f);
    return set && (set == loop || depth > MAX_NESTS) ? -ELOOP : 0;
}

static int check_paths_of(struct file *f, const struct epoll *loop, int depth) {
    (void)loop, (void)depth;
    return check_paths(f);
}

// Looks at `set`, which is at `depth`, and at all that is in it and below; at what is in a set again where that lies deeper, if a loop is
// looked for. 0; the first error of `see`; -EINTR.
static int walk_down(struct epoll *set, look *see, const struct epoll *loop, int depth) {
    ASSERT_HELD(&nest_mutex);
    struct epoll_item *item;
    int err = see(set->file, loop, depth);
    if (err || !comes_to(set, loop ? depth : 0))
        return err;
    mutex_lock_nested(&set->mutex, LOCK_BELOW);
    RB_FOREACH (item, epoll_tree, &set->items) {
        struct epoll *inner = epoll_of(item->file);
        err = inner ? walk_down(inner, see, loop, depth + 1) : see(item->file, loop, depth + 1);
        if (!err)
            err = cond_resched_killable();
        if (err)
            break;
    }
    mutex_unlock(&set->mutex);
    return err;
}

// How many sets stand above `set`, one in the other. [l]
static int epoll_depth_above(const struct epoll *set, int depth) {
    ASSERT_HELD(&links_lock);
    const struct list_head *links = &set->file->epoll_links;
    const struct epoll_item *item;
    int highest = depth;
    if (!links->next || depth > MAX_NESTS)
        return depth;
    list_for_each_entry (item, links, file_link)
        highest = MAX(highest, epoll_depth_above(item->set, depth + 1));
    return highest;
}

static int epoll_check_nesting(struct epoll *set, struct epoll *inner) {
    ASSERT_HELD(&nest_mutex);
    spin_lock(&links_lock);
    int above = epoll_depth_above(set, 0);
    spin_unlock(&links_lock);
    walks++;
    return walk_down(inner, check_nest, set, above + 1);
}

static void undo_add(struct epoll *set, struct file *target, int fd) {
    mutex_lock(&set->mutex);
    struct epoll_item *item = epoll_find(set, target, fd);
    if (item)
        epoll_remove(set, item);
    mutex_unlock(&set->mutex);
}

static int epoll_ctl_locked(struct epoll *set, int op, int fd, struct file *target,
                            const struct epoll_event *e) {
    ASSERT_HELD(&set->mutex);
    struct epoll_item *item = epoll_find(set, target, fd);
    switch (op) {
    case EPOLL_CTL_ADD:
        return item ? -EEXIST : epoll_add(set, target, fd, e);
    case EPOLL_CTL_MOD:
        return item ? epoll_modify(set, item, e) : -ENOENT;
    default:
        if (!item)
            return -ENOENT;
        epoll_remove(set, item);
        return 0;
    }
}

int epoll_ctl(struct file *f, int op, int fd, struct file *target, const struct epoll_event *event) {
    struct epoll *set = epoll_of(f), *inner = epoll_of(target);
    int err = 0;
    if (!target->ops->poll)
        return -EPERM;
    if (!set || target == f || (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL))
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && (event->events & EPOLLEXCLUSIVE) &&
        (op == EPOLL_CTL_MOD || inner || (event->events & ~EXCLUSIVE_OK)))
        return -EINVAL;
    bool nested = op == EPOLL_CTL_ADD && inner;
    if (nested) {
        mutex_lock(&nest_mutex);
        err = epoll_check_nesting(set, inner);
    }
    if (!err) {
        mutex_lock(&set->mutex);
        err = epoll_ctl_locked(set, op, fd, target, event);
        mutex_unlock(&set->mutex);
    }
    if (nested && !err) {
        walks++;
        err = walk_down(inner, check_paths_of, NULL, 0); // from where there are more paths now
        if (err)
            undo_add(set, target, fd);
    }
    if (nested)
        mutex_unlock(&nest_mutex);
    return err;
}

// ---- collecting

// Takes the first item off `list`. Returns it, or NULL.
static struct epoll_item *epoll_pop(struct epoll *set, struct list_head *list) {
    struct epoll_item *item = NULL;
    unsigned long flags = spin_lock_irqsave(&set->lock);
    if (!list_empty(list)) {
        item = list_first_entry(list, struct epoll_item, ready_link);
        list_del(&item->ready_link);
    }
    spin_unlock_irqrestore(&set->lock, flags);
    return item;
}

// Moves all of `from` to the end of `to`.
static void epoll_splice(struct epoll *set, struct list_head *from, struct list_head *to) {
    unsigned long flags = spin_lock_irqsave(&set->lock);
    list_splice_tail(from, to);
    spin_unlock_irqrestore(&set->lock, flags);
}

// Puts what is ready into the caller's array. [m]
static int epoll_collect_locked(struct epoll *set, struct epoll_event __user *out, int n) {
    ASSERT_HELD(&set->mutex);
    struct list_head scan = LIST_HEAD_INIT(scan);
    struct epoll_item *item;
    int count = 0, err = 0;
    epoll_splice(set, &set->ready, &scan);
    while (count < n && (item = epoll_pop(set, &scan))) {
        unsigned int events = file_poll(item->file, NULL) & item->events & ~PRIVATE_BITS;
        if (!events)
            continue;
        struct epoll_event e = {.events = events, .data = item->data};
        err = put_object(&out[count], e);
        if (err) {
            epoll_make_ready(set, item);
            break;
        }
        count++;
        if (item->events & EPOLLONESHOT)
            WRITE_ONCE(item->events, item->events & PRIVATE_BITS);
        else if (!(item->events & EPOLLET))
            epoll_make_ready(set, item);
        cond_resched();
    }
    // What was not looked at goes before what came since.
    epoll_splice(set, &set->ready, &scan);
    epoll_splice(set, &scan, &set->ready);
    return count ? count : err;
}

static int epoll_collect(struct epoll *set, struct epoll_event __user *out, int n) {
    mutex_lock(&set->mutex);
    int count = epoll_collect_locked(set, out, n);
    bool left = !list_empty(&set->ready);
    mutex_unlock(&set->mutex);
    if (left)
        epoll_wake(set);
    return count;
}

int epoll_wait(struct file *f, struct epoll_event __user *events, int n, ktime_t deadline) {
    struct epoll *set = epoll_of(f);
    if (!set)
        return -EINVAL;
    for (;;) {
        int count = READ_ONCE(set->ready.next) == &set->ready ? 0 : epoll_collect(set, events, n);
        if (count || !deadline)
            return count;
        int err = wait_event_common_(&set->wait, READ_ONCE(set->ready.next) != &set->ready,
                                     THREAD_INTERRUPTIBLE, true, deadline);
        if (err == -ETIME)
            return 0;
        if (err)
            return -EINTR;
    }
}

// ---- the set as a file

// Readable if an item is; items that turn out not to be leave the ready list.
static unsigned int epoll_poll(struct file *f, struct poll_table *table) {
    struct epoll *set = f->private_data;
    struct list_head scan = LIST_HEAD_INIT(scan);
    struct epoll_item *item;
    bool ready = false;
    poll_wait(f, &set->wait, table);
    mutex_lock_nested(&set->mutex, LOCK_BELOW);
    epoll_splice(set, &set->ready, &scan);
    while (!ready && (item = epoll_pop(set, &scan))) {
        ready = file_poll(item->file, NULL) & item->events & ~PRIVATE_BITS;
        if (ready)
            epoll_make_ready(set, item);
        cond_resched();
    }
    epoll_splice(set, &scan, &set->ready);
    mutex_unlock(&set->mutex);
    return ready ? POLLIN | POLLRDNORM : 0;
}

static void epoll_release(struct file *f) {
    struct epoll *set = f->private_data;
    struct epoll_item *item;
    mutex_lock(&set->mutex);
    while ((item = RB_MIN(epoll_tree, &set->items))) {
        epoll_remove(set, item);
        cond_resched();
    }
    mutex_unlock(&set->mutex);
    epoll_put(set);
}

// In the order of the table, from the file and number at[] on: what comes and goes meanwhile is told of or not.
static size_t epoll_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    struct epoll *set = f->private_data;
    const struct epoll_item key = {.file = (struct file *)at[0], .fd = (int)at[1]}; // compared, not followed
    size_t len = 0;
    mutex_lock(&set->mutex);
    const struct epoll_item *item = RB_NFIND(epoll_tree, &set->items, (struct epoll_item *)&key);
    if (item) {
        const struct inode *inode = item->file->inode;
        len = (size_t)lib_snprintf(line, n, "tfd: %8d events: %8x data: %16lx  pos:%ld ino:%lx sdev:%x\n",
                                   item->fd, item->events, (unsigned long)item->data,
                                   (long)READ_ONCE(item->file->pos), (unsigned long)inode->ino,
                                   (unsigned int)inode->sb->dev);
        at[0] = (uintptr_t)item->file;
        at[1] = (uint64_t)item->fd + 1;
    }
    mutex_unlock(&set->mutex);
    return len;
}

static const struct file_ops epoll_ops = {
    .poll = epoll_poll, .describe = epoll_describe, .release = epoll_release};

struct file *epoll_create(void) {
    struct epoll *set = kzalloc(sizeof(*set));
    if (!set)
        return ERR_PTR(-ENOMEM);
    ref_init(&set->refs);
    mutex_init(&set->mutex);
    RB_INIT(&set->items);
    spin_init(&set->lock);
    list_init(&set->ready);
    wait_queue_init(&set->wait);
    struct file *f = file_create_anon("[eventpoll]", &epoll_ops, set, O_RDWR);
    if (IS_ERR(f))
        kfree(set);
    else
        set->file = f;
    return f;
}

const struct file *epoll_target(struct file *f, int fd, unsigned long nth) {
    struct epoll *set = epoll_of(f);
    const struct file *found = ERR_PTR(-ENOENT);
    struct epoll_item *item;
    if (!set)
        return ERR_PTR(-EINVAL);
    mutex_lock(&set->mutex);
    RB_FOREACH (item, epoll_tree, &set->items) {
        if (item->fd == fd && !nth--) {
            found = item->file;
            break;
        }
        if (cond_resched_killable()) {
            found = ERR_PTR(-EINTR);
            break;
        }
    }
    mutex_unlock(&set->mutex);
    return found;
}

// The set of the first item of `f` with a reference, NULL if there is none. An item that is in the list keeps
// its set: epoll_release() takes it out first, under the same lock.
static struct epoll *epoll_first_set(struct file *f) {
    struct epoll *set = NULL;
    spin_lock(&links_lock);
    if (!list_empty(&f->epoll_links)) {
        set = list_first_entry(&f->epoll_links, struct epoll_item, file_link)->set;
        ref_get(&set->refs);
    }
    spin_unlock(&links_lock);
    return set;
}

void epoll_forget_file(struct file *f) {
    struct epoll *set;
    while ((set = epoll_first_set(f))) {
        struct epoll_item key = {.file = f, .fd = 0}, *item;
        mutex_lock(&set->mutex);
        while ((item = RB_NFIND(epoll_tree, &set->items, &key)) && item->file == f) {
            epoll_remove(set, item);
            cond_resched();
        }
        mutex_unlock(&set->mutex);
        epoll_put(set);
    }
}
