// SPDX-License-Identifier: MIT
// The 9P file system: what its files share.
//
//   message.c  bytes          client.c, calls.c  a session with a server
//   mount.c    options, life  inode.c  files known, their attributes, names kept     name.c  changes of names
//   file.c     open files     data.c   pages                                          dir.c   directories
//
// A file is known by its qid's path, so that all its names and all opens share one inode, with its pages and locks. The server is
// asked anew about a name whenever it is looked up as the last of a path; directories on the way are believed for a while. What
// it says of size and times tells whether the pages are still those of the file.
//
// Names that were found stay in the tree of dentries, at most one for each inode (`alias`): the one by which the server found
// `fid`. An inode without a fid has lost its name, and is what its open files make of it.
#pragma once
#include "fs/9p/client.h"
#include "fs/dentry.h"
#include "fs/file.h"
#include "fs/inode.h"
#include "fs/pagecache.h"
#include "fs/superblock.h"
#include "sched/wait.h"

struct p9_inode;
RB_HEAD(p9_inode_tree, p9_inode);

// Where in a mount's pages one who gives them back is.
struct p9_hand {
    ino_t ino;
    unsigned long index;
};

struct p9_mount {
    struct superblock *sb;    // [I] not referenced
    struct p9_client *client; // [I]
    struct p9_fid *root;      // [I]
    struct spinlock lock;
    struct p9_inode_tree inodes; // [lock] by qid.path
    struct list_head kept;       // [lock] of p9_inode.kept, the one used last in front
    unsigned int kept_count;     // [lock]
    struct list_head dirty;      // [lock] of p9_inode.dirty_link; each holds a reference
    long dirty_pages;            // [a] of all its files, until the server has them
    struct p9_hand hand;         // [lock] of those who need a page when memory is low
    struct mutex sync;           // one who writes back all that is dirty
    struct list_head link;       // of all mounts
    bool keeps_owners;           // [a] false: the server does not let us say whose a file is
    uint32_t msize;              // [I] as it was asked for
    bool access_user;            // [I] access=user; else client. What is allowed is decided here with both
};

// Key: [m] mount->lock, [s] inode.spin, [a] atomic.
struct p9_inode {
    struct inode inode;
    RB_ENTRY(p9_inode) node;      // [m]
    bool listed;                  // [m] in the tree of inodes
    struct list_head kept;        // [m]
    struct dentry *alias;         // [m] its name in the tree of dentries; referenced
    struct p9_fid *fid;           // [m] referenced; NULL: its name has gone
    struct list_head others;      // [m] of p9_fid.link: found by other names; referenced; the newest first
    unsigned int other_count;     // [m]
    ktime_t asked;                // [a] when the server last told about it
    struct thread *asked_by;      // [a] for whom; only compared
    unsigned long asked_switches; // [a] how often that had slept
    char *target;                 // [a] of a symlink, once it was read
    uint64_t blocks;              // [s]
    unsigned int blksize;         // [s]
    // What the attributes were when the pages were last known to be right.
    uint64_t seen_size;             // [s]
    ktime_t seen_mtime, seen_ctime; // [s]
    bool changed_here;              // [s] the server's are others than these
    // Content.
    struct pagecache cache;         // [s]
    struct pagecache dirty;         // [s] those of `cache` that are to be written
    unsigned long writing_at;       // [s] those that are being written: the first,
    unsigned int writing;           // [s] and how many
    unsigned int changes;           // [s] of the content, from here or known to be from there
    unsigned long next_index;       // [a] where a reader in order would go on
    unsigned int window;            // [a] pages that it gets at once
    struct list_head dirty_link;    // [m]
    unsigned int taken;             // [m] out of the list by those who write it back now
    struct p9_fid *reader, *writer; // [m] opened, while files are open; referenced
    struct p9_fid *created;         // [m] opened by its creation, for the next open
    unsigned int opens;             // [m] files open
    struct mutex flush;             // one who writes back
    int write_error;                // [a] of pages that were written later, for the next to ask
};

RB_PROTOTYPE(p9_inode_tree, p9_inode, node, )

