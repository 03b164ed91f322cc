// SPDX-License-Identifier: MIT
// Two or more at the same thing at once. Each race runs rounds for about a second on several harts, and a few
// rounds on one, where it is only a test that nothing else is wrong. A race claims what holds in whichever order
// things happen.
#include "races.h"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

// ---- names

static int directory = -1;
static atomic_int vanished;

static void make_two_directories(void) {
    CHECK(!mkdir("/tmp/races-a", 0700) && !mkdir("/tmp/races-b", 0700));
    directory = open("/tmp/races-b", O_DIRECTORY | O_RDONLY);
    CHECK(directory >= 0);
}
// Until the directory is gone; a file that is there keeps it.
static void make_in_target(void) {
    struct stat st;
    for (int fd; (fd = openat(directory, "file", O_CREAT | O_RDWR, 0600)) >= 0;) {
        close(fd);
        for (int i = 0; i < 4; i++)
            if (fstat(directory, &st) || !st.st_nlink)
                vanished = 1;
        unlinkat(directory, "file", 0);
    }
}
static void rename_onto_target(void) {
    while (rename("/tmp/races-a", "/tmp/races-b"))
        ;
}
static void nothing_vanished(void) {
    CHECK(!vanished && !close(directory) && !rmdir("/tmp/races-b"));
}

TEST(a_file_made_in_a_directory_that_a_rename_replaces_does_not_vanish) {
    static const struct race r = {
        make_two_directories, {make_in_target, rename_onto_target}, nothing_vanished};
    CHECK(run_race(&r) > 0);
}

enum { BUSY = 2000 };

// A rename locks both directories, an rmdir the directory and its victim: one order, whatever their addresses.
static void make_nest(void) {
    static int younger;
    CHECK(!mkdir("/tmp/races-m", 0700) && !mkdir("/tmp/races-n", 0700));
    if (younger ^= 1) // the one inside is older or younger than the one that it is in
        CHECK(!rmdir("/tmp/races-m") && !rmdir("/tmp/races-n") && !mkdir("/tmp/races-n", 0700) &&
              !mkdir("/tmp/races-m", 0700));
    CHECK(!rename("/tmp/races-m", "/tmp/races-n/b") && !mknod("/tmp/races-n/x", S_IFREG | 0600, 0));
}
static void rename_down_and_up(void) {
    for (int i = 0; i < BUSY; i++) {
        rename("/tmp/races-n/x", "/tmp/races-n/b/x");
        rename("/tmp/races-n/b/x", "/tmp/races-n/x");
    }
}
static void rmdir_and_mkdir(void) {
    for (int i = 0; i < 3 * BUSY; i++)
        if (!rmdir("/tmp/races-n/b"))
            mkdir("/tmp/races-n/b", 0700);
}
static void take_nest_away(void) {
    CHECK(!unlink("/tmp/races-n/x") || !unlink("/tmp/races-n/b/x"));
    CHECK(!rmdir("/tmp/races-n/b") && !rmdir("/tmp/races-n"));
}

TEST(rename_into_a_directory_beside_rmdir_of_it_does_not_lock_up) {
    static const struct race r = {make_nest, {rename_down_and_up, rmdir_and_mkdir}, take_nest_away};
    CHECK(run_race(&r) > 0);
}

// Two directories that each want into the other: one of them may.
static int into_other[2];
static void make_two(void) {
    CHECK(!mkdir("/tmp/races-1", 0700) && !mkdir("/tmp/races-2", 0700));
}
static void first_into_second(void) {
    into_other[0] = !rename("/tmp/races-1", "/tmp/races-2/in");
}
static void second_into_first(void) {
    into_other[1] = !rename("/tmp/races-2", "/tmp/races-1/in");
}
static void one_is_in_the_other(void) {
    CHECK(into_other[0] + into_other[1] == 1);
    const char *outer = into_other[0] ? "/tmp/races-2" : "/tmp/races-1";
    char inner[40];
    snprintf(inner, sizeof(inner), "%s/in", outer);
    CHECK(!rmdir(inner) && !rmdir(outer));
}

TEST(two_directories_never_get_into_each_other) {
    static const struct race r = {make_two, {first_into_second, second_into_first}, one_is_in_the_other};
    CHECK(run_race(&r) > 0);
}

