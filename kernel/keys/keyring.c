// SPDX-License-Identifier: MIT
// Keyrings: links, the search through them, and the calls that are about both.
//
// A walk through keyrings goes by breadth: each is looked at once, and first on the shortest way to it. What it costs is the links there are,
// however they cross.
#include "core/errno.h"
#include "core/user_ns.h"
#include "keys/private.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"

#define ROOM_FIRST 8 // links

static uint64_t last_round; // [keys_lock]

// ---- links

struct key **keyring_slot(const struct key *ring, const struct key_type *type, const char *description) {
    ASSERT_HELD(&keys_lock);
    for (unsigned int i = 0; i < ring->count; i++)
        if (ring->links[i]->type == type && !strcmp(ring->links[i]->description, description))
            return &ring->links[i];
    return NULL;
}

static int make_room(struct key *ring) {
    if (ring->count < ring->room)
        return 0;
    unsigned int room = ring->room ? ring->room * 2 : ROOM_FIRST;
    struct key **links = krealloc(ring->links, ring->room * sizeof(*links), room * sizeof(*links));
    if (!links)
        return -ENOMEM;
    ring->links = links;
    ring->room = room;
    return 0;
}

int keyring_add(struct key *ring, struct key *key) {
    ASSERT_HELD(&keys_lock);
    struct key **same = keyring_slot(ring, key->type, key->description);
    if (same) {
        key_put(*same);
        *same = key_get(key);
        return 0;
    }
    int err = make_room(ring);
    if (!err)
        err = key_charge(ring, KEY_LINK_BYTES);
    if (!err)
        ring->links[ring->count++] = key_get(key);
    return err;
}

int keyring_remove(struct key *ring, const struct key *key) {
    ASSERT_HELD(&keys_lock);
    for (unsigned int i = 0; i < ring->count; i++) {
        if (ring->links[i] != key)
            continue;
        key_put(ring->links[i]);
        ring->links[i] = ring->links[--ring->count];
        int less = key_charge(ring, -KEY_LINK_BYTES);
        (void)less;
        return 0;
    }
    return -ENOENT;
}

void keyring_empty(struct key *ring) {
    ASSERT_HELD(&keys_lock);
    while (ring->count) {
        key_put(ring->links[--ring->count]);
        int less = key_charge(ring, -KEY_LINK_BYTES);
        (void)less;
        cond_resched();
    }
}

// ---- walks

// One at a time.
static struct list_head to_visit = LIST_HEAD_INIT(to_visit); // [keys_lock] keyrings, by `queue`

static void walk_begin(void) {
    last_round++;
}

static void walk_add(struct key *ring, unsigned int depth) {
    ASSERT_HELD(&keys_lock);
    if (ring->round == last_round)
        return;
    ring->round = last_round;
    ring->depth = depth;
    list_add_tail(&ring->queue, &to_visit);
}

static struct key *walk_next(void) {
    if (list_empty(&to_visit))
        return NULL;
    struct key *ring = list_first_entry(&to_visit, struct key, queue);
    list_del(&ring->queue);
    return ring;
}

static void walk_end(void) {
    while (walk_next())
        ;
}

// What the search thinks of a key that it comes by: 0: this one; 1: go on; or the error that stands if there is no other.
static int judge(struct key *key, const struct key_match *m, bool possessed) {
    if (m->key)
        return key == m->key ? key_permission((struct key_ref){key, possessed}, KEY_SEARCH) : 1;
    if (key->type != m->type || strcmp(key->description, m->description))
        return 1;
    int err = key->invalidated ? -EKEYREVOKED : key_check_state(key);
    return err ? err : key_permission((struct key_ref){key, possessed}, KEY_SEARCH);
}

// Does the search go into it, a link of `ring`?
static bool leads_on(const struct key *ring, struct key *key, bool possessed) {
    return key->type->keyring && ring->depth < KEYRING_DEPTH && !key->revoked && !key->invalidated &&
           !key_permission((struct key_ref){key, possessed}, KEY_SEARCH);
}

