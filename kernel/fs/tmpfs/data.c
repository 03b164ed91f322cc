// SPDX-License-Identifier: MIT
// The content of tmpfs files: pages in a radix tree, over bytes borrowed from an archive.
//
// A borrowed page that is whole (page-aligned in RAM, no other file's bytes on it) is *adopted* when it is
// first mapped or written: it becomes a page of the tree, in place. Others are *copied* then. Whose the archive's pages
// are is told in mm/ledger.h.
#include "fs/tmpfs/data.h"
#include "core/errno.h"
#include "fs/superblock.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/wait.h"

#define CUT_PAGES  8192  // taken out at a time
#define BORROW_MAX 65536 // bytes read at a time

// ---- borrowed bytes [s]

void tmpfs_begin_borrowing(struct inode *inode, const char *data, uint64_t size) {
    loan_make(&tmpfs_data(inode)->loan, data, size);
    __atomic_fetch_add(&inode->sb->archive_pages, pages_of(size), __ATOMIC_RELAXED);
}

const char *tmpfs_borrow(struct inode *inode, uint64_t at, size_t *n) {
    struct tmpfs_data *t = tmpfs_data(inode);
    const char *from = NULL;
    spin_lock(&inode->spin);
    if (pagecache_get(&t->cache, at >> PAGE_SHIFT)) {
        *n = 0;
    } else if (t->loan.data && at < t->loan.size) {
        if (t->cache.root) // the next page may be another
            *n = MIN(*n, PAGE_SIZE - (at & PAGE_MASK));
        *n = MIN(*n, MIN(t->loan.size - at, (uint64_t)BORROW_MAX));
        from = t->loan.data + at;
        t->readers++;
    }
    spin_unlock(&inode->spin);
    return from;
}

static struct wait_queue readers_gone = WAIT_QUEUE_INIT(readers_gone);

void tmpfs_borrow_end(struct inode *inode) {
    struct tmpfs_data *t = tmpfs_data(inode);
    if (__atomic_sub_fetch(&t->readers, 1, __ATOMIC_SEQ_CST) == 0 &&
        unlikely(!wait_queue_empty(&readers_gone)))
        wake_all(&readers_gone);
}

// Waits until nobody reads borrowed bytes that have been cut off; who begins now sees what is left. Readers
// hold no lock that is taken with [i] held.
static void wait_for_readers(struct tmpfs_data *t) {
    wait_event(&readers_gone, !__atomic_load_n(&t->readers, __ATOMIC_SEQ_CST));
}

// ---- accounts

