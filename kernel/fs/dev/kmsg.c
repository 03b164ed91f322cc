// SPDX-License-Identifier: MIT
// /dev/kmsg: the log as records (Linux's Documentation/ABI/testing/dev-kmsg).
#include "core/cred.h"
#include "core/printk.h"
#include "fs/dev/chrdev.h"
#include "fs/event/poll.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/major.h>

#define KMSG_BUFFER 4096
#define KMSG_LINE   1024
#define KMSG_TICK   (200 * 1000000l) // ns

// Logging happens with any lock held and cannot wake anybody. While readers wait, a timer looks for new
// lines.
static struct wait_queue kmsg_wait = WAIT_QUEUE_INIT(kmsg_wait);
static struct spinlock kmsg_timer_lock = SPINLOCK_INIT; // of arming; taken with interrupts disabled
static uint64_t kmsg_seen; // [kmsg_timer_lock] lines that were there at the last look

static void kmsg_tick(struct timer *t);
static struct timer kmsg_timer = {.callback = kmsg_tick};

static void kmsg_tick(struct timer *t) {
    unsigned long flags = spin_lock_irqsave(&kmsg_timer_lock);
    bool news = log_next_seq() != kmsg_seen;
    kmsg_seen = log_next_seq();
    if (!wait_queue_empty(&kmsg_wait))
        timer_arm(t, clock_monotonic() + KMSG_TICK);
    spin_unlock_irqrestore(&kmsg_timer_lock, flags);
    if (news)
        wake_poll(&kmsg_wait, POLLIN | POLLRDNORM);
}

// Called by whoever is about to wait, before it looks for lines.
static void kmsg_watch(void) {
    unsigned long flags = spin_lock_irqsave(&kmsg_timer_lock);
    if (!timer_is_armed(&kmsg_timer)) {
        kmsg_seen = log_next_seq();
        timer_arm(&kmsg_timer, clock_monotonic() + KMSG_TICK);
    }
    spin_unlock_irqrestore(&kmsg_timer_lock, flags);
}

// One reader. `text` holds formatted lines of which those from `at` on have not been read; `seq` is the
// number of the first of them, `next` of the first not fetched.
struct kmsg_reader {
    struct mutex lock;
    uint64_t seq, next;
    size_t at, len;
    char text[KMSG_BUFFER];
};

static int kmsg_open(struct chrdev *c, struct file *f) {
    (void)c;
    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return 0;
    if (READ_ONCE(dmesg_restrict) && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    struct kmsg_reader *r = kzalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    mutex_init(&r->lock);
    f->private_data = r;
    return 0;
}

static void kmsg_release(struct file *f) {
    kfree(f->private_data);
}

static unsigned int count_lines(const char *text, size_t n) {
    unsigned int lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

// Fetches more lines if none are left. False if there are none.
static bool kmsg_fetch(struct kmsg_reader *r) {
    if (r->at < r->len)
        return true;
    r->at = 0;
    r->len = log_read(&r->next, r->text, sizeof(r->text));
    r->seq = r->next - count_lines(r->text, r->len);
    return r->len != 0;
}

static unsigned long parse_number(const char **p) {
    unsigned long n = 0;
    while (**p == ' ')
        ++*p;
    while (**p >= '0' && **p <= '9')
        n = n * 10 + (*(*p)++ - '0');
    return n;
}

// "<level>[seconds.micros] text" becomes "level,seq,micros,-;text". Returns its length.
static size_t kmsg_format(const char *line, size_t len, uint64_t seq, char *out, size_t n) {
    const char *p = line + (*line == '<');
    unsigned long level = parse_number(&p), seconds, micros;
    p += *p == '>';
    p += *p == '[';
    seconds = parse_number(&p);
    p += *p == '.';
    micros = parse_number(&p);
    p += *p == ']';
    p += *p == ' ';
    return lib_snprintf(out, n, "%lu,%lu,%lu,-;%.*s\n", level, (unsigned long)seq, seconds * 1000000 + micros,
                        (int)(line + len - p), p);
}

static ssize_t kmsg_read_record(struct kmsg_reader *r, struct uio *u) {
    char record[KMSG_LINE + 64];
    const char *line = r->text + r->at;
    size_t len = 0;
    while (r->at + len < r->len && line[len] != '\n')
        len++;
    size_t n = MIN(kmsg_format(line, MIN(len, (size_t)KMSG_LINE), r->seq, record, sizeof(record)),
                   sizeof(record) - 1);
    if (n > u->resid)
        return -EINVAL;
    if (uio_write_to(u, record, n) != n)
        return -EFAULT;
    r->at += len + 1;
    r->seq++;
    return n;
}

static ssize_t kmsg_read(struct file *f, struct uio *u, off_t *pos) {
    struct kmsg_reader *r = f->private_data;
    ssize_t ret;
    (void)pos;
    if (!r)
        return -EBADF;
    mutex_lock(&r->lock);
    while (!kmsg_fetch(r)) {
        mutex_unlock(&r->lock);
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        uint64_t next = r->next;
        kmsg_watch();
        int err = wait_event_interruptible(&kmsg_wait, log_next_seq() != next);
        if (err)
            return err;
        mutex_lock(&r->lock);
    }
    ret = kmsg_read_record(r, u);
    mutex_unlock(&r->lock);
    return ret;
}

// "<level>text" logs text at that level, other text as a warning.
static ssize_t kmsg_write(struct file *f, struct uio *u, off_t *pos) {
    char line[KMSG_LINE + 1];
    size_t n = u->resid, len;
    (void)f, (void)pos;
    if (n > KMSG_LINE)
        return -EINVAL;
    len = uio_read_from(u, line, n);
    if (len != n)
        return -EFAULT;
    line[len] = '\0';
    const char *text = line;
    unsigned long level = LOG_WARNING;
    if (*text == '<' && text[1] >= '0' && text[1] <= '9') {
        text++;
        level = parse_number(&text) & 7;
        text += *text == '>';
    }
    for (len = strlen(text); len && text[len - 1] == '\n';)
        len--;
    printk(level, "%.*s", (int)len, text);
    return n;
}

static off_t kmsg_lseek(struct file *f, off_t offset, int whence) {
    struct kmsg_reader *r = f->private_data;
    if (!r)
        return -EBADF;
    if (offset)
        return -ESPIPE;
    mutex_lock(&r->lock);
    r->at = r->len = 0;
    r->next = whence == SEEK_END ? log_next_seq() : 0;
    mutex_unlock(&r->lock);
    return 0;
}

static unsigned int kmsg_poll(struct file *f, struct poll_table *table) {
    struct kmsg_reader *r = f->private_data;
    if (!r)
        return POLLOUT | POLLWRNORM;
    poll_wait(f, &kmsg_wait, table);
    if (table)
        kmsg_watch();
    mutex_lock(&r->lock);
    bool ready = r->at < r->len || r->next < log_next_seq();
    mutex_unlock(&r->lock);
    return ready ? POLLIN | POLLRDNORM : 0;
}

static const struct file_ops kmsg_ops = {
    .read = kmsg_read, .write = kmsg_write, .lseek = kmsg_lseek, .poll = kmsg_poll, .release = kmsg_release};

static struct chrdev kmsg = {
    .dev = MKDEV(MEM_MAJOR, 11), .name = "kmsg", .mode = 0644, .ops = &kmsg_ops, .open = kmsg_open};

void kmsg_init(void) {
    chrdev_register(&kmsg);
}
