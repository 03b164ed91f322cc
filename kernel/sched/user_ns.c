// SPDX-License-Identifier: MIT
// User namespaces. A map is written once and published whole: who reads it needs no lock.
#include "core/user_ns.h"
#include "core/errno.h"
#include "lib/number.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/user_ns_end.h"
#include "sched/wait.h"
#include <linux/capability.h>
#include <linux/securebits.h>

static void destroy(struct namespace *ns);
static struct namespace *parent_of(struct namespace *ns);
static const struct namespace_type type = {
    .name = "user", .flag = CLONE_NEWUSER, .parent = parent_of, .destroy = destroy};

struct user_ns first_user_ns = {.ns = {.refs = {1}, .type = &type, .number = NS_FIRST_USER}};
static struct mutex map_lock = MUTEX_INIT(map_lock);

static void (*end_hook)(const struct user_ns *u); // written at start

void user_ns_set_end_hook(void (*hook)(const struct user_ns *u)) {
    end_hook = hook;
}

static void destroy(struct namespace *ns) {
    struct user_ns *u = user_ns_of(ns);
    if (end_hook)
        end_hook(u);
    namespace_end(ns);
    kfree((void *)u->uids);
    kfree((void *)u->gids);
    kfree(u);
}

static struct namespace *parent_of(struct namespace *ns) {
    struct user_ns *parent = user_ns_of(ns)->parent;
    return parent ? &parent->ns : NULL;
}

// ---- ids

uint32_t id_map_down(const struct id_map *map, uint32_t id) {
    for (unsigned int i = 0; map && i < map->count; i++)
        if (id - map->extent[i].first < map->extent[i].count)
            return map->extent[i].below + (id - map->extent[i].first);
    return ID_NONE;
}

// The same of `count` ids that are on one line of the map; ID_NONE: not all of them are.
static uint32_t range_down(const struct user_ns *u, bool groups, uint32_t id, uint32_t count) {
    const struct id_map *map = __atomic_load_n(groups ? &u->gids : &u->uids, __ATOMIC_ACQUIRE);
    if (u == &first_user_ns)
        return id;
    for (unsigned int i = 0; map && i < map->count; i++) {
        uint32_t within = id - map->extent[i].first;
        if (within < map->extent[i].count)
            return count <= map->extent[i].count - within ? map->extent[i].below + within : ID_NONE;
    }
    return ID_NONE;
}

uint32_t id_map_up(const struct id_map *map, uint32_t id) {
    for (unsigned int i = 0; map && i < map->count; i++)
        if (id - map->extent[i].below < map->extent[i].count)
            return map->extent[i].first + (id - map->extent[i].below);
    return ID_NONE;
}

// ---- capabilities

bool user_ns_is_within(const struct user_ns *u, const struct user_ns *above) {
    while (u->level > above->level)
        u = u->parent;
    return u == above;
}

bool cred_capable_in(const struct cred *cred, const struct user_ns *u, int cap) {
    for (;; u = u->parent) {
        if (u == cred->user_ns)
            return cred_capable_within(cred, cap);
        if (u->level <= cred->user_ns->level)
            return false;
        if (u->parent == cred->user_ns && u->owner == cred->euid)
            return true;
    }
}

// ---- making and entering

void user_ns_enter(struct cred *cred, struct user_ns *u) {
    struct user_ns *old = cred->user_ns;
    cred->user_ns = user_ns_get(u);
    cred->securebits = SECUREBITS_DEFAULT;
    cred->cap_inheritable = cred->cap_ambient = 0;
    cred->cap_permitted = cred->cap_effective = cred->cap_bounding = cred_all_caps;
    user_ns_put(old);
}

int user_ns_create(struct cred *cred, bool chrooted) {
    struct user_ns *parent = cred->user_ns;
    if (parent->level >= USER_NS_DEPTH_MAX)
        return -ENOSPC;
    if (chrooted || !cred_maps(cred, cred->euid, cred->egid))
        return -EPERM;
    struct user_ns *u = kzalloc(sizeof(*u));
    int err = u ? namespace_begin(&u->ns, &type, parent) : -ENOMEM;
    if (err) {
        kfree(u);
        return err;
    }
    u->parent = parent;
    u->level = parent->level + 1;
    u->owner = cred->euid;
    u->group = cred->egid;
    u->setgroups_denied = READ_ONCE(parent->setgroups_denied);
    u->parent_could_setfcap = cred_capable_within(cred, CAP_SETFCAP);
    user_ns_enter(cred, u);
    user_ns_put(u);
    return 0;
}

// ---- maps

// A number on a line of a map; after it at least one blank, or for the last the line's end.
static const char *read_id(const char *s, uint32_t *out, bool last) {
    uint64_t value;
    while (*s == ' ' || *s == '\t')
        s++;
    const char *end = number_read(s, 10, UINT32_MAX, &value);
    *out = (uint32_t)value;
    if (end == s)
        return NULL;
    if (last)
        while (*end == ' ' || *end == '\t')
            end++;
    return last ? (!*end || *end == '\n' ? end : NULL) : *end == ' ' || *end == '\t' ? end : NULL;
}

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count) {
    return a < b ? b - a < a_count : a - b < b_count;
}

