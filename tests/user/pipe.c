// SPDX-License-Identifier: MIT
// Pipes, FIFOs, and waiting for files: poll, select, epoll, eventfd.
#include "test.h"
#include "../../lib/demand.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static int p[2];
static char buffer[1 << 17];

TEST(pipe_keeps_order_across_many_sizes) {
    CHECK(pipe(p) == 0);
    test_keeps_order(p[0], p[1]);
}

TEST(pipe_read_returns_0_when_writers_are_gone) {
    CHECK(pipe(p) == 0 && write(p[1], "ab", 2) == 2 && close(p[1]) == 0);
    CHECK(read(p[0], buffer, 10) == 2 && read(p[0], buffer, 10) == 0);
}

TEST(pipe_write_without_readers_is_EPIPE_and_SIGPIPE) {
    int status;
    CHECK(pipe(p) == 0 && close(p[0]) == 0);
    pid_t pid = fork();
    if (!pid) {
        (void)!write(p[1], "x", 1);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
}

TEST(nonblocking_pipes_say_EAGAIN) {
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(p[0], buffer, 1), EAGAIN);
    size_t total = 0;
    ssize_t n;
    while ((n = write(p[1], buffer, 4096)) > 0)
        total += n;
    CHECK(n == -1 && errno == EAGAIN && total == 65536);
    CHECK(!(test_poll(p[1], POLLOUT) & POLLOUT));
    CHECK(read(p[0], buffer, 4096) == 4096 && (test_poll(p[1], POLLOUT) & POLLOUT));
    CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536);
}

TEST(writes_up_to_PIPE_BUF_are_whole) {
    CHECK(pipe(p) == 0);
    for (int k = 0; k < 4; k++)
        if (!fork()) {
            char b[512];
            memset(b, 'a' + k, sizeof(b));
            for (int i = 0; i < 200; i++)
                if (write(p[1], b, sizeof(b)) != sizeof(b))
                    _exit(1);
            _exit(0);
        }
    close(p[1]);
    for (int i = 0; i < 800; i++) {
        size_t got = 0;
        while (got < 512) {
            ssize_t n = read(p[0], buffer + got, 512 - got);
            CHECK(n > 0);
            got += n;
        }
        for (int k = 1; k < 512; k++)
            CHECK(buffer[k] == buffer[0]);
    }
    CHECK(read(p[0], buffer, 1) == 0);
}

TEST(FIONREAD_counts_bytes) {
    int n = -1;
    CHECK(pipe(p) == 0 && write(p[1], "hello", 5) == 5);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 5);
    CHECK_ERRNO(lseek(p[0], 0, SEEK_CUR), ESPIPE);
}

TEST(vectors_scatter_and_gather) {
    char a[3], b[5];
    struct iovec out[3] = {{"abc", 3}, {"", 0}, {"defgh", 5}}, in[2] = {{a, 3}, {b, 5}};
    CHECK(pipe(p) == 0 && writev(p[1], out, 3) == 8 && readv(p[0], in, 2) == 8);
    CHECK(!memcmp(a, "abc", 3) && !memcmp(b, "defgh", 5));
    CHECK_ERRNO(writev(p[1], out, 1025), EINVAL);
    CHECK_ERRNO(write(p[1], (void *)8, 5), EFAULT);
}

