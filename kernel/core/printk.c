// SPDX-License-Identifier: MIT
// The kernel's log.
//
// A ring of bytes holds records: a header, then the text. `first` and `last` are positions that only grow; a
// record's place is its position modulo the ring's size. A new record drops old ones until it has room. A
// console has its own position, so that what was logged before it registered comes out then, at once and not
// character by character through the firmware.
#include "core/printk.h"
#include "core/spinlock.h"
#include "lib/format.h"
#include "lib/string.h"

#define RING_SIZE 65536 // a power of two
#define LINE_MAX  480

struct record {
    uint64_t ticks; // rdtime
    uint64_t seq;
    uint16_t length; // of the text
    uint8_t level;
    uint8_t pad[5];
};

int console_loglevel = LOG_DEBUG;

static struct spinlock log_lock;
static char ring[RING_SIZE];
static uint64_t first, last, next_seq; // [log_lock]
static struct console *console;        // [log_lock]
static uint64_t console_pos;           // [log_lock]

static void ring_copy_in(uint64_t pos, const void *from, size_t n) {
    size_t at = pos % RING_SIZE, head = MIN(n, RING_SIZE - at);
    memcpy(ring + at, from, head);
    memcpy(ring, (const char *)from + head, n - head);
}

static void ring_copy_out(void *to, uint64_t pos, size_t n) {
    size_t at = pos % RING_SIZE, head = MIN(n, RING_SIZE - at);
    memcpy(to, ring + at, head);
    memcpy((char *)to + head, ring, n - head);
}

static struct record record_at(uint64_t pos) {
    struct record r;
    ring_copy_out(&r, pos, sizeof(r));
    return r;
}

static uint64_t record_after(uint64_t pos, const struct record *r) {
    return pos + ALIGN_UP(sizeof(*r) + r->length, 8ul);
}

static int format_stamp(char *buf, size_t n, const struct record *r) {
    uint64_t us = timebase_frequency ? (unsigned __int128)r->ticks * 1000000 / timebase_frequency : 0;
    return lib_snprintf(buf, n, "[%5lu.%06lu] ", (unsigned long)(us / 1000000),
                        (unsigned long)(us % 1000000));
}

// Copies a message for the console, where only printable ASCII may go: names in it may hold anything, and
// `drupe run` tells the log from what programs write by the top bit. Others become \xNN, as in /dev/kmsg.
static size_t make_visible(char *to, const char *from, size_t n) {
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)from[i];
        if ((c >= ' ' && c < 0x7f) || c == '\t' || c == '\n')
            to[used++] = (char)c;
        else
            used += (size_t)lib_snprintf(to + used, 5, "\\x%02x", c);
    }
    return used;
}

// What has not been on the console yet.
static void console_flush(void) {
    static char line[4 * LINE_MAX + 40]; // [log_lock]
    char text[LINE_MAX];
    if (console_pos < first)
        console_pos = first;
    while (console && console_pos < last) {
        struct record r = record_at(console_pos);
        if (r.level < console_loglevel) {
            int n = format_stamp(line, sizeof(line), &r);
            ring_copy_out(text, console_pos + sizeof(r), r.length);
            n += (int)make_visible(line + n, text, r.length);
            line[n] = '\n';
            console->write(line, (size_t)n + 1);
        }
        console_pos = record_after(console_pos, &r);
    }
}

static void append(enum log_level level, const char *text, size_t n) {
    struct record r = {.ticks = rdtime(), .seq = next_seq++, .length = n, .level = level};
    uint64_t end = record_after(last, &r);
    while (end - first > RING_SIZE) {
        struct record old = record_at(first);
        first = record_after(first, &old);
    }
    ring_copy_in(last, &r, sizeof(r));
    ring_copy_in(last + sizeof(r), text, n);
    last = end;
}

void printk(enum log_level level, const char *fmt, ...) {
    char line[LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = lib_vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n >= LINE_MAX)
        n = LINE_MAX - 1;
    unsigned long flags = spin_lock_irqsave(&log_lock);
    append(level, line, n);
    console_flush();
    spin_unlock_irqrestore(&log_lock, flags);
}

void console_register(struct console *c) {
    unsigned long flags = spin_lock_irqsave(&log_lock);
    console = c;
    console_flush();
    spin_unlock_irqrestore(&log_lock, flags);
}

bool console_registered(void) {
    return READ_ONCE(console) != NULL;
}

void printk_panic_unlock(void) {
    spin_init(&log_lock);
}

static uint64_t find_seq(uint64_t seq) {
    uint64_t pos = first;
    while (pos < last) {
        struct record r = record_at(pos);
        if (r.seq >= seq)
            break;
        pos = record_after(pos, &r);
    }
    return pos;
}

size_t log_read(uint64_t *seq, char *buf, size_t n) {
    size_t done = 0;
    unsigned long flags = spin_lock_irqsave(&log_lock);
    for (uint64_t pos = find_seq(*seq); pos < last;) {
        char line[LINE_MAX + 48];
        struct record r = record_at(pos);
        size_t length = lib_snprintf(line, sizeof(line), "<%d>", r.level);
        length += format_stamp(line + length, sizeof(line) - length, &r);
        ring_copy_out(line + length, pos + sizeof(r), r.length);
        length += r.length;
        line[length++] = '\n';
        if (length > n - done) {
            if (done || !n)
                break;
            length = n;
        }
        memcpy(buf + done, line, length);
        done += length;
        *seq = r.seq + 1;
        pos = record_after(pos, &r);
    }
    spin_unlock_irqrestore(&log_lock, flags);
    return done;
}

unsigned long dmesg_restrict = 1; // as on Debian

uint64_t log_next_seq(void) {
    return READ_ONCE(next_seq);
}

size_t log_size(void) {
    return 2 * RING_SIZE; // the stamp is at most as long as a record's header and the shortest text
}
