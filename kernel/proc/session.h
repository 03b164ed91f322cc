// SPDX-License-Identifier: MIT
// Process groups, sessions, and the terminal that a session has: setpgid(2), setsid(2), credentials(7).
//
// What a terminal is, is known a floor higher: here it is something with references, which is told when the leader of
// its session ends.
#pragma once
#include "core/types.h"

struct process;
struct id;
struct tty;

struct session_tty_ops {
    void (*get)(struct tty *tty); // process_lock held
    void (*put)(struct tty *tty); // may sleep
    // The session's leader exits: the terminal hangs up, or (pty) sends SIGHUP to the foreground group. No process of the
    // session has it afterwards (session_clear_tty() is called from here).
    void (*leader_exit)(struct tty *tty, pid_t session);
    dev_t (*number)(struct tty *tty);
};
// Boot: before the first terminal becomes anybody's.
void session_set_tty_ops(const struct session_tty_ops *ops);

// A process group as a terminal remembers it, which keeps none: its number may be another's by now.
struct group_ref {
    pid_t nr; // 0: none
    uint64_t serial;
};
static inline bool group_ref_equal(struct group_ref a, struct group_ref b) {
    return a.nr == b.nr && a.serial == b.serial;
}

// Job control. All look at the current thread's process; 0 and false in a kernel thread.
pid_t process_pgrp(void);
struct group_ref process_group(void);
pid_t process_session(void);
bool process_is_session_leader(void);
bool process_pgrp_orphaned(void);
// 0 if `pgrp` is a process group of session `session`, and which; -ESRCH: nothing has the number; -EPERM.
int __must_check pgrp_check_session(pid_t pgrp, pid_t session, struct group_ref *out);

// The controlling terminal of the current process: referenced, or NULL; given up by it; taken from all processes of a session.
struct tty *process_tty(void);
void process_give_up_tty(void);
// For the current process, if it has none: -EPERM. With a reference of its own.
int __must_check process_take_tty(struct tty *tty);
unsigned int process_tty_number(void); // as stat(2) of it and /proc/PID/stat tell; 0: there is none
void session_clear_tty(pid_t session);

// ---- for fork, exit, setsid; process_lock held where the name says so

// Puts p into a group and session, taking it out of what it was in.
void process_set_group_locked(struct process *p, struct id *group);
void process_set_session_locked(struct process *p, struct id *session);
// True if no member of the group has a parent outside the group in the same session. `without`: counts as
// gone.
bool pgrp_orphaned_locked(const struct id *group, const struct process *without);
// Our group and those of our children may become orphaned as p leaves: stopped ones are hung up.
void pgrp_check_orphans_locked(struct process *p, struct process *parent);
// A child has its parent's terminal.
void process_inherit_tty_locked(struct process *p, struct process *parent);
// p has none any more. *old, which may be NULL, is for process_drop_tty() once the lock is free.
void process_drop_tty_locked(struct process *p, struct tty **old);
void process_drop_tty(struct tty *tty);
// The current process ends.
void process_leave_tty(void);
