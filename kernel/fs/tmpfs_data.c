// SPDX-License-Identifier: MIT
// The content of tmpfs files: pages in a radix tree, over bytes borrowed from an archive.
//
// A borrowed page that is whole (page-aligned in RAM, no other file's bytes on it) is *adopted* when it is first mapped or
// written: it becomes a page of the tree, in place. Others are *copied* then. When a file lets go of borrowed whole pages,
// they are *released* to the allocator; bytes on shared pages stay where they are.
#include "fs/tmpfs_data.h"
#include "core/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define FANOUT_BITS 9
#define FANOUT      (1u << FANOUT_BITS)
#define MAX_HEIGHT  6

static unsigned long tree_limit(unsigned int height) {
    return 1ul << (FANOUT_BITS * height);
}

static void **node_create(void) {
    struct page *p = page_alloc(0, ALLOC_ZERO);
    return p ? page_address(p) : NULL;
}
static void node_free(void **node) {
    page_put(phys_to_page(virt_to_phys(node)));
}

// ---- the tree [s]

static struct page *tree_get(const struct tmpfs_data *t, unsigned long index) {
    void *at = t->root;
    if (index >= tree_limit(t->height))
        return NULL;
    for (unsigned int h = t->height; h && at; h--)
        at = ((void **)at)[index >> (FANOUT_BITS * (h - 1)) & (FANOUT - 1)];
    return at;
}

// The place of a page, made if need be. NULL if no memory.
static struct page **tree_slot(struct tmpfs_data *t, unsigned long index) {
    while (index >= tree_limit(t->height)) {
        if (t->root) {
            void **node = node_create();
            if (!node)
                return NULL;
            node[0] = t->root;
            t->root = node;
        }
        t->height++;
    }
    void **at = &t->root;
    for (unsigned int h = t->height; h; h--) {
        if (!*at && !(*at = node_create()))
            return NULL;
        at = &((void **)*at)[index >> (FANOUT_BITS * (h - 1)) & (FANOUT - 1)];
    }
    return (struct page **)at;
}

// Drops the pages [first, last] of the subtree at *at, which begins with page `base`, and nodes that are empty then.
// Returns how many pages went.
static uint64_t tree_cut(void **at, unsigned int height, unsigned long base, unsigned long first,
                         unsigned long last) {
    uint64_t gone = 0;
    bool empty = true;
    if (!*at)
        return 0;
    if (!height) {
        if (base < first || base > last)
            return 0;
        page_put(*at);
        *at = NULL;
        return 1;
    }
    void **node = *at;
    unsigned long span = tree_limit(height - 1);
    for (unsigned int i = 0; i < FANOUT; i++) {
        unsigned long start = base + i * span;
        if (node[i] && start <= last && start + span - 1 >= first)
            gone += tree_cut(&node[i], height - 1, start, first, last);
        empty &= !node[i];
    }
    if (empty) {
        node_free(node);
        *at = NULL;
    }
    return gone;
}

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

// Gives the borrowed whole pages [first, end) that were not adopted back to the allocator.
static void borrowed_release(struct tmpfs_data *t, unsigned long first, unsigned long end) {
    unsigned long run = first;
    for (unsigned long i = first; i <= end; i++) {
        bool ours = i < end && borrowed_whole(t, i) && !tree_get(t, i);
        if (ours)
            continue;
        if (i > run) {
            page_donate(virt_to_phys(t->borrowed + (run << PAGE_SHIFT)), i - run);
            memory_account(MEM_RELEASED, i - run);
            memory_account(MEM_BORROWED, -(long)(i - run));
        }
        run = i + 1;
    }
}

static unsigned long borrowed_pages(const struct tmpfs_data *t) {
    return t->borrowed && !((unsigned long)t->borrowed & PAGE_MASK) ? t->borrowed_size >> PAGE_SHIFT : 0;
}

// ---- accounts

