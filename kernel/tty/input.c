// SPDX-License-Identifier: MIT
// The input side of the line discipline (termios(3), c_iflag, c_lflag, c_cc): editing of lines, echo, the
// characters that send signals and hold output, and the four ways of reading without lines.
//
// In canonical mode the bytes from `canon` to `head` are the line being edited, those from `tail` to `canon`
// are whole lines. The last byte of a line is marked; a marked 0 byte is an end-of-file character, which
// readers do not see.
//
// Everything that may call out (signals, starting output) is noted under the lock and done after it.
#include "tty/private.h"
#include "lib/string.h"
#include "proc/session.h"
#include "proc/signal.h"
#include <asm/signal.h>
#include <linux/fcntl.h>

#define CHUNK       256
#define INPUT_HIGH  (TTY_INPUT_SIZE * 3 / 4) // IXOFF: ask for a stop
#define INPUT_LOW   (TTY_INPUT_SIZE / 4)     // and for a start
#define DECISECOND  100000000l               // ns, the unit of VTIME
#define END_OF_FILE '\0'

static bool is_cc(const struct tty *tty, unsigned char c, int which) {
    return c && c == tty->termios.c_cc[which];
}
static bool iflag(const struct tty *tty, unsigned int flag) {
    return tty->termios.c_iflag & flag;
}
static bool lflag(const struct tty *tty, unsigned int flag) {
    return tty->termios.c_lflag & flag;
}
static bool is_control(unsigned char c) {
    return c < ' ' || c == 0x7f;
}
static bool is_word(unsigned char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 0x80;
}
static bool is_continuation(const struct tty *tty, unsigned char c) {
    return iflag(tty, IUTF8) && (c & 0xc0) == 0x80;
}

// ---- the ring [l]

static unsigned char input_at(const struct tty *tty, unsigned int i) {
    return tty->input[i % TTY_INPUT_SIZE];
}

static bool is_marked(const struct tty *tty, unsigned int i) {
    i %= TTY_INPUT_SIZE;
    return tty->marks[i / 64] >> i % 64 & 1;
}

static void put_input(struct tty *tty, unsigned char c, bool mark) {
    ASSERT_HELD(&tty->lock);
    unsigned int i = tty->head % TTY_INPUT_SIZE;
    tty->input[i] = c;
    tty->marks[i / 64] = (tty->marks[i / 64] & ~(1ul << i % 64)) | (uint64_t)mark << i % 64;
    tty->head++;
}

static void put_line_end(struct tty *tty, unsigned char c) {
    put_input(tty, c, true);
    tty->canon = tty->head;
}

// Whether another byte may be looked at. A full buffer without a line in it takes more, so that the line's
// end is seen, but keeps none of it.
static bool may_take(const struct tty *tty) {
    return tty->head - tty->tail < TTY_INPUT_SIZE - 1 || (lflag(tty, ICANON) && tty->canon == tty->tail);
}

// ---- echo

static void echo_control(struct tty *tty, unsigned char c) {
    if (!lflag(tty, ECHOCTL) || !is_control(c) || c == '\t') {
        tty_echo(tty, c);
        return;
    }
    char text[2] = {'^', c ^ 0100};
    tty_echo_raw(tty, text, 2);
}

static void echo_input(struct tty *tty, unsigned char c) {
    if (!lflag(tty, ECHO))
        return;
    if (tty->head == tty->canon)
        tty_echo_mark_line(tty);
    if (c == '\n')
        tty_echo(tty, c);
    else
        echo_control(tty, c);
}

// ---- editing

// Takes a tab back: it went from the column after what precedes it in the line to the next multiple of 8.
static void echo_erase_tab(struct tty *tty) {
    unsigned int column = 0, i = tty->head;
    bool after_tab = false;
    while (i != tty->canon && !after_tab) {
        unsigned char c = input_at(tty, --i);
        if (c == '\t')
            after_tab = true;
        else if (is_control(c))
            column += lflag(tty, ECHOCTL) ? 2 : 0;
        else
            column += !is_continuation(tty, c);
    }
    if (!after_tab)
        column += tty->line_column;
    for (unsigned int n = 8 - (column & 7); n; n--)
        tty_echo_raw(tty, "\b", 1);
}

static void echo_erase(struct tty *tty, unsigned char c) {
    if (c == '\t') {
        echo_erase_tab(tty);
        return;
    }
    if (is_control(c) && lflag(tty, ECHOCTL))
        tty_echo_raw(tty, "\b \b", 3);
    if (!is_control(c) || lflag(tty, ECHOCTL))
        tty_echo_raw(tty, "\b \b", 3);
}

