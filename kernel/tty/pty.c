// SPDX-License-Identifier: MIT
// Pseudoterminals: pty(7), and the file system type "devpts" that names them (/dev/pts/N).
//
// Opening /dev/ptmx makes a pty: the file is its master, and the terminal (the slave) is what others open.
// What the master writes is the terminal's input; what the terminal's output ring holds is what the master
// reads. The master has no line discipline of its own: its termios ioctls are about the terminal.
//
// A pty is in the table while its master is open; its files and inodes hold references to the terminal
// inside.
#include "tty/pty.h"
#include "arch/riscv/uaccess.h"
#include "core/panic.h"
#include "fs/dev/chrdev.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/session.h"
#include "proc/signal.h"
#include "sched/id.h"
#include "tty/private.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/major.h>

#define PTMX_MINOR 2
#define CHUNK      256

struct pty {
    struct tty slave;
    unsigned int index;  // [I]
    bool locked;         // [a] TIOCSPTLCK: the terminal cannot be opened
    bool slave_closed;   // [a] the last file on the terminal has been closed
    bool packet;         // [a] TIOCPKT: what the master reads begins with a byte that says what it is
    unsigned int status; // [a] TIOCPKT_* that the master is yet to hear
    struct wait_queue master_wait; // readers, writers and pollers of the master
    struct pty_owner owner;        // [table_lock]
};

static struct spinlock table_lock = SPINLOCK_INIT;
static struct pty *table[PTY_MAX]; // [table_lock]

static struct pty *pty_of(struct tty *tty) {
    return container_of(tty, struct pty, slave);
}

struct tty *pty_get(unsigned int index) {
    struct tty *tty = NULL;
    spin_lock(&table_lock);
    if (index < PTY_MAX && table[index]) {
        tty = &table[index]->slave;
        tty_get(tty);
    }
    spin_unlock(&table_lock);
    return tty;
}

int pty_next(unsigned int from) {
    spin_lock(&table_lock);
    while (from < PTY_MAX && !table[from])
        from++;
    spin_unlock(&table_lock);
    return from < PTY_MAX ? (int)from : -1;
}

void pty_get_owner(struct tty *tty, struct pty_owner *out) {
    spin_lock(&table_lock);
    *out = pty_of(tty)->owner;
    spin_unlock(&table_lock);
}

void pty_set_owner(struct tty *tty, const struct pty_owner *owner) {
    spin_lock(&table_lock);
    pty_of(tty)->owner = *owner;
    spin_unlock(&table_lock);
}

// ---- the terminal's driver

static void slave_start(struct tty *tty) {
    wake_poll(&pty_of(tty)->master_wait, POLLIN | POLLRDNORM);
}

static void slave_unthrottle(struct tty *tty) {
    wake_poll(&pty_of(tty)->master_wait, POLLOUT | POLLWRNORM);
}

static void slave_opened(struct tty *tty) {
    WRITE_ONCE(pty_of(tty)->slave_closed, false);
}

static void slave_closed(struct tty *tty) {
    WRITE_ONCE(pty_of(tty)->slave_closed, true);
    wake_poll(&pty_of(tty)->master_wait, 0);
}

static void slave_tell(struct tty *tty, unsigned int gone, unsigned int news) {
    struct pty *p = pty_of(tty);
    if (likely(!READ_ONCE(p->packet)))
        return;
    __atomic_fetch_and(&p->status, ~gone, __ATOMIC_RELAXED);
    __atomic_fetch_or(&p->status, news, __ATOMIC_RELEASE);
    wake_poll(&p->master_wait, POLLIN | POLLRDNORM | POLLPRI);
}

static void pty_free(struct tty *tty) {
    tty_free_buffers(tty);
    kfree(pty_of(tty));
}

static const struct tty_driver slave_driver = {.name = "pty_slave",
                                               .pty = true,
                                               .start = slave_start,
                                               .unthrottle = slave_unthrottle,
                                               .tell = slave_tell,
                                               .opened = slave_opened,
                                               .closed = slave_closed,
                                               .release = pty_free};

static int slave_open(struct chrdev *c, struct file *f) {
    struct tty *tty = pty_get(f->inode->rdev - c->dev);
    if (!tty)
        return -EIO;
    int err = READ_ONCE(pty_of(tty)->locked) ? -EIO : tty_open_file(tty, f, false, true);
    tty_put(tty);
    return err;
}

