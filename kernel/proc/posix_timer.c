// SPDX-License-Identifier: MIT
// POSIX timers, interval timers and CPU-time clocks.
//
// Timers on real clocks are kernel timers: their callbacks send the signal from the interrupt. Timers on the
// processor time of a process or a thread (`struct cpu_timer`) are looked at when the scheduler samples a
// thread of the process, every 4 ms while it runs; they are never early, and late by that much.
//
// A POSIX timer has at most one signal queued. While `queued` is set, expiries only count as overruns; taking
// the signal from the queue resets it (posix_timer_dequeued()).
//
// Locks: `lock` of struct process_timers (a mutex) for what calls change; `cpu_lock`, taken with interrupts
// disabled, for the list of armed CPU-time timers, which the sample walks. Order: lock, cpu_lock, signal
// locks.
#include "proc/posix_timer.h"
#include "core/errno.h"
#include "core/panic.h"
#include "mm/slab.h"
#include "proc/signal.h"
#include "sched/wait.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/time.h>

#define PERIOD_MIN_NS 50000 // between two interrupts of one timer: more often it only counts overruns

struct cpu_timer {
    struct list_head link; // [cpu_lock] in process_timers.armed, or alone
    ktime_t expires;       // [cpu_lock] of its clock
    ktime_t interval;      // [cpu_lock]
    bool user_only;        // time in user mode
    struct thread *thread; // of this thread, with a reference; NULL: of the process
    void (*fire)(struct cpu_timer *t, uint64_t times);
};

struct posix_timer {
    struct list_head link;    // [lock]
    int id;                   // [I]
    int clock;                // [I]
    struct timer_event event; // [I]
    struct process *process;  // [I]; it deletes its timers before it goes
    struct timer timer;
    struct cpu_timer cpu;
    ktime_t interval;     // [lock]; the callback reads it
    ktime_t expires;      // of its clock; the callback moves it on
    unsigned int queued;  // [a] 1: a signal of it is pending
    unsigned int overrun; // [a] expiries since the signal was queued
    int last_overrun;     // [a] what the last signal taken said
};

struct itimer_real {
    struct timer timer;
    struct process *process;
    ktime_t interval;
};

struct process_timers {
    struct mutex lock;
    struct list_head posix; // [lock]
    int next_id;            // [lock]
    struct itimer_real real;
    struct spinlock cpu_lock;
    struct list_head armed; // [cpu_lock] struct cpu_timer
    struct cpu_timer virtual, prof;
};

static struct slab_cache *timer_cache;

static void timer_fired(struct timer *t);
static void itimer_real_fired(struct timer *t);
static void cpu_timer_fired(struct cpu_timer *t, uint64_t times);
static void itimer_virtual_fired(struct cpu_timer *t, uint64_t times);
static void itimer_prof_fired(struct cpu_timer *t, uint64_t times);

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
    spin_init(&timers->cpu_lock);
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

// How often a timer with this interval has expired until now or PERIOD_MIN_NS later, given that it did at
// *expires, which is moved on to the next time after that.
static uint64_t advance(ktime_t *expires, ktime_t interval, ktime_t now) {
    ktime_t behind = now + PERIOD_MIN_NS - *expires;
    uint64_t times = behind > interval ? ((uint64_t)behind + interval - 1) / interval : 1;
    if (__builtin_add_overflow(*expires, times * interval, expires))
        *expires = KTIME_NEVER;
    return times;
}

// ---- CPU time

static void thread_times(struct thread *t, ktime_t *user, ktime_t *system) {
    ktime_t u, s;
    thread_cpu_time(t, &u, &s);
    *user += u;
    *system += s;
}

static void sum_threads(struct process *p, ktime_t *user, ktime_t *system) {
    struct thread *t;
    *user = p->dead_user;
    *system = p->dead_system;
    list_for_each_entry (t, &p->threads, process_link)
        thread_times(t, user, system);
}

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

