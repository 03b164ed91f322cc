// SPDX-License-Identifier: MIT
// What one may take: limits of file systems in memory, of users and of processes. The tests run as root in a machine of
// some hundred MiB; what takes memory away in earnest is tests/boot/test_memory.py's.
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>

#define PAGE 4096

static char *slurp(const char *path) {
    static char text[65536];
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t n = 0, part;
    while ((part = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += part;
    close(fd);
    text[n] = '\0';
    return text;
}

static void mount_new(const char *type, const char *options) {
    (void)mkdir("m", 0755);
    CHECK(mount("limits", "m", type, 0, options) == 0);
}

static long fill(const char *path) {
    static char page[PAGE];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    CHECK(fd >= 0);
    while (write(fd, page, sizeof(page)) == sizeof(page))
        ;
    CHECK(errno == ENOSPC);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && close(fd) == 0);
    return st.st_size;
}

// ---- RLIMIT_FSIZE

static volatile int too_long;

static void on_too_long(int sig) {
    (void)sig;
    too_long++;
}

TEST(no_call_makes_a_file_longer_than_the_limit) {
    struct rlimit l = {2 * PAGE, 2 * PAGE};
    struct stat st;
    static char page[PAGE];
    int fd = open("long", O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0 && ftruncate(fd, 5 * PAGE) == 0);
    signal(SIGXFSZ, on_too_long);
    CHECK(setrlimit(RLIMIT_FSIZE, &l) == 0);
    CHECK_ERRNO(ftruncate(fd, 5 * PAGE + 1), EFBIG);
    CHECK_ERRNO(truncate("long", 6 * PAGE), EFBIG);
    CHECK(too_long == 2);
    CHECK_ERRNO(fallocate(fd, 0, 4 * PAGE, PAGE + 1), EFBIG);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 5 * PAGE, PAGE), EFBIG);
    CHECK(too_long == 4);
    CHECK_ERRNO(pwrite(fd, page, PAGE, 2 * PAGE), EFBIG); // though the file is that long
    CHECK(too_long == 5);
    // What makes it no longer is allowed.
    CHECK(ftruncate(fd, 5 * PAGE) == 0 && fallocate(fd, 0, 3 * PAGE, 2 * PAGE) == 0);
    CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * PAGE, 9 * PAGE) == 0);
    CHECK(ftruncate(fd, PAGE) == 0 && fallocate(fd, 0, 0, 2 * PAGE) == 0);
    CHECK(pwrite(fd, page, PAGE, PAGE + 100) == PAGE - 100);
    CHECK(too_long == 5 && fstat(fd, &st) == 0 && st.st_size == 2 * PAGE && close(fd) == 0 &&
          unlink("long") == 0);
}

// ---- tmpfs and ramfs

TEST(tmpfs_holds_as_much_as_its_size_says) {
    struct statfs s;
    mount_new("tmpfs", "size=64k");
    CHECK(statfs("m", &s) == 0 && s.f_blocks == 16 && s.f_bfree == 16);
    CHECK(fill("m/file") == 64 * 1024);
    CHECK(statfs("m", &s) == 0 && s.f_bfree == 0 && s.f_bavail == 0);
    CHECK(truncate("m/file", 3 * PAGE) == 0 && statfs("m", &s) == 0 && s.f_bfree == 13);
    CHECK(unlink("m/file") == 0 && statfs("m", &s) == 0 && s.f_bfree == 16);
    CHECK(umount("m") == 0);
}

TEST(tmpfs_remount_changes_its_size) {
    mount_new("tmpfs", "size=64k");
    CHECK(mount("", "m", NULL, MS_REMOUNT, "size=128k") == 0);
    CHECK(fill("m/file") == 128 * 1024);
    CHECK_ERRNO(mount("", "m", NULL, MS_REMOUNT, "size=124k"), EINVAL);
    CHECK(truncate("m/file", 124 * 1024) == 0);
    CHECK(mount("", "m", NULL, MS_REMOUNT, "size=124k") == 0);
    CHECK(strstr(slurp("/proc/mounts"), "size=124k"));
    CHECK(mount("", "m", NULL, MS_REMOUNT, NULL) == 0 && strstr(slurp("/proc/mounts"), "size=124k"));
    CHECK(mount("", "m", NULL, MS_REMOUNT, "size=0") ==
          0); // no limit, and once there is none there will be none
    CHECK_ERRNO(mount("", "m", NULL, MS_REMOUNT, "size=1m"), EINVAL);
    CHECK(umount("m") == 0);
}

