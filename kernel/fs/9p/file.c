// SPDX-License-Identifier: MIT
// Open files. What is written goes to the server before write(2) returns; what is read comes from pages, which the opening of the
// file has seen to be right.
#include "core/errno.h"
#include "fs/9p/private.h"
#include "lib/string.h"
#include "mm/page.h"
#include <linux/fcntl.h>
#include <linux/fs.h>

#define READ_BATCH  16 // pages
#define WRITE_PAGES 32 // at a time

// ---- fids that are open

struct p9_fid *p9_get_fid(struct inode *inode, bool write) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    spin_lock(&m->lock);
    struct p9_fid *fid = write ? p->writer : p->reader;
    if (fid)
        p9_fid_get(fid);
    spin_unlock(&m->lock);
    return fid;
}

// One that is open already and will do. It is counted as an open file. [m]
static struct p9_fid *share_locked(struct p9_inode *p, int access) {
    ASSERT_HELD(&p9_mount_of(&p->inode)->lock);
    struct p9_fid *fid = p->created;
    if (fid) {
        p->created = NULL;
        return fid;
    }
    fid = access == O_RDONLY ? p->reader : p->writer;
    if (access == O_RDWR && p->reader != p->writer)
        fid = NULL;
    if (fid)
        p9_fid_get(fid);
    return fid;
}

// Pages are read and written by it if need be. [m]
static void lend(struct p9_fid **place, struct p9_fid *fid, struct p9_fid **old) {
    if (*place == fid)
        return;
    *old = *place;
    p9_fid_get(fid);
    *place = fid;
}

static struct p9_fid *open_fid(struct inode *inode, int access) {
    struct p9_fid *of = p9_fid_of(inode);
    if (IS_ERR(of))
        return of;
    struct p9_fid *fid = p9_walk(of, NULL, 0);
    p9_fid_put(of);
    int err = IS_ERR(fid) ? 0 : p9_lopen(fid, (uint32_t)access | O_LARGEFILE);
    if (!err)
        return fid;
    p9_fid_put(fid);
    return ERR_PTR(err);
}

void p9_end_opens(struct inode *inode) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    struct p9_fid *fids[3] = {NULL};
    spin_lock(&m->lock);
    if (!p->opens && !p->taken && list_empty(&p->dirty_link)) {
        fids[0] = p->reader;
        fids[1] = p->writer;
        fids[2] = p->created;
        p->reader = p->writer = p->created = NULL;
    }
    spin_unlock(&m->lock);
    if (fids[0])
        p9_fid_put(fids[0]);
    for (size_t i = 1; i < ARRAY_SIZE(fids); i++)
        if (fids[i])
            p9_fid_put_now(fids[i]);
}

static int file_flush(struct file *f) {
    int err = p9_write_back(f->inode);
    return err ? err : p9_take_write_error(f->inode);
}

// What is dirty is in the mount's list, too, for its thread.
static void write_back_unless_others(struct file *f) {
    if (!current->waits_for_no_device)
        (void)p9_write_back(f->inode);
}

static void file_release(struct file *f) {
    struct p9_mount *m = p9_mount_of(f->inode);
    struct p9_inode *p = p9_inode_of(f->inode);
    write_back_unless_others(f);
    spin_lock(&m->lock);
    p->opens--;
    spin_unlock(&m->lock);
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        p9_fid_put(f->private_data);
    else // the host may execute the file from now on
        p9_fid_put_now(f->private_data);
    p9_end_opens(f->inode);
}

// ---- reading

// Bytes, or an error if there were none.
static ssize_t read_part(struct inode *inode, struct uio *u, uint64_t at, size_t n) {
    struct page *pages[READ_BATCH];
    size_t offset = at & PAGE_MASK;
    int count = p9_get_pages(inode, at >> PAGE_SHIFT, pages,
                             MIN((unsigned int)((offset + n + PAGE_SIZE - 1) >> PAGE_SHIFT), READ_BATCH));
    if (count < 0)
        return count == -EFAULT ? 0 : count; // it has become shorter
    n = MIN(n, count * PAGE_SIZE - offset);
    size_t copied = uio_write_pages(u, pages, (unsigned int)count, offset, n);
    return copied ? (ssize_t)copied : -EFAULT;
}

