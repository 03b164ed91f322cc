// SPDX-License-Identifier: MIT
// POSIX timers, interval timers and CPU-time clocks.
//
// Timers on real clocks are kernel timers: their callbacks send the signal from the interrupt. Timers on the
// processor time of a process or a thread (`struct cpu_timer`) are looked at by a thread of the process on its
// way to user mode, after the scheduler has sampled it, every 4 ms while it runs; they are never early, and late
// by that much.
//
// No interrupt arms a timer, so what programs make costs interrupts only as often as they act themselves. A
// periodic timer that fired rests (`fired`) until its signal is taken from the queue: then it is armed for
// the next time to come, and the times in between are the signal's overrun. While it rests, queries compute
// where it would be. One whose signal is ignored rests until the process catches the signal again; one that
// sends no signal (SIGEV_NONE) is never armed at all.
//
// `lock` of struct process_timers, a mutex, guards what calls and threads on their way change. Callbacks take
// the signal locks only.
#include "proc/posix_timer.h"
#include "core/errno.h"
#include "core/panic.h"
#include "mm/slab.h"
#include "proc/signal.h"
#include "proc/usage.h"
#include "sched/discipline.h"
#include "sched/wait.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/time.h>

// All [lock] or [I]. `fire` arms a periodic one again, or leaves it disarmed.
struct cpu_timer {
    struct list_head link; // in process_timers.armed, or alone
    ktime_t expires;       // of its clock
    ktime_t interval;
    bool user_only;        // time in user mode
    struct thread *thread; // of this thread, with a reference; NULL: of the process
    void (*fire)(struct cpu_timer *t, ktime_t now);
};

struct posix_timer {
    struct list_head link;       // [lock]
    int id;                      // [I]
    int clock;                   // [I]
    struct timer_event event;    // [I]
    struct user *user;           // [I] SIGEV_NONE: to whom it is charged, a reference
    struct process *process;     // [I]; it deletes its timers before it goes
    struct signal_entry *signal; // [I] what it sends; NULL: SIGEV_NONE
    struct thread *target;       // [I] SIGEV_THREAD_ID: whom, with a reference
    struct timer timer;
    struct cpu_timer cpu;
    ktime_t interval; // [lock] 0: once
    ktime_t expires;  // [lock] the last or next time, on its clock; 0: disarmed
    bool relative;    // [lock] the realtime clock's changes do not matter
    bool fired;       // [a] it expired and is not armed again
    int last_overrun; // [lock] what the last signal taken said
};

struct itimer_real {
    struct timer timer;
    struct process *process;
    ktime_t interval; // [lock]
};

struct process_timers {
    struct mutex lock;
    struct list_head posix; // [lock]
    int next_id;            // [lock]
    struct itimer_real real;
    struct list_head armed; // [lock] struct cpu_timer
    struct cpu_timer virtual, prof;
};

static struct slab_cache *timer_cache;
static struct mutex others_mutex = MUTEX_INIT(others_mutex); // who looks at another's timers, and their end

static void timer_fired(struct timer *t);
static void itimer_real_fired(struct timer *t);
static void cpu_timer_fired(struct cpu_timer *t, ktime_t now);
static void itimer_virtual_fired(struct cpu_timer *t, ktime_t now);
static void itimer_prof_fired(struct cpu_timer *t, ktime_t now);

