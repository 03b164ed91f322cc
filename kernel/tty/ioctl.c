// SPDX-License-Identifier: MIT
// The ioctls of terminals: tty_ioctl(2).
#include "arch/riscv/uaccess.h"
#include "lib/string.h"
#include "proc/session.h"
#include "proc/signal.h"
#include "sched/id.h"
#include "tty/private.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/tty.h>

#define CTRL(c) ((c)&0x1f)

const struct ktermios tty_default_termios = {
    .c_iflag = ICRNL | IXON,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = B38400 | CS8 | CREAD | HUPCL | CLOCAL,
    .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .c_cc = {[VINTR] = CTRL('C'),
             [VQUIT] = CTRL('\\'),
             [VERASE] = 0x7f,
             [VKILL] = CTRL('U'),
             [VEOF] = CTRL('D'),
             [VMIN] = 1,
             [VSTART] = CTRL('Q'),
             [VSTOP] = CTRL('S'),
             [VSUSP] = CTRL('Z'),
             [VREPRINT] = CTRL('R'),
             [VDISCARD] = CTRL('O'),
             [VWERASE] = CTRL('W'),
             [VLNEXT] = CTRL('V')},
    .c_ispeed = 38400,
    .c_ospeed = 38400,
};

// ---- speeds: the codes of c_cflag, and numbers

