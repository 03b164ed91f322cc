// SPDX-License-Identifier: MIT
// Whose keyrings there are: threads', processes', sessions' and users'; and what a serial, or a special one, means in a call.
#include "core/errno.h"
#include "core/user_ns.h"
#include "keys/private.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sched/user_ns_end.h"

#define POSSESSOR_ALL (KEY_ALL << OF_POSSESSOR)
#define USER_VIEW     (KEY_VIEW << OF_USER)
// The permissions that keyrings begin with.
#define THREAD_RING  (POSSESSOR_ALL | USER_VIEW)
#define SESSION_RING (POSSESSOR_ALL | USER_VIEW | KEY_READ << OF_USER)
#define NAMED_RING   (SESSION_RING | KEY_LINK << OF_USER)
#define USER_RING    ((POSSESSOR_ALL & ~(KEY_SETATTR << OF_POSSESSOR)) | KEY_ALL << OF_USER)

// A user's two keyrings in a user namespace.
struct user_rings {
    struct list_head link;
    uid_t uid;
    struct key *own, *session;
};

// All of a user namespace. It may end where nothing can be waited for; then this goes to `ended`, and whoever next makes a call frees it.
struct ns_rings {
    struct list_head link;  // [ns_lock]
    uint64_t ns;            // its number
    struct list_head users; // [keys_lock] struct user_rings
};

static struct spinlock ns_lock = SPINLOCK_INIT; // taken with interrupts disabled
static struct list_head spaces = LIST_HEAD_INIT(spaces), ended = LIST_HEAD_INIT(ended); // [ns_lock]

// With the caller's reference to `ring`, which may be NULL.
static void set(struct key **place, struct key *ring) {
    struct key *old = *place;
    *place = ring;
    key_put(old);
}

// ---- users'

// Of the caller's user namespace, which therefore does not end meanwhile. NULL: there are none.
static struct ns_rings *find_space(void) {
    ASSERT_HELD(&keys_lock);
    uint64_t ns = current->cred->user_ns->ns.number;
    struct ns_rings *space, *found = NULL;
    unsigned long flags = spin_lock_irqsave(&ns_lock);
    list_for_each_entry (space, &spaces, link)
        if (space->ns == ns)
            found = space;
    spin_unlock_irqrestore(&ns_lock, flags);
    return found;
}

static struct ns_rings *get_space(void) {
    struct ns_rings *space = find_space();
    if (space || !(space = kzalloc(sizeof(*space))))
        return space;
    space->ns = current->cred->user_ns->ns.number;
    list_init(&space->users);
    unsigned long flags = spin_lock_irqsave(&ns_lock);
    list_add_tail(&space->link, &spaces);
    spin_unlock_irqrestore(&ns_lock, flags);
    return space;
}

static struct user_rings *find_rings(const struct ns_rings *space, uid_t uid) {
    ASSERT_HELD(&keys_lock);
    struct user_rings *r;
    if (!space)
        return NULL;
    list_for_each_entry (r, &space->users, link) {
        if (r->uid == uid)
            return r;
        cond_resched();
    }
    return NULL;
}

static struct key *user_ring(const char *format, const struct cred *cred) {
    char name[32];
    lib_snprintf(name, sizeof(name), format, (unsigned int)uid_shown(cred->user_ns, cred->uid));
    struct key *ring = key_alloc(&key_type_keyring, name, cred->uid, ID_NONE, USER_RING, true);
    if (!IS_ERR(ring))
        ring->of_user = true;
    return ring;
}

static void free_rings(struct user_rings *r) {
    key_put(r->session);
    key_put(r->own);
    kfree(r);
}

static bool is_there(const struct key *ring) {
    return ring && !key_is_dead(ring);
}

// Makes what is not there, or is no longer. A new session keyring has a link to the other.
static int make_rings(struct user_rings *r, const struct cred *cred) {
    struct key *ring;
    if (!is_there(r->own)) {
        if (IS_ERR(ring = user_ring("_uid.%u", cred)))
            return (int)PTR_ERR(ring);
        set(&r->own, ring);
    }
    if (is_there(r->session))
        return 0;
    if (IS_ERR(ring = user_ring("_uid_ses.%u", cred)))
        return (int)PTR_ERR(ring);
    int err = keyring_add(ring, r->own);
    if (err)
        key_put(ring);
    else
        set(&r->session, ring);
    return err;
}

