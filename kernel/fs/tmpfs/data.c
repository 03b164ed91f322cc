// SPDX-License-Identifier: MIT
// The content of tmpfs files: pages in a radix tree, over bytes borrowed from an archive.
//
// A borrowed page that is whole (page-aligned in RAM, no other file's bytes on it) is *adopted* when it is
// first mapped or written: it becomes a page of the tree, in place. Others are *copied* then. When a file
// lets go of borrowed whole pages, they are *released* to the allocator; bytes on shared pages stay where
// they are.
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

// True if page `index` lies whole within the borrowed bytes and alone on its page of RAM.
static bool borrowed_whole(const struct tmpfs_data *t, unsigned long index) {
    return t->borrowed && !((unsigned long)t->borrowed & PAGE_MASK) &&
           ((uint64_t)index + 1) << PAGE_SHIFT <= t->borrowed_size;
}

// How many of page index's bytes are borrowed.
static size_t borrowed_bytes(const struct tmpfs_data *t, unsigned long index) {
    uint64_t start = (uint64_t)index << PAGE_SHIFT;
    return t->borrowed && start < t->borrowed_size ? MIN(t->borrowed_size - start, (uint64_t)PAGE_SIZE) : 0;
}

// Gives the pages of borrowed RAM [first, end) back to the allocator (numbers of their addresses).
static void borrowed_release(unsigned long first, unsigned long end) {
    if (first >= end)
        return;
    page_donate(virt_to_phys((void *)(first << PAGE_SHIFT)), end - first);
    memory_account(MEM_RELEASED, end - first);
    memory_account(MEM_BORROWED, -(long)(end - first));
}

static unsigned long first_whole(const char *data) {
    return ALIGN_UP((unsigned long)data, PAGE_SIZE) >> PAGE_SHIFT;
}
static unsigned long end_whole(const char *data, uint64_t size) {
    return ((unsigned long)data + size) >> PAGE_SHIFT;
}

