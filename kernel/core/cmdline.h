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
// `word` taken as KEY or KEY=value, KEY of n bytes: the value ("" without one), NULL if it is another word. As in Linux,
// `-` and `_` are the same in names.
const char *cmdline_value(const char *word, const char *key, size_t n);
// A size, decimal or hexadecimal, with K, M, G, ... behind it; `otherwise` if KEY is missing or no number.
uint64_t cmdline_size(const char *key, uint64_t otherwise);
// START,SIZE, each as cmdline_size() has it. False if KEY is missing or something else.
bool cmdline_range(const char *key, uint64_t *start, uint64_t *size);
// A number, decimal or 0x hexadecimal; `otherwise` if KEY is missing or no number.
long cmdline_number(const char *key, long otherwise);
// The words in order, quotes removed: word i of cmdline_count(); those from cmdline_dashes() on came after
// `--`.
unsigned int cmdline_count(void);
unsigned int cmdline_dashes(void);
const char *cmdline_word(unsigned int i);
// The whole line as it was given, for /proc/cmdline.
const char *cmdline_text(void);
// True if this word is the kernel's, so that it is not passed to init (cmdline_words.c); and if it is only kept, since
// it is for a part of Linux that there is not here.
bool cmdline_is_kernels(const char *word);
bool cmdline_is_idle(const char *word);