static ssize_t file_read_op(struct file *f, struct uio *u, off_t *pos) {
    struct inode *inode = f->inode;
    uint64_t at = (uint64_t)*pos;
    ssize_t done = 0, n = 0;
    if (u->resid && at >= READ_ONCE(inode->size))
        p9_refresh_lately(inode); // it may grow on the host
    while (u->resid && at < READ_ONCE(inode->size)) {
        n = read_part(inode, u, at, MIN(READ_ONCE(inode->size) - at, u->resid));
        if (n <= 0)
            break;
        at += (uint64_t)n;
        done += n;
        if (cond_resched_killable())
            break;
    }
    *pos = (off_t)at;
    return done ? done : n;
}

// ---- writing

static void put_pages(struct page **pages, unsigned int count) {
    for (unsigned int i = 0; i < count; i++)
        page_put(pages[i]);
}

// Copies what the program writes into pages of our own. Bytes, *count pages.
static ssize_t gather(struct uio *u, size_t skip, size_t n, struct page **pages, unsigned int *count) {
    size_t done = 0;
    *count = 0;
    while (done < n) {
        struct page *page = page_alloc(0, 0);
        if (!page)
            return done ? (ssize_t)done : -ENOMEM;
        pages[(*count)++] = page;
        size_t part = MIN(PAGE_SIZE - skip, n - done);
        size_t copied = uio_read_from(u, (char *)page_address(page) + skip, part);
        done += copied;
        skip = 0;
        if (copied < part)
            return done ? (ssize_t)done : -EFAULT;
    }
    return (ssize_t)done;
}

static int send(struct file *f, uint64_t at, struct page **pages, size_t skip, size_t n, size_t *sent) {
    struct p9_fid *fid = f->private_data;
    for (*sent = 0; *sent < n;) {
        size_t from = skip + *sent;
        ssize_t put = p9_write(fid, at + *sent, pages + (from >> PAGE_SHIFT), from & PAGE_MASK,
                               MIN(n - *sent, p9_io_most(fid->client)));
        if (put < 0)
            return (int)put;
        *sent += (size_t)put;
    }
    return 0;
}

// What was copied and then not taken by the server is to be written again.
static void take_back(struct uio *u, size_t n, struct uio saved) {
    size_t copied = saved.resid - u->resid;
    *u = saved;
    for (size_t left = MIN(n, copied); left;) {
        size_t part = MIN(u->seg->len - u->offset, left);
        u->offset += part;
        u->resid -= part;
        left -= part;
        if (u->nseg > 1 && u->offset == u->seg->len) {
            u->seg++;
            u->nseg--;
            u->offset = 0;
        }
    }
}

// Sends and puts it into the pages that are known. No page is on its way to the server meanwhile: it would bring back what was
// there before.
static int send_part(struct file *f, uint64_t at, struct page **pages, size_t skip, size_t n, size_t *sent) {
    struct inode *inode = f->inode;
    int err = mutex_lock_killable(&p9_inode_of(inode)->flush);
    if (err)
        return err;
    p9_change(inode);
    err = send(f, at, pages, skip, n, sent);
    if (*sent && at + *sent > READ_ONCE(inode->size))
        WRITE_ONCE(inode->size, at + *sent);
    p9_change(inode); // what was fetched before is not put in behind the patch
    p9_patch_pages(inode, at, pages, skip, *sent);
    mutex_unlock(&p9_inode_of(inode)->flush);
    return err;
}

