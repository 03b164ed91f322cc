// SPDX-License-Identifier: MIT
// Another program for the current process.
#pragma once
#include "core/types.h"

// execve(2) and execveat(2). 0, with the user registers those of the new program, or -errno.
struct exec_strings {
    const char __user *const __user *user; // in user memory, or
    const char *const *kernel;             // in the kernel's; NULL-terminated both
};
long process_exec(int dfd, const char *path, const struct exec_strings *argv, const struct exec_strings *envp,
                  int flags);
