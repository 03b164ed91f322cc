// SPDX-License-Identifier: MIT
// Objects of System V IPC by key and number.
#include "ipc/object.h"
#include "core/cred.h"
#include "core/user_ns.h"
#include "ipc/ipc_ns.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define FEW 64u // so many indices at least are gone through before one is given out again

static int compare_keys(const struct ipc_object *a, const struct ipc_object *b) {
    return a->key < b->key ? -1 : a->key > b->key;
}
RB_GENERATE_STATIC(ipc_keys, ipc_object, by_key, compare_keys)

int64_t ipc_now(void) {
    return clock_realtime() / NSEC_PER_SEC;
}

void ipc_object_init(struct ipc_object *o, int key, int flags) {
    const struct cred *cred = current->cred;
    *o = (struct ipc_object){.key = key,
                             .uid = cred->euid,
                             .cuid = cred->euid,
                             .gid = cred->egid,
                             .cgid = cred->egid,
                             .mode = (mode_t)flags & 0777,
                             .ctime = ipc_now(),
                             .ns = ipc_ns_hold(ipc_current())};
    ref_init(&o->refs);
}

// ---- who may

int ipc_check_locked(struct ipc_table *t, const struct ipc_object *o, unsigned int wanted) {
    ASSERT_HELD(&t->lock);
    const struct cred *cred = current->cred;
    unsigned int granted = o->mode;
    wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    if (cred->euid == o->cuid || cred->euid == o->uid)
        granted >>= 6;
    else if (cred_in_group(cred, o->cgid) || cred_in_group(cred, o->gid))
        granted >>= 3;
    return wanted & ~granted && !capable_in(o->ns->ns.owner, CAP_IPC_OWNER) ? -EACCES : 0;
}

bool ipc_is_owner_locked(struct ipc_table *t, const struct ipc_object *o) {
    ASSERT_HELD(&t->lock);
    uid_t euid = current->cred->euid;
    return euid == o->cuid || euid == o->uid;
}

