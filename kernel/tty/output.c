// SPDX-License-Identifier: MIT
// The output side of the line discipline (termios(3), c_oflag), and the ring that the device empties.
//
// While output is stopped, a serial port sends nothing more of the ring. A pty's terminal hands on what was
// written before (stop_head), and its writers wait.
#include "tty/private.h"
#include "lib/string.h"
#include <linux/fcntl.h>

#define CHUNK 256

unsigned int tty_output_count(const struct tty *tty) {
    return READ_ONCE(tty->out_head) - READ_ONCE(tty->out_tail);
}

unsigned int tty_output_ready(const struct tty *tty) {
    return (READ_ONCE(tty->stopped) ? READ_ONCE(tty->stop_head) : READ_ONCE(tty->out_head)) -
           READ_ONCE(tty->out_tail);
}

static bool holds_writers(const struct tty *tty) {
    return tty->driver->pty && READ_ONCE(tty->stopped);
}

bool tty_output_has_room(const struct tty *tty) {
    return tty_output_room(tty) >= TTY_ROOM_LOW && !holds_writers(tty);
}

// ---- putting bytes in [o]

static void put(struct tty *tty, char c) {
    tty->output[tty->out_head++ % TTY_OUTPUT_SIZE] = c;
}

static bool is_continuation(const struct tty *tty, unsigned char c) {
    return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

// One byte through output processing. False if there is no room for what it becomes.
static bool put_processed(struct tty *tty, unsigned char c) {
    unsigned int oflag = tty->termios.c_oflag;
    if (!tty_output_echoes(tty))
        return false;
    if (!(oflag & OPOST)) {
        put(tty, c);
        return true;
    }
    switch (c) {
    case '\n':
        if (oflag & ONLRET)
            tty->column = 0;
        if (oflag & ONLCR) {
            put(tty, '\r');
            tty->column = 0;
        }
        break;
    case '\r':
        if ((oflag & ONOCR) && tty->column == 0)
            return true;
        if (oflag & OCRNL) {
            c = '\n';
            if (oflag & ONLRET)
                tty->column = 0;
            break;
        }
        tty->column = 0;
        break;
    case '\t': {
        unsigned int spaces = 8 - (tty->column & 7);
        tty->column += spaces;
        if ((oflag & TABDLY) != XTABS)
            break;
        while (spaces--)
            put(tty, ' ');
        return true;
    }
    case '\b':
        if (tty->column)
            tty->column--;
        break;
    default:
        if (c >= ' ' && c != 0x7f) {
            if ((oflag & OLCUC) && c >= 'a' && c <= 'z')
                c -= 'a' - 'A';
            if (!is_continuation(tty, c))
                tty->column++;
        }
    }
    put(tty, c);
    return true;
}

// Copies bytes that need no processing. Returns how many of the n were such and had room.
static size_t put_plain(struct tty *tty, const char *text, size_t n) {
    unsigned int at = tty->out_head % TTY_OUTPUT_SIZE;
    size_t room = MIN(MIN(n, (size_t)tty_output_room(tty)), (size_t)(TTY_OUTPUT_SIZE - at)), i = 0;
    unsigned int oflag = tty->termios.c_oflag, columns = 0;
    if (!(oflag & OPOST)) {
        i = room;
    } else if (!(oflag & OLCUC)) {
        for (; i < room && (unsigned char)text[i] >= ' ' && text[i] != 0x7f; i++)
            columns += !is_continuation(tty, text[i]);
    }
    memcpy(tty->output + at, text, i);
    tty->out_head += i;
    tty->column += columns;
    return i;
}

// As much of text as there is room for.
static size_t put_text(struct tty *tty, const char *text, size_t n) {
    size_t done = 0;
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    while (done < n) {
        done += put_plain(tty, text + done, n - done);
        if (done < n && !put_processed(tty, text[done]))
            break;
        done += done < n;
    }
    spin_unlock_irqrestore(&tty->out_lock, flags);
    return done;
}

// ---- writers

static bool writer_may_go_on(const struct tty_file *tf) {
    return tty_output_has_room(tf->tty) || tty_hung_up(tf) || READ_ONCE(tf->tty->other_closed);
}

// Puts all n bytes out, waiting for room. Returns how many went before *err (0 if all).
static size_t write_chunk(struct file *f, struct tty *tty, const char *text, size_t n, int *err) {
    size_t done = 0;
    *err = 0;
    for (;;) {
        if (!holds_writers(tty)) {
            done += put_text(tty, text + done, n - done);
            tty->driver->start(tty);
        }
        if (done == n)
            return done;
        if (tty_output_has_room(tty))
            continue;
        if (f->flags & O_NONBLOCK)
            *err = -EAGAIN;
        else
            *err = wait_event_interruptible(&tty->write_wait, writer_may_go_on(tty_file(f)));
        if (!*err && (tty_hung_up(tty_file(f)) || READ_ONCE(tty->other_closed)))
            *err = -EIO;
        if (*err)
            return done;
    }
}

ssize_t tty_write_output(struct file *f, struct tty *tty, struct uio *u) {
    char chunk[CHUNK];
    size_t done = 0;
    int err = 0;
    if (mutex_lock_killable(&tty->write_mutex))
        return -ERESTARTSYS;
    while (u->resid && !err) {
        size_t n = uio_read_from(u, chunk, MIN(u->resid, sizeof(chunk)));
        if (!n)
            err = -EFAULT;
        else
            done += write_chunk(f, tty, chunk, n, &err);
        if (!err)
            err = cond_resched_killable();
    }
    mutex_unlock(&tty->write_mutex);
    return done ? (ssize_t)done : err;
}

int tty_output_drain(struct file *f, struct tty *tty) {
    if (tty->driver->pty)
        return 0;
    return wait_event_interruptible(&tty->write_wait, !tty_output_count(tty) || tty_hung_up(tty_file(f)));
}

// ---- echo

void tty_echo(struct tty *tty, char c) {
    put_text(tty, &c, 1);
    tty->want_start = true;
}

void tty_echo_raw(struct tty *tty, const char *text, size_t n) {
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    if (tty_output_room(tty) >= n)
        for (size_t i = 0; i < n; i++) {
            put(tty, text[i]);
            if (text[i] == '\b')
                tty->column -= tty->column != 0;
            else
                tty->column++;
        }
    spin_unlock_irqrestore(&tty->out_lock, flags);
    tty->want_start = true;
}

void tty_echo_mark_line(struct tty *tty) {
    tty->line_column = READ_ONCE(tty->column);
}

void tty_put_urgent(struct tty *tty, char c) {
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    if (tty_output_room(tty))
        put(tty, c);
    spin_unlock_irqrestore(&tty->out_lock, flags);
    tty->want_start = true;
}

// ---- flow

static void wake_writers(struct tty *tty) {
    if ((tty_output_has_room(tty) || !tty_output_count(tty)) && !wait_queue_empty(&tty->write_wait))
        wake_poll(&tty->write_wait, POLLOUT | POLLWRNORM);
}

void tty_output_flush(struct tty *tty) {
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    tty->out_tail = tty->stop_head = tty->out_head;
    spin_unlock_irqrestore(&tty->out_lock, flags);
    wake_writers(tty);
}

void tty_output_stop(struct tty *tty, bool by_ioctl) {
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    bool news = !tty->stopped;
    if (news)
        tty->stop_head = tty->out_head;
    tty->stopped = true;
    tty->stopped_by_ioctl = by_ioctl;
    spin_unlock_irqrestore(&tty->out_lock, flags);
    if (news)
        tty_tell(tty, TIOCPKT_START, TIOCPKT_STOP);
}

void tty_output_start(struct tty *tty) {
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    bool news = tty->stopped;
    tty->stopped = tty->stopped_by_ioctl = false;
    spin_unlock_irqrestore(&tty->out_lock, flags);
    if (news)
        tty_tell(tty, TIOCPKT_STOP, TIOCPKT_START);
    tty->want_start = true;
    wake_writers(tty);
}

// ---- drivers

void tty_output_send(struct tty *tty, size_t (*send)(struct tty *tty, const char *text, size_t n)) {
    bool sent = false;
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    while (tty->out_head != tty->out_tail && !tty->stopped) {
        unsigned int at = tty->out_tail % TTY_OUTPUT_SIZE;
        unsigned int n = MIN(tty->out_head - tty->out_tail, TTY_OUTPUT_SIZE - at);
        size_t taken = send(tty, tty->output + at, n);
        if (!taken)
            break;
        tty->out_tail += taken;
        sent = true;
    }
    spin_unlock_irqrestore(&tty->out_lock, flags);
    if (sent)
        wake_writers(tty);
}

size_t tty_output_take(struct tty *tty, char *buf, size_t n) {
    size_t done = 0;
    unsigned long flags = spin_lock_irqsave(&tty->out_lock);
    for (unsigned int ready; done < n && (ready = tty_output_ready(tty)) != 0;) {
        unsigned int at = tty->out_tail % TTY_OUTPUT_SIZE;
        size_t part = MIN(MIN(ready, TTY_OUTPUT_SIZE - at), n - done);
        memcpy(buf + done, tty->output + at, part);
        tty->out_tail += part;
        done += part;
    }
    spin_unlock_irqrestore(&tty->out_lock, flags);
    if (done)
        wake_writers(tty);
    return done;
}