// Removes the last character, which may be of several bytes. Returns its first byte, or -1 if there is no
// whole one.
static int erase_character(struct tty *tty) {
    unsigned int i = tty->head;
    unsigned char c;
    do
        c = input_at(tty, --i);
    while (is_continuation(tty, c) && i != tty->canon);
    if (is_continuation(tty, c))
        return -1;
    tty->head = i;
    return c;
}

static void erase_one(struct tty *tty, unsigned char key) {
    if (tty->head == tty->canon)
        return;
    int c = erase_character(tty);
    if (c < 0 || !lflag(tty, ECHO))
        return;
    if (lflag(tty, ECHOE))
        echo_erase(tty, c);
    else
        echo_control(tty, key);
}

static void erase_word(struct tty *tty) {
    bool in_word = false;
    while (tty->head != tty->canon) {
        unsigned char last = input_at(tty, tty->head - 1);
        if (in_word && !is_word(last))
            break;
        in_word |= is_word(last);
        int c = erase_character(tty);
        if (c < 0)
            break;
        if (lflag(tty, ECHO))
            echo_erase(tty, c);
    }
}

static void erase_line(struct tty *tty, unsigned char key) {
    if (lflag(tty, ECHO) && lflag(tty, ECHOK) && lflag(tty, ECHOKE) && lflag(tty, ECHOE)) {
        while (tty->head != tty->canon) {
            int c = erase_character(tty);
            if (c < 0)
                break;
            echo_erase(tty, c);
        }
        return;
    }
    tty->head = tty->canon;
    if (lflag(tty, ECHO)) {
        echo_control(tty, key);
        if (lflag(tty, ECHOK))
            tty_echo(tty, '\n');
    }
}

static void reprint_line(struct tty *tty, unsigned char key) {
    echo_control(tty, key);
    tty_echo(tty, '\n');
    tty_echo_mark_line(tty);
    for (unsigned int i = tty->canon; i != tty->head && tty_output_echoes(tty); i++)
        echo_control(tty, input_at(tty, i));
}

// ---- one byte [l]

static void input_signal(struct tty *tty, unsigned char c, int sig) {
    if (!lflag(tty, NOFLSH)) {
        tty_output_flush(tty);
        tty->tail = tty->canon = tty->head;
        tty_tell(tty, 0, TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE);
    }
    if (iflag(tty, IXON))
        tty_output_start(tty);
    if (lflag(tty, ECHO))
        echo_control(tty, c);
    tty->signals |= 1u << sig;
}

// Flow control and signals. True if c was such a character.
static bool input_special(struct tty *tty, unsigned char c) {
    bool flow = iflag(tty, IXON) && (is_cc(tty, c, VSTART) || is_cc(tty, c, VSTOP));
    int sig = 0;
    if (lflag(tty, ISIG) && !flow)
        sig = is_cc(tty, c, VINTR)   ? SIGINT
              : is_cc(tty, c, VQUIT) ? SIGQUIT
              : is_cc(tty, c, VSUSP) ? SIGTSTP
                                     : 0;
    if (flow) {
        if (is_cc(tty, c, VSTART))
            tty_output_start(tty);
        else
            tty_output_stop(tty, false);
    } else if (sig) {
        input_signal(tty, c, sig);
    } else if (iflag(tty, IXON) && iflag(tty, IXANY) && tty->stopped && !tty->stopped_by_ioctl) {
        tty_output_start(tty);
    }
    return flow || sig;
}

// The keys of canonical mode. True if c was one.
static bool input_edit(struct tty *tty, unsigned char c) {
    bool extended = lflag(tty, IEXTEN);
    if (is_cc(tty, c, VERASE)) {
        erase_one(tty, c);
    } else if (is_cc(tty, c, VKILL)) {
        erase_line(tty, c);
    } else if (extended && is_cc(tty, c, VWERASE)) {
        erase_word(tty);
    } else if (extended && is_cc(tty, c, VLNEXT)) {
        tty->literal_next = true;
        if (lflag(tty, ECHO) && lflag(tty, ECHOCTL))
            tty_echo_raw(tty, "^\b", 2);
    } else if (extended && lflag(tty, ECHO) && is_cc(tty, c, VREPRINT)) {
        reprint_line(tty, c);
    } else if (c == '\n') {
        if (lflag(tty, ECHO) || lflag(tty, ECHONL))
            tty_echo(tty, c);
        put_line_end(tty, c);
    } else if (is_cc(tty, c, VEOF)) {
        put_line_end(tty, END_OF_FILE);
    } else if (is_cc(tty, c, VEOL) || (extended && is_cc(tty, c, VEOL2))) {
        echo_input(tty, c);
        put_line_end(tty, c);
    } else {
        return false;
    }
    return true;
}