static const unsigned int low_speeds[16] = {0,   50,   75,   110,  134,  150,  200,   300,
                                            600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const unsigned int high_speeds[16] = {0,       57600,   115200,  230400,  460800,  500000,
                                             576000,  921600,  1000000, 1152000, 1500000, 2000000,
                                             2500000, 3000000, 3500000, 4000000};

// The speed that a code (bits of CBAUD) stands for; `other` for BOTHER.
static unsigned int speed_of(unsigned int code, unsigned int other) {
    if (code == BOTHER)
        return other;
    return code & CBAUDEX ? high_speeds[code & 15] : low_speeds[code & 15];
}

static void set_speeds(struct ktermios *t) {
    unsigned int in = t->c_cflag >> IBSHIFT & CBAUD;
    t->c_ospeed = speed_of(t->c_cflag & CBAUD, t->c_ospeed);
    t->c_ispeed = in ? speed_of(in, t->c_ispeed) : t->c_ospeed;
}

// ---- termios

// TCSETS2 and TCGETS2 use struct termios2, which is laid out as the kernel's own; struct termios is its
// beginning.
_Static_assert(sizeof(struct termios2) == sizeof(struct ktermios), "one layout");
_Static_assert(sizeof(struct termio) != sizeof(struct termios) &&
                   sizeof(struct termio) != sizeof(struct termios2),
               "set_termios() tells them apart by their sizes");
_Static_assert(offsetof(struct ktermios, c_ispeed) >= sizeof(struct termios) - 3, "a prefix");

static long get_termios(struct tty *tty, unsigned long arg, size_t size) {
    struct ktermios t;
    spin_lock(&tty->lock);
    t = tty->termios;
    spin_unlock(&tty->lock);
    return put_object_part((void __user *)arg, t, size);
}

// struct termio, System V's: the lower halves of the flags, and the first of the control characters.
static long get_termio(struct tty *tty, unsigned long arg) {
    struct termio old;
    memset(&old, 0, sizeof(old));
    spin_lock(&tty->lock);
    const struct ktermios *t = &tty->termios;
    old.c_iflag = t->c_iflag;
    old.c_oflag = t->c_oflag;
    old.c_cflag = t->c_cflag;
    old.c_lflag = t->c_lflag;
    old.c_line = t->c_line;
    memcpy(old.c_cc, t->c_cc, NCC);
    spin_unlock(&tty->lock);
    return put_object((void __user *)arg, old);
}

static int merge_termio(struct ktermios *t, unsigned long arg) {
    struct termio new;
    if (copy_from_user(&new, (const void __user *)arg, sizeof(new)))
        return -EFAULT;
    t->c_iflag = (t->c_iflag & 0xffff0000) | new.c_iflag;
    t->c_oflag = (t->c_oflag & 0xffff0000) | new.c_oflag;
    t->c_cflag = (t->c_cflag & 0xffff0000) | new.c_cflag;
    t->c_lflag = (t->c_lflag & 0xffff0000) | new.c_lflag;
    t->c_line = new.c_line;
    memcpy(t->c_cc, new.c_cc, NCC);
    return 0;
}

// What is locked stays as it is in `old`.
static void hold_to_lock(struct ktermios *t, const struct ktermios *old, const struct ktermios *locked) {
    t->c_iflag = (t->c_iflag & ~locked->c_iflag) | (old->c_iflag & locked->c_iflag);
    t->c_oflag = (t->c_oflag & ~locked->c_oflag) | (old->c_oflag & locked->c_oflag);
    t->c_cflag = (t->c_cflag & ~locked->c_cflag) | (old->c_cflag & locked->c_cflag);
    t->c_lflag = (t->c_lflag & ~locked->c_lflag) | (old->c_lflag & locked->c_lflag);
    if (locked->c_line)
        t->c_line = old->c_line;
    for (unsigned int i = 0; i < NCCS; i++) {
        if (locked->c_cc[i])
            t->c_cc[i] = old->c_cc[i];
    }
}

// TIOCGLCKTRMIOS, TIOCSLCKTRMIOS: a struct termios whose bits that are set, and characters that are not 0, are locked.
static long get_lock(struct tty *tty, unsigned long arg) {
    struct ktermios t;
    spin_lock(&tty->lock);
    t = tty->locked;
    spin_unlock(&tty->lock);
    return put_object_part((void __user *)arg, t, sizeof(struct termios));
}

static long set_lock(struct tty *tty, unsigned long arg) {
    struct ktermios t = {0};
    if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (copy_from_user(&t, (const void __user *)arg, sizeof(struct termios)))
        return -EFAULT;
    spin_lock(&tty->lock);
    tty->locked = t;
    spin_unlock(&tty->lock);
    return 0;
}

enum when { SET_NOW, SET_DRAINED, SET_FLUSHED };

// Does the terminal stop and go on by ^S and ^Q?
static bool stops_as_usual(const struct ktermios *t) {
    return t->c_iflag & IXON && t->c_cc[VSTOP] == CTRL('S') && t->c_cc[VSTART] == CTRL('Q');
}

static void tell_change(struct tty *tty, const struct ktermios *old, const struct ktermios *new) {
    bool before = stops_as_usual(old), now = stops_as_usual(new);
    unsigned int gone = before == now ? 0 : TIOCPKT_DOSTOP | TIOCPKT_NOSTOP, news = 0;
    if (gone)
        news = now ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP;
    if ((old->c_lflag | new->c_lflag) & EXTPROC)
        news |= TIOCPKT_IOCTL;
    if (news)
        tty_tell(tty, gone, news);
}

static long set_termios(struct file *f, struct tty *tty, unsigned long arg, size_t size, enum when when) {
    struct ktermios t, old;
    long err = tty_check_background(tty, SIGTTOU);
    if (err)
        return err;
    spin_lock(&tty->lock);
    t = tty->termios;
    spin_unlock(&tty->lock);
    if (size == sizeof(struct termio) ? merge_termio(&t, arg)
                                      : copy_from_user(&t, (const void __user *)arg, size))
        return -EFAULT;
    set_speeds(&t);
    if (when != SET_NOW && (err = tty_output_drain(f, tty)))
        return err;
    if (when == SET_FLUSHED) {
        tty_input_flush(tty);
        tty_tell(tty, 0, TIOCPKT_FLUSHREAD);
    }
    spin_lock(&tty->lock);
    old = tty->termios;
    hold_to_lock(&t, &old, &tty->locked);
    tty->termios = t;
    tty_input_mode_changed(tty, &old);
    if (!(t.c_iflag & IXON) && tty->stopped && !tty->stopped_by_ioctl)
        tty_output_start(tty);
    spin_unlock(&tty->lock);
    tell_change(tty, &old, &t);
    tty_run_deferred(tty);
    wake_poll(&tty->read_wait, POLLIN | POLLRDNORM); // what is there may suffice now
    return 0;
}

static long termios_ioctl(struct file *f, struct tty *tty, unsigned int cmd, unsigned long arg) {
    switch (cmd) {
    case TCGETS:
        return get_termios(tty, arg, sizeof(struct termios));
    case TCGETS2:
        return get_termios(tty, arg, sizeof(struct termios2));
    case TCGETA:
        return get_termio(tty, arg);
    case TCSETA:
        return set_termios(f, tty, arg, sizeof(struct termio), SET_NOW);
    case TCSETAW:
        return set_termios(f, tty, arg, sizeof(struct termio), SET_DRAINED);
    case TCSETAF:
        return set_termios(f, tty, arg, sizeof(struct termio), SET_FLUSHED);
    case TCSETS:
        return set_termios(f, tty, arg, sizeof(struct termios), SET_NOW);
    case TCSETSW:
        return set_termios(f, tty, arg, sizeof(struct termios), SET_DRAINED);
    case TCSETSF:
        return set_termios(f, tty, arg, sizeof(struct termios), SET_FLUSHED);
    case TCSETS2:
        return set_termios(f, tty, arg, sizeof(struct termios2), SET_NOW);
    case TCSETSW2:
        return set_termios(f, tty, arg, sizeof(struct termios2), SET_DRAINED);
    case TCSETSF2:
        return set_termios(f, tty, arg, sizeof(struct termios2), SET_FLUSHED);
    case TIOCGLCKTRMIOS:
        return get_lock(tty, arg);
    case TIOCSLCKTRMIOS:
        return set_lock(tty, arg);
    }
    return -ENOTTY;
}

// ---- flow

// A master is not told what it does itself.
static long flush(const struct file *f, struct tty *tty, unsigned long queue) {
    unsigned int news =
        (queue != TCOFLUSH ? TIOCPKT_FLUSHREAD : 0) | (queue != TCIFLUSH ? TIOCPKT_FLUSHWRITE : 0);
    if (queue > TCIOFLUSH)
        return -EINVAL;
    if (queue != TCOFLUSH)
        tty_input_flush(tty);
    if (queue != TCIFLUSH)
        tty_output_flush(tty);
    if (f->ops == &tty_ops)
        tty_tell(tty, 0, news);
    return 0;
}

static long flow(struct tty *tty, unsigned long action) {
    switch (action) {
    case TCOOFF:
        tty_output_stop(tty, true);
        return 0;
    case TCOON:
        tty_output_start(tty);
        break;
    case TCIOFF:
    case TCION:
        tty_put_urgent(tty, tty->termios.c_cc[action == TCIOFF ? VSTOP : VSTART]);
        break;
    default:
        return -EINVAL;
    }
    tty_run_deferred(tty);
    return 0;
}

static long flow_ioctl(struct file *f, struct tty *tty, unsigned int cmd, unsigned long arg) {
    long err = tty_check_background(tty, SIGTTOU);
    if (err)
        return err;
    switch (cmd) {
    case TCSBRK: // nobody sees a break sent; with an argument it is tcdrain()
    case TCSBRKP:
        return tty_output_drain(f, tty);
    case TCXONC:
        return flow(tty, arg);
    default:
        return flush(f, tty, arg);
    }
}

// ---- sessions

static long set_foreground(struct tty *tty, unsigned long arg) {
    pid_t pgrp;
    struct group_ref group;
    int err = tty_check_background(tty, SIGTTOU);
    if (err)
        return err == -EIO ? -ENOTTY : err;
    if (!tty_is_mine(tty) || READ_ONCE(tty->session) != process_session())
        return -ENOTTY;
    if (get_user(pgrp, (const pid_t __user *)arg))
        return -EFAULT;
    if (pgrp < 0)
        return -EINVAL;
    pgrp = pid_from_user(pgrp);
    err = pgrp_check_session(pgrp, process_session(), &group);
    if (err)
        return err;
    spin_lock(&tty->lock);
    tty->foreground = group;
    spin_unlock(&tty->lock);
    return 0;
}

static long take_control(struct tty *tty, unsigned long steal) {
    if (tty_is_mine(tty))
        return 0;
    if (steal == 1 && READ_ONCE(tty->session) && process_is_session_leader() && capable(CAP_SYS_ADMIN)) {
        pid_t session = READ_ONCE(tty->session);
        spin_lock(&tty->lock);
        WRITE_ONCE(tty->session, 0);
        tty->foreground = (struct group_ref){0, 0};
        spin_unlock(&tty->lock);
        session_clear_tty(session);
    }
    return tty_take_control(tty);
}

static long session_ioctl(struct tty *tty, unsigned int cmd, unsigned long arg) {
    switch (cmd) {
    case TIOCSCTTY:
        return take_control(tty, arg);
    case TIOCNOTTY:
        if (!tty_is_mine(tty))
            return -ENOTTY;
        if (process_is_session_leader())
            tty_end_session(tty, true);
        else
            process_give_up_tty();
        return 0;
    case TIOCGPGRP:
        return tty_is_mine(tty) ? put_user(pid_shown(tty_foreground(tty)), (pid_t __user *)arg) : -ENOTTY;
    case TIOCSPGRP:
        return set_foreground(tty, arg);
    default:
        if (!tty_is_mine(tty) || !READ_ONCE(tty->session))
            return -ENOTTY;
        return put_user(pid_shown(READ_ONCE(tty->session)), (pid_t __user *)arg);
    }
}

// ---- the rest

static long set_window(struct tty *tty, unsigned long arg) {
    struct winsize w;
    if (copy_from_user(&w, (const void __user *)arg, sizeof(w)))
        return -EFAULT;
    spin_lock(&tty->lock);
    bool changed = memcmp(&w, &tty->winsize, sizeof(w));
    tty->winsize = w;
    spin_unlock(&tty->lock);
    if (changed)
        tty_signal(tty, SIGWINCH);
    return 0;
}

static long other_ioctl(struct tty *tty, unsigned int cmd, unsigned long arg) {
    int value;
    switch (cmd) {
    case TIOCGWINSZ:
        return put_object((void __user *)arg, tty->winsize);
    case TIOCSWINSZ:
        return set_window(tty, arg);
    case TIOCOUTQ:
        return put_user((int)tty_output_count(tty), (int __user *)arg);
    case FIONREAD:
        return put_user((int)tty_input_count(tty), (int __user *)arg);
    case TIOCGETD:
        return put_user(N_TTY, (int __user *)arg);
    case TIOCSETD:
        if (get_user(value, (const int __user *)arg))
            return -EFAULT;
        return value == N_TTY ? 0 : -EINVAL;
    case TIOCEXCL:
    case TIOCNXCL:
        spin_lock(&tty->lock);
        tty->exclusive = cmd == TIOCEXCL;
        spin_unlock(&tty->lock);
        return 0;
    case TIOCGEXCL:
        return put_user((int)tty->exclusive, (int __user *)arg);
    case TIOCSTI: // a way to take over the terminal's other user: refused, as Linux does by default
        return -EIO;
    case TIOCGDEV:
        return put_user((unsigned int)DEV_ENCODE(tty->dev), (unsigned int __user *)arg);
    case TIOCVHANGUP:
        if (!capable(CAP_SYS_ADMIN))
            return -EPERM;
        tty_hangup(tty);
        return 0;
    }
    return -ENOTTY;
}

long tty_ioctl_on(struct file *f, struct tty *tty, unsigned int cmd, unsigned long arg) {
    switch (cmd) {
    case TCGETS:
    case TCGETS2:
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCGETA:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
    case TIOCGLCKTRMIOS:
    case TIOCSLCKTRMIOS:
        return termios_ioctl(f, tty, cmd, arg);
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
    case TCFLSH:
        return flow_ioctl(f, tty, cmd, arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCGPGRP:
    case TIOCSPGRP:
    case TIOCGSID:
        return session_ioctl(tty, cmd, arg);
    }
    long err = other_ioctl(tty, cmd, arg);
    return err == -ENOTTY && tty->driver->ioctl ? tty->driver->ioctl(tty, cmd, arg) : err;
}

long tty_ioctl(struct file *f, unsigned int cmd, unsigned long arg) {
    struct tty_file *tf = tty_file(f);
    if (tty_hung_up(tf))
        return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
    return tty_ioctl_on(f, tf->tty, cmd, arg);
}
