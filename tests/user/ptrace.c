// SPDX-License-Identifier: MIT
// ptrace(2): what a tracer sees and changes of a process that is stopped. Who may trace whom, and how that begins and ends,
// is in tracing.c.
#include "trace.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

static struct call_info call_info(pid_t pid) {
    struct call_info info;
    CHECK(trace(0x420e, pid, sizeof(info), (unsigned long)&info) > 0);
    return info;
}

static siginfo_t stop_info(pid_t pid) {
    siginfo_t info;
    CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&info) == 0);
    return info;
}

// To the next stop, at a system call.
static void next_call(pid_t pid) {
    CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == CALL_STOP);
}

static int nothing(void) {
    return 0;
}

static int asks_for_its_parent(void) {
    return syscall(SYS_getppid, 1, 2, 3, 4, 5, 6) == 42;
}

// ---- system calls

TEST(a_call_stops_at_both_ends_with_what_it_is) {
    pid_t pid = traced_child(asks_for_its_parent, PTRACE_O_TRACESYSGOOD);
    do
        next_call(pid);
    while (get_registers(pid).a[7] != SYS_getppid);
    struct registers r = get_registers(pid);
    struct call_info c = call_info(pid);
    CHECK((long)r.a[0] == -ENOSYS && r.a[1] == 2 && r.a[5] == 6);
    CHECK(c.op == 1 && c.arch == 0xc00000f3 && c.ip == r.pc && c.sp == r.sp && c.entry.nr == SYS_getppid);
    CHECK(c.entry.args[0] == 1 && c.entry.args[5] == 6);
    siginfo_t info = stop_info(pid);
    CHECK(info.si_signo == SIGTRAP && info.si_code == CALL_STOP && info.si_pid == pid);
    unsigned long message;
    CHECK(trace(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&message) == 0 && message == 1);
    next_call(pid);
    c = call_info(pid);
    CHECK(c.op == 2 && c.exit.rval == getpid() && !c.exit.is_error);
    CHECK((pid_t)get_registers(pid).a[0] == getpid());
    CHECK(trace(0x420e, pid, 8, (unsigned long)&c) == 33 && trace(0x420e, pid, 0, 0) == 33);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

TEST(without_the_option_a_call_stop_is_a_trap) {
    pid_t pid = traced_child(nothing, 0);
    CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == SIGTRAP && stop_info(pid).si_code == SIGTRAP && call_info(pid).op == 0);
    end(pid);
}

