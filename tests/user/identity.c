// SPDX-License-Identifier: MIT
// Who a process is and what that lets it do: credentials, set-id programs, looking into other processes, low
// addresses.
#include "test.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <grp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE    4096ul
#define LOWEST  0x10000ul
#define SOMEONE 1000

// The test's process is nobody special from here on; as a program that was executed so, it is dumpable.
static void become(uid_t id) {
    CHECK(!setgroups(0, NULL) && !setresgid(id, id, id) && !setresuid(id, id, id));
    CHECK(!prctl(PR_SET_DUMPABLE, 1));
}

// Not by the library, which makes another errno of EPERM.
static void *map_at(unsigned long addr, int flags) {
    return (void *)syscall(SYS_mmap, addr, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags,
                           -1, 0l);
}

// ---- helpers: this program, copied and executed with HELPER=what in its environment

static int caps(void) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    return syscall(SYS_capget, &h, d) || d[0].effective || d[0].permitted || d[1].effective || d[1].permitted;
}

static void drop_caps(void) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{0}};
    CHECK(!syscall(SYS_capset, &h, d));
}

static int lock_holder(int fd) {
    struct flock l = {.l_type = F_WRLCK};
    return fcntl(fd, F_GETLK, &l) || l.l_type == F_UNLCK ? 0 : l.l_pid;
}

static int stack_limit(void) {
    struct rlimit r;
    return getrlimit(RLIMIT_STACK, &r) ? -1 : (int)(r.rlim_cur >> 20);
}

__attribute__((constructor)) static void helper(void) {
    const char *what = getenv("HELPER");
    char c = 'x';
    if (!what)
        return;
    if (!strcmp(what, "wait")) // tells that it runs, and stays until the other side ends
        _exit(write(1, &c, 1) != 1 || read(0, &c, 1) != 0);
    if (!strcmp(what, "root")) // is it?
        _exit(geteuid() == 0 ? 1 : getegid() == 0 ? 2 : 0);
    if (!strcmp(what, "caps"))
        _exit(caps());
    if (!strcmp(what, "secure"))
        _exit(!!getauxval(AT_SECURE));
    if (!strcmp(what, "dumpable"))
        _exit(prctl(PR_GET_DUMPABLE));
    if (!strcmp(what, "stack"))
        _exit(stack_limit());
    if (!strcmp(what, "lock"))
        _exit(fcntl(9, F_GETFD) < 0 ? 100 : !!lock_holder(9));
    _exit(99);
}

static void copy_self(const char *path, mode_t mode) {
    char block[PAGE];
    ssize_t n;
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
    CHECK(from >= 0 && to >= 0);
    while ((n = read(from, block, sizeof(block))) > 0)
        CHECK(write(to, block, n) == n);
    CHECK(n == 0 && !fchmod(to, mode) && !close(from) && !close(to));
}

static void exec_helper(const char *path, const char *what) {
    char variable[32];
    char *argv[] = {(char *)path, NULL}, *envp[] = {variable, NULL};
    snprintf(variable, sizeof(variable), "HELPER=%s", what);
    execve(path, argv, envp);
    _exit(98);
}

struct job {
    const char *path, *what;
};

static int run_job(void *arg) {
    const struct job *j = arg;
    exec_helper(j->path, j->what);
    return 97;
}

static int ask(const char *path, const char *what) {
    struct job j = {path, what};
    return test_wait_exit(test_fork(run_job, &j));
}

// A child that runs `path` and waits. stop() ends it.
struct waiting {
    pid_t pid;
    int in, out;
};

static struct waiting start(const char *path) {
    int in[2], out[2];
    char c;
    CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
    pid_t pid = fork();
    if (!pid) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        exec_helper(path, "wait");
    }
    close(in[0]);
    close(out[1]);
    CHECK(read(out[0], &c, 1) == 1);
    return (struct waiting){pid, in[1], out[0]};
}

