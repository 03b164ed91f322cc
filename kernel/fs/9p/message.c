// SPDX-License-Identifier: MIT
// Requests into bytes, and bytes of replies into what they say.
#include "fs/9p/message.h"
#include "core/errno.h"
#include "lib/string.h"

#define MAX_ERROR 133 // Linux's last errno: what is beyond means something else in here

// ---- requests

static void put_number(struct p9_writer *w, uint64_t v, size_t n) {
    if ((size_t)(w->end - w->at) < n) {
        w->too_long = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        *w->at++ = (uint8_t)(v >> 8 * i);
}

static void put_text(struct p9_writer *w, const char *text, size_t n) {
    if (n > UINT16_MAX || (size_t)(w->end - w->at) < n + 2) {
        w->too_long = true;
        return;
    }
    put_number(w, n, 2);
    memcpy(w->at, text, n);
    w->at += n;
}

void p9_begin(struct p9_writer *w, void *to, size_t room, enum p9_type type, uint16_t tag) {
    *w = (struct p9_writer){.start = to, .at = to, .end = (uint8_t *)to + room};
    put_number(w, 0, 4);
    put_number(w, type, 1);
    put_number(w, tag, 2);
}

void p9_put_list(struct p9_writer *w, const char *pattern, va_list list) {
    for (const char *p = pattern; *p; p++) {
        if (*p == 'q') {
            put_number(w, va_arg(list, uint64_t), 8);
        } else if (*p == 's') {
            const char *text = va_arg(list, const char *);
            put_text(w, text, va_arg(list, size_t));
        } else {
            put_number(w, va_arg(list, uint32_t), *p == 'b' ? 1 : *p == 'w' ? 2 : 4);
        }
    }
}

void p9_put(struct p9_writer *w, const char *pattern, ...) {
    va_list list;
    va_start(list, pattern);
    p9_put_list(w, pattern, list);
    va_end(list);
}

size_t p9_end(struct p9_writer *w, size_t more) {
    size_t n = (size_t)(w->at - w->start);
    if (w->too_long || n + more > UINT32_MAX)
        return 0;
    w->at = w->start;
    put_number(w, n + more, 4);
    return n;
}

// ---- replies

static uint64_t get_number(struct p9_reader *r, size_t n) {
    uint64_t v = 0;
    if (r->bad || r->left < n) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)r->at[i] << 8 * i;
    r->at += n;
    r->left -= n;
    return v;
}

static struct p9_text get_text(struct p9_reader *r) {
    uint16_t n = (uint16_t)get_number(r, 2);
    if (r->bad || r->left < n) {
        r->bad = true;
        return (struct p9_text){"", 0};
    }
    struct p9_text text = {(const char *)r->at, n};
    r->at += n;
    r->left -= n;
    return text;
}

bool p9_get(struct p9_reader *r, const char *pattern, ...) {
    va_list list;
    va_start(list, pattern);
    for (const char *p = pattern; *p; p++) {
        if (*p == 'b')
            *va_arg(list, uint8_t *) = (uint8_t)get_number(r, 1);
        else if (*p == 'w')
            *va_arg(list, uint16_t *) = (uint16_t)get_number(r, 2);
        else if (*p == 'd')
            *va_arg(list, uint32_t *) = (uint32_t)get_number(r, 4);
        else if (*p == 'q')
            *va_arg(list, uint64_t *) = get_number(r, 8);
        else
            *va_arg(list, struct p9_text *) = get_text(r);
    }
    va_end(list);
    return !r->bad;
}

int p9_open(struct p9_reader *r, const void *from, size_t n, enum p9_type type, uint16_t tag) {
    uint32_t size, error;
    uint8_t got_type;
    uint16_t got_tag;
    *r = (struct p9_reader){.at = from, .left = n};
    if (!p9_get(r, "dbw", &size, &got_type, &got_tag) || size < P9_HEADER || size > n || got_tag != tag)
        return -EIO;
    r->left = size - P9_HEADER;
    if (got_type == P9_RLERROR && p9_get(r, "d", &error) && error && error <= MAX_ERROR && error != EINTR)
        return -(int)error;
    return got_type == type + 1 ? 0 : -EIO;
}

bool p9_get_qid(struct p9_reader *r, struct p9_qid *qid) {
    return p9_get(r, "bdq", &qid->type, &qid->version, &qid->path);
}

// What it has besides (when it was made, generation, data version) is of no use: servers do not know it.
bool p9_get_stat(struct p9_reader *r, struct p9_stat *st) {
    uint64_t valid;
    return p9_get(r, "q", &valid) && p9_get_qid(r, &st->qid) &&
           p9_get(r, "dddqqqqqqqqqqq", &st->mode, &st->uid, &st->gid, &st->nlink, &st->rdev, &st->size,
                  &st->blksize, &st->blocks, &st->atime_sec, &st->atime_nsec, &st->mtime_sec, &st->mtime_nsec,
                  &st->ctime_sec, &st->ctime_nsec);
}

bool p9_get_statfs(struct p9_reader *r, struct p9_statfs *st) {
    return p9_get(r, "ddqqqqqqd", &st->type, &st->bsize, &st->blocks, &st->bfree, &st->bavail, &st->files,
                  &st->ffree, &st->fsid, &st->namelen);
}

int p9_get_entry(struct p9_reader *r, struct p9_entry *e) {
    if (!r->left && !r->bad)
        return 0;
    if (!p9_get_qid(r, &e->qid) || !p9_get(r, "qbs", &e->next, &e->type, &e->name))
        return -EIO;
    const struct p9_text *name = &e->name;
    if (!name->length || name->length > P9_NAME_MAX || memchr(name->at, '/', name->length) ||
        memchr(name->at, '\0', name->length))
        return -EIO;
    return 1;
}
