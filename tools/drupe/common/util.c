// SPDX-License-Identifier: MIT
#include "common/util.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <ctype.h>
#include <strings.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned int complaint_count;
static int error_status = EXIT_FAILURE, misuse_status = EXIT_MISUSE;
static bool progress_shown;
static enum saying saying;
static bool last_said; // for complain_more()
static struct strings *gathered_complaints, *gathered_notes;

static char *format_text(const char *format, va_list args) {
    char *text;
    if (vasprintf(&text, format, args) >= 0)
        return text;
    fputs("out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

static void say(const char *prefix, const char *format, va_list args) {
    char *text = format_text(format, args);
    progress_end();
    fputs(prefix, stderr);
    print_visible(stderr, text, false);
    fputc('\n', stderr);
    free(text);
}

#define SAY(prefix, format)                                                                                  \
    do {                                                                                                     \
        va_list args_;                                                                                       \
        va_start(args_, format);                                                                             \
        say(prefix, format, args_);                                                                          \
        va_end(args_);                                                                                       \
    } while (0)

// As SAY, but for a list.
#define GATHER(list, format)                                                                                 \
    do {                                                                                                     \
        va_list args_;                                                                                       \
        va_start(args_, format);                                                                             \
        char *text_ = format_text(format, args_);                                                            \
        va_end(args_);                                                                                       \
        strings_add(list, text_);                                                                            \
        free(text_);                                                                                         \
    } while (0)

void gather_messages(struct strings *complaints, struct strings *notes) {
    gathered_complaints = complaints;
    gathered_notes = notes;
}

void set_exit_statuses(int error, int misused) {
    error_status = error;
    misuse_status = misused;
}

void fail(const char *format, ...) {
    SAY("drupe: ", format);
    exit(error_status);
}

void give_up(void) {
    exit(error_status);
}

void misuse(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    error_status = misuse_status;
    fail("%s (see drupe %s%s--help)", text, command, *command ? " " : "");
}

// optopt is 0 where a long name is unknown or begins several, else an unknown letter, or the value of a known option.
void misuse_option(const char *command, const struct option *options, char **argv) {
    const char *word = argv[optind - 1];
    int length = (int)strcspn(word, "=");
    const struct option *known = options;
    while (known->name &&
           (optopt ? known->val != optopt : strncmp(known->name, word + 2, (size_t)length - 2) != 0))
        known++;
    if (!optopt)
        misuse(command, known->name ? "more than one option begins with %.*s" : "there is no option %.*s",
               length, word);
    if (!known->name)
        misuse(command, "there is no option -%c", optopt);
    if (known->has_arg == no_argument)
        misuse(command, "%.*s takes no value", length, word);
    if (strncmp(word, "--", 2) == 0)
        misuse(command, "%s needs a value", word);
    misuse(command, "-%c needs a value", optopt);
}

void complain(const char *format, ...) {
    last_said = saying != SAY_NOTHING;
    if (!last_said)
        return;
    if (saying != SAY_AS_NOTES)
        complaint_count++;
    if (gathered_notes)
        GATHER(saying == SAY_AS_NOTES ? gathered_notes : gathered_complaints, format);
    else
        SAY(saying == SAY_AS_NOTES ? "drupe: note: " : "drupe: ", format);
}

void complain_more(const char *format, ...) {
    if (last_said && !gathered_notes)
        SAY("    ", format);
}

void note(const char *format, ...) {
    last_said = saying == SAY_ALL || saying == SAY_AS_NOTES;
    if (last_said && gathered_notes)
        GATHER(gathered_notes, format);
    else if (last_said)
        SAY("drupe: note: ", format);
}

enum saying set_saying(enum saying how) {
    enum saying old = saying;
    saying = how;
    return old;
}

unsigned int complaints(void) {
    return complaint_count;
}

bool is_new(char *finding) {
    static struct strings told;
    if (saying == SAY_NOTHING) { // it may still have to be told
        free(finding);
        return true;
    }
    bool known = strings_have(&told, finding);
    if (!known)
        strings_add(&told, finding);
    free(finding);
    return !known;
}

void *xcalloc(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        fail("out of memory");
    return p;
}

void *xrealloc(void *old, size_t size) {
    void *p = realloc(old, size ? size : 1);
    if (!p)
        fail("out of memory");
    return p;
}

char *xstrndup(const char *s, size_t n) {
    char *p = strndup(s, n);
    if (!p)
        fail("out of memory");
    return p;
}

char *xstrdup(const char *s) {
    return xstrndup(s, strlen(s));
}

char *xasprintf(const char *format, ...) {
    va_list args;
    char *p;
    va_start(args, format);
    if (vasprintf(&p, format, args) < 0)
        fail("out of memory");
    va_end(args);
    return p;
}

uint64_t parse_size(const char *text) {
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    double fraction = 0, place = 1;
    if (*end == '.' && end[1] >= '0' && end[1] <= '9')
        for (end++; *end >= '0' && *end <= '9'; end++)
            fraction += (*end - '0') * (place /= 10);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
    const char *rest = unit ? end + 1 : end;
    bool is_whole = !*rest || strcasecmp(rest, "B") == 0 || (unit && strcasecmp(rest, "iB") == 0);
    if (*text < '0' || *text > '9' || !is_whole || errno || n > UINT64_MAX >> shift)
        return 0;
    return (n << shift) + (uint64_t)(fraction * (double)(1ull << shift));
}

char *hex(const void *bytes, size_t count) {
    const unsigned char *from = bytes;
    char *text = xrealloc(NULL, 2 * count + 1);
    for (size_t i = 0; i < count; i++)
        sprintf(text + 2 * i, "%02x", from[i]);
    text[2 * count] = '\0';
    return text;
}

bool is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void make_room(struct strings *s) {
    if ((s->count & (s->count - 1)) == 0) // full at powers of two
        s->at = xrealloc(s->at, (s->count ? 2 * s->count : 1) * sizeof(*s->at));
}

void strings_add(struct strings *s, const char *string) {
    make_room(s);
    s->at[s->count++] = xstrdup(string);
}

void strings_addf(struct strings *s, const char *format, ...) {
    char *string;
    va_list arguments;
    va_start(arguments, format);
    int n = vasprintf(&string, format, arguments);
    va_end(arguments);
    if (n < 0)
        fail("out of memory");
    make_room(s);
    s->at[s->count++] = string;
}

char **strings_list(struct strings *s) {
    make_room(s);
    s->at[s->count] = NULL;
    return s->at;
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *s) {
    if (s->count)
        qsort(s->at, s->count, sizeof(*s->at), compare_strings);
}

bool strings_have(const struct strings *s, const char *string) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->at[i], string) == 0)
            return true;
    return false;
}

