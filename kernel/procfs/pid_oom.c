// SPDX-License-Identifier: MIT
// /proc/PID/oom_score, oom_score_adj and the older oom_adj: whom out of memory would end, and how a process is preferred or spared.
#include "core/errno.h"
#include "lib/number.h"
#include "proc/oom.h"
#include "procfs/pid.h"
#include "sched/thread.h"
#include <linux/capability.h>

#define OLD_ADJ_NEVER 17 // oom_adj
#define OLD_ADJ_MAX   15

int pid_parse_signed(const char *s, int limit, int *out) {
    uint64_t value;
    int sign = *s == '-' ? -1 : 1;
    s += *s == '-';
    const char *end = number_read(s, 10, limit, &value);
    *out = sign * (int)value;
    return end == s || (*end && *end != '\n') ? -EINVAL : 0;
}

// Privilege sets how far it may be lowered without.
static int set_oom_score_adj(struct process *p, int value) {
    bool may = capable(CAP_SYS_RESOURCE);
    if (value < p->oom_score_adj_min && !may)
        return -EACCES;
    p->oom_score_adj = value;
    if (may)
        p->oom_score_adj_min = value;
    return 0;
}

ssize_t pid_store_oom_score_adj(struct pid_node *n, const char *text, size_t size) {
    int value, err = pid_parse_signed(text, OOM_ADJ_MAX, &value);
    if (!err)
        err = set_oom_score_adj(n->process, value);
    return err ? err : (ssize_t)size;
}

// The older scale of the same: -17 to 15.
ssize_t pid_store_oom_adj(struct pid_node *n, const char *text, size_t size) {
    int value, err = pid_parse_signed(text, OLD_ADJ_NEVER, &value);
    if (!err && value > OLD_ADJ_MAX)
        err = -EINVAL;
    if (!err)
        err = set_oom_score_adj(n->process,
                                value == OLD_ADJ_MAX ? OOM_ADJ_MAX : value * OOM_ADJ_MAX / OLD_ADJ_NEVER);
    return err ? err : (ssize_t)size;
}

int pid_show_oom_adj(struct seq_buf *s, struct pid_node *n) {
    int adj = READ_ONCE(n->process->oom_score_adj);
    seq_printf(s, "%d\n", adj == OOM_ADJ_MAX ? OLD_ADJ_MAX : adj * OLD_ADJ_NEVER / OOM_ADJ_MAX);
    return 0;
}

int pid_show_oom_score(struct seq_buf *s, struct pid_node *n) {
    seq_printf(s, "%ld\n", oom_score(n->process));
    return 0;
}