static void input_plain(struct tty *tty, unsigned char c) {
    if (tty->head - tty->tail >= TTY_INPUT_SIZE - 1) {
        if (iflag(tty, IMAXBEL))
            tty_echo_raw(tty, "\a", 1);
        return;
    }
    echo_input(tty, c);
    put_input(tty, c, false);
}

static void input_byte(struct tty *tty, unsigned char c) {
    ASSERT_HELD(&tty->lock);
    if (iflag(tty, ISTRIP))
        c &= 0x7f;
    if (iflag(tty, IUCLC) && lflag(tty, IEXTEN) && c >= 'A' && c <= 'Z')
        c |= 32;
    if (tty->literal_next) {
        tty->literal_next = false;
        input_plain(tty, c);
        return;
    }
    if (input_special(tty, c))
        return;
    if (c == '\r') {
        if (iflag(tty, IGNCR))
            return;
        if (iflag(tty, ICRNL))
            c = '\n';
    } else if (c == '\n' && iflag(tty, INLCR)) {
        c = '\r';
    }
    if (!lflag(tty, ICANON) || !input_edit(tty, c))
        input_plain(tty, c);
}

// ---- from the device

void tty_run_deferred(struct tty *tty) {
    spin_lock(&tty->lock);
    unsigned int signals = tty->signals;
    bool start = tty->want_start;
    tty->signals = 0;
    tty->want_start = false;
    spin_unlock(&tty->lock);
    if (start)
        tty->driver->start(tty);
    for (int sig = 1; signals >> sig; sig++)
        if (signals >> sig & 1)
            tty_signal(tty, sig);
}

// Bytes that a reader would get now. [l] or as a hint
static unsigned int available(const struct tty *tty) {
    unsigned int end = lflag(tty, ICANON) ? READ_ONCE(tty->canon) : READ_ONCE(tty->head);
    return end - READ_ONCE(tty->tail);
}

static void check_input_flow(struct tty *tty) {
    unsigned int held = tty->head - tty->tail;
    bool stop = tty->sent_stop ? held > INPUT_LOW : held >= INPUT_HIGH;
    if (!iflag(tty, IXOFF) || stop == tty->sent_stop)
        return;
    tty->sent_stop = stop;
    tty_put_urgent(tty, tty->termios.c_cc[stop ? VSTOP : VSTART]);
}

size_t tty_input(struct tty *tty, const char *text, size_t n) {
    size_t i = 0;
    spin_lock(&tty->lock);
    for (; i < n && may_take(tty); i++)
        input_byte(tty, text[i]);
    tty->throttled = i < n;
    check_input_flow(tty);
    bool wake = available(tty) != 0, deferred = tty->signals || tty->want_start;
    spin_unlock(&tty->lock);
    if (deferred)
        tty_run_deferred(tty);
    if (wake && !wait_queue_empty(&tty->read_wait))
        wake_poll(&tty->read_wait, POLLIN | POLLRDNORM);
    return i;
}

// ---- to readers

bool tty_input_ready(struct tty *tty) {
    unsigned int least = 1;
    if (!lflag(tty, ICANON) && !tty->termios.c_cc[VTIME] && tty->termios.c_cc[VMIN])
        least = tty->termios.c_cc[VMIN];
    return available(tty) >= least;
}

unsigned int tty_input_count(struct tty *tty) {
    spin_lock(&tty->lock);
    unsigned int n = available(tty);
    if (lflag(tty, ICANON))
        for (unsigned int i = tty->tail; i != tty->canon; i++)
            n -= is_marked(tty, i) && input_at(tty, i) == END_OF_FILE;
    spin_unlock(&tty->lock);
    return n;
}

void tty_input_flush(struct tty *tty) {
    spin_lock(&tty->lock);
    tty->tail = tty->canon = tty->head;
    tty->literal_next = false;
    bool throttled = tty->throttled;
    spin_unlock(&tty->lock);
    if (throttled)
        tty->driver->unthrottle(tty);
}