TEST(tmpfs_counts_names_long_targets_and_further_links) {
    struct statfs s;
    char target[200];
    memset(target, 't', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    mount_new("tmpfs", "size=8k,nr_inodes=5");
    CHECK(statfs("m", &s) == 0 && s.f_files == 5 && s.f_ffree == 4);
    CHECK(symlink(target, "m/long") == 0 && symlink("short", "m/short") == 0);
    CHECK(statfs("m", &s) == 0 && s.f_bfree == 1 && s.f_ffree == 2);
    CHECK(close(open("m/file", O_CREAT | O_WRONLY, 0600)) == 0 && link("m/file", "m/again") == 0);
    CHECK_ERRNO(link("m/file", "m/third"), ENOSPC);
    CHECK_ERRNO(mkdir("m/dir", 0700), ENOSPC);
    CHECK_ERRNO(mount("", "m", NULL, MS_REMOUNT, "nr_inodes=4"), EINVAL);
    CHECK(unlink("m/again") == 0 && mkdir("m/dir", 0700) == 0 && unlink("m/long") == 0);
    CHECK(statfs("m", &s) == 0 && s.f_bfree == 2 && s.f_ffree == 1);
    CHECK(mount("", "m", NULL, MS_REMOUNT, "nr_inodes=4") == 0);
    CHECK(umount("m") == 0);
}

TEST(tmpfs_refuses_options_it_does_not_know) {
    static const char *const bad[] = {"bogus=1", "size",  "size=",   "size=1x",   "mode=9",      "mode=",
                                      "uid=-1",  "gid=x", "noswap=", "huge=many", "nr_inodes=k9"};
    (void)mkdir("m", 0755);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_ERRNO(mount("limits", "m", "tmpfs", 0, bad[i]), EINVAL);
    mount_new("tmpfs", "size=50%,nr_inodes=1k,mode=0750,uid=7,gid=0008,noswap,inode64");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_ERRNO(mount("", "m", NULL, MS_REMOUNT, bad[i]), EINVAL);
    struct stat st;
    CHECK(stat("m", &st) == 0 && st.st_mode == (S_IFDIR | 0750) && st.st_uid == 7 && st.st_gid == 8);
    CHECK(strstr(slurp("/proc/mounts"), ",nr_inodes=1024,mode=750,uid=7,gid=8 "));
    CHECK(umount("m") == 0);
}

TEST(tmpfs_is_half_of_memory_for_everybody_if_nobody_says_otherwise) {
    struct statfs s;
    struct stat st;
    mount_new("tmpfs", NULL);
    CHECK(stat("m", &st) == 0 && st.st_mode == (S_IFDIR | 01777));
    CHECK(statfs("m", &s) == 0 && s.f_blocks > 0 && s.f_files == s.f_blocks);
    unsigned long total = strtoul(strstr(slurp("/proc/meminfo"), "MemTotal:") + 9, NULL, 10) / 4;
    CHECK(s.f_blocks <= total / 2 && s.f_blocks > total / 4);
    CHECK(umount("m") == 0);
}

TEST(statfs_of_the_root_shows_what_is_used) {
    struct statfs before, after;
    char bytes[10 * PAGE] = {1};
    CHECK(statfs("/", &before) == 0 && before.f_blocks > before.f_bfree && before.f_files > before.f_ffree);
    int fd = open("/statfs-of-the-root", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
    CHECK(statfs("/", &after) == 0);
    CHECK(after.f_blocks == before.f_blocks && after.f_bfree == before.f_bfree - 10 &&
          after.f_ffree == before.f_ffree - 1);
    CHECK(unlink("/statfs-of-the-root") == 0 && close(fd) == 0 && statfs("/", &after) == 0);
    CHECK(after.f_bfree == before.f_bfree && after.f_ffree == before.f_ffree);
}

TEST(ramfs_has_no_limits_and_ignores_options) {
    struct statfs s;
    struct stat st;
    mount_new("ramfs", "mode=0711,size=4k,bogus");
    CHECK(statfs("m", &s) == 0 && s.f_type == 0x858458f6 && s.f_blocks == 0);
    CHECK(stat("m", &st) == 0 && st.st_mode == (S_IFDIR | 0711));
    char bytes[3 * PAGE] = {0};
    int fd = open("m/file", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, bytes, sizeof(bytes)) == sizeof(bytes) && close(fd) == 0);
    CHECK(mount("", "m", NULL, MS_REMOUNT, "size=4k") == 0);
    CHECK(umount("m") == 0);
}

static long free_pages(void) {
    return test_number_in("/proc/meminfo", "MemFree:") / 4;
}

TEST(memory_of_a_tmpfs_comes_back_when_it_is_unmounted) {
    char name[64], block[256 * 1024] = {1};
    long before = free_pages();
    mount_new("tmpfs", NULL);
    CHECK(mkdir("m/a", 0700) == 0 && mkdir("m/a/b", 0700) == 0);
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof(name), i % 2 ? "m/a/b/%d" : "m/a/%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        CHECK(fd >= 0 && write(fd, block, sizeof(block)) == sizeof(block) && close(fd) == 0);
    }
    CHECK(mkdir("m2", 0700) == 0 && mount("m/a", "m2", NULL, MS_BIND, NULL) == 0 && umount("m") == 0);
    CHECK(access("m2/b/1", F_OK) == 0 && free_pages() < before - 16 * 64); // others free at the same time
    CHECK(umount("m2") == 0 && free_pages() > before - 64);
}

