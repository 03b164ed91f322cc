// SPDX-License-Identifier: MIT
// Intrusive circular doubly linked list. A `struct list_head` is either the head of a list or a member of
// an element; an empty head points at itself. Nothing here allocates or locks.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)                                                                                 \
    { &(name), &(name) }

// The element of `type` whose `member` is at `ptr`.
#define list_entry(ptr, type, member)        ((type *)((char *)(ptr)-offsetof(type, member)))
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)

static inline void list_init(struct list_head *head) {
    head->next = head->prev = head;
}

static inline bool list_empty(const struct list_head *head) {
    return head->next == head;
}

static inline void list_insert_between(struct list_head *node, struct list_head *prev,
                                       struct list_head *next) {
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

// Puts `node` first.
static inline void list_add(struct list_head *node, struct list_head *head) {
    list_insert_between(node, head, head->next);
}

// Puts `node` last.
static inline void list_add_tail(struct list_head *node, struct list_head *head) {
    list_insert_between(node, head->prev, head);
}

// Takes `node` out and leaves it an empty list of its own, so that taking it out twice does no harm and
// list_empty(node) tells whether it is on a list.
static inline void list_del(struct list_head *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

// Moves all of `from` behind the last element of `to`; `from` is empty afterwards.
static inline void list_splice_tail(struct list_head *from, struct list_head *to) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_for_each_entry(pos, head, member)                                                               \
    for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);                   \
         pos = list_entry(pos->member.next, __typeof__(*pos), member))

// As list_for_each_entry, but `pos` may be taken out or freed in the body.
#define list_for_each_entry_safe(pos, next_, head, member)                                                   \
    for (pos = list_entry((head)->next, __typeof__(*pos), member),                                           \
        next_ = list_entry(pos->member.next, __typeof__(*pos), member);                                      \
         &pos->member != (head);                                                                             \
         pos = next_, next_ = list_entry(next_->member.next, __typeof__(*pos), member))
