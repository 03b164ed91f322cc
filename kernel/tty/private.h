// SPDX-License-Identifier: MIT
// What the files of the terminal layer share.
//
//   tty.c         open, read, write, poll, hang-up, job control
//   input.c   line discipline: bytes from the device, edited and cut into lines, for readers
//   output.c  line discipline: bytes from writers and echo, for the device
//   ioctl.c   termios and the other ioctls
//   serial.c  terminals over serial ports, /dev/console
//   pty.c         terminals whose device is a program
//
// A terminal is a struct tty; its driver feeds tty_input() and takes what waits in the output ring. Both
// rings are indexed by counters that run freely. Several files may be open on one terminal; each has a struct
// tty_file.
//
// Locks: read_mutex and write_mutex keep readers and writers apart (they sleep), `lock` guards the input
// side, the termios and the session; `out_lock` guards the output ring, is taken with interrupts disabled,
// and after `lock` where both are. Key: [I] immutable, [l] lock, [o] out_lock, [a] atomic.
#pragma once
#include "fs/event/poll.h"
#include "lib/list.h"
#include "proc/session.h"
#include "tty/tty.h"
#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>

#define TTY_INPUT_SIZE  4096 // both powers of 2; a line has at most TTY_INPUT_SIZE - 1 bytes
#define TTY_OUTPUT_SIZE 4096
#define TTY_ROOM_LOW    256 // writers are woken and POLLOUT is reported from that much free output on

struct tty_driver {
    const char *name; // in /proc/devices
    bool pty;         // slave of a pseudoterminal: output is not waited for, session exit does not hang up
    // Output waits in the ring: sends it, as far as it can go now. No lock held.
    void (*start)(struct tty *tty);
    // Input that tty_input() refused may fit now. No lock held.
    void (*unthrottle)(struct tty *tty);
    // What only this kind of terminal knows; -ENOTTY otherwise. May be NULL.
    long (*ioctl)(struct tty *tty, unsigned int cmd, unsigned long arg);
    // A master in packet mode hears that TIOCPKT_* bits do not hold any more (`gone`), and which do. The terminal's locks may be held. May be
    // NULL.
    void (*tell)(struct tty *tty, unsigned int gone, unsigned int news);
    // The first file was opened, the last was closed. May be NULL.
    void (*opened)(struct tty *tty);
    void (*closed)(struct tty *tty);
    void (*release)(struct tty *tty); // the last reference is gone; NULL: static
};

struct tty {
    struct refcount refs;
    const struct tty_driver *driver; // [I]
    dev_t dev;                       // [I]
    struct spinlock lock;
    struct ktermios termios;     // [l]
    struct ktermios locked;      // [l] TIOCSLCKTRMIOS: which bits and characters of termios stay as they are
    struct winsize winsize;      // [l]
    pid_t session;               // [l] 0: none; read without
    struct group_ref foreground; // [l]; its number is read without
    unsigned int files;          // [l] open
    bool exclusive;              // [l] TIOCEXCL
    unsigned int generation;     // [a] hang-ups so far
    bool other_closed;           // [a] the pty's master is gone

    char *input;             // [I] ring
    uint64_t *marks;         // [l] bit for each byte of it: a line ends here
    unsigned int head, tail; // [l] bytes put in, taken out
    unsigned int canon;      // [l] end of the last whole line, canonical mode
    bool literal_next;       // [l] after VLNEXT
    bool throttled;          // [l] tty_input() has refused bytes
    bool sent_stop;          // [l] VSTOP was sent (IXOFF)
    unsigned int signals;    // [l] bit n: send signal n once the lock is dropped
    bool want_start;         // [l] driver->start() once the lock is dropped
    struct mutex read_mutex;
    struct wait_queue read_wait;

    struct spinlock out_lock;
    char *output;                    // [I] ring
    unsigned int out_head, out_tail; // [o]
    unsigned int column;             // [o] of the cursor
    unsigned int line_column;        // [o] where the line being edited began
    bool stopped;                    // [o] ^S, TCOOFF
    unsigned int stop_head;          // [o] out_head when it was stopped
    bool stopped_by_ioctl;           // [o] TCOOFF: IXANY does not start it again
    struct mutex write_mutex;
    struct wait_queue write_wait;
};

static inline void tty_tell(struct tty *tty, unsigned int gone, unsigned int news) {
    if (tty->driver->tell)
        tty->driver->tell(tty, gone, news);
}