TEST(fifo_open_waits_for_the_other_side) {
    unlink("/tmp/fifo");
    CHECK(mkfifo("/tmp/fifo", 0600) == 0);
    CHECK_ERRNO(open("/tmp/fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    pid_t pid = fork();
    if (!pid) {
        int fd = open("/tmp/fifo", O_WRONLY);
        _exit(write(fd, "through", 7) != 7);
    }
    int fd = open("/tmp/fifo", O_RDONLY);
    CHECK(fd >= 0 && read(fd, buffer, 100) == 7 && !memcmp(buffer, "through", 7));
    CHECK(test_wait_exit(pid) == 0 && read(fd, buffer, 1) == 0);
}

TEST(poll_reports_exactly) {
    CHECK(pipe(p) == 0);
    CHECK(test_poll(p[0], POLLIN) == 0 && test_poll(p[1], POLLOUT) == POLLOUT);
    CHECK(write(p[1], "x", 1) == 1 && test_poll(p[0], POLLIN) == POLLIN);
    close(p[1]);
    CHECK(test_poll(p[0], POLLIN) == (POLLIN | POLLHUP));
    CHECK(read(p[0], buffer, 1) == 1 && test_poll(p[0], POLLIN) == POLLHUP);
    CHECK(test_poll(999, POLLIN) == POLLNVAL);
    CHECK(pipe(p) == 0 && close(p[0]) == 0 && (test_poll(p[1], POLLOUT) & POLLERR));
}

TEST(poll_wakes_for_data_and_for_time) {
    struct pollfd f;
    struct timespec a, b;
    CHECK(pipe(p) == 0);
    f = (struct pollfd){p[0], POLLIN, 0};
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK(poll(&f, 1, 30) == 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK((b.tv_sec - a.tv_sec) * 1000000000l + b.tv_nsec - a.tv_nsec >= 30000000);
    pid_t pid = fork();
    if (!pid) {
        usleep(10000);
        _exit(write(p[1], "x", 1) != 1);
    }
    CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLIN);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(select_works_on_the_same_files) {
    fd_set in, out;
    struct timeval zero = {0, 0};
    CHECK(pipe(p) == 0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    CHECK(select(p[1] + 1, &in, &out, NULL, &zero) == 1 && FD_ISSET(p[1], &out) && !FD_ISSET(p[0], &in));
    FD_ZERO(&in);
    FD_SET(50, &in);
    CHECK_ERRNO(select(51, &in, NULL, NULL, &zero), EBADF);
}

TEST(epoll_level_edge_and_oneshot) {
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 7}, got[4];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    CHECK(ep >= 0 && pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
    CHECK(epoll_wait(ep, got, 4, 0) == 0 && write(p[1], "x", 1) == 1);
    CHECK(epoll_wait(ep, got, 4, -1) == 1 && got[0].data.u32 == 7 && got[0].events == EPOLLIN);
    CHECK(epoll_wait(ep, got, 4, 0) == 1);
    ev.events = EPOLLIN | EPOLLET;
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
    CHECK(epoll_wait(ep, got, 4, 0) == 1 && epoll_wait(ep, got, 4, 0) == 0);
    CHECK(write(p[1], "y", 1) == 1 && epoll_wait(ep, got, 4, 0) == 1);
    ev.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev) == 0);
    CHECK(epoll_wait(ep, got, 4, 0) == 1 && write(p[1], "z", 1) == 1 && epoll_wait(ep, got, 4, 0) == 0);
    CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
}

TEST(eventfd_counts) {
    uint64_t v = 5;
    int fd = eventfd(3, EFD_NONBLOCK);
    CHECK(fd >= 0 && write(fd, &v, 8) == 8 && read(fd, &v, 8) == 8 && v == 8);
    CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
    fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    CHECK(read(fd, &v, 8) == 8 && v == 1 && read(fd, &v, 8) == 8 && v == 1);
    CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
}

// ---- a pipe opened again through its descriptor, as bash's process substitution does

static int open_again(int fd, int flags) {
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, flags);
}

TEST(a_pipe_opened_again_does_not_wait_and_sees_its_end) {
    CHECK(pipe(p) == 0 && write(p[1], "ab", 2) == 2 && close(p[1]) == 0);
    int fd = open_again(p[0], O_RDONLY);
    CHECK_ERRNO(open_again(p[0], O_RDONLY | O_DIRECT), EINVAL);
    CHECK(fd >= 0 && fchmod(fd, 0640) == 0 && close(p[0]) == 0);
    CHECK(test_poll(fd, POLLIN) == (POLLIN | POLLHUP));
    CHECK(read(fd, buffer, 10) == 2 && read(fd, buffer, 10) == 0 && test_poll(fd, POLLIN) == POLLHUP);
    int late = open_again(fd, O_RDONLY | O_NONBLOCK);
    CHECK(late >= 0 && test_poll(late, POLLIN) == POLLHUP && read(late, buffer, 1) == 0);
    int writer = open_again(fd, O_WRONLY); // it lives again
    CHECK(writer >= 0 && test_poll(fd, POLLIN) == 0 && write(writer, "c", 1) == 1);
    CHECK(read(late, buffer, 10) == 1 && buffer[0] == 'c');
}

TEST(a_pipe_without_readers_opened_again_for_writing_is_EPIPE) {
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe(p) == 0 && close(p[0]) == 0);
    int fd = open_again(p[1], O_WRONLY | O_NONBLOCK), plain = open_again(p[1], O_WRONLY);
    CHECK(fd >= 0 && plain >= 0);
    CHECK_ERRNO(write(fd, "x", 1), EPIPE);
    int both = open_again(p[1], O_RDWR);
    CHECK(both >= 0 && write(fd, "x", 1) == 1 && read(both, buffer, 9) == 1);
}

