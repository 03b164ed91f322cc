// SPDX-License-Identifier: MIT
// Requests and their waiting, fids and their end.
//
// A request has two users: who waits for it, and the device. The device's ends in request_done(), which may come long after the
// waiter has gone; what the request's memory holds stays until then. Its tag, by which the server names it, is its place in
// `requests`, and free from then on, or from the answer to a Tflush that names it: another request of that tag is not meant.
#include "fs/9p/client.h"
#include "core/errno.h"
#include "core/printk.h"
#include "fs/9p/request.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "upcalls.h"

#define VERSION   "9P2000.L"
#define IO_HEADER 24u   // of a message that carries data
#define MSIZE_MIN 4096u // as Linux has it

static int compare_fids(const struct p9_fid *a, const struct p9_fid *b) {
    return a->number < b->number ? -1 : a->number > b->number;
}
RB_GENERATE_STATIC(p9_fid_tree, p9_fid, node, compare_fids)

// ---- fids

struct p9_fid *p9_fid_create(struct p9_client *c) {
    struct p9_fid *fid = kzalloc(sizeof(*fid));
    if (!fid)
        return NULL;
    ref_init(&fid->refs);
    fid->client = c;
    list_init(&fid->link);
    unsigned long flags = spin_lock_irqsave(&c->lock);
    do {
        if (c->next_fid == P9_NO_FID)
            c->next_fid = 0;
        fid->number = c->next_fid++;
    } while (RB_INSERT(p9_fid_tree, &c->fids, fid));
    spin_unlock_irqrestore(&c->lock, flags);
    return fid;
}

// The server does not know it, or not any more.
void p9_fid_forget(struct p9_fid *fid) {
    struct p9_client *c = fid->client;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    RB_REMOVE(p9_fid_tree, &c->fids, fid);
    spin_unlock_irqrestore(&c->lock, flags);
    kfree(fid);
}

static void drop_locked(struct p9_client *c, struct p9_fid *fid) {
    ASSERT_HELD(&c->lock);
    list_add_tail(&fid->link, &c->dropped);
}

void p9_fid_put(struct p9_fid *fid) {
    struct p9_client *c = fid->client;
    if (!ref_put(&fid->refs))
        return;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    drop_locked(c, fid);
    spin_unlock_irqrestore(&c->lock, flags);
    wake_all(&c->work);
}

// An answer, or none for ever: the fid is done with. Not so where a killed thread did not wait: the request tells then.
static void clunk(struct p9_fid *fid) {
    struct p9_request *r = p9_request_create(fid->client, P9_TCLUNK, "d", fid->number);
    if (!IS_ERR(r)) {
        (void)!p9_request_run(r);
        p9_request_put(r);
    }
    p9_fid_forget(fid);
}

void p9_fid_put_now(struct p9_fid *fid) {
    if (current->waits_for_no_device || signal_pending_fatal())
        p9_fid_put(fid);
    else if (ref_put(&fid->refs))
        clunk(fid);
}

// ---- requests

void p9_request_put(struct p9_request *r) {
    if (!ref_put(&r->refs))
        return;
    for (unsigned int i = 0; i < r->page_count; i++)
        page_put(r->pages[i]);
    kfree(r->extra);
    if (r->reply != r->in)
        kfree(r->reply);
    kfree(r);
}

static void put_tag_locked(struct p9_request *r) {
    ASSERT_HELD(&r->client->lock);
    if (r->tag != P9_NO_TAG && !--r->tag_users)
        r->client->requests[r->tag] = NULL;
}

// In the channel's lock.
static void request_done(struct p9_exchange *x, uint32_t written) {
    struct p9_request *r = container_of(x, struct p9_request, x);
    struct p9_client *c = r->client;
    struct p9_fid *made = NULL;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    r->written = written;
    c->underway--;
    put_tag_locked(r);
    if (r->flushed)
        put_tag_locked(r->flushed);
    if (r->abandoned && r->made) {
        made = r->made;
        drop_locked(c, made);
    }
    __atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
    spin_unlock_irqrestore(&c->lock, flags);
    if (made)
        wake_all(&c->work);
    if (r->flushed)
        p9_request_put(r->flushed);
    p9_request_put(r);
}

