// SPDX-License-Identifier: MIT
// What prctl(2) and ptrace(2) have of seccomp.
#pragma once
#include "core/types.h"

struct tracee;

long seccomp_prctl(unsigned long mode, unsigned long args); // PR_SET_SECCOMP
// PTRACE_SECCOMP_GET_FILTER, PTRACE_SECCOMP_GET_METADATA, of one that is stopped.
long seccomp_get_filter(struct tracee *x, unsigned long index, unsigned long data);
long seccomp_get_metadata(struct tracee *x, unsigned long size, unsigned long data);
