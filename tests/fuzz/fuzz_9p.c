// SPDX-License-Identifier: MIT
// A 9P server that answers as the input says: every call of the client (kernel/fs/9p/calls.c), with whatever comes back for it,
// cut off anywhere. What a reply makes the client believe stays within what there was: the sanitizer watches the reply's memory, which
// is just as long as what came; counts are no larger than was asked for; names are names.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "core/errno.h"
#include "fs/9p/request.h"

static const uint8_t *at, *end;
static struct p9_client client = {.msize = 4096, .io_pages = 2};

static unsigned int next(void) {
    return at < end ? *at++ : 0;
}

// ---- what client.c has in the kernel

struct p9_fid *p9_fid_create(struct p9_client *c) {
    struct p9_fid *fid = calloc(1, sizeof(*fid));
    fid->client = c;
    fid->number = 7;
    return fid;
}

void p9_fid_forget(struct p9_fid *fid) {
    free(fid);
}

struct p9_request *p9_request_create_list(struct p9_client *c, enum p9_type type, const char *pattern,
                                          va_list list) {
    struct p9_request *r = calloc(1, sizeof(*r));
    r->client = c;
    r->type = type;
    r->tag = 3;
    r->reply = r->in;
    r->room = sizeof(r->in);
    p9_begin(&r->message, r->out, sizeof(r->out), type, r->tag);
    p9_put_list(&r->message, pattern, list);
    return r;
}

struct p9_request *p9_request_create(struct p9_client *c, enum p9_type type, const char *pattern, ...) {
    va_list list;
    va_start(list, pattern);
    struct p9_request *r = p9_request_create_list(c, type, pattern, list);
    va_end(list);
    return r;
}

void p9_request_set_pages(struct p9_request *r, struct page **pages, size_t skip, size_t n) {
    (void)pages;
    r->skip = skip;
    r->data = n;
}

// A head that would do, as often as not, and what the input has. Data for pages does not lie in the reply.
int p9_request_run(struct p9_request *r) {
    size_t size = p9_end(&r->message, r->extra_size);
    assert(size >= P9_HEADER && size <= sizeof(r->out));
    size_t here = MIN((size_t)(end - at), r->room), told = here + (r->type == P9_TREAD ? next() * 64 : 0);
    uint8_t *reply = malloc(here ? here : 1);
    unsigned int how = next();
    memcpy(reply, at, MIN(here, (size_t)(end - at)));
    here = MIN(here, (size_t)(end - at));
    told = MAX(here, MIN(told, here + r->data));
    if (how & 1 && here >= P9_HEADER) {
        const uint8_t head[P9_HEADER] = {(uint8_t)told,
                                         (uint8_t)(told >> 8),
                                         (uint8_t)(told >> 16),
                                         0,
                                         how & 2 ? P9_RLERROR : (uint8_t)(r->type + 1),
                                         3,
                                         0};
        memcpy(reply, head, sizeof(head));
    }
    at += here;
    if (r->reply != r->in)
        free(r->reply);
    r->reply = reply;
    r->written = (uint32_t)(r->type == P9_TREAD && here >= P9_READ_HEAD ? told : here);
    return p9_open(&r->body, r->reply, r->written, r->type, r->tag);
}

int p9_request_end(struct p9_request *r, int err) {
    assert(err <= 0 && err > -200);
    if (err && r->made)
        p9_fid_forget(r->made);
    if (r->reply != r->in)
        free(r->reply);
    free(r->extra);
    free(r);
    return err;
}

// ---- the calls

static void read_entries(struct p9_fid *fid) {
    uint8_t *entries = malloc(512);
    ssize_t n = p9_readdir(fid, 0, entries, 512);
    assert(n <= 512);
    uint8_t *exact = malloc(n > 0 ? (size_t)n : 1);
    memcpy(exact, entries, n > 0 ? (size_t)n : 0);
    struct p9_reader r = {.at = exact, .left = n > 0 ? (size_t)n : 0};
    struct p9_entry e;
    int is;
    for (size_t left = r.left; (is = p9_get_entry(&r, &e)) > 0; left = r.left) {
        assert(r.left < left && e.name.length && e.name.length <= P9_NAME_MAX);
        assert(!memchr(e.name.at, '/', e.name.length) && !memchr(e.name.at, 0, e.name.length));
    }
    free(exact);
    free(entries);
}

static void read_data(struct p9_fid *fid) {
    struct page *pages[2] = {NULL};
    ssize_t n = p9_read(fid, 0, pages, 0, 8000);
    assert(n <= 8000);
    n = p9_write(fid, 0, pages, 0, 5000);
    assert(n && n <= 5000);
}

static void look_at_it(struct p9_fid *fid) {
    struct p9_stat st;
    struct p9_statfs fs;
    (void)!p9_getattr(fid, &st);
    (void)!p9_statfs(fid, &fs);
    char *target = p9_readlink(fid);
    if (!IS_ERR(target)) {
        assert(strlen(target) < 4096);
        free(target);
    }
}

static void change_it(struct p9_fid *fid) {
    static char name[P9_NAME_MAX], target[4095];
    memset(name, 'n', sizeof(name));
    memset(target, 't', sizeof(target));
    (void)!p9_lcreate(fid, name, sizeof(name), 0, 0, 0);
    (void)!p9_symlink(fid, name, sizeof(name), target, sizeof(target), 0);
    (void)!p9_renameat(fid, name, sizeof(name), fid, name, sizeof(name));
    (void)!p9_unlinkat(fid, name, sizeof(name), false);
}

static void walk(struct p9_fid *fid, const char *name) {
    struct p9_fid *made = name ? p9_walk(fid, name, strlen(name)) : p9_attach(&client, "u", "a", 0);
    if (!IS_ERR(made))
        p9_fid_forget(made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    at = data;
    end = data + size;
    struct p9_fid *fid = p9_fid_create(&client);
    while (at < end) {
        switch (next() % 6) {
        case 0:
            read_entries(fid);
            break;
        case 1:
            read_data(fid);
            break;
        case 2:
            look_at_it(fid);
            break;
        case 3:
            change_it(fid);
            break;
        default:
            walk(fid, next() & 1 ? "name" : NULL);
        }
    }
    p9_fid_forget(fid);
    return 0;
}
