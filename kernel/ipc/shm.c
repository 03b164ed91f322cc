// SPDX-License-Identifier: MIT
// Shared memory of System V. A segment is a file of tmpfs without a name, which nobody has a descriptor of; attaching it maps
// it. It is in the table until it has been removed (IPC_RMID) and nothing is attached: whoever sees both takes it out. What is
// attached is counted by areas, as they come (mmap, fork, a split) and go: the ops area_made and area_gone of its file.
//
// One spinlock, shm_lock, guards all of it; it may be taken with vm->lock held. Pages belong to the file. All segments
// together may hold half of memory (kernel.shmall), since nothing but IPC_RMID takes away what no process has; and until a
// segment has been removed it gets no page while memory is short (SIGBUS, as at the limit of a tmpfs): to kill those who are attached
// would give nothing back.
#include "ipc/shm.h"
#include "arch/riscv/layout.h"
#include "fs/inode.h"
#include "fs/tmpfs/tmpfs.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

#define INDEX_BITS 15 // of a number; above it is which user of the place this is

struct shm_segment {
    struct file *file; // [I] the table's reference
    size_t size;       // [I]
    int id;            // [I]
    int key;           // [l] as all that follows
    uid_t uid, cuid;
    gid_t gid, cgid;
    mode_t mode; // with SHM_DEST, SHM_LOCKED
    bool listed;
    int64_t atime, dtime, ctime; // seconds
    pid_t cpid, lpid;
    unsigned long attached; // areas, and attachments on their way
};

static struct spinlock shm_lock = SPINLOCK_INIT;
static struct shm_segment *table[SHM_SEGMENTS]; // [shm_lock]
static unsigned int used, end;                  // [shm_lock] places used; all are below `end`
static unsigned short generation;               // [shm_lock]
static unsigned long pages_total;               // [shm_lock] of all segments

unsigned long shm_max = INT64_MAX, shm_all, shm_segments_max = SHM_SEGMENTS;