// ---- out of memory

TEST(oom_score_follows_what_a_process_has_and_its_adjustment) {
    size_t n = 64 << 20;
    long before = strtol(slurp("/proc/self/oom_score"), NULL, 10);
    CHECK(before >= 666 && before < 700);
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(p != MAP_FAILED && strtol(slurp("/proc/self/oom_score"), NULL, 10) > before + 20);
    int fd = open("/proc/self/oom_score_adj", O_RDWR);
    CHECK(fd >= 0 && write(fd, "1000\n", 5) == 5 && strtol(slurp("/proc/self/oom_score"), NULL, 10) > 1333);
    CHECK(strtol(slurp("/proc/self/oom_adj"), NULL, 10) == 15);
    CHECK(write(fd, "-1000", 5) == 5 && strtol(slurp("/proc/self/oom_score"), NULL, 10) == 0);
    CHECK(strtol(slurp("/proc/self/oom_adj"), NULL, 10) == -17);
    CHECK_ERRNO(write(fd, "1001", 4), EINVAL);
    CHECK_ERRNO(write(fd, "x", 1), EINVAL);
    CHECK(write(fd, "-500", 4) == 4);
    CHECK(setuid(1000) == 0); // what the privileged set is as low as others may go
    CHECK(write(fd, "300", 3) == 3 && write(fd, "-500", 4) == 4);
    CHECK_ERRNO(write(fd, "-501", 4), EACCES);
}

// ---- users and processes

static long number_of(const char *path) {
    return strtol(slurp(path), NULL, 10);
}

// Children that wait, until there can be no more: how many, and why.
static int fork_all(int *error) {
    int n = 0;
    pid_t pid;
    while ((pid = fork()) > 0)
        n++;
    if (pid == 0)
        for (;;)
            pause();
    *error = errno;
    return n;
}

static int leave(void *arg) {
    return arg != NULL;
}

TEST(a_user_has_as_many_processes_and_threads_as_the_limit_says) {
    struct rlimit limit, ten = {10, 10};
    int error;
    CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0 &&
          (long)limit.rlim_cur == number_of("/proc/sys/kernel/threads-max") / 2);
    CHECK(getrlimit(RLIMIT_SIGPENDING, &limit) == 0 &&
          (long)limit.rlim_cur == number_of("/proc/sys/kernel/threads-max") / 2);
    CHECK(setrlimit(RLIMIT_NPROC, &ten) == 0);
    CHECK(test_wait_exit(test_fork(leave, NULL)) == 0); // root is not bound
    CHECK(setuid(4321) == 0);
    CHECK(fork_all(&error) == 9 && error == EAGAIN);
}

// An execve() that is to fail. The errno; 0: another result.
static int exec_errno(const char *path) {
    return execl(path, path, (char *)NULL) == -1 ? errno : 0;
}

static void limit_processes(rlim_t n) {
    struct rlimit limit = {n, 100};
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
}

static bool *has_failed; // shared

