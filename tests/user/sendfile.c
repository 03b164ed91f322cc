// SPDX-License-Identifier: MIT
// sendfile(2): from files to sockets, which may get a file's pages as they are. The same program passes on Linux.
#include "inet.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define SIZE (1 << 20)

static unsigned char expected[SIZE], got[SIZE];
static int f, end[2];

// A file in memory, of which the bytes from `from` on are there.
static void make_file(size_t from) {
    for (size_t i = from; i < SIZE; i++)
        expected[i] = (unsigned char)(i * 13 + (i >> 12) * 7 + (i >> 8));
    f = memfd_create("file", 0);
    CHECK(f >= 0 && ftruncate(f, SIZE) == 0);
    CHECK(pwrite(f, expected + from, SIZE - from, (off_t)from) == (ssize_t)(SIZE - from));
}

static void connect_unix(void) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, end) == 0);
}

static void connect_tcp(void) {
    int port, l = listener(&port, 1);
    end[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect4(end[0], "127.0.0.1", port) == 0 && (end[1] = accept(l, NULL, NULL)) >= 0 && close(l) == 0);
}

static void *receive(void *at) {
    size_t done = 0;
    for (ssize_t n; (n = read(end[1], got + done, SIZE - done)) > 0;)
        done += (size_t)n;
    *(size_t *)at = done;
    return NULL;
}

static void whole_file_arrives(size_t from, off_t at) {
    size_t done = 0, sent = 0;
    off_t pos = at;
    pthread_t t;
    make_file(from);
    memset(got, 0, sizeof(got));
    CHECK(pthread_create(&t, NULL, receive, &done) == 0);
    for (ssize_t n; (n = sendfile(end[0], f, &pos, SIZE)) > 0;)
        sent += (size_t)n;
    CHECK(sent == (size_t)(SIZE - at) && pos == SIZE && shutdown(end[0], SHUT_WR) == 0);
    CHECK(pthread_join(t, NULL) == 0 && done == sent && !memcmp(got, expected + at, done));
    close(f), close(end[0]), close(end[1]);
}

TEST(a_file_arrives_whole) {
    for (int tcp = 0; tcp < 2; tcp++)
        for (off_t at = 0; at < 10000; at = at * 3 + 1) {
            tcp ? connect_tcp() : connect_unix();
            whole_file_arrives(0, at);
        }
}

TEST(holes_arrive_as_zeros) {
    for (int tcp = 0; tcp < 2; tcp++) {
        tcp ? connect_tcp() : connect_unix();
        memset(expected, 0, sizeof(expected));
        whole_file_arrives(300000, 5);
    }
}

TEST(a_file_moves_its_own_position) {
    make_file(0);
    connect_unix();
    CHECK(lseek(f, 10, SEEK_SET) == 10);
    CHECK(sendfile(end[0], f, NULL, 20000) == 20000 && lseek(f, 0, SEEK_CUR) == 20010);
    CHECK(recv(end[1], got, 20000, MSG_WAITALL) == 20000 && !memcmp(got, expected + 10, 20000));
    CHECK(lseek(f, SIZE - 5000, SEEK_SET) > 0 && sendfile(end[0], f, NULL, 20000) == 5000);
    CHECK(recv(end[1], got, 5000, MSG_WAITALL) == 5000 && !memcmp(got, expected + SIZE - 5000, 5000));
    CHECK(sendfile(end[0], f, NULL, 1) == 0 && lseek(f, 0, SEEK_CUR) == SIZE);
}

// As messages that are no longer than some can be.
TEST(a_file_arrives_in_datagrams) {
    size_t done = 0;
    make_file(0);
    end[1] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(bind4(end[1], "127.0.0.1", 0) == 0 && set_number(end[1], SOL_SOCKET, SO_RCVBUF, SIZE) == 0);
    end[0] = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(connect4(end[0], "127.0.0.1", port_of(end[1])) == 0);
    CHECK(sendfile(end[0], f, NULL, 60000) == 60000 && lseek(f, 0, SEEK_CUR) == 60000);
    while (done < 60000) {
        CHECK(poll_for(end[1], POLLIN) & POLLIN);
        ssize_t n = recv(end[1], got + done, SIZE - done, 0);
        CHECK(n > 0 && n <= 65507);
        done += (size_t)n;
    }
    CHECK(!memcmp(got, expected, 60000));
}