// What is made in a directory that is removed at that moment keeps it, or is not made.
static int removed;
static void make_removable(void) {
    CHECK(!mkdir("/tmp/races-r", 0700));
    directory = open("/tmp/races-r", O_DIRECTORY | O_RDONLY);
    atomic_store(&vanished, 0);
}
static void make_one_of_each(void) {
    struct stat st;
    int ok = !mkdirat(directory, "d", 0700) + !symlinkat("x", directory, "l") +
             !mknodat(directory, "f", S_IFIFO, 0);
    vanished = ok && (fstat(directory, &st) || !st.st_nlink);
    unlinkat(directory, "d", AT_REMOVEDIR);
    unlinkat(directory, "l", 0);
    unlinkat(directory, "f", 0);
}
static void remove_it(void) {
    removed = !rmdir("/tmp/races-r");
}
static void nothing_was_lost(void) {
    CHECK(!vanished);
    close(directory);
    CHECK(removed || !rmdir("/tmp/races-r"));
}

TEST(what_is_made_in_a_directory_keeps_it_from_being_removed) {
    static const struct race r = {make_removable, {make_one_of_each, remove_it}, nothing_was_lost};
    CHECK(run_race(&r) > 0);
}

// ---- mounts

static void mount_two(void) {
    mkdir("/tmp/races-m1", 0700);
    mkdir("/tmp/races-m2", 0700);
    CHECK(!mount("t", "/tmp/races-m1", "tmpfs", 0, NULL) && !mount("t", "/tmp/races-m2", "tmpfs", 0, NULL));
    CHECK(!mkdir("/tmp/races-m1/in", 0700) && !mkdir("/tmp/races-m2/in", 0700));
}
static void move_first_into_second(void) {
    into_other[0] = !mount("/tmp/races-m1", "/tmp/races-m2/in", NULL, MS_MOVE, NULL);
}
static void move_second_into_first(void) {
    into_other[1] = !mount("/tmp/races-m2", "/tmp/races-m1/in", NULL, MS_MOVE, NULL);
}
static void one_is_mounted_on_the_other(void) {
    CHECK(into_other[0] + into_other[1] == 1);
    CHECK(!umount2(into_other[0] ? "/tmp/races-m2" : "/tmp/races-m1", MNT_DETACH));
}

TEST(two_mounts_never_get_onto_each_other) {
    static const struct race r = {
        mount_two, {move_first_into_second, move_second_into_first}, one_is_mounted_on_the_other};
    CHECK(run_race(&r) > 0);
}

static atomic_int taken;
static void mount_one(void) {
    mkdir("/tmp/races-u", 0700);
    CHECK(!mount("t", "/tmp/races-u", "tmpfs", 0, NULL) && !mkdir("/tmp/races-u/d", 0700));
    CHECK(!mount("t", "/tmp/races-u/d", "tmpfs", 0, NULL));
    taken = 0;
}
static void take_it(void) {
    taken += !umount2("/tmp/races-u", MNT_DETACH);
}
static void walk_through_it(void) {
    struct stat st;
    for (int i = 0; i < 20; i++)
        stat("/tmp/races-u/d/../d/..", &st);
    close(open("/tmp/races-u/d/f", O_CREAT | O_WRONLY, 0600));
}
static void taken_once(void) {
    CHECK(taken == 1 && access("/tmp/races-u/d", F_OK));
}

TEST(one_of_two_takes_a_mount_away) {
    static const struct race r = {mount_one, {take_it, take_it, walk_through_it}, taken_once};
    CHECK(run_race(&r) > 0);
}

static int covered;
static void make_place(void) {
    CHECK(!mkdir("/tmp/races-p", 0700));
}
static void cover_it(void) {
    covered = !mount("t", "/tmp/races-p", "tmpfs", 0, NULL);
}
static void remove_place(void) {
    removed = !rmdir("/tmp/races-p");
}
static void covered_or_removed(void) {
    CHECK(covered + removed == 1);
    CHECK(removed || (!umount("/tmp/races-p") && !rmdir("/tmp/races-p")));
}

TEST(a_place_is_covered_or_removed) {
    static const struct race r = {make_place, {cover_it, remove_place}, covered_or_removed};
    CHECK(run_race(&r) > 0);
}

// ---- who a process is

#define VICTIM_AT 0x20000ul

// The child executes a set-id program. A few descriptors make its execve longer.
static pid_t start_victim(volatile int *about_to) {
    *about_to = 0;
    pid_t pid = fork();
    if (pid)
        return pid;
    for (int i = 0; i < 300; i++)
        eventfd(0, EFD_CLOEXEC);
    *about_to = 1;
    execl("/tmp/races-victim", "victim", (char *)NULL);
    _exit(99);
}

