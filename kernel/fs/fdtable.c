// SPDX-License-Identifier: MIT
// Tables of open files.
//
// The slots and the two bitmaps are one block of memory, which is replaced by a larger one when numbers run
// out. A slot whose bit in `open` is set and that holds NULL is reserved: nobody else gets the number, nobody
// can use it yet.
#include "fs/fdtable.h"
#include "core/panic.h"
#include "fs/event/dnotify.h"
#include "fs/file_lock.h"
#include "lib/string.h"
#include "mm/slab.h"
#include <linux/fcntl.h>
#include <linux/resource.h>

#define FIRST_SIZE 64
#define WORD_BITS  64
#define SIZE_MAX_  (1024 * 1024) // fs.nr_open in Linux

// ---- bitmaps

static bool bit_test(const uint64_t *map, unsigned int n) {
    return map[n / WORD_BITS] >> n % WORD_BITS & 1;
}
static void bit_set(uint64_t *map, unsigned int n) {
    map[n / WORD_BITS] |= 1ull << n % WORD_BITS;
}
static void bit_clear(uint64_t *map, unsigned int n) {
    map[n / WORD_BITS] &= ~(1ull << n % WORD_BITS);
}

// ---- the block

static size_t block_size(unsigned int size) {
    return size * sizeof(struct file *) + 2 * (size / WORD_BITS) * sizeof(uint64_t);
}

// Points the table at a fresh, empty block of `size` slots.
static void set_block(struct files *files, struct file **block, unsigned int size) {
    memset(block, 0, block_size(size));
    files->fd = block;
    files->open = (uint64_t *)(block + size);
    files->cloexec = files->open + size / WORD_BITS;
    files->size = size;
}

static struct files *create(unsigned int size) {
    struct files *files = kmalloc(sizeof(*files));
    struct file **block = kmalloc(block_size(size));
    if (!files || !block) {
        kfree(files);
        kfree(block);
        return NULL;
    }
    ref_init(&files->refs);
    files->users = 1;
    spin_init(&files->lock);
    files->next = 0;
    set_block(files, block, size);
    return files;
}

struct files *files_create(void) {
    return create(FIRST_SIZE);
}

// Makes room for number n. With the lock held, which is released meanwhile; the caller looks again. 0 or
// -ENOMEM.
static int grow_locked(struct files *files, unsigned int n) {
    ASSERT_HELD(&files->lock);
    unsigned int size = files->size;
    while (size <= n)
        size *= 2;
    spin_unlock(&files->lock);
    struct file **block = kmalloc(block_size(size));
    spin_lock(&files->lock);
    if (!block)
        return -ENOMEM;
    if (files->size >= size) { // another thread was faster
        kfree(block);
        return 0;
    }
    struct files old = *files;
    set_block(files, block, size);
    memcpy(files->fd, old.fd, old.size * sizeof(struct file *));
    memcpy(files->open, old.open, old.size / WORD_BITS * sizeof(uint64_t));
    memcpy(files->cloexec, old.cloexec, old.size / WORD_BITS * sizeof(uint64_t));
    kfree(old.fd);
    return 0;
}

struct files *files_copy(struct files *old) {
    for (;;) {
        unsigned int size = READ_ONCE(old->size);
        struct files *files = create(size);
        if (!files)
            return NULL;
        spin_lock(&old->lock);
        if (old->size != size) {
            spin_unlock(&old->lock);
            kfree(files->fd);
            kfree(files);
            continue;
        }
        files->next = old->next;
        for (unsigned int word = 0; word < size / WORD_BITS; word++) {
            files->cloexec[word] = old->cloexec[word];
            for (uint64_t left = old->open[word]; left; left &= left - 1) {
                unsigned int fd = word * WORD_BITS + __builtin_ctzll(left);
                struct file *f = old->fd[fd];
                if (!f) { // only reserved, here free
                    files->next = MIN(files->next, fd);
                    continue;
                }
                file_get(f);
                files->fd[fd] = f;
                bit_set(files->open, fd);
            }
        }
        spin_unlock(&old->lock);
        return files;
    }
}

