// SPDX-License-Identifier: MIT
// What kernel/net needs of the rest of the kernel, on the host, in so far as packets that come in lead there. What they do not
// lead to ends the program.
#include "core/user_ns.h"
#include "core/random.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "net/net_ns.h"
#include "sched/thread.h"
#include "sched/user.h"
#include "sched/wait.h"

void *calloc(unsigned long n, unsigned long size);
void *malloc(unsigned long size);
void free(void *p);
void abort(void) __noreturn;
unsigned long strlen(const char *s);
int printf(const char *format, ...);

// ---- one thread, root's

struct user_ns first_user_ns;
struct namespaces first_namespaces = {.of = {[NS_NET] = &first_net_ns.ns}};
static struct cred cred = {.cap_effective = ~0ull, .user_ns = &first_user_ns};
static struct hart hart;
static struct thread thread = {.arch.hart = &hart, .cred = &cred, .real_cred = &cred};
struct thread *tp_thread = &thread;
uint64_t host_ticks, clock_mult = 1ull << 32, clock_boot_ticks; // a tick is a nanosecond
struct user kernel_user, root_user;
struct limits limits = {.socket_bytes_max = 64ul << 20};
struct memory_level memory_level = {.free = 1ul << 30};
struct memory_bank memory_banks[1];
paddr_t kernel_phys_base;
unsigned int async_hooks;
const struct net_process_ops *net_process_ops; // of peers, which no socket here has

void host_init(void) {
    cred.user = &root_user;
    ref_init(&root_user.refs);
    ref_init(&kernel_user.refs);
}
bool cred_capable_in(const struct cred *cred, const struct user_ns *u, int cap) {
    return true;
}
void user_put(struct user *user) {
    if (ref_put(&user->refs))
        abort();
}
bool user_may_charge(struct user *user, enum user_account account, long n, unsigned long limit) {
    user_charge(user, account, n);
    return true;
}
bool memory_is_short_for_current(void) {
    return false;
}

// ---- memory

struct slab_cache {
    size_t size;
};
struct slab_cache *slab_create(const char *name, size_t size, size_t align) {
    static struct slab_cache caches[16];
    static unsigned int n;
    if (n == ARRAY_SIZE(caches))
        abort();
    caches[n].size = size;
    return &caches[n++];
}
void *slab_zalloc(struct slab_cache *cache) {
    return calloc(1, cache->size);
}
void slab_free(struct slab_cache *cache, void *object) {
    free(object);
}
void *kmalloc(size_t size) {
    return malloc(size);
}
void *kzalloc(size_t size) {
    return calloc(1, size);
}
void kfree(void *p) {
    free(p);
}

// ---- the rest

static uint32_t seed = 1;
void random_bytes(void *to, size_t n) {
    for (uint8_t *b = to; n--; b++)
        *b = (seed = seed * 1664525 + 1013904223) >> 24;
}
ktime_t clock_realtime(void) {
    return (ktime_t)host_ticks;
}
int kthread_run(const char *name, void (*entry)(void *), void *arg) {
    return 0; // its work is done by whoever has the lock
}
void wait_queue_init(struct wait_queue *q) {
    *q = (struct wait_queue){0};
    list_init(&q->waiters);
}
void wait_wake(struct wait_queue *q, unsigned int n, unsigned int events) {}
bool mutex_is_mine(const struct mutex *m) {
    return true;
}
void panic(const char *format, ...) {
    printf("panic: %s\n", format);
    abort();
}

// Nobody listens, and nobody else is there.
void inet_lock(struct net_ns *net);
void inet_unlock(void);
void net_change_begin(struct net_ns *net) {
    inet_lock(net);
}
void net_change_end(void) {
    inet_unlock();
}
void net_change_pause(void) {}
bool netlink_has_notices(const struct net_ns *net) {
    return false;
}
struct net_device;
struct net_interface_address;
struct net_route;
void rtnetlink_tell_link(struct net_device *device, unsigned int change) {}
void rtnetlink_tell_address(const struct net_interface_address *a, int type) {}
void rtnetlink_tell_route(const struct net_route *r, int type) {}
void printk(const char *format, ...) {}
