// SPDX-License-Identifier: MIT
// A process's table of open files; shared by threads made with CLONE_FILES.
#pragma once
#include "fs/file.h"

struct files {
    struct refcount refs;
    struct spinlock lock;
    struct file **fd;         // [lock]
    uint64_t *open, *cloexec; // [lock] bitmaps
    unsigned int size;        // [lock] slots
    unsigned int next;        // [lock] no free number is below
};
struct files *__must_check files_create(void);             // NULL if no memory
struct files *__must_check files_copy(struct files *old);
void files_put(struct files *files);                       // the last one closes all
void files_close_on_exec(struct files *files);

// The file of fd with a reference, NULL if not open (O_PATH ones included: callers that read, write, ... use fd_get_io()).
struct file *fd_get(int fd);
struct file *fd_get_io(int fd); // not O_PATH
// The lowest free number >= min with its slot reserved; -EMFILE. fd_install() fills it (takes over the reference), fd_unreserve() gives it back.
int __must_check fd_reserve(int min, unsigned int flags /* O_CLOEXEC */);
void fd_install(int fd, struct file *f);
void fd_unreserve(int fd);
// Reserve and install; puts f on error. The number or -errno.
int __must_check fd_add(struct file *f, unsigned int flags);
int fd_close(int fd);
