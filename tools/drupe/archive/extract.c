// SPDX-License-Identifier: MIT
#include "archive/extract.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/output.h"
#include "common/util.h"

struct extraction {
    mode_t umask;
    bool failed;
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

// ---- files

static int write_file(int directory, const char *name, const struct root_object *o, mode_t mode) {
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
    int err = write_file(directory, n->name, o, o->attr.mode & 0777 & ~x->umask);
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
    close(fd);
    return !x.failed;
}

void extract_file(const struct unpack_node *file, const char *path) {
    const struct root_object *o = file->object;
    struct output out;
    output_open(&out, path, "a file");
    output_write(&out, o->data, o->size);
    output_finish(&out);
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        (chmod(path, o->attr.mode & 0777 & ~mask) < 0 || !set_times(AT_FDCWD, path, o)))
        fail("%s: %s", path, trouble(path, errno));
}