struct p9_request *p9_request_create_list(struct p9_client *c, enum p9_type type, const char *pattern,
                                          va_list list) {
    struct p9_request *r = kmalloc(sizeof(*r));
    if (!r)
        return ERR_PTR(-ENOMEM);
    memset(r, 0, offsetof(struct p9_request, out));
    ref_init(&r->refs);
    r->client = c;
    r->type = type;
    r->tag = P9_NO_TAG;
    r->reply = r->in;
    r->room = sizeof(r->in);
    r->x.done = request_done;
    p9_begin(&r->message, r->out, sizeof(r->out), type, P9_NO_TAG);
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

// Appends memory to the pieces from `first` on: joined with the last one where it continues that.
static bool add_piece(struct p9_request *r, unsigned int first, unsigned int *count, paddr_t at, size_t n) {
    unsigned int last = first + *count - 1;
    if (*count > 1 && r->x.pieces[last].address + r->x.pieces[last].length == at) {
        r->x.pieces[last].length += (uint32_t)n;
        return true;
    }
    if (last + 1 >= r->client->channel->most_pieces)
        return false;
    r->x.pieces[last + 1] = (struct virtio_piece){at, (uint32_t)n};
    ++*count;
    return true;
}

void p9_request_set_pages(struct p9_request *r, struct page **pages, size_t skip, size_t n) {
    r->skip = skip;
    r->data = n;
    r->page_count = (unsigned int)((skip + n + PAGE_SIZE - 1) >> PAGE_SHIFT);
    for (unsigned int i = 0; i < r->page_count; i++) {
        r->pages[i] = pages[i];
        page_get(pages[i]);
    }
}

// The data in pages becomes pieces behind the first of that side.
static int add_pages(struct p9_request *r, unsigned int first, unsigned int *count) {
    size_t skip = r->skip, left = r->data;
    for (unsigned int i = 0; i < r->page_count; i++) {
        size_t n = MIN(PAGE_SIZE - skip, left);
        if (!add_piece(r, first, count, page_to_phys(r->pages[i]) + skip, n))
            return -EINVAL; // io_pages is no more than there are pieces
        left -= n;
        skip = 0;
    }
    return 0;
}

// Lays out the pieces. 0, -ENAMETOOLONG: the request is longer than there is room for.
static int lay_out(struct p9_request *r) {
    bool writes = r->type == P9_TWRITE;
    size_t n = p9_end(&r->message, r->extra_size + (writes ? r->data : 0));
    int err = n ? 0 : -ENAMETOOLONG;
    r->x.pieces[0] = (struct virtio_piece){virt_to_phys(r->out), (uint32_t)n};
    r->x.out = 1;
    if (r->extra)
        (void)add_piece(r, 0, &r->x.out, virt_to_phys(r->extra), r->extra_size);
    if (!err && writes)
        err = add_pages(r, 0, &r->x.out);
    r->x.pieces[r->x.out] = (struct virtio_piece){virt_to_phys(r->reply), (uint32_t)r->room};
    r->x.in = 1;
    if (!err && r->type == P9_TREAD)
        err = add_pages(r, r->x.out, &r->x.in);
    return err;
}

// Gives the request a tag, unless it has one or needs none.
static bool take_tag(struct p9_request *r) {
    struct p9_client *c = r->client;
    bool found = r->tag != P9_NO_TAG || r->type == P9_TVERSION;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    for (uint16_t i = 0; i < P9_REQUESTS && !found; i++) {
        if (c->requests[i])
            continue;
        c->requests[i] = r;
        r->tag = i;
        r->tag_users = 1;
        found = true;
    }
    spin_unlock_irqrestore(&c->lock, flags);
    r->out[5] = (uint8_t)r->tag;
    r->out[6] = (uint8_t)(r->tag >> 8);
    return found;
}

static void give_tag_back(struct p9_request *r) {
    struct p9_client *c = r->client;
    if (r->tag == P9_NO_TAG)
        return;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    c->requests[r->tag] = NULL;
    spin_unlock_irqrestore(&c->lock, flags);
    r->tag = P9_NO_TAG;
    wake_all(&c->channel->wait);
}

static void count_underway(struct p9_client *c, int n) {
    unsigned long flags = spin_lock_irqsave(&c->lock);
    c->underway += (unsigned int)n;
    spin_unlock_irqrestore(&c->lock, flags);
}

// True unless there is no room for it now; r->error tells the rest.
static bool try_send(struct p9_request *r) {
    struct p9_channel *channel = r->client->channel;
    r->error = p9_channel_is_broken(channel) ? -EIO : take_tag(r) ? 0 : -ENOSPC;
    if (r->error)
        return r->error != -ENOSPC;
    count_underway(r->client, 1);
    r->error = p9_channel_send(channel, &r->x);
    if (r->error)
        count_underway(r->client, -1);
    return r->error != -ENOSPC;
}

static bool is_over(const struct p9_request *r) {
    return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) || p9_channel_is_broken(r->client->channel);
}

