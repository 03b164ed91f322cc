// SPDX-License-Identifier: MIT
// Keeping the realtime clock right: see discipline.h.
#include "sched/discipline.h"
#include "sched/clock.h"
#include <linux/timex.h>

#define USEC_PER_TICK  10000      // of programs' ticks, 100 a second
#define MAX_FREQUENCY  500000l    // ns a second
#define MAX_SLEW       500000l    // ns a second: adjtime(3)
#define MAX_PHASE      500000000l // ns
#define MAX_ERROR      16000000l  // us
#define MAX_CONSTANT   10         // of the loop
#define MAX_TAI        100000     // s
#define ERROR_GROWTH   500        // us a second
#define LOOP_SHIFT     2          // the loop takes 1 / 2^(LOOP_SHIFT + constant) of the offset each second
#define FREQUENCY_LOCK 2          // the same of the frequency-locked loop
#define LOCK_MIN       256        // s between two updates, for that loop if asked for,
#define LOCK_ALWAYS    2048       // and in any case
#define PHASE_BITS     16         // of fraction of `offset`
#define FRACTION       32         // of `frequency`
#define PPM_SHIFT      16         // of programs' frequencies

static struct spinlock discipline_lock = SPINLOCK_INIT; // taken with interrupts disabled
// All [discipline_lock].
static int status = STA_UNSYNC;
static int64_t frequency;              // ns a second, FRACTION bits
static int64_t offset;                 // ns that the loop has still to take away, PHASE_BITS bits
static int64_t slew;                   // us that adjtime(3) has
static int64_t offset_part, slew_part; // of both, what goes in this second
static int64_t constant = 2;           // of the loop
static int64_t tick = USEC_PER_TICK;
static int64_t max_error = MAX_ERROR, estimated_error = MAX_ERROR; // us; the first at error_time
static ktime_t error_time;                                         // monotonic
static ktime_t reference; // realtime in s when the offset was set last
static int tai;           // [a] to read
static int64_t rate;      // that was set last
static bool timer_ready;
static struct timer second;

int discipline_tai(void) {
    return READ_ONCE(tai);
}

static int64_t clamped(int64_t n, int64_t min, int64_t max) {
    return n < min ? min : n > max ? max : n;
}

// n with so many bits of fraction; it may be negative.
static int64_t scaled(int64_t n, int bits) {
    return n * ((int64_t)1 << bits);
}

// ---- each second

static void set_rate_locked(int64_t more /* ns in the next second, PHASE_BITS bits */) {
    ASSERT_HELD(&discipline_lock);
    int64_t ticks = (tick - USEC_PER_TICK) * (NSEC_PER_SEC / USEC_PER_TICK);
    int64_t now = frequency + scaled(ticks, FRACTION) + scaled(more, FRACTION - PHASE_BITS);
    if (now != rate)
        clock_set_realtime_rate(now);
    rate = now;
}

// Takes what the next second is to take away from what is left.
static void begin_second_locked(void) {
    ASSERT_HELD(&discipline_lock);
    int64_t part = offset >> (LOOP_SHIFT + constant);
    if (!(status & STA_PLL))
        part = 0;
    int64_t slewed = clamped(slew, -(MAX_SLEW / NSEC_PER_USEC), MAX_SLEW / NSEC_PER_USEC);
    offset -= offset_part = part;
    slew -= slew_part = slewed;
    set_rate_locked(part + scaled(slewed * NSEC_PER_USEC, PHASE_BITS));
    if (part || slewed)
        timer_arm(&second, clock_monotonic() + NSEC_PER_SEC);
}

static void second_is_over(struct timer *t) {
    (void)t;
    unsigned long flags = spin_lock_irqsave(&discipline_lock);
    begin_second_locked();
    spin_unlock_irqrestore(&discipline_lock, flags);
}

// Something has been set: a second that is under way goes on to its end.
static void update_locked(void) {
    ASSERT_HELD(&discipline_lock);
    if (!timer_ready)
        timer_init(&second, second_is_over);
    timer_ready = true;
    if (!timer_is_armed(&second) && !READ_ONCE(second.running))
        begin_second_locked();
}

// ---- errors grow

static int64_t error_now_locked(void) {
    ASSERT_HELD(&discipline_lock);
    int64_t seconds = (clock_monotonic() - error_time) / NSEC_PER_SEC;
    int64_t now = seconds > MAX_ERROR / ERROR_GROWTH ? MAX_ERROR : max_error + seconds * ERROR_GROWTH;
    if (now >= MAX_ERROR)
        status |= STA_UNSYNC;
    return MIN(now, (int64_t)MAX_ERROR);
}

static void set_error_locked(int64_t us) {
    ASSERT_HELD(&discipline_lock);
    max_error = clamped(us, 0, MAX_ERROR);
    error_time = clock_monotonic();
}

void discipline_clear(void) {
    unsigned long flags = spin_lock_irqsave(&discipline_lock);
    slew = slew_part = offset = offset_part = 0;
    status |= STA_UNSYNC;
    set_error_locked(MAX_ERROR);
    estimated_error = MAX_ERROR;
    set_rate_locked(0);
    spin_unlock_irqrestore(&discipline_lock, flags);
}

// ---- setting

static ktime_t realtime_seconds(void) {
    return clock_realtime() / NSEC_PER_SEC;
}

static void set_status_locked(int new) {
    ASSERT_HELD(&discipline_lock);
    if (status & STA_PLL && !(new &STA_PLL))
        status = STA_UNSYNC;
    if (!(status & STA_PLL) && new &STA_PLL)
        reference = realtime_seconds();
    status = (status & STA_RONLY) | (new & ~STA_RONLY);
}

