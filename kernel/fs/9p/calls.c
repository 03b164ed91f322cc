// SPDX-License-Identifier: MIT
// The messages of the protocol, one by one.
#include "core/errno.h"
#include "fs/9p/request.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fcntl.h>
#include <linux/limits.h>

#define GETATTR_BASIC 0x7ffull // all that stat(2) tells

// A request whose reply is of no interest but for errors.
static int simple(struct p9_client *c, enum p9_type type, const char *pattern, ...) {
    va_list list;
    va_start(list, pattern);
    struct p9_request *r = p9_request_create_list(c, type, pattern, list);
    va_end(list);
    if (IS_ERR(r))
        return PTR_ERR(r);
    return p9_request_end(r, p9_request_run(r));
}

static struct p9_fid *made_by(struct p9_request *r, struct p9_fid *fid, int err) {
    err = p9_request_end(r, err);
    return err ? ERR_PTR(err) : fid;
}

struct p9_fid *p9_attach(struct p9_client *c, const char *uname, const char *aname, uint32_t uid) {
    struct p9_fid *fid = p9_fid_create(c);
    if (!fid)
        return ERR_PTR(-ENOMEM);
    struct p9_request *r = p9_request_create(c, P9_TATTACH, "ddssd", fid->number, P9_NO_FID, uname,
                                             strlen(uname), aname, strlen(aname), uid);
    if (IS_ERR(r)) {
        p9_fid_forget(fid);
        return ERR_PTR(PTR_ERR(r));
    }
    r->made = fid;
    return made_by(r, fid, p9_request_run(r));
}

struct p9_fid *p9_walk(struct p9_fid *from, const char *name, size_t len) {
    struct p9_fid *fid = p9_fid_create(from->client);
    if (!fid)
        return ERR_PTR(-ENOMEM);
    struct p9_request *r =
        name ? p9_request_create(from->client, P9_TWALK, "ddws", from->number, fid->number, 1, name, len)
             : p9_request_create(from->client, P9_TWALK, "ddw", from->number, fid->number, 0);
    if (IS_ERR(r)) {
        p9_fid_forget(fid);
        return ERR_PTR(PTR_ERR(r));
    }
    r->made = fid;
    uint16_t steps;
    int err = p9_request_run(r);
    if (!err && (!p9_get(&r->body, "w", &steps) || steps > (name != NULL)))
        err = -EIO;
    if (!err && steps < (name != NULL))
        err = -ENOENT; // the fid was not made
    return made_by(r, fid, err);
}

int p9_getattr(struct p9_fid *fid, struct p9_stat *st) {
    struct p9_request *r = p9_request_create(fid->client, P9_TGETATTR, "dq", fid->number, GETATTR_BASIC);
    if (IS_ERR(r))
        return PTR_ERR(r);
    int err = p9_request_run(r);
    if (!err && !p9_get_stat(&r->body, st))
        err = -EIO;
    return p9_request_end(r, err);
}

int p9_setattr(struct p9_fid *fid, const struct p9_setattr *set) {
    return simple(fid->client, P9_TSETATTR, "dddddqqqqq", fid->number, set->valid, set->mode, set->uid,
                  set->gid, set->size, set->atime_sec, set->atime_nsec, set->mtime_sec, set->mtime_nsec);
}

int p9_lopen(struct p9_fid *fid, uint32_t flags) {
    return simple(fid->client, P9_TLOPEN, "dd", fid->number, flags);
}

int p9_lcreate(struct p9_fid *fid, const char *name, size_t len, uint32_t flags, uint32_t mode,
               uint32_t gid) {
    return simple(fid->client, P9_TLCREATE, "dsddd", fid->number, name, len, flags, mode, gid);
}

int p9_mkdir(struct p9_fid *dir, const char *name, size_t len, uint32_t mode, uint32_t gid) {
    return simple(dir->client, P9_TMKDIR, "dsdd", dir->number, name, len, mode, gid);
}

int p9_mknod(struct p9_fid *dir, const char *name, size_t len, uint32_t mode, uint32_t major, uint32_t minor,
             uint32_t gid) {
    return simple(dir->client, P9_TMKNOD, "dsdddd", dir->number, name, len, mode, major, minor, gid);
}

// The target may be longer than there is room in a request: it, and the gid behind it, are memory of their own.
int p9_symlink(struct p9_fid *dir, const char *name, size_t len, const char *target, size_t n, uint32_t gid) {
    struct p9_request *r = p9_request_create(dir->client, P9_TSYMLINK, "ds", dir->number, name, len);
    if (IS_ERR(r))
        return PTR_ERR(r);
    struct p9_writer w;
    size_t room = P9_HEADER + 2 + n + 4;
    uint8_t *extra = kmalloc(room);
    int err = -ENOMEM;
    if (extra) {
        p9_begin(&w, extra, room, P9_TSYMLINK, P9_NO_TAG);
        p9_put(&w, "sd", target, n, gid);
        memmove(extra, extra + P9_HEADER, room - P9_HEADER);
        r->extra = extra;
        r->extra_size = room - P9_HEADER;
        err = w.too_long ? -ENAMETOOLONG : p9_request_run(r);
    }
    return p9_request_end(r, err);
}