// Bytes, or an error if there were none.
static ssize_t write_part(struct file *f, struct uio *u, uint64_t at) {
    struct page *pages[WRITE_PAGES];
    struct uio saved = *u;
    unsigned int count;
    size_t skip = at & PAGE_MASK, sent = 0;
    ssize_t n = gather(u, skip, MIN(u->resid, WRITE_PAGES * PAGE_SIZE - skip), pages, &count);
    int err = n < 0 ? (int)n : 0;
    if (!err)
        err = send_part(f, at, pages, skip, (size_t)n, &sent);
    put_pages(pages, count);
    take_back(u, sent, saved);
    return sent ? (ssize_t)sent : err;
}

static ssize_t write_locked(struct file *f, struct uio *u, off_t *pos) {
    ASSERT_HELD(&f->inode->lock);
    struct inode *inode = f->inode;
    ssize_t done = 0, n = 0;
    if (f->flags & O_APPEND)
        n = p9_refresh(inode) == -EINTR ? -EINTR : 0;
    uint64_t at = f->flags & O_APPEND ? inode->size : (uint64_t)*pos;
    if (!n && at + u->resid > INT64_MAX)
        n = -EFBIG;
    if (!n && u->resid)
        p9_drop_set_ids(inode);
    while (n >= 0 && u->resid) {
        n = write_part(f, u, at);
        if (n <= 0)
            break;
        at += (uint64_t)n;
        done += n;
        if (cond_resched_killable())
            break;
    }
    if (!done)
        return n;
    inode_touch(inode, true);
    *pos = (off_t)at;
    return done;
}

static ssize_t file_write_op(struct file *f, struct uio *u, off_t *pos) {
    int err = mutex_lock_killable(&f->inode->lock);
    if (err)
        return err;
    ssize_t done = write_locked(f, u, pos);
    mutex_unlock(&f->inode->lock);
    if (done > 0 && f->flags & (O_SYNC | O_DSYNC))
        err = p9_fsync(f->private_data);
    return err ? err : done;
}

// ---- the rest

// All of it counts as data: the server does not tell of holes.
static off_t file_lseek_op(struct file *f, off_t offset, int whence) {
    struct inode *inode = f->inode;
    if (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE)
        p9_refresh_lately(inode);
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (offset < 0 || (uint64_t)offset >= inode->size)
            return -ENXIO;
        offset = whence == SEEK_DATA ? offset : (off_t)inode->size;
        whence = SEEK_SET;
    }
    return file_seek(f, offset, whence, (off_t)inode->size);
}

static int file_fsync(struct file *f) {
    int err = file_flush(f);
    return err ? err : p9_fsync(f->private_data);
}

static const struct file_ops file_ops = {.read = file_read_op,
                                         .write = file_write_op,
                                         .lseek = file_lseek_op,
                                         .fsync = file_fsync,
                                         .flush = file_flush,
                                         .area_gone = write_back_unless_others,
                                         .release = file_release};

int p9_file_open(struct inode *inode, struct file *f) {
    struct p9_mount *m = p9_mount_of(inode);
    struct p9_inode *p = p9_inode_of(inode);
    int access = (int)(f->flags & O_ACCMODE);
    if (access == O_ACCMODE)
        access = O_RDWR;
    struct p9_fid *old[2] = {NULL};
    spin_lock(&m->lock);
    bool fresh = p->created != NULL;
    struct p9_fid *fid = share_locked(p, access);
    p->opens++;
    spin_unlock(&m->lock);
    if (!fid)
        fid = open_fid(inode, access);
    if (!IS_ERR(fid)) {
        spin_lock(&m->lock);
        if (fresh || access != O_WRONLY)
            lend(&p->reader, fid, &old[0]);
        if (fresh || access != O_RDONLY)
            lend(&p->writer, fid, &old[1]);
        spin_unlock(&m->lock);
    }
    for (size_t i = 0; i < ARRAY_SIZE(old); i++)
        if (old[i])
            p9_fid_put(old[i]);
    if (IS_ERR(fid)) {
        spin_lock(&m->lock);
        p->opens--;
        spin_unlock(&m->lock);
        return PTR_ERR(fid);
    }
    f->private_data = fid;
    f->backing = &inode->backing;
    f->ops = &file_ops;
    return 0;
}
