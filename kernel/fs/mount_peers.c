// SPDX-License-Identifier: MIT
// Shared mounts (mount_namespaces(7), "Shared subtrees"). What is mounted on one of a peer group, or taken away from it, is so on all
// of the group and on its slaves, of which nothing comes back. A group may itself be the slave of one, so groups form trees.
//
// Whoever mounts asks for the copies first, which may fail, and lays them when all that can fail has been done.
#include "core/errno.h"
#include "core/panic.h"
#include "fs/dentry.h"
#include "fs/mount_private.h"
#include "fs/nsfs.h"
#include "fs/path_walk.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "upcalls.h"

struct peer_group {
    uint64_t id; // [I]
    struct list_head
        members;        // [t] mounts: the peers, and behind them slaves that are in no group of their own
    unsigned int peers; // [t] how many of those are peers
    struct list_head slaves;   // [t] groups
    struct peer_group *master; // [t] whose slave this one is; NULL: nobody's
    struct list_head link;     // [t] in the master's slaves
    struct mount *received;    // [t] of what is laid at the moment: the first copy for one of the peers
    struct peer_group *ending; // [t] the next of those that have no peer any more
};

static uint64_t next_id = 1; // [t]
static struct peer_group
    *ending; // [t] what they had goes on when all is done that is done with the mutex held

// ---- groups

static void set_master(struct peer_group *g, struct peer_group *master) {
    g->master = master;
    if (master)
        list_add_tail(&g->link, &master->slaves);
    else
        list_init(&g->link);
}

static struct peer_group *group_create(struct peer_group *master) {
    struct peer_group *g = kzalloc(sizeof(*g));
    if (!g)
        return NULL;
    g->id = next_id++;
    list_init(&g->members);
    list_init(&g->slaves);
    set_master(g, master);
    return g;
}

static void join(struct mount *m, struct peer_group *g, bool slave) {
    m->group = g;
    m->slave = slave;
    if (slave) {
        list_add_tail(&m->peer, &g->members);
    } else {
        list_add(&m->peer, &g->members);
        g->peers++;
    }
}

// m is a peer of g no longer. Without any, g ends.
static void lose_peer(struct peer_group *g) {
    if (--g->peers)
        return;
    g->ending = ending;
    ending = g;
}

// The first that goes on, from g upward; those on the way know it then.
static struct peer_group *lasting(struct peer_group *g) {
    struct peer_group *top = g, *next;
    while (top && !top->peers)
        top = top->master;
    for (; g != top; g = next) {
        next = g->master;
        g->master = top;
    }
    return top;
}

// Its slaves are its master's, which goes on.
static void pass_slaves(struct peer_group *g) {
    struct mount *m, *next;
    struct peer_group *slave, *next_slave;
    list_for_each_entry_safe (m, next, &g->members, peer) {
        list_del(&m->peer);
        m->group = NULL;
        m->slave = false;
        if (g->master)
            join(m, g->master, true);
        cond_resched();
    }
    list_for_each_entry_safe (slave, next_slave, &g->slaves, link) {
        list_del(&slave->link);
        set_master(slave, g->master);
        cond_resched();
    }
}

// All at once, so that each slave goes on but once: groups that end may be each other's slaves.
void mount_settle_groups(void) {
    ASSERT_HELD(&mount_mutex);
    for (struct peer_group *g = ending; g; g = g->ending) {
        list_del(&g->link);
        g->master = lasting(g->master);
        cond_resched();
    }
    while (ending) {
        struct peer_group *g = ending;
        ending = g->ending;
        pass_slaves(g);
        kfree(g);
    }
}

void mount_leave_peers(struct mount *m) {
    ASSERT_HELD(&mount_mutex);
    struct peer_group *g = m->group;
    bool peer = mount_is_shared(m);
    if (!g)
        return;
    list_del(&m->peer);
    m->group = NULL;
    m->slave = false;
    if (peer)
        lose_peer(g);
}

void mount_make_slave(struct mount *m) {
    ASSERT_HELD(&mount_mutex);
    struct peer_group *g = m->group;
    if (!mount_is_shared(m))
        return;
    list_del(&m->peer);
    join(m, g, true);
    lose_peer(g);
}

static int make_shared(struct mount *m) {
    if (mount_is_shared(m))
        return 0;
    struct peer_group *g = group_create(m->group);
    if (!g)
        return -ENOMEM;
    if (m->group)
        list_del(&m->peer);
    join(m, g, false);
    return 0;
}

