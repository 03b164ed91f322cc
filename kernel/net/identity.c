// SPDX-License-Identifier: MIT
#include "net/identity.h"
#include "mm/slab.h"
#include "sched/thread.h"

const struct net_process_ops *net_process_ops;

struct identity *identity_of_current(void) {
    struct identity *i = kmalloc(sizeof(*i));
    if (!i)
        return NULL;
    ref_init(&i->refs);
    i->cred = cred_get(current->cred ? current->cred : &kernel_cred);
    i->process = net_process_ops->get_current();
    return i;
}

void identity_put(struct identity *i) {
    if (!ref_put(&i->refs))
        return;
    cred_put(i->cred);
    if (i->process)
        net_process_ops->put(i->process);
    kfree(i);
}