// The current process's timers, made at the first use. NULL: no memory.
static struct process_timers *get_timers(void) {
    struct process *p = current->process;
    struct process_timers *timers = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE), *other = NULL;
    if (timers)
        return timers;
    timers = kzalloc(sizeof(*timers));
    if (!timers)
        return NULL;
    mutex_init(&timers->lock);
    list_init(&timers->posix);
    list_init(&timers->armed);
    timer_init(&timers->real.timer, itimer_real_fired);
    timers->real.process = p;
    timers->virtual = (struct cpu_timer){.user_only = true, .fire = itimer_virtual_fired};
    timers->prof = (struct cpu_timer){.fire = itimer_prof_fired};
    list_init(&timers->virtual.link);
    list_init(&timers->prof.link);
    if (__atomic_compare_exchange_n(&p->timers, &other, timers, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return timers;
    kfree(timers); // another thread was faster
    return other;
}

// A timer with this interval expired at *expires, which is moved on to the first time after `now`. How many times
// it passed over.
static uint64_t advance(ktime_t *expires, ktime_t interval, ktime_t now) {
    ktime_t behind = now - *expires;
    uint64_t more = behind > 0 ? (uint64_t)behind / interval : 0;
    if (__builtin_add_overflow(*expires, (more + 1) * interval, expires))
        *expires = KTIME_NEVER;
    return more;
}

// ---- CPU time

// A clockid of a process or thread: ~id << 3 | per thread << 2 | kind, where kind is one of these.
enum cpu_clock_kind { CPU_CLOCK_PROF, CPU_CLOCK_VIRT, CPU_CLOCK_SCHED };

static int cpu_clock_kind(int clock) {
    return clock < 0 ? clock & 3 : CPU_CLOCK_SCHED;
}

static bool is_thread_clock(int clock) {
    return clock < 0 ? clock & 4 : clock == CLOCK_THREAD_CPUTIME_ID;
}

static pid_t cpu_clock_id(int clock) {
    return clock < 0 ? ~(clock >> 3) : 0;
}

bool cpu_clock_is_own_thread(int clock) {
    pid_t id = cpu_clock_id(clock);
    return is_thread_clock(clock) && (!id || id == current->own_tid);
}

int cpu_clock_get(int clock, ktime_t *now) {
    pid_t id = cpu_clock_id(clock);
    ktime_t user = 0, system = 0;
    if (cpu_clock_kind(clock) > CPU_CLOCK_SCHED)
        return -EINVAL;
    if (is_thread_clock(clock)) {
        struct thread *t = id ? thread_find(id) : current;
        bool mine = t && t->process == current->process;
        if (mine)
            thread_add_times(t, &user, &system);
        if (id && t)
            thread_put(t);
        if (!mine)
            return -EINVAL;
    } else {
        struct process *p = id ? process_find(id) : current->process;
        if (!p)
            return -EINVAL;
        process_cpu_time(p, &user, &system);
        if (id)
            process_put(p);
    }
    *now = cpu_clock_kind(clock) == CPU_CLOCK_VIRT ? user : user + system;
    return 0;
}

static ktime_t cpu_timer_now(const struct cpu_timer *t, ktime_t user, ktime_t system) {
    if (t->thread) {
        user = system = 0;
        thread_add_times(t->thread, &user, &system);
    }
    return t->user_only ? user : user + system;
}

// The soft limit sends SIGXCPU and moves on by a second, the hard one kills (setrlimit(2)).
static void check_cpu_limit(struct process *p, ktime_t used) {
    struct rlimit64 *limit = &p->limits[RLIMIT_CPU];
    uint64_t seconds = used / NSEC_PER_SEC;
    if (seconds >= limit->rlim_max) {
        signal_send_process(p, SIGKILL);
    } else if (seconds >= limit->rlim_cur) {
        signal_send_process(p, SIGXCPU);
        limit->rlim_cur++;
    }
}

static bool has_cpu_limit(const struct process *p) {
    return p->limits[RLIMIT_CPU].rlim_cur != RLIM64_INFINITY;
}

// The scheduler's sample of the current thread, in an interrupt: true while its process has CPU-time timers
// armed. The thread itself looks at them.
static bool sample(bool user_mode) {
    struct process *p = current->process;
    (void)user_mode;
    if (!p || current->exiting) // the last thread to exit frees the timers
        return false;
    struct process_timers *timers = READ_ONCE(p->timers);
    bool armed = timers && !list_empty(&timers->armed);
    if (armed || has_cpu_limit(p))
        __atomic_fetch_or(&current->arch.work, WORK_CPU_TIMERS, __ATOMIC_RELAXED);
    return armed;
}

static void fire_cpu_timers(struct process_timers *timers, ktime_t user, ktime_t system) {
    struct cpu_timer *t, *next;
    mutex_lock(&timers->lock);
    list_for_each_entry_safe (t, next, &timers->armed, link) {
        if (t->thread && t->thread != current)
            continue;
        ktime_t now = cpu_timer_now(t, user, system);
        if (now >= t->expires) {
            list_del(&t->link);
            t->fire(t, now);
        }
    }
    mutex_unlock(&timers->lock);
}

void cpu_timers_run(void) {
    struct process *p = current->process;
    ktime_t user, system;
    __atomic_fetch_and(&current->arch.work, ~WORK_CPU_TIMERS, __ATOMIC_RELAXED);
    process_cpu_time(p, &user, &system);
    if (has_cpu_limit(p))
        check_cpu_limit(p, user + system);
    if (p->timers && !list_empty(&p->timers->armed))
        fire_cpu_timers(p->timers, user, system);
}

// What is left of t at `now`; a timer that is late is about to fire.
static void cpu_timer_get(struct cpu_timer *t, ktime_t now, struct timer_value *value) {
    value->interval = t->interval;
    value->value = list_empty(&t->link) ? 0 : MAX(t->expires - now, 1);
}

// expires 0: disarms.
static void cpu_timer_set(struct process_timers *timers, struct cpu_timer *t, ktime_t expires,
                          ktime_t interval) {
    ASSERT_HELD(&timers->lock);
    list_del(&t->link);
    t->expires = expires;
    t->interval = interval;
    if (!expires)
        return;
    list_add_tail(&t->link, &timers->armed);
    sched_sample_now();
}

// ---- interval timers

static void itimer_real_fired(struct timer *t) {
    signal_send_process(container_of(t, struct itimer_real, timer)->process, SIGALRM);
}

// As in Linux, a timer whose SIGALRM is ignored has fired for the last time.
void itimer_real_dequeued(void) {
    struct process_timers *timers = current->process->timers;
    if (!timers || !timers->real.interval)
        return;
    mutex_lock(&timers->lock);
    struct itimer_real *it = &timers->real;
    if (it->interval && !timer_is_armed(&it->timer)) {
        timer_cancel(&it->timer); // the callback may still be about to end
        ktime_t expires = it->timer.expires;
        (void)advance(&expires, it->interval, clock_monotonic());
        timer_arm(&it->timer, expires);
    }
    mutex_unlock(&timers->lock);
}

static void itimer_cpu_fired(struct cpu_timer *t, ktime_t now, int sig) {
    struct process_timers *timers = current->process->timers;
    if (t->interval) {
        (void)advance(&t->expires, t->interval, now);
        cpu_timer_set(timers, t, t->expires, t->interval);
    }
    signal_send_process(current->process, sig);
}

static void itimer_virtual_fired(struct cpu_timer *t, ktime_t now) {
    itimer_cpu_fired(t, now, SIGVTALRM);
}

static void itimer_prof_fired(struct cpu_timer *t, ktime_t now) {
    itimer_cpu_fired(t, now, SIGPROF);
}

static ktime_t itimer_cpu_now(const struct cpu_timer *t) {
    ktime_t user, system;
    process_cpu_time(current->process, &user, &system);
    return t->user_only ? user : user + system;
}

static void real_get(struct itimer_real *it, struct timer_value *value) {
    value->interval = it->interval;
    value->value = timer_is_armed(&it->timer) ? MAX(it->timer.expires - clock_monotonic(), 1) : 0;
}

static void real_set(struct itimer_real *it, const struct timer_value *new) {
    timer_cancel(&it->timer);
    it->interval = new->value ? new->interval : 0;
    ktime_t expires;
    if (new->value && !__builtin_add_overflow(clock_monotonic(), new->value, &expires))
        timer_arm(&it->timer, expires);
}

int itimer_set(int which, const struct timer_value *new, struct timer_value *old) {
    *old = (struct timer_value){0, 0};
    if (!new->value && !current->process->timers)
        return 0;
    struct process_timers *timers = get_timers();
    if (!timers)
        return -ENOMEM;
    mutex_lock(&timers->lock);
    if (which == ITIMER_REAL) {
        real_get(&timers->real, old);
        real_set(&timers->real, new);
    } else {
        struct cpu_timer *t = which == ITIMER_VIRTUAL ? &timers->virtual : &timers->prof;
        ktime_t now = itimer_cpu_now(t), expires;
        cpu_timer_get(t, now, old);
        if (!new->value || __builtin_add_overflow(now, new->value, &expires))
            expires = 0;
        cpu_timer_set(timers, t, expires, new->interval);
    }
    mutex_unlock(&timers->lock);
    return 0;
}

void itimer_get(int which, struct timer_value *value) {
    struct process_timers *timers = current->process->timers;
    *value = (struct timer_value){0, 0};
    if (!timers)
        return;
    mutex_lock(&timers->lock);
    if (which == ITIMER_REAL) {
        real_get(&timers->real, value);
    } else {
        struct cpu_timer *t = which == ITIMER_VIRTUAL ? &timers->virtual : &timers->prof;
        cpu_timer_get(t, itimer_cpu_now(t), value);
    }
    mutex_unlock(&timers->lock);
}

// ---- POSIX timers

static bool is_realtime(const struct posix_timer *t) {
    return (t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI) && !t->relative;
}

static bool is_cpu(const struct posix_timer *t) {
    return t->cpu.fire;
}

// A timer that is ignored, or whose thread has gone, rests.
static void expired(struct posix_timer *t) {
    __atomic_store_n(&t->fired, true, __ATOMIC_RELEASE);
    (void)signal_entry_send(t->process, t->target, t->signal);
}

static void timer_fired(struct timer *timer) {
    expired(container_of(timer, struct posix_timer, timer));
}

static void cpu_timer_fired(struct cpu_timer *cpu, ktime_t now) {
    (void)now;
    expired(container_of(cpu, struct posix_timer, cpu));
}

static struct posix_timer *find(struct process_timers *timers, int id) {
    struct posix_timer *t;
    list_for_each_entry (t, &timers->posix, link) {
        if (t->id == id)
            return t;
    }
    return NULL;
}

// The current process's timers locked, and the timer of an id in *t. NULL, nothing locked: no such timer.
static struct process_timers *lock_timer(int id, struct posix_timer **t) {
    struct process_timers *timers = current->process->timers;
    if (!timers)
        return NULL;
    mutex_lock(&timers->lock);
    *t = find(timers, id);
    if (!*t) {
        mutex_unlock(&timers->lock);
        return NULL;
    }
    return timers;
}

// Of realtime.
static ktime_t ahead(const struct posix_timer *t) {
    return t->clock == CLOCK_TAI ? discipline_tai() * NSEC_PER_SEC : 0;
}

static ktime_t timer_now(const struct posix_timer *t) {
    ktime_t user = 0, system = 0;
    if (!is_cpu(t))
        return is_realtime(t) ? clock_realtime() + ahead(t) : clock_monotonic();
    if (!t->cpu.thread)
        process_cpu_time(t->process, &user, &system);
    return cpu_timer_now(&t->cpu, user, system);
}

// Nothing fires while this runs; the callback may still be about to end.
static void disarm(struct process_timers *timers, struct posix_timer *t) {
    if (is_cpu(t))
        cpu_timer_set(timers, &t->cpu, 0, 0);
    else
        timer_cancel(&t->timer);
}

static void arm(struct process_timers *timers, struct posix_timer *t) {
    __atomic_store_n(&t->fired, false, __ATOMIC_RELAXED);
    if (!t->signal)
        return;
    if (is_cpu(t))
        cpu_timer_set(timers, &t->cpu, t->expires, t->interval);
    else if (is_realtime(t))
        timer_arm_realtime(&t->timer, t->expires - ahead(t));
    else
        timer_arm(&t->timer, t->expires);
}

// A periodic timer that rests goes on. How many times it has passed over meanwhile.
static uint64_t resume(struct process_timers *timers, struct posix_timer *t) {
    if (!__atomic_load_n(&t->fired, __ATOMIC_ACQUIRE) || !t->interval)
        return 0;
    disarm(timers, t);
    uint64_t passed = advance(&t->expires, t->interval, timer_now(t));
    arm(timers, t);
    return passed;
}

int posix_timer_dequeued(int id, int overrun) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return overrun;
    uint64_t passed = resume(timers, t) + (unsigned int)overrun;
    t->last_overrun = MIN(passed, (uint64_t)INT32_MAX); // DELAYTIMER_MAX
    mutex_unlock(&timers->lock);
    return t->last_overrun;
}