static void stop(struct waiting w) {
    close(w.in);
    close(w.out);
    CHECK(test_wait_exit(w.pid) == 0);
}

static ssize_t peek(pid_t pid) {
    static char here[8], there[8];
    struct iovec l = {here, 8}, r = {there, 8};
    return process_vm_readv(pid, &l, 1, &r, 1, 0);
}

static const char *proc(pid_t pid, const char *name) {
    static char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return path;
}

static uid_t proc_owner(pid_t pid, const char *name) {
    struct stat st;
    CHECK(!lstat(proc(pid, name), &st));
    return st.st_uid;
}

// ---- the lowest addresses

TEST(low_addresses_are_for_those_with_cap_sys_rawio) {
    for (unsigned long addr = 0; addr < LOWEST; addr += PAGE)
        CHECK(map_at(addr, MAP_FIXED) == (void *)addr && !munmap((void *)addr, PAGE));
    become(SOMEONE);
    for (unsigned long addr = 0; addr < LOWEST; addr += PAGE) {
        CHECK_ERRNO((long)map_at(addr, MAP_FIXED), EPERM);
        CHECK_ERRNO((long)map_at(addr, MAP_FIXED_NOREPLACE), EPERM);
    }
    CHECK(map_at(LOWEST, MAP_FIXED) == (void *)LOWEST);
}

TEST(mremap_and_growth_do_not_reach_low_addresses) {
    char *low = map_at(0, MAP_FIXED), *p;
    CHECK(low == NULL);
    become(SOMEONE);
    p = map_at(0, 0);
    CHECK(p != MAP_FAILED && p >= (char *)LOWEST);
    CHECK_ERRNO((long)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(2 * PAGE)), EPERM);
    CHECK_ERRNO((long)mremap(low, PAGE, 2 * PAGE, 0), ENOMEM);
    *p = 1;
}

TEST(hints_below_the_lowest_address_are_rounded_up) {
    CHECK(map_at(PAGE, 0) == (void *)LOWEST);
    CHECK(map_at(2 * LOWEST + 5, 0) == (void *)(2 * LOWEST));
    become(SOMEONE);
    CHECK((unsigned long)map_at(PAGE, 0) > LOWEST);
}

static int run(void *path) {
    execl(path, path, (char *)NULL);
    return errno;
}

TEST(programs_at_low_addresses_run_for_root_only) {
    test_make_program("/tmp/low", PAGE, 0755);
    test_make_program("/tmp/first", 0, 0755);
    test_make_program("/tmp/high", LOWEST, 0755);
    CHECK(test_wait_exit(test_fork(run, "/tmp/low")) == 42);
    CHECK(test_wait_exit(test_fork(run, "/tmp/first")) == 42);
    become(SOMEONE);
    CHECK(test_wait_exit(test_fork(run, "/tmp/low")) == EPERM);
    CHECK(test_wait_exit(test_fork(run, "/tmp/first")) == EPERM);
    CHECK(test_wait_exit(test_fork(run, "/tmp/high")) == 42);
}

static const char *sysctl(void) {
    static char text[32];
    int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(fd >= 0 && n > 0 && !close(fd));
    text[n] = 0;
    return text;
}

TEST(mmap_min_addr_can_be_read_and_set) {
    CHECK(!strcmp(sysctl(), "65536\n"));
    int fd = open("/proc/sys/vm/mmap_min_addr", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "4096", 4) == 4 && !strcmp(sysctl(), "4096\n"));
    pid_t pid = fork();
    if (!pid) {
        become(SOMEONE);
        _exit(map_at(PAGE, MAP_FIXED) != (void *)PAGE || map_at(0, MAP_FIXED) != MAP_FAILED);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK(pwrite(fd, "65536", 5, 0) == 5);
    become(SOMEONE);
    CHECK_ERRNO(pwrite(fd, "0", 1, 0), EPERM);
    CHECK_ERRNO(open("/proc/sys/vm/mmap_min_addr", O_WRONLY), EACCES);
}

