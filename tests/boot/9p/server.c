// SPDX-License-Identifier: MIT
// Preloaded into QEMU: makes its 9P server one that stops answering, or answers with an error, as a test says by files in
// $DRUPE_SERVER. While there is `stall.CALL` there, that call of the server's does not return, and `stalled.CALL` tells that it
// waits; `fail.CALL` holds the number of the error that it returns. `lie.stat` has lines "NAME FIELD NUMBER": what is told of the file of
// that name is so.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int open_word(const char *word, const char *call, int flags) {
    static const char *dir;
    char path[4096];
    if (!dir && !(dir = getenv("DRUPE_SERVER")))
        return -1;
    snprintf(path, sizeof(path), "%s/%s.%s", dir, word, call);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

// 0, or -1 with errno.
static int meddle(const char *call) {
    char text[16] = "";
    int fd = open_word("fail", call, O_RDONLY);
    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        errno = n > 0 ? atoi(text) : EIO;
        return -1;
    }
    for (int told = 0; (fd = open_word("stall", call, O_RDONLY)) >= 0; usleep(10000)) {
        close(fd);
        if (!told++ && (fd = open_word("stalled", call, O_WRONLY | O_CREAT)) >= 0)
            close(fd);
    }
    errno = 0;
    return 0;
}

static void lie(const char *p, struct stat64 *st) {
    char name[256], field[16];
    long long value;
    int fd = open_word("lie", "stat", O_RDONLY);
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    while (f && fscanf(f, "%255s %15s %lld", name, field, &value) == 3) {
        if (strcmp(p, name))
            ;
        else if (!strcmp(field, "ino"))
            st->st_ino = (ino64_t)value;
        else if (!strcmp(field, "size"))
            st->st_size = value;
        else if (!strcmp(field, "nlink"))
            st->st_nlink = (nlink_t)value;
        else if (!strcmp(field, "mode"))
            st->st_mode = (mode_t)value;
    }
    if (f)
        fclose(f);
}

#define WRAP(type, name, call, error, parameters, arguments)                                                 \
    type name parameters {                                                                                   \
        static type(*real) parameters;                                                                       \
        if (!real)                                                                                           \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                              \
        return meddle(call) ? error : real arguments;                                                        \
    }
WRAP(int, mkdirat, "mkdir", -1, (int at, const char *p, mode_t m), (at, p, m))
WRAP(int, mknodat, "mknod", -1, (int at, const char *p, mode_t m, dev_t d), (at, p, m, d))
WRAP(int, symlinkat, "symlink", -1, (const char *t, int at, const char *p), (t, at, p))
WRAP(int, linkat, "link", -1, (int from, const char *p, int to, const char *q, int f), (from, p, to, q, f))
WRAP(int, renameat, "rename", -1, (int from, const char *p, int to, const char *q), (from, p, to, q))
WRAP(int, unlinkat, "unlink", -1, (int at, const char *p, int f), (at, p, f))
WRAP(ssize_t, readlinkat, "readlink", -1, (int at, const char *p, char *b, size_t n), (at, p, b, n))
WRAP(int, utimensat, "utimes", -1, (int at, const char *p, const struct timespec t[2], int f), (at, p, t, f))
WRAP(int, fchmod, "chmod", -1, (int fd, mode_t m), (fd, m))
WRAP(int, chmod, "chmod", -1, (const char *p, mode_t m), (p, m))
WRAP(int, fchownat, "chown", -1, (int at, const char *p, uid_t u, gid_t g, int f), (at, p, u, g, f))
WRAP(int, fsync, "sync", -1, (int fd), (fd))
WRAP(int, fdatasync, "sync", -1, (int fd), (fd))
WRAP(int, ftruncate64, "truncate", -1, (int fd, off_t n), (fd, n))
WRAP(int, fstatfs64, "statfs", -1, (int fd, struct statfs64 *st), (fd, st))
WRAP(ssize_t, preadv64, "read", -1, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP(ssize_t, pwritev64, "write", -1, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
WRAP(struct dirent64 *, readdir64, "readdir", NULL, (DIR * d), (d))

int fstatat64(int at, const char *p, struct stat64 *st, int flags) {
    static int (*real)(int, const char *, struct stat64 *, int);
    if (!real)
        real = (int (*)(int, const char *, struct stat64 *, int))dlsym(RTLD_NEXT, "fstatat64");
    int err = meddle("stat") ? -1 : real(at, p, st, flags);
    if (!err)
        lie(p, st);
    return err;
}

int openat64(int at, const char *p, int flags, ...) {
    static int (*real)(int, const char *, int, ...);
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (!real)
        real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
    const char *call = flags & O_CREAT ? "create" : flags & O_DIRECTORY ? "opendir" : "open";
    return !(flags & O_PATH) && meddle(call) ? -1 : real(at, p, flags, mode);
}
