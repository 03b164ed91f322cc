// SPDX-License-Identifier: MIT
// Terminals as files, and as the controlling terminals of sessions. private.h has the map.
#include "tty/tty.h"
#include "fs/dev/chrdev.h"
#include "mm/slab.h"
#include "proc/session.h"
#include "proc/signal.h"
#include "tty/private.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/major.h>

// ---- life

int tty_setup(struct tty *tty, const struct tty_driver *driver, dev_t dev) {
    tty->input = kmalloc(TTY_INPUT_SIZE);
    tty->output = kmalloc(TTY_OUTPUT_SIZE);
    tty->marks = kzalloc(TTY_INPUT_SIZE / 8);
    if (!tty->input || !tty->output || !tty->marks) {
        tty_free_buffers(tty);
        return -ENOMEM;
    }
    ref_init(&tty->refs);
    tty->driver = driver;
    tty->dev = dev;
    tty->termios = tty_default_termios;
    spin_init(&tty->lock);
    spin_init(&tty->out_lock);
    mutex_init(&tty->read_mutex);
    mutex_init(&tty->write_mutex);
    wait_queue_init(&tty->read_wait);
    wait_queue_init(&tty->write_wait);
    return 0;
}

void tty_free_buffers(struct tty *tty) {
    kfree(tty->input);
    kfree(tty->output);
    kfree(tty->marks);
}

void tty_get(struct tty *tty) {
    ref_get(&tty->refs);
}

void tty_put(struct tty *tty) {
    if (tty && ref_put(&tty->refs) && tty->driver->release)
        tty->driver->release(tty);
}

dev_t tty_dev(struct tty *tty) {
    return tty ? tty->dev : 0;
}

pid_t tty_foreground(struct tty *tty) {
    return tty ? READ_ONCE(tty->foreground.nr) : -1;
}

struct group_ref tty_group(struct tty *tty) {
    spin_lock(&tty->lock);
    struct group_ref group = tty->foreground;
    spin_unlock(&tty->lock);
    return group;
}

void tty_signal(struct tty *tty, int sig) {
    struct group_ref group = tty_group(tty);
    signal_send_group(&group, sig);
}

// ---- job control

bool tty_is_mine(struct tty *tty) {
    struct tty *mine = process_tty();
    tty_put(mine);
    return mine == tty;
}

int tty_check_background(struct tty *tty, int sig) {
    struct group_ref foreground = tty_group(tty);
    if (!foreground.nr || group_ref_equal(foreground, process_group()) || !tty_is_mine(tty))
        return 0;
    if (signal_is_ignored(sig))
        return sig == SIGTTIN ? -EIO : 0;
    if (process_pgrp_orphaned())
        return -EIO;
    signal_send_pgrp(process_pgrp(), sig);
    return -ERESTARTSYS;
}

static void set_session_locked(struct tty *tty, pid_t session, struct group_ref foreground) {
    ASSERT_HELD(&tty->lock);
    WRITE_ONCE(tty->session, session);
    tty->foreground = foreground;
}

// Other threads of the process may be at other terminals: of two only one becomes its own, and the other is nobody's again.
int tty_take_control(struct tty *tty) {
    struct group_ref group = process_group();
    if (!process_is_session_leader())
        return -EPERM;
    spin_lock(&tty->lock);
    int err = tty->session ? -EPERM : 0;
    if (!err)
        set_session_locked(tty, process_session(), group);
    spin_unlock(&tty->lock);
    if (!err && (err = process_take_tty(tty))) {
        spin_lock(&tty->lock);
        set_session_locked(tty, 0, (struct group_ref){0, 0});
        spin_unlock(&tty->lock);
    }
    return err;
}

// The session loses its terminal before anybody hears of it: whoever gets the signal finds /dev/tty gone.
static void end_session(struct tty *tty, bool hangup, bool cont) {
    spin_lock(&tty->lock);
    pid_t session = tty->session;
    struct group_ref group = tty->foreground;
    set_session_locked(tty, 0, (struct group_ref){0, 0});
    spin_unlock(&tty->lock);
    if (session)
        session_clear_tty(session);
    if (hangup && session && session != group.nr) {
        signal_send_pgrp(session, SIGHUP);
        signal_send_pgrp(session, SIGCONT);
    }
    signal_send_group(&group, SIGHUP);
    if (cont)
        signal_send_group(&group, SIGCONT);
}

void tty_end_session(struct tty *tty, bool cont) {
    end_session(tty, false, cont);
}

static void tty_wake_all(struct tty *tty) {
    wake_poll(&tty->read_wait, 0);
    wake_poll(&tty->write_wait, 0);
}

