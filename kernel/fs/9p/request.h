// SPDX-License-Identifier: MIT
// Shared by client.c, which sends requests, and calls.c, which says what is in them.
#pragma once
#include "fs/9p/client.h"

enum { P9_FREE, P9_USED, P9_CLOSING }; // p9_channel.in_use

// Key: [I] once it is sent, [l] client->lock.
struct p9_request {
    struct p9_exchange x;
    struct p9_client *client;        // [I]
    struct refcount refs;            // the waiter, and the device
    enum p9_type type;               // [I]
    uint16_t tag;                    // [I]
    unsigned int tag_users;          // [l] the device, and a Tflush that names it
    struct p9_request *flushed;      // [I] what a Tflush names, referenced, with its tag; NULL
    bool done, abandoned;            // [l] done: read without
    uint32_t written;                // bytes of the reply, once it is done
    int error;                       // the waiter's
    struct p9_fid *made;             // that the server will know by the request, or NULL
    struct page *pages[P9_IO_PAGES]; // [I] data goes into or comes from, referenced
    unsigned int page_count;         // [I]
    size_t skip, data;               // [I] where the data begins in the first of them, and its bytes
    void *extra;                     // [I] kmalloc'ed, more of the request
    size_t extra_size;
    uint8_t *reply; // [I] `in`, or kmalloc'ed
    size_t room;    // [I] of it
    struct p9_writer message;
    struct p9_reader body; // of the reply
    uint8_t out[640];      // the longest: Trenameat with two names
    uint8_t in[192];       // the longest: Rgetattr
};

// A request with what the pattern tells, with a reference. ERR_PTR(-ENOMEM).
struct p9_request *__must_check p9_request_create(struct p9_client *c, enum p9_type type, const char *pattern,
                                                  ...);
struct p9_request *__must_check p9_request_create_list(struct p9_client *c, enum p9_type type,
                                                       const char *pattern, va_list list);
// The data of a read or write: n bytes that begin `skip` bytes within the first page.
void p9_request_set_pages(struct p9_request *r, struct page **pages, size_t skip, size_t n);
// Sends it and waits. 0 with r->body behind the reply's head; the server's error, or -EIO, -EINTR, -ENAMETOOLONG.
int __must_check p9_request_run(struct p9_request *r);
// The caller's last word: with an error, the fid that it should have made was not. That error.
int p9_request_end(struct p9_request *r, int err);
void p9_request_put(struct p9_request *r);

struct p9_fid *__must_check p9_fid_create(struct p9_client *c); // NULL if no memory
void p9_fid_forget(struct p9_fid *fid);
