// SPDX-License-Identifier: MIT
// Directories of the host.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "tools/guest/guest.h"

static int make_directories(char *path) {
    for (char *at = path + 1;; at++) {
        char was = *at;
        if (was && was != '/')
            continue;
        *at = '\0';
        int err = mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
        *at = was;
        if (err || !was)
            return err;
    }
}

// volume TAG DIRECTORY "ro" or ""
int volume_mount(char *const *arguments) {
    int err = make_directories(arguments[1]);
    if (err)
        return err;
    return mount(arguments[0], arguments[1], "9p", MS_NODEV | (*arguments[2] ? MS_RDONLY : 0),
                 "trans=virtio,version=9p2000.L,access=client") < 0
               ? errno
               : 0;
}
