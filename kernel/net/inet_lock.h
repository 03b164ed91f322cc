// SPDX-License-Identifier: MIT
// The lock of the protocol stack, for those who need nothing else of it (net/inet_stack.h tells more).
#pragma once
#include "sched/wait.h"

struct net_device;
struct net_ns;

extern struct mutex inet_mutex; // for assertions
extern struct net_ns *inet_net; // [n] whose state is there
void inet_lock(struct net_ns *net);
void inet_unlock(void);

// The state of a new network. NULL: no memory.
void *__must_check inet_state_create(void);
// Nobody has this network any more: all that is left of it goes. May sleep.
void inet_end(struct net_ns *net);

// A device is there; its flags, its MTU or its name are not what they were. With the stack's lock.
void inet_device_added_locked(struct net_device *device);
void inet_device_changed_locked(struct net_device *device);
void inet_device_gone_locked(struct net_device *device);
// Something that the stack's thread is to look at. Any context.
void inet_stack_kick(struct net_ns *net);
// A network card has something. Any context.
void inet_stack_poll(void);
// Starts lwIP, if that has not been done. 0, -ENOMEM.
int __must_check inet_start_locked(void);