static inline struct p9_mount *p9_mount_of(const struct inode *inode) {
    return inode->sb->private_data;
}
static inline struct p9_inode *p9_inode_of(const struct inode *inode) {
    return (struct p9_inode *)inode;
}

// mount.c
unsigned int p9_mount_count(void);

// inode.c
// The inode that fid, whose reference is taken over, stands for. ERR_PTR.
struct inode *__must_check p9_inode_get(struct p9_mount *m, struct p9_fid *fid);
// The inode's fid with a reference; ERR_PTR(-ENOENT): it has no name any more.
struct p9_fid *__must_check p9_fid_of(struct inode *inode);
// Looks the name up in the directory, whose fid is `from`. ERR_PTR.
struct p9_fid *__must_check p9_walk_name(struct p9_fid *from, const struct inode *dir, const char *name,
                                         size_t len);
// Asks the server for attributes. 0 (also where nobody could be asked), -ENOENT and other errors.
int __must_check p9_refresh(struct inode *inode);
// The same unless it was just asked for this thread.
void p9_refresh_lately(struct inode *inode);
// d, which is new and has its inode, goes into the tree of dentries in the place of what was known by that name.
void p9_name_made(struct dentry *d);
// The name d, which is in that directory, of its inode is no more. Not the last: the inode is found by another, if one is known.
void p9_name_lost(const struct inode *dir, struct dentry *d, bool last);
// The inode's fids that were found by one name are found by the other.
void p9_name_changed(struct inode *inode, const struct inode *old_dir, const struct dentry *old,
                     const struct inode *dir, const char *name);
void p9_forget_names(struct p9_mount *m, unsigned int keep);
void p9_inode_free(struct inode *inode);
void p9_unmounted(struct dentry *root);
void p9_drop_set_ids(struct inode *inode); // of a file that is written; inode->lock is held
int p9_inode_setattr(struct inode *inode, const struct iattr *attr);
void p9_inode_getattr(struct inode *inode, struct kstat *st);
void p9_inode_init(void);
extern const struct inode_ops p9_dir_ops, p9_file_iops, p9_link_ops, p9_special_ops;
const char *p9_inode_readlink(struct inode *inode, char *buf, size_t n);
int p9_lookup(struct inode *dir, struct dentry *d);
int p9_revalidate(struct dentry *d, bool on_way);
void p9_kept(struct dentry *d);
void p9_forget(struct dentry *d);

// file.c, dir.c
struct p9_fid *p9_get_fid(struct inode *inode, bool write); // one that is open so, referenced; NULL: none
void p9_end_opens(struct inode *inode); // lets go of fids if no file is open and nothing to be written
int p9_file_open(struct inode *inode, struct file *f);
int p9_dir_open(struct inode *inode, struct file *f);

// data.c
extern const struct vm_backing_ops p9_backing_ops;
// Pages index, index + 1, ... with references, at most n, fetched if the first is not there. How many, -EFAULT behind the end,
// or another error.
int __must_check p9_get_pages(struct inode *inode, unsigned long index, struct page **pages, unsigned int n);
// n bytes at `at`, in `pages` from `skip` on, have been written to the server.
void p9_patch_pages(struct inode *inode, uint64_t at, struct page **pages, size_t skip, size_t n);
// Begins and ends a change of content from here: what the server says in between is not to be believed.
void p9_change(struct inode *inode);
// What is in memory beyond `size` goes. inode->lock is held.
void p9_cut(struct inode *inode, uint64_t size);
// The host has changed the file: what is in memory goes, but for what is to be written.
void p9_invalidate(struct inode *inode);
// Zeros from `size` to the end of a file that the server cannot be told to cut, for it has no name. inode->lock is held.
int __must_check p9_clear_behind(struct inode *inode, uint64_t size);
// Writes what mappings have changed, and waits for others who do. 0 or -EINTR. Other errors, after which the pages are given up,
// are for p9_take_write_error().
int p9_write_back(struct inode *inode);
int p9_take_write_error(struct inode *inode);
int p9_write_back_all(struct p9_mount *m); // and waits for others who do; 0 or -EINTR
void p9_tend(void *arg); // a mount's thread's work: what is to be written, and whether memory is short
// Gives back pages that nobody uses.
void p9_trim(struct p9_mount *m);