// ---- what execve gives

TEST(set_id_bits_count) {
    copy_self("/tmp/setuid", 04755);
    copy_self("/tmp/setgid", 02755);
    copy_self("/tmp/lock-bit", 02745); // not executable by the group: no set-group-id
    copy_self("/tmp/plain", 0755);
    become(SOMEONE);
    CHECK(ask("/tmp/setuid", "root") == 1 && ask("/tmp/setuid", "caps") == 1);
    CHECK(ask("/tmp/setgid", "root") == 2 && ask("/tmp/setgid", "caps") == 0);
    CHECK(ask("/tmp/lock-bit", "root") == 0 && ask("/tmp/plain", "root") == 0);
    CHECK(ask("/tmp/setuid", "secure") == 1 && ask("/tmp/setgid", "secure") == 1);
    CHECK(ask("/tmp/plain", "secure") == 0);
    CHECK(ask("/tmp/setuid", "dumpable") == 0 && ask("/tmp/setgid", "dumpable") == 0);
    CHECK(ask("/tmp/plain", "dumpable") == 1);
}

static int run_sharing(void *arg) {
    exec_helper("/tmp/setuid", arg);
    return 97;
}

static int ask_sharing_place(const char *what) {
    static char stack[16 * PAGE] __attribute__((aligned(16)));
    int status;
    pid_t pid = clone(run_sharing, stack + sizeof(stack), CLONE_FS | SIGCHLD, (void *)what);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(set_id_programs_that_share_a_working_directory_get_no_privileges) {
    copy_self("/tmp/setuid", 04755);
    become(SOMEONE);
    CHECK(ask_sharing_place("root") == 0);
    CHECK(ask_sharing_place("caps") == 0);
    CHECK(ask_sharing_place("secure") == 1);
    CHECK(ask("/tmp/setuid", "root") == 1);
}

static void *just_wait(void *arg) {
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

TEST(a_thread_of_the_own_process_takes_no_privileges_away) {
    copy_self("/tmp/setuid", 04755);
    become(SOMEONE);
    pid_t pid = fork();
    if (!pid) {
        pthread_t t;
        pthread_create(&t, NULL, just_wait, NULL);
        exec_helper("/tmp/setuid", "root");
    }
    CHECK(test_wait_exit(pid) == 1);
}

TEST(no_new_privs_holds_for_ids_and_capabilities) {
    copy_self("/tmp/setuid", 04755);
    copy_self("/tmp/plain", 0755);
    CHECK(ask("/tmp/plain", "caps") == 1);
    drop_caps();
    CHECK(ask("/tmp/plain", "caps") == 1); // root gets them back
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(ask("/tmp/plain", "caps") == 0);
    CHECK(ask("/tmp/plain", "root") == 1);
}

TEST(no_new_privs_holds_for_set_id_programs) {
    copy_self("/tmp/setuid", 04755);
    become(SOMEONE);
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(ask("/tmp/setuid", "root") == 0 && ask("/tmp/setuid", "caps") == 0);
}

TEST(nosuid_mounts_give_nothing) {
    mkdir("/tmp/nosuid", 0755);
    CHECK(!mount("tmpfs", "/tmp/nosuid", "tmpfs", MS_NOSUID, "mode=755"));
    copy_self("/tmp/nosuid/setuid", 06755);
    pid_t pid = fork();
    if (!pid) {
        become(SOMEONE);
        _exit(ask("/tmp/nosuid/setuid", "root") || ask("/tmp/nosuid/setuid", "secure"));
    }
    CHECK(test_wait_exit(pid) == 0 && !umount("/tmp/nosuid"));
}

TEST(programs_with_privileges_get_an_ordinary_stack_limit) {
    struct rlimit r = {64 << 20, RLIM_INFINITY};
    copy_self("/tmp/setuid", 04755);
    copy_self("/tmp/plain", 0755);
    CHECK(!setrlimit(RLIMIT_STACK, &r));
    become(SOMEONE);
    CHECK(ask("/tmp/plain", "stack") == 64 && ask("/tmp/setuid", "stack") == 8);
}

TEST(execve_beside_other_threads_keeps_posix_locks) {
    int fd = open("/tmp/locked", O_RDWR | O_CREAT, 0600), go[2];
    char c;
    CHECK(fd >= 0 && !pipe(go));
    pid_t pid = fork();
    if (!pid) {
        struct flock l = {.l_type = F_WRLCK};
        pthread_t t;
        CHECK(!fcntl(fd, F_SETLK, &l) && !pthread_create(&t, NULL, just_wait, NULL));
        dup2(go[1], 1);
        execle("/proc/self/exe", "helper", (char *)NULL, (char *[]){"HELPER=wait", NULL});
        _exit(98);
    }
    close(go[1]);
    CHECK(read(go[0], &c, 1) == 1); // it has been executed
    CHECK(lock_holder(fd) == pid);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, NULL, 0) == pid && lock_holder(fd) == 0);
}

