// SPDX-License-Identifier: MIT
// Accounts are found by uid and live as long as somebody refers to them: credentials, processes, and what was charged.
#include "sched/user.h"
#include "arch/riscv/layout.h"
#include "core/cred.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define BUCKETS        64
#define THREADS_MIN    20
#define THREADS_PART   8   // of memory is for kernel stacks, as in Linux
#define WATCHES_PART   25  // of memory for one user's watches of epoll, as in Linux
#define LOCKS_PART     100 // and for locks on files
#define MOUNTS_PART    25
#define MOUNT_SIZE     1024ul
#define MOUNTS_MOST    100000ul // Linux's number
#define WATCH_SIZE     160ul
#define INOTIFY_MAX    128ul // Linux's number
#define INODES_PART    100   // of memory for what one user's watches of inotify keep, as in Linux
#define INODE_SIZE     1024ul
#define INODES_LEAST   8192ul
#define INODES_MOST    1048576ul
#define EVENTS_PART    32
#define IPC_PART       16
#define FILTERS_PART   16
#define LOCK_SIZE      192ul   // and its owner
#define PIPE_SOFT_MOST 16384ul // Linux's number
#define PIPE_SOFT_PART 16
#define TEXT_PART      32
#define SOCKET_PART    8 // of memory for what one user's sockets have underway

struct limits limits = {.threads_max = THREADS_MOST,
                        .pipe_user_soft = PIPE_SOFT_MOST,
                        .watches_max = ~0ul >> 1,
                        .locks_max = ~0ul >> 1,
                        .text_max = ~0ul >> 1,
                        .socket_bytes_max = ~0ul >> 1,
                        .mounts_max = MOUNTS_MOST,
                        .inotify_max = INOTIFY_MAX,
                        .inotify_watches_max = INODES_LEAST,
                        .event_bytes_max = ~0ul >> 1,
                        .ipc_bytes_max = ~0ul >> 1,
                        .filter_bytes_max = ~0ul >> 1};
struct user root_user = {.refs = {1}};
struct user kernel_user = {.uid = (uid_t)-1, .refs = {1}};
static struct user unknown_user = {.uid = (uid_t)-1, .refs = {1}}; // for whom there was no memory

static struct spinlock users_lock = SPINLOCK_INIT; // taken with interrupts disabled
static struct user *buckets[BUCKETS];              // [users_lock]

void user_put(struct user *user) {
    if (!ref_put(&user->refs))
        return;
    unsigned long flags = spin_lock_irqsave(&users_lock);
    struct user **p = &buckets[user->uid % BUCKETS];
    while (*p != user)
        p = &(*p)->next;
    *p = user->next;
    spin_unlock_irqrestore(&users_lock, flags);
    kfree(user);
}

// With a reference. One whose last reference has just gone is about to leave the list. [users_lock]
static struct user *find_locked(uid_t uid) {
    ASSERT_HELD(&users_lock);
    for (struct user *u = buckets[uid % BUCKETS]; u; u = u->next) {
        if (u->uid == uid && ref_get_unless_zero(&u->refs))
            return u;
    }
    return NULL;
}

struct user *user_find(uid_t uid) {
    if (uid == 0)
        return user_get(&root_user);
    struct user *new = kzalloc(sizeof(*new));
    unsigned long flags = spin_lock_irqsave(&users_lock);
    struct user *user = find_locked(uid);
    if (!user && new) {
        new->uid = uid;
        ref_init(&new->refs);
        new->next = buckets[uid % BUCKETS];
        buckets[uid % BUCKETS] = user = new;
        new = NULL;
    }
    spin_unlock_irqrestore(&users_lock, flags);
    kfree(new);
    return user ? user : user_get(&unknown_user);
}

bool user_is_privileged(void) {
    const struct cred *cred = current->cred;
    return !cred || cred_capable(cred, CAP_SYS_RESOURCE) || cred_capable(cred, CAP_SYS_ADMIN);
}

bool user_may_charge(struct user *user, enum user_account account, long n, unsigned long limit) {
    if (likely((unsigned long)user_charge(user, account, n) <= limit) || user_is_privileged())
        return true;
    user_uncharge(user, account, n);
    return false;
}

void limits_init(void) {
    unsigned long pages = memory_usable_pages(), bytes = pages << PAGE_SHIFT;
    unsigned long threads = bytes / (KSTACK_SIZE * THREADS_PART);
    threads = MIN(MAX(threads, (unsigned long)THREADS_MIN), (unsigned long)THREADS_MOST);
    limits = (struct limits){
        .threads_max = threads,
        .pipe_user_soft = MIN(pages / PIPE_SOFT_PART, PIPE_SOFT_MOST),
        .watches_max = bytes / WATCHES_PART / WATCH_SIZE,
        .locks_max = bytes / LOCKS_PART / LOCK_SIZE,
        .text_max = pages / TEXT_PART,
        .socket_bytes_max = bytes / SOCKET_PART,
        .mounts_max = MIN(bytes / MOUNTS_PART / MOUNT_SIZE, MOUNTS_MOST),
        .inotify_max = INOTIFY_MAX,
        .inotify_watches_max = MIN(MAX(bytes / INODES_PART / INODE_SIZE, INODES_LEAST), INODES_MOST),
        .event_bytes_max = bytes / EVENTS_PART,
        .ipc_bytes_max = bytes / IPC_PART,
        .filter_bytes_max = bytes / FILTERS_PART,
        .namespaces_max = threads / 2,
    };
}
