// SPDX-License-Identifier: MIT
#include "root/cache.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "archive/archive.h"
#include "common/util.h"
#include "root/header.h"

#define KEY_LENGTH 64
#define NEW        ".new"       // at the end of the name of what is not whole yet
#define LOOKS      ".of"        // of a file that has a key in it
#define UNIT       (2ull << 20) // QEMU gives memory in pages, maybe large ones

static char *place;
static int directory = -2; // -1: there is no cache, -2: nobody has looked

// ---- the directory

static char *cache_home(void) {
    const char *own = getenv("DRUPE_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        return xasprintf("%s/roots", own);
    if (xdg && *xdg == '/')
        return xasprintf("%s/drupe/roots", xdg);
    return home && *home == '/' ? xasprintf("%s/.cache/drupe/roots", home) : NULL;
}

static void make_directories(const char *path) {
    char *copy = xstrdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    mkdir(copy, 0700);
    free(copy);
}

static bool is_ours(const struct stat *st) {
    return st->st_uid == geteuid() && !(st->st_mode & 022);
}

static int open_directory(void) {
    struct stat st;
    if (directory != -2)
        return directory;
    place = cache_home();
    directory = -1;
    if (!place) {
        place = xstrdup("/tmp");
        return directory;
    }
    make_directories(place);
    int fd = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && is_ours(&st) && faccessat(fd, ".", W_OK, 0) == 0) {
        directory = fd;
        return directory;
    }
    note("%s: %s; nothing is kept", place,
         fd < 0 ? strerror(errno) : "another user may write there, or we may not");
    if (fd >= 0)
        close(fd);
    return directory;
}

const char *cache_place(void) {
    open_directory();
    return place;
}

int cache_nameless_file(void) {
    const char *temporary = getenv("TMPDIR");
    int dir = open_directory(), fd = -1;
    if (dir >= 0)
        fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *name = xasprintf("%s/drupe.XXXXXX", dir >= 0                  ? place
                                              : temporary && *temporary ? temporary
                                                                        : "/tmp");
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        fail("a temporary file: %s", trouble(name, errno));
    unlink(name);
    free(name);
    return fd;
}

static int lock = -1;

void cache_lock(void) {
    if (open_directory() < 0)
        return;
    lock = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (lock >= 0 && flock(lock, LOCK_EX) < 0 && errno == EINTR)
        ;
}

void cache_unlock(void) {
    if (lock >= 0)
        close(lock);
    lock = -1;
}

// ---- a kept root

static void map(struct kept *k) {
    void *bytes = mmap(NULL, k->size, PROT_READ, MAP_SHARED, k->fd, (off_t)KEPT_AT);
    if (bytes == MAP_FAILED)
        fail("no addresses for a root of %" PRIu64 " bytes: %s", k->size, strerror(errno));
    k->archive = bytes;
}

static char *sum_of(const struct kept *k) {
    struct sha256_ctx c;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&c);
    sha256_update(&c, k->size, k->archive);
    sha256_digest(&c, sizeof(digest), digest);
    return hex(digest, sizeof(digest));
}

// The header with the time that the file has from then on.
static void seal(struct kept *k, const char *sha256) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t mtime_ns = header_set_time(k->fd, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    header_write(k->fd, k, mtime_ns, sha256);
    header_set_time(k->fd, mtime_ns);
}

// Somebody has written to it, or only touched it: its bytes decide.
static bool looks_again(struct kept *k, const char *sha256) {
    char *now = sum_of(k);
    bool same = strcmp(now, sha256) == 0;
    free(now);
    if (same)
        seal(k, sha256);
    return same;
}

static bool read_kept(int fd, struct kept *out) {
    struct stat st;
    int64_t mtime_ns;
    char sha256[KEY_LENGTH + 1];
    *out = (struct kept){.fd = fd};
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_ours(&st) ||
        !header_read(fd, (uint64_t)st.st_size, out, &mtime_ns, sha256))
        return false;
    out->file_size = (uint64_t)st.st_size;
    map(out);
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == mtime_ns ||
           looks_again(out, sha256);
}

bool cache_find(const char *key, struct kept *out) {
    int fd = open_directory() < 0 ? -1 : openat(directory, key, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (read_kept(fd, out)) {
        const struct timespec used[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
        futimens(fd, used);
        return true;
    }
    note("%s/%s is not what it should be; made anew", place, key);
    close(fd);
    return false;
}

// ---- making one

static void remove_unfinished(void) {
    DIR *d = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));)
        if (strlen(e->d_name) > strlen(NEW) && strcmp(e->d_name + strlen(e->d_name) - strlen(NEW), NEW) == 0)
            unlinkat(directory, e->d_name, 0);
    closedir(d);
}