// ---- the master

static bool master_writable(struct pty *p) {
    return !READ_ONCE(p->slave.throttled) ||
           READ_ONCE(p->slave.head) - READ_ONCE(p->slave.tail) <= TTY_INPUT_SIZE / 2;
}

// Packet mode (ioctl_tty(2)): something has happened that the master is to hear.
static bool master_has_news(struct pty *p) {
    return READ_ONCE(p->packet) && READ_ONCE(p->status);
}

static bool master_readable(struct pty *p) {
    return tty_output_ready(&p->slave) || master_has_news(p);
}

static ssize_t put_byte(struct uio *u, unsigned int byte) {
    char c = (char)byte;
    return uio_put_object(u, c) ? 1 : -EFAULT;
}

// The byte that a packet begins with. 1: there was one, alone if *alone; 0: there is nothing; -EFAULT.
static ssize_t begin_packet(struct pty *p, struct uio *u, bool *alone) {
    unsigned int status = __atomic_exchange_n(&p->status, 0, __ATOMIC_ACQUIRE);
    *alone = status;
    return status || tty_output_ready(&p->slave) ? put_byte(u, status ? status : TIOCPKT_DATA) : 0;
}

static ssize_t master_read(struct file *f, struct uio *u, off_t *pos) {
    struct pty *p = f->private_data;
    char chunk[CHUNK];
    ssize_t done = 0;
    (void)pos;
    while (u->resid) {
        if (unlikely(READ_ONCE(p->packet)) && !done) {
            bool alone;
            done = begin_packet(p, u, &alone);
            if (done < 0 || alone)
                return done;
        }
        size_t n = tty_output_take(&p->slave, chunk, MIN(u->resid, sizeof(chunk)));
        if (n && uio_write_to(u, chunk, n) != n)
            return done ? done : -EFAULT;
        done += n;
        if (n && !cond_resched_killable())
            continue;
        if (done)
            break;
        if (READ_ONCE(p->slave_closed))
            return -EIO;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int err = wait_event_interruptible(&p->master_wait, master_readable(p) || READ_ONCE(p->slave_closed));
        if (err)
            return err;
    }
    return done;
}

// Hands n bytes to the terminal, waiting while it takes none. How many went before *err.
static size_t master_feed(struct file *f, struct pty *p, const char *text, size_t n, int *err) {
    size_t done = 0;
    for (;;) {
        done += tty_input(&p->slave, text + done, n - done);
        if (done == n || *err)
            return done;
        *err =
            f->flags & O_NONBLOCK ? -EAGAIN : wait_event_interruptible(&p->master_wait, master_writable(p));
        if (*err)
            return done;
    }
}

static ssize_t master_write(struct file *f, struct uio *u, off_t *pos) {
    struct pty *p = f->private_data;
    char chunk[CHUNK];
    ssize_t done = 0;
    int err = 0;
    (void)pos;
    while (u->resid && !err) {
        size_t n = uio_read_from(u, chunk, MIN(u->resid, sizeof(chunk)));
        if (!n)
            err = -EFAULT;
        else
            done += master_feed(f, p, chunk, n, &err);
        if (!err)
            err = cond_resched_killable();
    }
    return done ? done : err;
}

static unsigned int master_poll(struct file *f, struct poll_table *table) {
    struct pty *p = f->private_data;
    unsigned int events = 0;
    poll_wait(f, &p->master_wait, table);
    if (master_readable(p))
        events |= POLLIN | POLLRDNORM;
    if (master_has_news(p))
        events |= POLLPRI;
    if (READ_ONCE(p->slave_closed))
        events |= POLLHUP;
    if (master_writable(p))
        events |= POLLOUT | POLLWRNORM;
    return events;
}

// TIOCGPTPEER: the terminal as a file, whatever has its name in the caller's tree.
static long open_peer(struct file *f, struct pty *p, unsigned int flags) {
    if (READ_ONCE(p->locked))
        return -EIO;
    return devpts_open(&f->path, p->index, flags);
}

static long send_signal(struct pty *p, unsigned long sig) {
    if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
        return -EINVAL;
    tty_signal(&p->slave, (int)sig);
    return 0;
}

