// SPDX-License-Identifier: MIT
// The tables of numbers: a hash table for the first namespace, a tree in each other.
#include "sched/id.h"
#include "core/errno.h"
#include "core/panic.h"
#include "core/user_ns.h"
#include "mm/slab.h"
#include "sched/pid_ns.h"
#include "sched/thread.h"
#include "sched/wait.h"
#include <linux/capability.h>

#define PID_FIRST_AGAIN 300 // where numbers go on after PID_MAX, as in Linux
#define BUCKETS         1024

struct spinlock process_lock = SPINLOCK_INIT;

static struct id *buckets[BUCKETS]; // [process_lock]
static uint64_t last_serial;        // [process_lock]
static struct slab_cache *id_cache; // of those of the first namespace

static int number_compare(const struct id_number *a, const struct id_number *b) {
    return a->nr - b->nr;
}
RB_GENERATE_STATIC(id_numbers, id_number, link, number_compare)

// ---- finding

static struct id **bucket_of(pid_t nr) {
    return &buckets[(uint32_t)nr % BUCKETS]; // a program asks for negative ones too
}

struct id *id_find_locked(pid_t nr) {
    ASSERT_HELD(&process_lock);
    struct id *id = *bucket_of(nr);
    while (id && id->nr != nr)
        id = id->next;
    return id;
}

struct id *id_find_in_locked(const struct pid_ns *ns, pid_t nr) {
    ASSERT_HELD(&process_lock);
    if (likely(!ns->level))
        return id_find_locked(nr);
    struct id_number key = {.nr = nr}, *found = NULL;
    if (nr > 0) // else the order would overflow
        found = RB_FIND(id_numbers, (struct id_numbers *)&ns->numbers, &key);
    return found ? found->id : NULL;
}

struct id *id_named_locked(pid_t nr) {
    ASSERT_HELD(&process_lock);
    return id_find_in_locked(current->pid_ns, nr);
}

// The first number that is used (or, `used` false, is not) in [from, end), or end.
static pid_t find_number(const struct pid_ns *ns, pid_t from, pid_t end, bool used) {
    while (from < end) {
        uint64_t wanted = (used ? ns->used[from / 64] : ~ns->used[from / 64]) & (~0ull << from % 64);
        if (wanted)
            return MIN(ALIGN_DOWN(from, 64) + __builtin_ctzll(wanted), end);
        from = ALIGN_DOWN(from, 64) + 64;
    }
    return end;
}

struct id *id_after_locked(const struct pid_ns *ns, pid_t after) {
    ASSERT_HELD(&process_lock);
    if (ns->level) {
        struct id_number key = {.nr = after + 1},
                         *found = RB_NFIND(id_numbers, (struct id_numbers *)&ns->numbers, &key);
        return found ? found->id : NULL;
    }
    pid_t nr = find_number(ns, after + 1, PID_MAX, true);
    return nr < PID_MAX ? id_find_locked(nr) : NULL;
}

// ---- what they are called

pid_t id_in(const struct id *id, const struct pid_ns *ns) {
    if (!ns->level)
        return id->nr;
    if (ns->level > id->ns->level)
        return 0;
    const struct id_number *n = &id->inner[ns->level - 1];
    return n->ns == ns ? n->nr : 0;
}

pid_t id_shown(const struct id *id) {
    return id_in(id, current->pid_ns);
}

pid_t pid_in_locked(pid_t nr, const struct pid_ns *ns) {
    ASSERT_HELD(&process_lock);
    if (likely(!ns->level) || nr <= 0)
        return nr;
    const struct id *id = id_find_locked(nr);
    return id ? id_in(id, ns) : 0;
}

pid_t pid_in(pid_t nr, const struct pid_ns *ns) {
    if (likely(!ns->level) || nr <= 0)
        return nr;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    nr = pid_in_locked(nr, ns);
    spin_unlock_irqrestore(&process_lock, flags);
    return nr;
}

pid_t pid_shown(pid_t nr) {
    return pid_in(nr, current->pid_ns);
}

pid_t pid_from_user(pid_t nr) {
    if (likely(!current->pid_ns->level))
        return nr;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    const struct id *id = id_named_locked(nr);
    nr = id ? id->nr : -1;
    spin_unlock_irqrestore(&process_lock, flags);
    return nr;
}

// ---- giving out

static bool is_used(const struct pid_ns *ns, pid_t nr) {
    return ns->used[nr / 64] >> nr % 64 & 1;
}

