// SPDX-License-Identifier: MIT
// Clocks, the vDSO, scheduling calls, /proc, and calls about the whole machine.
#include "test.h"
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/prctl.h>
#include <time.h>

static char b[1 << 16];

static char *slurp(const char *path) {
    ssize_t n, got = 0;
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    while ((n = read(fd, b + got, sizeof(b) - 1 - got)) > 0)
        got += n;
    CHECK(n == 0);
    close(fd);
    b[got] = 0;
    return b;
}

TEST(monotonic_time_never_goes_back_and_vdso_agrees_with_the_call) {
    struct timespec a, v, c;
    for (int i = 0; i < 10000; i++) {
        CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a) == 0);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &v) == 0);
        CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c) == 0);
        CHECK(a.tv_sec < v.tv_sec || (a.tv_sec == v.tv_sec && a.tv_nsec <= v.tv_nsec));
        CHECK(v.tv_sec < c.tv_sec || (v.tv_sec == c.tv_sec && v.tv_nsec <= c.tv_nsec));
    }
    CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, &a) == 0 && clock_gettime(CLOCK_REALTIME, &v) == 0);
    CHECK(v.tv_sec - a.tv_sec <= 5 && a.tv_sec > 1700000000);
}

TEST(sleeping_takes_at_least_the_time_asked) {
    struct timespec a, c, d = {0, 50000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK(nanosleep(&d, NULL) == 0);
    clock_gettime(CLOCK_MONOTONIC, &c);
    CHECK((c.tv_sec - a.tv_sec) * 1000000000l + c.tv_nsec - a.tv_nsec >= 50000000);
    d.tv_nsec = 1000000000;
    CHECK_ERRNO(nanosleep(&d, NULL), EINVAL);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, NULL) == 0);
}

TEST(cpu_time_clocks_count_work) {
    struct timespec a, c;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0);
    for (volatile int i = 0; i < 20000000; i++)
        ;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c) == 0);
    CHECK((c.tv_sec - a.tv_sec) * 1000000000l + c.tv_nsec - a.tv_nsec > 100000);
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &c) == 0);
    CHECK_ERRNO(clock_gettime(99, &c), EINVAL);
}

TEST(clocks_have_nanosecond_resolution) {
    struct timespec r;
    CHECK(clock_getres(CLOCK_MONOTONIC, &r) == 0 && r.tv_sec == 0 && r.tv_nsec == 1);
}

TEST(uname_says_2_6_to_who_asks_for_it) {
    struct utsname u, old;
    CHECK(uname(&u) == 0 && personality(UNAME26) == 0 && uname(&old) == 0);
    CHECK(!strncmp(u.release, "6.12.", 5) && !strncmp(old.release, "2.6.72", 6));
    CHECK(personality(0) == UNAME26 && uname(&old) == 0 && !strcmp(u.release, old.release));
}

TEST(uname_says_Linux_riscv64) {
    struct utsname u;
    CHECK(uname(&u) == 0 && !strcmp(u.sysname, "Linux"));
#ifdef __riscv
    CHECK(!strcmp(u.machine, "riscv64"));
#endif
    CHECK(atoi(u.release) >= 5);
}

TEST(sysinfo_and_meminfo_agree) {
    struct sysinfo si;
    unsigned long total = 0, available = 0;
    CHECK(sysinfo(&si) == 0 && si.procs > 0 && si.totalram > 0 && si.freeram < si.totalram);
    slurp("/proc/meminfo");
    CHECK(sscanf(b, "MemTotal: %lu kB", &total) == 1);
    CHECK(strstr(b, "MemAvailable:") &&
          sscanf(strstr(b, "MemAvailable:"), "MemAvailable: %lu", &available) == 1);
    CHECK(total == si.totalram * si.mem_unit / 1024 && available < total && available > 0);
}

TEST(getrandom_gives_different_bytes) {
    CHECK(getrandom(b, 256, 0) == 256 && getrandom(b + 256, 256, GRND_NONBLOCK) == 256);
    CHECK(memcmp(b, b + 256, 256));
    CHECK_ERRNO(getrandom(b, 1, 0x80), EINVAL);
}

TEST(affinity_moves_between_harts) {
    cpu_set_t all, one;
    unsigned cpu = 999;
    CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
        CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && cpu == (unsigned)i && sched_getcpu() == i);
    }
    CPU_ZERO(&one);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
}

TEST(priorities_can_be_set) {
    errno = 0;
    CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0 && getpriority(PRIO_PROCESS, 0) == 5);
    CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_OTHER) == 0);
    CHECK(sched_yield() == 0);
}

TEST(limits_are_kept_and_checked) {
    struct rlimit l;
    CHECK(getrlimit(RLIMIT_STACK, &l) == 0 && l.rlim_cur == 8 << 20);
    l.rlim_cur = 4 << 20;
    l.rlim_max = 2 << 20;
    CHECK_ERRNO(setrlimit(RLIMIT_STACK, &l), EINVAL);
    CHECK_ERRNO(getrlimit(99, &l), EINVAL);
}

TEST(names_of_threads_show_in_proc) {
    char name[17] = {0};
    CHECK(prctl(PR_SET_NAME, "a-long-name-that-is-cut") == 0 && prctl(PR_GET_NAME, name) == 0);
    CHECK(!strcmp(name, "a-long-name-tha") && !strncmp(slurp("/proc/self/comm"), "a-long-name-tha\n", 17));
}

