// SPDX-License-Identifier: MIT
// What is brought out of the machine when the program has ended: a file, a directory, or the whole root, as an archive (newc)
// through a port of its own. By then nothing else runs here, so that nothing changes meanwhile.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/metadata.h"
#include "tools/guest/guest.h"

#define WHOLE_ROOT   "/.drupe-root" // where it is looked at without what is mounted on it; not in the archive
#define BUFFER_SIZE  65536
#define UNSIZED_MOST (16u << 20) // bytes of a file that gives no size; a power of two
#define PIECE_SIZE   4096        // what is read of one first; another

// syslog(2), for which no header has names
#define SYSLOG_ACTION_READ_ALL    3
#define SYSLOG_ACTION_SIZE_BUFFER 10

// A file with more than one name that has been met, in a chain of a table by its number.
struct linked {
    struct linked *next;
    dev_t device;
    ino_t inode;
    uint32_t number;
};

static struct {
    char buffer[BUFFER_SIZE];
    size_t used;
    uint64_t sent; // through the port, with what was sent of earlier results
    uint32_t number;
    uint64_t headers; // entries
    struct linked *linked[1024];
    dev_t device;
    bool one_device;
    uint32_t left_out; // entries that could not be read, or that the format cannot hold
    int error;         // why the first of these
    char path[PATH_MAX];
    size_t base; // of the path: how much is not in the archive's names
} p;

// ---- bytes

static void flush(void) {
    channel_write(PORT_RESULT, p.buffer, p.used);
    p.sent += p.used;
    p.used = 0;
}

static void put(const void *bytes, size_t n) {
    for (const char *from = bytes; n;) {
        size_t room = BUFFER_SIZE - p.used, piece = n < room ? n : room;
        memcpy(p.buffer + p.used, from, piece);
        p.used += piece;
        from += piece;
        n -= piece;
        if (p.used == BUFFER_SIZE)
            flush();
    }
}

// An archive begins at a multiple of 4 of what is sent.
static void pad(void) {
    put("\0\0\0", -(p.sent + p.used) & 3);
}

static void leave_out(int err) {
    if (!p.left_out++)
        p.error = err;
}

// ---- entries

static void put_header(const char *name, const struct stat *st, uint32_t number, uint32_t names,
                       uint64_t size) {
    char header[CPIO_HEADER_SIZE + 1];
    long long mtime = st->st_mtim.tv_sec < 0            ? 0
                      : st->st_mtim.tv_sec > UINT32_MAX ? UINT32_MAX
                                                        : (long long)st->st_mtim.tv_sec;
    snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", number,
             st->st_mode, st->st_uid, st->st_gid, names, (uint32_t)mtime, (uint32_t)size, 0, 0,
             major(st->st_rdev), minor(st->st_rdev), (uint32_t)strlen(name) + 1, 0);
    put(header, CPIO_HEADER_SIZE);
    put(name, strlen(name) + 1);
    pad();
    p.headers++;
}

// Exactly `size` bytes, whatever can be read.
static void put_content(int fd, uint64_t size) {
    static char bytes[BUFFER_SIZE];
    bool ended = false;
    while (size) {
        size_t piece = size < sizeof(bytes) ? (size_t)size : sizeof(bytes);
        ssize_t n = ended ? 0 : read(fd, bytes, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (!ended)
                leave_out(n < 0 ? errno : EIO);
            ended = true;
            memset(bytes, 0, piece);
            n = (ssize_t)piece;
        }
        put(bytes, (size_t)n);
        size -= (uint64_t)n;
    }
}

// The number of a file that may have come before by another name; it has then.
static uint32_t number_of(const struct stat *st, bool *has_come) {
    struct linked **chain = &p.linked[st->st_ino % (sizeof(p.linked) / sizeof(p.linked[0]))], *l;
    for (l = *chain; l; l = l->next)
        if (l->inode == st->st_ino && l->device == st->st_dev) {
            *has_come = true;
            return l->number;
        }
    *has_come = false;
    l = malloc(sizeof(*l));
    if (!l)
        return ++p.number; // two files then, instead of one with two names
    *l = (struct linked){*chain, st->st_dev, st->st_ino, ++p.number};
    *chain = l;
    return l->number;
}

