// SPDX-License-Identifier: MIT
// Keys: their life, accounts, permissions and states.
#include "core/errno.h"
#include "core/random.h"
#include "core/user_ns.h"
#include "keys/private.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define SERIAL_FIRST 3 // smaller ones are never given

struct key_limits key_limits = {200, 20000, 1000000, 25000000, 300};
struct mutex keys_lock = MUTEX_INIT(keys_lock);

static int by_serial(const struct key *a, const struct key *b) {
    return a->serial < b->serial ? -1 : a->serial > b->serial;
}
RB_HEAD(key_tree, key);
RB_GENERATE_STATIC(key_tree, key, node, by_serial)
static int by_uid(const struct key_user *a, const struct key_user *b) {
    return a->uid < b->uid ? -1 : a->uid > b->uid;
}
RB_HEAD(key_user_tree, key_user);
RB_GENERATE_STATIC(key_user_tree, key_user, node, by_uid)

// All [keys_lock].
static struct key_tree keys = RB_INITIALIZER(&keys);
static struct key_user_tree users = RB_INITIALIZER(&users);
static struct list_head unused = LIST_HEAD_INIT(unused); // nothing refers to them
static ktime_t next_death = KTIME_NEVER;                 // realtime: when there may be something to collect

// ---- types

const struct key_type key_type_keyring = {.name = "keyring", .keyring = true, .readable = true};
static const struct key_type key_type_user = {.name = "user", .readable = true};
static const struct key_type key_type_logon = {.name = "logon", .needs_service = true};

const struct key_type *key_type_find(const char *name) {
    static const struct key_type *const types[] = {&key_type_keyring, &key_type_user, &key_type_logon};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcmp(types[i]->name, name))
            return types[i];
    return ERR_PTR(-ENOKEY);
}

int key_check_payload(const struct key_type *type, const char *description, const void *payload, size_t n) {
    if (type->keyring)
        return n ? -EINVAL : 0;
    if (!n || n > KEY_DATA_MAX || !payload)
        return -EINVAL;
    const char *colon = type->needs_service && description ? strchr(description, ':') : NULL;
    return type->needs_service && description && (!colon || colon == description) ? -EINVAL : 0;
}

// ---- the lock, and the end

void keys_lock_take(void) {
    mutex_lock(&keys_lock);
}

void key_put(struct key *key) {
    if (!key)
        return;
    ASSERT_HELD(&keys_lock);
    if (!--key->refs && list_empty(&key->link))
        list_add_tail(&key->link, &unused);
}

static void forget_payload(struct key *key) {
    if (key->data)
        memset(key->data, 0, key->size);
    __asm__ volatile("" ::: "memory"); // before it is anybody's
    kfree(key->data);
    key->data = NULL;
    key->size = 0;
}

// Whoever has no key has no account.
static void drop_user(struct key_user *u) {
    ASSERT_HELD(&keys_lock);
    if (u->keys)
        return;
    RB_REMOVE(key_user_tree, &users, u);
    kfree(u);
}

static void destroy(struct key *key) {
    ASSERT_HELD(&keys_lock);
    RB_REMOVE(key_tree, &keys, key);
    if (key->type->keyring)
        keyring_empty(key);
    forget_payload(key);
    key->user->keys--;
    key->user->bytes -= key->charge;
    drop_user(key->user);
    kfree(key->links);
    kfree(key->description);
    kfree(key);
}

void keys_lock_give(void) {
    while (!list_empty(&unused)) {
        struct key *key = list_first_entry(&unused, struct key, link);
        list_del(&key->link);
        if (!key->refs) // else the same call has linked it again
            destroy(key);
        cond_resched();
    }
    mutex_unlock(&keys_lock);
}

struct key *key_find(int32_t serial) {
    ASSERT_HELD(&keys_lock);
    struct key wanted = {.serial = serial}, *key = RB_FIND(key_tree, &keys, &wanted);
    return key && key->refs ? key : NULL;
}

struct key *key_next(int32_t serial) {
    ASSERT_HELD(&keys_lock);
    struct key wanted = {.serial = serial + 1},
               *key = serial == INT32_MAX ? NULL : RB_NFIND(key_tree, &keys, &wanted);
    while (key && !key->refs)
        key = RB_NEXT(key_tree, &keys, key);
    return key;
}

// ---- accounts

static struct key_user *find_user(uid_t uid) {
    ASSERT_HELD(&keys_lock);
    struct key_user wanted = {.uid = uid}, *u = RB_FIND(key_user_tree, &users, &wanted);
    if (u || !(u = kzalloc(sizeof(*u))))
        return u;
    u->uid = uid;
    RB_INSERT(key_user_tree, &users, u);
    return u;
}

static bool has_bytes(const struct key_user *u, unsigned long more) {
    unsigned long most = u->uid ? READ_ONCE(key_limits.bytes) : READ_ONCE(key_limits.root_bytes);
    return u->bytes + more <= most;
}

