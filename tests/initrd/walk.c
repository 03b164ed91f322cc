// SPDX-License-Identifier: MIT
// The first program of a machine that unpacked an archive: prints the whole root, one line an object, in the form
// that tests/initrd/cases.py describes, and powers off. Each line begins with '|', so that the kernel's log does
// not mix with it, and the last one is "|end".
//
// It goes from directory to directory by descriptor, since a path may be longer than PATH_MAX with its slash. What
// is not the case's is left out: this program, and /dev and /root, which a kernel makes by itself.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SHORT_MAX 64 // content below this many bytes is shown, if it is text

static char path[2 * PATH_MAX]; // of what is being printed, without a leading slash

// Says on the console what cannot be read, which no expected tree has a line for.
static void complain(const char *what) {
    printf("|cannot %s %s: %s\n", what, path, strerror(errno));
}

// ---- files of several names: the name that was printed first

struct seen {
    struct seen *next;
    dev_t dev;
    ino_t ino;
    char first[];
};
static struct seen *all_seen;

// The first name of a file, NULL if this is it.
static const char *first_name(const struct stat *st) {
    for (struct seen *s = all_seen; s; s = s->next)
        if (s->dev == st->st_dev && s->ino == st->st_ino)
            return s->first;
    struct seen *s = malloc(sizeof(*s) + strlen(path) + 1);
    if (s) {
        *s = (struct seen){.next = all_seen, .dev = st->st_dev, .ino = st->st_ino};
        strcpy(s->first, path);
        all_seen = s;
    }
    return NULL;
}

// ---- one line

static void print_content(int dir, const char *name, off_t size) {
    static char buffer[65536];
    uint32_t hash = 2166136261u;
    off_t total = 0;
    bool text = size < SHORT_MAX;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW);
    if (fd < 0) {
        printf(" = unreadable: %s", strerror(errno));
        return;
    }
    for (ssize_t got; (got = read(fd, buffer, sizeof(buffer))) != 0; total += got) {
        if (got < 0) {
            printf(" = unreadable: %s", strerror(errno));
            break;
        }
        for (ssize_t i = 0; i < got; i++) {
            hash = (hash ^ (uint8_t)buffer[i]) * 16777619u;
            text = text && buffer[i] >= ' ' && buffer[i] <= '~';
        }
    }
    close(fd);
    if (total != size)
        printf(" = size %lld, but", (long long)size);
    if (text)
        printf(" = %.*s", (int)total, buffer);
    else
        printf(" = %lld bytes, FNV %08x", (long long)total, hash);
}

static char letter_of(mode_t mode) {
    return S_ISREG(mode)    ? 'f'
           : S_ISDIR(mode)  ? 'd'
           : S_ISLNK(mode)  ? 'l'
           : S_ISCHR(mode)  ? 'c'
           : S_ISBLK(mode)  ? 'b'
           : S_ISFIFO(mode) ? 'p'
                            : 's';
}

static void print_line(int dir, const char *name, const struct stat *st) {
    printf("|%c %04o %u:%u %lld %s", letter_of(st->st_mode), st->st_mode & 07777, st->st_uid, st->st_gid,
           (long long)st->st_mtime, *path ? path : ".");
    if (S_ISREG(st->st_mode)) {
        print_content(dir, name, st->st_size);
    } else if (S_ISLNK(st->st_mode)) {
        char target[PATH_MAX + 1];
        ssize_t length = readlinkat(dir, name, target, sizeof(target));
        printf(" -> %.*s", (int)(length < 0 ? 0 : length), target);
    } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        printf(" %u:%u", major(st->st_rdev), minor(st->st_rdev));
    }
    if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
        const char *first = first_name(st);
        printf(first ? " (%u links, as %s)" : " (%u links)", (unsigned int)st->st_nlink, first);
    }
    putchar('\n');
}

// ---- the tree

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in a directory, sorted; the caller frees nothing, the machine ends soon.
static char **names_in(int fd, size_t *count) {
    char **names = NULL;
    DIR *stream = fdopendir(dup(fd));
    *count = 0;
    if (!stream) {
        complain("read");
        return NULL;
    }
    for (struct dirent *d; (d = readdir(stream));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        names = realloc(names, (*count + 1) * sizeof(*names));
        names[(*count)++] = strdup(d->d_name);
    }
    closedir(stream);
    if (*count)
        qsort(names, *count, sizeof(*names), compare);
    return names;
}

static bool is_the_cases(const char *name) {
    return strcmp(name, "walk") != 0 && strcmp(name, "dev") != 0 && strcmp(name, "root") != 0;
}

// Prints what is in the directory `fd`, whose path has `length` bytes.
static void walk(int fd, size_t length) {
    size_t count;
    char **names = names_in(fd, &count);
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (length == 0 && !is_the_cases(names[i]))
            continue;
        size_t here = length + (size_t)sprintf(path + length, "%s%s", length ? "/" : "", names[i]);
        if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            complain("stat");
            continue;
        }
        print_line(fd, names[i], &st);
        if (!S_ISDIR(st.st_mode))
            continue;
        int child = openat(fd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (child < 0) {
            complain("open");
            continue;
        }
        walk(child, here);
        close(child);
    }
}

int main(void) {
    struct stat st;
    int root = open("/", O_RDONLY | O_DIRECTORY);
    setvbuf(stdout, NULL, _IOFBF, 65536);
    if (root < 0 || fstat(root, &st) < 0)
        complain("open");
    print_line(root, ".", &st);
    walk(root, 0);
    puts("|end");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
