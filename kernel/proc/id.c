// SPDX-License-Identifier: MIT
// The table of numbers. Locks: proc/process.h.
#include "proc/id.h"
#include "core/panic.h"
#include "mm/slab.h"
#include "proc/process.h"

#define PID_FIRST_AGAIN 300 // where numbers go on after PID_MAX, as in Linux
#define BUCKETS         1024

static struct id *buckets[BUCKETS];         // [process_lock]
static uint64_t numbers_used[PID_MAX / 64]; // [process_lock]
static pid_t last_number;                   // [process_lock]
static uint64_t last_serial;                // [process_lock]
static struct slab_cache *id_cache;

static struct id **bucket_of(pid_t nr) {
    return &buckets[(uint32_t)nr % BUCKETS]; // a program asks for negative ones too
}

struct id *id_find_locked(pid_t nr) {
    ASSERT_HELD(&process_lock);
    struct id *id = *bucket_of(nr);
    while (id && id->nr != nr)
        id = id->next;
    return id;
}

// The first free number in [from, end), or end.
static pid_t find_free(pid_t from, pid_t end) {
    while (from < end) {
        uint64_t free = ~numbers_used[from / 64] & (~0ull << from % 64);
        if (free)
            return MIN(ALIGN_DOWN(from, 64) + __builtin_ctzll(free), end);
        from = ALIGN_DOWN(from, 64) + 64;
    }
    return end;
}

struct id *id_alloc(void) {
    struct id *id = slab_alloc(id_cache);
    if (!id)
        return ERR_PTR(-ENOMEM);
    unsigned long flags = spin_lock_irqsave(&process_lock);
    pid_t nr = find_free(last_number + 1, PID_MAX);
    if (nr == PID_MAX)
        nr = find_free(PID_FIRST_AGAIN, PID_MAX);
    if (nr == PID_MAX) {
        spin_unlock_irqrestore(&process_lock, flags);
        slab_free(id_cache, id);
        return ERR_PTR(-EAGAIN);
    }
    last_number = nr;
    numbers_used[nr / 64] |= 1ull << nr % 64;
    *id = (struct id){.next = *bucket_of(nr), .nr = nr, .serial = ++last_serial, .uses = 1};
    list_init(&id->group);
    list_init(&id->session);
    *bucket_of(nr) = id;
    spin_unlock_irqrestore(&process_lock, flags);
    return id;
}

void id_use_locked(struct id *id) {
    ASSERT_HELD(&process_lock);
    id->uses++;
}

void id_release_locked(struct id *id) {
    ASSERT_HELD(&process_lock);
    if (--id->uses)
        return;
    struct id **p = bucket_of(id->nr);
    while (*p != id)
        p = &(*p)->next;
    *p = id->next;
    numbers_used[id->nr / 64] &= ~(1ull << id->nr % 64);
    slab_free(id_cache, id);
}

void id_release(struct id *id) {
    unsigned long flags = spin_lock_irqsave(&process_lock);
    id_release_locked(id);
    spin_unlock_irqrestore(&process_lock, flags);
}

pid_t id_last(void) {
    return READ_ONCE(last_number);
}

pid_t id_next_process(pid_t after) {
    pid_t found = 0;
    unsigned long flags = spin_lock_irqsave(&process_lock);
    for (pid_t nr = after + 1; !found && nr < PID_MAX;) {
        uint64_t used = numbers_used[nr / 64] & (~0ull << nr % 64);
        if (!used) {
            nr = ALIGN_DOWN(nr, 64) + 64;
            continue;
        }
        nr = ALIGN_DOWN(nr, 64) + __builtin_ctzll(used);
        if (process_find_locked(nr))
            found = nr;
        nr++;
    }
    spin_unlock_irqrestore(&process_lock, flags);
    return found;
}

void id_init(void) {
    id_cache = slab_create("id", sizeof(struct id), 0);
    if (!id_cache)
        panic("process: no memory for the table of numbers");
}