// ---- looking into other processes

TEST(a_process_of_the_same_user_can_be_looked_into) {
    copy_self("/tmp/plain", 0755);
    become(SOMEONE);
    struct waiting w = start("/tmp/plain");
    CHECK(peek(w.pid) == -1 && errno == EFAULT); // it is another program: the address is nothing there
    CHECK(!access(proc(w.pid, "environ"), R_OK) && open(proc(w.pid, "maps"), O_RDONLY) >= 0);
    CHECK(open(proc(w.pid, "auxv"), O_RDONLY) >= 0 && open(proc(w.pid, "fd"), O_RDONLY) >= 0);
    CHECK(proc_owner(w.pid, "environ") == SOMEONE && proc_owner(w.pid, "") == SOMEONE);
    stop(w);
}

static void check_closed(pid_t pid) {
    char b[64];
    CHECK_ERRNO(peek(pid), EPERM);
    CHECK_ERRNO(open(proc(pid, "environ"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "auxv"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "maps"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "mem"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "fd"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "fd/0"), O_RDONLY), EACCES);
    CHECK_ERRNO(open(proc(pid, "fdinfo/0"), O_RDONLY), EACCES);
    CHECK_ERRNO(readlink(proc(pid, "exe"), b, sizeof(b)), EACCES);
    CHECK_ERRNO(readlink(proc(pid, "cwd"), b, sizeof(b)), EACCES);
    CHECK_ERRNO(readlink(proc(pid, "root"), b, sizeof(b)), EACCES);
    CHECK_ERRNO(open(proc(pid, "personality"), O_RDONLY), EACCES);
    void *list;
    size_t size;
    CHECK_ERRNO(syscall(SYS_get_robust_list, pid, &list, &size), EPERM);
    CHECK(open(proc(pid, "status"), O_RDONLY) >= 0 && open(proc(pid, "cmdline"), O_RDONLY) >= 0);
}

TEST(a_set_id_program_cannot_be_looked_into) {
    copy_self("/tmp/setuid", 04755);
    copy_self("/tmp/setgid", 02755);
    become(SOMEONE);
    struct waiting w = start("/tmp/setuid"), v = start("/tmp/setgid");
    check_closed(w.pid);
    check_closed(v.pid);
    CHECK(proc_owner(v.pid, "environ") == 0 && proc_owner(v.pid, "") == SOMEONE);
    stop(w);
    stop(v);
}

TEST(a_program_that_its_user_may_not_read_cannot_be_looked_into) {
    copy_self("/tmp/unreadable", 0711);
    become(SOMEONE);
    struct waiting w = start("/tmp/unreadable");
    check_closed(w.pid);
    CHECK(proc_owner(w.pid, "environ") == 0 && proc_owner(w.pid, "fd") == 0);
    stop(w);
}