static int become_beyond_the_limit(void *program) {
    CHECK(setuid(4323) == 0); // it does not fail itself
    CHECK(exec_errno(program) == EAGAIN && exec_errno("/no/such/file") == EAGAIN);
    *has_failed = true;
    limit_processes(3); // itself and the two: no longer beyond
    CHECK(exec_errno("/no/such/file") == ENOENT);
    limit_processes(1); // who was seen below it once is not asked again
    return exec_errno(program);
}

TEST(execve_fails_while_the_user_changed_to_is_beyond_its_limit_of_processes) {
    static char program[] = "/tmp/ends-with-42";
    int ready[2], go[2];
    char byte;
    test_make_program(program, 0x100000, 0755);
    CHECK(pipe(ready) == 0 && pipe(go) == 0);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            CHECK(setuid(4323) == 0 && write(ready[1], "", 1) == 1);
            (void)!read(go[0], &byte, 1);
            _exit(0);
        }
        CHECK(read(ready[0], &byte, 1) == 1);
    }
    limit_processes(1);
    has_failed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(test_wait_exit(test_fork(become_beyond_the_limit, program)) == 42 && *has_failed);
    pid_t pid = fork();
    if (pid == 0) // who has not changed its user is not bound
        _exit(exec_errno(program));
    CHECK(test_wait_exit(pid) == 42);
    CHECK(write(go[1], "ab", 2) == 2);
}

// On Linux, too, but there is no end of them there.
TEST(a_text_that_was_too_much_is_there_when_others_have_gone) {
    enum { AREAS = 4000, TEXTS = 400 };
    char *areas = mmap(NULL, AREAS * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), start[20];
    for (int i = 0; i < AREAS; i += 2)
        CHECK(areas != MAP_FAILED && mprotect(areas + i * PAGE, PAGE, PROT_NONE) == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){TEXTS + 50, TEXTS + 50}) == 0 && setuid(4326) == 0);
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    int fds[TEXTS], n = 0, last;
    ssize_t got;
    do
        CHECK((last = fds[n++] = open("/proc/self/maps", O_RDONLY)) >= 0);
    while ((got = read(last, start, sizeof(start))) > 0 && n < TEXTS);
    CHECK(got == sizeof(start) || (got < 0 && errno == ENOMEM));
    while (n-- > 1)
        CHECK(close(fds[n - 1]) == 0);
    CHECK(pread(last, start, sizeof(start), 0) == sizeof(start));
}

// Zombies with them, which count.
static long count_processes(void) {
    DIR *proc = opendir("/proc");
    long n = 0;
    CHECK(proc);
    for (struct dirent *d; (d = readdir(proc));)
        n += d->d_name[0] >= '1' && d->d_name[0] <= '9';
    closedir(proc);
    return n;
}

TEST(threads_max_binds_all) {
    int error, n = 0;
    long before = number_of("/proc/sys/kernel/threads-max"), now;
    char text[32];
    now = count_processes();
    snprintf(text, sizeof(text), "%ld", now + 20);
    int fd = open("/proc/sys/kernel/threads-max", O_RDWR);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) > 0);
    n = fork_all(&error);
    snprintf(text, sizeof(text), "%ld", before);
    CHECK(pwrite(fd, text, strlen(text), 0) > 0);
    CHECK(n >= 19 && n <= 60 && error == EAGAIN); // some of tests before may have ended since
    CHECK_ERRNO(pwrite(fd, "19", 2, 0), EINVAL);
}

TEST(queued_signals_are_counted_for_all_processes_of_a_user) {
    struct rlimit ten = {10, 10};
    sigset_t all;
    int n = 0;
    sigfillset(&all);
    CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0 && setrlimit(RLIMIT_SIGPENDING, &ten) == 0 &&
          setuid(4322) == 0);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    while (n < 7 && sigqueue(child, SIGRTMIN, (union sigval){0}) == 0)
        n++;
    while (n < 20 && sigqueue(getpid(), SIGRTMIN + 1, (union sigval){0}) == 0)
        n++;
    CHECK(n == 10 && errno == EAGAIN && strstr(slurp("/proc/self/status"), "SigQ:\t10/10\n"));
    timer_t t;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    CHECK_ERRNO(timer_create(CLOCK_MONOTONIC, &none, &t), EAGAIN);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(strstr(slurp("/proc/self/status"), "SigQ:\t4/10\n")); // and SIGCHLD
    CHECK(timer_create(CLOCK_MONOTONIC, &none, &t) == 0 &&
          strstr(slurp("/proc/self/status"), "SigQ:\t5/10\n"));
    CHECK(timer_delete(t) == 0 && strstr(slurp("/proc/self/status"), "SigQ:\t4/10\n"));
}