// May ns give out `wanted`? It, or -errno.
static pid_t check_wish(const struct pid_ns *ns, pid_t wanted) {
    if (wanted < 1 || wanted >= PID_MAX || (ns->level && !ns->init && wanted != 1))
        return -EINVAL;
    if (!capable_in(ns->ns.owner, CAP_SYS_ADMIN) && !capable_in(ns->ns.owner, CAP_CHECKPOINT_RESTORE))
        return -EPERM;
    return ns->ended ? -ENOMEM : is_used(ns, wanted) ? -EEXIST : wanted;
}

// A number in ns, or -errno. As long as there is no init it is to be that.
static pid_t choose(const struct pid_ns *ns) {
    if (ns->ended)
        return -ENOMEM;
    if (ns->level && !ns->init)
        return is_used(ns, 1) ? -ENOMEM : 1;
    pid_t nr = find_number(ns, ns->last + 1, PID_MAX, false);
    if (nr == PID_MAX)
        nr = find_number(ns, PID_FIRST_AGAIN, PID_MAX, false);
    return nr < PID_MAX ? nr : -EAGAIN;
}

static void take_number(struct id *id, struct pid_ns *ns, pid_t nr, bool wished) {
    if (!wished)
        ns->last = nr;
    ns->used[nr / 64] |= 1ull << nr % 64;
    ns->count++;
    if (ns->level) {
        struct id_number *n = &id->inner[ns->level - 1];
        *n = (struct id_number){.id = id, .ns = ns, .nr = nr};
        RB_INSERT(id_numbers, &ns->numbers, n);
    } else {
        id->nr = nr;
        id->next = *bucket_of(nr);
        *bucket_of(nr) = id;
    }
}

// Who waits until nobody is left is woken for each of the last two: it may have two numbers itself.
static void free_number(struct id *id, struct pid_ns *ns) {
    pid_t nr = id_in(id, ns);
    ns->used[nr / 64] &= ~(1ull << nr % 64);
    ns->count--;
    if (ns->level) {
        RB_REMOVE(id_numbers, &ns->numbers, &id->inner[ns->level - 1]);
        if (ns->emptied && ns->count <= 2)
            wake_all(ns->emptied);
        return;
    }
    struct id **p = bucket_of(nr);
    while (*p != id)
        p = &(*p)->next;
    *p = id->next;
}

// In ns and all above it, or in none.
static int take_numbers(struct id *id, struct pid_ns *ns, const struct id_wish *wish) {
    struct pid_ns *n;
    pid_t nr = 0;
    unsigned int i = 0;
    if (wish && wish->count > ns->level + 1)
        return -EINVAL;
    for (n = ns; n; n = n->parent, i++) {
        bool wished = wish && i < wish->count;
        nr = wished ? check_wish(n, wish->nr[i]) : choose(n);
        if (nr < 0)
            break;
        take_number(id, n, nr, wished);
    }
    for (struct pid_ns *taken = ns; n && taken != n; taken = taken->parent)
        free_number(id, taken);
    return n ? nr : 0;
}

static struct id *alloc(unsigned int level) {
    return level ? kmalloc(sizeof(struct id) + level * sizeof(struct id_number)) : slab_alloc(id_cache);
}

static void free_id(struct id *id) {
    if (id->ns->level)
        kfree(id);
    else
        slab_free(id_cache, id);
}

struct id *id_alloc(struct pid_ns *ns, const struct id_wish *wish) {
    struct id *id = alloc(ns->level);
    if (!id)
        return ERR_PTR(-ENOMEM);
    *id = (struct id){.uses = 1, .ns = ns};
    list_init(&id->group);
    list_init(&id->session);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    int err = take_numbers(id, ns, wish);
    id->serial = ++last_serial;
    spin_unlock_irqrestore(&process_lock, flags);
    if (err) {
        free_id(id);
        return ERR_PTR(err);
    }
    pid_ns_get(ns);
    return id;
}

void id_use_locked(struct id *id) {
    ASSERT_HELD(&process_lock);
    id->uses++;
}

void id_release_locked(struct id *id) {
    ASSERT_HELD(&process_lock);
    if (--id->uses)
        return;
    struct pid_ns *ns = id->ns, *n = ns;
    do {
        free_number(id, n);
        n = n->parent;
    } while (n);
    free_id(id);
    pid_ns_put(ns);
}

void id_release(struct id *id) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    id_release_locked(id);
    spin_unlock_irqrestore(&process_lock, flags);
}

void id_init(void) {
    id_cache = slab_create("id", sizeof(struct id), 0);
    if (!id_cache)
        panic("process: no memory for the table of numbers");
}