TEST(a_pipe_opened_again_with_O_PATH_is_no_end_of_it) {
    struct stat a, b;
    CHECK(pipe(p) == 0);
    int fd = open_again(p[1], O_PATH);
    CHECK(fd >= 0 && fstat(fd, &a) == 0 && fstat(p[0], &b) == 0 && a.st_ino == b.st_ino);
    CHECK(close(p[1]) == 0 && test_poll(p[0], POLLIN) == POLLHUP && read(p[0], buffer, 1) == 0);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
}

TEST(a_pipe_belongs_to_who_made_it) {
    pid_t pid = fork();
    if (!pid) {
        struct stat st;
        CHECK(setgid(77) == 0 && setuid(1000) == 0 && pipe(p) == 0);
        CHECK(fstat(p[0], &st) == 0 && st.st_uid == 1000 && st.st_gid == 77 &&
              open_again(p[0], O_RDONLY) >= 0);
        _exit(0);
    }
    CHECK(test_wait_exit(pid) == 0);
}

// ---- packets

TEST(a_read_takes_one_packet_and_what_does_not_fit_is_gone) {
    int n;
    CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0 && (fcntl(p[1], F_GETFL) & O_DIRECT));
    CHECK(write(p[1], "first", 5) == 5 && write(p[1], "second", 6) == 6 && write(p[1], "", 0) == 0);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 11);
    CHECK(read(p[0], buffer, 100) == 5 && !memcmp(buffer, "first", 5));
    CHECK(read(p[0], buffer, 2) == 2 && !memcmp(buffer, "se", 2));
    CHECK_ERRNO(read(p[0], buffer, 100), EAGAIN);
    memset(buffer, 'x', 10000);
    CHECK(write(p[1], buffer, 10000) == 10000); // three packets
    CHECK(read(p[0], buffer, 10000) == 4096 && read(p[0], buffer, 10000) == 4096);
    CHECK(read(p[0], buffer, 10000) == 1808 && read(p[0], buffer, 1) == -1 && errno == EAGAIN);
}

TEST(packets_and_plain_writes_mix) {
    int n;
    CHECK(pipe2(p, O_NONBLOCK | O_DIRECT) == 0);
    CHECK(write(p[1], "packet", 6) == 6 && write(p[1], "another", 7) == 7);
    CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK) == 0 && write(p[1], "ab", 2) == 2 && write(p[1], "cd", 2) == 2);
    CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0 && write(p[1], "join", 4) == 4);
    CHECK(write(p[1], buffer, 4093) == 4093); // does not fit there: a packet
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 21 + 4093);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, 4 * 4096) == 4 * 4096);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 21 + 4093);
    CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, 2 * 4096), EBUSY);
    CHECK(read(p[0], buffer, 100) == 6 && !memcmp(buffer, "packet", 6));
    CHECK(read(p[0], buffer, 3) == 3 && !memcmp(buffer, "ano", 3));
    CHECK(read(p[0], buffer, 3) == 3 && !memcmp(buffer, "abc", 3));
    CHECK(read(p[0], buffer, 5) == 5 && !memcmp(buffer, "djoin", 5));
    CHECK(read(p[0], buffer, 8192) == 4093 && read(p[0], buffer, 1) == -1 && errno == EAGAIN);
}