// Those of the tree become what they were whose groups are no older than `first`. [t]
static void unshare_since(struct mount *top, bool recursive, uint64_t first) {
    for (struct mount *m = top; m; m = mount_next_if(recursive, m, top))
        if (mount_is_shared(m) && m->group->id >= first)
            mount_make_slave(m);
}

int mount_make_shared(struct mount *top, bool recursive, uint64_t *first) {
    ASSERT_HELD(&mount_mutex);
    *first = next_id;
    int err = 0;
    for (struct mount *m = top; m && !err; m = mount_next_if(recursive, m, top)) {
        err = make_shared(m);
        cond_resched();
    }
    if (err)
        unshare_since(top, recursive, *first);
    return err;
}

int mount_copy_peers(const struct mount *m, struct mount *copy, enum mount_peering how) {
    ASSERT_HELD(&mount_mutex);
    struct peer_group *g = m->group;
    if (!g)
        return 0;
    if (how == PEERS_OF_SLAVE && !(g = group_create(g)))
        return -ENOMEM;
    join(copy, g, m->slave || how == PEERS_SLAVE);
    return 0;
}

// ---- who gets what happens

// Behind g in the tree of groups below and with `top`, each before its slaves; NULL at the end.
static struct peer_group *next_group(const struct peer_group *g, const struct peer_group *top) {
    if (!list_empty(&g->slaves))
        return list_first_entry(&g->slaves, struct peer_group, link);
    for (; g != top; g = g->master)
        if (g->link.next != &g->master->slaves)
            return list_entry(g->link.next, struct peer_group, link);
    return NULL;
}

struct receivers {
    const struct mount *origin; // where it happens, which is shared
    struct peer_group *group;
    struct list_head *at; // in group->members
};

static struct receivers receivers_of(const struct mount *origin) {
    struct peer_group *g = mount_is_shared(origin) ? origin->group : NULL;
    return (struct receivers){origin, g, g ? &g->members : NULL};
}

// The next mount that gets what happens on the origin: the peers of each group before its slaves, and a group before those that are its
// slaves. NULL: all have been. What is nowhere yet is left out, so members that come meanwhile may be copies. [t]
static struct mount *next_receiver(struct receivers *r) {
    while (r->group) {
        r->at = r->at->next;
        cond_resched();
        if (r->at == &r->group->members) {
            r->group = next_group(r->group, r->origin->group);
            r->at = r->group ? &r->group->members : NULL;
            if (r->group)
                r->group->received = NULL;
            continue;
        }
        struct mount *m = list_entry(r->at, struct mount, peer);
        if (m != r->origin && m->ns)
            return m;
    }
    return NULL;
}

// ---- mounting

static struct mount *source_for(const struct peer_group *g) {
    while (!g->received)
        g = g->master;
    return g->received;
}

// What the copy comes under may hide something: then the copy does. 0 or -ENOMEM.
static int lock_under(struct mount *copy, const struct mount *above) {
    copy->locked = above && above->locked; // else it hides nothing but what the same tree had shown
    if (copy->locked && !copy->lid)
        copy->lid = kmalloc(sizeof(*copy->lid));
    return copy->locked && !copy->lid ? -ENOMEM : 0;
}

// The copy for m. NULL: its namespace has no room, which is nobody's concern but its own. ERR_PTR.
static struct mount *copy_for(struct mount *m, const struct mount_ns *from, unsigned int *count) {
    struct peer_group *g = m->group;
    struct mount *source = source_for(g);
    struct mount_copying c = {.from = from,
                              .to = m->ns,
                              .user = m->user,
                              .peering = m->slave      ? PEERS_SLAVE
                                         : g->received ? PEERS_SAME
                                                       : PEERS_OF_SLAVE,
                              .count = *count};
    struct mount *copy = mount_clone_tree(source, source->root, &c);
    if (IS_ERR(copy))
        return PTR_ERR(copy) == -ENOSPC && m->ns->ns.owner != from->ns.owner ? NULL : copy;
    *count = c.count;
    copy->receiver = m;
    if (!m->slave && !g->received)
        g->received = copy;
    return copy;
}

static bool has_unbindable(struct mount *top) {
    for (const struct mount *m = top; m; m = mount_next(m, top))
        if (m->unbindable)
            return true;
    return false;
}

// A file of a namespace of mounts: what gets a copy may be that one's tree, which would keep itself.
bool mount_has_namespaces(const struct mount *top) {
    for (const struct mount *m = top; m; m = mount_next(m, top))
        if (nsfs_has_mounts(m->root))
            return true;
    return false;
}