// What finds no room is not sent, and the position says so.
TEST(what_finds_no_room_stays) {
    for (int tcp = 0; tcp < 2; tcp++) {
        size_t sent = 0, read_ = 0;
        make_file(0);
        tcp ? connect_tcp() : connect_unix();
        CHECK(fcntl(end[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(end[1], F_SETFL, O_NONBLOCK) == 0);
        CHECK(set_number(end[0], SOL_SOCKET, SO_SNDBUF, 65536) == 0);
        for (bool more = true; more || read_ < sent;) {
            ssize_t n = more ? sendfile(end[0], f, NULL, SIZE) : 0, m;
            CHECK(n >= 0 || errno == EAGAIN);
            more &= n != 0;
            sent += n > 0 ? (size_t)n : 0;
            CHECK(lseek(f, 0, SEEK_CUR) == (off_t)sent);
            while ((m = read(end[1], got + read_, 7777 < SIZE - read_ ? 7777 : SIZE - read_)) > 0)
                read_ += (size_t)m;
        }
        CHECK(sent == SIZE && !memcmp(got, expected, SIZE));
        close(f), close(end[0]), close(end[1]);
    }
}

// Pages that are on their way stay what they are, or become what is written; they are never another's.
TEST(a_file_that_ends_meanwhile) {
    unsigned char *other;
    make_file(0);
    connect_unix();
    CHECK(sendfile(end[0], f, NULL, 60000) == 60000);
    CHECK(ftruncate(f, 0) == 0 && close(f) == 0);
    other = mmap(NULL, 4 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(other, 0xee, 4 * SIZE);
    CHECK(recv(end[1], got, 60000, MSG_PEEK) == 60000 || true);
    CHECK(recv(end[1], got, 60000, MSG_WAITALL) == 60000);
    for (int i = 0; i < 57344; i++) // the last page's rest may be zeros
        CHECK(got[i] == expected[i]);
}

TEST(a_file_that_is_written_meanwhile) {
    make_file(0);
    connect_unix();
    CHECK(sendfile(end[0], f, NULL, 40000) == 40000);
    memset(got, 0x55, 40000);
    CHECK(pwrite(f, got, 40000, 0) == 40000);
    CHECK(recv(end[1], got, 40000, MSG_WAITALL) == 40000);
    for (int i = 0; i < 40000; i++)
        CHECK(got[i] == expected[i] || got[i] == 0x55);
}

// The receiver goes, with pages in its queue; and the sender, with descriptors of both in flight.
TEST(an_end_that_goes_with_pages_in_its_queue) {
    make_file(0);
    for (int i = 0; i < 200; i++) {
        connect_unix();
        CHECK(sendfile(end[0], f, &(off_t){i * 100}, 60000) == 60000);
        CHECK(close(end[i % 2]) == 0);
        CHECK(i % 2 || recv(end[1], got, 60000, MSG_WAITALL) == 60000);
        CHECK(close(end[1 - i % 2]) == 0);
    }
    CHECK(pread(f, got, SIZE, 0) == SIZE && !memcmp(got, expected, SIZE));
}

TEST(nobody_reads_any_more) {
    signal(SIGPIPE, SIG_IGN);
    make_file(0);
    connect_unix();
    CHECK(close(end[1]) == 0);
    CHECK_ERRNO(sendfile(end[0], f, NULL, 60000), EPIPE);
    CHECK(lseek(f, 0, SEEK_CUR) == 0);
}

// A signal, or SIGKILL, ends one who waits for room.
static void interrupted(int sig) {
    (void)sig;
}

TEST(a_signal_ends_the_wait_for_room) {
    struct sigaction act = {.sa_handler = interrupted};
    make_file(0);
    connect_unix();
    pid_t pid = fork();
    if (!pid) {
        sigaction(SIGUSR1, &act, NULL);
        ssize_t n = sendfile(end[0], f, NULL, SIZE); // as much as there was room for
        _exit(n > 0 && n < SIZE && lseek(f, 0, SEEK_CUR) == n ? 7 : 8);
    }
    CHECK(poll_for(end[1], POLLIN) & POLLIN);
    int status;
    for (; waitpid(pid, &status, WNOHANG) == 0; usleep(1000)) // until it has reached the wait
        kill(pid, SIGUSR1);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

// Files that are cut and written on one hart, sent on another and read on a third.
static volatile bool over;

static void *change(void *arg) {
    for (unsigned int n = 0; !over; n++) {
        CHECK(ftruncate(f, n % 3 ? 0 : 50000) == 0);
        CHECK(pwrite(f, expected, 100000, 0) == 100000);
    }
    return arg;
}

TEST(a_file_that_changes_all_the_time) {
    pthread_t changer, reader;
    size_t done = 0;
    make_file(0);
    memset(expected, 'a', SIZE);
    CHECK(pwrite(f, expected, SIZE, 0) == SIZE);
    connect_unix();
    CHECK(pthread_create(&changer, NULL, change, NULL) == 0);
    CHECK(pthread_create(&reader, NULL, receive, &done) == 0);
    size_t sent = 0;
    for (int i = 0; i < 2000 && sent < SIZE - 100000; i++) {
        ssize_t n = sendfile(end[0], f, &(off_t){i % 50 * 111}, 100000);
        CHECK(n >= 0);
        sent += (size_t)n;
    }
    over = true;
    CHECK(pthread_join(changer, NULL) == 0 && shutdown(end[0], SHUT_WR) == 0 &&
          pthread_join(reader, NULL) == 0);
    CHECK(done == sent);
    for (size_t i = 0; i < done; i++)
        CHECK(got[i] == 'a' || got[i] == 0);
}

// Of a page of which a byte is sent all is kept, and so all counts (on Linux the bytes do).
TEST(pages_count_whole) {
    struct utsname u;
    int n = 0, pieces = 0;
    make_file(0);
    connect_unix();
    CHECK(fcntl(end[0], F_SETFL, O_NONBLOCK) == 0 && uname(&u) == 0);
    for (off_t at = 4095; sendfile(end[0], f, &at, 4098) == 4098; at = 4095)
        pieces++;
    CHECK(errno == EAGAIN && pieces > 0 && ioctl(end[0], SIOCOUTQ, &n) == 0);
    CHECK(n >= pieces * (strstr(u.release, "drupe") ? 3 * 4096 : 4098));
    CHECK(n <= number_of(end[0], SOL_SOCKET, SO_SNDBUF) + 5 * 4096);
    for (; pieces; pieces--)
        CHECK(recv(end[1], got, 4098, MSG_WAITALL) == 4098 && !memcmp(got, expected + 4095, 4098));
    CHECK(ioctl(end[0], SIOCOUTQ, &n) == 0 && n == 0);
}

// ---- a sender that is killed, a file that is cut by one who becomes another program, and one who has it mapped and ends

enum { PIECE = 60000 };

static pid_t sender(void) {
    pid_t pid = fork();
    if (pid)
        return pid;
    for (int i = 0; i < 4; i++)
        sendfile(end[0], f, &(off_t){i * 1000}, PIECE);
    _exit(0);
}

static pid_t cutter(void) {
    pid_t pid = fork();
    if (pid)
        return pid;
    CHECK(ftruncate(f, 5000) == 0 && pwrite(f, expected, PIECE, 0) == PIECE);
    CHECK(dup2(open("/dev/null", O_WRONLY), 1) == 1);
    execl("/proc/self/exe", "sendfile", "no-such-test", (char *)NULL);
    _exit(1);
}

static pid_t mapper(void) {
    pid_t pid = fork();
    if (pid)
        return pid;
    char *m = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE, f, 0);
    CHECK(m != MAP_FAILED);
    m[0] = m[10000] = 'b'; // its own copies, or SIGBUS
    _exit(0);
}

TEST(ends_of_all_kinds_while_pages_are_lent) {
    f = memfd_create("file", 0);
    memset(expected, 'a', PIECE);
    for (int round = 0; round < 40; round++) {
        CHECK(pwrite(f, expected, PIECE, 0) == PIECE);
        connect_unix();
        pid_t pids[] = {sender(), cutter(), mapper()};
        CHECK(close(end[0]) == 0);
        if (round % 2) {
            CHECK(poll_for(end[1], POLLIN));
            kill(pids[0], SIGKILL);
        }
        for (ssize_t n; (n = read(end[1], got, SIZE)) > 0;)
            for (ssize_t i = 0; i < n; i++)
                CHECK(got[i] == 'a' || got[i] == 0);
        for (int i = 0; i < 3; i++)
            CHECK(waitpid(pids[i], NULL, 0) == pids[i]);
        CHECK(close(end[1]) == 0);
    }
}