// A file whose size is not known before it has been read, as those of /proc, which give no size.
static void put_unsized(const char *name, const struct stat *st) {
    int fd = open(p.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), err = fd < 0 ? errno : 0;
    char *bytes = NULL;
    size_t used = 0, room = 0;
    while (!err) {
        if (used == room && room < UNSIZED_MOST) {
            room = room ? 2 * room : PIECE_SIZE;
            char *more = realloc(bytes, room);
            bytes = more ? more : bytes;
            err = more ? 0 : ENOMEM;
            continue;
        }
        char one;
        ssize_t n = used < room ? read(fd, bytes + used, room - used) : read(fd, &one, 1);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            err = errno;
        else if (n > 0 && used == room)
            err = EFBIG;
        used += n > 0 ? (size_t)n : 0;
    }
    if (err) {
        leave_out(err);
    } else {
        put_header(name, st, ++p.number, 1, used);
        put(bytes, used);
        pad();
    }
    free(bytes);
    if (fd >= 0)
        close(fd);
}

static void put_file(const char *name, const struct stat *st) {
    bool has_come = false;
    if (!st->st_size && !p.one_device && st->st_nlink == 1) {
        put_unsized(name, st);
        return;
    }
    uint32_t number = st->st_nlink > 1 ? number_of(st, &has_come) : ++p.number;
    uint64_t size = has_come ? 0 : (uint64_t)st->st_size;
    int fd = size ? open(p.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (size > UINT32_MAX || (size && fd < 0)) {
        leave_out(size > UINT32_MAX ? EFBIG : errno);
    } else {
        put_header(name, st, number, (uint32_t)st->st_nlink, size);
        put_content(fd, size);
        pad();
    }
    if (fd >= 0)
        close(fd);
}

static void put_link(const char *name, const struct stat *st) {
    char target[PATH_MAX];
    ssize_t n = readlink(p.path, target, sizeof(target));
    if (n <= 0) {
        leave_out(n < 0 ? errno : ENOENT);
        return;
    }
    put_header(name, st, ++p.number, 1, (uint64_t)n);
    put(target, (size_t)n);
    pad();
}

static void put_thing(const char *name, const struct stat *st) {
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        put_file(name, st);
        break;
    case S_IFLNK:
        put_link(name, st);
        break;
    case S_IFSOCK:
        break; // means nothing without the program that had it
    default:
        put_header(name, st, ++p.number, S_ISDIR(st->st_mode) ? 2 : 1, 0);
    }
}

// The records of all extended attributes of what is at p.path, allocated; NULL: it has none, or *err.
static char *read_xattrs(size_t *size, int *err) {
    static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
    char *records = NULL;
    const char *path = *p.path ? p.path : "/";
    ssize_t count = llistxattr(path, names, sizeof(names));
    *size = 0;
    *err = count < 0 && errno != EOPNOTSUPP ? errno : 0;
    for (ssize_t at = 0; at < count && !*err;) {
        size_t name_size = strlen(names + at) + 1;
        ssize_t n = lgetxattr(path, names + at, value, sizeof(value));
        size_t more = METADATA_RECORD_HEAD + name_size + (n < 0 ? 0 : (size_t)n);
        char *longer = n < 0 ? NULL : realloc(records, *size + more + 1);
        *err = n < 0 ? errno : longer ? 0 : ENOMEM;
        if (*err)
            break;
        records = longer;
        char *to = records + *size;
        snprintf(to, METADATA_RECORD_HEAD + 1, METADATA_RECORD_FORMAT, (uint32_t)more);
        memcpy(to + METADATA_RECORD_HEAD, names + at, name_size);
        memcpy(to + METADATA_RECORD_HEAD + name_size, value, (size_t)n);
        *size += more;
        at += (ssize_t)name_size;
    }
    return records;
}

static void put_xattrs(const struct stat *st) {
    size_t size;
    int err;
    char *records = read_xattrs(&size, &err);
    struct stat metadata = {.st_mode = S_IFREG, .st_mtim = st->st_mtim};
    if (err)
        leave_out(err);
    if (size) {
        put_header(METADATA_NAME, &metadata, ++p.number, 1, size);
        put(records, size);
        pad();
    }
    free(records);
}