// They are made at the first use, and again after they were revoked, invalidated or too old, once links to such go. ERR_PTR.
static struct user_rings *get_rings(void) {
    ASSERT_HELD(&keys_lock);
    const struct cred *cred = current->cred;
    struct ns_rings *space = get_space();
    struct user_rings *found = find_rings(space, cred->uid), *r = found;
    if (!r && !(r = space ? kzalloc(sizeof(*r)) : NULL))
        return ERR_PTR(-ENOMEM);
    int err = make_rings(r, cred);
    if (err) {
        if (!found)
            free_rings(r);
        return ERR_PTR(err);
    }
    if (!found) {
        r->uid = cred->uid;
        list_add_tail(&r->link, &space->users);
    }
    return r;
}

static void namespace_ended(const struct user_ns *u) {
    struct ns_rings *space;
    if (READ_ONCE(spaces.next) == &spaces) // nobody is in it who could change that for it
        return;
    unsigned long flags = spin_lock_irqsave(&ns_lock);
    list_for_each_entry (space, &spaces, link) {
        if (space->ns == u->ns.number) {
            list_del(&space->link);
            list_add_tail(&space->link, &ended);
            break;
        }
    }
    spin_unlock_irqrestore(&ns_lock, flags);
}

void keys_init(void) {
    user_ns_set_end_hook(namespace_ended);
}

static struct ns_rings *take_ended(void) {
    struct ns_rings *space = NULL;
    unsigned long flags = spin_lock_irqsave(&ns_lock);
    if (!list_empty(&ended)) {
        space = list_first_entry(&ended, struct ns_rings, link);
        list_del(&space->link);
    }
    spin_unlock_irqrestore(&ns_lock, flags);
    return space;
}

void key_collect_users(void) {
    ASSERT_HELD(&keys_lock);
    struct ns_rings *space;
    struct user_rings *r, *next;
    if (READ_ONCE(ended.next) == &ended)
        return;
    while ((space = take_ended())) {
        list_for_each_entry_safe (r, next, &space->users, link) {
            list_del(&r->link);
            free_rings(r);
            cond_resched();
        }
        kfree(space);
    }
}

// ---- threads', processes', sessions'

static struct key *make_ring(const char *name, uint32_t permissions, bool refusable) {
    const struct cred *cred = current->cred;
    return key_alloc(&key_type_keyring, name, cred->uid, cred->gid, permissions, refusable);
}

static int ensure(struct key **place, const char *name) {
    if (*place)
        return 0;
    struct key *ring = make_ring(name, THREAD_RING, false);
    if (IS_ERR(ring))
        return (int)PTR_ERR(ring);
    *place = ring;
    return 0;
}

// A new one without a name of its own. The first is never refused: a thread can always have it.
static int new_session(void) {
    struct key *ring = make_ring("_ses", SESSION_RING, current->session_keys);
    if (IS_ERR(ring))
        return (int)PTR_ERR(ring);
    set(&current->session_keys, ring);
    return 0;
}

// One that the caller may search, in his user namespace.
static struct key *find_by_name(const char *name) {
    ASSERT_HELD(&keys_lock);
    for (struct key *key = key_next(0); key; key = key_next(key->serial)) {
        if (key->type->keyring && key->ns == current->cred->user_ns->ns.number && !key_check_state(key) &&
            !strcmp(key->description, name) && !key_permission((struct key_ref){.key = key}, KEY_SEARCH))
            return key;
        cond_resched();
    }
    return NULL;
}

long keyring_join_session(const char *name) {
    long result = 0;
    keys_lock_take();
    key_collect();
    struct key *ring = name ? find_by_name(name) : NULL;
    if (ring && ring == current->session_keys) {
        keys_lock_give();
        return 0;
    }
    if (!name) {
        result = new_session();
    } else if (ring) {
        set(&current->session_keys, key_get(ring));
    } else {
        ring = make_ring(name, NAMED_RING, true);
        if (IS_ERR(ring))
            result = PTR_ERR(ring);
        else
            set(&current->session_keys, ring);
    }
    if (!result)
        result = current->session_keys->serial;
    keys_lock_give();
    return result;
}

void keys_inherit(struct thread *child) {
    if (likely(!current->session_keys))
        return;
    keys_lock_take();
    child->session_keys = key_get(current->session_keys);
    keys_lock_give();
}

void keys_exec(void) {
    struct thread *t = current;
    if (likely(!t->thread_keys && !READ_ONCE(*t->process_keys)))
        return;
    keys_lock_take();
    set(&t->thread_keys, NULL);
    set(t->process_keys, NULL);
    keys_lock_give();
}