static unsigned long pages_of(size_t size) {
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static int64_t now(void) {
    return clock_realtime() / 1000000000;
}

static struct shm_segment *segment_of(const struct file *f) {
    return f->private_data;
}

// ---- who may

// `wanted`: permission bits for the owner, the group and others, of which those count that the caller is.
static int check_access_locked(const struct shm_segment *s, unsigned int wanted) {
    ASSERT_HELD(&shm_lock);
    const struct cred *cred = current->cred;
    unsigned int granted = s->mode;
    wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    if (cred->euid == s->cuid || cred->euid == s->uid)
        granted >>= 6;
    else if (cred_in_group(cred, s->cgid) || cred_in_group(cred, s->gid))
        granted >>= 3;
    return wanted & ~granted && !capable(CAP_IPC_OWNER) ? -EACCES : 0;
}

static bool is_owner_locked(const struct shm_segment *s) {
    ASSERT_HELD(&shm_lock);
    uid_t euid = current->cred->euid;
    return euid == s->cuid || euid == s->uid;
}

// ---- the table

static struct shm_segment *find_locked(int id) {
    ASSERT_HELD(&shm_lock);
    unsigned int i = (unsigned int)id & ((1u << INDEX_BITS) - 1);
    return id >= 0 && i < end && table[i] && table[i]->id == id ? table[i] : NULL;
}

static struct shm_segment *find_key_locked(int key) {
    ASSERT_HELD(&shm_lock);
    for (unsigned int i = 0; i < end; i++) {
        if (table[i] && table[i]->key == key)
            return table[i];
    }
    return NULL;
}

// A removed segment with nothing attached leaves the table. The reference that the table had, for the caller to put.
static struct file *unlist_if_dead_locked(struct shm_segment *s) {
    ASSERT_HELD(&shm_lock);
    if (s->attached || !(s->mode & SHM_DEST) || !s->listed)
        return NULL;
    s->listed = false;
    table[(unsigned int)s->id & ((1u << INDEX_BITS) - 1)] = NULL;
    used--;
    while (end && !table[end - 1])
        end--;
    pages_total -= pages_of(s->size);
    return s->file;
}

static void unlock_and_put(struct file *f) {
    spin_unlock(&shm_lock);
    if (f)
        file_put(f);
}

// ---- the file

static void shm_area_made(struct file *f) {
    struct shm_segment *s = segment_of(f);
    spin_lock(&shm_lock);
    s->attached++;
    s->atime = now();
    s->lpid = current->pid;
    spin_unlock(&shm_lock);
}

static void shm_area_gone(struct file *f) {
    struct shm_segment *s = segment_of(f);
    spin_lock(&shm_lock);
    s->attached--;
    s->dtime = now();
    s->lpid = current->pid;
    unlock_and_put(unlist_if_dead_locked(s));
}

static void shm_release(struct file *f) {
    kfree(f->private_data);
}

static const struct file_ops shm_ops = {
    .area_made = shm_area_made, .area_gone = shm_area_gone, .release = shm_release};

bool shm_is_segment(const struct file *f) {
    return f && f->ops == &shm_ops;
}

size_t shm_size(const struct file *f) {
    return segment_of(f)->size;
}

// ---- shmget

static struct shm_segment *create(int key, size_t size, int flags) {
    char name[16];
    struct shm_segment *s = memory_is_short() ? NULL : kzalloc(sizeof(*s));
    if (!s)
        return ERR_PTR(-ENOMEM);
    lib_snprintf(name, sizeof(name), "SYSV%08x", (unsigned int)key);
    struct file *f = tmpfs_create_anon(name, ALIGN_UP(size, (size_t)PAGE_SIZE), 0);
    if (IS_ERR(f)) {
        kfree(s);
        return ERR_PTR(PTR_ERR(f));
    }
    const struct cred *cred = current->cred;
    *s = (struct shm_segment){.file = f,
                              .size = size,
                              .key = key,
                              .uid = cred->euid,
                              .cuid = cred->euid,
                              .gid = cred->egid,
                              .cgid = cred->egid,
                              .mode = (mode_t)flags & 0777,
                              .ctime = now(),
                              .cpid = current->pid};
    f->private_data = s;
    f->ops = &shm_ops;
    tmpfs_set_outlives(f, true);
    return s;
}

static int list_segment_locked(struct shm_segment *s) {
    ASSERT_HELD(&shm_lock);
    unsigned int i = 0;
    if (pages_total + pages_of(s->size) > READ_ONCE(shm_all) || used >= READ_ONCE(shm_segments_max))
        return -ENOSPC;
    while (i < end && table[i])
        i++;
    if (i == SHM_SEGMENTS)
        return -ENOSPC;
    table[i] = s;
    s->id = (int)((generation++ & 0xffff) << INDEX_BITS | i) & INT32_MAX;
    s->listed = true;
    end = i == end ? end + 1 : end;
    used++;
    pages_total += pages_of(s->size);
    return s->id;
}

static int existing_locked(const struct shm_segment *s, size_t size, int flags) {
    ASSERT_HELD(&shm_lock);
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (size > s->size)
        return -EINVAL;
    int err = check_access_locked(s, (unsigned int)flags & 0777);
    return err ? err : s->id;
}

int shm_get(int key, size_t size, int flags) {
    struct shm_segment *made = NULL, *s = NULL;
    int id = -ENOENT;
    for (;;) {
        spin_lock(&shm_lock);
        s = key == IPC_PRIVATE ? NULL : find_key_locked(key);
        if (s)
            id = existing_locked(s, size, flags);
        else if (made)
            id = list_segment_locked(made);
        spin_unlock(&shm_lock);
        if (s || made || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            break;
        if (!size || size > READ_ONCE(shm_max) || flags & SHM_HUGETLB)
            return -EINVAL;
        if (pages_of(size) > READ_ONCE(shm_all)) // also what no file could be as long as
            return -ENOSPC;
        made = create(key, size, flags);
        if (IS_ERR(made))
            return (int)PTR_ERR(made);
    }
    if (made && (s || id < 0))
        file_put(made->file);
    return id;
}

// ---- shmat

struct file *shm_begin_attach(int id, int flags, size_t *size) {
    unsigned int wanted = flags & SHM_RDONLY ? 0444 : 0666;
    spin_lock(&shm_lock);
    struct shm_segment *s = find_locked(id);
    int err = s ? check_access_locked(s, flags & SHM_EXEC ? wanted | 0111 : wanted) : -EINVAL;
    if (!err) {
        s->attached++;
        *size = s->size;
        file_get(s->file);
    }
    spin_unlock(&shm_lock);
    return err ? ERR_PTR(err) : s->file;
}

void shm_end_attach(struct file *f) {
    spin_lock(&shm_lock);
    segment_of(f)->attached--;
    unlock_and_put(unlist_if_dead_locked(segment_of(f)));
    file_put(f);
}

// ---- shmctl

static void describe_locked(const struct shm_segment *s, struct shmid64_ds *out) {
    ASSERT_HELD(&shm_lock);
    memset(out, 0, sizeof(*out));
    out->shm_perm.key = s->key;
    out->shm_perm.uid = s->uid;
    out->shm_perm.gid = s->gid;
    out->shm_perm.cuid = s->cuid;
    out->shm_perm.cgid = s->cgid;
    out->shm_perm.mode = s->mode;
    out->shm_perm.seq = (unsigned short)((unsigned int)s->id >> INDEX_BITS);
    out->shm_segsz = s->size;
    out->shm_atime = s->atime;
    out->shm_dtime = s->dtime;
    out->shm_ctime = s->ctime;
    out->shm_cpid = s->cpid;
    out->shm_lpid = s->lpid;
    out->shm_nattch = s->attached;
}

int shm_stat(int id, int cmd, struct shmid64_ds *out) {
    spin_lock(&shm_lock);
    struct shm_segment *s = cmd == IPC_STAT                     ? find_locked(id)
                            : id >= 0 && (unsigned int)id < end ? table[id]
                                                                : NULL;
    int err = s ? 0 : -EINVAL;
    if (s && cmd != SHM_STAT_ANY)
        err = check_access_locked(s, 0444);
    if (!err) {
        describe_locked(s, out);
        err = cmd == IPC_STAT ? 0 : s->id;
    }
    spin_unlock(&shm_lock);
    return err;
}

int shm_set(int id, const struct shmid64_ds *to) {
    spin_lock(&shm_lock);
    struct shm_segment *s = find_locked(id);
    int err = !s ? -EINVAL : is_owner_locked(s) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
    if (!err && (to->shm_perm.uid == (uid_t)-1 || to->shm_perm.gid == (gid_t)-1))
        err = -EINVAL;
    if (!err) {
        s->uid = to->shm_perm.uid;
        s->gid = to->shm_perm.gid;
        s->mode = (s->mode & ~0777u) | (to->shm_perm.mode & 0777);
        s->ctime = now();
    }
    spin_unlock(&shm_lock);
    return err;
}

int shm_remove(int id) {
    struct file *f = NULL;
    spin_lock(&shm_lock);
    struct shm_segment *s = find_locked(id);
    int err = !s ? -EINVAL : is_owner_locked(s) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
    if (!err) {
        s->mode |= SHM_DEST;
        s->key = IPC_PRIVATE; // nobody finds it by that any more
        tmpfs_set_outlives(s->file, false);
        f = unlist_if_dead_locked(s);
    }
    unlock_and_put(f);
    return err;
}

// There is no swap: what is not locked stays in memory all the same.
int shm_keep_in_memory(int id, bool lock, bool may) {
    spin_lock(&shm_lock);
    struct shm_segment *s = find_locked(id);
    int err = s ? 0 : -EINVAL;
    if (s && !capable(CAP_IPC_LOCK) && (!is_owner_locked(s) || (lock && !may)))
        err = -EPERM;
    if (!err)
        s->mode = lock ? s->mode | SHM_LOCKED : s->mode & ~(mode_t)SHM_LOCKED;
    spin_unlock(&shm_lock);
    return err;
}

static int highest_index_locked(void) {
    ASSERT_HELD(&shm_lock);
    return end ? (int)end - 1 : 0;
}

int shm_limits(struct shminfo64 *out) {
    *out = (struct shminfo64){.shmmax = READ_ONCE(shm_max),
                              .shmmin = 1,
                              .shmmni = READ_ONCE(shm_segments_max),
                              .shmseg = READ_ONCE(shm_segments_max),
                              .shmall = READ_ONCE(shm_all)};
    spin_lock(&shm_lock);
    int highest = highest_index_locked();
    spin_unlock(&shm_lock);
    return highest;
}

// Pages in memory of the segment at an index; 0 where there is none.
unsigned long shm_resident(unsigned int index) {
    spin_lock(&shm_lock);
    struct file *f = index < end && table[index] ? table[index]->file : NULL;
    if (f)
        file_get(f);
    spin_unlock(&shm_lock);
    if (!f)
        return 0;
    struct kstat st = {.blocks = 0};
    f->inode->ops->getattr(f->inode, &st);
    file_put(f);
    return st.blocks / (PAGE_SIZE / 512);
}

int shm_usage(struct shm_info *out) {
    memset(out, 0, sizeof(*out));
    spin_lock(&shm_lock);
    out->used_ids = (int)used;
    out->shm_tot = pages_total;
    int highest = highest_index_locked();
    spin_unlock(&shm_lock);
    for (int i = 0; i <= highest; i++) { // at most SHM_SEGMENTS
        out->shm_rss += shm_resident(i);
        cond_resched();
    }
    return highest;
}

void shm_init(void) {
    shm_all = memory_usable_pages() / 2;
}
