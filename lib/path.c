// SPDX-License-Identifier: MIT
#include "lib/path.h"
#include "lib/errno.h"

bool pathname_next(const char **path, size_t *length, const char **part, size_t *part_length) {
    const char *p = *path, *end = p + *length;
    while (p < end && *p == '/')
        p++;
    *part = p;
    while (p < end && *p != '/')
        p++;
    *part_length = (size_t)(p - *part);
    *path = p;
    *length = (size_t)(end - p);
    return *part_length > 0;
}

// Appends the parts of `name` to the normal name of *used bytes in `out`.
static int append(const char *name, char *out, size_t size, size_t *used) {
    size_t length = __builtin_strlen(name), part_length;
    const char *part;
    while (pathname_next(&name, &length, &part, &part_length)) {
        if (pathname_is_dot(part, part_length))
            continue;
        if (pathname_is_dot_dot(part, part_length)) {
            if (!*used)
                return -EXDEV;
            while (*used && out[*used - 1] != '/')
                --*used;
            if (*used)
                --*used;
            continue;
        }
        size_t slash = *used ? 1 : 0;
        if (part_length > PATHNAME_PART_MAX || *used + slash + part_length > PATHNAME_MAX ||
            *used + slash + part_length >= size)
            return -ENAMETOOLONG;
        if (slash)
            out[*used] = '/';
        __builtin_memcpy(out + *used + slash, part, part_length);
        *used += slash + part_length;
    }
    return 0;
}

int pathname_normalise(const char *name, char *out, size_t size) {
    return pathname_join("", name, out, size);
}

int pathname_join(const char *dir, const char *name, char *out, size_t size) {
    size_t used = 0;
    int err = name[0] == '/' ? 0 : append(dir, out, size, &used);
    if (!err)
        err = append(name, out, size, &used);
    out[used] = '\0';
    return err;
}

const char *pathname_base(const char *name) {
    size_t parent = pathname_parent_length(name);
    return parent ? name + parent + 1 : name;
}

size_t pathname_parent_length(const char *name) {
    size_t length = __builtin_strlen(name);
    while (length && name[length] != '/')
        length--;
    return length;
}

bool pathname_is_below(const char *name, const char *dir) {
    size_t length = __builtin_strlen(dir);
    for (size_t i = 0; i < length; i++)
        if (name[i] != dir[i])
            return false;
    return length == 0 || name[length] == '\0' || name[length] == '/';
}