TEST(pipes_of_a_user_who_has_many_become_small) {
    long soft = number_of("/proc/sys/fs/pipe-user-pages-soft");
    CHECK(soft > 0 && soft <= 16384 && number_of("/proc/sys/fs/pipe-user-pages-hard") == 0);
    struct rlimit many = {4096, 4096};
    int p[2];
    CHECK(setrlimit(RLIMIT_NOFILE, &many) == 0 && setuid(4323) == 0);
    for (long left = soft; left >= 16; left -= 16)
        CHECK(pipe(p) == 0 && fcntl(p[0], F_GETPIPE_SZ) == 16 * PAGE);
    CHECK(pipe(p) == 0 && fcntl(p[0], F_GETPIPE_SZ) == 2 * PAGE);
    CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, 16 * PAGE), EPERM);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, PAGE) == PAGE);
}

TEST(open_files_of_users_are_bounded) {
    long max = number_of("/proc/sys/fs/file-max"), open_now, room;
    int fd = open("/proc/sys/fs/file-max", O_RDWR), n = 0;
    CHECK(sscanf(slurp("/proc/sys/fs/file-nr"), "%ld 0 %ld", &open_now, &room) == 2 && room == max);
    char text[32];
    snprintf(text, sizeof(text), "%ld", open_now + 100);
    CHECK(fd >= 0 && pwrite(fd, text, strlen(text), 0) > 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(setuid(4324) == 0);
        while (n < 1000 && dup(0) >= 0 && open("/dev/null", O_RDONLY) >= 0)
            n++;
        CHECK(n < 500 && errno == ENFILE);
        _exit(0);
    }
    int status = test_wait_exit(pid);
    int root = open("/dev/null", O_RDONLY); // root is not bound
    snprintf(text, sizeof(text), "%ld", max);
    CHECK(pwrite(fd, text, strlen(text), 0) > 0 && status == 0 && root >= 0);
}

TEST(watches_of_epoll_are_counted) {
    long max = number_of("/proc/sys/fs/epoll/max_user_watches");
    int fd = open("/proc/sys/fs/epoll/max_user_watches", O_RDWR), n = 0, last = -1;
    struct epoll_event e = {.events = EPOLLIN};
    char text[32];
    CHECK(max > 1000 && fd >= 0 && pwrite(fd, "20", 2, 0) == 2);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(setuid(4325) == 0);
        int set = epoll_create1(0), p[2];
        while (n < 50 && pipe(p) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, last = p[0], &e) == 0)
            n++;
        CHECK(n == 20 && errno == ENOSPC);
        CHECK(epoll_ctl(set, EPOLL_CTL_DEL, last - 2, NULL) == 0 &&
              epoll_ctl(set, EPOLL_CTL_ADD, last, &e) == 0);
        _exit(0);
    }
    int status = test_wait_exit(pid);
    snprintf(text, sizeof(text), "%ld", max);
    CHECK(pwrite(fd, text, strlen(text), 0) > 0 && status == 0);
}

