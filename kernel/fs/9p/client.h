// SPDX-License-Identifier: MIT
// A session with a 9P file server: requests that are waited for, and fids, the numbers by which it knows files.
//
// All calls that ask the server wait for its answer; a fatal signal ends that with -EINTR (a kernel thread's does not end), and a
// server that breaks the rules with -EIO. Who gives up tells the server (Tflush); the request and the memory that it is about
// stay until the device has given them back, and fids that it may have made are given up then.
#pragma once
#include "core/spinlock.h"
#include "drivers/virtio/9p.h"
#include "fs/9p/message.h"
#include "lib/tree.h"
#include "mm/page.h"
#include "sched/clock.h"

#define P9_REQUESTS 64u // under way at a time
#define P9_IO_PAGES 64u // of one read or write, at most

struct p9_client;
size_t p9_io_most(const struct p9_client *c);

struct p9_fid {
    RB_ENTRY(p9_fid) node;    // [client->lock]
    struct list_head link;    // its owner's; [client->lock] once nobody refers to it: in client->dropped
    struct p9_client *client; // [I]
    uint32_t number;          // [I]
    uint64_t name;            // its owner's, for the name by which it was found
    struct refcount refs;
};
RB_HEAD(p9_fid_tree, p9_fid);

struct p9_request;
struct p9_client {
    struct p9_channel *channel;               // [I]
    struct spinlock lock;                     // taken with interrupts disabled
    struct p9_request *requests[P9_REQUESTS]; // [lock] by tag
    unsigned int underway;                    // [lock] requests that the device has
    struct p9_fid_tree fids;                  // [lock]
    uint32_t next_fid;                        // [lock]
    struct list_head dropped;                 // [lock] fids to be given up
    struct wait_queue work;                   // of the thread
    bool closing;                             // [a] nobody uses it any more
    uint32_t msize;                           // [I] the longest message
    unsigned int io_pages;                    // [I] of one read or write
    // The thread's other work: called now and then, and when p9_client_poke() was. NULL: none.
    void (*tend)(void *arg);
    void *arg;   // kfree()d in the end
    ktime_t due; // [a] when it is to be called, KTIME_NEVER: not
};

// Takes the channel of that tag into use and agrees on the protocol. ERR_PTR: -ENOENT (no such tag), -EBUSY, -EIO,
// -EPROTONOSUPPORT, -ENOMEM, -EINTR.
struct p9_client *__must_check p9_client_create(const char *tag, uint32_t msize);
// Nobody uses it any more: its thread ends it.
void p9_client_close(struct p9_client *c);
// tend() is to be called at that time at the latest. Any context.
void p9_client_poke(struct p9_client *c, ktime_t when);

static inline void p9_fid_get(struct p9_fid *fid) {
    ref_get(&fid->refs);
}
// The last one: the server is told later. Any context.
void p9_fid_put(struct p9_fid *fid);
// The last one: and the server has given it up when this returns, if it does so in time.
void p9_fid_put_now(struct p9_fid *fid);

// What follows are the protocol's messages. New fids come with a reference; names have no slash.
struct p9_fid *__must_check p9_attach(struct p9_client *c, const char *uname, const char *aname,
                                      uint32_t uid);
// To the file of that name in `from`; NULL: another fid for `from`.
struct p9_fid *__must_check p9_walk(struct p9_fid *from, const char *name, size_t len);
int __must_check p9_getattr(struct p9_fid *fid, struct p9_stat *st);
#define P9_SET_MODE      1u
#define P9_SET_UID       2u
#define P9_SET_GID       4u
#define P9_SET_SIZE      8u
#define P9_SET_ATIME     16u
#define P9_SET_MTIME     32u
#define P9_SET_CTIME     64u
#define P9_SET_ATIME_SET 128u
#define P9_SET_MTIME_SET 256u
struct p9_setattr {
    uint32_t valid, mode, uid, gid;
    uint64_t size, atime_sec, atime_nsec, mtime_sec, mtime_nsec;
};
int __must_check p9_setattr(struct p9_fid *fid, const struct p9_setattr *set);
int __must_check p9_lopen(struct p9_fid *fid, uint32_t flags);
// Makes a file in the directory `fid`, which stands for that then, opened.
int __must_check p9_lcreate(struct p9_fid *fid, const char *name, size_t len, uint32_t flags, uint32_t mode,
                            uint32_t gid);
int __must_check p9_mkdir(struct p9_fid *dir, const char *name, size_t len, uint32_t mode, uint32_t gid);
int __must_check p9_mknod(struct p9_fid *dir, const char *name, size_t len, uint32_t mode, uint32_t major,
                          uint32_t minor, uint32_t gid);
int __must_check p9_symlink(struct p9_fid *dir, const char *name, size_t len, const char *target, size_t n,
                            uint32_t gid);
int __must_check p9_link(struct p9_fid *dir, struct p9_fid *target, const char *name, size_t len);
int __must_check p9_renameat(struct p9_fid *from, const char *name, size_t len, struct p9_fid *to,
                             const char *new_name, size_t new_len);
int __must_check p9_unlinkat(struct p9_fid *dir, const char *name, size_t len, bool is_dir);
int __must_check p9_fsync(struct p9_fid *fid);
int __must_check p9_statfs(struct p9_fid *fid, struct p9_statfs *st);
// The target, kmalloc'ed and terminated, or ERR_PTR.
char *__must_check p9_readlink(struct p9_fid *fid);
// Entries from `offset` on into buf, of `room` bytes: what p9_get_entry() reads. Bytes.
ssize_t __must_check p9_readdir(struct p9_fid *fid, uint64_t offset, void *buf, size_t room);
// Reads into, writes from, n of the bytes that begin `skip` bytes within the first of the pages. Bytes, fewer than n at the end.
// The pages have a reference while the device has them. n is at most p9_io_most(), and so many pages at most io_pages.
ssize_t __must_check p9_read(struct p9_fid *fid, uint64_t offset, struct page **pages, size_t skip, size_t n);
ssize_t __must_check p9_write(struct p9_fid *fid, uint64_t offset, struct page **pages, size_t skip,
                              size_t n);
