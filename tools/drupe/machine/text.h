// SPDX-License-Identifier: MIT
// What firmware and kernel say on the serial line: shown, kept, or written to a file, and looked at, for QEMU's status is not
// enough to know how a machine ended.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct machine;

struct text_findings {
    bool any;          // something was said
    bool kernel_spoke; // not the firmware alone
    bool panicked, said_goodbye, ran_out;
};

void text_open(const struct machine *m, bool raw);
void text_take(const char *bytes, size_t n);
// What comes from here on is no firmware's.
void text_init_runs(void);
// A line that did not end has ended.
void text_end_line(void);
// What was said before the program ran, and not shown.
void text_show_boot(void);
void text_close(void);
const struct text_findings *text_findings(void);
