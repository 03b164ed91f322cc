// SPDX-License-Identifier: MIT
// A name that is the same after the later archive as before it stands for the same inode, and nobody has given that other
// content. The inodes are held, so none of them comes again under another's address.
#include "initrd/inits.h"
#include "fs/dentry.h"
#include "fs/path.h"
#include "lib/types.h"
#include <linux/fcntl.h>

// Those of Linux's names that tell a root from a few programs: /bin/sh is not one.
static const char *const names[] = {"/init", "/sbin/init", "/etc/init", "/bin/init"};
static struct path found[ARRAY_SIZE(names)]; // dentry NULL: nothing

void inits_look(void) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (path_lookup(AT_FDCWD, names[i], 0, &found[i]))
            found[i] = (struct path){0};
}

void inits_rewritten(const struct inode *inode) {
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (found[i].dentry && found[i].dentry->inode == inode) {
            path_put(&found[i]);
            found[i] = (struct path){0};
        }
    }
}

static bool is_as_before(size_t i) {
    struct path now;
    if (path_lookup(AT_FDCWD, names[i], 0, &now))
        return !found[i].dentry;
    bool same = found[i].dentry && found[i].dentry->inode == now.dentry->inode;
    path_put(&now);
    return same;
}

const char *inits_of_later_archive(void) {
    const char *theirs = NULL;
    if (found[0].dentry && is_as_before(0))
        for (size_t i = 1; i < ARRAY_SIZE(names) && !theirs; i++)
            theirs = is_as_before(i) ? NULL : names[i];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (found[i].dentry)
            path_put(&found[i]);
        found[i] = (struct path){0};
    }
    return theirs;
}
