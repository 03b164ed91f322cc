// SPDX-License-Identifier: MIT
// The order in which threads wait for a hart; the vocabulary is in runqueue.h.
#include "sched/runqueue.h"
#include <linux/sched.h>

struct run_queue run_queues[MAX_HARTS];

static int fair_compare(const struct thread *a, const struct thread *b) {
    return vruntime_before(a->vruntime, b->vruntime) ? -1 : 1; // equals: first come, first served
}
RB_GENERATE_STATIC(fair_tree, thread, run_node, fair_compare)

void runqueue_init(struct run_queue *rq) {
    spin_init(&rq->lock);
    RB_INIT(&rq->fair);
    list_init(&rq->real_time);
}

static void add_real_time(struct run_queue *rq, struct thread *t, bool head) {
    struct list_head *at = rq->real_time.next;
    for (; at != &rq->real_time; at = at->next) {
        int priority = list_entry(at, struct thread, run_link)->rt_priority;
        if (priority < t->rt_priority || (head && priority == t->rt_priority))
            break;
    }
    list_add_tail(&t->run_link, at);
}

void runqueue_add_slow(struct run_queue *rq, struct thread *t, bool head) {
    ASSERT_HELD(&rq->lock);
    if (thread_is_real_time(t)) {
        add_real_time(rq, t, head);
    } else if (vruntime_before(t->vruntime, rq->first->vruntime)) {
        RB_INSERT(fair_tree, &rq->fair, rq->first);
        rq->first = t;
    } else {
        RB_INSERT(fair_tree, &rq->fair, t);
    }
}

struct thread *runqueue_take_slow(struct run_queue *rq) {
    struct thread *t = runqueue_first(rq);
    if (t)
        runqueue_remove(rq, t);
    return t;
}

void runqueue_remove_slow(struct run_queue *rq, struct thread *t) {
    ASSERT_HELD(&rq->lock);
    if (!list_empty(&t->run_link)) {
        list_del(&t->run_link);
    } else if (rq->first == t) {
        rq->first = RB_MIN(fair_tree, &rq->fair);
        if (rq->first)
            RB_REMOVE(fair_tree, &rq->fair, rq->first);
    } else {
        RB_REMOVE(fair_tree, &rq->fair, t);
    }
}

struct thread *runqueue_first_for(struct run_queue *rq, unsigned int hart) {
    ASSERT_HELD(&rq->lock);
    uint64_t bit = 1ull << hart;
    struct thread *t;
    list_for_each_entry (t, &rq->real_time, run_link) {
        if (t->affinity & bit)
            return t;
    }
    if (rq->first && rq->first->affinity & bit)
        return rq->first;
    RB_FOREACH (t, fair_tree, &rq->fair) {
        if (t->affinity & bit)
            return t;
    }
    return NULL;
}

// Each step of nice is a factor of 1.25, so that it changes a thread's share against one other by about 10%.
static const uint32_t nice_weight[40] = {
    88818, 71054, 56843, 45475, 36380, 29104, 23283, 18626, 14901, 11921, // -20
    9537,  7629,  6104,  4883,  3906,  3125,  2500,  2000,  1600,  1280,  // -10
    1024,  819,   655,   524,   419,   336,   268,   215,   172,   137,   // 0
    110,   88,    70,    56,    45,    36,    29,    23,    18,    15,    // 10
};
#define WEIGHT_IDLE_POLICY 3

void runqueue_update_weight(struct thread *t) {
    t->weight = t->policy == SCHED_IDLE ? WEIGHT_IDLE_POLICY : nice_weight[t->nice + 20];
    uint32_t counted = MIN(t->weight, (uint32_t)SCHED_WEIGHT_NICE_0);
    t->load = thread_is_real_time(t) ? 0 : counted * (PRICE_ONE / SCHED_WEIGHT_NICE_0);
}
