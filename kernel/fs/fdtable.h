// SPDX-License-Identifier: MIT
// A process's table of open files; shared by threads made with CLONE_FILES.
#pragma once
#include "fs/file.h"

struct files {
    struct refcount refs;
    unsigned int users; // [a] threads that have it; `refs` also counts who just looks at it
    struct spinlock lock;
    struct file **fd;         // [lock] NULL where `open` is clear, or the number is only reserved
    uint64_t *open, *cloexec; // [lock] bitmaps
    unsigned int size;        // [lock] slots, a multiple of 64
    unsigned int next;        // [lock] no free number is below
};
// One for a thread, which leaves it in the end. NULL if no memory.
struct files *__must_check files_create(void);
struct files *__must_check files_copy(struct files *old);
void files_share(struct files *files);      // another thread has it, too
void files_leave(struct files *files);      // the last thread closes all
bool files_are_shared(struct files *files); // by other threads than the current
void files_put(struct files *files);
void files_close_on_exec(struct files *files);
// The file of fd with a reference, NULL if not open.
struct file *files_get_file(struct files *files, unsigned int fd);

// All about the current thread's table.
// The file of fd with a reference, NULL if not open (O_PATH ones included: callers that read, write, ... use
// fd_get_io()).
struct file *fd_get(int fd);
struct file *fd_get_io(int fd); // not O_PATH
// The lowest free number >= min with its slot reserved; -EMFILE, -ENOMEM, -EINVAL (min past the limit).
// fd_install() fills it (takes over the reference), fd_unreserve() gives it back.
int __must_check fd_reserve(int min, unsigned int flags /* O_CLOEXEC */);
void fd_install(int fd, struct file *f);
void fd_unreserve(int fd);
// Reserve and install; puts f on error. The number or -errno.
int __must_check fd_add(struct file *f, unsigned int flags);
// Makes fd mean f, whose reference it takes over in any case; what was open there is closed. fd, -EBADF,
// -EBUSY, -ENOMEM.
int __must_check fd_replace(int fd, struct file *f, unsigned int flags);
int fd_close(int fd); // 0, -EBADF, or what the file's flush says
// FD_CLOEXEC of fd: read (0, 1 or -EBADF) and set.
int fd_get_cloexec(int fd);
int __must_check fd_set_cloexec(int fd, bool on);
// close_range(2): all from `first` to `last`.
void fd_close_range(unsigned int first, unsigned int last);
void fd_cloexec_range(unsigned int first, unsigned int last);
