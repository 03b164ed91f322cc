// SPDX-License-Identifier: MIT
#include "common/output.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/path.h"
#include "common/util.h"

static char temporary[PATHNAME_MAX + 1]; // "" when there is none

static void remove_temporary(void) {
    if (*temporary)
        unlink(temporary);
}

static void remove_and_die(int signal_number) {
    remove_temporary();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static int open_temporary(const char *name) {
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", name) >= sizeof(temporary))
        fail("%s: %s", name, strerror(ENAMETOOLONG));
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        *temporary = '\0';
        fail("%s: %s", name, trouble(name, errno));
    }
    atexit(remove_temporary);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], remove_and_die);
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) < 0)
        fail("%s: %s", temporary, trouble(temporary, errno));
    return fd;
}

int output_descriptor(const char *name) {
    static const char *const places[] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(name, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(name, "/dev/stderr") == 0)
        return STDERR_FILENO;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *digits = name + strlen(places[i]);
        if (strncmp(name, places[i], strlen(places[i])) == 0 && *digits && strlen(digits) < 9 &&
            strspn(digits, "0123456789") == strlen(digits))
            return atoi(digits);
    }
    return -1;
}

void output_open(struct output *out, const char *name, const char *what) {
    struct stat st;
    *out = (struct output){.name = name, .fd = STDOUT_FILENO};
    if (strcmp(name, "-") == 0) {
        out->name = "standard output";
        if (isatty(STDOUT_FILENO))
            fail("standard output is a terminal; %s does not belong there; add: -o FILE, or | a command that "
                 "reads it",
                 what);
    } else if (output_descriptor(name) >= 0) { // itself: opened anew, it would begin at the start again
        out->fd = fcntl(output_descriptor(name), F_DUPFD_CLOEXEC, 3);
        if (out->fd < 0)
            fail("%s: %s", name, trouble(name, errno));
    } else if (lstat(name, &st) == 0 && !S_ISREG(st.st_mode)) { // only a file makes place for another one
        bool empties = S_ISLNK(st.st_mode) && (stat(name, &st) < 0 || S_ISREG(st.st_mode));
        out->fd = open(name, O_WRONLY | O_CLOEXEC | (empties ? O_CREAT | O_TRUNC : 0), 0666);
        if (out->fd < 0)
            fail("%s: %s", name, trouble(name, errno));
    } else {
        out->fd = open_temporary(name);
    }
}

void output_seek(struct output *out, uint64_t at) {
    if (lseek(out->fd, (off_t)at, SEEK_SET) < 0)
        fail("%s: %s", out->name, trouble(out->name, errno));
}

void output_write(struct output *out, const void *bytes, size_t count) {
    const char *from = bytes;
    while (count) {
        ssize_t n = write(out->fd, from, count);
        if (n < 0 && errno != EINTR)
            fail("%s: %s", out->name, trouble(out->name, errno));
        from += n > 0 ? n : 0;
        count -= n > 0 ? (size_t)n : 0;
    }
}

void output_finish(struct output *out) {
    if (out->fd != STDOUT_FILENO && close(out->fd) < 0)
        fail("%s: %s", out->name, trouble(out->name, errno));
    if (*temporary && rename(temporary, out->name) < 0)
        fail("%s: %s", out->name, trouble(out->name, errno));
    *temporary = '\0';
}
