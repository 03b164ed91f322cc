// SPDX-License-Identifier: MIT
// F_NOTIFY, fcntl(2): a signal when something happens in a directory. The same program passes on Linux.
#include "test.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TEST_DIRECTORY(0777)

static int told;
static siginfo_t last;

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    told++;
    last = *info;
}

static int sig;

// A directory with a file in it, whose descriptor signals by `sig`.
static int start(unsigned long events) {
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sig = SIGRTMIN;
    CHECK((mkdir("d", 0755) == 0 || errno == EEXIST) && close(test_make("d/file", "text")) == 0);
    int fd = open("d", O_RDONLY);
    CHECK(fd >= 0 && sigaction(sig, &a, NULL) == 0 && sigaction(SIGIO, &a, NULL) == 0);
    CHECK(fcntl(fd, F_SETSIG, sig) == 0 && fcntl(fd, F_NOTIFY, events) == 0);
    told = 0;
    return fd;
}

// Has something been told since the last time?
static int new (void) {
    int was = told;
    told = 0;
    return was > 0;
}

static void change_mode(void) {
    CHECK(chmod("d/file", 0600) == 0);
}

TEST(dnotify_tells_what_was_asked_for) {
    static const unsigned long all[] = {DN_ACCESS, DN_MODIFY, DN_CREATE, DN_DELETE, DN_RENAME, DN_ATTRIB};
    char c;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        unsigned long e = all[i];
        int fd = start(e | DN_MULTISHOT), f = open("d/file", O_RDWR);
        CHECK(f >= 0 && !new ());
        CHECK(read(f, &c, 1) == 1 && new () == (e == DN_ACCESS));
        CHECK(write(f, "x", 1) == 1 && new () == (e == DN_MODIFY));
        CHECK(ftruncate(f, 0) == 0 && new () == (e == DN_MODIFY));
        CHECK(fchmod(f, 0600) == 0 && new () == (e == DN_ATTRIB));
        CHECK(mkdir("d/e", 0755) == 0 && new () == (e == DN_CREATE));
        CHECK(rename("d/e", "d/g") == 0 && new () == (e == DN_CREATE || e == DN_DELETE || e == DN_RENAME));
        CHECK(rename("d/g", "g") == 0 && new () == (e == DN_DELETE));
        CHECK(rename("g", "d/g") == 0 && new () == (e == DN_CREATE));
        CHECK(rmdir("d/g") == 0 && new () == (e == DN_DELETE));
        CHECK(close(f) == 0 && !new ());
        CHECK(unlink("d/file") == 0 && new () == (e == DN_DELETE) && rmdir("d") == 0);
        new ();
        CHECK(close(fd) == 0);
    }
}

TEST(dnotify_says_which_descriptor) {
    int fd = start(DN_ATTRIB);
    change_mode();
    CHECK(told == 1 && last.si_signo == sig && last.si_fd == fd && last.si_code == POLL_MSG);
    CHECK(fcntl(fd, F_GETOWN) == getpid());
}

TEST(dnotify_tells_once_or_again_and_again) {
    int fd = start(DN_ATTRIB);
    change_mode();
    CHECK(new ());
    change_mode();
    CHECK(!new ());
    CHECK(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT) == 0);
    for (int i = 0; i < 10; i++) {
        change_mode();
        CHECK(new ());
    }
    // What is asked for comes to what was asked for before; nothing takes it all away.
    CHECK(fcntl(fd, F_NOTIFY, DN_CREATE) == 0);
    change_mode();
    CHECK(new ());
    CHECK(fcntl(fd, F_NOTIFY, 0) == 0);
    change_mode();
    CHECK(mkdir("d/e", 0755) == 0 && !new ());
}

TEST(dnotify_ends_when_the_descriptor_is_closed) {
    int fd = start(DN_ATTRIB | DN_MULTISHOT), other = dup(fd);
    CHECK(close(other) == 0); // of the same file, which ends it all
    change_mode();
    CHECK(!new ());
    CHECK(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT) == 0);
    // A child's descriptors are others.
    pid_t pid = fork();
    if (!pid)
        _exit(close(fd) != 0);
    CHECK(test_wait_exit(pid) == 0);
    change_mode();
    CHECK(new ());
    CHECK(dup2(0, fd) == fd);
    change_mode();
    CHECK(!new ());
}

TEST(dnotify_signals_the_owner_by_SIGIO) {
    int fd = start(DN_ATTRIB | DN_MULTISHOT);
    CHECK(fcntl(fd, F_SETSIG, 0) == 0);
    change_mode();
    CHECK(told == 1 && last.si_signo == SIGIO && last.si_code == SI_KERNEL);
}

TEST(dnotify_is_for_directories) {
    int fd = start(DN_ATTRIB), f = open("d/file", O_RDONLY), p[2];
    CHECK(pipe(p) == 0);
    CHECK_ERRNO(fcntl(f, F_NOTIFY, DN_ATTRIB), ENOTDIR);
    CHECK_ERRNO(fcntl(p[0], F_NOTIFY, DN_ATTRIB), ENOTDIR);
    CHECK(fcntl(f, F_NOTIFY, 0) == 0 && fcntl(f, F_NOTIFY, DN_MULTISHOT) == 0 && close(fd) == 0);
    CHECK_ERRNO(fcntl(fd, F_NOTIFY, DN_ATTRIB), EBADF);
    fd = open("d", O_PATH);
    CHECK_ERRNO(fcntl(fd, F_NOTIFY, DN_ATTRIB), EBADF);
}

static int directory;
static volatile int go = 1;

static void *asks(void *arg) {
    (void)arg;
    while (go) {
        int fd = openat(directory, ".", O_RDONLY);
        CHECK(fd >= 0);
        (void)fcntl(fd, F_NOTIFY, DN_ATTRIB | (fd % 2 ? DN_MULTISHOT : 0));
        (void)fcntl(fd + 1, F_NOTIFY, DN_ATTRIB | DN_CREATE); // which another thread may be closing
        close(fd);
    }
    return NULL;
}

TEST(dnotify_of_many_at_once) {
    pthread_t t[3];
    directory = start(DN_ATTRIB | DN_MULTISHOT);
    for (int i = 0; i < 3; i++)
        CHECK(!pthread_create(&t[i], NULL, asks, NULL));
    for (int i = 0; i < 2000; i++)
        change_mode();
    go = 0;
    for (int i = 0; i < 3; i++)
        CHECK(!pthread_join(t[i], NULL));
    new ();
    change_mode();
    CHECK(new () && fcntl(directory, F_NOTIFY, 0) == 0);
    change_mode();
    CHECK(!new ());
}
