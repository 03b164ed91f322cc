// SPDX-License-Identifier: MIT
// Gathering argv and envp of execve(2) in kernel memory, in the form they will have on the new stack.
#include "arch/riscv/uaccess.h"
#include "core/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec.h"
#include "proc/exec_private.h"

#define FIRST_CAPACITY 2048

static int grow(struct exec *e) {
    size_t capacity = e->strings_capacity ? e->strings_capacity * 2 : FIRST_CAPACITY;
    if (capacity > EXEC_TOTAL_MAX)
        return -E2BIG;
    char *bigger = krealloc(e->strings, e->strings_size, capacity);
    if (!bigger)
        return -ENOMEM;
    e->strings = bigger;
    e->strings_capacity = capacity;
    return 0;
}

// One more string of `size` bytes, its NUL included, is at the end. Its pointer counts too.
static int count_in(struct exec *e, size_t size) {
    e->strings_size += size;
    size_t pointers = (e->argc + e->envc + 1) * sizeof(char *);
    return size > EXEC_STRING_MAX || e->strings_size + pointers > e->strings_limit ? -E2BIG : 0;
}

int exec_add_kernel_string(struct exec *e, const char *s) {
    size_t size = strlen(s) + 1;
    while (e->strings_capacity - e->strings_size < size) {
        int err = grow(e);
        if (err)
            return err;
    }
    memcpy(e->strings + e->strings_size, s, size);
    return count_in(e, size);
}

static int add_user_string(struct exec *e, const char __user *s) {
    for (;;) {
        size_t room = e->strings_capacity - e->strings_size;
        ssize_t n = room ? strncpy_from_user(e->strings + e->strings_size, s, room) : -ENAMETOOLONG;
        if (n >= 0)
            return count_in(e, n + 1);
        if (n != -ENAMETOOLONG)
            return n;
        if (room > EXEC_STRING_MAX)
            return -E2BIG;
        int err = grow(e);
        if (err)
            return err;
    }
}

int exec_add_strings(struct exec *e, const struct exec_strings *list, bool skip_first, unsigned int *count) {
    for (unsigned int i = 0;; i++) {
        const char *kernel = NULL;
        const char __user *user = NULL;
        int err = 0;
        if (list->kernel)
            kernel = list->kernel[i];
        else if (list->user)
            err = get_user(user, &list->user[i]);
        if (err)
            return err;
        if (!kernel && !user)
            return 0;
        if (i == 0 && skip_first)
            continue;
        err = kernel ? exec_add_kernel_string(e, kernel) : add_user_string(e, user);
        if (!err)
            err = cond_resched_killable();
        if (err)
            return err;
        ++*count;
    }
}
