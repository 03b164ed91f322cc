// SPDX-License-Identifier: MIT
// Pseudoterminals: what pty.c (the terminals) and devpts.c (their names) need of each other.
#pragma once
#include "tty/tty.h"

struct path;

#define PTY_MAX 256

// Who may open the terminal, as its node in devpts shows it.
struct pty_owner {
    mode_t mode; // with the type
    uid_t uid;
    gid_t gid;
    ktime_t created; // realtime
};

// The terminal of pty `index` with a reference, NULL if there is none now.
struct tty *pty_get(unsigned int index);
// The smallest index >= `from` in use, -1 if there is none.
int pty_next(unsigned int from);
void pty_get_owner(struct tty *tty, struct pty_owner *out);
void pty_set_owner(struct tty *tty, const struct pty_owner *owner);

// devpts.c: the owner, group and mode that a new pty's node gets.
void devpts_new_owner(struct pty_owner *owner);
// devpts.c: the terminal as a new descriptor of the caller, opened with `flags`. The number or -errno. `ptmx` is where its
// master was opened: that devpts, or the one mounted at "pts" beside it, is where the terminal has its name.
int devpts_open(const struct path *ptmx, unsigned int index, int flags);
void devpts_init(void);