void posix_timers_resume(int sig) {
    struct process_timers *timers = current->process->timers;
    struct posix_timer *t;
    mutex_lock(&timers->lock);
    list_for_each_entry (t, &timers->posix, link) {
        if (t->signal && t->event.sig == sig && !signal_entry_pending(t->process, t->signal))
            (void)resume(timers, t);
    }
    mutex_unlock(&timers->lock);
}

static bool is_valid_event(const struct timer_event *event) {
    if (event->notify == SIGEV_NONE)
        return true;
    if (event->sig < 1 || event->sig > SIGNAL_COUNT)
        return false;
    if (event->notify == SIGEV_SIGNAL)
        return true;
    if (event->notify != SIGEV_THREAD_ID && event->notify != (SIGEV_SIGNAL | SIGEV_THREAD_ID))
        return false;
    struct thread *t = thread_find(event->tid);
    bool mine = t && t->process == current->process;
    if (t)
        thread_put(t);
    return mine;
}

// Sets up what drives the timer. -EINVAL: no such clock; -EOPNOTSUPP: not for timers.
static int choose_clock(struct posix_timer *t, int clock) {
    ktime_t now;
    t->clock = clock;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
        return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return -EOPNOTSUPP;
    }
    int err = clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID
                  ? cpu_clock_get(clock, &now)
                  : -EINVAL;
    if (err)
        return err;
    pid_t id = cpu_clock_id(clock);
    bool thread = is_thread_clock(clock);
    if (thread ? id && id != current->own_tid : id && id != current->own_pid)
        return -EOPNOTSUPP; // of others
    t->cpu.fire = cpu_timer_fired;
    t->cpu.user_only = cpu_clock_kind(clock) == CPU_CLOCK_VIRT;
    if (thread) {
        thread_get(current);
        t->cpu.thread = current;
    }
    return 0;
}

