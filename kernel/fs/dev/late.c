// SPDX-License-Identifier: MIT
// /dev/late of debug kernels: memory whose pages come when a program says so, as those of a slow device do. So a test
// sees what can be done while a page fault waits. Who maps a file of it and touches a page waits; reading the file
// tells the page's number, waiting for one that is asked for; writing a struct late_answer gives it.
#include "fs/dev/chrdev.h"

#ifdef CONFIG_DEBUG
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/major.h>

#define LATE_PAGES 16
#define LATE_MINOR 250

struct late_answer {
    uint32_t page;
    int32_t value; // of each byte; LATE_FORGET: the page goes, and comes anew; LATE_ERROR: there is none
        // LATE_HOLD + value: who gets the page asks once more, and returns with it after the next answer
};
#define LATE_FORGET (-1)
#define LATE_ERROR  (-2)
#define LATE_HOLD   0x100

// One open file.
struct late {
    struct vm_backing backing;
    struct spinlock lock;
    struct wait_queue changed;
    uint32_t asked, refused, held;  // [lock] a bit for each page; read without
    struct page *pages[LATE_PAGES]; // [lock]
};

static bool is_settled(struct late *l, unsigned long index) {
    return READ_ONCE(l->pages[index]) || READ_ONCE(l->refused) >> index & 1;
}

// A page that is there, with a reference, and asks about it if it is held; or asks for it.
static struct page *late_find(struct late *l, unsigned long index) {
    spin_lock(&l->lock);
    struct page *page = l->pages[index];
    if (page)
        page_get(page);
    else if (l->refused >> index & 1)
        page = ERR_PTR(-EFAULT);
    if (!page || l->held >> index & 1)
        l->asked |= 1u << index;
    spin_unlock(&l->lock);
    wake_all(&l->changed);
    return page;
}

static struct page *late_get_page(struct vm_backing *b, unsigned long index, bool write) {
    struct late *l = container_of(b, struct late, backing);
    struct page *page;
    (void)write;
    if (index >= LATE_PAGES)
        return ERR_PTR(-EFAULT);
    while (!(page = late_find(l, index))) {
        if (wait_event_killable(&l->changed, is_settled(l, index)))
            return ERR_PTR(-EINTR);
    }
    if (!wait_event_killable(&l->changed, !(READ_ONCE(l->held) >> index & 1)))
        return page;
    if (!IS_ERR(page))
        page_put(page);
    return ERR_PTR(-EINTR);
}

static const struct vm_backing_ops late_backing_ops = {.get_page = late_get_page, .waits = true};

static int late_take_question(struct late *l) {
    spin_lock(&l->lock);
    int page = l->asked ? __builtin_ctz(l->asked) : -1;
    if (page >= 0)
        l->asked &= ~(1u << page);
    spin_unlock(&l->lock);
    return page;
}

static ssize_t late_read(struct file *f, struct uio *u, off_t *pos) {
    struct late *l = f->private_data;
    int page;
    (void)pos;
    while ((page = late_take_question(l)) < 0) {
        int err = wait_event_interruptible(&l->changed, READ_ONCE(l->asked));
        if (err)
            return err;
    }
    uint64_t value = page;
    return uio_write_to(u, &value, sizeof(value)) == sizeof(value) ? (ssize_t)sizeof(value) : -EFAULT;
}

// The page is `new` from now on, NULL: none. The one before goes from all mappings.
static void late_replace(struct late *l, const struct late_answer *a, struct page *new) {
    uint32_t bit = 1u << a->page;
    spin_lock(&l->lock);
    struct page *old = l->pages[a->page];
    l->pages[a->page] = new;
    l->refused = a->value == LATE_ERROR ? l->refused | bit : l->refused & ~bit;
    if (a->value != LATE_FORGET)
        l->held = a->value >= LATE_HOLD ? l->held | bit : l->held & ~bit;
    spin_unlock(&l->lock);
    if (old) {
        vm_backing_truncate(&l->backing, a->page, a->page);
        page_put(old);
    }
    wake_all(&l->changed);
}

static ssize_t late_write(struct file *f, struct uio *u, off_t *pos) {
    struct late_answer a;
    struct page *page = NULL;
    (void)pos;
    if (uio_read_from(u, &a, sizeof(a)) != sizeof(a))
        return -EFAULT;
    if (a.page >= LATE_PAGES)
        return -EINVAL;
    if (a.value >= 0) {
        page = page_alloc(0, 0);
        if (!page)
            return -ENOMEM;
        memset(page_address(page), a.value, PAGE_SIZE);
    }
    late_replace(f->private_data, &a, page);
    return sizeof(a);
}

static void late_release(struct file *f) {
    struct late *l = f->private_data;
    for (int i = 0; i < LATE_PAGES; i++)
        if (l->pages[i])
            page_put(l->pages[i]);
    kfree(l);
}

static int late_open(struct chrdev *c, struct file *f) {
    struct late *l = kzalloc(sizeof(*l));
    (void)c;
    if (!l)
        return -ENOMEM;
    vm_backing_init(&l->backing, &late_backing_ops);
    spin_init(&l->lock);
    wait_queue_init(&l->changed);
    f->private_data = l;
    f->backing = &l->backing;
    return 0;
}

static const struct file_ops late_ops = {.read = late_read, .write = late_write, .release = late_release};
static struct chrdev late = {
    .dev = MKDEV(MEM_MAJOR, LATE_MINOR), .name = "late", .mode = 0600, .ops = &late_ops, .open = late_open};

void late_init(void) {
    chrdev_register(&late);
}
#endif
