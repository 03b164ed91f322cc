// SPDX-License-Identifier: MIT
// What the kernel says that it is: uname(2), /proc/version, the first line of the log. The release begins
// with the version of Linux whose system calls it is measured against, as C libraries look at that.
#pragma once

#define KERNEL_SYSNAME "Linux"
#define KERNEL_RELEASE "6.12.0-drupe"
#define KERNEL_RELEASE_26                                                                                    \
    "2.6.72-drupe" // for programs that take no other: personality(2), UNAME26; 60 is added as in Linux
#define KERNEL_VERSION "#1 SMP Drupe"
#define KERNEL_MACHINE "riscv64"