int tmpfs_charge(struct superblock *sb) {
    uint64_t used = __atomic_add_fetch(&sb->used_pages, 1, __ATOMIC_SEQ_CST), max = READ_ONCE(sb->max_pages);
    if (likely(used <= max || !max))
        return 0;
    __atomic_fetch_sub(&sb->used_pages, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

void tmpfs_uncharge(struct superblock *sb, uint64_t pages) {
    __atomic_fetch_sub(&sb->used_pages, pages, __ATOMIC_RELAXED);
}

// ---- pages

struct page *tmpfs_find_page(struct inode *inode, unsigned long index) {
    spin_lock(&inode->spin);
    struct page *p = pagecache_get(&tmpfs_data(inode)->cache, index);
    if (p)
        page_get(p);
    spin_unlock(&inode->spin);
    return p;
}

static unsigned long pages_in(const struct inode *inode) {
    return pages_of(READ_ONCE(inode->size));
}

// The size is looked at with [s] held: after a truncation a write may be making the pages anew.
unsigned int tmpfs_find_pages(struct inode *inode, unsigned long index, struct page **pages, unsigned int n) {
    spin_lock(&inode->spin);
    unsigned long end = pages_in(inode);
    unsigned int most = index < end ? (unsigned int)MIN(n, end - index) : 0;
    unsigned int found = pagecache_get_run(&tmpfs_data(inode)->cache, index, pages, most);
    spin_unlock(&inode->spin);
    return found;
}

// A new page with the content of page `index`, refs 1. NULL if no memory. [s]
static struct page *copy_content(const struct tmpfs_data *t, unsigned long index, unsigned int how) {
    bool lent = loan_bytes(&t->loan, index), overwrite = how & TMPFS_OVERWRITE;
    struct page *p = page_alloc(0, lent || overwrite ? 0 : ALLOC_ZERO);
    if (p && lent && !overwrite)
        loan_copy(&t->loan, index, page_address(p));
    return p;
}

// Is page `index`, which is to be made, one that killing programs would not give back? What a mapping makes of an archive's
// bytes is no more than the archive has.
static bool stays(const struct tmpfs_data *t, unsigned long index, unsigned int how) {
    return !(how & TMPFS_MAPPED) || (READ_ONCE(t->outlives) && !loan_bytes(&t->loan, index));
}

// Puts page `index`, which is not there, into the tree. What it takes is charged before a node of the tree is made: at the
// limit nothing is left behind. ERR_PTR. [s]
static struct page *add_page(struct inode *inode, unsigned long index, unsigned int how) {
    struct tmpfs_data *t = tmpfs_data(inode);
    bool adopt = loan_has_page(&t->loan, index);
    int err = memory_is_short() && stays(t, index, how) ? -ENOSPC : 0;
    if (!err && !adopt)
        err = tmpfs_charge(inode->sb);
    if (err)
        return ERR_PTR(err);
    struct page **place = pagecache_place(&t->cache, index), *p = NULL;
    if (place)
        p = adopt ? loan_adopt(&t->loan, index) : copy_content(t, index, how);
    if (!p) {
        if (!adopt)
            tmpfs_uncharge(inode->sb, 1);
        return ERR_PTR(-ENOMEM);
    }
    pagecache_fill(&t->cache, place, p);
    memory_account(MEM_CACHE, 1);
    return p;
}

// Who makes a file smaller changes its size first, and takes pages out with [s] held then: no mapping brings a page
// back behind the end.
struct page *tmpfs_make_page(struct inode *inode, unsigned long index, unsigned int how) {
    spin_lock(&inode->spin);
    struct page *p = pagecache_get(&tmpfs_data(inode)->cache, index);
    if (how & TMPFS_MAPPED && index >= pages_in(inode))
        p = ERR_PTR(-EFAULT);
    else if (!p)
        p = add_page(inode, index, how);
    if (!IS_ERR(p))
        page_get(p);
    spin_unlock(&inode->spin);
    return p;
}

static void clear_part(struct inode *inode, unsigned long index, size_t from, size_t to) {
    struct page *p = tmpfs_find_page(inode, index);
    if (!p)
        return;
    memset((char *)page_address(p) + from, 0, to - from);
    page_put(p);
}

// Takes pages of [first, last] out: all, or the first of many. The first number that may be left, PAGECACHE_NONE: none is. [i]
static unsigned long drop_some(struct inode *inode, unsigned long first, unsigned long last) {
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long next = PAGECACHE_NONE;
    unsigned int gone = 0, adopted = 0;
    spin_lock(&inode->spin);
    if (t->cache.pages > CUT_PAGES)
        first = pagecache_next(&t->cache, first);
    if (t->cache.root && first <= last) {
        if (t->cache.pages > CUT_PAGES && last - first >= CUT_PAGES) {
            next = first + CUT_PAGES;
            last = next - 1;
        }
        gone = pagecache_cut(&t->cache, first, last, &adopted);
    }
    spin_unlock(&inode->spin);
    if (gone) {
        tmpfs_uncharge(inode->sb, gone - adopted);
        memory_account(MEM_CACHE, -(long)gone);
    }
    return next;
}

static void drop_pages(struct inode *inode, unsigned long first, unsigned long last) {
    while ((first = drop_some(inode, first, last)) != PAGECACHE_NONE)
        cond_resched();
}

static bool is_mapped(struct inode *inode) {
    return !list_empty(&inode->backing.areas);
}

// loan_return()'s question: of pages whose bytes are lent whole, those in the tree are the adopted ones.
static unsigned long next_adopted(void *arg, unsigned long index) {
    struct inode *inode = arg;
    spin_lock(&inode->spin);
    unsigned long next = pagecache_next(&tmpfs_data(inode)->cache, index);
    spin_unlock(&inode->spin);
    return next;
}

// Takes the borrowed bytes behind `size` from the file. [i]
static void cut_borrowed(struct inode *inode, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    spin_lock(&inode->spin);
    struct loan old = loan_cut(&t->loan, size);
    spin_unlock(&inode->spin);
    __atomic_fetch_sub(&inode->sb->archive_pages, pages_of(old.size) - pages_of(size), __ATOMIC_RELAXED);
    wait_for_readers(t);
    loan_return(old, size, next_adopted, inode);
}

void tmpfs_cut(struct inode *inode, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (size < t->loan.size)
        cut_borrowed(inode, size);
    drop_pages(inode, first, PAGECACHE_NONE >> PAGE_SHIFT);
    if (is_mapped(inode))
        vm_backing_truncate(&inode->backing, first, PAGECACHE_NONE >> PAGE_SHIFT);
    if (size & PAGE_MASK)
        clear_part(inode, size >> PAGE_SHIFT, size & PAGE_MASK, PAGE_SIZE);
}

int tmpfs_punch(struct inode *inode, uint64_t start, uint64_t end) {
    struct tmpfs_data *t = tmpfs_data(inode);
    // Borrowed bytes cannot have holes: what of them lies in the range, and behind it, becomes pages.
    for (uint64_t at = start; at < MAX(end, t->loan.size) && at < t->loan.size; at = (at | PAGE_MASK) + 1) {
        struct page *p = tmpfs_make_page(inode, at >> PAGE_SHIFT, 0);
        if (IS_ERR(p))
            return PTR_ERR(p);
        page_put(p);
        if (cond_resched_killable())
            return -EINTR;
    }
    if (start < t->loan.size)
        cut_borrowed(inode, start);
    unsigned long first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    if (start >> PAGE_SHIFT == (end - 1) >> PAGE_SHIFT && (start & PAGE_MASK || end & PAGE_MASK)) {
        clear_part(inode, start >> PAGE_SHIFT, start & PAGE_MASK, ((end - 1) & PAGE_MASK) + 1);
        return 0;
    }
    if (start & PAGE_MASK)
        clear_part(inode, start >> PAGE_SHIFT, start & PAGE_MASK, PAGE_SIZE);
    if (end & PAGE_MASK)
        clear_part(inode, last, 0, end & PAGE_MASK);
    if (first < last) {
        drop_pages(inode, first, last - 1);
        if (is_mapped(inode))
            vm_backing_truncate(&inode->backing, first, last - 1);
    }
    return 0;
}

int tmpfs_fill(struct inode *inode, uint64_t start, uint64_t end) {
    unsigned long first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
    uint64_t max = READ_ONCE(inode->sb->max_pages);
    int err = 0;
    if (last - first >= memory_free_pages() || (max && last - first >= max))
        return -ENOSPC;
    bool empty = tmpfs_seek(inode, first, last + 1, true) > last;
    for (unsigned long i = first; i <= last && !err; i++) {
        struct page *p = tmpfs_make_page(inode, i, 0);
        if (IS_ERR(p)) {
            err = PTR_ERR(p) == -ENOMEM ? -ENOSPC : PTR_ERR(p);
        } else {
            page_put(p);
            err = cond_resched_killable();
        }
    }
    if (err && empty)
        drop_pages(inode, first, last);
    return err;
}

unsigned long tmpfs_seek(struct inode *inode, unsigned long index, unsigned long end, bool data) {
    struct tmpfs_data *t = tmpfs_data(inode);
    spin_lock(&inode->spin);
    if (!data) {
        while (index < end && (pagecache_get(&t->cache, index) || loan_bytes(&t->loan, index)))
            index++;
    } else if (!loan_bytes(&t->loan, index)) {
        index = pagecache_next(&t->cache, index);
    }
    spin_unlock(&inode->spin);
    return MIN(index, end);
}

uint64_t tmpfs_block_count(struct inode *inode) {
    struct tmpfs_data *t = tmpfs_data(inode);
    return MAX((uint64_t)t->cache.pages, pages_of(t->loan.size)) * (PAGE_SIZE / 512);
}

// ---- mapping

static struct page *backing_get_page(struct vm_backing *b, unsigned long index, bool write) {
    struct inode *inode = container_of(b, struct inode, backing);
    (void)write;
    struct page *p = tmpfs_make_page(inode, index, TMPFS_MAPPED);
    return PTR_ERR(p) == -ENOSPC ? ERR_PTR(-EFAULT) : p;
}

// Adopting is as good as being there.
static unsigned int backing_get_present(struct vm_backing *b, unsigned long index, struct page **pages,
                                        unsigned int n) {
    struct inode *inode = container_of(b, struct inode, backing);
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long end = pages_in(inode);
    if (index >= end)
        return 0;
    n = MIN(n, end - index);
    unsigned int i = tmpfs_find_pages(inode, index, pages, n);
    for (; i < n; i++) {
        if (tmpfs_find_pages(inode, index + i, &pages[i], 1))
            continue;
        if (!loan_has_page(&t->loan, index + i))
            break;
        pages[i] = tmpfs_make_page(inode, index + i, TMPFS_MAPPED);
        if (IS_ERR(pages[i]))
            break;
    }
    return i;
}

#define COUNT_AT_ONCE 512 // pages

static unsigned long backing_count(struct vm_backing *b, unsigned long *index, unsigned long last,
                                   unsigned long *dirty) {
    struct inode *inode = container_of(b, struct inode, backing);
    (void)dirty; // there is no device
    unsigned long start = tmpfs_seek(inode, *index, last + 1, true);
    *index = tmpfs_seek(inode, start, MIN(start + COUNT_AT_ONCE, last + 1), false);
    return *index - start;
}

const struct vm_backing_ops tmpfs_backing_ops = {
    .get_page = backing_get_page, .get_present = backing_get_present, .count = backing_count};