// A timer that sends nothing counts as one signal all the same.
static int charge_silent(struct posix_timer *t) {
    struct user *user = current->real_cred->user;
    if ((uint64_t)user_charge(user, USER_SIGNALS, 1) > current_rlimit(RLIMIT_SIGPENDING)) {
        user_uncharge(user, USER_SIGNALS, 1);
        return -EAGAIN;
    }
    t->user = user_get(user);
    return 0;
}

// What the timer sends, and to whom. The thread is one of the process, as is_valid_event() saw. -EAGAIN.
static int choose_signal(struct posix_timer *t) {
    siginfo_t info;
    signal_info_clear(&info);
    if (t->event.notify == SIGEV_NONE)
        return charge_silent(t);
    info.si_signo = t->event.sig;
    info.si_code = SI_TIMER;
    info.si_tid = t->id;
    info.si_ptr = (void *)t->event.value;
    t->signal = signal_entry_create(t->process, &info);
    if (!t->signal)
        return -EAGAIN;
    if (t->event.notify & SIGEV_THREAD_ID)
        t->target = thread_find(t->event.tid);
    return 0;
}

// Of a timer that is not armed.
static void free_timer(struct posix_timer *t) {
    if (t->signal)
        signal_entry_release(t->process, t->signal);
    if (t->user) {
        user_uncharge(t->user, USER_SIGNALS, 1);
        user_put(t->user);
    }
    if (t->target)
        thread_put(t->target);
    if (t->cpu.thread)
        thread_put(t->cpu.thread);
    slab_free(timer_cache, t);
}

