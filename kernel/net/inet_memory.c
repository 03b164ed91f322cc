// SPDX-License-Identifier: MIT
// Memory of lwIP's and of frames (inet_memory.h): each piece has in front of it how long it is, and who pays.
#include "net/inet_memory.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "net/lwip/lwip.h"
#include "sched/thread.h"
#include "sched/user.h"

struct block {
    struct user *user; // referenced
    size_t size;       // that are paid for, this structure among them
};
_Static_assert(sizeof(struct block) % MEM_ALIGNMENT == 0, "what lies behind it is aligned");

// When data has taken all, connections still get a quarter more, and headers, which give memory back, half.
#define SMALL 512u
#define TINY  192u
_Static_assert(sizeof(struct tcp_pcb) > TINY && sizeof(struct tcp_pcb) <= SMALL,
               "a connection is small, not tiny");
#define FEW (128ul * 1024) // that each user may have whatever others do

static unsigned long bytes; // [a] that all users but the kernel have

static inline struct block *block_of(const void *memory) {
    return (struct block *)memory - 1;
}

static inline bool is_full(const struct user *user) {
    unsigned long most = READ_ONCE(limits.socket_bytes_max), used = READ_ONCE(user->used[USER_SOCKET_BYTES]);
    return used > most || (used > FEW && (READ_ONCE(bytes) > 2 * most || memory_is_short()));
}

bool inet_user_is_full(const struct user *user) {
    return is_full(user);
}

static __attribute__((noinline)) bool may_have_all_the_same(const struct user *user, size_t size) {
    unsigned long most = READ_ONCE(limits.socket_bytes_max);
    unsigned long more = size <= TINY ? most / 2 : size <= SMALL ? most / 4 : 0;
    if ((unsigned long)READ_ONCE(user->used[USER_SOCKET_BYTES]) > most + more)
        return false;
    return user == &kernel_user || size <= SMALL;
}

static inline bool may_have(const struct user *user, size_t size) {
    return likely(user != &kernel_user && !is_full(user)) || may_have_all_the_same(user, size);
}

static inline void charge(struct block *b, struct user *user) {
    b->user = user_get(user);
    user_charge(user, USER_SOCKET_BYTES, (long)b->size);
    if (user != &kernel_user)
        __atomic_fetch_add(&bytes, b->size, __ATOMIC_RELAXED);
}

static inline void uncharge(struct block *b) {
    if (b->user != &kernel_user)
        __atomic_fetch_sub(&bytes, b->size, __ATOMIC_RELAXED);
    user_uncharge(b->user, USER_SOCKET_BYTES, (long)b->size);
    user_put(b->user);
}

struct user *inet_current_user(void) {
    return current->cred ? current->cred->user : &kernel_user;
}

static inline void *allocate(struct user *user, size_t size, size_t beside) {
    if (!may_have(user, size + beside))
        return NULL;
    struct block *b = kmalloc(sizeof(*b) + size);
    if (!b)
        return NULL;
    b->size = sizeof(*b) + size + beside;
    charge(b, user);
    return b + 1;
}

void *inet_malloc_for(struct user *user, size_t size) {
    return allocate(user, size, 0);
}

void *inet_malloc(size_t size) {
    return allocate(inet_current_user(), size, 0);
}

void *inet_malloc_beside(size_t size, size_t beside) {
    return allocate(inet_current_user(), size, beside);
}

void *inet_calloc(size_t n, size_t size) {
    size_t all;
    void *p = __builtin_mul_overflow(n, size, &all) ? NULL : inet_malloc(all);
    if (p)
        memset(p, 0, all);
    return p;
}

void inet_free(void *memory) {
    if (!memory)
        return;
    uncharge(block_of(memory));
    kfree(block_of(memory));
}

struct user *inet_payer(const void *memory) {
    return block_of(memory)->user;
}

void inet_recharge(void *memory, struct user *user) {
    struct block *b = block_of(memory);
    if (b->user == user)
        return;
    uncharge(b);
    charge(b, user);
}
