// SPDX-License-Identifier: MIT
// Files of generated text, and the buffer that the text is generated into.
#include "core/panic.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "procfs/private.h"
#include "sched/thread.h"
#include "sched/user.h"
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>

#define SEQ_FIRST 512       // bytes at first; then twice as many each time
#define SEQ_LIMIT (4 << 20) // of one file
#define STORE_MAX PAGE_SIZE

// ---- struct seq_buf

// Makes room for n more bytes and a NUL.
static bool seq_reserve(struct seq_buf *s, size_t n) {
    if (s->failed)
        return false;
    if (s->capacity - s->len > n)
        return true;
    size_t capacity = MAX(s->capacity * 2, (size_t)SEQ_FIRST);
    while (capacity - s->len <= n)
        capacity *= 2;
    char *data = capacity <= SEQ_LIMIT ? krealloc(s->data, s->capacity, capacity) : NULL;
    if (!data) {
        s->failed = true;
        return false;
    }
    s->data = data;
    s->capacity = capacity;
    return true;
}

void seq_write(struct seq_buf *s, const void *data, size_t n) {
    if (!seq_reserve(s, n))
        return;
    memcpy(s->data + s->len, data, n);
    s->len += n;
}

void seq_printf(struct seq_buf *s, const char *fmt, ...) {
    va_list args;
    if (!seq_reserve(s, 128))
        return;
    va_start(args, fmt);
    size_t n = lib_vsnprintf(s->data + s->len, s->capacity - s->len, fmt, args);
    va_end(args);
    if (n >= s->capacity - s->len) {
        if (!seq_reserve(s, n))
            return;
        va_start(args, fmt);
        n = lib_vsnprintf(s->data + s->len, s->capacity - s->len, fmt, args);
        va_end(args);
    }
    s->len += n;
}

// The digits of a number in `base`, at least so many; they are made from the last to the first.
static inline void put_digits(struct seq_buf *s, unsigned long value, unsigned int base, unsigned int n) {
    if (!seq_reserve(s, n))
        return;
    s->len += n;
    for (char *at = s->data + s->len; n; n--, value /= base)
        *--at = "0123456789abcdef"[value % base];
}

void seq_hex(struct seq_buf *s, unsigned long value, unsigned int least_digits) {
    unsigned int n = least_digits;
    while (n < 2 * sizeof(value) && value >> (4 * n))
        n++;
    put_digits(s, value, 16, n);
}

void seq_number(struct seq_buf *s, unsigned long value) {
    unsigned int n = 1;
    for (unsigned long v = value; v >= 10; v /= 10)
        n++;
    put_digits(s, value, 10, n);
}

void seq_memory(struct seq_buf *s, const char *name, uint64_t pages) {
    size_t pad = strlen(name) < 15 ? 15 - strlen(name) : 0;
    seq_printf(s, "%s:%*s%8lu kB\n", name, (int)pad, "", (unsigned long)pages * (PAGE_SIZE / 1024));
}

void seq_harts(struct seq_buf *s, uint64_t mask) {
    const char *comma = "";
    for (unsigned int first = 0, last; mask; mask &= ~0ull << last << 1, comma = ",") {
        first = last = __builtin_ctzll(mask);
        while (last < 63 && mask >> (last + 1) & 1)
            last++;
        seq_printf(s, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
    }
}

void seq_hart_mask(struct seq_buf *s, uint64_t mask) {
    if (hart_count > 32)
        seq_printf(s, "%0*lx,%08lx", (int)(hart_count - 32 + 3) / 4, mask >> 32, mask & UINT32_MAX);
    else
        seq_printf(s, "%0*lx", (int)(hart_count + 3) / 4, mask);
}

void seq_escape(struct seq_buf *s, const char *text, const char *more) {
    for (; *text; text++) {
        unsigned char c = *text;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\\' || strchr(more, c)) {
            char octal[4] = {'\\', '0' + (c >> 6), '0' + (c >> 3 & 7), '0' + (c & 7)};
            seq_write(s, octal, 4);
        } else {
            seq_write(s, &c, 1);
        }
    }
}

// ---- files

// file->private_data.
struct proc_text {
    struct mutex lock;
    struct seq_buf text; // [lock]
    long charged;        // [lock] pages, to the user who opened it
    bool generated;      // [lock]
};

