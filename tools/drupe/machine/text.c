// SPDX-License-Identifier: MIT
#include "machine/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/util.h"
#include "machine/machine.h"

#define STAMP    "[" // how the kernel's lines begin; the firmware's do not
#define LINE_MAX 512 // of what is looked at in one
#define PANIC    "Kernel panic"
#define RAN_OUT  "Out of memory: "
#define GOODBYE  "reboot: " // in the kernel's last line before it powers the machine off or restarts it

static struct {
    FILE *log;
    char *boot; // said before the program ran, and not shown yet
    size_t boot_size;
    FILE *boot_stream;
    bool all, raw, running;
    bool line_shown, in_line;
    char line[LINE_MAX + 1]; // the current one
    size_t line_length;
    struct text_findings found;
} t;

void text_open(const struct machine *m, bool raw) {
    t.all = m->verbose || m->log;
    t.raw = raw;
    t.log = m->log ? fopen(m->log, "we") : stderr;
    if (!t.log)
        fail("%s: %s", m->log, trouble(m->log, errno));
    t.boot_stream = open_memstream(&t.boot, &t.boot_size);
    if (!t.boot_stream)
        fail("out of memory");
}

static void show(char c) {
    if (c == '\n' && t.raw && isatty(fileno(t.log)))
        fputc('\r', t.log);
    fputc(c, t.log);
}

void text_show_boot(void) {
    fflush(t.boot_stream);
    for (size_t i = 0; i < t.boot_size; i++)
        show(t.boot[i]);
    fflush(t.log);
}

static void look_at_line(void) {
    t.line[t.line_length] = '\0';
    t.line_length = 0;
    if (*t.line != *STAMP)
        return;
    t.found.panicked |= strstr(t.line, PANIC) != NULL;
    t.found.said_goodbye |= strstr(t.line, GOODBYE) != NULL;
    t.found.ran_out |= strstr(t.line, RAN_OUT) != NULL;
}

// What the firmware says is shown only where that is wanted.
static void take(char c) {
    t.found.any = true;
    if (c == '\r' || c == '\0')
        return;
    if (!t.in_line) {
        t.found.kernel_spoke |= c == *STAMP;
        t.line_shown = t.all || t.running || t.found.kernel_spoke;
    }
    t.in_line = c != '\n';
    if (t.in_line && t.line_length < LINE_MAX)
        t.line[t.line_length++] = c;
    else if (!t.in_line)
        look_at_line();
    if (t.line_shown)
        show(c);
    else
        fputc(c, t.boot_stream);
    if (c == '\n')
        fflush(t.log);
}

void text_take(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        take(bytes[i]);
}

void text_init_runs(void) {
    t.running = true;
}

void text_end_line(void) {
    look_at_line();
}

void text_close(void) {
    fflush(t.log);
}

const struct text_findings *text_findings(void) {
    return &t.found;
}