void tty_input_mode_changed(struct tty *tty, const struct ktermios *old) {
    if (!((old->c_lflag ^ tty->termios.c_lflag) & ICANON))
        return;
    tty->literal_next = false;
    if (!lflag(tty, ICANON))
        return;
    // What came without lines counts as one.
    if (tty->head != tty->tail) {
        unsigned int last = (tty->head - 1) % TTY_INPUT_SIZE;
        memset(tty->marks, 0, TTY_INPUT_SIZE / 8);
        if (tty->input[last] != END_OF_FILE)
            tty->marks[last / 64] |= 1ul << last % 64;
    }
    tty->canon = tty->head;
}

// Moves bytes of at most one line to buf. *line_over: the line ended, or the end-of-file character came. [l]
static size_t take_line(struct tty *tty, char *buf, size_t n, bool *line_over) {
    ASSERT_HELD(&tty->lock);
    size_t done = 0;
    *line_over = false;
    while (tty->tail != tty->canon && !*line_over) {
        unsigned char c = input_at(tty, tty->tail);
        bool marked = is_marked(tty, tty->tail), eof = marked && c == END_OF_FILE;
        if (done == n && !eof)
            break;
        tty->tail++;
        *line_over = marked;
        if (!eof)
            buf[done++] = c;
    }
    return done;
}

static size_t take_raw(struct tty *tty, char *buf, size_t n) {
    ASSERT_HELD(&tty->lock);
    size_t done = 0;
    while (done < n && tty->tail != tty->head) {
        unsigned int at = tty->tail % TTY_INPUT_SIZE;
        size_t part = MIN(MIN(tty->head - tty->tail, TTY_INPUT_SIZE - at), n - done);
        memcpy(buf + done, tty->input + at, part);
        tty->tail += part;
        done += part;
    }
    return done;
}

// Moves what is there to the reader. Bytes, -EFAULT; *over: the read is complete whatever it got.
static ssize_t copy_input(struct tty *tty, struct uio *u, bool *over) {
    char chunk[CHUNK];
    ssize_t done = 0;
    *over = false;
    while (!*over) {
        spin_lock(&tty->lock);
        bool canonical = lflag(tty, ICANON);
        size_t want = MIN(u->resid, sizeof(chunk)), n;
        n = canonical ? take_line(tty, chunk, want, over) : take_raw(tty, chunk, want);
        check_input_flow(tty);
        bool throttled = tty->throttled && tty->head - tty->tail <= TTY_INPUT_SIZE / 2,
             deferred = tty->want_start;
        spin_unlock(&tty->lock);
        if (throttled)
            tty->driver->unthrottle(tty);
        if (deferred)
            tty_run_deferred(tty);
        if (n && uio_write_to(u, chunk, n) != n)
            return done ? done : -EFAULT;
        done += n;
        if (!n || !u->resid)
            break;
    }
    return done;
}

// How a read waits, by the mode at its start: for `least` bytes (canonical: for a line) until the time is up;
// `between` is allowed between two bytes once one has come.
struct read_wait {
    unsigned int least;
    ktime_t deadline, between;
};

static struct read_wait read_wait_of(const struct tty *tty, size_t n) {
    struct read_wait w = {.least = 1, .deadline = KTIME_NEVER, .between = 0};
    if (lflag(tty, ICANON))
        return w;
    ktime_t time = tty->termios.c_cc[VTIME] * DECISECOND;
    unsigned int min = tty->termios.c_cc[VMIN];
    if (min) {
        w.least = MIN((size_t)min, n);
        w.between = time;
    } else {
        w.deadline = clock_monotonic() + time;
    }
    return w;
}

ssize_t tty_read_input(struct file *f, struct tty *tty, struct uio *u) {
    struct tty_file *tf = tty_file(f);
    ssize_t done = 0, err = 0;
    if (mutex_lock_killable(&tty->read_mutex))
        return -ERESTARTSYS;
    struct read_wait w = read_wait_of(tty, u->resid);
    for (;;) {
        bool over;
        ssize_t n = copy_input(tty, u, &over);
        if (n < 0)
            err = n;
        else
            done += n;
        if (n < 0 || over || (size_t)done >= w.least || !u->resid || tty_hung_up(tf) ||
            READ_ONCE(tty->other_closed))
            break;
        if (f->flags & O_NONBLOCK) {
            err = -EAGAIN;
            break;
        }
        if (n && w.between)
            w.deadline = clock_monotonic() + w.between;
        err = wait_event_interruptible_deadline(
            &tty->read_wait, available(tty) || tty_hung_up(tf) || READ_ONCE(tty->other_closed), w.deadline);
        if (err)
            break;
    }
    mutex_unlock(&tty->read_mutex);
    return done ? done : err == -ETIME ? 0 : err;
}