void strings_free(struct strings *s) {
    for (size_t i = 0; i < s->count; i++)
        free(s->at[i]);
    free(s->at);
    *s = (struct strings){0};
}

size_t utf8_length(const char *string) {
    const unsigned char *s = (const unsigned char *)string;
    if (s[0] < 0x80)
        return s[0] != 0;
    size_t length = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

bool utf8_is_valid(const char *string) {
    for (size_t n; *string; string += n) {
        n = utf8_length(string);
        if (!n)
            return false;
    }
    return true;
}

void print_visible(FILE *to, const char *text, bool escape_backslash) {
    while (*text) {
        unsigned char c = (unsigned char)*text;
        size_t length = utf8_length(text);
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0);
        if (!length || control || (c == '\\' && escape_backslash)) {
            fprintf(to, "\\x%02x", c);
            length = 1;
        } else {
            fwrite(text, 1, length, to);
        }
        text += length;
    }
}

void progress(const char *what, uint64_t count, uint64_t bytes) {
    static struct timespec last;
    struct timespec now;
    if (!isatty(STDERR_FILENO))
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!last.tv_sec)
        last = now; // what is done at once needs no telling
    if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 < 200)
        return;
    last = now;
    fprintf(stderr, "\r%s: %llu, %llu MiB\033[K", what, (unsigned long long)count,
            (unsigned long long)bytes >> 20);
    fflush(stderr);
    progress_shown = true;
}

void progress_end(void) {
    if (progress_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    progress_shown = false;
}

// The innermost directory above `path` that is there.
static char *directory_above(const char *path) {
    char *dir = xstrdup(path);
    while (*dir) {
        char *slash = strrchr(dir, '/');
        if (!slash)
            return xstrdup(".");
        slash[slash == dir] = '\0';
        if (access(dir, F_OK) == 0 || strcmp(dir, "/") == 0)
            return dir;
    }
    return xstrdup(".");
}

char *trouble(const char *path, int error) {
    const char *what = strerror(error);
    char *dir = directory_above(path);
    switch (error) {
    case ENOENT:
        return xasprintf("%s; what is there: ls %s", what, dir);
    case ENOTDIR:
        return xasprintf("%s on its way; which: namei %s", what, path);
    case ELOOP:
        return xasprintf("%s; which: namei %s", what, path);
    case EACCES:
    case EPERM:
        return xasprintf("%s; who may: namei -l %s", what, path);
    case EISDIR:
        return xasprintf("%s; a file is needed, such as one of: ls %s", what, path);
    case ENOSPC:
    case EDQUOT:
        return xasprintf("%s; how much there is: df -h %s", what, dir);
    case EROFS:
        return xasprintf("%s; write elsewhere, or: mount -o remount,rw MOUNT", what);
    case EMFILE:
    case ENFILE:
        return xasprintf("%s; raise the limit: ulimit -n 4096", what);
    case ENAMETOOLONG:
        return xasprintf("%s; give it a shorter name", what);
    case EIO:
        return xasprintf("%s; the device fails: dmesg", what);
    case ENOMEM:
        return xasprintf("%s; free some: free -h", what);
    default:
        return xasprintf("%s; look: ls -ld %s", what, path);
    }
}

char *read_file(const char *path, size_t *size) {
    struct stat st;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        fail("%s: %s", path, trouble(path, errno));
    if (fd != STDIN_FILENO)
        fcntl(fd, F_SETFL, 0); // a FIFO that nobody writes to is empty; one that has a writer is waited for
    size_t room = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 65536, used = 0;
    char *bytes = xrealloc(NULL, room + 1);
    for (;;) {
        if (used == room)
            bytes = xrealloc(bytes, (room *= 2) + 1);
        ssize_t n = read(fd, bytes + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail("%s: %s", path, trouble(path, errno));
        if (n == 0)
            break;
        used += (size_t)n;
    }
    if (fd != STDIN_FILENO)
        close(fd);
    bytes[used] = '\0';
    *size = used;
    return bytes;
}