// It will not name that request.
static void end_flush(struct p9_request *flushed) {
    struct p9_client *c = flushed->client;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    put_tag_locked(flushed);
    spin_unlock_irqrestore(&c->lock, flags);
    wake_all(&c->channel->wait);
    p9_request_put(flushed);
}

// Nobody waits for that request any more. Its reference and its tag's are taken over.
static void flush(struct p9_request *flushed) {
    struct p9_request *r = p9_request_create(flushed->client, P9_TFLUSH, "w", flushed->tag);
    if (IS_ERR(r)) {
        end_flush(flushed);
        return;
    }
    ref_get(&r->refs);
    r->flushed = flushed;
    if (lay_out(r) || !try_send(r) || r->error) {
        end_flush(flushed);
        give_tag_back(r);
        p9_request_put(r); // the device's
    }
    p9_request_put(r);
}

// True: it was done all the same.
static bool abandon(struct p9_request *r) {
    struct p9_client *c = r->client;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    bool done = r->done;
    r->abandoned = !done;
    r->tag_users += !done;
    spin_unlock_irqrestore(&c->lock, flags);
    if (!done && r->tag != P9_NO_TAG) {
        ref_get(&r->refs);
        flush(r);
    }
    return done;
}

static int wait_for_reply(struct p9_request *r) {
    bool killed = wait_event_killable(&r->client->channel->wait, is_over(r)) != 0;
    if (killed && !abandon(r))
        return -EINTR;
    return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) ? 0 : -EIO;
}

int p9_request_run(struct p9_request *r) {
    int err = lay_out(r);
    if (err)
        return err;
    ref_get(&r->refs); // the device's
    bool killed = wait_event_killable(&r->client->channel->wait, try_send(r)) != 0;
    err = killed ? -EINTR : r->error;
    if (err) {
        give_tag_back(r);
        p9_request_put(r);
        return err;
    }
    err = wait_for_reply(r);
    return err ? err : p9_open(&r->body, r->reply, r->written, r->type, r->tag);
}

int p9_request_end(struct p9_request *r, int err) {
    if (err && r->made && !r->abandoned) // else request_done() sees to it
        p9_fid_forget(r->made);
    p9_request_put(r);
    return err;
}

// ---- the thread

static bool has_requests(struct p9_client *c) {
    return READ_ONCE(c->underway) && !p9_channel_is_broken(c->channel);
}

static struct p9_fid *next_dropped(struct p9_client *c) {
    struct p9_fid *fid = NULL;
    unsigned long flags = spin_lock_irqsave(&c->lock);
    if (!list_empty(&c->dropped)) {
        fid = list_first_entry(&c->dropped, struct p9_fid, link);
        list_del(&fid->link);
    }
    spin_unlock_irqrestore(&c->lock, flags);
    return fid;
}

void p9_client_poke(struct p9_client *c, ktime_t when) {
    if (READ_ONCE(c->due) <= when)
        return;
    WRITE_ONCE(c->due, when);
    wake_all(&c->work);
}

// Another one may use it.
static void leave(struct p9_channel *channel) {
    __atomic_store_n(&channel->in_use, P9_FREE, __ATOMIC_RELEASE);
    wake_all(&channel->wait);
}

static void end(struct p9_client *c) {
    struct p9_channel *channel = c->channel;
    wait_event(&channel->wait, !has_requests(c));
    unsigned long flags = spin_lock_irqsave(&channel->lock); // the last request_done() has come to its end
    spin_unlock_irqrestore(&channel->lock, flags);
    for (struct p9_fid *fid; (fid = next_dropped(c));)
        p9_fid_forget(fid);
    kfree(c->arg);
    kfree(c);
    leave(channel);
}