int keyring_find(struct key_ref from, const struct key_match *m, struct key_ref *out) {
    ASSERT_HELD(&keys_lock);
    struct key *ring;
    int result = from.key->type->keyring ? key_permission(from, KEY_SEARCH) : -ENOTDIR;
    if (!result)
        result = m->key ? 0 : key_check_state(from.key);
    if (result)
        return result;
    *out = (struct key_ref){.possessed = from.possessed};
    result = judge(from.key, m, from.possessed); // it may be the one
    if (!result) {
        out->key = from.key;
        return 0;
    }
    result = result == 1 ? -EAGAIN : result;
    walk_begin();
    walk_add(from.key, 0);
    while (!out->key && (ring = walk_next())) {
        for (unsigned int i = 0; i < ring->count && !out->key; i++) {
            struct key *key = ring->links[i];
            int verdict = judge(key, m, from.possessed);
            if (!verdict)
                out->key = key;
            else if (verdict < 0)
                result = verdict;
            if (verdict && leads_on(ring, key, from.possessed))
                walk_add(key, ring->depth + 1);
        }
        int killed = cond_resched_killable();
        if (killed) {
            result = killed;
            break;
        }
    }
    walk_end();
    return out->key ? 0 : result;
}

static uint64_t last_mark; // [keys_lock]

void keyring_mark_begin(void) {
    ASSERT_HELD(&keys_lock);
    last_mark++;
}

bool keyring_is_marked(const struct key *key) {
    ASSERT_HELD(&keys_lock);
    return key->mark == last_mark;
}

static bool mark(struct key *key) {
    if (key_permission((struct key_ref){key, true}, KEY_SEARCH))
        return false;
    key->mark = last_mark;
    return true;
}

int keyring_mark(struct key *from) {
    ASSERT_HELD(&keys_lock);
    struct key *ring;
    int err = 0;
    walk_begin();
    if (mark(from))
        walk_add(from, 0);
    while (!err && (ring = walk_next())) {
        for (unsigned int i = 0; i < ring->count; i++)
            if (mark(ring->links[i]) && leads_on(ring, ring->links[i], true))
                walk_add(ring->links[i], ring->depth + 1);
        err = cond_resched_killable();
    }
    walk_end();
    return err;
}

// Would a link from `ring` to the keyring `below` close a circle (-EDEADLK), or lead too deep (-ELOOP)?
static int check_circle(const struct key *ring, struct key *below) {
    struct key *at;
    int err = ring == below ? -EDEADLK : 0;
    walk_begin();
    walk_add(below, 0);
    while (!err && (at = walk_next())) {
        if (at->depth > KEYRING_DEPTH)
            err = -ELOOP;
        for (unsigned int i = 0; i < at->count && !err; i++) {
            if (at->links[i] == ring)
                err = -EDEADLK;
            else if (at->links[i]->type->keyring)
                walk_add(at->links[i], at->depth + 1);
        }
        if (!err)
            err = cond_resched_killable();
    }
    walk_end();
    return err;
}

static int link_checked(struct key *ring, struct key *key) {
    int err = ring->type->keyring ? key_check_state(ring) : -ENOTDIR;
    if (!err && key->type->keyring)
        err = check_circle(ring, key);
    return err ? err : keyring_add(ring, key);
}

// ---- the calls

#define DEFAULT_PERMISSIONS                                                                                  \
    ((KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR | KEY_WRITE) << OF_POSSESSOR | KEY_VIEW << OF_USER)

// One of that type and description that is there already is given the payload.
static long add_locked(struct key_ref ring, const struct key_type *type, const char *description,
                       const void *payload, size_t n) {
    ASSERT_HELD(&keys_lock);
    struct key **old = type->keyring ? NULL : keyring_slot(ring.key, type, description);
    if (old && !(*old)->revoked && !(*old)->invalidated) {
        int err = key_permission((struct key_ref){*old, ring.possessed}, KEY_WRITE);
        if (!err)
            err = key_set_payload(*old, payload, n);
        return err ? err : (*old)->serial;
    }
    uint32_t permissions = DEFAULT_PERMISSIONS | (type->readable ? KEY_READ << OF_POSSESSOR : 0);
    if (type->keyring) // which are not updated
        permissions |= KEY_WRITE << OF_POSSESSOR;
    struct key *key =
        key_alloc(type, description, current->cred->fsuid, current->cred->fsgid, permissions, true);
    if (IS_ERR(key))
        return PTR_ERR(key);
    long result = key_set_payload(key, payload, n);
    if (!result)
        result = keyring_add(ring.key, key);
    if (!result)
        result = key->serial;
    key_put(key);
    return result;
}

