// SPDX-License-Identifier: MIT
// User namespaces (user_namespaces(7)): ids and capabilities that count within. Everywhere in the kernel an id is that of the
// first user namespace; what a program says and sees is translated by the maps of its own, at the call.
#pragma once
#include "core/cred.h"
#include "core/namespace.h"

#define USER_NS_DEPTH_MAX 32
#define ID_MAP_MAX        340 // lines of a map
#define ID_NONE           ((uint32_t)-1)
#define ID_OVERFLOW       65534u // what an id is seen as that is not in the map

struct id_map {
    unsigned int count;
    struct id_extent {
        uint32_t first; // within
        uint32_t below; // in the first user namespace
        uint32_t count;
    } extent[];
};

struct user_ns {
    struct namespace ns;
    struct user_ns *parent;           // [I] NULL: the first one
    unsigned int level;               // [I] 0: the first one
    uid_t owner;                      // [I] who made it, euid and egid
    gid_t group;                      // [I]
    bool setgroups_denied;            // [map_lock of user_ns.c]
    bool parent_could_setfcap;        // [I] its maker had CAP_SETFCAP
    const struct id_map *uids, *gids; // set once; NULL: not yet
};

extern struct user_ns first_user_ns;

static inline struct user_ns *user_ns_get(struct user_ns *u) {
    ref_get(&u->ns.refs);
    return u;
}
static inline void user_ns_put(struct user_ns *u) {
    namespace_put(&u->ns);
}
static inline struct user_ns *user_ns_of(struct namespace *ns) {
    return container_of(ns, struct user_ns, ns);
}

// Slow ways of what follows, for all but the first.
uint32_t id_map_down(const struct id_map *map, uint32_t id);
uint32_t id_map_up(const struct id_map *map, uint32_t id);

// The id that a program in u calls `id`; ID_NONE: none.
static inline uid_t uid_from_user(const struct user_ns *u, uid_t id) {
    return likely(u == &first_user_ns) ? id : id_map_down(__atomic_load_n(&u->uids, __ATOMIC_ACQUIRE), id);
}
static inline gid_t gid_from_user(const struct user_ns *u, gid_t id) {
    return likely(u == &first_user_ns) ? id : id_map_down(__atomic_load_n(&u->gids, __ATOMIC_ACQUIRE), id);
}
// What a program in u calls the id; ID_NONE: it is not in the map.
static inline uid_t uid_in(const struct user_ns *u, uid_t id) {
    return likely(u == &first_user_ns) ? id : id_map_up(__atomic_load_n(&u->uids, __ATOMIC_ACQUIRE), id);
}
static inline gid_t gid_in(const struct user_ns *u, gid_t id) {
    return likely(u == &first_user_ns) ? id : id_map_up(__atomic_load_n(&u->gids, __ATOMIC_ACQUIRE), id);
}
// The same for results of calls, which always have an id: ID_OVERFLOW.
static inline uid_t uid_shown(const struct user_ns *u, uid_t id) {
    uid_t seen = uid_in(u, id);
    return unlikely(seen == ID_NONE) && u != &first_user_ns ? ID_OVERFLOW : seen;
}
static inline gid_t gid_shown(const struct user_ns *u, gid_t id) {
    gid_t seen = gid_in(u, id);
    return unlikely(seen == ID_NONE) && u != &first_user_ns ? ID_OVERFLOW : seen;
}
// True if `id` is 0 in u.
static inline bool uid_is_root_in(const struct user_ns *u, uid_t id) {
    return uid_in(u, id) == 0;
}
static inline bool cred_maps(const struct cred *cred, uid_t uid, gid_t gid) {
    return uid_in(cred->user_ns, uid) != ID_NONE && gid_in(cred->user_ns, gid) != ID_NONE;
}

// True if u is `above` or was made within it.
bool user_ns_is_within(const struct user_ns *u, const struct user_ns *above);
// A new one below that of `cred`, which gets all capabilities in it; `cred` is the caller's, not in use yet. -EPERM, -ENOSPC,
// -ENOMEM. Where the caller's root is not that of its mount namespace (`chrooted`): -EPERM.
int __must_check user_ns_create(struct cred *cred, bool chrooted);
// cred, not in use yet, is in u from now on with all capabilities there.
void user_ns_enter(struct cred *cred, struct user_ns *u);
// /proc/PID/{uid_map,gid_map}: `text` as written there by somebody with `opener`'s credentials, who writes with the current
// ones. -EINVAL, -EPERM, -ENOMEM.
int __must_check user_ns_set_map(struct user_ns *u, bool groups, const char *text, const struct cred *opener);
// /proc/PID/setgroups. -EPERM: too late, or denied above.
int __must_check user_ns_deny_setgroups(struct user_ns *u, bool deny);
// May a program in it call setgroups(2)? Not before there are groups, nor where it is denied.
bool user_ns_may_setgroups(const struct user_ns *u);