static void nobody_sees_the_secret_of(pid_t pid) {
    char seen[sizeof(TEST_SECRET)] = "";
    struct iovec here = {seen, 16}, there = {(void *)(VICTIM_AT + TEST_SECRET_OFFSET), 16};
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
        CHECK(n != 16 || memcmp(seen, TEST_SECRET, 16));
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

TEST(memory_of_a_set_id_program_is_nobodys_while_it_is_executed) {
    volatile int *about_to = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rlimit files = {1000, 1000};
    test_make_program("/tmp/races-victim", VICTIM_AT, 04755);
    CHECK(!setrlimit(RLIMIT_NOFILE, &files) && !setgid(1000) && !setuid(1000) && !prctl(PR_SET_DUMPABLE, 1));
    long end = milliseconds() + MILLISECONDS;
    for (int i = 0; i < ROUNDS_ON_ONE_HART || milliseconds() < end; i++) {
        pid_t pid = start_victim(about_to);
        while (!*about_to)
            sched_yield();
        nobody_sees_the_secret_of(pid);
    }
}

// ---- the ends of many

// Giving a kernel stack back tells all harts; not once for each.
TEST(the_ends_of_many_processes_do_not_wait_for_each_other) {
    enum { COUNT = 300 };
    struct timespec a, b;
    pid_t group = 0;
    for (int i = 0; i < COUNT; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, group);
            for (;;)
                pause();
        }
        CHECK(pid > 0 && setpgid(pid, group) == 0);
        group = group ? group : pid;
    }
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK(kill(-group, SIGKILL) == 0);
    for (int i = 0; i < COUNT; i++)
        CHECK(waitpid(-group, NULL, 0) > 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK(b.tv_sec - a.tv_sec < 3);
}

// ---- translations

static char *shot;
static int shot_published, shot_over;

static void *look_for_old_pages(void *arg) {
    long *bad = arg;
    while (!__atomic_load_n(&shot_over, __ATOMIC_ACQUIRE)) {
        int n = __atomic_load_n(&shot_published, __ATOMIC_ACQUIRE), seen = *(volatile int *)shot;
        *bad += seen && seen < n; // 0: the next page is there, and not written yet
    }
    *bad += *(volatile int *)shot != shot_published;
    return NULL;
}

TEST(no_hart_sees_a_page_that_was_replaced) {
    enum { THREADS = 3, ROUNDS = 2000 };
    pthread_t t[THREADS];
    long bad[THREADS] = {0};
    shot = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *others =
        mmap(NULL, (ROUNDS + 1) * 4096l, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(shot != MAP_FAILED && others != MAP_FAILED);
    *shot = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, look_for_old_pages, &bad[i]) == 0);
    for (int i = 1; i <= ROUNDS; i++) {
        CHECK(mmap(shot, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
              shot);
        *(volatile int *)(others + i * 4096l) = 1; // takes the old page
        *(volatile int *)shot = i;
        __atomic_store_n(&shot_published, i, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&shot_over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0 && !bad[i]);
}

static void *map_and_unmap(void *arg) {
    long *failed = arg;
    for (int i = 0; i < 250; i++) {
        char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED) {
            ++*failed;
            continue;
        }
        m[4096] = 1;
        *failed += munmap(m, 65536) != 0;
    }
    return NULL;
}

TEST(mappings_of_many_threads_go_on) {
    enum { THREADS = 8 };
    pthread_t t[THREADS];
    long failed[THREADS] = {0};
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&t[i], NULL, map_and_unmap, &failed[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(t[i], NULL) == 0 && !failed[i]);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 2000);
}

// ---- credentials of other threads, which may change and go while one looks at them

enum { STRANGER = 1000, FIRST_OF_MANY = 2000 };
static atomic_int changing_tid, let_in;

// A thread's own ids, as the system calls have them.
static void become_thread(uid_t uid) {
    CHECK(!syscall(SYS_setresgid, uid, uid, uid) && !syscall(SYS_setresuid, uid, uid, uid));
}
// Its ids are never the stranger's.
static void change_ids(void) {
    static __thread uid_t uid;
    if (!uid) {
        changing_tid = gettid();
        CHECK(!prctl(PR_SET_SECUREBITS, 4)); // SECBIT_NO_SETUID_FIXUP: it may go on doing so
    }
    for (int i = 0; i < 200; i++) {
        uid = FIRST_OF_MANY + i;
        CHECK(!syscall(SYS_setresuid, uid, uid, uid));
    }
}
// Credentials of the stranger's come and go, where those were.
static void make_credentials(void) {
    static __thread int begun;
    if (!begun++)
        become_thread(STRANGER);
    for (int i = 0; i < 200; i++)
        CHECK(!prctl(PR_SET_KEEPCAPS, i % 2));
}
static void ask_for_rights(void) {
    static __thread int begun;
    unsigned long all = ~0ul;
    if (!begun++)
        become_thread(STRANGER);
    for (int i = 0; i < 200; i++)
        if (changing_tid && !syscall(SYS_sched_setaffinity, changing_tid, sizeof(all), &all))
            let_in = 1;
}
static void nobody_was_let_in(void) {
    CHECK(!let_in);
}

