// SPDX-License-Identifier: MIT
// Shared memory of System V. A segment is a file of tmpfs without a name, which nobody has a descriptor of; attaching it maps
// it. It is in the table until it has been removed (IPC_RMID) and nothing is attached: whoever sees both takes it out. What is
// attached is counted by areas, as they come (mmap, fork, a split) and go: the ops area_made and area_gone of its file.
//
// One spinlock, that of the table, guards all of it; it may be taken with vm->lock held. Pages belong to the file. All segments
// together may hold half of memory (kernel.shmall), since nothing but IPC_RMID takes away what no process has; and until a
// segment has been removed it gets no page while memory is short (SIGBUS, as at the limit of a tmpfs): to kill those who are attached
// would give nothing back.
#include "ipc/shm.h"
#include "arch/riscv/layout.h"
#include "fs/inode.h"
#include "fs/tmpfs/tmpfs.h"
#include "ipc/ipc_ns.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "sched/clock.h"
#include "sched/pid_note.h"
#include "sched/thread.h"
#include <linux/capability.h>
#include <linux/fcntl.h>

struct shm_segment {
    struct ipc_object object; // its mode has SHM_DEST, SHM_LOCKED; the file is what refers to it
    struct file *file;        // [I] the table's reference
    size_t size;              // [I]
    int64_t atime, dtime;     // [l] as all that follows; seconds
    struct pid_note made_by, last_by;
    unsigned long attached; // areas, and attachments on their way
};

static unsigned long pages_total; // [a] of all namespaces' segments