int ipc_check_control_locked(struct ipc_table *t, const struct ipc_object *o) {
    ASSERT_HELD(&t->lock);
    return ipc_is_owner_locked(t, o) || capable_in(o->ns->ns.owner, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

// ---- the table

struct ipc_object *ipc_at_locked(struct ipc_table *t, unsigned int index) {
    ASSERT_HELD(&t->lock);
    struct ipc_object **chunk = index < t->end ? t->chunks[index / IPC_CHUNK] : NULL;
    return chunk ? chunk[index % IPC_CHUNK] : NULL;
}

struct ipc_object *ipc_find_locked(struct ipc_table *t, int id) {
    ASSERT_HELD(&t->lock);
    struct ipc_object *o = id < 0 ? NULL : ipc_at_locked(t, (unsigned int)id % IPC_MOST);
    return o && o->id == id ? o : NULL;
}

struct ipc_object *ipc_find_key_locked(struct ipc_table *t, int key) {
    ASSERT_HELD(&t->lock);
    struct ipc_object wanted = {.key = key};
    return key == IPC_PRIVATE ? NULL : RB_FIND(ipc_keys, &t->keys, &wanted);
}

// The next free index after the one that was given out last, below `limit`, of which at least one is free.
static unsigned int next_index_locked(struct ipc_table *t, unsigned int limit) {
    ASSERT_HELD(&t->lock);
    unsigned int i = t->last;
    do {
        i = i + 1 < limit ? i + 1 : 0;
    } while (ipc_at_locked(t, i));
    return i;
}

int ipc_list_locked(struct ipc_table *t, struct ipc_object *o, unsigned long most) {
    ASSERT_HELD(&t->lock);
    if (t->used >= most || t->used >= IPC_MOST)
        return -ENOSPC;
    unsigned int limit = MIN(MAX(t->used * 3 / 2, FEW), IPC_MOST), i;
    if (limit > most)
        limit = MAX((unsigned int)most, t->used + 1);
    i = !t->used && !t->round && !t->end ? 0 : next_index_locked(t, limit);
    struct ipc_object ***chunk = &t->chunks[i / IPC_CHUNK];
    if (!*chunk && !(*chunk = kzalloc(IPC_CHUNK * sizeof(**chunk))))
        return -ENOMEM;
    if (t->end && i <= t->last)
        t->round++;
    t->last = i;
    (*chunk)[i % IPC_CHUNK] = o;
    t->in_chunk[i / IPC_CHUNK]++;
    t->end = MAX(t->end, i + 1);
    t->used++;
    o->id = (int)(t->round << IPC_INDEX_BITS | i) & INT32_MAX;
    o->listed = true;
    if (o->key != IPC_PRIVATE)
        RB_INSERT(ipc_keys, &t->keys, o);
    return o->id;
}

void ipc_forget_key_locked(struct ipc_table *t, struct ipc_object *o) {
    ASSERT_HELD(&t->lock);
    if (o->key != IPC_PRIVATE && o->listed)
        RB_REMOVE(ipc_keys, &t->keys, o);
    o->key = IPC_PRIVATE;
}

void ipc_unlist_locked(struct ipc_table *t, struct ipc_object *o) {
    ASSERT_HELD(&t->lock);
    unsigned int i = (unsigned int)o->id % IPC_MOST;
    ipc_forget_key_locked(t, o);
    o->listed = false;
    struct ipc_object ***chunk = &t->chunks[i / IPC_CHUNK];
    (*chunk)[i % IPC_CHUNK] = NULL;
    t->used--;
    if (!--t->in_chunk[i / IPC_CHUNK] && i >= IPC_CHUNK) { // the first few are used again and again
        kfree(*chunk);
        *chunk = NULL;
    }
}

int ipc_highest_locked(struct ipc_table *t) {
    ASSERT_HELD(&t->lock);
    unsigned int i = t->end;
    while (i && !ipc_at_locked(t, i - 1))
        i--;
    return i ? (int)i - 1 : 0;
}

// ---- telling and setting

void ipc_describe_locked(struct ipc_table *t, const struct ipc_object *o, struct ipc64_perm *out) {
    ASSERT_HELD(&t->lock);
    memset(out, 0, sizeof(*out));
    out->key = o->key;
    const struct user_ns *u = current->cred->user_ns;
    out->uid = uid_shown(u, o->uid);
    out->gid = gid_shown(u, o->gid);
    out->cuid = uid_shown(u, o->cuid);
    out->cgid = gid_shown(u, o->cgid);
    out->mode = o->mode;
    out->seq = (unsigned short)((unsigned int)o->id >> IPC_INDEX_BITS);
}

int ipc_set_locked(struct ipc_table *t, struct ipc_object *o, const struct ipc64_perm *to) {
    ASSERT_HELD(&t->lock);
    const struct user_ns *u = current->cred->user_ns;
    uid_t uid = uid_from_user(u, to->uid);
    gid_t gid = gid_from_user(u, to->gid);
    if (uid == ID_NONE || gid == ID_NONE)
        return -EINVAL;
    o->uid = uid;
    o->gid = gid;
    o->mode = (o->mode & ~0777u) | (to->mode & 0777);
    o->ctime = ipc_now();
    return 0;
}

// ---- with references

static struct ipc_table *table_of(const struct ipc_kind *kind, struct ipc_ns *ns) {
    return &ns->tables[kind->which];
}

void ipc_put(const struct ipc_kind *kind, struct ipc_object *o) {
    if (ref_put(&o->refs))
        kind->free(o);
}

static int existing_locked(const struct ipc_kind *kind, const struct ipc_object *o, int flags, size_t size) {
    ASSERT_HELD(&table_of(kind, o->ns)->lock);
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    int err = kind->check(o, size);
    if (!err)
        err = ipc_check_locked(table_of(kind, o->ns), o, (unsigned int)flags & 0777);
    return err ? err : o->id;
}

// There are two rounds: the first finds that one has to be made, which is not done with the lock held.
int ipc_open(const struct ipc_kind *kind, int key, int flags, size_t size) {
    struct ipc_object *made = NULL, *o;
    struct ipc_ns *ns = ipc_current();
    struct ipc_table *t = table_of(kind, ns);
    const unsigned long *most = (const void *)((const char *)ns + kind->most);
    int id = -ENOENT;
    for (;;) {
        spin_lock(&t->lock);
        o = ipc_find_key_locked(t, key);
        if (o)
            id = existing_locked(kind, o, flags, size);
        else if (made)
            id = ipc_list_locked(t, made, READ_ONCE(*most));
        spin_unlock(&t->lock);
        if (o || made || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            break;
        made = kind->make(key, flags, size);
        if (IS_ERR(made))
            return (int)PTR_ERR(made);
    }
    if (made && (o || id < 0))
        ipc_put(kind, made);
    return id;
}

struct ipc_object *ipc_get(const struct ipc_kind *kind, int id, unsigned int wanted) {
    struct ipc_table *t = table_of(kind, ipc_current());
    spin_lock(&t->lock);
    struct ipc_object *o = ipc_find_locked(t, id);
    int err = !o ? -EINVAL : wanted ? ipc_check_locked(t, o, wanted) : 0;
    if (!err)
        ref_get(&o->refs);
    spin_unlock(&t->lock);
    return err ? ERR_PTR(err) : o;
}

struct ipc_object *ipc_get_for_stat(const struct ipc_kind *kind, int id, bool by_index, bool any,
                                    struct ipc64_perm *out, int64_t *ctime) {
    struct ipc_table *t = table_of(kind, ipc_current());
    spin_lock(&t->lock);
    struct ipc_object *o = !by_index ? ipc_find_locked(t, id)
                           : id >= 0 ? ipc_at_locked(t, (unsigned int)id)
                                     : NULL;
    int err = !o ? -EINVAL : any ? 0 : ipc_check_locked(t, o, IPC_READ);
    if (!err) {
        ref_get(&o->refs);
        ipc_describe_locked(t, o, out);
        *ctime = o->ctime;
    }
    spin_unlock(&t->lock);
    return err ? ERR_PTR(err) : o;
}

int ipc_may(const struct ipc_kind *kind, const struct ipc_object *o, unsigned int wanted) {
    struct ipc_table *t = table_of(kind, o->ns);
    spin_lock(&t->lock);
    int err = ipc_check_locked(t, o, wanted);
    spin_unlock(&t->lock);
    return err;
}

struct ipc_object *ipc_take_out(const struct ipc_kind *kind, int id) {
    struct ipc_table *t = table_of(kind, ipc_current());
    spin_lock(&t->lock);
    struct ipc_object *o = ipc_find_locked(t, id);
    int err = o ? ipc_check_control_locked(t, o) : -EINVAL;
    if (!err)
        ipc_unlist_locked(t, o);
    spin_unlock(&t->lock);
    return err ? ERR_PTR(err) : o;
}

struct ipc_object *ipc_take_out_any(const struct ipc_kind *kind, struct ipc_ns *ns) {
    struct ipc_table *t = table_of(kind, ns);
    spin_lock(&t->lock);
    struct ipc_object *o = t->used ? ipc_at_locked(t, (unsigned int)ipc_highest_locked(t)) : NULL;
    if (o)
        ipc_unlist_locked(t, o);
    spin_unlock(&t->lock);
    return o;
}

void ipc_free_table(struct ipc_table *t) {
    for (unsigned int i = 0; i < IPC_MOST / IPC_CHUNK; i++)
        kfree(t->chunks[i]);
}