static int choose_id(struct process_timers *timers) {
    int id;
    do {
        id = timers->next_id++ & INT32_MAX;
    } while (find(timers, id));
    return id;
}

int posix_timer_create(int clock, const struct timer_event *event) {
    if (!is_valid_event(event))
        return -EINVAL;
    struct process_timers *timers = get_timers();
    struct posix_timer *t = timers ? slab_zalloc(timer_cache) : NULL;
    if (!t)
        return -EAGAIN;
    t->event = *event;
    t->process = current->process;
    list_init(&t->cpu.link);
    timer_init(&t->timer, timer_fired);
    mutex_lock(&timers->lock);
    t->id = choose_id(timers);
    if (event->default_value)
        t->event.value = t->id;
    int err = choose_clock(t, clock);
    if (!err)
        err = choose_signal(t);
    int id = err ? err : t->id; // nobody else deletes it before `lock` is released
    if (err)
        free_timer(t);
    else
        list_add_tail(&t->link, &timers->posix);
    mutex_unlock(&timers->lock);
    return id;
}

// With timers->lock held.
static void get_value(struct posix_timer *t, struct timer_value *value) {
    ASSERT_HELD(&t->process->timers->lock);
    *value = (struct timer_value){0, t->interval};
    if (!t->expires)
        return;
    ktime_t left = t->expires - timer_now(t);
    bool rests = !t->signal || __atomic_load_n(&t->fired, __ATOMIC_ACQUIRE);
    if (left > 0)
        value->value = left;
    else if (!rests)
        value->value = 1; // about to fire
    else if (t->interval)
        value->value = t->interval - (uint64_t)-left % t->interval;
}