void tty_hangup(struct tty *tty) {
    __atomic_fetch_add(&tty->generation, 1, __ATOMIC_SEQ_CST);
    tty_input_flush(tty);
    tty_output_flush(tty);
    end_session(tty, true, true);
    tty_wake_all(tty);
}

void tty_hangup_own(void) {
    struct tty *tty = process_tty();
    if (tty)
        tty_hangup(tty);
    tty_put(tty);
}

static void session_leader_exit(struct tty *tty, pid_t session) {
    if (READ_ONCE(tty->session) != session)
        return;
    if (!tty->driver->pty) {
        __atomic_fetch_add(&tty->generation, 1, __ATOMIC_SEQ_CST);
        tty_input_flush(tty);
    }
    end_session(tty, false, false);
    if (!tty->driver->pty)
        tty_wake_all(tty);
}

// ---- files

int tty_open_file(struct tty *tty, struct file *f, bool console, bool may_control) {
    if (READ_ONCE(tty->other_closed))
        return -EIO;
    if (READ_ONCE(tty->exclusive) && !capable(CAP_SYS_ADMIN))
        return -EBUSY;
    struct tty_file *tf = kmalloc(sizeof(*tf));
    if (!tf)
        return -ENOMEM;
    tty_get(tty);
    *tf = (struct tty_file){.tty = tty, .generation = READ_ONCE(tty->generation), .console = console};
    f->private_data = tf;
    f->ops = &tty_ops;
    spin_lock(&tty->lock);
    bool first = tty->files++ == 0;
    spin_unlock(&tty->lock);
    if (first && tty->driver->opened)
        tty->driver->opened(tty);
    if (may_control && !(f->flags & O_NOCTTY) && (f->flags & O_ACCMODE) != O_WRONLY)
        (void)!tty_take_control(tty); // no matter if it is another's, or the caller leads no session
    return 0;
}

static void tty_release(struct file *f) {
    struct tty_file *tf = tty_file(f);
    struct tty *tty = tf->tty;
    spin_lock(&tty->lock);
    bool last = --tty->files == 0;
    if (last)
        tty->exclusive = false;
    spin_unlock(&tty->lock);
    if (last && tty->driver->closed)
        tty->driver->closed(tty);
    kfree(tf);
    tty_put(tty);
}

static ssize_t tty_read(struct file *f, struct uio *u, off_t *pos) {
    struct tty_file *tf = tty_file(f);
    (void)pos;
    if (tty_hung_up(tf) || !u->resid)
        return 0;
    int err = tf->console ? 0 : tty_check_background(tf->tty, SIGTTIN);
    return err ? err : tty_read_input(f, tf->tty, u);
}

static ssize_t tty_write(struct file *f, struct uio *u, off_t *pos) {
    struct tty_file *tf = tty_file(f);
    (void)pos;
    if (tty_hung_up(tf) || READ_ONCE(tf->tty->other_closed))
        return -EIO;
    if (!tf->console && (tf->tty->termios.c_lflag & TOSTOP)) {
        int err = tty_check_background(tf->tty, SIGTTOU);
        if (err)
            return err;
    }
    return tty_write_output(f, tf->tty, u);
}

static unsigned int tty_poll(struct file *f, struct poll_table *table) {
    struct tty_file *tf = tty_file(f);
    struct tty *tty = tf->tty;
    unsigned int events = 0;
    poll_wait(f, &tty->read_wait, table);
    poll_wait(f, &tty->write_wait, table);
    if (tty_hung_up(tf))
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    if (tty_input_ready(tty))
        events |= POLLIN | POLLRDNORM;
    if (READ_ONCE(tty->other_closed))
        events |= POLLHUP;
    else if (tty_output_has_room(tty))
        events |= POLLOUT | POLLWRNORM;
    return events;
}

const struct file_ops tty_ops = {.read = tty_read,
                                 .write = tty_write,
                                 .poll = tty_poll,
                                 .ioctl = tty_ioctl,
                                 .release = tty_release,
                                 .signals = true};

// ---- /dev/tty: the caller's own

static int tty_current_open(struct chrdev *c, struct file *f) {
    (void)c;
    struct tty *tty = process_tty();
    if (!tty)
        return -ENXIO;
    int err = tty_open_file(tty, f, false, false);
    tty_put(tty);
    return err;
}

static struct chrdev tty_current = {.dev = MKDEV(TTYAUX_MAJOR, 0),
                                    .name = "tty",
                                    .driver = "/dev/tty",
                                    .mode = 0666,
                                    .open = tty_current_open,
                                    .ops = &tty_ops};

static const struct session_tty_ops session_ops = {
    .get = tty_get, .put = tty_put, .leader_exit = session_leader_exit, .number = tty_dev};

void tty_init(void) {
    session_set_tty_ops(&session_ops);
    chrdev_register(&tty_current);
    tty_serial_init();
    pty_init();
}
