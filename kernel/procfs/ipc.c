// SPDX-License-Identifier: MIT
// /proc/sysvipc: what System V IPC has.
#include "arch/riscv/layout.h"
#include "ipc/ipc_ns.h"
#include "ipc/mqueue.h"
#include "ipc/msg.h"
#include "ipc/sem.h"
#include "ipc/shm.h"
#include "procfs/private.h"
#include "sched/thread.h"

static void show_segment(struct seq_buf *s, int id, unsigned long resident, const struct shmid64_ds *d) {
    const struct ipc64_perm *p = &d->shm_perm;
    seq_printf(s, "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
               p->key, id, p->mode, (unsigned long)d->shm_segsz, (unsigned int)d->shm_cpid,
               (unsigned int)d->shm_lpid, (unsigned long)d->shm_nattch, p->uid, p->gid, p->cuid, p->cgid,
               (unsigned long)d->shm_atime, (unsigned long)d->shm_dtime, (unsigned long)d->shm_ctime,
               resident << PAGE_SHIFT, 0ul);
}

static int show_shm(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  "
                "cgid      atime      dtime      "
                "ctime                   rss                  swap\n");
    for (int i = 0; i < SHM_SEGMENTS; i++) {
        struct shmid64_ds d;
        int id = shm_stat(i, SHM_STAT_ANY, &d);
        if (id >= 0)
            show_segment(s, id, shm_resident(i), &d);
        cond_resched();
    }
    return 0;
}

static int show_sem(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
    int highest = sem_info(&(struct seminfo){0}, true);
    for (int i = 0; i <= highest; i++) {
        struct semid64_ds d;
        const struct ipc64_perm *p = &d.sem_perm;
        int id = sem_stat(i, SEM_STAT_ANY, &d);
        if (id >= 0)
            seq_printf(s, "%10d %10d  %4o %10lu %5u %5u %5u %5u %10lu %10lu\n", p->key, id, p->mode,
                       (unsigned long)d.sem_nsems, p->uid, p->gid, p->cuid, p->cgid,
                       (unsigned long)d.sem_otime, (unsigned long)d.sem_ctime);
        if (cond_resched_killable())
            break;
    }
    return 0;
}

static int show_msg(struct seq_buf *s, void *arg) {
    (void)arg;
    seq_puts(s, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      "
                "stime      "
                "rtime      ctime\n");
    int highest = msg_info(&(struct msginfo){0}, true);
    for (int i = 0; i <= highest; i++) {
        struct msqid64_ds d;
        const struct ipc64_perm *p = &d.msg_perm;
        int id = msg_stat(i, MSG_STAT_ANY, &d);
        if (id >= 0)
            seq_printf(s, "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n", p->key,
                       id, p->mode, (unsigned long)d.msg_cbytes, (unsigned long)d.msg_qnum,
                       (unsigned int)d.msg_lspid, (unsigned int)d.msg_lrpid, p->uid, p->gid, p->cuid, p->cgid,
                       (unsigned long)d.msg_stime, (unsigned long)d.msg_rtime, (unsigned long)d.msg_ctime);
        if (cond_resched_killable())
            break;
    }
    return 0;
}

// kernel.sem: four numbers, of which a write may store the first few.
static int show_sem_limits(struct seq_buf *s, void *arg) {
    const struct ipc_ns *ns = ipc_current();
    (void)arg;
    seq_printf(s, "%lu\t%lu\t%lu\t%lu\n", READ_ONCE(ns->sem_limits[0]), READ_ONCE(ns->sem_limits[1]),
               READ_ONCE(ns->sem_limits[2]), READ_ONCE(ns->sem_limits[3]));
    return 0;
}

static ssize_t store_sem_limits(const char *text, size_t n, void *arg) {
    static const unsigned long most[] = {INT32_MAX, INT32_MAX, SEM_AT_ONCE * 64, IPC_MOST};
    unsigned long values[4];
    int count = proc_parse_numbers(text, values, 4);
    (void)arg;
    for (int i = 0; i < count; i++)
        if (values[i] > most[i])
            return -EINVAL;
    for (int i = 0; i < count; i++)
        WRITE_ONCE(ipc_current()->sem_limits[i], values[i]);
    return count < 0 ? count : (ssize_t)n;
}

// ---- numbers of a namespace: the caller's

struct limit {
    size_t at; // in struct ipc_ns
    unsigned long low, high;
};

static struct proc_number number_of(const struct limit *l) {
    return (struct proc_number){(unsigned long *)((char *)ipc_current() + l->at), l->low, l->high};
}

static int show_limit(struct seq_buf *s, void *arg) {
    struct proc_number n = number_of(arg);
    return proc_show_number(s, &n);
}

static ssize_t store_limit(const char *text, size_t size, void *arg) {
    struct proc_number n = number_of(arg);
    return proc_store_number(text, size, &n);
}

#define LIMIT_(path_, member_, low_, high_)                                                                  \
    {                                                                                                        \
        .path = "sys/" path_, .mode = 0644, .show = show_limit, .store = store_limit,                        \
        .arg = &(struct limit) {                                                                             \
            offsetof(struct ipc_ns, member_), low_, high_                                                    \
        }                                                                                                    \
    }

static const struct proc_entry entries[] = {
    LIMIT_("fs/mqueue/queues_max", mqueue.queues, 0, INT32_MAX),
    LIMIT_("fs/mqueue/msg_max", mqueue.messages, 1, MQ_MESSAGES_MOST),
    LIMIT_("fs/mqueue/msgsize_max", mqueue.size, 128, MQ_SIZE_MOST),
    LIMIT_("fs/mqueue/msg_default", mqueue.default_messages, 1, MQ_MESSAGES_MOST),
    LIMIT_("fs/mqueue/msgsize_default", mqueue.default_size, 128, MQ_SIZE_MOST),
    {.path = "sysvipc/shm", .show = show_shm},
    {.path = "sysvipc/sem", .show = show_sem},
    {.path = "sysvipc/msg", .show = show_msg},
    {.path = "sys/kernel/sem", .mode = 0644, .show = show_sem_limits, .store = store_sem_limits},
    LIMIT_("kernel/shmmax", shm_max, 0, INT64_MAX),
    LIMIT_("kernel/shmall", shm_all, 0, INT64_MAX),
    LIMIT_("kernel/shmmni", shm_segments_max, 0, SHM_SEGMENTS),
    LIMIT_("kernel/msgmax", msg_longest, 0, INT32_MAX),
    LIMIT_("kernel/msgmnb", msg_queue_bytes, 0, INT32_MAX),
    LIMIT_("kernel/msgmni", msg_queues_max, 0, IPC_MOST),
};

void proc_ipc_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
