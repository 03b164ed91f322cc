// SPDX-License-Identifier: MIT
// splice(2), tee(2), vmsplice(2).
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

TEST_DIRECTORY(0755)

static int p[2], q[2];
static char buffer[1 << 17];

static void put(const char *text) {
    CHECK(write(p[1], text, strlen(text)) == (ssize_t)strlen(text));
}

static void check_next(int fd, const char *text) {
    size_t n = strlen(text);
    CHECK(read(fd, buffer, n) == (ssize_t)n && memcmp(buffer, text, n) == 0);
}

TEST(what_is_in_a_pipe_goes_to_a_file) {
    loff_t at = 2;
    int f = test_make("out", "0123456789");
    CHECK(pipe(p) == 0);
    put("abcdef");
    CHECK(splice(p[0], NULL, f, &at, 4, 0) == 4 && at == 6);
    CHECK(lseek(f, 0, SEEK_SET) == 0);
    check_next(f, "01abcd6789");
    CHECK(splice(p[0], NULL, f, NULL, 100, SPLICE_F_MOVE) == 2 && lseek(f, 0, SEEK_CUR) == 12);
    close(p[1]);
    CHECK(splice(p[0], NULL, f, NULL, 100, 0) == 0);
}

TEST(a_file_goes_into_a_pipe) {
    loff_t at = 3;
    int f = test_make("in", "0123456789");
    CHECK(pipe(p) == 0 && splice(f, &at, p[1], NULL, 100, 0) == 7 && at == 10);
    check_next(p[0], "3456789");
    CHECK(lseek(f, 8, SEEK_SET) == 8 && splice(f, NULL, p[1], NULL, 100, 0) == 2 &&
          lseek(f, 0, SEEK_CUR) == 10);
    check_next(p[0], "89");
    CHECK(splice(f, NULL, p[1], NULL, 100, 0) == 0);
}

