// SPDX-License-Identifier: MIT
// Neighbours: link-layer addresses of what is on the same network (ip-neighbour(8), arp(7)). All under the stack's lock.
//
//   neighbour.c        the table, and how programs see and change it
//   neighbour_solve.c  what becomes of an entry: who asks when, what an answer does
//   arp.c, ndisc.c     the questions and answers of IPv4 and IPv6
#pragma once
#include "net/device.h"

struct net_neighbour {
    struct list_head link; // in the order of `serial`
    struct net_device *device;
    struct net_address address;
    uint8_t hardware[NET_HARDWARE_MAX];
    uint16_t state;  // NUD_*
    uint8_t flags;   // NTF_*
    uint64_t serial; // of all that ever were
    // Of one that is looked for, or was found:
    struct list_head waiting;        // frames for it, without a header of the link
    unsigned int waiting_count;      // of them
    unsigned int probes;             // questions since the last answer
    int64_t due;                     // when its state changes by itself, KTIME_NEVER: not
    int64_t confirmed, used, update; // when
};

// The one with the smallest serial number > `after`, or NULL.
struct net_neighbour *net_neighbour_next_locked(uint64_t after);
// The one behind n, which is there; NULL: there is none.
struct net_neighbour *net_neighbour_behind_locked(const struct net_neighbour *n);
void net_neighbour_for_each_locked(void (*fn)(struct net_neighbour *n, void *arg),
                                   void *arg); // fn removes none
struct net_neighbour *net_neighbour_find_locked(const struct net_device *device, const struct net_address *a);
// Adds a copy, or changes the one that is there; `how`: NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE. -EEXIST, -ENOENT, -ENOBUFS.
int __must_check net_neighbour_set_locked(const struct net_neighbour *n, unsigned int how);
void net_neighbour_remove_locked(struct net_neighbour *n);
void net_neighbour_drop_device_locked(const struct net_device *device); // it goes down
// Finds it, or makes one of which nothing is known: one that nobody has used for longest makes room, if need be. NULL: no memory.
struct net_neighbour *net_neighbour_get_locked(struct net_device *device, const struct net_address *a);
// Grows whenever an entry goes, or is not fit to be sent to any more: what was remembered of it is nothing then.
unsigned int net_neighbour_round_locked(void);

// ---- neighbour_solve.c

// Its address, if a frame may go to it; NULL: not now. To be asked for each frame: an address that is old is asked for again.
const uint8_t *net_neighbour_hardware_locked(struct net_neighbour *n);
// The frame, a packet of `type` (net/ethernet.h), goes when the address is known, and comes back as unreachable if nobody answers.
void net_neighbour_wait_locked(struct net_neighbour *n, struct net_frame *frame, unsigned int type);
// What was heard of a neighbour.
enum net_neighbour_news {
    NEIGHBOUR_ASKS,      // it asked for us, or told everybody
    NEIGHBOUR_ANSWERS,   // to us
    NEIGHBOUR_CONFIRMED, // an answer that does not overrule an address that is known
};
void net_neighbour_heard_locked(struct net_neighbour *n, const uint8_t *hardware,
                                enum net_neighbour_news news);
// What is due by now. When there will be more, KTIME_NEVER: nothing.
int64_t net_neighbour_run_locked(void);
// Something may be due earlier than was said: looked at, and cleared, by the stack's thread.
// A program changed it, or its device goes: nobody waits any more.
void net_neighbour_settle_locked(struct net_neighbour *n);