TEST(a_call_can_be_another_and_can_be_left_out) {
    pid_t pid = traced_child(asks_for_its_parent, PTRACE_O_TRACESYSGOOD);
    do
        next_call(pid);
    while (get_registers(pid).a[7] != SYS_getppid);
    struct registers r = get_registers(pid);
    r.a[7] = -1;
    set_registers(pid, &r);
    next_call(pid);
    r = get_registers(pid);
    CHECK((long)r.a[0] == -ENOSYS);
    r.a[0] = 42;
    set_registers(pid, &r);
    go(pid, 0);
    CHECK(wait_end(pid) == 1 << 8);

    pid = traced_child(asks_for_its_parent, PTRACE_O_TRACESYSGOOD);
    do
        next_call(pid);
    while (get_registers(pid).a[7] != SYS_getppid);
    r = get_registers(pid);
    r.a[7] = SYS_getpid;
    set_registers(pid, &r);
    next_call(pid);
    CHECK((pid_t)get_registers(pid).a[0] == pid);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

static int to_child[2];

static int sleeps_twice(void) {
    struct timespec t = {0, 700000000};
    char c;
    return syscall(SYS_nanosleep, &t, NULL) < 0 || read(to_child[0], &c, 1) != 1;
}

// Until the entry of call nr; then it is interrupted, by a signal that is ignored, and this is its result.
static long interrupted(pid_t pid, long nr) {
    do
        next_call(pid);
    while (call_info(pid).op != 1 || (long)call_info(pid).entry.nr != nr);
    CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
    wait_state(pid, 'S');
    CHECK(kill(pid, SIGWINCH) == 0);
    CHECK(wait_stop(pid) == CALL_STOP);
    long result = (long)get_registers(pid).a[0];
    CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
    CHECK(wait_stop(pid) == SIGWINCH);
    struct registers r = get_registers(pid);
    CHECK((long)r.a[7] == nr && (long)r.a[0] != result); // set to be made again
    return result;
}

TEST(an_interrupted_call_shows_how_it_is_made_again) {
    CHECK(pipe(to_child) == 0);
    pid_t pid = traced_child(sleeps_twice, PTRACE_O_TRACESYSGOOD);
    CHECK(interrupted(pid, SYS_nanosleep) == -516);
    next_call(pid);
    CHECK(call_info(pid).op == 1 && call_info(pid).entry.nr == SYS_restart_syscall);
    CHECK(interrupted(pid, SYS_read) == -512);
    next_call(pid);
    CHECK(call_info(pid).op == 1 && call_info(pid).entry.nr == SYS_read);
    CHECK(write(to_child[1], "x", 1) == 1);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

TEST(a_call_is_made_where_the_tracer_says) {
    pid_t pid = traced_child(sleeps_twice, PTRACE_O_TRACESYSGOOD);
    CHECK(interrupted(pid, SYS_nanosleep) == -516);
    struct registers r = get_registers(pid); // leave the call out: it goes on behind it
    r.pc += 4;
    r.a[0] = 0;
    set_registers(pid, &r);
    do
        next_call(pid);
    while (call_info(pid).op != 1);
    CHECK(call_info(pid).entry.nr != SYS_restart_syscall && call_info(pid).entry.nr != SYS_nanosleep);
    end(pid);
}

static int registers_for_rseq(void) {
    static struct { uint32_t words[8]; } area __attribute__((aligned(32)));
    syscall(SYS_rseq, &area, sizeof(area), 0, 0x1234567);
    raise(SIGUSR1);
    return 0;
}

TEST(where_it_registered_for_rseq_is_told) {
    struct {
        uint64_t pointer;
        uint32_t size, signature, flags, pad;
    } conf;
    pid_t pid = traced_child(registers_for_rseq, 0);
    CHECK(trace(0x420f, pid, sizeof(conf), (unsigned long)&conf) == sizeof(conf) && !conf.pointer);
    CHECK(trace(0x420f, pid, 0, 0) == sizeof(conf));
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    CHECK(trace(0x420f, pid, sizeof(conf), (unsigned long)&conf) == sizeof(conf));
    CHECK(conf.pointer && conf.size == 32 && conf.signature == 0x1234567 && !conf.flags);
    end(pid);
}

// ---- memory

static int shows_its_text(void) {
    raise(SIGUSR1);
    return asks_for_its_parent();
}

TEST(words_of_memory_are_read_and_written) {
    static volatile unsigned long word = 0x1122334455667788;
    pid_t pid = traced_child(nothing, 0);
    unsigned long got;
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(trace(PTRACE_PEEKDATA, pid, (unsigned long)&word, (unsigned long)&got) == 0 && got == word);
    CHECK(trace(PTRACE_POKEDATA, pid, (unsigned long)&word, 5) == 0 && word == 0x1122334455667788);
    CHECK(trace(PTRACE_PEEKTEXT, pid, (unsigned long)&word, (unsigned long)&got) == 0 && got == 5);
    CHECK(trace(PTRACE_PEEKTEXT, pid, (unsigned long)&word + 1, (unsigned long)&got) == 0);
    CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, (unsigned long)page, (unsigned long)&got), EIO);
    CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, 8, (unsigned long)&got), EIO);
    CHECK_ERRNO(trace(PTRACE_POKEDATA, pid, -8ul, 1), EIO);
    CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, (unsigned long)&word, 8), EFAULT);
    CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, 0, (unsigned long)&got), EIO);
    end(pid);
}