TEST(a_pipe_holds_as_many_packets_as_pages) {
    int count = 0;
    CHECK(pipe2(p, O_NONBLOCK | O_DIRECT) == 0);
    while (test_poll(p[1], POLLOUT) & POLLOUT) {
        CHECK(write(p[1], "x", 1) == 1);
        count++;
    }
    CHECK(count == 16 && write(p[1], "x", 1) == -1 && errno == EAGAIN);
    CHECK(read(p[0], buffer, 9) == 1 && test_poll(p[1], POLLOUT) == POLLOUT && write(p[1], "y", 1) == 1);
    while (count--)
        CHECK(read(p[0], buffer, 9) == 1);
    CHECK_ERRNO(read(p[0], buffer, 9), EAGAIN);
}

static int unread(int fd) {
    int n = -1;
    CHECK(ioctl(fd, FIONREAD, &n) == 0);
    return n;
}

// The rest of a page that is being read takes a slot, whatever the way in which it was written.
TEST(packets_leave_alone_what_is_half_read) {
    static char got[1 << 18];
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    for (size_t i = 0; i < 65536; i++)
        buffer[i] = (char)(i / 7);
    CHECK(write(p[1], buffer, 65536) == 65536 && read(p[0], got, 100) == 100);
    ssize_t more = write(p[1], buffer, 50); // on a page of Drupe's ring; on none of Linux's
    size_t there = 65536 - 100 + (more > 0 ? 50 : 0);
    CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0);
    CHECK_ERRNO(write(p[1], got, 4096), EAGAIN);
    CHECK_ERRNO(write(p[1], got, 10), EAGAIN);
    CHECK(!(test_poll(p[1], POLLOUT) & POLLOUT) && unread(p[0]) == (int)there);
    memset(got, 'p', 4090); // does not join anything
    CHECK(read(p[0], got + 4096, 8192) == 8192 && write(p[1], got, 4090) == 4090);
    memmove(got, got + 4096, 8192);
    CHECK(read(p[0], got + 8192, sizeof(got) - 8192) == (ssize_t)there - 8192);
    CHECK(!memcmp(got, buffer + 100, 65436) && !memcmp(got + 65436, buffer, there - 65436));
    CHECK(read(p[0], got, sizeof(got)) == 4090 && got[0] == 'p' && got[4089] == 'p');
}

TEST(what_follows_packets_leaves_alone_what_is_half_read) {
    int fd = open("out", O_CREAT | O_TRUNC | O_RDWR, 0600);
    CHECK(fd >= 0 && pipe2(p, O_NONBLOCK) == 0 && fcntl(p[1], F_SETPIPE_SZ, 8192) == 8192);
    memset(buffer, 'p', 8192);
    CHECK(write(p[1], buffer, 50) == 50 && fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT) == 0);
    CHECK(write(p[1], buffer, 4096) == 4096 && read(p[0], buffer, 10) == 10);
    CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(write(p[1], "0123456789", 10), EAGAIN);
    CHECK(splice(p[0], NULL, fd, NULL, 65536, 0) == 40 + 4096 && unread(p[0]) == 0);
    CHECK(pread(fd, buffer, sizeof(buffer), 0) == 40 + 4096 && !memchr(buffer, '0', 40 + 4096));
    CHECK(write(p[1], "0123456789", 10) == 10 && read(p[0], buffer, 20) == 10);
    CHECK(close(fd) == 0 && unlink("out") == 0);
}

TEST(packets_pass_between_processes_that_wait) {
    CHECK(pipe2(p, O_DIRECT) == 0 && fcntl(p[0], F_SETPIPE_SZ, 4096) == 4096);
    pid_t pid = fork();
    if (!pid) {
        for (int i = 1; i <= 3000; i++)
            if (write(p[1], buffer, i) != i)
                _exit(1);
        _exit(0);
    }
    for (int i = 1; i <= 3000; i++)
        CHECK(read(p[0], buffer, sizeof(buffer)) == i);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(the_smallest_pipe_is_one_page) {
    CHECK(pipe2(p, O_NONBLOCK) == 0 && fcntl(p[0], F_SETPIPE_SZ, 0) == 4096);
    CHECK(fcntl(p[1], F_GETPIPE_SZ) == 4096 && write(p[1], buffer, 5000) == 4096);
    CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, -1), EINVAL);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, 5000) == 8192 && write(p[1], buffer, 5000) == 4096);
    CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, 1), EBUSY);
}