int proc_text_open(struct inode *inode, struct file *f) {
    struct proc_node *node = proc_node(inode);
    struct proc_text *t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    int err = node->open ? node->open(node, &t->text.ticket) : 0;
    if (err) {
        kfree(t);
        return err;
    }
    mutex_init(&t->lock);
    f->private_data = t;
    f->ops = &proc_file_ops;
    return 0;
}

static void text_release(struct file *f) {
    struct proc_text *t = f->private_data;
    user_uncharge(f->cred->user, USER_TEXT_PAGES, t->charged);
    kfree(t->text.data);
    kfree(t);
}

// What is kept for the next read counts. A text that is too much is given up.
static int charge_text(struct proc_text *t, struct user *user) {
    long more = (long)(t->text.capacity / PAGE_SIZE) - t->charged;
    if (more <= 0)
        return 0;
    if (!user_may_charge(user, USER_TEXT_PAGES, more, READ_ONCE(limits.text_max))) {
        kfree(t->text.data);
        t->text.data = NULL; // what open() found out stays, for the next read
        t->text.len = t->text.capacity = 0;
        user_uncharge(user, USER_TEXT_PAGES, t->charged);
        t->charged = 0;
        t->generated = false;
        return -ENOMEM;
    }
    t->charged += more;
    return 0;
}

static int text_generate(struct proc_text *t, const struct inode *inode) {
    struct proc_node *node = proc_node(inode);
    t->text.len = 0;
    t->text.failed = false;
    t->generated = false;
    t->text.net = proc_inode_net(inode);
    int err = node->show ? node->show(&t->text, node) : 0;
    if (!err && t->text.failed)
        err = -ENOMEM;
    t->generated = !err;
    return err;
}

static ssize_t text_read(struct file *f, struct uio *u, off_t *pos) {
    struct proc_text *t = f->private_data;
    ssize_t ret = 0;
    if (mutex_lock_killable(&t->lock)) // another reader may have much to generate
        return -EINTR;
    if (*pos == 0 || !t->generated)
        ret = text_generate(t, f->inode);
    if (!ret)
        ret = charge_text(t, f->cred->user);
    if (!ret && *pos >= 0 && (size_t)*pos < t->text.len) {
        size_t n = MIN(t->text.len - (size_t)*pos, u->resid);
        ret = uio_write_to(u, t->text.data + *pos, n);
        if (!ret && n)
            ret = -EFAULT;
    }
    mutex_unlock(&t->lock);
    if (ret > 0)
        *pos += ret;
    return ret;
}

static ssize_t text_write(struct file *f, struct uio *u, off_t *pos) {
    struct proc_node *node = proc_node(f->inode);
    size_t n = MIN(u->resid, (size_t)STORE_MAX - 1);
    if (!node->store && !node->store_as)
        return -EIO;
    if (node->whole && (n < u->resid || *pos))
        return -EINVAL;
    char *text = kmalloc(n + 1);
    if (!text)
        return -ENOMEM;
    ssize_t ret = uio_read_from(u, text, n) == n ? 0 : -EFAULT;
    text[n] = '\0';
    if (!ret)
        ret = node->store ? node->store(node, text, n) : node->store_as(node, text, n, f);
    kfree(text);
    if (ret > 0)
        *pos += ret;
    return ret;
}

off_t proc_lseek(struct file *f, off_t offset, int whence) {
    return file_seek(f, offset, whence, f->inode->size ? (off_t)f->inode->size : -1);
}

// Truncation on opening for writing (`echo x > file`) is no error and does nothing.
int proc_text_setattr(struct inode *inode, const struct iattr *attr) {
    (void)inode;
    return attr->valid & ~ATTR_SIZE & ~ATTR_MTIME ? -EPERM : 0;
}

static int permit(struct inode *inode, int mask) {
    return proc_node(inode)->of_net ? proc_net_permit(inode, mask) : -EACCES;
}

const struct inode_ops proc_file_inode_ops = {
    .open = proc_text_open, .setattr = proc_text_setattr, .permit = permit};
const struct inode_ops proc_raw_inode_ops = {.setattr = proc_text_setattr};
const struct file_ops proc_file_ops = {
    .read = text_read, .write = text_write, .lseek = proc_lseek, .release = text_release};

void proc_register_all(const struct proc_entry *entries, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (proc_register(&entries[i]))
            panic("no memory for /proc/%s", entries[i].path);
}