static void write_archive(struct kept *k, struct tree *t) {
    struct archive_options options = {.keep_mtime = true, .output_at = KEPT_AT};
    struct archive_totals totals;
    char *output = xasprintf("/dev/fd/%d", k->fd);
    options.output = output;
    archive_write(t, &options, &totals);
    free(output);
    k->size = totals.bytes;
    k->file_size = (KEPT_AT + k->size + UNIT - 1) / UNIT * UNIT;
    if (ftruncate(k->fd, (off_t)k->file_size) < 0)
        fail("%s: %s", place, trouble(place, errno));
}

void cache_keep(const char *key, const char *from, struct tree *t, const struct root_config *config,
                struct kept *out) {
    bool is_kept = open_directory() >= 0;
    char *name = xasprintf("%s" NEW, key);
    if (is_kept)
        remove_unfinished();
    *out = (struct kept){.from = xstrdup(from), .config = *config};
    out->fd = is_kept ? openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)
                      : cache_nameless_file();
    if (out->fd < 0)
        fail("%s/%s: %s", place, name, trouble(place, errno));
    write_archive(out, t);
    map(out);
    char *sha256 = sum_of(out);
    seal(out, sha256);
    free(sha256);
    if (is_kept && (fdatasync(out->fd) < 0 || renameat(directory, name, directory, key) < 0))
        fail("%s/%s: %s", place, key, trouble(place, errno));
    free(name);
}

void cache_lengthen(struct kept *k, uint64_t size) {
    struct kept again = {0};
    int64_t mtime_ns;
    char sha256[KEY_LENGTH + 1];
    size = (size + UNIT - 1) / UNIT * UNIT;
    if (size <= k->file_size)
        return;
    cache_lock();
    if (ftruncate(k->fd, (off_t)size) < 0)
        fail("%s: %s", cache_place(), trouble(cache_place(), errno));
    if (header_read(k->fd, size, &again, &mtime_ns, sha256))
        header_set_time(k->fd, mtime_ns);
    cache_unlock();
    k->file_size = size;
}

// ---- what files are known by

char *cache_known(const char *looks) {
    char *name = xasprintf("%s" LOOKS, looks), key[KEY_LENGTH];
    int fd =
        open_directory() < 0 ? -1 : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_ours(&st) &&
              read(fd, key, sizeof(key)) == sizeof(key);
    for (size_t i = 0; ok && i < sizeof(key); i++)
        ok = key[i] && strchr("0123456789abcdef", key[i]);
    if (fd >= 0)
        close(fd);
    free(name);
    return ok ? xstrndup(key, sizeof(key)) : NULL;
}

void cache_note(const char *looks, const char *key) {
    char *name = xasprintf("%s" LOOKS, looks), *made = xasprintf("%s" LOOKS NEW, looks);
    int fd = open_directory() < 0
                 ? -1
                 : openat(directory, made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, key, KEY_LENGTH) == KEY_LENGTH)
        renameat(directory, made, directory, name); // without it the file is read again, no more
    if (fd >= 0)
        close(fd);
    free(name);
    free(made);
}

// ---- what is there

static void list_names(struct strings *out) {
    int fd = open_directory() < 0 ? -1 : openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));)
        if (*e->d_name != '.')
            strings_add(out, e->d_name);
    if (d)
        closedir(d);
    strings_sort(out);
}

// Without looking at the archive's bytes.
static char *from_of(const char *name, struct stat *st) {
    struct kept k = {0};
    int64_t mtime_ns;
    char sha256[KEY_LENGTH + 1];
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool ok = fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && is_ours(st) &&
              header_read(fd, (uint64_t)st->st_size, &k, &mtime_ns, sha256);
    if (fd >= 0)
        close(fd);
    return ok ? k.from : xstrdup("?");
}

void cache_each(void (*each)(void *ctx, const char *key, const char *from, uint64_t bytes, int64_t used),
                void *ctx) {
    struct strings names = {0};
    struct stat st = {0};
    list_names(&names);
    for (size_t i = 0; i < names.count; i++) {
        if (strlen(names.at[i]) != KEY_LENGTH)
            continue;
        char *from = from_of(names.at[i], &st);
        each(ctx, names.at[i], from, (uint64_t)st.st_blocks * 512, (int64_t)st.st_atim.tv_sec);
        free(from);
    }
    strings_free(&names);
}

static bool is_named(const char *file, const char *name) {
    struct stat st;
    if (!name)
        return true;
    if (strlen(file) != KEY_LENGTH)
        return false;
    if (strlen(name) >= 4 && strncmp(file, name, strlen(name)) == 0)
        return true;
    char *from = from_of(file, &st), *real = realpath(name, NULL);
    bool same = strcmp(from, name) == 0 || (real && strcmp(from, real) == 0);
    free(from);
    free(real);
    return same;
}

unsigned int cache_remove(const char *name) {
    struct strings names = {0};
    unsigned int count = 0;
    cache_lock();
    list_names(&names);
    for (size_t i = 0; i < names.count; i++)
        if (is_named(names.at[i], name) && unlinkat(directory, names.at[i], 0) == 0)
            count += strlen(names.at[i]) == KEY_LENGTH;
    cache_unlock();
    strings_free(&names);
    return count;
}