// ---- closing

static int close_file(struct files *files, struct file *f) {
    const struct file_ops *ops = f->ops;
    int err = ops->flush ? ops->flush(f) : 0;
    if (f->inode && READ_ONCE(f->inode->locks))
        file_locks_close(f, files);
    if (f->inode && unlikely(READ_ONCE(f->inode->watches)) && S_ISDIR(f->inode->mode))
        dnotify_close(f, files);
    file_put(f);
    if (ops->closed)
        ops->closed();
    return err;
}

// Takes the file out of a slot and frees the number. NULL if it was not open.
static struct file *take_locked(struct files *files, unsigned int fd) {
    ASSERT_HELD(&files->lock);
    struct file *f = fd < files->size ? files->fd[fd] : NULL;
    if (!f)
        return NULL;
    files->fd[fd] = NULL;
    bit_clear(files->open, fd);
    bit_clear(files->cloexec, fd);
    files->next = MIN(files->next, fd);
    return f;
}

// Closes what is open from `first` to `last`, only close-on-exec ones if asked.
static void close_range(struct files *files, unsigned int first, unsigned int last, bool only_cloexec) {
    spin_lock(&files->lock);
    for (unsigned int fd = first; fd <= last && fd < files->size; fd++) {
        uint64_t *map = only_cloexec ? files->cloexec : files->open;
        uint64_t left = map[fd / WORD_BITS] >> fd % WORD_BITS;
        if (!left) {
            fd |= WORD_BITS - 1;
            continue;
        }
        fd += __builtin_ctzll(left);
        struct file *f = fd <= last ? take_locked(files, fd) : NULL;
        if (!f)
            continue;
        spin_unlock(&files->lock);
        (void)close_file(files, f);
        cond_resched();
        spin_lock(&files->lock);
    }
    spin_unlock(&files->lock);
}

void files_share(struct files *files) {
    ref_get(&files->refs);
    __atomic_fetch_add(&files->users, 1, __ATOMIC_RELAXED);
}

bool files_are_shared(struct files *files) {
    return __atomic_load_n(&files->users, __ATOMIC_ACQUIRE) > 1;
}

void files_leave(struct files *files) {
    if (!__atomic_sub_fetch(&files->users, 1, __ATOMIC_ACQ_REL))
        close_range(files, 0, ~0u, false);
    files_put(files);
}

struct file *files_get_file(struct files *files, unsigned int fd) {
    spin_lock(&files->lock);
    struct file *f = fd < files->size ? files->fd[fd] : NULL;
    if (f)
        file_get(f);
    spin_unlock(&files->lock);
    return f;
}

void files_put(struct files *files) {
    if (!ref_put(&files->refs))
        return;
    kfree(files->fd);
    kfree(files);
}

void files_close_on_exec(struct files *files) {
    close_range(files, 0, ~0u, true);
}

void fd_close_range(unsigned int first, unsigned int last) {
    close_range(current->files, first, last, false);
}

void fd_cloexec_range(unsigned int first, unsigned int last) {
    struct files *files = current->files;
    spin_lock(&files->lock);
    for (unsigned int fd = first; fd <= last && fd < files->size; fd++) {
        if (files->fd[fd])
            bit_set(files->cloexec, fd);
    }
    spin_unlock(&files->lock);
}

int fd_close(int fd) {
    struct files *files = current->files;
    spin_lock(&files->lock);
    struct file *f = fd >= 0 ? take_locked(files, fd) : NULL;
    spin_unlock(&files->lock);
    return f ? close_file(files, f) : -EBADF;
}

// ---- using

// `without`: O_PATH, if such files do not count.
static inline struct file *get(int fd, unsigned int without) {
    struct files *files = current->files;
    struct file *f = NULL;
    spin_lock(&files->lock);
    if ((unsigned int)fd < files->size)
        f = files->fd[fd];
    if (f && unlikely(f->flags & without))
        f = NULL;
    if (f)
        file_get(f);
    spin_unlock(&files->lock);
    return f;
}

