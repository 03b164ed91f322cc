// SPDX-License-Identifier: MIT
// Keys and keyrings (keyrings(7)): short secrets that programs leave with the kernel, and what they find them by.
//
// A *key* has a type, a description, a payload, an owner and a mask of permissions; its *serial* names it. A *keyring* is a key whose
// payload are links to keys, also to keyrings: they make a graph without circles. A key lives as long as something links to it. Each thread
// may have a keyring of its own and a *session* keyring, which its children inherit; each process one; each user two, for as long as his
// user namespace is there. What is found from the first three (and from the user's session keyring where there is no other) by keyrings
// that may be searched the thread *possesses*: it has the possessor's permissions besides those of owner, group or others.
//
// A key belongs on the account of the user that made it (/proc/key-users). It can be revoked, invalidated, and expire; links to such go
// when somebody next comes by, at once or after `keys_gc_delay`.
//
// Errors are those of keyctl(2).
#pragma once
#include "core/types.h"

struct key;
struct thread;

#define KEY_DESCRIPTION_MAX 4096 // with the NUL
#define KEY_TYPE_MAX        32
#define KEY_PAYLOAD_MAX     (1024ul * 1024 - 1)

// /proc/sys/kernel/keys. [a]
struct key_limits {
    unsigned long keys, bytes;           // of a user
    unsigned long root_keys, root_bytes; // of root
    unsigned long gc_delay;              // seconds
};
extern struct key_limits key_limits;

// The calls. Strings and payloads are the kernel's own copies. Serials and sizes, or errors.
long key_add(const char *type, const char *description, const void *payload, size_t n, int32_t ring);
long key_request(const char *type, const char *description,
                 int32_t ring); // ring 0: the key is linked nowhere
long keyring_get_id(int32_t id, bool create);
long keyring_join_session(const char *name); // NULL: a new one
long key_update(int32_t id, const void *payload, size_t n);
long key_revoke(int32_t id);
long key_invalidate(int32_t id);
long key_chown(int32_t id, uid_t uid, gid_t gid); // -1: stays
long key_set_permissions(int32_t id, uint32_t permissions);
long key_set_timeout(int32_t id, unsigned int seconds);
// Type, owner, permissions and description, or what is in it. *out is kmalloc'ed, NULL if there is an error.
long key_describe(int32_t id, char **out);
long key_read(int32_t id, void **out);
long keyring_clear(int32_t id);
long keyring_link(int32_t id, int32_t ring);
long keyring_unlink(int32_t id, int32_t ring);
long keyring_move(int32_t id, int32_t from, int32_t to, bool only_if_new);
long keyring_search(int32_t ring, const char *type, const char *description, int32_t to);

// A thread is made, becomes another program, ends; so does the process that it is the last of.
void keys_inherit(struct thread *child);
void keys_exec(void);
void keys_exit_thread(struct thread *t);
void keys_exit_process(struct key **ring); // the process's

// Boot.
void keys_init(void);

// For /proc: calls fn with what the caller may see of each key that there is at one moment. 0, -ENOMEM, -EINTR.
struct key_info {
    int32_t serial;
    const char *type, *description;
    bool revoked, invalidated;
    int references;
    int64_t left; // seconds until it expires; 0: it has; -1: it does not
    uint32_t permissions;
    uid_t uid;
    gid_t gid;
    bool is_keyring;
    size_t size; // bytes; of a keyring links
};
int keys_for_each(void (*fn)(const struct key_info *k, void *arg), void *arg);
struct key_user_info {
    uid_t uid;
    unsigned long keys, bytes;
};
int key_users_for_each(void (*fn)(const struct key_user_info *u, void *arg), void *arg);
