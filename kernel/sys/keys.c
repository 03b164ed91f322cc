// SPDX-License-Identifier: MIT
// add_key(2), request_key(2), keyctl(2): what programs pass is copied in and checked in Linux's order, then keys/ does it.
#include "arch/riscv/uaccess.h"
#include "core/user_ns.h"
#include "keys/key.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "sched/thread.h"
#include "sys/syscalls.h"
#include <linux/capability.h>
#include <linux/keyctl.h>

// A string of at most `room` bytes with its end. ERR_PTR(-EFAULT, -EINVAL: too long, -ENOMEM).
static char *copy_string(const char __user *user, size_t room) {
    char *text = kmalloc(room);
    if (!text)
        return ERR_PTR(-ENOMEM);
    ssize_t n = strncpy_from_user(text, user, room);
    if (n >= 0)
        return text;
    kfree(text);
    return ERR_PTR(n == -ENAMETOOLONG ? -EINVAL : n);
}

// The name of a type. 0, -EFAULT, -EINVAL; -EPERM: one of the kernel's own.
static int read_type(char type[KEY_TYPE_MAX], const char __user *user) {
    ssize_t n = strncpy_from_user(type, user, KEY_TYPE_MAX);
    if (n <= 0)
        return n == -ENAMETOOLONG || !n ? -EINVAL : (int)n;
    return type[0] == '.' ? -EPERM : 0;
}

// A payload; NULL for none. ERR_PTR.
static void *copy_payload(const void __user *user, size_t n) {
    if (n > KEY_PAYLOAD_MAX)
        return ERR_PTR(-EINVAL);
    if (!n)
        return NULL;
    void *copy = kmalloc(n);
    if (!copy)
        return ERR_PTR(-ENOMEM);
    if (!copy_from_user(copy, user, n))
        return copy;
    kfree(copy);
    return ERR_PTR(-EFAULT);
}

static void free_payload(void *copy, size_t n) {
    if (copy)
        memset(copy, 0, n);
    __asm__ volatile("" ::: "memory");
    kfree(copy);
}

// What add_key(2) and its kin are told of: NULL for none. ERR_PTR.
static char *copy_description(const char __user *user, const char *type) {
    char *text = user ? copy_string(user, KEY_DESCRIPTION_MAX) : NULL;
    if (!text || IS_ERR(text) || (*text && (*text != '.' || strcmp(type, "keyring"))))
        return text;
    int err = *text ? -EPERM : 0;
    kfree(text);
    return err ? ERR_PTR(err) : NULL;
}

// What a search is for: the type's name, and the description, which is the result. ERR_PTR.
static char *copy_names(char type[KEY_TYPE_MAX], const char __user *user_type,
                        const char __user *description) {
    int err = read_type(type, user_type);
    return err ? ERR_PTR(err) : copy_string(description, KEY_DESCRIPTION_MAX);
}

long sys_add_key(const char __user *type, const char __user *description, const void __user *payload,
                 size_t n, int ring) {
    char name[KEY_TYPE_MAX];
    if (n > KEY_PAYLOAD_MAX)
        return -EINVAL;
    int err = read_type(name, type);
    if (err)
        return err;
    char *text = copy_description(description, name);
    if (IS_ERR(text))
        return PTR_ERR(text);
    void *data = copy_payload(payload, n);
    long result = IS_ERR(data) ? PTR_ERR(data) : key_add(name, text, data, n, ring);
    if (!IS_ERR(data))
        free_payload(data, n);
    kfree(text);
    return result;
}

// `info` would go to a program that makes keys; there is none.
long sys_request_key(const char __user *type, const char __user *description, const char __user *info,
                     int ring) {
    char name[KEY_TYPE_MAX], *text = copy_names(name, type, description);
    if (IS_ERR(text))
        return PTR_ERR(text);
    char *callout = info ? copy_string(info, PAGE_SIZE) : NULL;
    long result = IS_ERR(callout) ? PTR_ERR(callout) : key_request(name, text, ring);
    if (!IS_ERR(callout))
        kfree(callout);
    kfree(text);
    return result;
}

// ---- keyctl

static long join_session(const char __user *user) {
    char *name = user ? copy_string(user, KEY_DESCRIPTION_MAX) : NULL;
    if (IS_ERR(name))
        return PTR_ERR(name);
    long result = name && *name == '.' ? -EPERM : keyring_join_session(name);
    kfree(name);
    return result;
}

static long update(int id, const void __user *payload, size_t n) {
    if (n > PAGE_SIZE)
        return -EINVAL;
    void *data = copy_payload(payload, n);
    if (IS_ERR(data))
        return PTR_ERR(data);
    long err = key_update(id, data, n);
    free_payload(data, n);
    return err;
}