int p9_link(struct p9_fid *dir, struct p9_fid *target, const char *name, size_t len) {
    return simple(dir->client, P9_TLINK, "dds", dir->number, target->number, name, len);
}

int p9_renameat(struct p9_fid *from, const char *name, size_t len, struct p9_fid *to, const char *new_name,
                size_t new_len) {
    return simple(from->client, P9_TRENAMEAT, "dsds", from->number, name, len, to->number, new_name, new_len);
}

int p9_unlinkat(struct p9_fid *dir, const char *name, size_t len, bool is_dir) {
    return simple(dir->client, P9_TUNLINKAT, "dsd", dir->number, name, len, is_dir ? AT_REMOVEDIR : 0);
}

int p9_fsync(struct p9_fid *fid) {
    return simple(fid->client, P9_TFSYNC, "dd", fid->number, 0);
}

int p9_statfs(struct p9_fid *fid, struct p9_statfs *st) {
    struct p9_request *r = p9_request_create(fid->client, P9_TSTATFS, "d", fid->number);
    if (IS_ERR(r))
        return PTR_ERR(r);
    int err = p9_request_run(r);
    if (!err && !p9_get_statfs(&r->body, st))
        err = -EIO;
    return p9_request_end(r, err);
}

static int set_reply_room(struct p9_request *r, size_t n) {
    uint8_t *reply = kmalloc(n);
    if (!reply)
        return -ENOMEM;
    r->reply = reply;
    r->room = n;
    return 0;
}

char *p9_readlink(struct p9_fid *fid) {
    struct p9_request *r = p9_request_create(fid->client, P9_TREADLINK, "d", fid->number);
    if (IS_ERR(r))
        return ERR_PTR(PTR_ERR(r));
    struct p9_text target;
    char *copy = NULL;
    int err = set_reply_room(r, P9_HEADER + 2 + PATH_MAX);
    if (!err)
        err = p9_request_run(r);
    if (!err && (!p9_get(&r->body, "s", &target) || target.length >= PATH_MAX ||
                 memchr(target.at, '\0', target.length)))
        err = -EIO;
    if (!err && !(copy = kstrndup(target.at, target.length)))
        err = -ENOMEM;
    err = p9_request_end(r, err);
    return err ? ERR_PTR(err) : copy;
}

ssize_t p9_readdir(struct p9_fid *fid, uint64_t offset, void *buf, size_t room) {
    uint32_t count = 0;
    room = MIN(room, fid->client->msize - P9_READ_HEAD);
    struct p9_request *r =
        p9_request_create(fid->client, P9_TREADDIR, "dqd", fid->number, offset, (uint32_t)room);
    if (IS_ERR(r))
        return PTR_ERR(r);
    int err = set_reply_room(r, P9_READ_HEAD + room);
    if (!err)
        err = p9_request_run(r);
    if (!err && (!p9_get(&r->body, "d", &count) || count > r->body.left || count > room))
        err = -EIO;
    if (!err)
        memcpy(buf, r->body.at, count);
    err = p9_request_end(r, err);
    return err ? err : (ssize_t)count;
}

ssize_t p9_read(struct p9_fid *fid, uint64_t offset, struct page **pages, size_t skip, size_t n) {
    uint32_t count = 0;
    struct p9_request *r = p9_request_create(fid->client, P9_TREAD, "dqd", fid->number, offset, (uint32_t)n);
    if (IS_ERR(r))
        return PTR_ERR(r);
    p9_request_set_pages(r, pages, skip, n);
    r->room = P9_READ_HEAD;
    int err = p9_request_run(r);
    // What r->body says is left is in the pages but for the count.
    if (!err && (!p9_get(&r->body, "d", &count) || count > n || count > r->body.left))
        err = -EIO;
    err = p9_request_end(r, err);
    return err ? err : (ssize_t)count;
}

ssize_t p9_write(struct p9_fid *fid, uint64_t offset, struct page **pages, size_t skip, size_t n) {
    uint32_t count = 0;
    struct p9_request *r = p9_request_create(fid->client, P9_TWRITE, "dqd", fid->number, offset, (uint32_t)n);
    if (IS_ERR(r))
        return PTR_ERR(r);
    p9_request_set_pages(r, pages, skip, n);
    int err = p9_request_run(r);
    if (!err && (!p9_get(&r->body, "d", &count) || count > n || !count))
        err = -EIO;
    err = p9_request_end(r, err);
    return err ? err : (ssize_t)count;
}
