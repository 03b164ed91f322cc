// SPDX-License-Identifier: MIT
// Pages of files. A page is fetched without any lock, and put where it belongs if nothing has changed the content meanwhile
// (`changes`). Pages that a shared mapping may have changed are in `dirty`, too; a page that is written back is taken out of all
// mappings first, so that the next store to it tells of itself.
#include "core/errno.h"
#include "fs/9p/private.h"
#include "lib/string.h"
#include "mm/page.h"

#define WINDOW      16u // pages that are fetched at once, at first
#define WRITE_DELAY (500 * (ktime_t)NSEC_PER_SEC / 1000)
#define TEND_DELAY  (1 * (ktime_t)NSEC_PER_SEC)
#define STEP        256u // pages or files that are gone through with a spinlock held
#define DIRTY_PART  8    // of memory may be dirty

static unsigned long pages_in(const struct inode *inode) {
    return (READ_ONCE(inode->size) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

// Less is left than what others are sure to need soon.
static bool memory_is_low(void) {
    return READ_ONCE(memory_level.free) < 2 * memory_level.tight;
}

static void trim_some(struct p9_mount *m);

// ---- fetching

// How many pages from `index` on are to be fetched: more and more for one who reads in order.
static unsigned int choose_count(struct inode *inode, unsigned long index, unsigned int wanted) {
    struct p9_inode *p = p9_inode_of(inode);
    unsigned int most = p9_mount_of(inode)->client->io_pages;
    unsigned int window =
        index == READ_ONCE(p->next_index) ? MAX(WINDOW, MIN(2 * READ_ONCE(p->window), most)) : WINDOW;
    if (memory_is_low())
        window = 1;
    window = MIN(MAX(window, wanted), most);
    spin_lock(&inode->spin);
    unsigned long next = pagecache_next(&p->cache, index);
    spin_unlock(&inode->spin);
    unsigned long end = MIN(pages_in(inode), next);
    return end > index ? (unsigned int)MIN((unsigned long)window, end - index) : 1;
}

static unsigned int make_pages(struct page **pages, unsigned int n) {
    unsigned int i = 0;
    while (i < n && (pages[i] = page_alloc(0, 0)))
        i++;
    return i;
}

// Reads n bytes, or as many as there are. An error if there were none.
static ssize_t read_pages(struct p9_fid *fid, uint64_t at, struct page **pages, size_t n) {
    size_t done = 0;
    while (done < n) {
        ssize_t got = p9_read(fid, at + done, pages + (done >> PAGE_SHIFT), done & PAGE_MASK,
                              MIN(n - done, p9_io_most(fid->client)));
        if (got < 0)
            return done ? (ssize_t)done : got;
        if (!got)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

// Puts those pages into the cache that are not there yet, if the content is what it was. References go to it, or go.
static int insert(struct inode *inode, unsigned long index, struct page **pages, unsigned int n,
                  unsigned int changes) {
    struct p9_inode *p = p9_inode_of(inode);
    int err = 0;
    unsigned int added = 0;
    spin_lock(&inode->spin);
    if (p->changes != changes)
        err = -EAGAIN;
    for (unsigned int i = 0; i < n && !err; i++) {
        if (pagecache_get(&p->cache, index + i))
            continue;
        struct page **place = pagecache_place(&p->cache, index + i);
        if (!place) {
            err = added ? 0 : -ENOMEM;
            break;
        }
        pagecache_fill(&p->cache, place, pages[i]);
        pages[i] = NULL;
        added++;
    }
    spin_unlock(&inode->spin);
    memory_account(MEM_CACHE, added);
    for (unsigned int i = 0; i < n; i++)
        if (pages[i])
            page_put(pages[i]);
    return err;
}

// Fetches page `index` and some behind it. 0, -EAGAIN: look again.
static int fetch(struct inode *inode, unsigned long index, unsigned int wanted) {
    struct p9_inode *p = p9_inode_of(inode);
    struct page *pages[P9_IO_PAGES];
    uint64_t at = (uint64_t)index << PAGE_SHIFT;
    struct p9_fid *fid = p9_get_fid(inode, false);
    if (!fid)
        return -EIO;
    if (memory_is_low())
        trim_some(p9_mount_of(inode));
    unsigned int changes = __atomic_load_n(&p->changes, __ATOMIC_ACQUIRE);
    uint64_t size = READ_ONCE(inode->size);
    unsigned int n = make_pages(pages, choose_count(inode, index, wanted));
    size_t left = size > at ? MIN(size - at, (uint64_t)n << PAGE_SHIFT) : 0;
    ssize_t got = !n ? -ENOMEM : read_pages(fid, at, pages, left);
    p9_fid_put(fid);
    // What is behind the last byte of a file is zeros, and a file that turns out to be shorter ends with them.
    unsigned int whole = got < 0 ? 0 : MAX((unsigned int)(((size_t)got + PAGE_SIZE - 1) >> PAGE_SHIFT), 1u);
    if (got >= 0 && (size_t)got < (size_t)whole << PAGE_SHIFT)
        memset((char *)page_address(pages[whole - 1]) + (got & PAGE_MASK), 0, PAGE_SIZE - (got & PAGE_MASK));
    for (unsigned int i = whole; i < n; i++)
        page_put(pages[i]);
    if (got < 0)
        return (int)got;
    WRITE_ONCE(p->window, whole);
    WRITE_ONCE(p->next_index, index + whole);
    p9_client_poke(p9_mount_of(inode)->client, clock_monotonic() + TEND_DELAY);
    return insert(inode, index, pages, whole, changes);
}

static unsigned int get_run(struct inode *inode, unsigned long index, struct page **pages, unsigned int n) {
    spin_lock(&inode->spin);
    unsigned int found = pagecache_get_run(&p9_inode_of(inode)->cache, index, pages, n);
    spin_unlock(&inode->spin);
    return found;
}

int p9_get_pages(struct inode *inode, unsigned long index, struct page **pages, unsigned int n) {
    for (;;) {
        unsigned long end = pages_in(inode);
        if (index >= end)
            return -EFAULT;
        n = (unsigned int)MIN((unsigned long)n, end - index);
        unsigned int found = get_run(inode, index, pages, n);
        if (found)
            return (int)found;
        int err = fetch(inode, index, n);
        if (!err || err == -EAGAIN)
            err = cond_resched_killable();
        if (err)
            return err;
    }
}

// ---- changes

static void count_dirty(const struct inode *inode, int n) {
    __atomic_fetch_add(&p9_mount_of(inode)->dirty_pages, n, __ATOMIC_RELAXED);
    memory_account(MEM_DIRTY, n);
}

void p9_change(struct inode *inode) {
    struct p9_inode *p = p9_inode_of(inode);
    spin_lock(&inode->spin);
    p->changes++;
    p->changed_here = true;
    spin_unlock(&inode->spin);
}

// A page that was written as a whole, or up to the end of the file, is as good as one that was fetched. [s]
static void keep_written(struct p9_inode *p, unsigned long index, struct page *page, size_t end) {
    struct page **place = memory_is_low() ? NULL : pagecache_place(&p->cache, index);
    if (!place)
        return;
    memset((char *)page_address(page) + end, 0, PAGE_SIZE - end);
    page_get(page);
    pagecache_fill(&p->cache, place, page);
    memory_account(MEM_CACHE, 1);
}

void p9_patch_pages(struct inode *inode, uint64_t at, struct page **pages, size_t skip, size_t n) {
    struct p9_inode *p = p9_inode_of(inode);
    for (size_t done = 0, part; done < n; done += part, at += part, skip = 0) {
        struct page *page = *pages++;
        unsigned long index = at >> PAGE_SHIFT;
        part = MIN(PAGE_SIZE - skip, n - done);
        spin_lock(&inode->spin);
        struct page *known = pagecache_get(&p->cache, index);
        if (known) {
            memcpy((char *)page_address(known) + skip, (const char *)page_address(page) + skip, part);
            page_rewritten(known);
        } else if (!skip && (part == PAGE_SIZE || at + part >= READ_ONCE(inode->size))) {
            keep_written(p, index, page, part);
        }
        spin_unlock(&inode->spin);
    }
}

// Drops pages from *at on, as many as others can wait for, and moves *at behind them; PAGECACHE_NONE: there are no more. How many;
// *dirty: how many of them were. Both go at once: what is dirty is in the cache, and the same page. [s]
static unsigned int drop_step(struct p9_inode *p, unsigned long *at, unsigned int *dirty) {
    unsigned int gone = 0, borrowed = 0;
    unsigned long first = pagecache_next(&p->cache, *at), last = first + STEP - 1;
    *dirty = 0;
    if (first != PAGECACHE_NONE) {
        *dirty = pagecache_cut(&p->dirty, first, last, &borrowed);
        gone = pagecache_cut(&p->cache, first, last, &borrowed);
    }
    *at = first == PAGECACHE_NONE ? first : last + 1;
    return gone;
}

// All from `first` on. The file may grow meanwhile: what was asked for before each step comes too late.
static void drop_range(struct inode *inode, unsigned long first) {
    struct p9_inode *p = p9_inode_of(inode);
    unsigned int dirty;
    for (unsigned long at = first; at != PAGECACHE_NONE; cond_resched()) {
        spin_lock(&inode->spin);
        p->changes++;
        unsigned int gone = drop_step(p, &at, &dirty);
        spin_unlock(&inode->spin);
        memory_account(MEM_CACHE, -(long)gone);
        count_dirty(inode, -(int)dirty);
    }
}

void p9_cut(struct inode *inode, uint64_t size) {
    unsigned long first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct page *last = NULL;
    WRITE_ONCE(inode->size, size);
    drop_range(inode, first);
    if (!list_empty(&inode->backing.areas))
        vm_backing_truncate(&inode->backing, first, PAGECACHE_NONE >> PAGE_SHIFT);
    if (size & PAGE_MASK && get_run(inode, size >> PAGE_SHIFT, &last, 1)) {
        memset((char *)page_address(last) + (size & PAGE_MASK), 0, PAGE_SIZE - (size & PAGE_MASK));
        page_put(last);
    }
}

int p9_clear_behind(struct inode *inode, uint64_t size) {
    struct p9_fid *fid = p9_get_fid(inode, true);
    struct page *zeros = fid ? page_alloc(0, ALLOC_ZERO) : NULL;
    int err = fid && !zeros ? -ENOMEM : 0;
    for (uint64_t at = size; !err && fid && at < inode->size;) {
        size_t n = MIN(PAGE_SIZE - (at & PAGE_MASK), inode->size - at);
        ssize_t put = p9_write(fid, at, &zeros, 0, n);
        err = put < 0 ? (int)put : cond_resched_killable();
        at += put < 0 ? 0 : (uint64_t)put;
    }
    if (zeros)
        page_put(zeros);
    if (fid)
        p9_fid_put(fid);
    return err;
}

// Takes clean pages out of the cache, from *at on, as many as others can wait for: all, or those that nobody uses. Moves *at on;
// PAGECACHE_NONE: there are no more. How many went.
static unsigned int drop_clean(struct inode *inode, unsigned long *at, bool all) {
    struct p9_inode *p = p9_inode_of(inode);
    unsigned int gone = 0, borrowed = 0;
    spin_lock(&inode->spin);
    if (all && !p->dirty.root && !p->writing) {
        gone = drop_step(p, at, &(unsigned int){0});
    } else {
        unsigned long i = *at;
        for (unsigned int n = 0; n < STEP && (i = pagecache_next(&p->cache, i)) != PAGECACHE_NONE; n++, i++)
            if ((all || READ_ONCE(pagecache_get(&p->cache, i)->refs) == 1) && !pagecache_get(&p->dirty, i) &&
                i - p->writing_at >= p->writing)
                gone += pagecache_cut(&p->cache, i, i, &borrowed);
        *at = i;
    }
    spin_unlock(&inode->spin);
    memory_account(MEM_CACHE, -(long)gone);
    return gone;
}

void p9_invalidate(struct inode *inode) {
    struct p9_inode *p = p9_inode_of(inode);
    unsigned int gone = 0;
    spin_lock(&inode->spin);
    p->changes++; // what was asked for before comes too late
    spin_unlock(&inode->spin);
    for (unsigned long at = 0; at != PAGECACHE_NONE; cond_resched())
        gone += drop_clean(inode, &at, true);
    if (gone && !list_empty(&inode->backing.areas))
        vm_backing_truncate(&inode->backing, 0, PAGECACHE_NONE >> PAGE_SHIFT);
}

// The first file from `hand` on that has pages, referenced, if it is among the next STEP. NULL: `hand` is where to go on, or, behind
// the last, the beginning again: then *more is false.
static struct p9_inode *find_cached(struct p9_mount *m, struct p9_hand *hand, bool *more) {
    struct p9_inode key = {.inode.ino = hand->ino}, *p, *found = NULL;
    unsigned int n = 0;
    spin_lock(&m->lock);
    for (p = RB_NFIND(p9_inode_tree, &m->inodes, &key); p && n < STEP;
         p = RB_NEXT(p9_inode_tree, &m->inodes, p), n++) {
        if (READ_ONCE(p->cache.pages) && ref_get_unless_zero(&p->inode.refs)) {
            found = p;
            break;
        }
    }
    ino_t at = p ? p->inode.ino : 0;
    spin_unlock(&m->lock);
    *more = p != NULL;
    if (!p || at != hand->ino)
        *hand = (struct p9_hand){at, 0};
    return found;
}

// Gives back pages that nobody uses, from `hand` on, as many as others can wait for. False: that was the last of them.
static bool trim_step(struct p9_mount *m, struct p9_hand *hand) {
    bool more;
    struct p9_inode *p = find_cached(m, hand, &more);
    if (!p)
        return more;
    (void)drop_clean(&p->inode, &hand->index, false);
    if (hand->index == PAGECACHE_NONE) {
        more = p->inode.ino + 1 != 0; // any number may be a file's
        *hand = (struct p9_hand){p->inode.ino + 1, 0};
    }
    inode_put(&p->inode);
    return more;
}

void p9_trim(struct p9_mount *m) {
    struct p9_hand hand = {0, 0};
    while (trim_step(m, &hand))
        cond_resched();
}

// For one who needs some pages himself: goes on where the last one ended.
static void trim_some(struct p9_mount *m) {
    spin_lock(&m->lock);
    struct p9_hand hand = m->hand;
    spin_unlock(&m->lock);
    (void)trim_step(m, &hand);
    spin_lock(&m->lock);
    m->hand = hand;
    spin_unlock(&m->lock);
}

// ---- writing back

// The inode is to be looked at by the thread, and stays until it was.
static void list_dirty(struct inode *inode) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    spin_lock(&m->lock);
    if (list_empty(&p->dirty_link)) {
        inode_get(inode);
        list_add_tail(&p->dirty_link, &m->dirty);
    }
    spin_unlock(&m->lock);
    p9_client_poke(m->client, clock_monotonic() + WRITE_DELAY);
}

// Marks the page, unless another one has taken its place: -EAGAIN.
static int mark_dirty(struct inode *inode, unsigned long index, struct page *page) {
    struct p9_inode *p = p9_inode_of(inode);
    int err = 0;
    spin_lock(&inode->spin);
    if (pagecache_get(&p->cache, index) != page) {
        err = -EAGAIN;
    } else if (!pagecache_get(&p->dirty, index)) {
        struct page **place = pagecache_place(&p->dirty, index);
        if (place) {
            page_get(page);
            pagecache_fill(&p->dirty, place, page);
            count_dirty(inode, 1);
        } else {
            err = -ENOMEM;
        }
    }
    spin_unlock(&inode->spin);
    if (!err)
        list_dirty(inode);
    return err;
}

// Takes some of the dirty pages from *index on out, in a row, with a reference each. How many; *index is the first. They are not
// clean before end_writing().
static unsigned int take_dirty(struct p9_inode *p, unsigned long *index, struct page **pages,
                               unsigned int most) {
    unsigned int n = 0, borrowed = 0;
    spin_lock(&p->inode.spin);
    *index = pagecache_next(&p->dirty, *index);
    if (*index != PAGECACHE_NONE) {
        n = pagecache_get_run(&p->dirty, *index, pages, most);
        (void)pagecache_cut(&p->dirty, *index, *index + n - 1, &borrowed);
        p->writing_at = *index;
        p->writing = n;
        p->changes++;
        p->changed_here = true;
    }
    spin_unlock(&p->inode.spin);
    return n;
}

static void end_writing(struct p9_inode *p) {
    count_dirty(&p->inode, -(int)p->writing);
    spin_lock(&p->inode.spin);
    p->changes++;
    p->changed_here = true;
    p->writing = 0;
    spin_unlock(&p->inode.spin);
}

static int write_run(struct inode *inode, struct p9_fid *fid, unsigned long index, struct page **pages,
                     unsigned int n) {
    uint64_t at = (uint64_t)index << PAGE_SHIFT, size = READ_ONCE(inode->size);
    size_t left = size > at ? MIN(size - at, (uint64_t)n << PAGE_SHIFT) : 0, done = 0;
    while (done < left) {
        ssize_t put = p9_write(fid, at + done, pages + (done >> PAGE_SHIFT), done & PAGE_MASK,
                               MIN(left - done, p9_io_most(fid->client)));
        if (put < 0)
            return (int)put;
        done += (size_t)put;
    }
    return 0;
}

// The first one is told. [flush]
static void note_error(struct p9_inode *p, int err) {
    int none = 0;
    (void)__atomic_compare_exchange_n(&p->write_error, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

// From page *from on, which is moved on. 1: there may be more; 0; -EINTR. [flush]
static int write_some(struct inode *inode, struct p9_fid *fid, unsigned long *from) {
    struct p9_inode *p = p9_inode_of(inode);
    struct page *pages[P9_IO_PAGES];
    unsigned long index = *from;
    unsigned int n = take_dirty(p, &index, pages, p9_mount_of(inode)->client->io_pages);
    if (!n)
        return 0;
    *from = index + n;
    vm_backing_truncate(&inode->backing, index, index + n - 1);
    int err = fid ? write_run(inode, fid, index, pages, n) : -EIO;
    for (unsigned int i = 0; i < n; i++) {
        if (err == -EINTR && mark_dirty(inode, index + i, pages[i]))
            note_error(p, -EIO);
        page_put(pages[i]);
    }
    if (err && err != -EINTR)
        note_error(p, err);
    end_writing(p); // who finds the file clean finds the error, too
    return err == -EINTR ? err : 1;
}

static bool is_clean(struct p9_inode *p) {
    spin_lock(&p->inode.spin);
    bool clean = !p->dirty.pages && !p->writing;
    spin_unlock(&p->inode.spin);
    return clean;
}

int p9_write_back(struct inode *inode) {
    struct p9_inode *p = p9_inode_of(inode);
    if (likely(is_clean(p)))
        return 0;
    int err = mutex_lock_killable(&p->flush);
    if (err)
        return err;
    struct p9_fid *fid = p9_get_fid(inode, true);
    unsigned long from = 0; // once through the file: who writes on and on keeps nobody here
    do
        err = write_some(inode, fid, &from);
    while (err > 0);
    if (fid)
        p9_fid_put(fid);
    mutex_unlock(&p->flush);
    return err;
}

int p9_take_write_error(struct inode *inode) {
    return __atomic_exchange_n(&p9_inode_of(inode)->write_error, 0, __ATOMIC_RELAXED);
}

// The first of them, with its reference, until end_taken().
static struct inode *take_listed(struct p9_mount *m, struct list_head *from) {
    struct p9_inode *p = NULL;
    spin_lock(&m->lock);
    if (!list_empty(from)) {
        p = list_first_entry(from, struct p9_inode, dirty_link);
        list_del(&p->dirty_link);
        p->taken++;
    }
    spin_unlock(&m->lock);
    return p ? &p->inode : NULL;
}

static void end_taken(struct p9_mount *m, struct inode *inode) {
    spin_lock(&m->lock);
    p9_inode_of(inode)->taken--;
    spin_unlock(&m->lock);
    p9_end_opens(inode);
    inode_put(inode);
}

int p9_write_back_all(struct p9_mount *m) {
    struct list_head some = LIST_HEAD_INIT(some);
    int err = mutex_lock_killable(&m->sync);
    if (err)
        return err;
    spin_lock(&m->lock);
    list_splice_tail(&m->dirty, &some);
    spin_unlock(&m->lock);
    for (struct inode *inode; (inode = take_listed(m, &some));) {
        int killed = p9_write_back(inode);
        if (killed)
            list_dirty(inode);
        err = err ? err : killed;
        end_taken(m, inode);
    }
    mutex_unlock(&m->sync);
    return err;
}

void p9_tend(void *arg) {
    struct p9_mount *m = arg;
    (void)p9_write_back_all(m);
    if (memory_is_low())
        p9_trim(m);
}

// ---- mapping

// All mounts together hold only that much that the server has not got, whoever wrote it: it cannot be had back by ending him.
static bool is_too_dirty(const struct p9_mount *m) {
    uint64_t most = memory_usable_pages() / DIRTY_PART / MAX(p9_mount_count(), 1u);
    return READ_ONCE(m->dirty_pages) >= (long)most;
}

// Who would make more dirty than that has what he made so written first, and then what others did. 0 or -EINTR.
static int make_less_dirty(struct inode *inode) {
    struct p9_mount *m = p9_mount_of(inode);
    int err = p9_write_back(inode);
    return err || !is_too_dirty(m) ? err : p9_write_back_all(m);
}

static struct page *get_page(struct vm_backing *b, unsigned long index, bool write) {
    struct inode *inode = container_of(b, struct inode, backing);
    struct page *page;
    int err = write && is_too_dirty(p9_mount_of(inode)) ? make_less_dirty(inode) : 0;
    if (err)
        return ERR_PTR(err);
    for (;;) {
        int n = p9_get_pages(inode, index, &page, 1);
        if (n < 0)
            return ERR_PTR(n);
        err = write ? mark_dirty(inode, index, page) : 0;
        if (!err)
            return page;
        page_put(page);
        if (err != -EAGAIN)
            return ERR_PTR(err);
    }
}

static unsigned int get_present(struct vm_backing *b, unsigned long index, struct page **pages,
                                unsigned int n) {
    struct inode *inode = container_of(b, struct inode, backing);
    unsigned long end = pages_in(inode);
    return index < end ? get_run(inode, index, pages, (unsigned int)MIN((unsigned long)n, end - index)) : 0;
}

#define COUNT_AT_ONCE 512 // pages

static unsigned long count(struct vm_backing *b, unsigned long *index, unsigned long last,
                           unsigned long *dirty) {
    struct inode *inode = container_of(b, struct inode, backing);
    struct p9_inode *p = p9_inode_of(inode);
    unsigned long start = *index;
    spin_lock(&inode->spin);
    unsigned int n = pagecache_count(&p->cache, index, last, COUNT_AT_ONCE);
    *dirty += pagecache_count(&p->dirty, &start, MIN(*index - 1, last), COUNT_AT_ONCE);
    spin_unlock(&inode->spin);
    return n;
}

const struct vm_backing_ops p9_backing_ops = {
    .get_page = get_page, .get_present = get_present, .count = count, .waits = true};