// One line more, whose ids are the parent's still. -EINVAL: empty, not 32 bits wide, or it overlaps another.
static int add_extent(struct id_map *map, const struct id_extent *e) {
    if (!e->count || e->first == ID_NONE || e->below == ID_NONE || e->first + e->count <= e->first ||
        e->below + e->count <= e->below || map->count == ID_MAP_MAX)
        return -EINVAL;
    for (unsigned int i = 0; i < map->count; i++) {
        const struct id_extent *other = &map->extent[i];
        if (overlap(e->first, e->count, other->first, other->count) ||
            overlap(e->below, e->count, other->below, other->count))
            return -EINVAL;
    }
    map->extent[map->count++] = *e;
    return 0;
}

static int parse(struct id_map *map, const char *s) {
    while (*s) {
        struct id_extent e;
        if (!(s = read_id(s, &e.first, false)) || !(s = read_id(s, &e.below, false)) ||
            !(s = read_id(s, &e.count, true)))
            return -EINVAL;
        int err = add_extent(map, &e);
        if (err)
            return err;
        s += *s == '\n';
    }
    return map->count ? 0 : -EINVAL;
}

// The parent's root may be mapped by those alone who could give files capabilities there.
static bool may_map_root(const struct user_ns *u, const struct id_map *map, const struct cred *opener) {
    if (id_map_up(map, 0) == ID_NONE) // its `below` are the parent's still
        return true;
    if (opener->user_ns == u)
        return u->parent_could_setfcap;
    return cred_capable_in(opener, u->parent, CAP_SETFCAP);
}

// Who opened the file asks: who writes there may be a program with another identity, which was told to. Nobody writes a range,
// though, who could not write it as he is now. user_namespaces(7), "Defining user and group ID mappings: writing to uid_map and gid_map".
static int may_map(const struct user_ns *u, bool groups, const struct id_map *map,
                   const struct cred *opener) {
    const struct cred *cred = current->cred;
    int cap = groups ? CAP_SETGID : CAP_SETUID;
    if (!groups && !may_map_root(u, map, opener))
        return -EPERM;
    if (map->count == 1 && map->extent[0].count == 1 && u->owner == opener->euid) { // oneself
        uint32_t below = map->extent[0].below;
        if (!groups && uid_from_user(u->parent, below) == opener->euid)
            return 0;
        if (groups && u->setgroups_denied && gid_from_user(u->parent, below) == opener->egid)
            return 0;
    }
    return cred_capable_in(cred, u->parent, cap) && cred_capable_in(opener, u->parent, cap) ? 0 : -EPERM;
}

// What the parent calls an id is from now on what the first user namespace does. All of a line has to be in one of the parent's.
static int translate(const struct user_ns *u, bool groups, struct id_map *map) {
    for (unsigned int i = 0; i < map->count; i++) {
        struct id_extent *e = &map->extent[i];
        uint32_t from = range_down(u->parent, groups, e->below, e->count);
        if (from == ID_NONE)
            return -EPERM;
        e->below = from;
    }
    return 0;
}

static int set_map_locked(struct user_ns *u, bool groups, struct id_map *map, const struct cred *opener) {
    ASSERT_HELD(&map_lock);
    const struct id_map **place = groups ? &u->gids : &u->uids;
    const struct user_ns *mine = current->cred->user_ns, *its = opener->user_ns;
    if (!u->parent || *place || !cred_capable_in(opener, u, CAP_SYS_ADMIN) ||
        (mine != u && mine != u->parent) || (its != u && its != u->parent))
        return -EPERM;
    int err = may_map(u, groups, map, opener);
    if (!err)
        err = translate(u, groups, map);
    if (!err)
        __atomic_store_n(place, map, __ATOMIC_RELEASE);
    return err;
}

int user_ns_set_map(struct user_ns *u, bool groups, const char *text, const struct cred *opener) {
    unsigned int lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    if (lines > ID_MAP_MAX + 1)
        return -EINVAL;
    struct id_map *map = kzalloc(sizeof(*map) + lines * sizeof(map->extent[0]));
    if (!map)
        return -ENOMEM;
    int err = parse(map, text);
    if (!err) {
        mutex_lock(&map_lock);
        err = set_map_locked(u, groups, map, opener);
        mutex_unlock(&map_lock);
    }
    if (err)
        kfree(map);
    return err;
}

int user_ns_deny_setgroups(struct user_ns *u, bool deny) {
    mutex_lock(&map_lock);
    bool late = deny ? u->gids || u == &first_user_ns : u->setgroups_denied;
    if (!late && deny)
        WRITE_ONCE(u->setgroups_denied, true);
    mutex_unlock(&map_lock);
    return late ? -EPERM : 0;
}

bool user_ns_may_setgroups(const struct user_ns *u) {
    return u == &first_user_ns ||
           (__atomic_load_n(&u->gids, __ATOMIC_ACQUIRE) && !READ_ONCE(u->setgroups_denied));
}
