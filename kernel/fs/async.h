// SPDX-License-Identifier: MIT
// O_ASYNC, F_SETOWN, F_SETSIG: a signal for the owner of a file when something can be read or written (fcntl(2), signal(7)).
#pragma once
#include "core/errno.h"
#include "core/types.h"

struct file;

// Beside poll's bits in what a wait queue is woken with: there was no room, somebody found that, and now there is.
#define POLL_ROOM 0x10000u

// Whom a file's signals are for. `serial` tells a number from the same one given out anew.
struct file_owner {
    int type; // F_OWNER_*
    int nr;   // 0: nobody
    uint64_t serial;
    uint64_t execs;  // how many programs the process had been before, if it is one
    uid_t uid, euid; // of who named the owner
    int sig;         // F_SETSIG; 0: SIGIO, which tells nothing else
};

// Above files there are processes.
struct async_ops {
    // Sends; `reason` is what happened, as si_code tells: POLL_IN and so on. Any context that may take process_lock.
    void (*send)(const struct file_owner *owner, int reason, int fd);
};
#define POLL_URGENT 7 // a reason of its own: SIGURG

extern const struct async_ops *async_ops; // [I] after the start
// [a] Not 0: somewhere there is a file that signals. Pipes then tell of room that is no news to pollers, as POLL_ROOM alone.
extern unsigned int async_hooks;

// F_SETOWN and F_SETSIG: `owner` with everything but the signal; the signal. 0 or -ENOMEM.
int __must_check async_set_owner(struct file *f, const struct file_owner *owner);
int __must_check async_set_signal(struct file *f, int sig);
struct file_owner async_get_owner(struct file *f);
// O_ASYNC goes on or off, for descriptor fd. 0, -ENOMEM; -ENOTTY: such files do not signal, the flag stays.
int __must_check async_switch(struct file *f, int fd, bool on);
// F_NOTIFY of descriptor fd: makes async_message() possible. 0 or -ENOMEM.
int __must_check async_prepare(struct file *f, int fd);
// F_SETOWN and F_SETSIG are as if they had never been. Any context in which f stays.
void async_disown(struct file *f);
// Something happened in the directory, or to a lease (POLL_MSG). Any context in which f stays.
void async_message(struct file *f);
// Urgent data: SIGURG for the owner, whatever O_ASYNC says. Any context in which f stays.
void async_urgent(struct file *f);
// The file is being released. Called by file_put() if f->async is not NULL, before the release op.
void async_forget(struct file *f);
// WORK_ASYNC: sends what the current thread has caused.
void async_send_pending(void);