struct file *fd_get(int fd) {
    return get(fd, 0);
}

struct file *fd_get_io(int fd) {
    return get(fd, O_PATH);
}

static unsigned int find_free(const struct files *files, unsigned int from) {
    for (unsigned int word = from / WORD_BITS; word < files->size / WORD_BITS; word++) {
        uint64_t free = ~files->open[word];
        if (word == from / WORD_BITS)
            free &= ~0ull << from % WORD_BITS;
        if (free)
            return word * WORD_BITS + __builtin_ctzll(free);
    }
    return files->size;
}

static unsigned int number_limit(void) {
    return MIN(current_rlimit(RLIMIT_NOFILE), (uint64_t)SIZE_MAX_);
}

static void mark(struct files *files, unsigned int fd, bool cloexec) {
    bit_set(files->open, fd);
    if (cloexec)
        bit_set(files->cloexec, fd);
    else
        bit_clear(files->cloexec, fd);
}

int fd_reserve(int min, unsigned int flags) {
    struct files *files = current->files;
    unsigned int limit = number_limit();
    if (min < 0 || (unsigned int)min >= limit)
        return min ? -EINVAL : -EMFILE;
    int err = 0;
    spin_lock(&files->lock);
    unsigned int fd = find_free(files, MAX((unsigned int)min, files->next));
    while (fd < limit && fd >= files->size && !err) {
        err = grow_locked(files, MAX(fd, (unsigned int)min));
        fd = find_free(files, MAX((unsigned int)min, files->next));
    }
    if (!err && fd >= limit)
        err = -EMFILE;
    if (!err) {
        mark(files, fd, flags & O_CLOEXEC);
        if ((unsigned int)min <= files->next)
            files->next = fd + 1;
    }
    spin_unlock(&files->lock);
    return err ? err : (int)fd;
}

void fd_install(int fd, struct file *f) {
    struct files *files = current->files;
    spin_lock(&files->lock);
    files->fd[fd] = f;
    spin_unlock(&files->lock);
}

void fd_unreserve(int fd) {
    struct files *files = current->files;
    spin_lock(&files->lock);
    bit_clear(files->open, fd);
    bit_clear(files->cloexec, fd);
    files->next = MIN(files->next, (unsigned int)fd);
    spin_unlock(&files->lock);
}

int fd_add(struct file *f, unsigned int flags) {
    int fd = fd_reserve(0, flags);
    if (fd < 0)
        file_put(f);
    else
        fd_install(fd, f);
    return fd;
}

int fd_replace(int fd, struct file *f, unsigned int flags) {
    struct files *files = current->files;
    struct file *old = NULL;
    int err = fd < 0 || (unsigned int)fd >= number_limit() ? -EBADF : 0;
    spin_lock(&files->lock);
    while (!err && (unsigned int)fd >= files->size)
        err = grow_locked(files, fd);
    if (!err) {
        old = files->fd[fd];
        if (!old && bit_test(files->open, fd))
            err = -EBUSY; // another thread is about to open it
    }
    if (!err) {
        files->fd[fd] = f;
        mark(files, fd, flags & O_CLOEXEC);
    }
    spin_unlock(&files->lock);
    if (err)
        file_put(f);
    if (old)
        (void)close_file(files, old);
    return err ? err : fd;
}

int fd_get_cloexec(int fd) {
    struct files *files = current->files;
    int ret = -EBADF;
    spin_lock(&files->lock);
    if ((unsigned int)fd < files->size && files->fd[fd])
        ret = bit_test(files->cloexec, fd);
    spin_unlock(&files->lock);
    return ret;
}

int fd_set_cloexec(int fd, bool on) {
    struct files *files = current->files;
    int ret = -EBADF;
    spin_lock(&files->lock);
    if ((unsigned int)fd < files->size && files->fd[fd]) {
        mark(files, fd, on);
        ret = 0;
    }
    spin_unlock(&files->lock);
    return ret;
}