static int charge(struct superblock *sb) {
    if (!sb->max_pages)
        return 0;
    if (__atomic_add_fetch(&sb->used_pages, 1, __ATOMIC_RELAXED) <= sb->max_pages)
        return 0;
    __atomic_fetch_sub(&sb->used_pages, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

static void uncharge(struct superblock *sb, uint64_t pages) {
    if (sb->max_pages)
        __atomic_fetch_sub(&sb->used_pages, pages, __ATOMIC_RELAXED);
    memory_account(MEM_CACHE, -(long)pages);
}

// ---- pages

struct page *tmpfs_find_page(struct inode *inode, unsigned long index) {
    spin_lock(&inode->spin);
    struct page *p = tree_get(tmpfs_data(inode), index);
    if (p)
        page_get(p);
    spin_unlock(&inode->spin);
    return p;
}

// A page with the content of page `index`, refs 1. NULL if no memory. [s]
static struct page *page_with_content(struct tmpfs_data *t, unsigned long index, bool overwrite) {
    size_t n = borrowed_bytes(t, index);
    if (borrowed_whole(t, index)) {
        memory_account(MEM_ADOPTED, 1);
        memory_account(MEM_BORROWED, -1);
        return page_adopt(virt_to_phys(t->borrowed + ((uint64_t)index << PAGE_SHIFT)));
    }
    struct page *p = page_alloc(0, n || overwrite ? 0 : ALLOC_ZERO);
    if (!p || overwrite || !n)
        return p;
    char *to = page_address(p);
    memcpy(to, t->borrowed + ((uint64_t)index << PAGE_SHIFT), n);
    memset(to + n, 0, PAGE_SIZE - n);
    memory_account(MEM_COPIED, 1);
    return p;
}

struct page *tmpfs_make_page(struct inode *inode, unsigned long index, bool overwrite) {
    struct tmpfs_data *t = tmpfs_data(inode);
    struct page *p = ERR_PTR(-ENOMEM);
    spin_lock(&inode->spin);
    struct page **slot = tree_slot(t, index);
    if (slot && !*slot) {
        int err = charge(inode->sb);
        if (err)
            p = ERR_PTR(err);
        else if ((*slot = page_with_content(t, index, overwrite))) {
            (*slot)->flags |= PAGE_CACHE;
            t->pages++;
            memory_account(MEM_CACHE, 1);
        } else if (inode->sb->max_pages)
            __atomic_fetch_sub(&inode->sb->used_pages, 1, __ATOMIC_RELAXED);
    }
    if (slot && *slot) {
        p = *slot;
        page_get(p);
    }
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

// Takes the pages [first, last] out. [i]
static void drop_pages(struct inode *inode, unsigned long first, unsigned long last) {
    struct tmpfs_data *t = tmpfs_data(inode);
    spin_lock(&inode->spin);
    uint64_t gone = tree_cut(&t->root, t->height, 0, first, last);
    t->pages -= gone;
    if (!t->root)
        t->height = 0;
    spin_unlock(&inode->spin);
    uncharge(inode->sb, gone);
}

static bool is_mapped(struct inode *inode) {
    return !list_empty(&inode->backing.areas);
}

void tmpfs_cut(struct inode *inode, uint64_t size) {
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned long first = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    spin_lock(&inode->spin);
    if (size < t->borrowed_size) {
        borrowed_release(t, first, borrowed_pages(t));
        t->borrowed_size = size;
        if (!size)
            t->borrowed = NULL;
    }
    spin_unlock(&inode->spin);
    if (t->root)
        drop_pages(inode, first, ~0ul >> PAGE_SHIFT);
    if (is_mapped(inode))
        vm_backing_truncate(&inode->backing, first, ~0ul >> PAGE_SHIFT);
    if (size & PAGE_MASK)
        clear_part(inode, size >> PAGE_SHIFT, size & PAGE_MASK, PAGE_SIZE);
}

int tmpfs_punch(struct inode *inode, uint64_t start, uint64_t end) {
    struct tmpfs_data *t = tmpfs_data(inode);
    // Borrowed bytes cannot have holes: what of them lies in the range, and behind it, becomes pages.
    for (uint64_t at = start; at < MAX(end, t->borrowed_size) && at < t->borrowed_size;
         at = (at | PAGE_MASK) + 1) {
        struct page *p = tmpfs_make_page(inode, at >> PAGE_SHIFT, false);
        if (IS_ERR(p))
            return PTR_ERR(p);
        page_put(p);
    }
    spin_lock(&inode->spin);
    t->borrowed_size = MIN(t->borrowed_size, start);
    spin_unlock(&inode->spin);
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

unsigned long tmpfs_seek(struct inode *inode, unsigned long index, unsigned long end, bool data) {
    struct tmpfs_data *t = tmpfs_data(inode);
    spin_lock(&inode->spin);
    while (index < end && (tree_get(t, index) || borrowed_bytes(t, index)) != data)
        index++;
    spin_unlock(&inode->spin);
    return MIN(index, end);
}

uint64_t tmpfs_block_count(struct inode *inode) {
    struct tmpfs_data *t = tmpfs_data(inode);
    uint64_t borrowed = (t->borrowed_size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    return MAX(t->pages, borrowed) * (PAGE_SIZE / 512);
}

// ---- mapping

static struct page *backing_get_page(struct vm_backing *b, unsigned long index, bool write) {
    struct inode *inode = container_of(b, struct inode, backing);
    (void)write;
    if (index >= (READ_ONCE(inode->size) + PAGE_SIZE - 1) >> PAGE_SHIFT)
        return ERR_PTR(-EFAULT);
    struct page *p = tmpfs_make_page(inode, index, false);
    return PTR_ERR(p) == -ENOSPC ? ERR_PTR(-EFAULT) : p;
}

// Adopting is as good as being there.
static unsigned int backing_get_present(struct vm_backing *b, unsigned long index, struct page **pages,
                                        unsigned int n) {
    struct inode *inode = container_of(b, struct inode, backing);
    struct tmpfs_data *t = tmpfs_data(inode);
    unsigned int i;
    for (i = 0; i < n; i++) {
        struct page *p = tmpfs_find_page(inode, index + i);
        if (!p && borrowed_whole(t, index + i)) {
            p = tmpfs_make_page(inode, index + i, false);
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