static long change_owner(int id, uid_t uid, gid_t gid) {
    const struct user_ns *u = current->cred->user_ns;
    uid_t new_uid = uid == ID_NONE ? ID_NONE : uid_from_user(u, uid);
    gid_t new_gid = gid == ID_NONE ? ID_NONE : gid_from_user(u, gid);
    if ((uid != ID_NONE && new_uid == ID_NONE) || (gid != ID_NONE && new_gid == ID_NONE))
        return -EINVAL;
    return key_chown(id, new_uid, new_gid);
}

static long describe(int id, char __user *buf, size_t room) {
    char *text;
    long n = key_describe(id, &text);
    if (n > 0 && buf && room >= (size_t)n && copy_to_user(buf, text, (size_t)n))
        n = -EFAULT;
    kfree(text);
    return n;
}

// All of it or, where there is no room, nothing.
static long read_payload(int id, void __user *buf, size_t room) {
    void *data;
    long n = key_read(id, &data);
    size_t size = n > 0 ? (size_t)n : 0;
    if (size && buf && room >= size && copy_to_user(buf, data, size))
        n = -EFAULT;
    free_payload(data, size);
    return n;
}

static long search(int ring, const char __user *type, const char __user *description, int to) {
    char name[KEY_TYPE_MAX], *text = copy_names(name, type, description);
    if (IS_ERR(text))
        return PTR_ERR(text);
    long result = keyring_search(ring, name, text, to);
    kfree(text);
    return result;
}

// No module labels keys: an empty string.
static long security(int id, char __user *buf, size_t room) {
    char *text;
    long n = key_describe(id, &text); // asks for the same permission
    kfree(text);
    if (n < 0)
        return n;
    return buf && room && put_user('\0', buf) ? -EFAULT : 1;
}

// Of the first byte: KEYCTL_INVALIDATE is there; of the second: KEYCTL_MOVE.
static long capabilities(unsigned char __user *buf, size_t room) {
    static const unsigned char known[] = {
        KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_INVALIDATE | KEYCTL_CAPS0_MOVE, 0};
    if (room && copy_to_user(buf, known, MIN(room, sizeof(known))))
        return -EFAULT;
    if (room > sizeof(known) && clear_user(buf + sizeof(known), room - sizeof(known)))
        return -EFAULT;
    return sizeof(known);
}

long sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    switch (op) {
    case KEYCTL_GET_KEYRING_ID:
        return keyring_get_id((int)a, (int)b);
    case KEYCTL_JOIN_SESSION_KEYRING:
        return join_session((const char __user *)a);
    case KEYCTL_UPDATE:
        return update((int)a, (const void __user *)b, c);
    case KEYCTL_REVOKE:
        return key_revoke((int)a);
    case KEYCTL_CHOWN:
        return change_owner((int)a, (uid_t)b, (gid_t)c);
    case KEYCTL_SETPERM:
        return key_set_permissions((int)a, (uint32_t)b);
    case KEYCTL_DESCRIBE:
        return describe((int)a, (char __user *)b, c);
    case KEYCTL_CLEAR:
        return keyring_clear((int)a);
    case KEYCTL_LINK:
        return keyring_link((int)a, (int)b);
    case KEYCTL_UNLINK:
        return keyring_unlink((int)a, (int)b);
    case KEYCTL_SEARCH:
        return search((int)a, (const char __user *)b, (const char __user *)c, (int)d);
    case KEYCTL_READ:
        return read_payload((int)a, (void __user *)b, c);
    case KEYCTL_SET_TIMEOUT:
        return key_set_timeout((int)a, (unsigned int)b);
    case KEYCTL_INVALIDATE:
        return key_invalidate((int)a);
    case KEYCTL_GET_SECURITY:
        return security((int)a, (char __user *)b, c);
    case KEYCTL_MOVE:
        if (d & ~(unsigned long)KEYCTL_MOVE_EXCL)
            return -EINVAL;
        return keyring_move((int)a, (int)b, (int)c, d & KEYCTL_MOVE_EXCL);
    case KEYCTL_CAPABILITIES:
        return capabilities((unsigned char __user *)a, b);
    case KEYCTL_INSTANTIATE:
    case KEYCTL_NEGATE:
    case KEYCTL_REJECT:
    case KEYCTL_INSTANTIATE_IOV:
        return -EPERM; // the caller was not asked to make a key: nobody is
    case KEYCTL_ASSUME_AUTHORITY:
        return (int)a < 0 ? -EINVAL : a ? -ENOKEY : 0;
    }
    return -EOPNOTSUPP;
}
