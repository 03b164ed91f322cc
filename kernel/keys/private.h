// SPDX-License-Identifier: MIT
// Within keys. One mutex, keys_lock, is over all that there is; who gives it back frees what nothing refers to any more.
#pragma once
#include "core/spinlock.h"
#include "keys/key.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "sched/clock.h"
#include "sched/wait.h"
#include <linux/keyctl.h>

// Permissions as keyctl_setperm(3) has them: of others, in the lowest byte.
#define KEY_VIEW     0x01u
#define KEY_READ     0x02u
#define KEY_WRITE    0x04u
#define KEY_SEARCH   0x08u
#define KEY_LINK     0x10u
#define KEY_SETATTR  0x20u
#define KEY_ALL      0x3fu
#define OF_GROUP     8
#define OF_USER      16
#define OF_POSSESSOR 24

#define KEYRING_DEPTH  6 // keyrings in keyrings that a search goes into
#define KEY_LINK_BYTES 4 // what a link costs its keyring's owner
#define KEY_DATA_MAX   32767

// On whose account keys are. Stays once it is made.
struct key_user {
    RB_ENTRY(key_user) node; // [keys_lock], as all here
    uid_t uid;
    unsigned long keys, bytes;
};

struct key_type {
    const char *name;
    bool keyring, readable, needs_service; // its payload can be read; its description begins with "SERVICE:"
};
extern const struct key_type key_type_keyring;
// ERR_PTR(-ENOKEY): there is none of that name.
const struct key_type *key_type_find(const char *name);

// All [keys_lock] but what never changes: serial, type, description.
struct key {
    RB_ENTRY(key) node;
    struct list_head link; // in the list of those to be freed
    unsigned long refs;    // links, threads, processes, users' registers
    int32_t serial;
    const struct key_type *type;
    char *description;
    struct key_user *user;
    uint64_t ns; // number of the user namespace it was made in
    uid_t uid;
    gid_t gid;
    uint32_t permissions;
    unsigned long charge; // bytes
    bool revoked, invalidated;
    bool of_user;    // a user's: in his register
    ktime_t expires; // realtime; 0: it does not
    void *data;      // NULL: nothing
    size_t size;
    struct key **links; // of a keyring
    unsigned int count, room;
    uint64_t round;         // number of the last walk that came here
    unsigned int depth;     // in it
    struct list_head queue; // of it
    uint64_t mark;          // number of the last keyring_mark_begin() whose marks reached it
};

extern struct mutex keys_lock;
void keys_lock_take(void);
void keys_lock_give(void); // frees

// What a call names, with the lock held.
struct key_ref {
    struct key *key;
    bool possessed;
};

// ---- key.c, with keys_lock held

static inline struct key *key_get(struct key *key) {
    key->refs++;
    return key;
}
void key_put(struct key *key); // NULL is fine
struct key *key_find(int32_t serial);
// Without links to it: one reference. ERR_PTR(-EDQUOT, -ENOMEM). `refusable`: for its owner's limits; else it may make him have too much.
struct key *__must_check key_alloc(const struct key_type *type, const char *description, uid_t uid, gid_t gid,
                                   uint32_t permissions, bool refusable);
int __must_check key_charge(struct key *key, long bytes); // -EDQUOT
int __must_check key_set_payload(struct key *key, const void *payload, size_t n);
int __must_check key_check_payload(const struct key_type *type, const char *description, const void *payload,
                                   size_t n);
int key_check_state(const struct key *key);            // 0, -EKEYREVOKED, -EKEYEXPIRED, -ENOKEY (invalidated)
int key_permission(struct key_ref ref, uint32_t need); // 0 or -EACCES
bool key_is_dead(const struct key *key);               // links to it are to go
void key_collect(void);                                // lets them go, if it is time for any
void key_collect_users(void);                          // those of user namespaces that have ended
void key_note_death(ktime_t when);                     // something is to be collected then
struct key *key_next(int32_t serial);                  // the first above that

// ---- keyring.c, with keys_lock held

// The link to a key of that type and description, or to that key. NULL: there is none.
struct key **keyring_slot(const struct key *ring, const struct key_type *type, const char *description);
int __must_check keyring_add(struct key *ring,
                             struct key *key); // instead of one of the same type and description
int keyring_remove(struct key *ring, const struct key *key); // -ENOENT
void keyring_empty(struct key *ring);
struct key_match {
    const struct key_type *type;
    const char *description;
    const struct key *key; // not NULL: this one, in whatever state
};
// Found in `ring` or a keyring below that may be searched. -EAGAIN: there is none; -EACCES, -EKEYREVOKED, -EKEYEXPIRED; -EINTR.
int __must_check keyring_find(struct key_ref ring, const struct key_match *m, struct key_ref *out);

// Marks all that keyring_find() would find, possessed, from here: at once, in the time that looking for one takes. -EINTR.
void keyring_mark_begin(void);
int __must_check keyring_mark(struct key *ring);
bool keyring_is_marked(const struct key *key);

// ---- process.c, with keys_lock held

#define FIND_CREATE  1u // a keyring that is not there yet is made
#define FIND_PARTIAL 2u // whatever state it is in
#define FIND_ANY     4u // whatever its permissions are
int __must_check key_find_named(int32_t id, unsigned int how, uint32_t need, struct key_ref *out);
// In all of the thread's keyrings.
int __must_check key_search_own(const struct key_match *m, struct key_ref *out);
int __must_check key_mark_own(void); // all that it finds there