int posix_timer_set(int id, bool absolute, const struct timer_value *new, struct timer_value *old) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    get_value(t, old);
    disarm(timers, t);
    t->interval = new->value ? new->interval : 0;
    t->last_overrun = 0;
    t->relative = !absolute;
    t->fired = false;
    t->expires = new->value;
    if (new->value && !absolute && __builtin_add_overflow(timer_now(t), new->value, &t->expires))
        t->expires = KTIME_NEVER;
    if (new->value)
        arm(timers, t);
    mutex_unlock(&timers->lock);
    return 0;
}

int posix_timer_get(int id, struct timer_value *value) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    get_value(t, value);
    mutex_unlock(&timers->lock);
    return 0;
}

int posix_timer_overrun(int id) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    int overrun = t->last_overrun;
    mutex_unlock(&timers->lock);
    return overrun;
}

static void destroy(struct process_timers *timers, struct posix_timer *t) {
    disarm(timers, t);
    list_del(&t->link);
    free_timer(t);
}

int posix_timer_delete(int id) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    destroy(timers, t);
    mutex_unlock(&timers->lock);
    return 0;
}

void posix_timers_exec(struct process *p) {
    struct process_timers *timers = p->timers;
    struct posix_timer *t, *next;
    if (!timers)
        return;
    mutex_lock(&timers->lock);
    list_for_each_entry_safe (t, next, &timers->posix, link)
        destroy(timers, t);
    mutex_unlock(&timers->lock);
}

// All threads are exiting, so none is sampled any more.
void posix_timers_exit(struct process *p) {
    struct process_timers *timers = p->timers;
    if (!timers)
        return;
    posix_timers_exec(p);
    timer_cancel(&timers->real.timer);
    mutex_lock(&others_mutex);
    p->timers = NULL;
    mutex_unlock(&others_mutex);
    kfree(timers);
}

void posix_timers_for_each(struct process *p, void (*fn)(const struct posix_timer_info *i, void *arg),
                           void *arg) {
    mutex_lock(&others_mutex);
    struct process_timers *timers = __atomic_load_n(&p->timers, __ATOMIC_ACQUIRE);
    struct posix_timer *t;
    if (timers) {
        mutex_lock(&timers->lock);
        list_for_each_entry (t, &timers->posix, link) {
            fn(&(struct posix_timer_info){t->id, t->clock, t->event, t->target}, arg);
            if (cond_resched_killable())
                break;
        }
        mutex_unlock(&timers->lock);
    }
    mutex_unlock(&others_mutex);
}

void posix_timer_init(void) {
    timer_cache = slab_create("posix_timer", sizeof(struct posix_timer), 0);
    if (!timer_cache)
        panic("posix_timer: no memory");
    sched_set_sample_hook(sample);
}
