// SPDX-License-Identifier: MIT
// timerfd_create(2): a timer that is a file.
#pragma once
#include "fs/file.h"
#include "sched/clock.h"

// `flags`: O_NONBLOCK or 0; `clock`: one of those that timerfd_create(2) takes. ERR_PTR(-ENOMEM, -ENFILE).
struct file *__must_check timerfd_create(int clock, int flags);
// Is f such a file? The other calls are for those only.
bool timerfd_is(const struct file *f);

// Sets it, and gives what was left before in *old. `absolute`: new->value is a time of its clock.
// `cancel_on_set`: reads fail with -ECANCELED when the realtime clock was set; absolute, realtime timers
// only. -ECANCELED: it was set so before, the clock was set since and nobody has read that; the new setting
// holds nevertheless.
int __must_check timerfd_set(struct file *f, const struct timer_value *new, bool absolute, bool cancel_on_set,
                             struct timer_value *old);
void timerfd_get(struct file *f, struct timer_value *value);
