// SPDX-License-Identifier: MIT
// Shared memory of System V: shmget(2), shmop(2), shmctl(2).
#pragma once
#include "core/errno.h"
#include "fs/file.h"
#include <asm/shmbuf.h>
#include <linux/ipc.h>

// From <linux/shm.h>, which wants a C library's headers.
#define SHM_HUGETLB  04000
#define SHM_RDONLY   010000
#define SHM_RND      020000
#define SHM_REMAP    040000
#define SHM_EXEC     0100000
#define SHM_DEST     01000 // of the mode: removed, still attached
#define SHM_LOCKED   02000
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15
struct shm_info {
    int used_ids;
    unsigned long shm_tot, shm_rss, shm_swp; // pages
    unsigned long swap_attempts, swap_successes;
};

#define SHM_SEGMENTS 4096 // as many may there be: SHMMNI

// The number of the segment with `key`, or -errno; flags and errors as shmget(2).
int __must_check shm_get(int key, size_t size, int flags);
// Begins an attachment for reading, and writing unless SHM_RDONLY: a reference to the segment's file, for mapping it, and
// its size. To be ended when the mapping is there, or not. ERR_PTR(-EINVAL, -EACCES).
struct file *__must_check shm_begin_attach(int id, int flags, size_t *size);
void shm_end_attach(struct file *f);
bool shm_is_segment(const struct file *f);
size_t shm_size(const struct file *f);

// IPC_STAT, SHM_STAT and SHM_STAT_ANY: by number, by index, by index for everybody. The number, or -errno.
int __must_check shm_stat(int id, int cmd, struct shmid64_ds *out);
int __must_check shm_set(int id, const struct shmid64_ds *to); // IPC_SET
int __must_check shm_remove(int id);                           // IPC_RMID
int __must_check shm_keep_in_memory(int id, bool lock,
                                    bool may); // SHM_LOCK, SHM_UNLOCK; `may`: RLIMIT_MEMLOCK is not 0
// IPC_INFO and SHM_INFO. The highest index in use.
int shm_limits(struct shminfo64 *out);
int shm_usage(struct shm_info *out);
struct ipc_ns;
void shm_end_all(struct ipc_ns *ns);            // nobody is in it any more
unsigned long shm_resident(unsigned int index); // pages in memory of the segment there, if there is one

void shm_init(void); // once it is known how much memory there is