static void drop_copies(struct list_head *copies) {
    struct list_head gone = LIST_HEAD_INIT(gone);
    while (!list_empty(copies))
        mount_dissolve(list_first_entry(copies, struct mount, link), &gone);
    mount_release(&gone); // what they showed is mounted elsewhere
}

int mount_propagate(struct mount *top, const struct path *at, struct list_head *copies) {
    ASSERT_HELD(&mount_mutex);
    struct mount *m, *copy;
    uint64_t first;
    if (!mount_is_shared(at->mount))
        return 0;
    if (has_unbindable(top))
        return -EINVAL;
    int err = mount_make_shared(top, true, &first);
    if (err)
        return err;
    unsigned int count = 1;
    bool stays_here = mount_has_namespaces(top);
    at->mount->group->received = top;
    struct receivers r = receivers_of(at->mount);
    while (!err && (m = next_receiver(&r))) {
        if (!dentry_is_below(at->dentry, m->root)) // not to be seen there
            continue;
        copy = stays_here ? ERR_PTR(-EINVAL) : copy_for(m, at->mount->ns, &count);
        err = IS_ERR(copy) ? PTR_ERR(copy) : 0;
        if (!err && copy) {
            list_add_tail(&copy->link, copies);
            err = lock_under(copy, mount_on(m, at->dentry));
        }
        if (!err && signal_pending_fatal())
            err = -EINTR;
    }
    if (!err)
        return 0;
    drop_copies(copies);
    unshare_since(top, true, first);
    return err;
}

// Slides `copy`, which lies on the same place, and what may lie on all of it, under m. [t]
static void put_under(struct mount *copy, struct mount *m) {
    for (struct mount *on = copy; on; on = mount_on(copy, copy->root))
        copy = on;
    mount_get(copy);
    dentry_get(copy->root);
    spin_lock(&mounts_lock);
    struct path old = mount_detach_locked(m);
    mount_attach_locked(m, copy, copy->root);
    spin_unlock(&mounts_lock);
    path_put(&old);
}

void mount_lay_copies(struct list_head *copies, struct dentry *d) {
    ASSERT_HELD(&mount_mutex);
    while (!list_empty(copies)) {
        struct mount *copy = list_first_entry(copies, struct mount, link), *m;
        struct mount *above = mount_on(copy->receiver, d);
        list_del(&copy->link);
        mount_attach(copy, copy->receiver, d);
        for (m = copy; m; m = mount_next(m, copy))
            mount_list(m, copy->receiver->ns);
        if (above) // what lay there lies on top still
            put_under(copy, above);
        cond_resched();
    }
}

// ---- taking away
//
// What goes with others is marked first, while the groups are what they are: who goes leaves his, and may be the last of one.

int mount_check_idle_copies(const struct mount *m) {
    ASSERT_HELD(&mount_mutex);
    struct receivers r = receivers_of(m->parent);
    struct mount *to, *on, *above;
    while ((to = next_receiver(&r))) {
        on = mount_on(to, m->mountpoint);
        above = on ? mount_on(on, on->root) : NULL;
        if (!on || on->going || (!above && !list_empty(&on->children)))
            continue;
        if (ref_read(&on->refs) != (above ? 2 : 1))
            return -EBUSY;
    }
    return 0;
}

// Would something that covers all of m lie on m's place if m went?
static bool leaves_cover(const struct mount *m) {
    while ((m = mount_on(m, m->root)))
        if (!m->going || m->locked)
            return true;
    return false;
}

// Does nothing lie on m but what goes, too, and leaves nothing there, or covers all of it?
static bool is_loose(const struct mount *m) {
    const struct mount *child;
    list_for_each_entry (child, &m->children, sibling) {
        if (child->mountpoint != m->root && (!child->going || leaves_cover(child)))
            return false;
        cond_resched();
    }
    return true;
}

// Marks the one on that place of `to`, if there is one and it may go, in front of what is marked already.
static void mark(const struct mount *to, const struct dentry *place, struct mount **marked) {
    struct mount *on = mount_on(to, place);
    if (!on || on->going || !is_loose(on))
        return;
    on->going = true;
    on->next_marked = *marked;
    *marked = on;
}

// What may go with m.
static void mark_copies(const struct mount *m, struct mount **marked) {
    struct receivers r = receivers_of(m->parent);
    const struct mount *to;
    while ((to = next_receiver(&r)))
        mark(to, m->mountpoint, marked);
}

static bool has_fewer(const struct mount *a, const struct mount *b) {
    const struct list_head *l = a->children.next, *k = b->children.next;
    while (l != &a->children && k != &b->children) {
        l = l->next;
        k = k->next;
    }
    return k != &b->children;
}

