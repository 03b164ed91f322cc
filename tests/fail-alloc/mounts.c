// SPDX-License-Identifier: MIT
// Operations of walk.c: mounts that are made step by step, and those that are shared.
#define _GNU_SOURCE
#include "walk.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECURSIVE 0x8000 // AT_RECURSIVE

enum { BIND = 4096, REC = 16384, SLAVE = 1 << 19, SHARED = 1 << 20 };

int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);

static int lay(int tree) {
    return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, "steps", MOVE_MOUNT_F_EMPTY_PATH);
}

int do_mount_steps(void) {
    if (mkdir("steps", 0700) && errno != EEXIST)
        return errno;
    int s = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (s < 0 || syscall(SYS_fsconfig, s, FSCONFIG_SET_STRING, "source", "mine", 0) ||
        syscall(SYS_fsconfig, s, FSCONFIG_SET_STRING, "size", "1m", 0) ||
        syscall(SYS_fsconfig, s, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
        return errno;
    int m = (int)syscall(SYS_fsmount, s, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
    if (m < 0 || lay(m))
        return errno;
    int err = 0, t = (int)syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE | RECURSIVE);
    if (t < 0 || lay(t))
        err = errno;
    while (!umount2("steps", 2)) // MNT_DETACH
        ;
    return err;
}

static int share(void) {
    return mount("t", "shared", "tmpfs", 0, NULL) || mkdir("shared/a", 0700) ||
                   mount(NULL, "shared", NULL, SHARED, NULL) || mount("shared", "peer", NULL, BIND, NULL) ||
                   mount("shared", "slave", NULL, BIND, NULL) || mount(NULL, "slave", NULL, SLAVE, NULL) ||
                   mount(NULL, "slave", NULL, SHARED, NULL) || mount("t", "shared/a", "tmpfs", 0, NULL) ||
                   mount("slave", "peer/a", NULL, BIND | REC, NULL)
               ? errno
               : 0;
}

int do_mount_shared(void) {
    static const char *const places[] = {"shared", "peer", "slave"};
    for (int i = 0; i < 3; i++)
        if (mkdir(places[i], 0700) && errno != EEXIST)
            return errno;
    int err = share();
    for (int i = 0; i < 3; i++)
        while (!umount2(places[i], 2)) // MNT_DETACH
            ;
    return err;
}
