// SPDX-License-Identifier: MIT
// The terminal that a command was started from, lent to a program in a machine.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Makes standard input raw, if it is a terminal and ours at the moment, but for the keys that make signals:
// what is typed waits for the program as it was typed. It is set back by terminal_restore() and at exit. True:
// it is raw now.
bool terminal_make_raw(void);
// From now on Ctrl-C and the like are keys as all others.
void terminal_pass_signals(void);
void terminal_restore(void);

// The size of the terminal behind the file descriptor; 0 and 0 where nothing knows it.
void terminal_size(int fd, uint16_t *rows, uint16_t *columns);
