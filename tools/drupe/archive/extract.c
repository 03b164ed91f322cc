// SPDX-License-Identifier: MIT
#include "archive/extract.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "common/output.h"
#include "common/util.h"

struct extraction {
    mode_t umask;
    bool failed;
    uint32_t left_out; // extended attributes that the file system here refused
    char *first;       // the first of them,
    int error;         // and why
};

static void tell(struct extraction *x, const char *path, int err) {
    complain("%s: %s", path, trouble(path, err));
    x->failed = true;
}

static bool set_times(int directory, const char *name, const struct root_object *o) {
    const struct timespec times[] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = o->attr.mtime}};
    return utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

// Makes room for a name: what is no directory goes. Gives 0 or an errno.
static int clear(int directory, const char *name) {
    return unlinkat(directory, name, 0) == 0 || errno == ENOENT ? 0 : errno;
}

// ---- extended attributes

// Those of users alone: all others speak of what may be done in the machine. They are set while the file can still be written to.
static void set_xattrs(struct extraction *x, int fd, const struct root_object *o, const char *path) {
    for (const struct xattr *a = o->xattrs; a; a = a->next)
        if (strncmp(a->name, "user.", strlen("user.")) == 0 &&
            fsetxattr(fd, a->name, a->value, a->size, 0) < 0 && !x->left_out++) {
            x->error = errno;
            x->first = xasprintf("%s of %s", a->name, path);
        }
}

static void tell_left_out(const struct extraction *x, const char *path) {
    if (x->left_out)
        note("%s: %u extended %s, the first of them %s: %s", path, x->left_out,
             x->left_out == 1 ? "attribute is missing" : "attributes are missing", x->first,
             strerror(x->error));
}

// ---- files

static int write_file(struct extraction *x, int directory, const char *name, const struct root_object *o,
                      mode_t mode, const char *path) {
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), err = 0;
    if (fd < 0)
        return errno;
    for (uint64_t at = 0; at < o->size && !err;) {
        ssize_t n = write(fd, o->data + at, o->size - at);
        if (n > 0)
            at += (uint64_t)n;
        else if (n < 0 && errno != EINTR)
            err = errno;
    }
    if (!err)
        set_xattrs(x, fd, o, path);
    if (!err && fchmod(fd, mode) < 0)
        err = errno;
    if (close(fd) < 0 && !err)
        err = errno;
    return err;
}

static int put_file(struct extraction *x, int directory, const struct unpack_node *n, const char *path) {
    struct root_object *o = n->object;
    if (o->written && linkat(AT_FDCWD, o->written, directory, n->name, 0) == 0)
        return 0;
    int err = write_file(x, directory, n->name, o, o->attr.mode & 0777 & ~x->umask, path);
    if (!err && o->names > 1 && !o->written)
        o->written = xstrdup(path);
    return err;
}

// ---- names

static int put_other(struct extraction *x, int directory, const struct unpack_node *n, const char *path) {
    const struct root_object *o = n->object;
    mode_t kind = o->attr.mode & S_IFMT;
    if (kind != S_IFREG && kind != S_IFLNK && kind != S_IFIFO) {
        note("%s is a device or a socket: left out", path);
        return 0;
    }
    int err = clear(directory, n->name);
    if (err)
        return err;
    switch (kind) {
    case S_IFREG:
        err = put_file(x, directory, n, path);
        break;
    case S_IFLNK:
        err = symlinkat(o->target, directory, n->name) < 0 ? errno : 0;
        break;
    default:
        err = mkfifoat(directory, n->name, o->attr.mode & 0777) < 0 ? errno : 0;
    }
    return err || set_times(directory, n->name, o) ? err : errno;
}

static int open_directory(int directory, const char *name, int *fd) {
    if (mkdirat(directory, name, 0700) < 0 && errno != EEXIST)
        return errno;
    *fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return 0;
    int err = errno == ENOTDIR || errno == ELOOP ? clear(directory, name) : errno;
    if (err)
        return err;
    *fd = mkdirat(directory, name, 0700) < 0
              ? -1
              : openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *fd < 0 ? errno : 0;
}

static void put_content(struct extraction *x, int directory, struct unpack_node *of, const char *path);

static int put_directory(struct extraction *x, int directory, struct unpack_node *n, const char *path) {
    const struct root_object *o = n->object;
    int fd = -1, err = open_directory(directory, n->name, &fd);
    if (err)
        return err;
    put_content(x, fd, n, path);
    set_xattrs(x, fd, o, path);
    if (fchmod(fd, o->attr.mode & 0777 & ~x->umask) < 0 || !set_times(directory, n->name, o))
        err = errno;
    close(fd);
    return err;
}

static void put_content(struct extraction *x, int directory, struct unpack_node *of, const char *path) {
    for (struct unpack_node *n = root_first(of); n; n = root_next(n)) {
        char *below = xasprintf("%s/%s", path, n->name);
        int err = S_ISDIR(n->object->attr.mode) ? put_directory(x, directory, n, below)
                                                : put_other(x, directory, n, below);
        if (err)
            tell(x, below, err);
        free(below);
    }
}

bool extract_tree(struct unpack_node *top, const char *path) {
    struct extraction x = {.umask = umask(0)};
    umask(x.umask);
    if (mkdir(path, 0777) < 0 && errno != EEXIST) {
        tell(&x, path, errno);
        return false;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        tell(&x, path, errno);
        return false;
    }
    put_content(&x, fd, top, path);
    set_xattrs(&x, fd, top->object, path);
    close(fd);
    tell_left_out(&x, path);
    return !x.failed;
}

void extract_file(const struct unpack_node *file, const char *path) {
    const struct root_object *o = file->object;
    struct extraction x = {.umask = umask(0)};
    struct output out;
    struct stat st;
    umask(x.umask);
    output_open(&out, path, "a file");
    bool is_file = strcmp(path, "-") != 0 && fstat(out.fd, &st) == 0 && S_ISREG(st.st_mode);
    output_write(&out, o->data, o->size);
    if (is_file)
        set_xattrs(&x, out.fd, o, path);
    output_finish(&out);
    if (is_file && (chmod(path, o->attr.mode & 0777 & ~x.umask) < 0 || !set_times(AT_FDCWD, path, o)))
        fail("%s: %s", path, trouble(path, errno));
    tell_left_out(&x, path);
}
