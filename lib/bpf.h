// SPDX-License-Identifier: MIT
// Classic BPF (linux/filter.h): programs of a machine with an accumulator A, an index register X and sixteen words of
// memory, whose jumps go forward only, so that each ends.
#pragma once
#include "lib/types.h"
#include <linux/filter.h>

// True if a program of n instructions, at least one, is one that Linux takes for a filter of any kind: known instructions, jumps
// that stay inside, an end that returns, no memory read on any way that did not write it before, no division by a constant 0, no
// shift by a constant of 32 or more. `seen` is room for n numbers. It does not look at where data is loaded from.
bool bpf_is_valid(const struct sock_filter *code, unsigned int n, uint16_t *seen);

// Runs a valid program, all of whose loads are of whole words inside the data (BPF_W | BPF_ABS), or of its length; `data` has
// `length` bytes. A division by X = 0 ends it with 0, as in Linux.
uint32_t bpf_run(const struct sock_filter *code, const uint32_t *data, uint32_t length);
