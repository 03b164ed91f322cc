// SPDX-License-Identifier: MIT
// The kernel's log: a ring of lines with level and time, read by syslog(2) and /dev/kmsg, and written to the
// console down to the `loglevel=` of the command line.
#pragma once
#include <stdarg.h>
#include "core/types.h"

enum log_level { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

// Logs one line (no newline at its end). May be called from anywhere, also with locks held. The formats are
// those of lib/format.h.
void printk(enum log_level level, const char *fmt, ...) __printf(2, 3);

#define pr_err(...)  printk(LOG_ERR, __VA_ARGS__)
#define pr_warn(...) printk(LOG_WARNING, __VA_ARGS__)
#define pr_info(...) printk(LOG_INFO, __VA_ARGS__)

// Where the console's lines go: early SBI console first, the UART driver once it registers. `write` must not
// sleep and may be called with interrupts disabled.
struct console {
    const char *name;
    void (*write)(const char *text, size_t len);
};
void console_register(struct console *console);
bool console_registered(void);

// The levels below which lines reach the console (7 shows LOG_INFO and above; `quiet` sets 4, as Linux).
extern int console_loglevel;

// syslog(2): copies log text, oldest first, as "<level>[seconds.micros] text\n" lines. Starts at sequence
// number *seq (0: the oldest kept) and moves it on. Returns bytes put into buf (never a partial line unless
// one line alone is larger than n).
size_t log_read(uint64_t *seq, char *buf, size_t n);
// The sequence number that the next line will get; and bytes that the whole ring holds formatted, an upper
// bound.
uint64_t log_next_seq(void);
size_t log_size(void);
extern unsigned long dmesg_restrict; // [a] kernel.dmesg_restrict: only who has CAP_SYSLOG reads them
// Whoever holds the log's lock will not go on: for panics alone.
void printk_panic_unlock(void);
