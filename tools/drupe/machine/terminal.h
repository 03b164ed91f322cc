// SPDX-License-Identifier: MIT
// The terminal that a command was started from, lent to a program in a machine.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// Makes standard input raw, if it is a terminal and ours at the moment: every key is the program's. It is set
// back by terminal_restore() and at exit. True: it is raw now.
bool terminal_make_raw(void);
void terminal_restore(void);

// The size of the terminal behind the file descriptor; 0 and 0 where nothing knows it.
void terminal_size(int fd, uint16_t *rows, uint16_t *columns);