int cpu_clock_get(int clock, ktime_t *now) {
    pid_t id = cpu_clock_id(clock);
    ktime_t user = 0, system = 0;
    if (cpu_clock_kind(clock) > CPU_CLOCK_SCHED)
        return -EINVAL;
    if (is_thread_clock(clock)) {
        struct thread *t = id ? thread_find(id) : current;
        bool mine = t && t->process == current->process;
        if (mine)
            thread_times(t, &user, &system);
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
        thread_times(t->thread, &user, &system);
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

// The scheduler's sample of the current thread: true while its process has CPU-time timers armed. If the
// process's lock is taken, perhaps by the very code that the timer interrupted, the next sample will do.
static bool sample(bool user_mode) {
    struct process *p = current->process;
    ktime_t user, system;
    (void)user_mode;
    if (!p || current->exiting) // the last thread to exit frees the timers
        return false;
    struct process_timers *timers = READ_ONCE(p->timers);
    bool armed = timers && !list_empty(&timers->armed);
    if (!armed && p->limits[RLIMIT_CPU].rlim_cur == RLIM64_INFINITY)
        return false;
    if (!spin_trylock(&process_lock))
        return armed;
    sum_threads(p, &user, &system);
    spin_unlock(&process_lock);
    check_cpu_limit(p, user + system);
    if (!armed || !spin_trylock(&timers->cpu_lock))
        return armed;
    struct cpu_timer *t, *next;
    list_for_each_entry_safe (t, next, &timers->armed, link) {
        ktime_t now = t->thread && t->thread != current ? 0 : cpu_timer_now(t, user, system);
        uint64_t times = 1;
        if (now < t->expires)
            continue;
        if (t->interval)
            times = advance(&t->expires, t->interval, now);
        else
            list_del(&t->link);
        t->fire(t, times);
    }
    spin_unlock(&timers->cpu_lock);
    return true;
}

// What is left of t at `now`; a timer that is late is about to fire.
static void cpu_timer_get(struct process_timers *timers, struct cpu_timer *t, ktime_t now,
                          struct timer_value *value) {
    unsigned long flags = spin_lock_irqsave(&timers->cpu_lock);
    value->interval = t->interval;
    value->value = list_empty(&t->link) ? 0 : MAX(t->expires - now, 1);
    spin_unlock_irqrestore(&timers->cpu_lock, flags);
}

// expires 0: disarms.
static void cpu_timer_set(struct process_timers *timers, struct cpu_timer *t, ktime_t expires,
                          ktime_t interval) {
    unsigned long flags = spin_lock_irqsave(&timers->cpu_lock);
    list_del(&t->link);
    t->expires = expires;
    t->interval = interval;
    if (expires)
        list_add_tail(&t->link, &timers->armed);
    spin_unlock_irqrestore(&timers->cpu_lock, flags);
    sched_sample_now();
}

// ---- interval timers

static void itimer_real_fired(struct timer *t) {
    struct itimer_real *it = container_of(t, struct itimer_real, timer);
    ktime_t interval = READ_ONCE(it->interval), expires = t->expires;
    signal_send_process(it->process, SIGALRM);
    if (interval) {
        (void)advance(&expires, interval, clock_monotonic());
        timer_arm(t, expires);
    }
}

// Both run in a sample, for the current process.
static void itimer_virtual_fired(struct cpu_timer *t, uint64_t times) {
    (void)t, (void)times;
    signal_send_process(current->process, SIGVTALRM);
}

static void itimer_prof_fired(struct cpu_timer *t, uint64_t times) {
    (void)t, (void)times;
    signal_send_process(current->process, SIGPROF);
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
    it->interval = new->interval;
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
        cpu_timer_get(timers, t, now, old);
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
        cpu_timer_get(timers, t, itimer_cpu_now(t), value);
    }
    mutex_unlock(&timers->lock);
}

// ---- POSIX timers

static bool is_realtime(const struct posix_timer *t) {
    return t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI;
}

static bool is_cpu(const struct posix_timer *t) {
    return t->cpu.fire;
}

// The timer expired `times` times.
static void notify(struct posix_timer *t, uint64_t times) {
    if (t->event.notify == SIGEV_NONE)
        return;
    if (__atomic_exchange_n(&t->queued, 1, __ATOMIC_ACQ_REL)) {
        __atomic_fetch_add(&t->overrun, times, __ATOMIC_RELAXED);
        return;
    }
    __atomic_store_n(&t->overrun, times - 1, __ATOMIC_RELAXED);
    siginfo_t info = {0};
    info.si_signo = t->event.sig;
    info.si_code = SI_TIMER;
    info.si_tid = t->id;
    info.si_ptr = (void *)t->event.value;
    int err = t->event.notify == SIGEV_THREAD_ID ? signal_send_tid_info(t->process, t->event.tid, &info)
                                                 : signal_send_process_info(t->process, &info);
    if (err)
        __atomic_store_n(&t->queued, 0, __ATOMIC_RELEASE); // ignored, or the thread has gone
}

static void timer_fired(struct timer *timer) {
    struct posix_timer *t = container_of(timer, struct posix_timer, timer);
    ktime_t interval = READ_ONCE(t->interval);
    uint64_t times = 1;
    if (interval) {
        bool realtime = is_realtime(t);
        times = advance(&t->expires, interval, realtime ? clock_realtime() : clock_monotonic());
        if (realtime)
            timer_arm_realtime(timer, t->expires);
        else
            timer_arm(timer, t->expires);
    }
    notify(t, times);
}

static void cpu_timer_fired(struct cpu_timer *cpu, uint64_t times) {
    notify(container_of(cpu, struct posix_timer, cpu), times);
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

int posix_timer_dequeued(int id) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return 0;
    unsigned int overrun = __atomic_exchange_n(&t->overrun, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&t->queued, 0, __ATOMIC_RELEASE);
    t->last_overrun = MIN(overrun, (unsigned int)INT32_MAX);
    mutex_unlock(&timers->lock);
    return t->last_overrun;
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
    if (thread ? id && id != current->tid : id && id != current->process->pid)
        return -EOPNOTSUPP; // of others
    t->cpu.fire = cpu_timer_fired;
    t->cpu.user_only = cpu_clock_kind(clock) == CPU_CLOCK_VIRT;
    if (thread) {
        thread_get(current);
        t->cpu.thread = current;
    }
    return 0;
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
    int err = choose_clock(t, clock);
    if (err) {
        slab_free(timer_cache, t);
        return err;
    }
    mutex_lock(&timers->lock);
    do {
        t->id = timers->next_id++ & INT32_MAX;
    } while (find(timers, t->id));
    if (event->default_value)
        t->event.value = t->id;
    list_add_tail(&t->link, &timers->posix);
    mutex_unlock(&timers->lock);
    return t->id;
}

static ktime_t timer_now(const struct posix_timer *t) {
    ktime_t user = 0, system = 0;
    if (!is_cpu(t))
        return is_realtime(t) ? clock_realtime() : clock_monotonic();
    if (!t->cpu.thread)
        process_cpu_time(t->process, &user, &system);
    return cpu_timer_now(&t->cpu, user, system);
}

// With timers->lock held.
static void get_value(struct process_timers *timers, struct posix_timer *t, struct timer_value *value) {
    ktime_t now = timer_now(t);
    if (is_cpu(t)) {
        cpu_timer_get(timers, &t->cpu, now, value);
        return;
    }
    value->interval = t->interval;
    value->value = timer_is_armed(&t->timer) ? MAX(t->expires - now, 1) : 0;
}

static void disarm(struct process_timers *timers, struct posix_timer *t) {
    if (is_cpu(t))
        cpu_timer_set(timers, &t->cpu, 0, 0);
    else
        timer_cancel(&t->timer);
}

int posix_timer_set(int id, bool absolute, const struct timer_value *new, struct timer_value *old) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    get_value(timers, t, old);
    disarm(timers, t);
    t->interval = new->interval;
    t->overrun = 0;
    t->queued = 0; // also after a signal that was thrown away
    ktime_t expires = new->value;
    if (expires && !absolute && __builtin_add_overflow(timer_now(t), new->value, &expires))
        expires = KTIME_NEVER;
    t->expires = expires;
    if (is_cpu(t))
        cpu_timer_set(timers, &t->cpu, expires, new->interval);
    else if (expires && is_realtime(t))
        timer_arm_realtime(&t->timer, expires);
    else if (expires)
        timer_arm(&t->timer, expires);
    mutex_unlock(&timers->lock);
    return 0;
}

int posix_timer_get(int id, struct timer_value *value) {
    struct posix_timer *t;
    struct process_timers *timers = lock_timer(id, &t);
    if (!timers)
        return -EINVAL;
    get_value(timers, t, value);
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
    if (t->cpu.thread)
        thread_put(t->cpu.thread);
    list_del(&t->link);
    slab_free(timer_cache, t);
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
    p->timers = NULL;
    kfree(timers);
}

void posix_timer_init(void) {
    timer_cache = slab_create("posix_timer", sizeof(struct posix_timer), 0);
    if (!timer_cache)
        panic("posix_timer: no memory");
    sched_set_sample_hook(sample);
}
