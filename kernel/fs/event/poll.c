// SPDX-License-Identifier: MIT
// A thread that waits for any of several files.
//
// The thread stands on the files' wait queues with one entry for each, whose callback sets `woken` and wakes
// it. Setting `woken` comes before waking, and the thread looks at it after it has set its state, so that
// nothing is lost.
#include "fs/event/poll.h"
#include "mm/page.h"

// The queue's lock is held.
static bool poll_entry_wake(struct wait_entry *wait, unsigned int events) {
    ASSERT_HELD(&container_of(wait, struct poll_entry, wait)->queue->lock);
    struct poll_entry *e = container_of(wait, struct poll_entry, wait);
    if (events && !(events & e->events))
        return false;
    __atomic_store_n(&e->waiter->woken, 1, __ATOMIC_RELEASE);
    return thread_wake(e->waiter->thread);
}

static struct poll_entry *poll_entry_alloc(struct poll_waiter *w) {
    if (w->used < POLL_ENTRIES_INLINE)
        return &w->entry[w->used++];
    struct poll_block *b = w->more;
    if (!b || b->used == (PAGE_SIZE - sizeof(*b)) / sizeof(b->entry[0])) {
        struct page *page = page_alloc(0, 0);
        if (!page)
            return NULL;
        b = page_address(page);
        b->next = w->more;
        b->used = 0;
        w->more = b;
    }
    return &b->entry[b->used++];
}

static void poll_waiter_queue(struct poll_table *table, struct file *f, struct wait_queue *q) {
    struct poll_waiter *w = container_of(table, struct poll_waiter, table);
    struct poll_entry *e = poll_entry_alloc(w);
    if (!e) {
        w->error = -ENOMEM;
        return;
    }
    file_get(f);
    *e = (struct poll_entry){
        .wait.wake = poll_entry_wake, .queue = q, .file = f, .waiter = w, .events = w->events};
    wait_add(q, &e->wait);
}

void poll_waiter_init(struct poll_waiter *w) {
    w->table.queue = poll_waiter_queue;
    w->thread = current;
    w->events = 0;
    w->used = 0;
    w->woken = 0;
    w->error = 0;
    w->more = NULL;
}

static void poll_entry_leave(struct poll_entry *e) {
    wait_remove(e->queue, &e->wait);
    file_put(e->file);
}

void poll_waiter_end(struct poll_waiter *w) {
    for (unsigned int i = 0; i < w->used; i++)
        poll_entry_leave(&w->entry[i]);
    for (struct poll_block *b = w->more, *next; b; b = next) {
        for (unsigned int i = 0; i < b->used; i++)
            poll_entry_leave(&b->entry[i]);
        next = b->next;
        page_put(phys_to_page(virt_to_phys(b)));
        cond_resched();
    }
    w->used = 0;
    w->more = NULL;
}

int poll_waiter_sleep(struct poll_waiter *w, ktime_t deadline) {
    return wait_until_woken(__atomic_exchange_n(&w->woken, 0, __ATOMIC_ACQUIRE), -EINTR,
                            schedule_until(deadline));
}