TEST(a_breakpoint_in_text_stops_one_process_only) {
    unsigned long at = (unsigned long)shows_its_text, word, got;
    memcpy(&word, (void *)at, sizeof(word));
    pid_t pid = traced_child(shows_its_text, 0);
    CHECK(trace(PTRACE_POKETEXT, pid, at, (word & ~0xfffful) | 0x9002) == 0); // c.ebreak
    CHECK(memcmp(&word, (void *)at, sizeof(word)) == 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGTRAP);
    CHECK(get_registers(pid).pc == at && stop_info(pid).si_code == TRAP_BRKPT);
    CHECK(trace(PTRACE_POKETEXT, pid, at, word) == 0);
    CHECK(trace(PTRACE_PEEKTEXT, pid, at, (unsigned long)&got) == 0 && got == word);
    CHECK_ERRNO(trace(PTRACE_SINGLESTEP, pid, 0, 0), EIO);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);
}

// ---- registers

static int counts_in_fp(void) {
    register double d __asm__("fs5") = 1.5;
    __asm__ volatile("" : "+f"(d));
    syscall(SYS_getppid);
    __asm__ volatile("" : "+f"(d));
    return d == 4.25 ? 7 : 8;
}

TEST(registers_are_read_and_written_in_parts) {
    struct {
        double f[32];
        uint64_t fcsr;
    } fp;
    unsigned long part[4] = {0};
    struct iovec iov = {&fp, sizeof(fp)};
    pid_t pid = traced_child(counts_in_fp, PTRACE_O_TRACESYSGOOD);
    do
        next_call(pid);
    while (get_registers(pid).a[7] != SYS_getppid);
    CHECK(trace(PTRACE_GETREGSET, pid, NT_PRFPREG, (unsigned long)&iov) == 0 && iov.iov_len == 264);
    CHECK(fp.f[21] == 1.5);
    fp.f[21] = 4.25;
    iov.iov_len = 22 * 8;
    CHECK(trace(PTRACE_SETREGSET, pid, NT_PRFPREG, (unsigned long)&iov) == 0 && iov.iov_len == 22 * 8);
    iov = (struct iovec){part, 24};
    CHECK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov) == 0 && iov.iov_len == 24);
    struct registers r = get_registers(pid);
    CHECK(part[0] == r.pc && part[2] == r.sp && part[3] == 0);
    iov.iov_len = 1000000;
    CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8), EFAULT);
    CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, 77, (unsigned long)&iov), EINVAL);
    iov = (struct iovec){part, 12};
    CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov), EINVAL);
    iov = (struct iovec){(void *)8, 16};
    CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (unsigned long)&iov), EFAULT);
    go(pid, 0);
    CHECK(wait_end(pid) == 7 << 8);
}

static int answers_in_a_saved_register(void) {
    register long s __asm__("s7") = 1;
    __asm__ volatile("" : "+r"(s));
    syscall(SYS_getppid);
    __asm__ volatile("" : "+r"(s));
    return (int)s;
}

TEST(a_register_set_at_a_calls_entry_is_there_after_it) {
    pid_t pid = traced_child(answers_in_a_saved_register, PTRACE_O_TRACESYSGOOD);
    do
        next_call(pid);
    while (get_registers(pid).a[7] != SYS_getppid);
    struct registers r = get_registers(pid);
    CHECK(r.s2_11[5] == 1);
    r.s2_11[5] = 9;
    set_registers(pid, &r);
    go(pid, 0);
    CHECK(wait_end(pid) == 9 << 8);
}

// ---- signals

static volatile int seen, seen_code, seen_pid;
static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)context;
    seen = sig;
    seen_code = info->si_code;
    seen_pid = info->si_pid;
}

static int takes_a_signal(void) {
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &a, NULL);
    sigaction(SIGUSR2, &a, NULL);
    raise(SIGUSR1);
    return seen;
}