static uint64_t pages_for(uint64_t size) {
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

void tmpfs_begin_borrowing(struct inode *inode, const char *data, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    t->borrowed = size ? data : NULL;
    t->borrowed_size = size;
    t->shares_first = t->shares_last = false;
    if (!size)
        return;
    __atomic_fetch_add(&inode->sb->archive_pages, pages_for(size), __ATOMIC_RELAXED);
    unsigned long start = (unsigned long)data, end = start + size;
    if (start & PAGE_MASK) {
        t->shares_first = true;
        page_share(virt_to_phys(data));
        if ((start ^ (end - 1)) < PAGE_SIZE) // all on one page
            return;
    }
    if (end & PAGE_MASK) {
        t->shares_last = true;
        page_share(virt_to_phys((void *)end));
    }
    long whole = (long)(end_whole(data, size) - first_whole(data));
    if (whole > 0)
        memory_account(MEM_BORROWED, whole);
}

// The bytes behind `size` of the `old_size` are let go of: no longer a user of pages that others have parts of.
static void stop_sharing(struct tmpfs_data *t, const char *data, uint64_t size, uint64_t old_size) {
    const char *last = data + old_size - 1;
    if (t->shares_last && (!size || first_whole(data + size) <= (unsigned long)last >> PAGE_SHIFT)) {
        t->shares_last = false;
        page_unshare(virt_to_phys(last));
    }
    if (t->shares_first && !size) {
        t->shares_first = false;
        page_unshare(virt_to_phys(data));
    }
}

const char *tmpfs_borrow(struct inode *inode, uint64_t at, size_t *n) {
    struct tmpfs_data *t = tmpfs_data(inode);
    const char *from = NULL;
    spin_lock(&inode->spin);
    if (t->borrowed && at < t->borrowed_size && !pagecache_get(&t->cache, at >> PAGE_SHIFT)) {
        if (t->cache.root) // the next page may be another
            *n = MIN(*n, PAGE_SIZE - (at & PAGE_MASK));
        *n = MIN(*n, MIN(t->borrowed_size - at, (uint64_t)BORROW_MAX));
        from = t->borrowed + at;
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

unsigned int tmpfs_find_pages(struct inode *inode, unsigned long index, struct page **pages, unsigned int n) {
    spin_lock(&inode->spin);
    unsigned int found = pagecache_get_run(&tmpfs_data(inode)->cache, index, pages, n);
    spin_unlock(&inode->spin);
    return found;
}

static struct page *adopt_page(const struct tmpfs_data *t, unsigned long index) {
    memory_account(MEM_ADOPTED, 1);
    memory_account(MEM_BORROWED, -1);
    return page_adopt(virt_to_phys(t->borrowed + ((uint64_t)index << PAGE_SHIFT)));
}

// A new page with the content of page `index`, refs 1. NULL if no memory. [s]
static struct page *copy_content(const struct tmpfs_data *t, unsigned long index, unsigned int how) {
    size_t n = borrowed_bytes(t, index);
    struct page *p = page_alloc(0, n || how & TMPFS_OVERWRITE ? 0 : ALLOC_ZERO);
    if (!p || how & TMPFS_OVERWRITE || !n)
        return p;
    char *to = page_address(p);
    memcpy(to, t->borrowed + ((uint64_t)index << PAGE_SHIFT), n);
    memset(to + n, 0, PAGE_SIZE - n);
    memory_account(MEM_COPIED, 1);
    return p;
}

// Puts page `index`, which is not there, into the tree. What it takes is charged before a node of the tree is made: at the
// limit nothing is left behind. ERR_PTR. [s]
static struct page *add_page(struct inode *inode, unsigned long index, unsigned int how) {
    struct tmpfs_data *t = tmpfs_data(inode);
    bool adopt = borrowed_whole(t, index);
    int err = !(how & TMPFS_MAPPED) && memory_is_short() ? -ENOSPC : 0;
    if (!err && !adopt)
        err = tmpfs_charge(inode->sb);
    if (err)
        return ERR_PTR(err);
    struct page **place = pagecache_place(&t->cache, index), *p = NULL;
    if (place)
        p = adopt ? adopt_page(t, index) : copy_content(t, index, how);
    if (!p) {
        if (!adopt)
            tmpfs_uncharge(inode->sb, 1);
        return ERR_PTR(-ENOMEM);
    }
    p->flags |= PAGE_CACHE;
    pagecache_fill(&t->cache, place, p);
    memory_account(MEM_CACHE, 1);
    return p;
}

static unsigned long pages_in(const struct inode *inode) {
    return pages_for(READ_ONCE(inode->size));
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

// A page that was the file's own as a whole and is cut through is from now on one that it has a part of, unless it has
// become a page of the tree. [i]
static void share_cut_page(struct inode *inode, const char *data, uint64_t size, uint64_t old_size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long page = (unsigned long)(data + size) >> PAGE_SHIFT;
    if (!((unsigned long)(data + size) & PAGE_MASK) || page < first_whole(data) ||
        page >= end_whole(data, old_size))
        return;
    bool aligned = !((unsigned long)data & PAGE_MASK);
    spin_lock(&inode->spin);
    bool adopted = aligned && pagecache_get(&t->cache, page - ((unsigned long)data >> PAGE_SHIFT));
    spin_unlock(&inode->spin);
    if (adopted)
        return;
    t->shares_last = true;
    page_share(virt_to_phys((void *)(page << PAGE_SHIFT)));
    memory_account(MEM_BORROWED, -1);
}

// Takes the borrowed bytes behind `size` from the file and gives their pages back: those that lie in them whole
// and are not in the tree, and the part of those that others have parts of. [i]
static void cut_borrowed(struct inode *inode, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    spin_lock(&inode->spin);
    const char *data = t->borrowed;
    uint64_t old_size = t->borrowed_size;
    t->borrowed_size = size;
    if (!size)
        t->borrowed = NULL;
    spin_unlock(&inode->spin);
    __atomic_fetch_sub(&inode->sb->archive_pages, pages_for(old_size) - pages_for(size), __ATOMIC_RELAXED);
    wait_for_readers(t);
    unsigned long at = first_whole(data + size), end = end_whole(data, old_size);
    stop_sharing(t, data, size, old_size);
    if (size)
        share_cut_page(inode, data, size, old_size);
    if ((unsigned long)data & PAGE_MASK) { // of these none was ever adopted
        borrowed_release(at, end);
        return;
    }
    unsigned long start = (unsigned long)data >> PAGE_SHIFT;
    while (at < end) { // nobody brings these into the tree any more
        spin_lock(&inode->spin);
        unsigned long next = pagecache_next(&t->cache, at - start);
        spin_unlock(&inode->spin);
        next = next == PAGECACHE_NONE ? end : MIN(next + start, end);
        borrowed_release(at, next);
        at = next + 1;
    }
}

void tmpfs_cut(struct inode *inode, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (size < t->borrowed_size)
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
    for (uint64_t at = start; at < MAX(end, t->borrowed_size) && at < t->borrowed_size;
         at = (at | PAGE_MASK) + 1) {
        struct page *p = tmpfs_make_page(inode, at >> PAGE_SHIFT, 0);
        if (IS_ERR(p))
            return PTR_ERR(p);
        page_put(p);
        if (cond_resched_killable())
            return -EINTR;
    }
    if (start < t->borrowed_size)
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
        while (index < end && (pagecache_get(&t->cache, index) || borrowed_bytes(t, index)))
            index++;
    } else if (!borrowed_bytes(t, index)) {
        index = pagecache_next(&t->cache, index);
    }
    spin_unlock(&inode->spin);
    return MIN(index, end);
}

uint64_t tmpfs_block_count(struct inode *inode) {
    struct tmpfs_data *t = tmpfs_data(inode);
    return MAX((uint64_t)t->cache.pages, pages_for(t->borrowed_size)) * (PAGE_SIZE / 512);
}

// ---- mapping

static struct page *backing_get_page(struct vm_backing *b, unsigned long index, bool write) {
    struct inode *inode = container_of(b, struct inode, backing);
    (void)write;
    struct page *p = tmpfs_make_page(inode, index, TMPFS_MAPPED);
    return PTR_ERR(p) == -ENOSPC ? ERR_PTR(-EFAULT) : p;
}

// Adopting is as good as being there. Behind the file's end there may be pages that a write has not filled
// yet.
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
        struct page *p = tmpfs_find_page(inode, index + i);
        if (!p && borrowed_whole(t, index + i)) {
            p = tmpfs_make_page(inode, index + i, TMPFS_MAPPED);
            if (IS_ERR(p))
                break;
        }
        if (!p)
            break;
        pages[i] = p;
    }
    return i;
}

const struct vm_backing_ops tmpfs_backing_ops = {.get_page = backing_get_page,
                                                 .get_present = backing_get_present};