static unsigned long pages_of(size_t size) {
    return (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static struct shm_segment *segment_of(const struct file *f) {
    return f->private_data;
}

static struct shm_segment *to_segment(struct ipc_object *o) {
    return o ? container_of(o, struct shm_segment, object) : NULL;
}

static struct ipc_table *table_of(const struct shm_segment *s) {
    return ipc_table_of(&s->object, IPC_SHM);
}

static struct ipc_table *current_table(void) {
    return &ipc_current()->tables[IPC_SHM];
}

static struct shm_segment *find_locked(struct ipc_table *t, int id) {
    ASSERT_HELD(&t->lock);
    return to_segment(ipc_find_locked(t, id));
}

// A removed segment with nothing attached leaves the table. The reference that the table had, for the caller to put.
static struct file *unlist_if_dead_locked(struct shm_segment *s) {
    ASSERT_HELD(&table_of(s)->lock);
    if (s->attached || !(s->object.mode & SHM_DEST) || !s->object.listed)
        return NULL;
    ipc_unlist_locked(table_of(s), &s->object);
    s->object.ns->shm_pages -= pages_of(s->size);
    __atomic_fetch_sub(&pages_total, pages_of(s->size), __ATOMIC_RELAXED);
    return s->file;
}

static void unlock_and_put(struct ipc_table *t, struct file *f) {
    spin_unlock(&t->lock);
    if (f)
        file_put(f);
}

// ---- the file

static void shm_area_made(struct file *f) {
    struct shm_segment *s = segment_of(f);
    spin_lock(&table_of(s)->lock);
    s->attached++;
    s->atime = ipc_now();
    s->last_by = pid_note_of(current);
    spin_unlock(&table_of(s)->lock);
}

static void shm_area_gone(struct file *f) {
    struct shm_segment *s = segment_of(f);
    struct ipc_table *t = table_of(s);
    spin_lock(&t->lock);
    s->attached--;
    s->dtime = ipc_now();
    s->last_by = pid_note_of(current);
    unlock_and_put(t, unlist_if_dead_locked(s));
}

static void shm_release(struct file *f) {
    struct shm_segment *s = segment_of(f);
    ipc_ns_drop(s->object.ns);
    kfree(s);
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
    s->file = f;
    s->size = size;
    s->made_by = pid_note_of(current);
    ipc_object_init(&s->object, key, flags);
    f->private_data = s;
    f->ops = &shm_ops;
    tmpfs_set_outlives(f, true);
    return s;
}

static int list_segment_locked(struct shm_segment *s) {
    ASSERT_HELD(&table_of(s)->lock);
    struct ipc_ns *ns = s->object.ns;
    struct ipc_table *t = table_of(s);
    unsigned long pages = pages_of(s->size);
    if (ns->shm_pages + pages > READ_ONCE(ns->shm_all))
        return -ENOSPC;
    bool fits = __atomic_add_fetch(&pages_total, pages, __ATOMIC_RELAXED) <= READ_ONCE(first_ipc_ns.shm_all);
    int id = fits ? ipc_list_locked(t, &s->object, READ_ONCE(ns->shm_segments_max)) : -ENOSPC;
    if (id >= 0)
        ns->shm_pages += pages;
    else
        __atomic_fetch_sub(&pages_total, pages, __ATOMIC_RELAXED);
    return id;
}

static int existing_locked(const struct shm_segment *s, size_t size, int flags) {
    ASSERT_HELD(&table_of(s)->lock);
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (size > s->size)
        return -EINVAL;
    int err = ipc_check_locked(table_of(s), &s->object, (unsigned int)flags & 0777);
    return err ? err : s->object.id;
}

int shm_get(int key, size_t size, int flags) {
    struct shm_segment *made = NULL, *s = NULL;
    const struct ipc_ns *ns = ipc_current();
    struct ipc_table *t = current_table();
    int id = -ENOENT;
    for (;;) {
        spin_lock(&t->lock);
        s = to_segment(ipc_find_key_locked(t, key));
        if (s)
            id = existing_locked(s, size, flags);
        else if (made)
            id = list_segment_locked(made);
        spin_unlock(&t->lock);
        if (s || made || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
            break;
        if (!size || size > READ_ONCE(ns->shm_max) || flags & SHM_HUGETLB)
            return -EINVAL;
        if (pages_of(size) > READ_ONCE(ns->shm_all)) // also what no file could be as long as
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
    struct ipc_table *t = current_table();
    unsigned int wanted = flags & SHM_RDONLY ? 0444 : 0666;
    spin_lock(&t->lock);
    struct shm_segment *s = find_locked(t, id);
    int err = s ? ipc_check_locked(t, &s->object, flags & SHM_EXEC ? wanted | 0111 : wanted) : -EINVAL;
    if (!err) {
        s->attached++;
        *size = s->size;
        file_get(s->file);
    }
    spin_unlock(&t->lock);
    return err ? ERR_PTR(err) : s->file;
}

void shm_end_attach(struct file *f) {
    struct shm_segment *s = segment_of(f);
    struct ipc_table *t = table_of(s);
    spin_lock(&t->lock);
    s->attached--;
    unlock_and_put(t, unlist_if_dead_locked(s));
    file_put(f);
}

// ---- shmctl

static void describe_locked(const struct shm_segment *s, struct shmid64_ds *out) {
    ASSERT_HELD(&table_of(s)->lock);
    memset(out, 0, sizeof(*out));
    ipc_describe_locked(table_of(s), &s->object, &out->shm_perm);
    out->shm_segsz = s->size;
    out->shm_atime = s->atime;
    out->shm_dtime = s->dtime;
    out->shm_ctime = s->object.ctime;
    out->shm_cpid = pid_note_shown(&s->made_by);
    out->shm_lpid = pid_note_shown(&s->last_by);
    out->shm_nattch = s->attached;
}

int shm_stat(int id, int cmd, struct shmid64_ds *out) {
    struct ipc_table *t = current_table();
    spin_lock(&t->lock);
    struct shm_segment *s = cmd == IPC_STAT ? find_locked(t, id)
                            : id >= 0       ? to_segment(ipc_at_locked(t, (unsigned int)id))
                                            : NULL;
    int err = s ? 0 : -EINVAL;
    if (s && cmd != SHM_STAT_ANY)
        err = ipc_check_locked(t, &s->object, IPC_READ);
    if (!err) {
        describe_locked(s, out);
        err = cmd == IPC_STAT ? 0 : s->object.id;
    }
    spin_unlock(&t->lock);
    return err;
}

int shm_set(int id, const struct shmid64_ds *to) {
    struct ipc_table *t = current_table();
    spin_lock(&t->lock);
    struct shm_segment *s = find_locked(t, id);
    int err = s ? ipc_check_control_locked(t, &s->object) : -EINVAL;
    if (!err)
        err = ipc_set_locked(t, &s->object, &to->shm_perm);
    spin_unlock(&t->lock);
    return err;
}

// What is the caller's to put.
static struct file *remove_locked(struct shm_segment *s) {
    ASSERT_HELD(&table_of(s)->lock);
    s->object.mode |= SHM_DEST;
    ipc_forget_key_locked(table_of(s), &s->object);
    tmpfs_set_outlives(s->file, false);
    return unlist_if_dead_locked(s);
}

int shm_remove(int id) {
    struct file *f = NULL;
    struct ipc_table *t = current_table();
    spin_lock(&t->lock);
    struct shm_segment *s = find_locked(t, id);
    int err = s ? ipc_check_control_locked(t, &s->object) : -EINVAL;
    if (!err)
        f = remove_locked(s);
    unlock_and_put(t, f);
    return err;
}

void shm_end_all(struct ipc_ns *ns) {
    struct ipc_table *t = &ns->tables[IPC_SHM];
    for (unsigned int i = 0; i < READ_ONCE(t->end); i++) {
        spin_lock(&t->lock);
        struct shm_segment *s = to_segment(ipc_at_locked(t, i));
        unlock_and_put(t, s ? remove_locked(s) : NULL);
        cond_resched();
    }
}

// There is no swap: what is not locked stays in memory all the same.
int shm_keep_in_memory(int id, bool lock, bool may) {
    struct ipc_table *t = current_table();
    spin_lock(&t->lock);
    struct shm_segment *s = find_locked(t, id);
    int err = s ? 0 : -EINVAL;
    if (s && !capable_in(s->object.ns->ns.owner, CAP_IPC_LOCK) &&
        (!ipc_is_owner_locked(t, &s->object) || (lock && !may)))
        err = -EPERM;
    if (!err)
        s->object.mode = lock ? s->object.mode | SHM_LOCKED : s->object.mode & ~(mode_t)SHM_LOCKED;
    spin_unlock(&t->lock);
    return err;
}

int shm_limits(struct shminfo64 *out) {
    const struct ipc_ns *ns = ipc_current();
    struct ipc_table *t = current_table();
    *out = (struct shminfo64){.shmmax = READ_ONCE(ns->shm_max),
                              .shmmin = 1,
                              .shmmni = READ_ONCE(ns->shm_segments_max),
                              .shmseg = READ_ONCE(ns->shm_segments_max),
                              .shmall = READ_ONCE(ns->shm_all)};
    spin_lock(&t->lock);
    int highest = ipc_highest_locked(t);
    spin_unlock(&t->lock);
    return highest;
}

// Pages in memory of the segment at an index; 0 where there is none.
unsigned long shm_resident(unsigned int index) {
    struct ipc_table *t = current_table();
    spin_lock(&t->lock);
    struct shm_segment *s = to_segment(ipc_at_locked(t, index));
    struct file *f = s ? s->file : NULL;
    if (f)
        file_get(f);
    spin_unlock(&t->lock);
    if (!f)
        return 0;
    struct kstat st = {.blocks = 0};
    f->inode->ops->getattr(f->inode, &st);
    file_put(f);
    return st.blocks / (PAGE_SIZE / 512);
}

int shm_usage(struct shm_info *out) {
    struct ipc_table *t = current_table();
    memset(out, 0, sizeof(*out));
    spin_lock(&t->lock);
    out->used_ids = (int)t->used;
    out->shm_tot = ipc_current()->shm_pages;
    int highest = ipc_highest_locked(t);
    spin_unlock(&t->lock);
    for (int i = 0; i <= highest; i++) { // at most SHM_SEGMENTS
        out->shm_rss += shm_resident(i);
        cond_resched();
    }
    return highest;
}

void shm_init(void) {
    first_ipc_ns.shm_all = memory_usable_pages() / 2;
}
