// SPDX-License-Identifier: MIT
// What walk.c does again and again. Each operation is a process of its own, and all that it makes is gone with it.
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct operation {
    const char *name;
    int (*run)(void); // 0 or the error
    bool may_die;     // behind execve's point of no return
};

static inline int error_of(long ret) {
    return ret < 0 ? errno : 0;
}

// ipc.c
int do_watches(void);
int do_splice(void);
int do_sysv(void);
int do_attributes(void);
int do_acl(void);
int do_mqueue(void);
int do_filters(void);

// mounts.c
int do_mount_steps(void);
int do_mount_shared(void);

// others.c
int do_others(void);
int do_trace(void);
int do_accounting(void);
int do_keys(void);
int do_lease(void);
int do_remap(void);
int do_seal(void);
int do_namespaces(void);
int do_enter(void);
int do_pid_namespace(void);

// devices.c: in a machine that has them. False, with a word about it: they are not there.
extern const struct operation device_operations[];
extern const size_t device_operation_count;
bool devices_set_up(void);