TEST(splice_fills_a_pipe_and_says_EAGAIN) {
    int f = test_make("large", "");
    CHECK(ftruncate(f, 200000) == 0 && pwrite(f, "x", 1, 65535) == 1 && lseek(f, 0, SEEK_SET) == 0);
    CHECK(pipe(p) == 0);
    put("ab");
    ssize_t n = splice(f, NULL, p[1], NULL, 200000, SPLICE_F_NONBLOCK);
    CHECK(n >= 61440 && n <= 65536);
    CHECK_ERRNO(splice(f, NULL, p[1], NULL, 200000, SPLICE_F_NONBLOCK), EAGAIN);
    check_next(p[0], "ab");
    for (ssize_t done = 0; done < n; done += 4096)
        CHECK(read(p[0], buffer + done, 4096) > 0);
    CHECK(n <= 65535 || buffer[65535] == 'x');
    CHECK_ERRNO(splice(p[0], NULL, f, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

TEST(order_is_kept_through_files_and_pipes_of_any_lengths) {
    unsigned int next = 0, expected = 0;
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    for (int round = 0; round < 300; round++) {
        unsigned char bytes[3000];
        size_t n = 1 + (round * 7919) % sizeof(bytes);
        for (size_t i = 0; i < n; i++)
            bytes[i] = next++ % 251;
        CHECK(write(p[1], bytes, n) == (ssize_t)n);
        for (size_t done = 0; done < n;) {
            ssize_t k = splice(p[0], NULL, q[1], NULL, n - done, 0);
            CHECK(k > 0);
            done += k;
        }
        for (size_t done = 0; done < n;) {
            ssize_t k = read(q[0], bytes, n - done);
            CHECK(k > 0);
            for (ssize_t i = 0; i < k; i++)
                CHECK(bytes[i] == expected++ % 251);
            done += k;
        }
    }
}

TEST(tee_keeps_what_it_passes_on) {
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    put("abc");
    CHECK(tee(p[0], q[1], 2, 0) == 2 && tee(p[0], q[1], 100, 0) == 3);
    check_next(q[0], "ababc");
    check_next(p[0], "abc");
    CHECK_ERRNO(tee(p[0], q[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
    close(p[1]);
    CHECK(tee(p[0], q[1], 1, 0) == 0);
}

TEST(vmsplice_writes_and_reads_memory) {
    char a[] = "abc", b[] = "defg", back[7];
    struct iovec v[] = {{a, 3}, {b, 4}}, w = {back, 7};
    CHECK(pipe(p) == 0 && vmsplice(p[1], v, 2, SPLICE_F_GIFT) == 7);
    CHECK(vmsplice(p[0], &w, 1, 0) == 7 && memcmp(back, "abcdefg", 7) == 0);
    CHECK_ERRNO(vmsplice(p[0], &w, 1, SPLICE_F_NONBLOCK), EAGAIN);
    w.iov_base = NULL;
    CHECK_ERRNO(vmsplice(p[1], &w, 1, 0), EFAULT);
    CHECK(vmsplice(p[1], &w, 0, 0) == 0);
    CHECK_ERRNO(vmsplice(p[1], &w, 1025, 0), EINVAL);
}

TEST(what_splice_refuses) {
    loff_t at = 0, before = -1;
    int f = test_make("file", "text"), append = open("file", O_WRONLY | O_APPEND),
        reads = open("file", O_RDONLY), s[2];
    CHECK(pipe(p) == 0 && pipe(q) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    put("x");
    CHECK_ERRNO(splice(f, NULL, f, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(p[0], &at, f, NULL, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(f, NULL, p[1], &at, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(p[0], NULL, s[0], &at, 1, 0), EINVAL);
    CHECK_ERRNO(splice(s[0], &at, p[1], NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(p[0], NULL, f, &before, 1, 0), EINVAL);
    CHECK_ERRNO(splice(p[0], NULL, append, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(p[0], NULL, reads, NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(p[1], NULL, f, NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(f, NULL, p[0], NULL, 1, 0), EBADF);
    CHECK_ERRNO(splice(p[0], NULL, p[1], NULL, 1, 0), EINVAL);
    CHECK_ERRNO(splice(p[0], NULL, f, NULL, 1, 0x10), EINVAL);
    CHECK_ERRNO(splice(999, NULL, f, NULL, 1, 0), EBADF);
    CHECK(splice(f, NULL, f, NULL, 0, 0) == 0);
    CHECK_ERRNO(tee(p[0], f, 1, 0), EINVAL);
    CHECK_ERRNO(tee(p[0], p[1], 1, 0), EINVAL);
    CHECK_ERRNO(tee(p[1], q[1], 1, 0), EBADF);
    CHECK_ERRNO(vmsplice(f, &(struct iovec){buffer, 1}, 1, 0), EBADF);
    check_next(p[0], "x");
}

TEST(splice_without_readers_is_EPIPE) {
    int f = test_make("file", "text");
    signal(SIGPIPE, SIG_IGN);
    CHECK(lseek(f, 0, SEEK_SET) == 0 && pipe(p) == 0 && close(p[0]) == 0);
    CHECK_ERRNO(splice(f, NULL, p[1], NULL, 4, 0), EPIPE);
    CHECK(lseek(f, 0, SEEK_CUR) == 0);
}

TEST(splice_goes_through_sockets_and_devices) {
    int s[2], null = open("/dev/null", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
    CHECK(pipe(p) == 0 && pipe(q) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    put("through");
    CHECK(splice(p[0], NULL, s[0], NULL, 100, 0) == 7 && splice(s[1], NULL, q[1], NULL, 100, 0) == 7);
    check_next(q[0], "through");
    put("away");
    CHECK(splice(p[0], NULL, null, NULL, 100, 0) == 4);
    CHECK(splice(zero, NULL, p[1], NULL, 10, 0) == 10 && read(p[0], buffer, 20) == 10 && !buffer[9]);
}

TEST(a_file_gets_the_bytes_of_packets) {
    int f = test_make("file", "");
    CHECK(pipe2(p, O_DIRECT) == 0);
    put("one");
    put("two");
    put("three");
    CHECK(splice(p[0], NULL, f, NULL, 4, 0) == 4 && lseek(f, 0, SEEK_SET) == 0);
    check_next(f, "onet");
    CHECK(read(p[0], buffer, 100) == 2 && memcmp(buffer, "wo", 2) == 0);
    CHECK(read(p[0], buffer, 100) == 5);
}

// The message brings the only descriptor of the pipe's read end, and splice takes its bytes alone.
TEST(a_pipe_may_end_by_what_is_spliced_into_it) {
    int s[2];
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec iov = {"x", 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_len = CMSG_LEN(sizeof(int));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), &p[0], sizeof(int));
    signal(SIGPIPE, SIG_IGN);
    CHECK(sendmsg(s[0], &m, 0) == 1 && close(p[0]) == 0);
    ssize_t n = splice(s[1], NULL, p[1], NULL, 100, 0);
    CHECK(n == 1 || (n == -1 && errno == EPIPE));
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
}

// ---- waiting

static int splices_away(void *to) {
    return splice(p[0], NULL, *(int *)to, NULL, 100, 0) != 4;
}

TEST(splice_waits_for_bytes) {
    int f = test_make("file", "");
    CHECK(pipe(p) == 0);
    pid_t pid = test_fork(splices_away, &f);
    usleep(20000);
    put("late");
    CHECK(test_wait_exit(pid) == 0);
}

static void ignore(int number) {
    (void)number;
}

static int is_interrupted(void *to) {
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    return splice(p[0], NULL, *(int *)to, NULL, 100, 0) != -1 || errno != EINTR;
}

TEST(a_signal_ends_the_wait) {
    int f = test_make("file", "");
    CHECK(pipe(p) == 0 && test_wait_exit(test_fork(is_interrupted, &f)) == 0);
}

// A socket nobody reads fills up; whoever splices to it has the pipe's mutex then, and can be killed all the same, as those can
// who wait for it.
static int fills_a_socket(void *s) {
    for (;;)
        if (splice(p[0], NULL, *(int *)s, NULL, sizeof(buffer), 0) <= 0)
            return 1;
}

static int feeds(void *unused) {
    (void)unused;
    for (;;)
        if (write(p[1], buffer, 4096) <= 0)
            return 1;
}

TEST(nobody_who_waits_for_a_pipe_is_beyond_SIGKILL) {
    int s[2], status;
    CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    pid_t splicer = test_fork(fills_a_socket, &s[0]), writer = test_fork(feeds, NULL);
    usleep(200000);
    CHECK(kill(writer, SIGKILL) == 0);
    usleep(20000);
    CHECK(kill(splicer, SIGKILL) == 0);
    CHECK(waitpid(writer, &status, 0) == writer && waitpid(splicer, &status, 0) == splicer);
}

// Both ways at once between two pipes.
static int shovels(void *which) {
    int *from = *(int *)which ? p : q, *to = *(int *)which ? q : p;
    for (int i = 0; i < 2000; i++)
        if (splice(from[0], NULL, to[1], NULL, 1 + i % 5000, SPLICE_F_NONBLOCK) <= 0 && errno != EAGAIN)
            return 1;
    return 0;
}

TEST(two_pipes_pass_bytes_to_and_fro) {
    int yes = 1, no = 0;
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    CHECK(write(p[1], buffer, 20000) == 20000 && write(q[1], buffer, 20000) == 20000);
    pid_t one = test_fork(shovels, &yes), other = test_fork(shovels, &no);
    CHECK(test_wait_exit(one) == 0 && test_wait_exit(other) == 0);
}

// ---- pages that a pipe has of others

#define LENGTH 20000

static int lender; // a file of LENGTH bytes, open for reading

static unsigned char byte_at(size_t i) {
    return (unsigned char)(i * 31 + (i >> 8));
}

static void have_lender(void) {
    int f = test_make("lender", "");
    for (size_t i = 0; i < LENGTH; i++)
        buffer[i] = (char)byte_at(i);
    CHECK(write(f, buffer, LENGTH) == LENGTH && close(f) == 0 && (lender = open("lender", O_RDONLY)) >= 0);
}

static void check_lender(void) {
    CHECK(pread(lender, buffer, sizeof(buffer), 0) == LENGTH);
    for (size_t i = 0; i < LENGTH; i++)
        CHECK((unsigned char)buffer[i] == byte_at(i));
}

static void lend(int to, loff_t at, size_t n) {
    CHECK(splice(lender, &at, to, NULL, n, 0) == (ssize_t)n);
}

static void check_bytes(int fd, size_t at, size_t n) {
    CHECK(read(fd, buffer, n) == (ssize_t)n);
    for (size_t i = 0; i < n; i++)
        CHECK((unsigned char)buffer[i] == byte_at(at + i));
}

TEST(who_may_read_a_file_cannot_write_it_by_a_pipe) {
    have_lender();
    CHECK(pipe(p) == 0);
    lend(p[1], 1, 5000); // on two pages
    put("behind");
    check_bytes(p[0], 1, 5000);
    check_next(p[0], "behind");
    lend(p[1], 4096, 1);
    check_bytes(p[0], 4096, 1);
    put("alone"); // the pipe has been empty
    check_next(p[0], "alone");
    lend(p[1], 8192, 100);
    check_bytes(p[0], 8192, 50);
    put("half"); // behind what was not read yet
    CHECK(vmsplice(p[1], &(struct iovec){"more", 4}, 1, 0) == 4);
    check_bytes(p[0], 8242, 50);
    check_next(p[0], "halfmore");
    check_lender();
}

TEST(small_ring_is_written_around_a_page_of_a_file) {
    have_lender();
    CHECK(pipe(p) == 0 && fcntl(p[1], F_SETPIPE_SZ, 4096) == 4096 && fcntl(p[1], F_SETFL, O_NONBLOCK) == 0);
    for (int round = 0; round < 100; round++) {
        lend(p[1], 4096, 3000);
        check_bytes(p[0], 4096, 2000 + round);
        memset(buffer, 'x', 4096);
        ssize_t n = write(p[1], buffer, 2000); // Linux has no room for that before the page is read
        CHECK(n == 2000 || (n == -1 && errno == EAGAIN) || (n > 0 && n < 2000));
        check_bytes(p[0], 4096 + 2000 + round, 1000 - round);
        for (; n > 0; n--)
            check_next(p[0], "x");
    }
    check_lender();
}

TEST(both_ends_of_a_tee_go_on_by_themselves) {
    have_lender();
    CHECK(pipe(p) == 0 && pipe(q) == 0);
    put("shared");
    CHECK(tee(p[0], q[1], 100, 0) == 6 && write(q[1], "there", 5) == 5);
    put("here");
    check_next(p[0], "sharedhere");
    check_next(q[0], "sharedthere");
    lend(p[1], 0, 6000);
    CHECK(tee(p[0], q[1], 6000, 0) == 6000 && write(q[1], "there", 5) == 5);
    put("here");
    check_bytes(p[0], 0, 6000);
    check_next(p[0], "here");
    check_bytes(q[0], 0, 6000);
    check_next(q[0], "there");
    check_lender();
}

TEST(what_a_file_lent_is_there_without_the_file) {
    have_lender();
    CHECK(pipe(p) == 0);
    lend(p[1], 0, 8192);
    int f = open("lender", O_RDWR);
    CHECK(pwrite(f, "new", 3, 4096) == 3);
    check_bytes(p[0], 0, 4096);
    CHECK(read(p[0], buffer, 10) == 10 && !memcmp(buffer, "new", 3)); // it is the file's page
    CHECK(ftruncate(f, 0) == 0 && close(f) == 0 && close(lender) == 0 && unlink("lender") == 0);
    check_bytes(p[0], 4106, 4086);
    put("end");
    check_next(p[0], "end");
}

TEST(socket_keeps_what_a_pipe_gave_it) {
    int s[2];
    have_lender();
    CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    put("given");
    CHECK(splice(p[0], NULL, s[0], NULL, 3, 0) == 3);
    put("kept");
    lend(p[1], 100, 5000);
    check_next(p[0], "enkept");
    CHECK(splice(p[0], NULL, s[0], NULL, 5000, 0) == 5000);
    put("other");
    check_next(s[1], "giv");
    check_bytes(s[1], 100, 5000);
    CHECK(sendfile(p[1], lender, &(off_t){7}, 9000) == 9000);
    check_next(p[0], "other");
    check_bytes(p[0], 7, 9000);
    check_lender();
}

// Two queues of bytes beside two pipes.
static struct {
    unsigned char bytes[1 << 16];
    size_t n;
} model[2];

static void model_put(int which, const void *bytes, size_t n) {
    memcpy(model[which].bytes + model[which].n, bytes, n);
    model[which].n += n;
}

static void model_take(int which, size_t n) {
    model[which].n -= n;
    memmove(model[which].bytes, model[which].bytes + n, model[which].n);
}

static void step(unsigned int random) {
    int which = random & 1, deed = random >> 1 & 7, *a = which ? q : p, *b = which ? p : q;
    static unsigned char bytes[1 << 16];
    size_t n = 1 + (random >> 4) % (random & 16 ? 9000 : 300);
    loff_t at = deed & 1 ? (random >> 8) % (LENGTH - 9000) : (random >> 8) % 3 * 4096;
    ssize_t got;
    if (deed < 3) {
        got = splice(lender, &at, a[1], NULL, n, SPLICE_F_NONBLOCK);
        for (ssize_t i = 0; i < got; i++)
            model_put(which, &(unsigned char){byte_at(at - got + i)}, 1);
    } else if (deed == 3) {
        memset(bytes, (int)random >> 3, n);
        if ((got = write(a[1], bytes, n)) > 0)
            model_put(which, bytes, got);
    } else if (deed == 4 || deed == 5) {
        got = deed == 4 ? tee(a[0], b[1], n, SPLICE_F_NONBLOCK)
                        : splice(a[0], NULL, b[1], NULL, n, SPLICE_F_NONBLOCK);
        if (got > 0)
            model_put(!which, model[which].bytes, got);
        if (got > 0 && deed == 5)
            model_take(which, got);
    } else if ((got = read(a[0], bytes, n)) > 0) {
        CHECK((size_t)got <= model[which].n && !memcmp(bytes, model[which].bytes, got));
        model_take(which, got);
    }
    CHECK(got >= 0 || errno == EAGAIN);
}

TEST(bytes_come_out_as_they_went_in_by_whatever_way) {
    unsigned int seed = 1;
    have_lender();
    for (int size = 4096; size <= 65536; size *= 4) {
        CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
        CHECK(fcntl(p[1], F_SETPIPE_SZ, size) == size && fcntl(q[1], F_SETPIPE_SZ, 16384) == 16384);
        model[0].n = model[1].n = 0;
        for (int i = 0; i < 8000; i++) {
            seed = seed * 1103515245u + 12345u;
            step(seed >> 3 ^ seed << 20);
        }
        for (int i = 0; i < 2; i++)
            CHECK(close(p[i]) == 0 && close(q[i]) == 0);
    }
    check_lender();
}

static int stirs(void *arg) {
    unsigned int seed = *(unsigned int *)arg;
    char bytes[5000] = "";
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1103515245u + 12345u;
        int *a = seed >> 9 & 1 ? p : q, *b = seed >> 9 & 1 ? q : p;
        size_t n = 1 + (seed >> 10) % sizeof(bytes);
        loff_t at = (seed >> 12) % 4 * 4096;
        ssize_t got = seed >> 28 < 5    ? splice(lender, &at, a[1], NULL, n, SPLICE_F_NONBLOCK)
                      : seed >> 28 < 7  ? write(a[1], bytes, n)
                      : seed >> 28 < 9  ? tee(a[0], b[1], n, SPLICE_F_NONBLOCK)
                      : seed >> 28 < 11 ? splice(a[0], NULL, b[1], NULL, n, SPLICE_F_NONBLOCK)
                                        : read(a[0], bytes, n);
        if (got < 0 && errno != EAGAIN)
            return 1;
    }
    return 0;
}

TEST(nobody_writes_to_a_file_by_pipes_that_many_stir) {
    pid_t pids[4];
    have_lender();
    CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
    for (unsigned int i = 0; i < 4; i++)
        pids[i] = test_fork(stirs, &(unsigned int){i * 7919});
    for (int i = 0; i < 4; i++)
        CHECK(test_wait_exit(pids[i]) == 0);
    check_lender();
}