static int tells_who_sent(void) {
    return takes_a_signal() * 10 + (seen_code == SI_USER) + 2 * (seen_pid == getppid());
}

TEST(a_signal_is_passed_on_left_out_or_replaced) {
    pid_t pid = traced_child(takes_a_signal, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1 && stop_info(pid).si_code == SI_TKILL && stop_info(pid).si_pid == pid);
    go(pid, SIGUSR1);
    CHECK(wait_end(pid) == SIGUSR1 << 8);

    pid = traced_child(takes_a_signal, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 65), EIO);
    go(pid, 0);
    CHECK(wait_end(pid) == 0);

    pid = traced_child(tells_who_sent, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    go(pid, SIGUSR2);
    CHECK(wait_end(pid) == (SIGUSR2 * 10 + 3) << 8);

    pid = traced_child(tells_who_sent, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    siginfo_t info = stop_info(pid);
    info.si_code = SI_USER;
    info.si_pid = 1;
    CHECK(trace(PTRACE_SETSIGINFO, pid, 0, (unsigned long)&info) == 0);
    go(pid, SIGUSR1);
    CHECK(wait_end(pid) == (SIGUSR1 * 10 + 1) << 8);

    pid = traced_child(takes_a_signal, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    go(pid, SIGKILL);
    CHECK(wait_end(pid) == SIGKILL);
}

static int ignores(void) {
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    raise(SIGURG);
    return 3;
}

TEST(ignored_signals_are_shown) {
    pid_t pid = traced_child(ignores, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGUSR1);
    go(pid, SIGUSR1);
    CHECK(wait_stop(pid) == SIGURG);
    go(pid, SIGURG);
    CHECK(wait_end(pid) == 3 << 8);
}

static int ends_by_a_signal(void) {
    raise(SIGTERM);
    return 4;
}

TEST(a_signal_that_would_end_it_is_shown_first) {
    pid_t pid = traced_child(ends_by_a_signal, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGTERM);
    go(pid, 0);
    CHECK(wait_end(pid) == 4 << 8);
    pid = traced_child(ends_by_a_signal, 0);
    go(pid, 0);
    CHECK(wait_stop(pid) == SIGTERM);
    go(pid, SIGTERM);
    CHECK(wait_end(pid) == SIGTERM);
}

TEST(masks_and_queues_are_looked_at) {
    pid_t pid = traced_child(nothing, 0);
    uint64_t mask = 1ull << (SIGUSR1 - 1) | 1ull << (SIGUSR2 - 1) | 1ull << (SIGKILL - 1);
    CHECK(trace(0x420b, pid, 8, (unsigned long)&mask) == 0);
    CHECK(trace(0x420a, pid, 8, (unsigned long)&mask) == 0 &&
          mask == (1ull << (SIGUSR1 - 1) | 1ull << (SIGUSR2 - 1)));
    CHECK_ERRNO(trace(0x420a, pid, 4, (unsigned long)&mask), EINVAL);
    kill(pid, SIGUSR2);
    kill(pid, SIGUSR1);
    syscall(SYS_tkill, pid, SIGUSR1);
    siginfo_t info[4];
    struct {
        uint64_t off;
        uint32_t flags;
        int32_t nr;
    } args = {0, 1, 4};
    CHECK(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info) == 2);
    CHECK(info[0].si_signo == SIGUSR2 && info[1].si_signo == SIGUSR1 && info[0].si_pid == getpid());
    args.off = 1;
    CHECK(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info) == 1 && info[0].si_signo == SIGUSR1);
    args.off = 5;
    CHECK(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info) == 0);
    args.off = args.flags = 0;
    CHECK(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info) == 1 && info[0].si_code == SI_TKILL);
    args.nr = -1;
    CHECK_ERRNO(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info), EINVAL);
    args.nr = 1;
    args.flags = 2;
    CHECK_ERRNO(trace(0x4209, pid, (unsigned long)&args, (unsigned long)info), EINVAL);
    end(pid);
}