TEST(what_could_never_be_had_is_refused) {
    size_t huge = 1ul << 36;
    int prot = PROT_READ | PROT_WRITE, fd = open("/proc/sys/vm/overcommit_memory", O_RDWR);
    CHECK(number_of("/proc/sys/vm/overcommit_memory") == 0 && fd >= 0);
    CHECK_ERRNO((long)mmap(NULL, huge, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO((long)mmap(NULL, huge, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
    char *p = mmap(NULL, huge, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ERRNO(mprotect(p, huge, prot), ENOMEM);
    CHECK(mprotect(p, PAGE, prot) == 0);
    CHECK_ERRNO((long)mremap(p, PAGE, huge, MREMAP_MAYMOVE), ENOMEM);
    CHECK(mmap(NULL, huge, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED);
    CHECK(write(fd, "1", 1) == 1 && mmap(NULL, huge, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    CHECK(pwrite(fd, "0", 1, 0) == 1);
    CHECK_ERRNO(pwrite(fd, "3", 1, 0), EINVAL);
}

TEST(caches_are_dropped) {
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "1\n", 2) == 2 && pwrite(fd, "2", 1, 0) == 1 && pwrite(fd, "3", 1, 0) == 1);
    CHECK_ERRNO(pwrite(fd, "0", 1, 0), EINVAL);
    CHECK_ERRNO(pwrite(fd, "5", 1, 0), EINVAL);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0200);
}

// Of /proc/meminfo, in bytes.
static long meminfo(const char *name) {
    char line[128], *value = NULL;
    FILE *f = fopen("/proc/meminfo", "r");
    CHECK(f);
    while (!value && fgets(line, sizeof(line), f))
        value =
            !strncmp(line, name, strlen(name)) && line[strlen(name)] == ':' ? strchr(line, ':') + 1 : NULL;
    CHECK(value && !fclose(f));
    return atol(value) * 1024;
}

static void *ask(size_t size, int flags) {
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

// What is claimed of strict promises: NULL, or what did not hold. (The setting is to be put back in any case.)
static const char *strictly(void) {
    long limit = meminfo("CommitLimit"), before = meminfo("Committed_AS"), left = (limit - before) & -PAGE;
    if (left < 64 << 20)
        return "the limit leaves room";
    char *p = ask(left * 3 / 4 & -PAGE, 0);
    if (p == MAP_FAILED || meminfo("Committed_AS") - before < left / 2)
        return "what is promised counts, touched or not";
    if (ask(left / 2 & -PAGE, 0) != MAP_FAILED || errno != ENOMEM)
        return "no more is promised than there is";
    if (ask(left / 2 & -PAGE, MAP_NORESERVE) != MAP_FAILED)
        return "nor without a promise";
    pid_t pid = fork();
    if (pid >= 0)
        return "fork needs as much again";
    char *q = mmap(NULL, left / 2 & -PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (q == MAP_FAILED || !mprotect(q, left / 2 & -PAGE, PROT_READ | PROT_WRITE))
        return "what may only be read costs nothing until it may be written";
    for (int i = 1; i < 3; i++) // areas of their own, each of which would fit
        if (mprotect(q + (left / 6 * i & -PAGE), PAGE, PROT_NONE))
            return "an area is cut";
    if (!mprotect(q, left / 2 & -PAGE, PROT_READ | PROT_WRITE))
        return "the areas of one mprotect count together";
    if (munmap(p, left * 3 / 4 & -PAGE) || ask(left / 2 & -PAGE, 0) == MAP_FAILED)
        return "what is unmapped can be had again";
    return NULL;
}

TEST(with_strict_promises_no_more_is_promised_than_there_is) {
    int mode = open("/proc/sys/vm/overcommit_memory", O_RDWR),
        ratio = open("/proc/sys/vm/overcommit_ratio", O_RDWR);
    CHECK(mode >= 0 && ratio >= 0 && number_of("/proc/sys/vm/overcommit_ratio") == 50);
    CHECK(write(ratio, "80", 2) == 2 && number_of("/proc/sys/vm/overcommit_kbytes") == 0);
    CHECK(write(mode, "2", 1) == 1);
    const char *claim = strictly();
    CHECK(pwrite(mode, "0", 1, 0) == 1 && pwrite(ratio, "50", 2, 0) == 2);
    if (claim)
        test_fail(__FILE__, __LINE__, claim);
}

static void descend(int n) {
    volatile char room[32 * 1024];
    for (size_t i = 0; i < sizeof(room); i += PAGE)
        room[i] = 1;
    if (n)
        descend(n - 1);
    room[0] = 2;
}

TEST(limits_of_memory_hold_for_stacks_and_mprotect) {
    long size = number_of("/proc/self/statm") * PAGE;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit as = {size + 256 * 1024, RLIM_INFINITY};
        CHECK(setrlimit(RLIMIT_AS, &as) == 0);
        descend(2);
        descend(64); // 2 MiB of a stack that may have 8
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    char *p = mmap(NULL, 4 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct rlimit data = {2 << 20, RLIM_INFINITY};
    CHECK(p != MAP_FAILED && setrlimit(RLIMIT_DATA, &data) == 0);
    CHECK_ERRNO(mprotect(p, 4 << 20, PROT_READ | PROT_WRITE), ENOMEM);
    CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK_ERRNO((long)mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                ENOMEM);
}