static void client_thread(void *arg) {
    struct p9_client *c = arg;
    while (!__atomic_load_n(&c->closing, __ATOMIC_ACQUIRE)) {
        ktime_t due = READ_ONCE(c->due);
        (void)wait_event_common_(&c->work,
                                 !list_empty(&c->dropped) || READ_ONCE(c->due) < due || READ_ONCE(c->closing),
                                 THREAD_UNINTERRUPTIBLE, false, due);
        for (struct p9_fid *fid; (fid = next_dropped(c));)
            clunk(fid);
        if (c->tend && clock_monotonic() >= READ_ONCE(c->due)) {
            WRITE_ONCE(c->due, KTIME_NEVER);
            c->tend(c->arg);
        }
    }
    for (struct p9_fid *fid; (fid = next_dropped(c));)
        clunk(fid);
    end(c);
}

void p9_client_close(struct p9_client *c) {
    WRITE_ONCE(c->channel->in_use, P9_CLOSING);
    __atomic_store_n(&c->closing, true, __ATOMIC_RELEASE);
    wake_all(&c->work);
}

// ---- the beginning

static bool claim(struct p9_channel *channel, int *err) {
    unsigned int is = P9_FREE;
    *err = 0;
    if (__atomic_compare_exchange_n(&channel->in_use, &is, P9_USED, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return true;
    *err = -EBUSY;
    return is == P9_USED;
}

static int agree(struct p9_client *c, uint32_t msize) {
    struct p9_request *r = p9_request_create(c, P9_TVERSION, "ds", msize, VERSION, sizeof(VERSION) - 1);
    if (IS_ERR(r))
        return PTR_ERR(r);
    struct p9_text version;
    int err = p9_request_run(r);
    if (!err && !p9_get(&r->body, "ds", &c->msize, &version))
        err = -EIO;
    if (!err && (version.length != sizeof(VERSION) - 1 || memcmp(version.at, VERSION, version.length)))
        err = -EPROTONOSUPPORT;
    if (!err && (c->msize > msize || c->msize < MSIZE_MIN))
        err = -EIO;
    c->io_pages =
        MIN(MIN(P9_IO_PAGES, c->channel->most_pieces - 3), MAX((c->msize - IO_HEADER) >> PAGE_SHIFT, 1u));
    return p9_request_end(r, err);
}

static struct p9_channel *find(const char *tag) {
    for (struct p9_channel *channel = p9_channels(); channel; channel = channel->next)
        if (!strcmp(channel->tag, tag))
            return channel;
    return NULL;
}

static struct p9_client *start(struct p9_channel *channel, uint32_t msize) {
    struct p9_client *c = kzalloc(sizeof(*c));
    if (!c) {
        leave(channel);
        return ERR_PTR(-ENOMEM);
    }
    c->channel = channel;
    spin_init(&c->lock);
    RB_INIT(&c->fids);
    list_init(&c->dropped);
    wait_queue_init(&c->work);
    c->due = KTIME_NEVER;
    int err = agree(c, msize);
    c->closing = err != 0; // the thread has nothing to do then but to wait for what the device has
    if (!err || has_requests(c)) {
        int no_thread = kthread_run("9p", client_thread, c);
        if (!no_thread)
            return err ? ERR_PTR(err) : c;
        if (err)
            return ERR_PTR(err); // the channel stays in use: a request names the client yet
        err = no_thread;
    }
    end(c);
    return ERR_PTR(err);
}

struct p9_client *p9_client_create(const char *tag, uint32_t msize) {
    struct p9_channel *channel = find(tag);
    int err = 0;
    if (!channel || channel->most_pieces < 4)
        return ERR_PTR(-ENOENT);
    if (wait_event_killable(&channel->wait, claim(channel, &err)))
        return ERR_PTR(-EINTR);
    if (err)
        return ERR_PTR(err);
    return start(channel, msize);
}

size_t p9_io_most(const struct p9_client *c) {
    return MIN((size_t)c->io_pages << PAGE_SHIFT, (size_t)c->msize - IO_HEADER);
}