static void put_entry(const char *name, const struct stat *st) {
    uint64_t before = p.headers;
    if (strcmp(name, METADATA_NAME) == 0)
        name = "./" METADATA_NAME;
    put_thing(name, st);
    if (p.headers != before && !S_ISLNK(st->st_mode))
        put_xattrs(st);
}

// ---- directories

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_name(char ***names, size_t *count, const char *name) {
    if ((*count & (*count - 1)) == 0) { // full at powers of two
        char **more = realloc(*names, (*count ? 2 * *count : 1) * sizeof(char *));
        if (!more)
            return false;
        *names = more;
    }
    return ((*names)[*count] = strdup(name)) && ++*count;
}

// The names of the directory at p.path, sorted.
static char **read_directory(size_t *count) {
    char **names = NULL;
    DIR *d = opendir(p.path);
    *count = 0;
    if (!d) {
        leave_out(errno);
        return NULL;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !add_name(&names, count, e->d_name))
            leave_out(ENOMEM);
    closedir(d);
    if (*count)
        qsort(names, *count, sizeof(*names), by_name);
    return names;
}

static void put_below(void);

// One name of the directory at p.path, and what is below it.
static void put_name(const char *name) {
    struct stat st;
    size_t length = strlen(p.path), more = strlen(name) + 1;
    if (length + more >= sizeof(p.path)) {
        leave_out(ENAMETOOLONG);
        return;
    }
    p.path[length] = '/';
    memcpy(p.path + length + 1, name, more);
    if (lstat(p.path, &st) < 0) {
        leave_out(errno);
    } else if ((!p.one_device || st.st_dev == p.device) && strcmp(p.path, WHOLE_ROOT WHOLE_ROOT) != 0) {
        put_entry(p.path + p.base, &st);
        if (S_ISDIR(st.st_mode))
            put_below();
    }
    p.path[length] = '\0';
}

static void put_below(void) {
    size_t count;
    char **names = read_directory(&count);
    for (size_t i = 0; i < count; i++) {
        put_name(names[i]);
        free(names[i]);
    }
    free(names);
}

static void put_all(const struct stat *st) {
    if (S_ISDIR(st->st_mode)) {
        put_entry(".", st);
        p.base = strlen(p.path) + 1;
        put_below();
    } else {
        put_entry(RESULT_FILE, st);
    }
    put_header(CPIO_TRAILER_NAME, &(struct stat){0}, 0, 1, 0);
}

// ---- results

// Makes the root visible at WHOLE_ROOT without what is mounted on it.
static int look_at_root(void) {
    if (mkdir(WHOLE_ROOT, 0700) < 0 && errno != EEXIST)
        return errno;
    return mount("/", WHOLE_ROOT, NULL, MS_BIND, NULL) < 0 ? errno : 0;
}

// What the kernel has said, as dmesg(1) has it.
static int send_log(void) {
    int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    int n = text ? klogctl(SYSLOG_ACTION_READ_ALL, text, size) : -1;
    if (n < 0)
        return text || size < 0 ? errno : ENOMEM;
    put_header(RESULT_FILE, &(struct stat){.st_mode = S_IFREG | 0644}, 1, 1, (uint64_t)n);
    put(text, (size_t)n);
    pad();
    put_header(CPIO_TRAILER_NAME, &(struct stat){0}, 0, 1, 0);
    free(text);
    return 0;
}

static int send_path(const char *path, struct frame_result *result) {
    struct stat st;
    int err = *path ? 0 : look_at_root();
    p.one_device = !*path;
    if (err)
        return err;
    if (!realpath(*path ? path : WHOLE_ROOT, p.path) || lstat(p.path, &st) < 0)
        return errno;
    if (strcmp(p.path, "/") == 0)
        p.path[0] = '\0';
    p.device = st.st_dev;
    result->is_directory = S_ISDIR(st.st_mode);
    put_all(&st);
    return 0;
}

void result_send(const char *path) {
    struct frame_result result = {0};
    p.number = p.left_out = 0;
    p.error = 0;
    memset(p.linked, 0, sizeof(p.linked));
    result.error = strcmp(path, KERNEL_LOG) == 0 ? send_log() : send_path(path, &result);
    pad();
    flush();
    if (!result.error && p.left_out)
        result.error = p.error;
    result.left_out = p.left_out;
    result.end = p.sent;
    channel_send(FRAME_RESULT, &result, sizeof(result));
}
