// SPDX-License-Identifier: MIT
// Terminals: the line discipline between a device (a serial port, or a pty's master) and readers. termios(3),
// tty_ioctl(2), job control (credentials(7)).
#pragma once
#include "fs/file.h"

struct tty;

// Registers the terminals: /dev/ttyS0 over the serial port, /dev/console over what `console=` names,
// /dev/tty, and pseudoterminals.
void tty_init(void);
// The terminal that /dev/console is: "ttyS0". NULL: there is none.
const char *tty_console_name(void);
// dev_t of a terminal and its foreground process group, for /proc/PID/stat (0 / -1 if NULL).
dev_t tty_dev(struct tty *tty);
pid_t tty_foreground(struct tty *tty);
// Takes the current process's controlling terminal away from all who have it open, and ends its session's use of it; nothing if it has
// none. vhangup(2)
void tty_hangup_own(void);
void tty_get(struct tty *tty);
void tty_put(struct tty *tty); // NULL is fine