// ---- edge-triggered events tell of others' doing

static int edge_set(int fd, unsigned int events) {
    struct epoll_event ev = {.events = events | EPOLLET};
    int ep = epoll_create1(0);
    CHECK(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
    return ep;
}

TEST(ones_own_partial_read_or_write_is_no_edge) {
    struct epoll_event got[4];
    CHECK(pipe2(p, O_NONBLOCK) == 0);
    int in = edge_set(p[0], EPOLLIN), out = edge_set(p[1], EPOLLOUT);
    CHECK(epoll_wait(in, got, 4, 0) == 0 && epoll_wait(out, got, 4, 0) == 1);
    CHECK(write(p[1], "abcdef", 6) == 6);
    CHECK(epoll_wait(in, got, 4, 0) == 1 && epoll_wait(out, got, 4, 0) == 0);
    CHECK(read(p[0], buffer, 2) == 2);
    CHECK(epoll_wait(in, got, 4, 0) == 0 && epoll_wait(out, got, 4, 0) == 0);
    CHECK(write(p[1], "g", 1) == 1 && epoll_wait(in, got, 4, 0) == 1 && epoll_wait(in, got, 4, 0) == 0);
    while (write(p[1], buffer, 4096) > 0)
        ;
    CHECK(epoll_wait(out, got, 4, 0) == 0 && epoll_wait(in, got, 4, 0) == 1);
    CHECK(read(p[0], buffer, 10000) == 10000);
    CHECK(epoll_wait(out, got, 4, 0) == 1 && epoll_wait(in, got, 4, 0) == 0);
    CHECK(read(p[0], buffer, 100) == 100 && epoll_wait(out, got, 4, 0) == 0);
}

// The init of `drupe run` asks for it.
TEST(pipe_on_demand_is_writable_when_a_reader_has_found_it_empty) {
    char c;
    int n;
    CHECK(pipe2(p, O_NONBLOCK) == 0 && ioctl(p[0], PIPE_ON_DEMAND) == -1 && errno == ENOTTY);
    for (int how = 0; how < 3; how++) {
        CHECK(ioctl(p[1], PIPE_ON_DEMAND) == 0 && test_poll(p[1], POLLOUT) == 0);
        if (how == 0)
            CHECK(read(p[0], &c, 1) == -1 && errno == EAGAIN);
        else if (how == 1)
            CHECK(test_poll(p[0], POLLIN) == 0);
        else
            CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 0);
        CHECK(test_poll(p[1], POLLOUT) == POLLOUT);
    }
    CHECK(ioctl(p[1], PIPE_ON_DEMAND) == 0);
    pid_t pid = fork();
    if (!pid) {
        fcntl(p[0], F_SETFL, 0);
        close(p[1]);
        _exit(read(p[0], &c, 1) == 1 && c == 'x' ? 0 : 1);
    }
    struct pollfd f = {p[1], POLLOUT, 0};
    CHECK(poll(&f, 1, -1) == 1 && f.revents == POLLOUT && write(p[1], "x", 1) == 1);
    CHECK(test_wait_exit(pid) == 0);
}

TEST(every_write_to_an_eventfd_is_an_edge) {
    struct epoll_event got[4];
    uint64_t v = 1;
    int fd = eventfd(0, EFD_NONBLOCK), ep = edge_set(fd, EPOLLIN);
    CHECK(epoll_wait(ep, got, 4, 0) == 0 && write(fd, &v, 8) == 8 && epoll_wait(ep, got, 4, 0) == 1);
    v = 0;
    CHECK(epoll_wait(ep, got, 4, 0) == 0 && write(fd, &v, 8) == 8 && epoll_wait(ep, got, 4, 0) == 1);
}