long key_add(const char *type_name, const char *description, const void *payload, size_t n, int32_t ring_id) {
    struct key_ref ring;
    keys_lock_take();
    key_collect();
    long result = key_find_named(ring_id, FIND_CREATE, KEY_WRITE, &ring);
    const struct key_type *type = key_type_find(type_name);
    if (!result && IS_ERR(type))
        result = -ENODEV;
    if (!result && !ring.key->type->keyring)
        result = -ENOTDIR;
    if (!result)
        result = !description ? -EINVAL : key_check_payload(type, description, payload, n);
    if (!result)
        result = add_locked(ring, type, description, payload, n);
    keys_lock_give();
    return result;
}

// What was found, if that was so, is linked to the keyring `to`, if there is one.
static long found(long result, struct key_ref ref, int32_t to_id) {
    struct key_ref to;
    if (result)
        return result == -EAGAIN ? -ENOKEY : result;
    if (!to_id)
        return ref.key->serial;
    long err = key_find_named(to_id, FIND_CREATE, KEY_WRITE, &to);
    if (!err)
        err = key_permission(ref, KEY_LINK);
    if (!err)
        err = link_checked(to.key, ref.key);
    return err ? err : ref.key->serial;
}

// In a keyring, or in the thread's own (NULL).
static long search(const int32_t *ring_id, const char *type_name, const char *description, int32_t to_id) {
    const struct key_type *type = key_type_find(type_name);
    const struct key_match m = {IS_ERR(type) ? NULL : type, description, NULL};
    struct key_ref ring, to, ref = {.key = NULL};
    keys_lock_take();
    key_collect();
    long result = ring_id ? key_find_named(*ring_id, 0, KEY_SEARCH, &ring) : 0;
    if (!result && to_id)
        result = key_find_named(to_id, FIND_CREATE, KEY_WRITE, &to);
    if (!result && IS_ERR(type))
        result = PTR_ERR(type);
    if (!result)
        result = ring_id ? keyring_find(ring, &m, &ref) : key_search_own(&m, &ref);
    result = found(result, ref, to_id);
    keys_lock_give();
    return result;
}

// Nobody is asked for keys that are not there.
long key_request(const char *type, const char *description, int32_t to) {
    return search(NULL, type, description, to);
}

long keyring_search(int32_t ring, const char *type, const char *description, int32_t to) {
    return search(&ring, type, description, to);
}

long keyring_get_id(int32_t id, bool create) {
    struct key_ref ref;
    keys_lock_take();
    long result = key_find_named(id, create ? FIND_CREATE : 0, KEY_SEARCH, &ref);
    if (!result)
        result = ref.key->serial;
    keys_lock_give();
    return result;
}

long keyring_clear(int32_t id) {
    struct key_ref ring;
    keys_lock_take();
    long err = key_find_named(id, FIND_CREATE, KEY_WRITE, &ring);
    if (!err && !ring.key->type->keyring)
        err = -ENOTDIR;
    if (!err)
        keyring_empty(ring.key);
    keys_lock_give();
    return err;
}

long keyring_link(int32_t id, int32_t ring_id) {
    struct key_ref ring, ref;
    keys_lock_take();
    key_collect();
    long err = key_find_named(ring_id, FIND_CREATE, KEY_WRITE, &ring);
    if (!err)
        err = key_find_named(id, FIND_CREATE, KEY_LINK, &ref);
    if (!err)
        err = link_checked(ring.key, ref.key);
    keys_lock_give();
    return err;
}

long keyring_unlink(int32_t id, int32_t ring_id) {
    struct key_ref ring, ref;
    keys_lock_take();
    long err = key_find_named(ring_id, 0, KEY_WRITE, &ring);
    if (!err)
        err = key_find_named(id, FIND_PARTIAL | FIND_ANY, 0, &ref);
    if (!err)
        err = ring.key->type->keyring ? keyring_remove(ring.key, ref.key) : -ENOTDIR;
    keys_lock_give();
    return err;
}

