// SPDX-License-Identifier: MIT
// Copies to and from user memory at both ends of the address space, with every length and alignment: the kernel's
// own loops (kernel/arch/riscv/uaccess.S, built for user mode into this program), and system calls.
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <ucontext.h>

#define PAGE     4096ul
#define USER_END 0x4000000000ul
#define LONGEST  512
#define MARGIN   16
#define FILLER   0xa5

// ---- the loops, as kernel/arch/riscv/uaccess.c calls them

size_t user_copy_raw(void *to, const void *from, size_t n);
size_t user_clear_raw(void *to, size_t n);
ssize_t user_string_raw(char *to, const char *from, size_t n);
struct range {
    unsigned long start, end, fixup;
};
extern const struct range uaccess_table[];

// What the kernel's trap handler does with a fault in them.
static void on_fault(int sig, siginfo_t *info, void *context) {
    unsigned long *pc = &((ucontext_t *)context)->uc_mcontext.__gregs[0];
    (void)sig, (void)info;
    for (const struct range *r = uaccess_table; r->start; r++) {
        if (*pc >= r->start && *pc < r->end) {
            *pc = r->fixup;
            return;
        }
    }
    _exit(3);
}

static void catch_faults(void) {
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSEGV, &a, NULL));
}

// ---- a page at an end of the address space

static unsigned char zeros[LONGEST], fillers[LONGEST], pattern[LONGEST + MARGIN];

// The compiler must not know that it may be at NULL.
static unsigned char *end_page(int top) {
    void *at = (void *)(top ? USER_END - PAGE : 0);
    void *p = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p == at);
    __asm__ volatile("" : "+r"(p));
    memset(p, FILLER, PAGE);
    memset(fillers, FILLER, sizeof(fillers));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = 1 + i % 251;
    return p;
}

// Where n bytes go that begin or end `at` bytes from the end of the address space.
static size_t offset_of(int top, size_t at, size_t n) {
    return top ? PAGE - at - n : at;
}

// page[at, at + n) holds `expected` and its surroundings do not; it gets fillers again.
static void check_and_refill(unsigned char *page, size_t at, size_t n, const unsigned char *expected) {
    size_t below = at < MARGIN ? at : MARGIN, above = PAGE - at - n < MARGIN ? PAGE - at - n : MARGIN;
    CHECK(!memcmp(page + at, expected, n));
    CHECK(!memcmp(page + at - below, fillers, below) && !memcmp(page + at + n, fillers, above));
    memset(page + at, FILLER, n);
}

static void each_place(int top, void (*fn)(unsigned char *page, size_t at, size_t n)) {
    unsigned char *page = end_page(top);
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t at = 0; at < 8; at++)
            fn(page, offset_of(top, at, n), n);
    }
}

// ---- the loops alone

static void copy_in(unsigned char *page, size_t at, size_t n) {
    for (int shift = 0; shift < 8; shift++) {
        CHECK(user_copy_raw(page + at, pattern + shift, n) == 0);
        check_and_refill(page, at, n, pattern + shift);
    }
}

static void copy_out(unsigned char *page, size_t at, size_t n) {
    static unsigned char __attribute__((aligned(8))) out[LONGEST + 2 * MARGIN];
    memcpy(page + at, pattern, n);
    for (int shift = 0; shift < 8; shift++) {
        memset(out, FILLER, sizeof(out));
        CHECK(user_copy_raw(out + MARGIN + shift, page + at, n) == 0);
        CHECK(!memcmp(out + MARGIN + shift, pattern, n));
        CHECK(!memcmp(out, fillers, MARGIN + shift) && out[MARGIN + shift + n] == FILLER);
    }
    memset(page + at, FILLER, n);
}

static void clear(unsigned char *page, size_t at, size_t n) {
    CHECK(user_clear_raw(page + at, n) == 0);
    check_and_refill(page, at, n, zeros);
}

// A string of n - 1 bytes and its NUL; then the same where the NUL has no room.
static void string_out(unsigned char *page, size_t at, size_t n) {
    static char out[LONGEST + 2 * MARGIN];
    if (!n)
        return;
    memcpy(page + at, pattern, n - 1);
    page[at + n - 1] = 0;
    for (int shift = 0; shift < 8; shift++) {
        memset(out, FILLER, sizeof(out));
        CHECK(user_string_raw(out + shift, (char *)page + at, LONGEST) == (ssize_t)n - 1);
        CHECK(!memcmp(out + shift, page + at, n));
        CHECK(user_string_raw(out + shift, (char *)page + at, n - 1) == (ssize_t)n - 1);
    }
    memset(page + at, FILLER, n);
}

TEST(loops_copy_to_the_first_page) {
    each_place(0, copy_in);
}

TEST(loops_copy_to_the_last_page) {
    each_place(1, copy_in);
}

TEST(loops_copy_from_the_first_page) {
    each_place(0, copy_out);
}

TEST(loops_copy_from_the_last_page) {
    each_place(1, copy_out);
}

TEST(loops_clear_and_read_strings_at_both_ends) {
    for (int top = 0; top < 2; top++) {
        each_place(top, clear);
        each_place(top, string_out);
    }
}

// ---- faults in the loops: what can be copied is, and the rest is told

// The two pages around `gap`, the second not accessible.
static unsigned char *page_and_gap(void) {
    unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && !mprotect(p + PAGE, PAGE, PROT_NONE));
    for (size_t i = 0; i < PAGE; i++)
        p[i] = 1 + i % 251;
    return p;
}

