// SPDX-License-Identifier: MIT
// Floating-point registers: all 32 and fcsr are a thread's own, whatever runs between two of its instructions.
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define REGISTERS 32
#define PAGE      4096

struct registers {
    uint64_t f[REGISTERS];
    uint64_t fcsr;
};

#define ALL(op, base)                                                                                        \
    op " f0, 0(" base ")\n" op " f1, 8(" base ")\n" op " f2, 16(" base ")\n" op " f3, 24(" base ")\n" op     \
       " f4, 32(" base ")\n" op " f5, 40(" base ")\n" op " f6, 48(" base ")\n" op " f7, 56(" base ")\n" op   \
       " f8, 64(" base ")\n" op " f9, 72(" base ")\n" op " f10, 80(" base ")\n" op " f11, 88(" base ")\n" op \
       " f12, 96(" base ")\n" op " f13, 104(" base ")\n" op " f14, 112(" base ")\n" op " f15, 120(" base     \
       ")\n" op " f16, 128(" base ")\n" op " f17, 136(" base ")\n" op " f18, 144(" base ")\n" op             \
       " f19, 152(" base ")\n" op " f20, 160(" base ")\n" op " f21, 168(" base ")\n" op " f22, 176(" base    \
       ")\n" op " f23, 184(" base ")\n" op " f24, 192(" base ")\n" op " f25, 200(" base ")\n" op             \
       " f26, 208(" base ")\n" op " f27, 216(" base ")\n" op " f28, 224(" base ")\n" op " f29, 232(" base    \
       ")\n" op " f30, 240(" base ")\n" op " f31, 248(" base ")\n"

#define EVERY_F                                                                                              \
    "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15",    \
        "f16", "f17", "f18", "f19", "f20", "f21", "f22", "f23", "f24", "f25", "f26", "f27", "f28", "f29",    \
        "f30", "f31"

// Loads all registers, makes a system call, goes round `spins` times, and stores them all.
static long between(const struct registers *in, struct registers *out, long spins, long call, long arg0,
                    long arg1, long arg2) {
    register long a0 __asm__("a0") = arg0;
    register long a1 __asm__("a1") = arg1;
    register long a2 __asm__("a2") = arg2;
    register long a7 __asm__("a7") = call;
    __asm__ volatile(ALL("fld", "%[in]") "ld t0, 256(%[in])\n fscsr t0\n"
                                         "ecall\n"
                                         "1: addi %[spins], %[spins], -1\n bgtz %[spins], 1b\n" //
                     ALL("fsd", "%[out]") "frcsr t0\n sd t0, 256(%[out])\n"
                     : "+r"(a0), [spins] "+r"(spins)
                     : "r"(a1), "r"(a2), "r"(a7), [in] "r"(in), [out] "r"(out)
                     : "t0", "memory", EVERY_F);
    return a0;
}

static void fill(struct registers *r, uint64_t seed) {
    for (int i = 0; i < REGISTERS; i++)
        r->f[i] = seed * 0x9e3779b97f4a7c15 + (uint64_t)i;
    r->fcsr = seed % 5 << 5 | seed % 31; // a rounding mode that there is, and flags
}

static void keep_them(uint64_t seed, int rounds) {
    struct registers in, out;
    for (int i = 0; i < rounds; i++) {
        fill(&in, seed * 1000 + (uint64_t)i);
        between(&in, &out, i % 2 ? 20000 : 0, SYS_sched_yield, 0, 0, 0);
        CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    }
}

static void *keep_in_thread(void *arg) {
    keep_them((uint64_t)arg, 300);
    return NULL;
}

TEST(fp_registers_are_each_threads_and_processs_own) {
    pthread_t threads[6];
    pid_t pids[3];
    for (long p = 0; p < 3; p++)
        if ((pids[p] = fork()) == 0) {
            keep_them(100 + (uint64_t)p, 300);
            _exit(0);
        }
    for (long i = 0; i < 6; i++)
        CHECK(pthread_create(&threads[i], NULL, keep_in_thread, (void *)(i + 1)) == 0);
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    for (int p = 0; p < 3; p++) {
        int status;
        CHECK(waitpid(pids[p], &status, 0) == pids[p] && status == 0);
    }
}

TEST(fp_registers_go_along_to_other_harts) {
    struct registers in, out;
    cpu_set_t all;
    CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
    int harts = CPU_COUNT(&all);
    for (int i = 0; i < 200; i++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(i % harts, &one);
        fill(&in, (uint64_t)i);
        CHECK(between(&in, &out, 0, SYS_sched_setaffinity, 0, sizeof(one), (long)&one) == 0);
        CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    }
}

TEST(a_forked_child_begins_with_its_parents_fp_registers) {
    struct registers in, out;
    int status;
    fill(&in, 7);
    pid_t pid = (pid_t)between(&in, &out, 0, SYS_clone, SIGCHLD, 0, 0);
    if (pid == 0)
        _exit(memcmp(&in, &out, sizeof(in)) != 0);
    CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

// ---- signals

static struct registers handlers, want;
static char *apart; // two pages, of which the second is to be absent

static void clobber(int sig) {
    struct registers out;
    (void)sig;
    fill(&handlers, 99);
    between(&handlers, &out, 0, SYS_sched_yield, 0, 0, 0);
}

TEST(a_handlers_fp_registers_are_not_the_interrupted_ones) {
    struct registers in, out;
    signal(SIGUSR1, clobber);
    for (int i = 0; i < 100; i++) {
        fill(&in, (uint64_t)i);
        CHECK(between(&in, &out, 0, SYS_tgkill, getpid(), gettid(), SIGUSR1) == 0);
        CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    }
}

// Returns from a copy of its frame with other registers in it, the last of which are in a page that is to be brought in.
static void return_from_copy(int sig, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    size_t before = (size_t)((char *)uc - (char *)info), size = before + sizeof(*uc);
    size_t middle = (size_t)((char *)&uc->uc_mcontext.__fpregs.__d.__f[20] - (char *)info);
    char *copy = (char *)((uintptr_t)(apart + PAGE - middle) & -16ul);
    (void)sig;
    for (int i = 0; i < REGISTERS; i++)
        uc->uc_mcontext.__fpregs.__d.__f[i] = want.f[i];
    uc->uc_mcontext.__fpregs.__d.__fcsr = (unsigned int)want.fcsr;
    memcpy(copy, info, size);
    madvise(apart + PAGE, PAGE, MADV_DONTNEED);
    fill(&handlers, 98);
    struct registers out;
    between(&handlers, &out, 0, SYS_getpid, 0, 0, 0);
    __asm__ volatile("mv sp, %0\n li a7, 139\n ecall\n" : : "r"(copy) : "memory");
}

TEST(sigreturn_loads_all_fp_registers_also_when_it_faults_in_the_middle) {
    struct registers in, out;
    struct sigaction action = {.sa_sigaction = return_from_copy, .sa_flags = SA_SIGINFO};
    int fd = memfd_create("frame", 0);
    CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
    apart = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(apart != MAP_FAILED && sigaction(SIGUSR1, &action, NULL) == 0);
    for (int i = 0; i < 300; i++) {
        fill(&in, (uint64_t)i);
        fill(&want, 1000 + (uint64_t)i);
        CHECK(between(&in, &out, 0, SYS_tgkill, getpid(), gettid(), SIGUSR1) == 0);
        CHECK(memcmp(&want, &out, sizeof(want)) == 0);
    }
}