// For one key more. (Of one that there is already only the bytes are looked at: who has too many keys may still write to them.)
static bool has_room(const struct key_user *u, unsigned long bytes) {
    unsigned long most = u->uid ? READ_ONCE(key_limits.keys) : READ_ONCE(key_limits.root_keys);
    return u->keys + 1 <= most && has_bytes(u, bytes);
}

int key_charge(struct key *key, long bytes) {
    ASSERT_HELD(&keys_lock);
    if (bytes > 0 && !has_bytes(key->user, (unsigned long)bytes))
        return -EDQUOT;
    key->charge += (unsigned long)bytes;
    key->user->bytes += (unsigned long)bytes;
    return 0;
}

int key_users_for_each(void (*fn)(const struct key_user_info *u, void *arg), void *arg) {
    int err = 0;
    keys_lock_take();
    for (const struct key_user *u = RB_MIN(key_user_tree, &users); u && !err;
         u = RB_NEXT(key_user_tree, &users, (struct key_user *)u)) {
        if (u->keys && uid_in(current->cred->user_ns, u->uid) != ID_NONE)
            fn(&(struct key_user_info){u->uid, u->keys, u->bytes}, arg);
        err = cond_resched_killable();
    }
    keys_lock_give();
    return err;
}

static void give_to(struct key *key, struct key_user *to) {
    struct key_user *from = key->user;
    from->keys--;
    from->bytes -= key->charge;
    to->keys++;
    to->bytes += key->charge;
    key->user = to;
    drop_user(from);
}

// ---- beginning

// One that nobody has. The tree is never near full.
static void choose_serial(struct key *key) {
    do {
        random_bytes(&key->serial, sizeof(key->serial));
        key->serial &= INT32_MAX;
    } while (key->serial < SERIAL_FIRST || RB_INSERT(key_tree, &keys, key));
}

struct key *key_alloc(const struct key_type *type, const char *description, uid_t uid, gid_t gid,
                      uint32_t permissions, bool refusable) {
    ASSERT_HELD(&keys_lock);
    struct key_user *user = find_user(uid);
    size_t bytes = strlen(description) + 1;
    if (!user)
        return ERR_PTR(-ENOMEM);
    bool may = !refusable || has_room(user, bytes);
    struct key *key = may ? kzalloc(sizeof(*key)) : NULL;
    char *copy = key ? kstrndup(description, bytes - 1) : NULL;
    if (!copy) {
        kfree(key);
        drop_user(user);
        return ERR_PTR(may ? -ENOMEM : -EDQUOT);
    }
    key->refs = 1;
    key->type = type;
    key->description = copy;
    key->user = user;
    key->ns = current->cred->user_ns->ns.number;
    key->uid = uid;
    key->gid = gid;
    key->permissions = permissions;
    key->charge = bytes;
    list_init(&key->queue);
    list_init(&key->link);
    choose_serial(key);
    user->keys++;
    user->bytes += bytes;
    return key;
}

int key_set_payload(struct key *key, const void *payload, size_t n) {
    ASSERT_HELD(&keys_lock);
    void *copy = n ? kmalloc(n) : NULL;
    if (n && !copy)
        return -ENOMEM;
    int err = key_charge(key, (long)n - (long)key->size);
    if (err) {
        kfree(copy);
        return err;
    }
    if (n)
        memcpy(copy, payload, n);
    forget_payload(key);
    key->data = copy;
    key->size = n;
    key->expires = 0;
    return 0;
}

// ---- states

int key_check_state(const struct key *key) {
    ASSERT_HELD(&keys_lock);
    if (key->invalidated)
        return -ENOKEY;
    if (key->revoked)
        return -EKEYREVOKED;
    return key->expires && clock_realtime() >= key->expires ? -EKEYEXPIRED : 0;
}

void key_note_death(ktime_t when) {
    ASSERT_HELD(&keys_lock);
    next_death = MIN(next_death, when);
}

static ktime_t delay(void) {
    return (ktime_t)READ_ONCE(key_limits.gc_delay) * NSEC_PER_SEC;
}

// When links to it go; KTIME_NEVER: not as it is.
static ktime_t death_of(const struct key *key) {
    return key->invalidated ? 0
           : key->revoked   ? key->expires
           : key->expires   ? key->expires + delay()
                            : KTIME_NEVER;
}

bool key_is_dead(const struct key *key) {
    ASSERT_HELD(&keys_lock);
    return clock_realtime() >= death_of(key);
}

static void drop_dead_links(struct key *ring) {
    for (unsigned int i = ring->count; i--;)
        if (key_is_dead(ring->links[i])) {
            int gone = keyring_remove(ring, ring->links[i]);
            (void)gone;
        }
}

