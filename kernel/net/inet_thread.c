// SPDX-License-Identifier: MIT
// The stack's own thread: lwIP's timers while there are connections, what neighbours, routers and fragments want done in time, frames that
// nobody else gives to lwIP, network cards.
//
// Networks for which there is something to do are in a list; a network where nothing happens is in none, and costs nothing. The thread
// takes one after the other out, and puts it back if it is to look again later.
#include "net/inet_thread.h"
#include "net/autoconf.h"
#include "net/device.h"
#include "net/ethernet.h"
#include "net/inet_fragment.h"
#include "net/inet_parts.h"
#include "net/inet_tcp.h"
#include "net/neighbour.h"
#include "net/netlink.h"
#include "sched/wait.h"

#define TIMER_STEP     (TCP_TMR_INTERVAL * 1000 * NSEC_PER_USEC)
#define TIME_WAIT_MOST 1024 // between two steps there may be more

static struct wait_queue thread_wait, visit_wait;
static struct spinlock work_lock = SPINLOCK_INIT;    // never with another lock inside
static struct list_head work = LIST_HEAD_INIT(work); // [work_lock] networks
static struct net_ns *visited;                       // [work_lock] that the thread looks at now
static int called;                                   // [a] a network has come into the list, or wants more
static bool polled;                                  // [a] a network card has something
static bool runs;                                    // [n]

// ---- being called

void inet_thread_call(struct net_ns *net) {
    unsigned long flags = spin_lock_irqsave(&work_lock);
    if (!net->gone && list_empty(&net->work_link))
        list_add_tail(&net->work_link, &work);
    spin_unlock_irqrestore(&work_lock, flags);
    __atomic_store_n(&called, 1, __ATOMIC_RELEASE);
    wake_all(&thread_wait);
}

void inet_stack_kick(struct net_ns *net) {
    __atomic_store_n(&net->kicked, true, __ATOMIC_RELEASE);
    inet_thread_call(net);
}

void inet_stack_poll(void) {
    __atomic_store_n(&polled, true, __ATOMIC_RELEASE);
    wake_all(&thread_wait);
}

static bool is_visited(const struct net_ns *net) {
    return READ_ONCE(visited) == net;
}

void inet_thread_forget(struct net_ns *net) {
    unsigned long flags = spin_lock_irqsave(&work_lock);
    net->gone = true;
    list_del(&net->work_link);
    spin_unlock_irqrestore(&work_lock, flags);
    wait_event(&visit_wait, !is_visited(net));
}

// ---- what it does for one

// Searching takes longer the more connections are in TIME_WAIT, which tells nothing of loopback: the oldest of many go.
static void trim_time_wait(void) {
    unsigned int n = 0;
    for (struct tcp_pcb *p = tcp_tw_pcbs, *next; p; p = next) {
        next = p->next;
        if (++n > TIME_WAIT_MOST)
            tcp_abort(p); // which, of these, tells nobody
    }
}

static void run_timers(struct net_ns *net) {
    inet_lock(net);
    inet_parts_join();
    tcp_tmr();
    bool wanted = tcp_active_pcbs;
    inet_parts_divide();
    trim_time_wait();
    inet_tcp_feed();
    inet_tcp_watch();
    wanted |= !!tcp_tw_pcbs;
    WRITE_ONCE(net->timers_wanted, wanted);
    inet_unlock();
}

// What neighbours, routers and carriers want done. When there will be more of it.
static ktime_t look_around(struct net_ns *net) {
    inet_lock(net);
    __atomic_store_n(&net->kicked, false, __ATOMIC_RELAXED);
    net_device_tell_carriers();
    ktime_t next = net_neighbour_run_locked();
    if (net == &first_net_ns)
        next = MIN(next, autoconf_run_locked());
    next = MIN(next, inet_fragments_expire_locked());
    inet_unlock();
    return next;
}

// When it is to be looked at again.
static ktime_t visit(struct net_ns *net) {
    bool timers = READ_ONCE(net->timers_wanted);
    if (!timers)
        net->tick = 0;
    else if (!net->tick)
        net->tick = clock_monotonic() + TIMER_STEP;
    if (READ_ONCE(net->kicked) || (net->look != KTIME_NEVER && clock_monotonic() >= net->look))
        net->look = look_around(net);
    if (net->tick && clock_monotonic() >= net->tick) {
        net->tick += TIMER_STEP;
        run_timers(net);
        if (!READ_ONCE(net->timers_wanted))
            net->tick = 0;
    } else if (inet_has_frames(net)) {
        inet_lock(net);
        inet_unlock();
    }
    if (unlikely(netlink_has_notices(net)))
        netlink_tell_one(net);
    return MIN(net->tick ? net->tick : KTIME_NEVER, net->look);
}

static bool has_more(const struct net_ns *net) {
    return inet_has_frames(net) || READ_ONCE(net->kicked) || (READ_ONCE(net->timers_wanted) && !net->tick);
}

// ---- the thread

static struct net_ns *begin_visit(struct list_head *round) {
    unsigned long flags = spin_lock_irqsave(&work_lock);
    struct net_ns *net = list_empty(round) ? NULL : list_first_entry(round, struct net_ns, work_link);
    if (net)
        list_del(&net->work_link);
    WRITE_ONCE(visited, net);
    spin_unlock_irqrestore(&work_lock, flags);
    return net;
}

static void end_visit(struct net_ns *net, ktime_t again) {
    unsigned long flags = spin_lock_irqsave(&work_lock);
    if (!net->gone && list_empty(&net->work_link) && (again != KTIME_NEVER || has_more(net)))
        list_add_tail(&net->work_link, &work);
    WRITE_ONCE(visited, NULL);
    spin_unlock_irqrestore(&work_lock, flags);
    wake_all(&visit_wait);
}

// Looks once at all that are in the list. When the first of them wants it again.
static ktime_t visit_all(void) {
    struct list_head round = LIST_HEAD_INIT(round);
    struct net_ns *net;
    ktime_t next = KTIME_NEVER;
    unsigned long flags = spin_lock_irqsave(&work_lock);
    list_splice_tail(&work, &round);
    spin_unlock_irqrestore(&work_lock, flags);
    while ((net = begin_visit(&round))) {
        ktime_t again = visit(net);
        if (has_more(net))
            again = 0;
        next = MIN(next, again);
        end_visit(net, again);
        cond_resched();
    }
    return next;
}

static void poll_devices(void) {
    __atomic_store_n(&polled, false, __ATOMIC_SEQ_CST);
    if (ethernet_poll())
        WRITE_ONCE(polled, true);
}

static void inet_thread(void *arg) {
    ktime_t next = KTIME_NEVER;
    (void)arg;
    for (;;) {
        (void)wait_event_common_(&thread_wait, READ_ONCE(called) || READ_ONCE(polled), THREAD_UNINTERRUPTIBLE,
                                 false, next);
        if (READ_ONCE(polled)) {
            poll_devices();
            cond_resched();
        }
        if (__atomic_exchange_n(&called, 0, __ATOMIC_ACQUIRE) || clock_monotonic() >= next)
            next = visit_all();
    }
}

int inet_thread_start_locked(void) {
    ASSERT_HELD(&inet_mutex);
    int err = runs ? 0 : kthread_run("inet", inet_thread, NULL);
    runs |= !err;
    return err;
}

void inet_thread_init(void) {
    wait_queue_init(&thread_wait);
    wait_queue_init(&visit_wait);
}
