// SPDX-License-Identifier: MIT
// The lock of the protocol stack, for those who need nothing else of it (net/inet_stack.h tells more).
#pragma once
#include "sched/wait.h"

struct net_device;

extern struct mutex inet_mutex; // for assertions
void inet_lock(void);
void inet_unlock(void);

// A device is there; its flags, its MTU or its name are not what they were. With the stack's lock.
void inet_device_added_locked(struct net_device *device);
void inet_device_changed_locked(struct net_device *device);
// Something about a device that the stack's thread is to look at. Any context.
void inet_stack_kick(void);
// A network card has something. Any context.
void inet_stack_poll(void);
// Starts lwIP, if that has not been done. 0, -ENOMEM.
int __must_check inet_start_locked(void);
