// SPDX-License-Identifier: MIT
// What the parts of the init of `drupe run` share.
//
//   init.c     pid 1: file systems, the program, its end
//   orders.c   what is done before the program starts
//   network.c  the address of the network card
//   volume.c   directories of the host
//   result.c   what is brought out when it has ended
//   missing.c  what programs asked the kernel for in vain
//   channel.c  what goes to the host and comes from it
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tools/guest/frames.h"

#define FLOW_SIZE 65536 // what a pipe holds

// A stream from one file descriptor to another, one of them a port. -1: that end is closed, or never was.
struct flow {
    int from, to;
    char *bytes; // that have been read and not written yet: at to used
    size_t at, used;
    uint64_t passed; // bytes ever read
};
extern struct flow flows[PORT_COUNT]; // by port; none of PORT_CONTROL

// Nothing works without what failed; the kernel's log is the place to tell.
void __attribute__((noreturn)) die(const char *what);
void __attribute__((noreturn)) power_off(void);

// channel.c
void channel_open(void);
void channel_send(int type, const void *content, size_t n);
// Waits until the host has all of it.
void channel_write(int port, const void *bytes, size_t n);
int channel_control(void); // the port's file descriptor, to be polled
// Waits for a frame. Gives its content in memory that stays until the next one, with a NUL behind.
int channel_receive(void **content, size_t *n);
// Moves what can be moved now.
void flow_read(struct flow *f);
void flow_write(struct flow *f);
// All that can still be read, however long its reader takes.
void flow_drain(struct flow *f);

// orders.c
// Carries out an order, ORDER_STRINGS strings. Gives 0 or an errno: ENOSYS for a kind that is not known.
int order_carry_out(char *const *order);

// network.c
// An order: gives eth0 its address. 0 or an errno; ETIMEDOUT: nobody answered.
int network_start(char *const *arguments);

// volume.c
int volume_mount(char *const *arguments); // an order

// missing.c
// Tells of what programs have asked for that is not in the kernel.
void missing_send(void);

// result.c
// Sends what is at an absolute path, or the whole root for "", and tells what became of it.
void result_send(const char *path);