void keys_exit_thread(struct thread *t) {
    if (likely(!t->thread_keys && !t->session_keys))
        return;
    keys_lock_take();
    set(&t->thread_keys, NULL);
    set(&t->session_keys, NULL);
    keys_lock_give();
}

void keys_exit_process(struct key **place) {
    if (likely(!READ_ONCE(*place)))
        return;
    keys_lock_take();
    set(place, NULL);
    keys_lock_give();
}

// ---- what a call names

#define OWN_RINGS 3

// Those that the thread finds things from; NULL: there is none.
static void get_own_rings(struct key *rings[OWN_RINGS]) {
    ASSERT_HELD(&keys_lock);
    struct user_rings *users = current->session_keys ? NULL : find_rings(find_space(), current->cred->uid);
    rings[0] = current->thread_keys;
    rings[1] = *current->process_keys;
    rings[2] = users ? users->session : current->session_keys;
}

int key_mark_own(void) {
    struct key *rings[OWN_RINGS];
    int err = 0;
    get_own_rings(rings);
    keyring_mark_begin();
    for (size_t i = 0; i < OWN_RINGS && !err; i++)
        err = rings[i] ? keyring_mark(rings[i]) : 0;
    return err;
}

int key_search_own(const struct key_match *m, struct key_ref *out) {
    struct key *rings[OWN_RINGS];
    int none = 0,
        other = -EAGAIN; // that there is none in one of them counts before what is wrong with that in another
    get_own_rings(rings);
    for (size_t i = 0; i < OWN_RINGS; i++) {
        if (!rings[i])
            continue;
        int err = keyring_find((struct key_ref){rings[i], true}, m, out);
        if (!err || err == -EINTR)
            return err;
        if (err == -EAGAIN || err == -ENOKEY)
            none = none && err == -EAGAIN ? none : err;
        else
            other = err;
    }
    return none ? none : other;
}

// A thread gets its user's session keyring if it has none; who is to put something in gets one of his own.
static int session_ring(unsigned int how, struct key **out) {
    struct key *session = current->session_keys;
    if (!session || (session->of_user && how & FIND_CREATE)) {
        struct user_rings *users = get_rings();
        if (IS_ERR(users))
            return (int)PTR_ERR(users);
        int err = how & FIND_CREATE ? new_session() : 0;
        if (err)
            return err;
        if (!(how & FIND_CREATE))
            set(&current->session_keys, key_get(users->session));
    }
    *out = current->session_keys;
    return 0;
}

static int user_rings(bool session, struct key **out) {
    struct user_rings *users = get_rings();
    if (IS_ERR(users))
        return (int)PTR_ERR(users);
    *out = session ? users->session : users->own;
    return 0;
}

static int own_ring(struct key **place, const char *name, unsigned int how, struct key **out) {
    int err = how & FIND_CREATE ? ensure(place, name) : 0;
    *out = *place;
    return err ? err : *out ? 0 : -ENOKEY;
}

static int special(int32_t id, unsigned int how, struct key **out) {
    switch (id) {
    case KEY_SPEC_THREAD_KEYRING:
        return own_ring(&current->thread_keys, "_tid", how, out);
    case KEY_SPEC_PROCESS_KEYRING:
        return own_ring(current->process_keys, "_pid", how, out);
    case KEY_SPEC_SESSION_KEYRING:
        return session_ring(how, out);
    case KEY_SPEC_USER_KEYRING:
        return user_rings(false, out);
    case KEY_SPEC_USER_SESSION_KEYRING:
        return user_rings(true, out);
    case KEY_SPEC_REQKEY_AUTH_KEY:
    case KEY_SPEC_REQUESTOR_KEYRING:
        return -ENOKEY; // nobody is asked to make a key
    }
    return -EINVAL; // the group's, too
}

int key_find_named(int32_t id, unsigned int how, uint32_t need, struct key_ref *out) {
    ASSERT_HELD(&keys_lock);
    struct key_ref found;
    int err;
    if (id < 1) {
        err = special(id, how, &out->key);
        out->possessed = true;
        if (err)
            return err;
    } else {
        out->key = key_find(id);
        if (!out->key)
            return -ENOKEY;
        err = key_search_own(&(struct key_match){.key = out->key}, &found);
        if (err == -EINTR)
            return err;
        out->possessed = !err;
    }
    err = how & FIND_PARTIAL ? 0 : key_check_state(out->key);
    return err || how & FIND_ANY ? err : key_permission(*out, need);
}
