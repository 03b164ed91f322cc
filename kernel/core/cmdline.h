// SPDX-License-Identifier: MIT
// The kernel's command line: words, `KEY=value` with "double quotes" around blanks, `--` before what is
// init's alone (bootparam(7)). The built-in line of the image comes first, then the boot loader's.
#pragma once
#include "core/types.h"

#define CMDLINE_SIZE  4096
#define CMDLINE_WORDS 128

// Splits the two lines (each may be NULL). Called once at boot.
void cmdline_init(const char *built_in, const char *from_loader);
// The value of KEY= as given last, "" for the bare word, NULL if it is not there. Not after `--`.
const char *cmdline_get(const char *key);
bool cmdline_has(const char *key);
// An unsigned number, decimal or 0x hexadecimal; `otherwise` if KEY is missing or no number.
long cmdline_number(const char *key, long otherwise);
// The words in order, quotes removed: word i of cmdline_count(); those from cmdline_dashes() on came after
// `--`.
unsigned int cmdline_count(void);
unsigned int cmdline_dashes(void);
const char *cmdline_word(unsigned int i);
// The whole line as it was given, for /proc/cmdline.
const char *cmdline_text(void);
// True if the kernel itself understands this word, so that it is not passed to init.
bool cmdline_is_kernels(const char *word);