TEST(prctl_opens_and_closes_a_process) {
    int go[2], back[2];
    char c;
    become(SOMEONE);
    CHECK(!pipe(go) && !pipe(back));
    pid_t pid = fork();
    if (!pid) {
        for (int dumpable = 0; dumpable < 2; dumpable++)
            if (prctl(PR_SET_DUMPABLE, dumpable) || write(back[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
                _exit(1);
        _exit(0);
    }
    CHECK(read(back[0], &c, 1) == 1);
    check_closed(pid);
    CHECK(write(go[1], "x", 1) == 1 && read(back[0], &c, 1) == 1);
    CHECK(peek(pid) == 8 && proc_owner(pid, "environ") == SOMEONE);
    CHECK(write(go[1], "x", 1) == 1 && test_wait_exit(pid) == 0);
    CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
}

TEST(a_change_of_identity_closes_a_process_until_the_next_execve) {
    copy_self("/tmp/plain", 0755);
    CHECK(prctl(PR_GET_DUMPABLE) == 1);
    CHECK(!setresgid(-1, SOMEONE, -1) && prctl(PR_GET_DUMPABLE) == 0);
    CHECK(!prctl(PR_SET_DUMPABLE, 1) && !setresuid(-1, -1, SOMEONE) && prctl(PR_GET_DUMPABLE) == 1);
    CHECK(setfsuid(SOMEONE) == 0 && prctl(PR_GET_DUMPABLE) == 0);
    CHECK(ask("/tmp/plain", "dumpable") == 0); // the group is another still
    CHECK(!setresgid(SOMEONE, SOMEONE, SOMEONE) && !setresuid(SOMEONE, SOMEONE, SOMEONE));
    CHECK(prctl(PR_GET_DUMPABLE) == 0 && ask("/tmp/plain", "dumpable") == 1);
}

TEST(capabilities_that_the_caller_lacks_keep_it_out) {
    int go[2];
    char c;
    CHECK(!pipe(go) && !prctl(PR_SET_KEEPCAPS, 1));
    CHECK(!setresgid(SOMEONE, SOMEONE, SOMEONE) && !setresuid(SOMEONE, SOMEONE, SOMEONE));
    CHECK(!prctl(PR_SET_DUMPABLE, 1));
    pid_t parent = getpid(), pid = fork();
    if (!pid) {
        if (peek(parent) != 8)
            _exit(1);
        drop_caps();
        _exit(peek(parent) != -1 || errno != EPERM);
    }
    close(go[1]);
    CHECK(read(go[0], &c, 1) == 0 && test_wait_exit(pid) == 0);
}

TEST(what_was_opened_before_an_execve_shows_nothing_after_it) {
    static const char *const names[] = {"maps", "environ", "auxv"};
    int fds[3], mem, go[2];
    char b[64];
    static char kept;
    copy_self("/tmp/setuid", 04755);
    become(SOMEONE);
    CHECK(!pipe(go));
    pid_t pid = fork();
    if (!pid) {
        CHECK(read(go[0], b, 1) == 1);
        dup2(go[1], 1);
        exec_helper("/tmp/setuid", "wait");
    }
    for (int i = 0; i < 3; i++) {
        fds[i] = open(proc(pid, names[i]), O_RDONLY);
        CHECK(fds[i] >= 0 && pread(fds[i], b, sizeof(b), 0) > 0);
    }
    mem = open(proc(pid, "mem"), O_RDWR);
    CHECK(pwrite(mem, "m", 1, (off_t)&kept) == 1 && pread(mem, b, 1, (off_t)&kept) == 1 && *b == 'm');
    CHECK(write(go[1], "x", 1) == 1);
    while (proc_owner(pid, "environ") != 0)
        sched_yield();
    CHECK(pread(mem, b, 1, (off_t)&kept) == 0 && pwrite(mem, "n", 1, (off_t)&kept) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pread(fds[i], b, sizeof(b), 0) == 0);
    kill(pid, SIGKILL);
}
