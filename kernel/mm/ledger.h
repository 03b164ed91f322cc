// SPDX-License-Identifier: MIT
// Whose the pages of archives are. The root file system is unpacked without being copied, so the RAM that an archive lies
// in becomes, page by page, the RAM of files and of everybody. Who may give a page away is known here and nowhere else.
//
// Invariant: each page of archive RAM is at any time exactly one of
//
// - *held* by the archive as a whole: the reader has not passed it, or a fence keeps it, and no file has bytes on it;
// - *lent in parts*: page.refs counts the loans that end or begin within it, and the reader if it reads on there;
// - *lent whole*: a loan covers it, and with that it is the file's alone; nobody counts;
// - *adopted*: it was lent whole to a file whose bytes begin at a page's border, and is now a page of that file with
//   PAGE_BORROWED, of which page.refs counts the users as of any page;
// - *given* to the allocator, for good. That happens where the last of its users lets go, never elsewhere.
//
// A *loan* is the bytes that one file has of an archive. On which pages it counts follows from its two bounds alone: on
// the page that it begins within, and on the one that it ends within unless that is the same. (If it is cut within a page that is
// adopted already, it counts there beside the file's other users, which is all the same to everybody.)
//
// A *reader* goes through a buffer from its beginning to its end. Loans are made in order: what lies between the last one and the
// next is headers and names, which nobody needs once the next loan is made, or more is passed. The page that the last loan ends
// within counts the reader too: for that file may be gone before the next one begins there. Readers nest: an archive that came out of a compressed one is
// read while the buffer around it stands still.
//
// Locks: whoever makes, cuts and adopts of a loan has the loan's own lock (tmpfs: inode->spin). Readers are the unpacker's, one
// thread's; loans are made by it alone. Compiled on the host too (tests/unit/test_ledger.c), against another mm/page.h.
#pragma once
#include "mm/page.h"

struct loan {
    const char *data; // NULL: nothing
    uint64_t size;    // bytes
};

// ---- the archive

// A boot loader's initrd: what else lies on its first and last page is not known, so these two stay.
void ledger_fence(const void *data, uint64_t size);
// RAM for what is decompressed: the largest piece there is, held from now on; NULL and 0: none. What of it is not used goes back.
void *ledger_take_room(uint64_t *size);
void ledger_keep_room(void *room, uint64_t size, uint64_t used);

// ---- the reader

// A reader begins at these bytes, within the one at hand or as the first.
void ledger_open(const void *at);
// It will not read again what lies before `end`: gives the pages of that to the allocator on which no file has bytes.
void ledger_pass(const void *end);
// It is done, and the one before goes on.
void ledger_close(void);

// ---- loans

// The loan, which was none, becomes these bytes, which lie behind all that were lent before. What is between is passed, but goes
// not before the next loan or pass: the name of the file that gets these is there.
void loan_make(struct loan *l, const void *data, uint64_t size);
// True if the bytes of the file's page `index` are a whole page of RAM that may be adopted.
static inline bool loan_has_page(const struct loan *l, unsigned long index) {
    return l->data && !((unsigned long)l->data & PAGE_MASK) && ((uint64_t)index + 1) << PAGE_SHIFT <= l->size;
}
// How many of the bytes of page `index` are lent.
static inline size_t loan_bytes(const struct loan *l, unsigned long index) {
    uint64_t start = (uint64_t)index << PAGE_SHIFT;
    return l->data && start < l->size ? MIN(l->size - start, (uint64_t)PAGE_SIZE) : 0;
}
static inline uint64_t pages_of(uint64_t size) {
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
// Page `index`, which loan_has_page() and was not adopted before; refs 1 is the file's.
struct page *loan_adopt(const struct loan *l, unsigned long index);
// The bytes of page `index`, with zeros behind, into another page.
void loan_copy(const struct loan *l, unsigned long index, void *to);

// Letting go of what lies behind `size` takes two steps. After loan_cut() nobody adopts it or begins to read it: the loan as it was
// is what is to be returned. loan_return() does that, when all who began to read it have ended. `adopted` tells the first page
// >= index that the file has adopted, ~0ul: none.
static inline struct loan loan_cut(struct loan *l, uint64_t size) {
    struct loan old = *l;
    l->size = size;
    if (!size)
        l->data = NULL;
    return old;
}
void loan_return(struct loan old, uint64_t size, unsigned long (*adopted)(void *arg, unsigned long index),
                 void *arg);
