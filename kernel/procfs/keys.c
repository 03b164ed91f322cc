// SPDX-License-Identifier: MIT
// /proc/keys and /proc/key-users, in the formats of proc_keys(5).
#include "core/user_ns.h"
#include "keys/key.h"
#include "lib/format.h"
#include "procfs/private.h"
#include "sched/thread.h"

// When it expires, in the largest unit that fits.
static const char *time_left(const struct key_info *k, char buf[24]) {
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{7 * 24 * 3600, 'w'}, {24 * 3600, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    if (k->left <= 0)
        return k->left ? "perm" : "expd";
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (k->left < units[i].seconds)
            continue;
        lib_snprintf(buf, 24, "%lu%c", (unsigned long)(k->left / units[i].seconds), units[i].unit);
        break;
    }
    return buf;
}

static void key_line(const struct key_info *k, void *arg) {
    const struct user_ns *u = current->cred->user_ns;
    struct seq_buf *s = arg;
    char left[24];
    seq_printf(s, "%08x I%c-Q--%c %5d %4s %08x %5d %5d %-9.9s %s", (unsigned int)k->serial,
               k->revoked ? 'R' : '-', k->invalidated ? 'i' : '-', k->references, time_left(k, left),
               k->permissions, (int)uid_shown(u, k->uid),
               k->gid == ID_NONE ? (int)ID_OVERFLOW : (int)gid_shown(u, k->gid), k->type, k->description);
    if (k->is_keyring && !k->size)
        seq_puts(s, ": empty\n");
    else
        seq_printf(s, ": %lu\n", (unsigned long)k->size);
}

static int show_keys(struct seq_buf *s, void *arg) {
    (void)arg;
    return keys_for_each(key_line, s);
}

static void user_line(const struct key_user_info *u, void *arg) {
    unsigned long keys = READ_ONCE(key_limits.keys), bytes = READ_ONCE(key_limits.bytes);
    if (!u->uid) {
        keys = READ_ONCE(key_limits.root_keys);
        bytes = READ_ONCE(key_limits.root_bytes);
    }
    seq_printf(arg, "%5u: %5lu %lu/%lu %lu/%lu %lu/%lu\n", uid_shown(current->cred->user_ns, u->uid), u->keys,
               u->keys, u->keys, u->keys, keys, u->bytes, bytes);
}

static int show_users(struct seq_buf *s, void *arg) {
    (void)arg;
    return key_users_for_each(user_line, s);
}

static const struct proc_entry entries[] = {
    {.path = "keys", .show = show_keys},
    {.path = "key-users", .show = show_users},
};

void proc_keys_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
