// SPDX-License-Identifier: MIT
#include "closure/xattrs.h"
#include <inttypes.h>
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
    return strlen(name) <= METADATA_XATTR_NAME && size <= METADATA_XATTR_VALUE &&
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
    static char names[METADATA_XATTR_NAMES], value[METADATA_XATTR_VALUE];
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

// ---- in order

struct ranked {
    const struct xattr *x;
    size_t rank; // in the list
};

static int compare_ranked(const void *pa, const void *pb) {
    const struct ranked *a = pa, *b = pb;
    int order = strcmp(a->x->name, b->x->name);
    return order ? order : (a->rank > b->rank) - (a->rank < b->rank);
}

const struct xattr *xattrs_sorted(const struct xattr *list) {
    size_t count = 0;
    for (const struct xattr *x = list; x; x = x->next)
        count++;
    if (!count)
        return NULL;
    struct ranked *all = xcalloc(count, sizeof(*all));
    struct xattr *out = xcalloc(count, sizeof(*out));
    size_t i = 0, kept = 0;
    for (const struct xattr *x = list; x; x = x->next, i++)
        all[i] = (struct ranked){x, i};
    qsort(all, count, sizeof(*all), compare_ranked);
    for (i = 0; i < count; i++) {
        if (kept && strcmp(out[kept - 1].name, all[i].x->name) == 0)
            continue;
        out[kept] = *all[i].x;
        out[kept].next = NULL;
        if (kept)
            out[kept - 1].next = &out[kept];
        kept++;
    }
    free(all);
    return out;
}

void xattrs_tell_left_out(const char *name, uint64_t files) {
    if (files)
        note("%s: %" PRIu64 " files have ACLs, labels or other attributes that no file of a machine has; "
             "these are left out",
             name, files);
}
