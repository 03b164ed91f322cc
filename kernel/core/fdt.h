// SPDX-License-Identifier: MIT
// The device tree, read through libfdt (this folder's fdt.c is the one file that includes it). Nothing in it
// changes once it is there. Devicetree specification 0.4.
#pragma once
#include "core/types.h"

struct fdt_range {
    paddr_t base;
    uint64_t size;
};

// Checks the blob at this direct-map address; panics if it is none. Its content stays where it is.
void fdt_init(const void *blob);
// Size of the blob in bytes.
size_t fdt_size(void);

// Calls fn for each bank of RAM; for each reserved range (the reservation block and /reserved-memory).
void fdt_for_each_memory(void (*fn)(paddr_t base, uint64_t size));
void fdt_for_each_reserved(void (*fn)(paddr_t base, uint64_t size));

// /chosen: the boot arguments or NULL; the initrd's first address and the one behind it (both properties, of 4 or 8
// bytes) as they stand there, false if there is none; the seed for random numbers.
const char *fdt_bootargs(void);
bool fdt_initrd(uint64_t *start, uint64_t *end);
const void *fdt_rng_seed(size_t *n);

// Fills in harts[] (0 is `boot_hartid`), hart_count, timebase_frequency, arch_hwcap.
void fdt_read_harts(unsigned long boot_hartid);
// The isa string of the first hart, "rv64imafdc...", and the machine's model, for /proc/cpuinfo and the log.
const char *fdt_isa(void);
const char *fdt_model(void);

// The next node after `after` (-1: the first) that is compatible with `name`; -1 if there is none.
int fdt_next_compatible(int after, const char *name);
// The node's first register range. False if it has none.
bool fdt_reg(int node, struct fdt_range *out);
// A 32-bit property, `otherwise` if it is missing. Element i of an array of them.
uint32_t fdt_u32(int node, const char *property, uint32_t otherwise);
uint32_t fdt_u32_at(int node, const char *property, unsigned int i, uint32_t otherwise);
unsigned int fdt_u32_count(int node, const char *property);
// For interrupt controllers: the dense hart index of the CPU whose interrupt controller has this phandle, -1
// if none.
int fdt_hart_of_intc(uint32_t phandle);

// What is told to programs: nodes, of which 0 is the root, and their properties.
struct fdt_value {
    const char *name;
    const void *data;
    size_t length;
    unsigned int place; // in the blob: no other node or property has it
};
// The node's name with its address, "" for the root; its place.
const char *fdt_node_name(int node);
unsigned int fdt_node_place(int node);
// The child after `after` (the node itself: the first); -1 if there is none.
int fdt_child(int node, int after);
// The property after the one at *at (0: the first), without seeds for random numbers, which are no program's. False: there is none.
bool fdt_next_value(int node, int *at, struct fdt_value *out);
