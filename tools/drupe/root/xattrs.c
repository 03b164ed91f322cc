// SPDX-License-Identifier: MIT
#include "root/xattrs.h"
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include "common/util.h"

static bool has_prefix(const char *name, const char *prefix) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && name[length];
}

bool xattrs_are_kept(const char *name, size_t size) {
    static const char *const labels[] = {"security.selinux", "security.apparmor", "security.ima",
                                         "security.evm"};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        if (strcmp(name, labels[i]) == 0)
            return false;
    return strlen(name) <= CPIO_XATTR_NAME && size <= CPIO_XATTR_VALUE &&
           (has_prefix(name, "user.") || has_prefix(name, "trusted.") || has_prefix(name, "security."));
}

void xattrs_add(const struct xattr **list, const char *name, const void *value, size_t size) {
    struct xattr *x = xcalloc(1, sizeof(*x));
    void *copy = xrealloc(NULL, size + 1);
    if (size)
        memcpy(copy, value, size);
    *x = (struct xattr){*list, xstrdup(name), copy, size};
    *list = x;
}

const struct xattr *xattrs_of_host(const char *path, bool *left_out) {
    static char names[CPIO_XATTR_NAMES], value[CPIO_XATTR_VALUE];
    const struct xattr *list = NULL;
    ssize_t count = llistxattr(path, names, sizeof(names));
    *left_out = false;
    for (ssize_t at = 0; at < count; at += (ssize_t)strlen(names + at) + 1) {
        ssize_t n = lgetxattr(path, names + at, value, sizeof(value));
        if (n >= 0 && xattrs_are_kept(names + at, (size_t)n))
            xattrs_add(&list, names + at, value, (size_t)n);
        else
            *left_out = true;
    }
    return list;
}