// What long gaps between updates make of the frequency: their offset has come about in `seconds`.
static int64_t frequency_lock_locked(int64_t ns, int64_t seconds) {
    ASSERT_HELD(&discipline_lock);
    status &= ~STA_MODE;
    if (seconds < LOCK_MIN || (!(status & STA_FLL) && seconds <= LOCK_ALWAYS))
        return 0;
    status |= STA_MODE;
    return scaled(ns, FRACTION - FREQUENCY_LOCK) / seconds;
}

static void set_offset_locked(int64_t new) {
    ASSERT_HELD(&discipline_lock);
    if (!(status & STA_PLL))
        return;
    if (!(status & STA_NANO))
        new = clamped(new, -NSEC_PER_SEC / NSEC_PER_USEC, NSEC_PER_SEC / NSEC_PER_USEC) * NSEC_PER_USEC;
    new = clamped(new, -MAX_PHASE, MAX_PHASE);
    ktime_t now = realtime_seconds();
    int64_t seconds = status & STA_FREQHOLD || now < reference ? 0 : now - reference;
    reference = now;
    int64_t change = frequency_lock_locked(new, seconds);
    seconds = MIN(seconds, (int64_t)1 << (LOOP_SHIFT + 1 + constant));
    change += scaled(new *seconds, (int)(FRACTION - 2 * (LOOP_SHIFT + 2 + constant)));
    frequency = clamped(frequency + change, -(MAX_FREQUENCY << FRACTION), MAX_FREQUENCY << FRACTION);
    offset = scaled(new, PHASE_BITS);
}

static void set_constant_locked(int64_t new) {
    ASSERT_HELD(&discipline_lock);
    new = clamped(new, 0, MAX_CONSTANT);
    constant = MIN(status & STA_NANO ? new : new + 4, (int64_t)MAX_CONSTANT);
}

static void set_frequency_locked(int64_t scaled_ppm) {
    ASSERT_HELD(&discipline_lock);
    int64_t limit = (MAX_FREQUENCY / 1000) << PPM_SHIFT;
    frequency = scaled(clamped(scaled_ppm, -limit, limit) * 1000, FRACTION - PPM_SHIFT);
}

static void set_locked(const struct __kernel_timex *tx) {
    ASSERT_HELD(&discipline_lock);
    unsigned int modes = tx->modes;
    if (modes & ADJ_STATUS)
        set_status_locked(tx->status);
    if (modes & ADJ_NANO)
        status |= STA_NANO;
    if (modes & ADJ_MICRO)
        status &= ~STA_NANO;
    if (modes & ADJ_FREQUENCY)
        set_frequency_locked(tx->freq);
    if (modes & ADJ_MAXERROR)
        set_error_locked(tx->maxerror);
    if (modes & ADJ_ESTERROR)
        estimated_error = clamped(tx->esterror, 0, MAX_ERROR);
    if (modes & ADJ_TIMECONST)
        set_constant_locked(tx->constant);
    if (modes & ADJ_TAI && tx->constant >= 0 && tx->constant <= MAX_TAI)
        WRITE_ONCE(tai, (int)tx->constant);
    if (modes & ADJ_OFFSET)
        set_offset_locked(tx->offset);
    if (modes & ADJ_TICK)
        tick = tx->tick;
    if (modes & (ADJ_TICK | ADJ_FREQUENCY | ADJ_OFFSET))
        update_locked();
}

// ---- telling

static void tell_locked(struct __kernel_timex *tx) {
    ASSERT_HELD(&discipline_lock);
    bool nano = status & STA_NANO;
    ktime_t now = clock_realtime();
    tx->maxerror = error_now_locked();
    tx->esterror = estimated_error;
    tx->freq = (frequency >> (FRACTION - PPM_SHIFT)) / 1000;
    tx->status = status;
    tx->constant = constant;
    tx->precision = 1;
    tx->tolerance = (MAX_FREQUENCY / 1000) << PPM_SHIFT;
    tx->tick = tick;
    tx->tai = tai;
    tx->time.tv_sec = now / NSEC_PER_SEC;
    tx->time.tv_usec = now % NSEC_PER_SEC / (nano ? 1 : NSEC_PER_USEC);
    tx->ppsfreq = tx->jitter = tx->stabil = tx->jitcnt = tx->calcnt = tx->errcnt = tx->stbcnt = 0;
    tx->shift = 0;
}

static bool is_wrong_locked(void) {
    ASSERT_HELD(&discipline_lock);
    return status & (STA_UNSYNC | STA_CLOCKERR) ||
           (status & (STA_PPSFREQ | STA_PPSTIME) && !(status & STA_PPSSIGNAL));
}

#define ADJTIME          0x8000u // the bits of ADJ_OFFSET_SINGLESHOT and ADJ_OFFSET_SS_READ
#define ADJTIME_READONLY 0x2000u

int discipline_adjust(struct __kernel_timex *tx) {
    unsigned long flags = spin_lock_irqsave(&discipline_lock);
    if (tx->modes & ADJTIME) {
        int64_t left = slew + slew_part;
        if (!(tx->modes & ADJTIME_READONLY)) {
            slew = tx->offset;
            update_locked();
        }
        tx->offset = left;
    } else {
        set_locked(tx);
        tx->offset = ((offset + offset_part) >> PHASE_BITS) / (status & STA_NANO ? 1 : NSEC_PER_USEC);
    }
    tell_locked(tx);
    int result = is_wrong_locked() ? TIME_ERROR : TIME_OK;
    spin_unlock_irqrestore(&discipline_lock, flags);
    return result;
}