TEST(rights_over_a_thread_are_asked_of_its_own_credentials) {
    static const struct race r = {
        NULL, {change_ids, make_credentials, ask_for_rights, make_credentials}, nobody_was_let_in};
    CHECK(run_race(&r) > 0);
}

// ---- netlink: who asks, who is told, who changes, who goes

static int asker, hearer;

static void ask(int s, int type, int flags) {
    struct {
        struct nlmsghdr h;
        struct ifaddrmsg a;
        struct rtattr t;
        unsigned char ip[4];
    } m = {{sizeof(m), type, NLM_F_REQUEST | flags, 1, 0},
           {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1},
           {8, IFA_LOCAL},
           {10, 88, 88, 1}};
    CHECK(send(s, &m, sizeof(m), 0) == sizeof(m) || errno == EBADF || errno == ENOBUFS);
}

static void open_both(void) {
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_IFADDR};
    asker = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    hearer = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    CHECK(asker >= 0 && hearer >= 0 && bind(hearer, (void *)&a, sizeof(a)) == 0);
}

static void ask_and_read(void) {
    char text[512];
    ask(asker, RTM_GETADDR, NLM_F_DUMP);
    while (recv(asker, text, sizeof(text), 0) > 0)
        ;
}

static void change_and_back(void) {
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
    ask(s, RTM_NEWADDR, NLM_F_CREATE);
    ask(s, RTM_DELADDR, 0);
    CHECK(close(s) == 0);
}

static void hear(void) {
    char text[4096];
    for (int i = 0; i < 4; i++)
        CHECK(recv(hearer, text, sizeof(text), 0) > 0 || errno == EAGAIN || errno == ENOBUFS ||
              errno == EBADF);
}

static void close_both(void) {
    CHECK(close(asker) == 0 && close(hearer) == 0);
}

TEST(netlink_sockets_ask_hear_and_change_at_once) {
    run_race(&(struct race){open_both, {ask_and_read, change_and_back, hear, ask_and_read}, close_both});
}

static void close_hearer(void) {
    CHECK(close(hearer) == 0);
}

static void close_asker(void) {
    CHECK(close(asker) == 0);
}

TEST(a_netlink_socket_goes_while_it_is_told_something) {
    run_race(&(struct race){open_both, {change_and_back, close_hearer, change_and_back}, close_asker});
}

// ---- sockets

static int ends[2], listener, pipe_ends[2];
static const struct sockaddr_un where = {AF_UNIX, "\0race"};
static const socklen_t where_len = 2 + 5;

static void make_pair(void) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(send(ends[0], "abc", 3, 0) == 3);
}

static void send_to_pair(void) {
    ssize_t n = send(ends[0], "def", 3, MSG_NOSIGNAL);
    CHECK(n == 3 || errno == EPIPE || errno == ECONNRESET);
}

static void shut_pair(void) {
    CHECK(shutdown(ends[1], SHUT_RD) == 0 && shutdown(ends[0], SHUT_WR) == 0);
}

// What was sent comes in order, and then the end.
static void read_pair(void) {
    char text[8] = "";
    ssize_t n = 0, got;
    while ((got = recv(ends[1], text + n, sizeof(text) - n, 0)) > 0)
        n += got;
    CHECK((n == 3 || n == 6) && !memcmp(text, "abcdef", n) && (got == 0 || errno == EAGAIN));
}

static void close_pair(void) {
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

TEST(nothing_is_read_behind_the_end_of_a_stream) {
    run_race(&(struct race){make_pair, {send_to_pair, shut_pair, read_pair}, close_pair});
}

static void make_listener(void) {
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(bind(listener, (void *)&where, where_len) == 0 && listen(listener, 1) == 0);
}

static void connect_once(void) {
    char byte;
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(s, (void *)&where, where_len) == 0)
        CHECK(read(s, &byte, 1) <= 0); // whoever accepted or dropped it has ended
    else
        CHECK(errno == ECONNREFUSED);
    close(s);
}