// file->private_data of an open terminal.
struct tty_file {
    struct tty *tty;         // referenced
    unsigned int generation; // hung up if it is not the terminal's
    bool console;            // opened as /dev/console: not part of hang-ups and job control
};
static inline struct tty_file *tty_file(const struct file *f) {
    return f->private_data;
}
static inline bool tty_hung_up(const struct tty_file *tf) {
    return !tf->console && tf->generation != READ_ONCE(tf->tty->generation);
}

// tty.c
// Prepares the fields of a zeroed tty and its buffers; refs 1. 0 or -ENOMEM.
int __must_check tty_setup(struct tty *tty, const struct tty_driver *driver, dev_t dev);
void tty_free_buffers(struct tty *tty);
extern const struct file_ops tty_ops;
// Makes f a file on the terminal, whose controlling terminal it may become. Takes over no reference. 0,
// -EBUSY, -EIO, -ENOMEM.
int __must_check tty_open_file(struct tty *tty, struct file *f, bool console, bool may_control);
// A background process gets `sig` for touching its terminal. 0: go on; -EIO, -ERESTARTSYS.
int __must_check tty_check_background(struct tty *tty, int sig);
// The device is gone: every open file (but consoles) sees end of file and -EIO, the session loses the
// terminal.
void tty_hangup(struct tty *tty);
// The session loses the terminal; its foreground group gets SIGHUP and, if `cont`, SIGCONT.
void tty_end_session(struct tty *tty, bool cont);
struct group_ref tty_group(struct tty *tty);        // in the foreground
void tty_signal(struct tty *tty, int sig);          // sent to it
bool tty_is_mine(struct tty *tty);                  // the current process's controlling terminal
int __must_check tty_take_control(struct tty *tty); // becomes it, for a session leader without one; -EPERM

// input.c
// Bytes from the device, in thread context. Returns how many were taken; the driver keeps the others until
// unthrottle().
size_t tty_input(struct tty *tty, const char *text, size_t n);
ssize_t tty_read_input(struct file *f, struct tty *tty, struct uio *u);
bool tty_input_ready(struct tty *tty);         // poll: a read would not wait
unsigned int tty_input_count(struct tty *tty); // FIONREAD
void tty_input_flush(struct tty *tty);
// After a change of termios from `old`. [l]
void tty_input_mode_changed(struct tty *tty, const struct ktermios *old);
void tty_run_deferred(struct tty *tty); // sends [l] signals and starts output; no lock held

// output.c
ssize_t tty_write_output(struct file *f, struct tty *tty, struct uio *u);
// Echo: through output processing, or not. Dropped if there is no room.
void tty_echo(struct tty *tty, char c);
void tty_echo_raw(struct tty *tty, const char *text, size_t n);
void tty_echo_mark_line(struct tty *tty);     // line_column = column
void tty_put_urgent(struct tty *tty, char c); // a flow control character, unprocessed
unsigned int tty_output_count(const struct tty *tty);
unsigned int tty_output_ready(const struct tty *tty); // what tty_output_take() would give
bool tty_output_has_room(const struct tty *tty);      // poll: a write would not wait
static inline unsigned int tty_output_room(const struct tty *tty) {
    return TTY_OUTPUT_SIZE - tty_output_count(tty);
}
#define TTY_MOST_OF_ONE 8                                     // what one byte may become
static inline bool tty_output_echoes(const struct tty *tty) { // else echo is dropped
    return tty_output_room(tty) >= TTY_MOST_OF_ONE;
}
void tty_output_flush(struct tty *tty);
void tty_output_stop(struct tty *tty, bool by_ioctl);
void tty_output_start(struct tty *tty);
// Sleeps until all has gone to the device. 0 or -ERESTARTSYS.
int __must_check tty_output_drain(struct file *f, struct tty *tty);
// For drivers, any context: hands contiguous waiting bytes to `send` until it takes none; writers get room.
void tty_output_send(struct tty *tty, size_t (*send)(struct tty *tty, const char *text, size_t n));
// For drivers: moves up to n waiting bytes to buf.
size_t tty_output_take(struct tty *tty, char *buf, size_t n);

// ioctl.c
long tty_ioctl(struct file *f, unsigned int cmd, unsigned long arg);
// The same for a terminal that f may not be a file of (a pty's master).
long tty_ioctl_on(struct file *f, struct tty *tty, unsigned int cmd, unsigned long arg);
extern const struct ktermios tty_default_termios;

void tty_serial_init(void);
void pty_init(void);
