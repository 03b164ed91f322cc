// SPDX-License-Identifier: MIT
// /proc/sysvipc: what System V IPC has.
#include "arch/riscv/layout.h"
#include "ipc/shm.h"
#include "procfs/private.h"

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

static const struct proc_entry entries[] = {
    {.path = "sysvipc/shm", .show = show_shm},
};

void proc_ipc_init(void) {
    proc_register_all(entries, ARRAY_SIZE(entries));
}
