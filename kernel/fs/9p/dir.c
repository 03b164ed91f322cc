// SPDX-License-Identifier: MIT
// Reading directories: what the server sends at a time is kept, and no more. A position is the server's own, behind the two that
// are "." and "..".
#include "core/errno.h"
#include "fs/9p/private.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fcntl.h>

#define ROOM  16384u
#define FIRST 2 // position of what the server calls 0

struct p9_dir {
    struct p9_fid *fid;
    struct p9_reader rest; // of what has come
    off_t pos;             // where `rest` is
    uint8_t entries[];
};

static off_t position(uint64_t next) {
    return next > (uint64_t)INT64_MAX - FIRST ? INT64_MAX : (off_t)(next + FIRST);
}

// More entries, from pos on. 1, 0 at the end, or an error.
static int fetch(struct p9_dir *dir, off_t pos) {
    dir->rest = (struct p9_reader){0};
    ssize_t n = p9_readdir(dir->fid, (uint64_t)(pos - FIRST), dir->entries, ROOM);
    if (n <= 0)
        return (int)n;
    dir->rest = (struct p9_reader){.at = dir->entries, .left = (size_t)n};
    dir->pos = pos;
    return 1;
}

static bool is_dots(const struct p9_text *name) {
    return name->at[0] == '.' && (name->length == 1 || (name->length == 2 && name->at[1] == '.'));
}

// The entry at ctx->pos: 1 and it is passed, 0: the end, or no room, or an error.
static int emit_one(struct p9_dir *dir, struct dir_context *ctx) {
    struct p9_entry e;
    int is = 1;
    if (dir->pos != ctx->pos || !dir->rest.left)
        is = fetch(dir, ctx->pos);
    if (is <= 0)
        return is;
    struct p9_reader before = dir->rest;
    is = p9_get_entry(&dir->rest, &e);
    if (is <= 0)
        return -EIO;
    off_t next = position(e.next);
    if (!is_dots(&e.name) && !ctx->emit(ctx, e.name.at, e.name.length, next, e.qid.path, e.type)) {
        dir->rest = before;
        return 0;
    }
    dir->pos = ctx->pos = next;
    return 1;
}

static int dir_readdir(struct file *f, struct dir_context *ctx) {
    off_t start = ctx->pos;
    int is;
    while ((is = emit_one(f->private_data, ctx)) > 0)
        if (cond_resched_killable())
            return -EINTR;
    return ctx->pos != start ? 0 : is; // an error comes again
}

static void dir_release(struct file *f) {
    struct p9_dir *dir = f->private_data;
    p9_fid_put(dir->fid);
    kfree(dir);
}

static int dir_fsync(struct file *f) {
    return p9_fsync(((struct p9_dir *)f->private_data)->fid);
}

static const struct file_ops dir_fops = {
    .readdir = dir_readdir, .lseek = dentry_lseek_dir, .release = dir_release, .fsync = dir_fsync};

int p9_dir_open(struct inode *inode, struct file *f) {
    struct p9_fid *of = p9_fid_of(inode);
    if (IS_ERR(of))
        return PTR_ERR(of);
    struct p9_fid *fid = p9_walk(of, NULL, 0);
    p9_fid_put(of);
    if (IS_ERR(fid))
        return PTR_ERR(fid);
    int err = p9_lopen(fid, O_RDONLY | O_DIRECTORY | O_LARGEFILE);
    struct p9_dir *dir = err ? NULL : kmalloc(sizeof(*dir) + ROOM);
    if (!dir) {
        p9_fid_put(fid);
        return err ? err : -ENOMEM;
    }
    *dir = (struct p9_dir){.fid = fid};
    f->private_data = dir;
    f->ops = &dir_fops;
    return 0;
}