void key_collect(void) {
    ASSERT_HELD(&keys_lock);
    key_collect_users();
    if (clock_realtime() < next_death)
        return;
    next_death = KTIME_NEVER;
    for (struct key *key = key_next(0); key; key = key_next(key->serial)) {
        if (key->type->keyring)
            drop_dead_links(key);
        ktime_t death = death_of(key);
        if (clock_realtime() < death)
            key_note_death(death);
        cond_resched();
    }
}

// ---- permission

int key_permission(struct key_ref ref, uint32_t need) {
    ASSERT_HELD(&keys_lock);
    const struct cred *cred = current->cred;
    const struct key *key = ref.key;
    uint32_t mine = key->permissions;
    if (key->uid == cred->fsuid)
        mine >>= OF_USER;
    else if (key->gid != ID_NONE && mine & KEY_ALL << OF_GROUP && cred_in_group(cred, key->gid))
        mine >>= OF_GROUP;
    if (ref.possessed)
        mine |= key->permissions >> OF_POSSESSOR;
    return (mine & need) == need ? 0 : -EACCES;
}

// ---- changes of one

static void revoke(struct key *key) {
    ASSERT_HELD(&keys_lock);
    if (key->revoked)
        return;
    key->revoked = true;
    key->expires = clock_realtime() + delay();
    key_note_death(key->expires);
    if (key->type->keyring) {
        keyring_empty(key);
    } else {
        int less = key_charge(key, -(long)key->size);
        (void)less;
        forget_payload(key);
    }
}

long key_revoke(int32_t id) {
    struct key_ref ref;
    keys_lock_take();
    int err = key_find_named(id, 0, KEY_WRITE, &ref);
    if (err == -EACCES)
        err = key_find_named(id, 0, KEY_SETATTR, &ref);
    if (!err)
        revoke(ref.key);
    keys_lock_give();
    return err;
}

long key_invalidate(int32_t id) {
    struct key_ref ref;
    keys_lock_take();
    int err = key_find_named(id, 0, KEY_SEARCH, &ref);
    if (!err) {
        ref.key->invalidated = true;
        key_note_death(0);
        key_collect();
    }
    keys_lock_give();
    return err;
}

static int change_owner(struct key *key, uid_t uid, gid_t gid) {
    ASSERT_HELD(&keys_lock);
    const struct cred *cred = current->cred;
    bool others_gid = gid != ID_NONE && gid != key->gid && !cred_in_group(cred, gid);
    if (!capable(CAP_SYS_ADMIN) && ((uid != ID_NONE && uid != key->uid) || others_gid))
        return -EACCES;
    if (uid != ID_NONE && uid != key->uid) {
        struct key_user *to = find_user(uid);
        if (!to)
            return -ENOMEM;
        if (!has_room(to, key->charge)) {
            drop_user(to);
            return -EDQUOT;
        }
        give_to(key, to);
        key->uid = uid;
    }
    if (gid != ID_NONE)
        key->gid = gid;
    return 0;
}

long key_chown(int32_t id, uid_t uid, gid_t gid) {
    struct key_ref ref;
    if (uid == ID_NONE && gid == ID_NONE)
        return 0;
    keys_lock_take();
    int err = key_find_named(id, FIND_CREATE | FIND_PARTIAL, KEY_SETATTR, &ref);
    if (!err)
        err = change_owner(ref.key, uid, gid);
    keys_lock_give();
    return err;
}

long key_set_permissions(int32_t id, uint32_t permissions) {
    struct key_ref ref;
    if (permissions & ~(KEY_ALL * 0x01010101u))
        return -EINVAL;
    keys_lock_take();
    int err = key_find_named(id, FIND_CREATE | FIND_PARTIAL, KEY_SETATTR, &ref);
    if (!err && ref.key->uid != current->cred->fsuid && !capable(CAP_SYS_ADMIN))
        err = -EACCES;
    if (!err)
        ref.key->permissions = permissions;
    keys_lock_give();
    return err;
}

long key_set_timeout(int32_t id, unsigned int seconds) {
    struct key_ref ref;
    keys_lock_take();
    int err = key_find_named(id, FIND_CREATE | FIND_PARTIAL, KEY_SETATTR, &ref);
    if (!err) {
        ref.key->expires = seconds ? clock_realtime() + (ktime_t)seconds * NSEC_PER_SEC : 0;
        key_note_death(death_of(ref.key));
    }
    keys_lock_give();
    return err;
}

long key_update(int32_t id, const void *payload, size_t n) {
    struct key_ref ref;
    keys_lock_take();
    long err = key_find_named(id, 0, KEY_WRITE, &ref);
    if (!err && ref.key->type->keyring)
        err = -EOPNOTSUPP;
    if (!err)
        err = key_check_payload(ref.key->type, NULL, payload, n);
    if (!err)
        err = key_set_payload(ref.key, payload, n);
    keys_lock_give();
    return err;
}