static int move_locked(struct key *key, struct key *from, struct key *to, bool only_if_new) {
    ASSERT_HELD(&keys_lock);
    bool there = false;
    if (!from->type->keyring || !to->type->keyring)
        return -ENOTDIR;
    if (from == to)
        return 0;
    for (unsigned int i = 0; i < from->count; i++)
        there |= from->links[i] == key;
    if (!there)
        return -ENOENT;
    if (only_if_new && keyring_slot(to, key->type, key->description))
        return -EEXIST;
    int err = link_checked(to, key);
    return err ? err : keyring_remove(from, key);
}

long keyring_move(int32_t id, int32_t from_id, int32_t to_id, bool only_if_new) {
    struct key_ref ref, from, to;
    keys_lock_take();
    long err = key_find_named(id, FIND_CREATE, KEY_LINK, &ref);
    if (!err)
        err = key_find_named(from_id, 0, KEY_WRITE, &from);
    if (!err)
        err = key_find_named(to_id, FIND_CREATE, KEY_WRITE, &to);
    if (!err)
        err = move_locked(ref.key, from.key, to.key, only_if_new);
    keys_lock_give();
    return err;
}

// ---- telling

long key_describe(int32_t id, char **out) {
    struct key_ref ref;
    const struct user_ns *u = current->cred->user_ns;
    *out = NULL;
    keys_lock_take();
    long n = key_find_named(id, FIND_PARTIAL, KEY_VIEW, &ref);
    size_t room = n ? 0 : strlen(ref.key->description) + 100;
    if (!n && !(*out = kmalloc(room)))
        n = -ENOMEM;
    if (!n)
        n = 1 + lib_snprintf(*out, room, "%s;%d;%d;%08x;%s", ref.key->type->name,
                             (int)uid_shown(u, ref.key->uid),
                             ref.key->gid == ID_NONE ? (int)ID_OVERFLOW : (int)gid_shown(u, ref.key->gid),
                             ref.key->permissions, ref.key->description);
    keys_lock_give();
    return n;
}

static long copy_payload(const struct key *key, void **out) {
    size_t n = key->type->keyring ? key->count * sizeof(int32_t) : key->size;
    *out = kmalloc(n + 1);
    if (!*out)
        return -ENOMEM;
    if (!key->type->keyring)
        memcpy(*out, key->data, n);
    for (unsigned int i = 0; key->type->keyring && i < key->count; i++)
        ((int32_t *)*out)[i] = key->links[i]->serial;
    return (long)n;
}

long key_read(int32_t id, void **out) {
    struct key_ref ref;
    *out = NULL;
    keys_lock_take();
    long n = key_find_named(id, FIND_PARTIAL | FIND_ANY, 0, &ref) ? -ENOKEY : 0;
    if (!n && key_permission(ref, KEY_READ) && !ref.possessed) // what one finds one may read
        n = -EACCES;
    if (!n && !ref.key->type->readable)
        n = -EOPNOTSUPP;
    if (!n)
        n = key_check_state(ref.key);
    if (!n)
        n = copy_payload(ref.key, out);
    keys_lock_give();
    return n;
}

static void tell(struct key *key, void (*fn)(const struct key_info *k, void *arg), void *arg) {
    ktime_t now = clock_realtime();
    struct key_info info = {.serial = key->serial,
                            .type = key->type->name,
                            .description = key->description,
                            .revoked = key->revoked,
                            .invalidated = key->invalidated,
                            .references = (int)key->refs,
                            .left = !key->expires ? -1
                                    : now >= key->expires
                                        ? 0
                                        : MAX((int64_t)((key->expires - now) / NSEC_PER_SEC), 1),
                            .permissions = key->permissions,
                            .uid = key->uid,
                            .gid = key->gid,
                            .is_keyring = key->type->keyring,
                            .size = key->type->keyring ? key->count : key->size};
    fn(&info, arg);
}

int keys_for_each(void (*fn)(const struct key_info *k, void *arg), void *arg) {
    keys_lock_take();
    key_collect();
    int err = key_mark_own();
    for (struct key *key = key_next(0); key && !err; key = key_next(key->serial)) {
        struct key_ref ref = {key, keyring_is_marked(key)};
        if (uid_in(current->cred->user_ns, key->uid) != ID_NONE && !key_permission(ref, KEY_VIEW))
            tell(key, fn, arg);
        err = cond_resched_killable();
    }
    keys_lock_give();
    return err;
}
