// SPDX-License-Identifier: MIT
// What the command line sets, of what no other part of the kernel asks for itself.
#pragma once

// quiet, debug, loglevel=, ignore_loglevel.
void settings_log_level(void);
// nosmp, maxcpus=, nr_cpus=, norandmaps, randomize=, uaccess=; and names the words that mean nothing here. Before the harts are counted on.
void settings_apply(void);
// fail_alloc= (mm/fail_alloc.h). Before the first allocation.
void settings_failing_allocations(void);
// hostname=
void settings_host_name(void);
