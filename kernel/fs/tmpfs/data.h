// SPDX-License-Identifier: MIT
// The content of a tmpfs file; private to fs/tmpfs.
#pragma once
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/pagecache.h"
#include "mm/ledger.h"

// Page `index` of the content is, in this order: the page in `cache`; a part of the borrowed bytes; zeros. Key:
// [s] inode->spin, [i] inode->lock.
struct tmpfs_data {
    struct pagecache cache; // [s]
    struct loan loan;       // [s] the borrowed bytes, at most the file's size
    unsigned int readers;   // [a] of borrowed bytes just now; grows under [s]
    unsigned int seals;     // [i] F_SEAL_*
    bool outlives;          // [a] its pages stay when no program has it any more
};

// A file's inode and its content in one piece.
struct tmpfs_file {
    struct inode inode;
    struct tmpfs_data data;
};

static inline struct tmpfs_data *tmpfs_data(const struct inode *inode) {
    return &((struct tmpfs_file *)inode)->data;
}
extern const struct vm_backing_ops tmpfs_backing_ops;
extern const struct file_ops tmpfs_file_ops; // of regular files
void memfd_init(void);
// An inode of the instance with its operations. ERR_PTR(-ENOMEM, -ENOSPC).
struct inode *__must_check tmpfs_inode(struct superblock *sb, mode_t mode);

// The page with a reference, NULL if it is none (borrowed or zeros).
struct page *tmpfs_find_page(struct inode *inode, unsigned long index);
// The pages index, index + 1, ... as far as they are there without a gap, at most n, each with a reference. How many. None
// behind the file's end: a write may not have filled those yet, and they hold what lay in memory (TMPFS_OVERWRITE).
unsigned int tmpfs_find_pages(struct inode *inode, unsigned long index, struct page **pages, unsigned int n);
// The borrowed bytes from offset `at` on, *n or fewer (then *n says how many), which stay there until
// tmpfs_borrow_end(). NULL: byte `at` is in a page, then *n is 0, or nowhere.
const char *tmpfs_borrow(struct inode *inode, uint64_t at, size_t *n);
void tmpfs_borrow_end(struct inode *inode);
// The page with a reference, made if need be: from the borrowed bytes, or of zeros. ERR_PTR(-ENOMEM, -ENOSPC; -EFAULT:
// behind the end, for a mapping).
struct page *__must_check tmpfs_make_page(struct inode *inode, unsigned long index, unsigned int how);
#define TMPFS_OVERWRITE (1u << 0) // not cleared: the caller writes all of it
#define TMPFS_MAPPED    (1u << 1) // for a mapping: if the page goes with its programs, shortage is -ENOMEM
// The content, which is empty, becomes these bytes of an archive. [i] [s]
void tmpfs_begin_borrowing(struct inode *inode, const char *data, uint64_t size);
// One page more, or some less, for an instance: not of an archive's, these take no memory. 0 or -ENOSPC.
int __must_check tmpfs_charge(struct superblock *sb);
void tmpfs_uncharge(struct superblock *sb, uint64_t pages);
// Cuts the content off behind `size` bytes and clears the rest of the last page. [i]; not the inode's size.
void tmpfs_cut(struct inode *inode, uint64_t size);
// Zeros in [start, end), whole pages given back. [i] 0 or -ENOMEM.
int __must_check tmpfs_punch(struct inode *inode, uint64_t start, uint64_t end);
// Pages for all of [start, end), not empty. [i] 0, -ENOSPC or -EINTR (a fatal signal), and then no page more than before
// if there was none.
int __must_check tmpfs_fill(struct inode *inode, uint64_t start, uint64_t end);
// The first page number >= index that has content (`data`) or has none; `end` if there is none below it.
unsigned long tmpfs_seek(struct inode *inode, unsigned long index, unsigned long end, bool data);
uint64_t tmpfs_block_count(struct inode *inode); // of 512 bytes