// Fifty thousand faults. The loops run on one hart, so how many there are says nothing of them.
TEST(loops_tell_what_a_fault_left_over) {
    unsigned char *p = page_and_gap(), out[LONGEST + 8];
    if (get_nprocs() > 1)
        return;
    catch_faults();
    for (size_t n = 1; n <= LONGEST; n += n < 40 ? 1 : 17) {
        for (size_t have = 0; have < n; have += have < 40 ? 1 : 13) {
            unsigned char *at = p + PAGE - have;
            for (int shift = 0; shift < 8; shift++) {
                CHECK(user_copy_raw(out + shift, at, n) == n - have && !memcmp(out + shift, at, have));
                CHECK(user_copy_raw(at, pattern + shift, n) == n - have);
            }
            CHECK(user_clear_raw(at, n) == n - have);
            memset(at, 'x', have);
            CHECK(user_string_raw((char *)out, (char *)at, n) == -1);
        }
    }
}

// ---- system calls

// pread(2) and pwrite(2) of a memfd that holds the pattern. All alignments of the kernel's side come by the offset.
static int pattern_fd = -1;

static void read_there(unsigned char *page, size_t at, size_t n) {
    size_t shift = (at + n) % 8;
    CHECK(pread(pattern_fd, page + at, n, shift) == (ssize_t)n);
    check_and_refill(page, at, n, pattern + shift);
}

static void write_there(unsigned char *page, size_t at, size_t n) {
    unsigned char out[LONGEST + 8];
    size_t shift = (at + n) % 8;
    memcpy(page + at, pattern, n);
    CHECK(pwrite(pattern_fd, page + at, n, PAGE + shift) == (ssize_t)n);
    CHECK(pread(pattern_fd, out, n, PAGE + shift) == (ssize_t)n && !memcmp(out, pattern, n));
    memset(page + at, FILLER, n);
}

TEST(system_calls_copy_at_both_ends_of_the_address_space) {
    pattern_fd = memfd_create("pattern", 0);
    CHECK(pattern_fd >= 0);
    end_page(0);
    CHECK(write(pattern_fd, pattern, sizeof(pattern)) == sizeof(pattern));
    for (int top = 0; top < 2; top++) {
        each_place(top, read_there);
        each_place(top, write_there);
    }
}

TEST(structures_can_go_to_address_0) {
    unsigned char *page = end_page(0);
    CHECK(syscall(SYS_getrusage, 0, page) == 0);
    CHECK(!memcmp(page + 144, fillers, 64)); // behind struct rusage
    CHECK(syscall(SYS_uname, page) == 0 && !strcmp((char *)page, "Linux"));
}

TEST(process_vm_readv_stays_in_its_vector_at_address_0) {
    unsigned char *page = end_page(0);
    struct iovec local = {page, 64}, remote = {pattern, 64};
    CHECK(syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0) == 64);
    check_and_refill(page, 0, 64, pattern);
}

TEST(nothing_reaches_beyond_the_end_of_the_address_space) {
    unsigned char *page = end_page(1);
    for (size_t have = 0; have <= 64; have++)
        CHECK_ERRNO(syscall(SYS_getcwd, page + PAGE - have + 65, 64), EFAULT);
    CHECK_ERRNO(syscall(SYS_uname, page + PAGE - 100), EFAULT);
    CHECK_ERRNO(syscall(SYS_getrandom, page + PAGE - 8, 16, 0), EFAULT);
}

// ---- what is between the members of a structure: not the kernel's stack

static int are_zero(const void *p, size_t from, size_t to) {
    const char *b = p;
    for (size_t i = from; i < to; i++)
        if (b[i])
            return 0;
    return 1;
}

#define ARE_ZERO(object, from, to) are_zero(&(object), from, to)

static void dirty_the_stack(void) {
    char b[600];
    memset(b, 'd', sizeof(b));
    CHECK(getcwd(b, sizeof(b)) && write(-1, b, 1) == -1);
}

TEST(nothing_of_the_kernels_is_between_the_members_of_what_goes_out) {
    stack_t s;
    struct sysinfo i;
    struct flock l;
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = ~0ull};
    int set = epoll_create1(0), p[2];
    CHECK(set >= 0 && !pipe(p) && write(p[1], "x", 1) == 1 && !epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e));
    for (int n = 0; n < 8; n++) {
        memset(&s, FILLER, sizeof(s));
        memset(&i, FILLER, sizeof(i));
        memset(&e, FILLER, sizeof(e));
        dirty_the_stack();
        CHECK(!syscall(SYS_sigaltstack, NULL, &s) && ARE_ZERO(s, 12, 16));
        dirty_the_stack();
        CHECK(!syscall(SYS_sysinfo, &i) && ARE_ZERO(i, 84, 88) && ARE_ZERO(i, 108, 112));
        dirty_the_stack();
        CHECK(epoll_wait(set, &e, 1, 0) == 1 && ARE_ZERO(e, 4, 8));
        int fd = memfd_create("locked", 0);
        memset(&l, 0, sizeof(l));
        memset((char *)&l + 4, FILLER, 4);
        memset((char *)&l + 28, FILLER, 4);
        CHECK(!fcntl(fd, F_GETLK, &l) && ARE_ZERO(l, 4, 8) && ARE_ZERO(l, 28, 32) && !close(fd));
    }
}