static long set_packet_mode(struct pty *p, const int __user *arg) {
    int on;
    if (get_user(on, arg))
        return -EFAULT;
    if (on && !READ_ONCE(p->packet))
        __atomic_store_n(&p->status, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&p->packet, on != 0, __ATOMIC_RELEASE);
    return 0;
}

static long master_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct pty *p = f->private_data;
    int value;
    switch (cmd) {
    case TIOCGPTN:
        return put_user(p->index, (unsigned int __user *)arg);
    case TIOCSPTLCK:
        if (get_user(value, (const int __user *)arg))
            return -EFAULT;
        WRITE_ONCE(p->locked, value != 0);
        return 0;
    case TIOCGPTLCK:
        return put_user((int)p->locked, (int __user *)arg);
    case TIOCPKT:
        return set_packet_mode(p, (const int __user *)arg);
    case TIOCGPKT:
        return put_user((int)p->packet, (int __user *)arg);
    case TIOCGPTPEER:
        return open_peer(f, p, arg);
    case TIOCSIG:
        return send_signal(p, arg);
    case FIONREAD:
        return put_user((int)tty_output_ready(&p->slave), (int __user *)arg);
    case TIOCOUTQ:
        return put_user((int)tty_input_count(&p->slave), (int __user *)arg);
    case TCFLSH: // the master's input is the terminal's output
        if (arg == TCIFLUSH || arg == TCOFLUSH)
            arg = arg == TCIFLUSH ? TCOFLUSH : TCIFLUSH;
        break;
    case TIOCGPGRP: // the holder of the master may know, though it is not its terminal
        return put_user(pid_shown(tty_foreground(&p->slave)), (pid_t __user *)arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
        return -ENOTTY;
    }
    return tty_ioctl_on(f, &p->slave, cmd, arg);
}

static void master_release(struct file *f) {
    struct pty *p = f->private_data;
    spin_lock(&table_lock);
    table[p->index] = NULL;
    spin_unlock(&table_lock);
    WRITE_ONCE(p->slave.other_closed, true);
    tty_hangup(&p->slave);
    tty_put(&p->slave);
}

static size_t master_describe(struct file *f, uint64_t *at, char *line, size_t n) {
    const struct pty *p = f->private_data;
    if ((*at)++)
        return 0;
    return (size_t)lib_snprintf(line, n, "tty-index:\t%u\n", p->index);
}

static const struct file_ops master_ops = {.read = master_read,
                                           .write = master_write,
                                           .poll = master_poll,
                                           .ioctl = master_ioctl,
                                           .describe = master_describe,
                                           .release = master_release,
                                           .signals = true};

// Puts p into the first free place of the table. False if there is none.
static bool pty_register(struct pty *p) {
    unsigned int i = 0;
    spin_lock(&table_lock);
    while (i < PTY_MAX && table[i])
        i++;
    if (i < PTY_MAX) {
        p->index = i;
        p->slave.dev += i;
        table[i] = p;
    }
    spin_unlock(&table_lock);
    return i < PTY_MAX;
}

static int master_open(struct chrdev *c, struct file *f) {
    (void)c;
    struct pty *p = kzalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    if (tty_setup(&p->slave, &slave_driver, MKDEV(UNIX98_PTY_SLAVE_MAJOR, 0))) {
        kfree(p);
        return -ENOMEM;
    }
    p->locked = true;
    devpts_new_owner(&p->owner);
    wait_queue_init(&p->master_wait);
    if (!pty_register(p)) {
        pty_free(&p->slave);
        return -ENOSPC;
    }
    f->private_data = p;
    return 0;
}

static struct chrdev ptmx = {.dev = MKDEV(TTYAUX_MAJOR, PTMX_MINOR),
                             .name = "ptmx",
                             .driver = "/dev/ptmx",
                             .mode = 0666,
                             .open = master_open,
                             .ops = &master_ops};
static struct chrdev slaves = {.dev = MKDEV(UNIX98_PTY_SLAVE_MAJOR, 0),
                               .minors = PTY_MAX,
                               .driver = "pts",
                               .open = slave_open,
                               .ops = &tty_ops};

void pty_init(void) {
    chrdev_register(&ptmx);
    chrdev_register(&slaves);
    devpts_init();
}