// What may go with all that is on `parent`: looked for on the one or on the other, whichever has less.
static void mark_copies_below(const struct mount *parent, struct mount **marked) {
    struct receivers r = receivers_of(parent);
    const struct mount *to, *m;
    while ((to = next_receiver(&r))) {
        bool other = has_fewer(to, parent);
        list_for_each_entry (m, other ? &to->children : &parent->children, sibling) {
            if (!other || mount_on(parent, m->mountpoint))
                mark(to, m->mountpoint, marked);
            cond_resched();
        }
    }
}

static struct mount *deepest(struct mount *m) {
    while (!list_empty(&m->children))
        m = list_first_entry(&m->children, struct mount, sibling);
    return m;
}

// Behind m in the tree `top`, each behind those on it. [t]
static struct mount *next_upward(const struct mount *m, const struct mount *top) {
    if (m == top)
        return NULL;
    return m->sibling.next == &m->parent->children
               ? m->parent
               : deepest(list_entry(m->sibling.next, struct mount, sibling));
}

// One that is locked hides something where it lies, so it goes with that, or with the top of what goes where somebody may more.
static bool goes(const struct mount *m, bool with_top) {
    return !m->locked || with_top || (m->parent->going && m->mountpoint != m->parent->root);
}

// Of those marked, parents first, the ones that go, children first.
static struct mount *choose(struct mount *marked, const struct mount *below_top) {
    struct mount *chosen = NULL, *next;
    bool with_top = true;
    for (struct mount *m = marked; m; m = next) {
        next = m->next_marked;
        with_top &= m != below_top;
        m->going = goes(m, with_top);
        if (m->going) {
            m->next_marked = chosen;
            chosen = m;
        }
        cond_resched();
    }
    return chosen;
}

struct mount *mount_mark_copies(struct mount *top) {
    ASSERT_HELD(&mount_mutex);
    struct mount *m = top, *marked = NULL, *below_top;
    do {
        m->going = true;
    } while ((m = mount_next(m, top)));
    for (m = deepest(top); m != top; m = next_upward(m, top))
        if (m->sibling.next == &m->parent->children) // all that is below the parent's is marked
            mark_copies_below(m->parent, &marked);
    below_top = marked;
    mark_copies(top, &marked);
    return choose(marked, below_top);
}

void mount_spare_copies(struct mount *top, struct mount *marked) {
    ASSERT_HELD(&mount_mutex);
    struct mount *m;
    for (m = top; m; m = mount_next(m, top))
        m->going = false;
    for (m = marked; m; m = m->next_marked)
        m->going = false;
}

// m goes; what lies on all of it lies on its place from now on.
static void take_away(struct mount *m, struct mount *above, struct list_head *gone) {
    struct path old = {NULL, NULL};
    spin_lock(&mounts_lock);
    struct path place = mount_detach_locked(m);
    mount_unlist_locked(m);
    if (above) {
        old = mount_detach_locked(above);
        mount_attach_locked(above, place.mount, place.dentry);
    }
    spin_unlock(&mounts_lock);
    ASSERT(list_empty(&m->children));
    mount_leave_peers(m);
    list_add_tail(&m->link, gone);
    if (!above) {
        mount_unsettle(place.dentry);
        old = place;
    }
    path_put(&old);
}

void mount_take_marked(struct mount *marked, struct list_head *gone) {
    ASSERT_HELD(&mount_mutex);
    for (struct mount *m = marked, *next; m; m = next) {
        next = m->next_marked;
        take_away(m, mount_on(m, m->root), gone);
        cond_resched();
    }
}

// ---- telling

// Is one of the group to be seen from that root?
static bool is_seen(const struct peer_group *g, const struct mount_ns *ns, const struct path *root) {
    struct mount *m;
    list_for_each_entry (m, &g->members, peer) {
        if (!m->slave && m->ns == ns && mount_is_in_sight(m, root))
            return true;
        cond_resched();
    }
    return false;
}

void mount_get_peers(const struct mount *m, struct mount_peers *out) {
    struct path root = path_process_root();
    mutex_lock(&mount_mutex);
    mount_begin_look();
    const struct peer_group *g = m->group, *master = g && !m->slave ? g->master : g;
    *out = (struct mount_peers){.group = mount_is_shared(m) ? g->id : 0,
                                .master = master ? master->id : 0,
                                .unbindable = m->unbindable};
    for (g = master; g && !out->from; g = g->master)
        if (is_seen(g, m->ns, &root))
            out->from = g->id;
    mount_unlock();
    path_put(&root);
}