TEST(proc_describes_the_process) {
    int pid, ppid, pgrp;
    char state, comm[64];
    CHECK(sscanf(slurp("/proc/self/stat"), "%d (%[^)]) %c %d %d", &pid, comm, &state, &ppid, &pgrp) == 5);
    CHECK(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && state == 'R');
    slurp("/proc/self/status");
    CHECK(strstr(b, "\nPid:\t") && strstr(b, "\nVmRSS:") && strstr(b, "\nThreads:\t1\n") &&
          strstr(b, "\nUid:\t0\t0\t0\t0\n"));
    CHECK(readlink("/proc/self", b, 100) > 0 && atoi(b) == getpid());
    ssize_t n = readlink("/proc/self/exe", b, 100);
    CHECK(n > 0 && (b[n] = 0, strstr(b, "system")));
    CHECK(strstr(slurp("/proc/self/cmdline"), "system"));
    n = readlink("/proc/self/cwd", b, 100);
    CHECK(n > 0 && b[0] == '/');
    int fd = open("/dev/null", O_RDONLY);
    snprintf(b, 64, "/proc/self/fd/%d", fd);
    CHECK(readlink(b, b + 100, 100) == 9 && !memcmp(b + 100, "/dev/null", 9));
    CHECK_ERRNO(open("/proc/99999999/stat", O_RDONLY), ENOENT);
}

TEST(proc_lists_processes) {
    DIR *d = opendir("/proc");
    struct dirent *e;
    int me = 0, init = 0;
    CHECK(d);
    while ((e = readdir(d))) {
        me |= atoi(e->d_name) == getpid();
        init |= !strcmp(e->d_name, "1");
    }
    CHECK(me && init);
}

TEST(proc_has_the_machines_files) {
    static const char *const files[] = {
        "uptime",
        "stat",
        "cpuinfo",
        "filesystems",
        "loadavg",
        "mounts",
        "version",
        "meminfo",
        "cmdline",
        "sys/kernel/hostname",
        "sys/vm/overcommit_memory",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%s", files[i]);
        CHECK(strlen(slurp(path)) > 0);
    }
    CHECK(strstr(slurp("/proc/filesystems"), "tmpfs") && strstr(slurp("/proc/mounts"), " /proc proc "));
    CHECK(strstr(slurp("/proc/cpuinfo"), "mvendorid\t: 0x") && strstr(b, "\nmarchid\t\t: 0x"));
    CHECK(strstr(slurp("/proc/vmstat"), "nr_free_pages ") && strstr(b, "\npgpgin ") &&
          strstr(b, "\npswpout "));
    CHECK(strstr(slurp("/proc/self/status"), "\nMems_allowed_list:\t0\n") && strstr(b, "\nNSpid:\t"));
    CHECK(!strncmp(slurp("/proc/stat"), "cpu ", 4) && strstr(b, "btime ") && strstr(b, "ctxt "));
}

TEST(the_vdso_tells_what_the_processors_have_as_the_kernel_does) {
    typedef long probe_fn(long *, size_t, size_t, unsigned long *, unsigned int);
    void *vdso = dlopen("linux-gate.so.1", RTLD_NOW); // as musl calls it
    CHECK(vdso);
    probe_fn *probe = (probe_fn *)dlsym(vdso, "__vdso_riscv_hwprobe");
    CHECK(probe);
    unsigned long cpus = 1;
    for (long key = -2; key < 200; key++) {
        long here[2] = {key, 9}, there[2] = {key, 9};
        CHECK(probe(here, 1, 0, NULL, 0) == 0 && syscall(258, there, 1, 0, NULL, 0) == 0);
        CHECK(here[0] == there[0] && here[1] == there[1]);
    }
    long pair[2] = {3, 9};
    CHECK(probe(pair, 1, sizeof(cpus), &cpus, 0) == 0 && probe(pair, 1, 0, NULL, 2) == -EINVAL);
}

TEST(unknown_calls_are_ENOSYS) {
    CHECK_ERRNO(syscall(1999), ENOSYS);
    CHECK_ERRNO(syscall(-1), ENOSYS);
}

struct hwprobe_pair {
    long key;
    unsigned long value;
};

TEST(riscv_hwprobe_tells_what_the_processors_have) {
    enum { NR = 258, BASE = 3, EXTENSIONS, HIGHEST = 7, FREQUENCY };
    struct hwprobe_pair p[] = {{BASE, 9}, {EXTENSIONS, 9}, {HIGHEST, 9}, {FREQUENCY, 9}, {1000, 9}};
    unsigned long cpus = 1, none = 0, far[2] = {~0ul, ~0ul};
    CHECK(syscall(NR, p, 5, 0, NULL, 0) == 0 && p[0].value == 1);
    CHECK((p[1].value & 3) == 3 && p[2].value > (unsigned long)&cpus && p[3].value > 1000);
    CHECK(p[4].key == -1 && p[4].value == 0);
    CHECK(!strstr(slurp("/proc/cpuinfo"), "_zba_") == !(p[1].value & 8));
    CHECK(syscall(NR, p, 1, sizeof(cpus), &cpus, 0) == 0);
    CHECK_ERRNO(syscall(NR, p, 1, sizeof(none), &none, 0), EINVAL);
    CHECK_ERRNO(syscall(NR, p, 1, 0, NULL, 2), EINVAL);
    CHECK_ERRNO(syscall(NR, p, 1, 0, NULL, 1), EINVAL);
    CHECK_ERRNO(syscall(NR, NULL, 1, 0, NULL, 0), EFAULT);
    CHECK(syscall(NR, p, 2, sizeof(far), far, 1) == 0 && (far[0] & 1) && !far[1]);
    p[0].value = 2; // no processor has this
    CHECK(syscall(NR, p, 2, sizeof(far), far, 1) == 0 && !far[0]);
}