static void accept_some(void) {
    for (int i = 0; i < 3; i++) {
        int s = accept(listener, NULL, NULL);
        CHECK(s >= 0 || errno == EAGAIN || errno == EINVAL);
        if (s >= 0)
            close(s);
    }
    CHECK(shutdown(listener, SHUT_RD) == 0);
    close(listener);
}

TEST(a_connection_to_a_listener_that_ends_is_accepted_refused_or_reset) {
    run_race(&(struct race){make_listener, {connect_once, connect_once, accept_some}, NULL});
}

static void send_descriptor(int s, int fd) {
    char control[CMSG_SPACE(sizeof(fd))] = {0};
    struct iovec iov = {"x", 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    CHECK(sendmsg(s, &m, 0) == 1);
}

// A socket in its own queue with the end of a pipe behind it; somebody looks at it, or takes it out, as the last others close.
static void make_ring(void) {
    CHECK(pipe(pipe_ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    send_descriptor(ends[0], ends[1]);
    send_descriptor(ends[0], pipe_ends[1]);
    CHECK(close(pipe_ends[1]) == 0);
}

static void look_into_ring(int flags) {
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd;
    if (recvmsg(ends[1], &m, flags) != 1 || m.msg_controllen < CMSG_LEN(sizeof(fd)))
        return;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    CHECK(fcntl(fd, F_GETFD) == 0 && close(fd) == 0);
}

static void peek_into_ring(void) {
    look_into_ring(MSG_PEEK);
}

static void take_from_ring(void) {
    look_into_ring(0);
}

static void end_of_ring(void) {
    char byte;
    close_pair();
    CHECK(read(pipe_ends[0], &byte, 1) == 0); // the collector has been here, or there was nothing for it
    close(pipe_ends[0]);
}

TEST(a_ring_of_descriptors_is_collected_whoever_looks_at_it) {
    run_race(&(struct race){make_ring, {peek_into_ring, take_from_ring, peek_into_ring}, end_of_ring});
}

static void make_datagrams(void) {
    ends[0] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ends[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(bind(ends[1], (void *)&where, where_len) == 0);
}

static void connect_and_send(void) {
    (void)!connect(ends[0], (void *)&where, where_len);
    for (int i = 0; i < 14; i++)
        (void)!send(ends[0], "x", 1, 0);
}

static void disconnect_and_send(void) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    (void)!sendto(ends[0], "y", 1, 0, (void *)&where, where_len);
    CHECK(connect(ends[0], &none, sizeof(none)) == 0);
}

static void end_datagrams(void) {
    char byte;
    for (int i = 0; i < 5; i++)
        (void)!recv(ends[1], &byte, 1, 0);
    close(ends[1]);
}

static void close_sender(void) {
    close(ends[0]);
}

TEST(a_datagram_socket_finds_and_loses_its_peer) {
    run_race(
        &(struct race){make_datagrams, {connect_and_send, disconnect_and_send, end_datagrams}, close_sender});
}

// ---- what a write has not filled yet

// A reader takes a file's size once and its pages later. When a truncation and a write that begins anew come between, the
// pages that the write is still filling are not there for it: they hold what was there before, of other places or others.
enum { UNFILLED_PAGES = 200, UNFILLED_PAGE = 4096, UNFILLED = UNFILLED_PAGES * UNFILLED_PAGE };
static unsigned char written[UNFILLED], seen[UNFILLED];
static int unfilled = -1;

static void make_unfilled(void) {
    if (unfilled >= 0)
        return;
    CHECK((unfilled = memfd_create("unfilled", 0)) >= 0);
    for (int i = 0; i < UNFILLED; i++)
        written[i] = (unsigned char)(i / UNFILLED_PAGE + 1);
    CHECK(pwrite(unfilled, written, UNFILLED, 0) == UNFILLED);
}

static void read_unfilled(void) {
    for (int i = 0; i < 8; i++) {
        ssize_t n = pread(unfilled, seen, UNFILLED, 0);
        for (ssize_t at = UNFILLED_PAGE - 1; at < n; at += UNFILLED_PAGE)
            CHECK(!seen[at] || seen[at] == written[at]);
    }
}

static void write_anew(void) {
    for (int i = 0; i < 8; i++)
        CHECK(ftruncate(unfilled, 0) == 0 && pwrite(unfilled, written, UNFILLED, 0) == UNFILLED);
}

TEST(a_reader_does_not_see_a_page_before_its_write_has_filled_it) {
    CHECK(run_race(&(struct race){make_unfilled, {read_unfilled, write_anew}, NULL}) > 0);
    CHECK(!close(unfilled));
    unfilled = -1;
}
