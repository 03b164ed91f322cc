// SPDX-License-Identifier: MIT
// Restartable sequences: rseq(2).
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define SIGNATURE 0x5afe0073

struct area {
    uint32_t cpu_id_start, cpu_id;
    uint64_t sequence;
    uint32_t flags, node_id, mm_cid, rest;
} __attribute__((aligned(32)));
struct sequence {
    uint32_t version, flags;
    uint64_t start, length, abort;
};

static struct area area; // of the main thread
extern struct sequence test_sequence;

static long call(void *at, uint32_t length, int flags, uint32_t signature) {
    return syscall(SYS_rseq, at, length, flags, signature);
}

TEST(rseq_is_registered_once_and_with_the_same_words_taken_back) {
    CHECK(getauxval(27) >= 28 && getauxval(28) == 32);
    CHECK_ERRNO(call(&area, 31, 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(call((char *)&area + 8, 32, 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(call(&area, 32, 4, SIGNATURE), EINVAL);
    CHECK_ERRNO(call((void *)(~0ul << 12), 32, 0, SIGNATURE), EFAULT);
    CHECK_ERRNO(call(&area, 32, 1, SIGNATURE), EINVAL);
    area.cpu_id = -1;
    CHECK(call(&area, 32, 0, SIGNATURE) == 0 && area.cpu_id == area.cpu_id_start && area.cpu_id < 64);
    CHECK_ERRNO(call(&area, 32, 0, SIGNATURE), EBUSY);
    CHECK_ERRNO(call(&area, 32, 0, SIGNATURE + 1), EPERM);
    CHECK_ERRNO(call(&area, 64, 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(call(&area + 1, 32, 0, SIGNATURE), EINVAL);
    CHECK_ERRNO(call(&area, 32, 1, SIGNATURE + 1), EPERM);
    CHECK(call(&area, 32, 1, SIGNATURE) == 0 && area.cpu_id == (uint32_t)-1 && area.cpu_id_start == 0);
    CHECK_ERRNO(call(&area, 32, 1, SIGNATURE), EINVAL);
}

static void *has_none(void *failure) {
    struct area own;
    return call(&own, 32, 0, SIGNATURE) || call(&own, 32, 1, SIGNATURE) ? failure : NULL;
}

static int has_the_parents(void *unused) {
    (void)unused;
    return call(&area, 32, 0, SIGNATURE) != -1 || errno != EBUSY;
}

TEST(a_registration_is_a_threads_and_goes_with_a_copy_of_its_memory) {
    pthread_t t;
    void *failed;
    CHECK(call(&area, 32, 0, SIGNATURE) == 0);
    CHECK(!pthread_create(&t, NULL, has_none, &area) && !pthread_join(t, &failed) && !failed);
    CHECK(test_wait_exit(test_fork(has_the_parents, NULL)) == 0);
}

TEST(a_thread_knows_the_hart_it_is_on) {
    CHECK(call(&area, 32, 0, SIGNATURE) == 0);
    for (int round = 0; round < 50; round++) {
        for (unsigned int i = 0; i < (unsigned int)sysconf(_SC_NPROCESSORS_ONLN); i++) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(i, &set);
            CHECK(!sched_setaffinity(0, sizeof(set), &set));
            CHECK(*(volatile uint32_t *)&area.cpu_id == i && area.cpu_id_start == i && area.mm_cid < 64);
        }
    }
}

// Stays in a sequence until that is aborted. The word before the code for aborting: the signature.
static void stay_in_sequence(struct area *a) {
    __asm__ volatile(".pushsection .data\n"
                     ".balign 32\n"
                     ".globl test_sequence\n"
                     "test_sequence: .word 0, 0\n"
                     ".dword 1f, 2f - 1f, 4f\n"
                     ".popsection\n"
                     "lla t0, test_sequence\n"
                     "sd t0, 8(%0)\n"
                     "1: j 1b\n"
                     "2: j 4f\n"
                     ".balign 4\n"
                     ".word 0x5afe0073\n"
                     "4:\n" ::"r"(a)
                     : "t0", "memory");
}

static volatile sig_atomic_t handled;
static void on_alarm(int sig) {
    (void)sig;
    handled++;
}

TEST(a_signal_aborts_the_sequence_it_comes_in) {
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    signal(SIGALRM, on_alarm);
    CHECK(call(&area, 32, 0, SIGNATURE) == 0);
    CHECK(!setitimer(ITIMER_REAL, &soon, NULL));
    while (!handled) // a preemption may come before the signal
        stay_in_sequence(&area);
    CHECK(handled == 1 && !area.sequence);
}

static void *spin(void *stop) {
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
        ;
    return NULL;
}

TEST(who_is_preempted_in_a_sequence_begins_anew) {
    int stop = 0;
    pthread_t t;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CHECK(!sched_setaffinity(0, sizeof(set), &set) && call(&area, 32, 0, SIGNATURE) == 0);
    CHECK(!pthread_create(&t, NULL, spin, &stop)); // on the same hart
    for (int i = 0; i < 3; i++)
        stay_in_sequence(&area);
    CHECK(!area.sequence);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    CHECK(!pthread_join(t, NULL));
}

TEST(who_was_stopped_in_a_sequence_begins_anew) {
    int status;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CHECK(!sched_setaffinity(0, sizeof(set), &set));
    pid_t pid = fork();
    if (pid == 0) {
        CPU_ZERO(&set);
        CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set); // where it is alone
        alarm(20);
        _exit(sched_setaffinity(0, sizeof(set), &set) || call(&area, 32, 0, SIGNATURE) ||
              (stay_in_sequence(&area), area.sequence));
    }
    usleep(50000);
    CHECK(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
    if (WIFSTOPPED(status))
        CHECK(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
}

// Interrupted with a sequence that is none: how the process ended.
static int end_with(uint64_t sequence) {
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, on_alarm);
        area.sequence = sequence;
        raise(SIGUSR1);
        _exit(area.sequence != 0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

TEST(a_sequence_that_makes_no_sense_ends_the_program) {
    static struct sequence s;
    CHECK(call(&area, 32, 0, SIGNATURE) == 0);
    const struct sequence good = test_sequence;
    s = good;
    CHECK(end_with((uint64_t)&s) == 0); // we are not in it: forgotten
    CHECK(end_with(8) == SIGSEGV && end_with(1ul << 62) == SIGSEGV);
    s.abort = s.start;
    CHECK(end_with((uint64_t)&s) == SIGSEGV);
    s = good;
    s.abort += 4; // not signed
    CHECK(end_with((uint64_t)&s) == SIGSEGV);
    s = good;
    s.version = 1;
    CHECK(end_with((uint64_t)&s) == SIGSEGV);
    s = good;
    s.length = -1;
    CHECK(end_with((uint64_t)&s) == SIGSEGV);
}

TEST(an_area_that_went_away_ends_the_program) {
    struct area *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(a != MAP_FAILED && call(a, 32, 0, SIGNATURE) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGUSR1, on_alarm);
        munmap(a, 4096);
        raise(SIGUSR1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
