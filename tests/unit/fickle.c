// SPDX-License-Identifier: MIT
// Preloaded into the `drupe` command: files that change while they are read, and inode numbers of 64 bits.
//   FICKLE_FILE    the end of the path of the file
//   FICKLE_AT      "open N": before it is opened the Nth time; "read": after the first bytes have been read
//   FICKLE_DO      unlink, truncate, append, write (same size, later time), replace, fifo
//   FICKLE_INODES  set: inode numbers that differ in their upper 32 bits only
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int watched = -1;
static char path_of_watched[4096];

static void change(const char *path) {
    const char *action = getenv("FICKLE_DO");
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    FILE *f;
    if (strcmp(action, "unlink") == 0 || strcmp(action, "fifo") == 0)
        unlink(path);
    if (strcmp(action, "fifo") == 0)
        mkfifo(path, 0600);
    if (strcmp(action, "truncate") == 0 && truncate(path, 1) != 0)
        abort();
    if (strcmp(action, "append") == 0 && (f = fopen(path, "a"))) {
        fputs("more", f);
        fclose(f);
    }
    if (strcmp(action, "write") == 0)
        utimensat(AT_FDCWD, path, times, 0);
    if (strcmp(action, "replace") == 0) {
        char other[4200];
        snprintf(other, sizeof(other), "%s.other", path);
        if (rename(other, path) != 0)
            abort();
    }
}

static int is_it(const char *path) {
    const char *end = getenv("FICKLE_FILE");
    size_t length = strlen(path), end_length = end ? strlen(end) : 0;
    return end && length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static int open_as(const char *name, const char *path, int flags, mode_t mode) {
    static int times;
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    const char *at = getenv("FICKLE_AT");
    int it = is_it(path) && (flags & O_ACCMODE) == O_RDONLY;
    if (it && strncmp(at, "open ", 5) == 0 && ++times == atoi(at + 5))
        change(path);
    int fd = real(path, flags, mode);
    if (it && strcmp(at, "read") == 0 && ++times == 2) {
        watched = fd;
        snprintf(path_of_watched, sizeof(path_of_watched), "%s", path);
    }
    return fd;
}

#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...) {                                                             \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                            \
        va_end(args);                                                                                        \
        return open_as(#name, path, flags, mode);                                                            \
    }
OPEN(open)
OPEN(open64)

ssize_t read(int fd, void *to, size_t count) {
    ssize_t (*real)(int, void *, size_t) = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    if (fd != watched || fd < 0)
        return real(fd, to, count);
    watched = -1;
    ssize_t n = real(fd, to, count < 10 ? count : 10);
    change(path_of_watched);
    return n;
}

static void widen(ino_t *inode) {
    if (getenv("FICKLE_INODES"))
        *inode = *inode << 32 | 7;
}

#define STAT(name, type, argument)                                                                           \
    int name(argument file, struct type *st) {                                                               \
        int (*real)(argument, struct type *) = (int (*)(argument, struct type *))dlsym(RTLD_NEXT, #name);    \
        int result = real(file, st);                                                                         \
        widen((ino_t *)&st->st_ino);                                                                         \
        return result;                                                                                       \
    }
typedef const char *path_type;
STAT(stat, stat, path_type)
STAT(lstat, stat, path_type)
STAT(fstat, stat, int)
STAT(stat64, stat64, path_type)
STAT(lstat64, stat64, path_type)
STAT(fstat64, stat64, int)
