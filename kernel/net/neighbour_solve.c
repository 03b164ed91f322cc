// SPDX-License-Identifier: MIT
// What becomes of a neighbour, as on Linux (arp(7), RFC 4861 section 7.3):
//
//   nothing --frame--> INCOMPLETE --3 questions, 3 s--> FAILED (frames come back)
//                           | answer                      | frame: INCOMPLETE
//   REACHABLE <-------------'         ^
//       | 15 to 45 s                  | answer
//     STALE --frame--> DELAY --5 s--> PROBE --3 questions--> FAILED
//
// What was only heard of, and what told everybody a new address, is STALE. PERMANENT and NOARP stay as a program said.
#include "core/random.h"
#include "net/ethernet.h"
#include "net/inet_lock.h"
#include "net/inet_unreachable.h"
#include "net/neighbour.h"
#include "net/rtnetlink.h"
#include "sched/clock.h"
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define SECOND       (1000000000ll)
#define QUESTIONS    3u            // without an answer: it is not there
#define RETRANSMIT   SECOND        // between them
#define REACHABLE    (30 * SECOND) // about: half as much to half as much again
#define DELAY        (5 * SECOND)  // before a question, in case that somebody else brings the answer
#define WAITING_MOST 101u          // frames for one

#define VALID (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static void drop_waiting(struct net_neighbour *n, bool tell) {
    while (!list_empty(&n->waiting)) {
        struct net_frame *f = list_first_entry(&n->waiting, struct net_frame, link);
        list_del(&f->link);
        n->waiting_count--;
        if (tell)
            inet_unreachable_locked(f);
        net_frame_free(f);
    }
}

static void send_waiting(struct net_neighbour *n) {
    while (!list_empty(&n->waiting)) {
        struct net_frame *f = list_first_entry(&n->waiting, struct net_frame, link);
        list_del(&f->link);
        n->waiting_count--;
        ethernet_send_locked(n->device, n->hardware, (unsigned int)f->stack[0], f->data, f->len);
        net_frame_free(f);
    }
}

void net_neighbour_settle_locked(struct net_neighbour *n) {
    ASSERT_HELD(&inet_mutex);
    n->due = KTIME_NEVER;
    if (n->state & VALID)
        send_waiting(n);
    else
        drop_waiting(n, false);
}

static void set_due(struct net_neighbour *n, int64_t due) {
    n->due = due;
    inet_stack_kick(inet_net);
}

// Tells who listens, as Linux does, when an address is known, or not any more.
static void set_state(struct net_neighbour *n, unsigned int state) {
    bool was = n->state & VALID;
    n->state = (uint16_t)state;
    if (was != !!(state & VALID) || state & (NUD_REACHABLE | NUD_STALE))
        rtnetlink_tell_neighbour(n, RTM_NEWNEIGH);
}

static void ask(struct net_neighbour *n, bool everybody) {
    n->probes++;
    set_due(n, clock_monotonic() + RETRANSMIT);
    ethernet_solicit_locked(n, everybody);
}

// ---- sending

const uint8_t *net_neighbour_hardware_locked(struct net_neighbour *n) {
    ASSERT_HELD(&inet_mutex);
    if (unlikely(!(n->state & VALID)))
        return NULL;
    if (unlikely(n->state & NUD_STALE)) {
        n->state = NUD_DELAY;
        n->probes = 0;
        set_due(n, clock_monotonic() + DELAY);
    }
    return n->hardware;
}

void net_neighbour_wait_locked(struct net_neighbour *n, struct net_frame *frame, unsigned int type) {
    ASSERT_HELD(&inet_mutex);
    frame->stack[0] = type;
    n->used = clock_monotonic();
    if (n->waiting_count >= WAITING_MOST) {
        struct net_frame *oldest = list_first_entry(&n->waiting, struct net_frame, link);
        list_del(&oldest->link);
        n->waiting_count--;
        net_frame_free(oldest);
        n->device->tx_dropped++;
    }
    list_add_tail(&frame->link, &n->waiting);
    n->waiting_count++;
    if (n->state & NUD_INCOMPLETE)
        return;
    set_state(n, NUD_INCOMPLETE);
    n->probes = 0;
    ask(n, true);
}

// ---- hearing

static void become_reachable(struct net_neighbour *n) {
    uint32_t r;
    random_bytes(&r, sizeof(r));
    n->confirmed = clock_monotonic();
    n->probes = 0;
    set_due(n, n->confirmed + REACHABLE / 2 + (int64_t)(r % (uint64_t)REACHABLE));
    set_state(n, NUD_REACHABLE);
}

void net_neighbour_heard_locked(struct net_neighbour *n, const uint8_t *hardware,
                                enum net_neighbour_news news) {
    ASSERT_HELD(&inet_mutex);
    if (n->state & (NUD_PERMANENT | NUD_NOARP))
        return;
    bool known = n->state & VALID, other = !known || memcmp(n->hardware, hardware, NET_ETHERNET_ADDRESS);
    if (known && other && news == NEIGHBOUR_CONFIRMED) {
        if (n->state & NUD_REACHABLE)
            set_state(n, NUD_STALE);
        return;
    }
    if (other) {
        memcpy(n->hardware, hardware, NET_ETHERNET_ADDRESS);
        n->update = clock_monotonic();
    }
    if (news != NEIGHBOUR_ASKS) {
        become_reachable(n);
    } else if (other || !known) {
        n->due = KTIME_NEVER;
        set_state(n, NUD_STALE);
    }
    if (n->state & VALID)
        send_waiting(n);
}

// ---- time

static void fail(struct net_neighbour *n) {
    n->due = KTIME_NEVER;
    set_state(n, NUD_FAILED);
    drop_waiting(n, true);
}

static void run_one(struct net_neighbour *n) {
    n->due = KTIME_NEVER;
    if (n->state & NUD_REACHABLE) {
        set_state(n, NUD_STALE);
    } else if (n->state & NUD_DELAY) {
        n->state = NUD_PROBE;
        n->probes = 0;
        ask(n, false);
    } else if (n->state & (NUD_INCOMPLETE | NUD_PROBE)) {
        if (n->probes >= QUESTIONS)
            fail(n);
        else
            ask(n, n->state & NUD_INCOMPLETE);
    }
}

struct run {
    int64_t now, next;
};

static void run_due(struct net_neighbour *n, void *arg) {
    struct run *r = arg;
    if (n->due <= r->now)
        run_one(n);
    r->next = MIN(r->next, n->due);
}

int64_t net_neighbour_run_locked(void) {
    ASSERT_HELD(&inet_mutex);
    struct run r = {clock_monotonic(), KTIME_NEVER};
    net_neighbour_for_each_locked(run_due, &r);
    return r.next;
}
