// SPDX-License-Identifier: MIT
// Where threads are, and their timers: /proc/PID/{syscall,wchan,stack,timers}. Each claim holds on Linux 6.12, too.
#include "test.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

TEST_DIRECTORY(0755)

#define NOBODY 1234

// All of the file; -1 with errno. Its end is a NUL.
static ssize_t read_file(pid_t pid, const char *name, char *text, size_t size) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, size - 1);
    int err = errno;
    close(fd);
    errno = err;
    text[n > 0 ? n : 0] = '\0';
    return n;
}

// Until the file says that it sleeps there.
static bool becomes(pid_t pid, const char *name, const char *beginning) {
    char text[512];
    for (int i = 0; i < 400; i++, usleep(5000))
        if (read_file(pid, name, text, sizeof(text)) >= 0 && !strncmp(text, beginning, strlen(beginning)))
            return true;
    printf("# %s: %s\n", name, text);
    return false;
}

static int p[2];
static char byte;

static int read_pipe(void *arg) {
    (void)arg;
    return syscall(SYS_read, p[0], &byte, 1ul) != 1;
}

TEST(a_call_that_waits_is_told_with_its_arguments) {
    char wanted[100], text[512];
    unsigned long words[9];
    CHECK(pipe(p) == 0);
    pid_t pid = test_fork(read_pipe, NULL);
    snprintf(wanted, sizeof(wanted), "63 0x%x 0x%lx 0x1 ", p[0], (unsigned long)&byte);
    CHECK(becomes(pid, "syscall", wanted) && read_file(pid, "syscall", text, sizeof(text)) > 0);
    CHECK(sscanf(text, "%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n", &words[0], &words[1],
                 &words[2], &words[3], &words[4], &words[5], &words[6], &words[7], &words[8]) == 9);
    CHECK(words[7] > 0x100000 && words[8] > 0x1000 && strchr(text, '\n') == text + strlen(text) - 1);
    CHECK(write(p[1], "x", 1) == 1 && test_wait_exit(pid) == 0);
}

static int run_on(void *arg) {
    for (;;)
        *(volatile char *)arg = 1;
    return 0;
}

TEST(one_that_runs_is_told_to) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), text[512];
    pid_t pid = test_fork(run_on, page);
    while (!*(volatile char *)page)
        usleep(1000);
    bool seen = false; // it may just be about to go on: then it is in no call
    for (int i = 0; i < 200 && !seen; i++, usleep(1000))
        seen = read_file(pid, "syscall", text, sizeof(text)) > 0 &&
               (!strcmp(text, "running\n") || !strncmp(text, "-1 0x", 5));
    test_end(pid);
    CHECK(seen);
    CHECK(read_file(getpid(), "syscall", text, sizeof(text)) > 0 &&
          !strncmp(text, "63 0x", 5)); // by this very call
}

TEST(who_has_ended_is_nowhere) {
    char text[512];
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(read_file(pid, "syscall", text, sizeof(text)) > 0 && !strcmp(text, "-1 0x0 0x0\n"));
    CHECK(read_file(pid, "wchan", text, sizeof(text)) == 1 && !strcmp(text, "0"));
    CHECK(test_wait_exit(pid) == 0);
}

TEST(waiting_has_a_name_in_the_kernel) {
    char text[4096];
    CHECK(pipe(p) == 0);
    pid_t pid = test_fork(read_pipe, NULL);
    bool named = false, deep = false;
    for (int i = 0; i < 400 && !(named && deep); i++, usleep(5000)) {
        named = read_file(pid, "wchan", text, sizeof(text)) > 1 && strstr(text, "pipe");
        deep = read_file(pid, "stack", text, sizeof(text)) > 0 && !strncmp(text, "[<0>] ", 6) &&
               strstr(text, "read") && strstr(text, "+0x");
    }
    CHECK(named && deep);
    test_end(pid);
}

TEST(others_are_not_told) {
    char text[512];
    CHECK(pipe(p) == 0);
    pid_t pid = test_fork(read_pipe, NULL);
    CHECK(becomes(pid, "syscall", "63 "));
    int fd[2];
    const char *const names[] = {"syscall", "stack"};
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "/proc/%d/%s", pid, names[i]);
        CHECK((fd[i] = open(text, O_RDONLY)) >= 0);
    }
    CHECK(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
          setresuid(NOBODY, NOBODY, NOBODY) == 0);
    CHECK(read_file(pid, "syscall", text, sizeof(text)) == -1 && errno == EACCES);
    CHECK(read_file(pid, "stack", text, sizeof(text)) == -1 && errno == EACCES);
    CHECK(read_file(pid, "wchan", text, sizeof(text)) == 1 && !strcmp(text, "0"));
    CHECK_ERRNO(read(fd[0], text, sizeof(text)), EPERM); // nor by descriptors of somebody who might
}

static int timers(void *arg) {
    struct sigevent plain = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1,
                             .sigev_value.sival_ptr = (void *)0x1234},
                    none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec far = {{0, 0}, {1000, 0}};
    timer_t a, b;
    if (timer_create(CLOCK_REALTIME, &plain, &a) || timer_create(CLOCK_MONOTONIC, &none, &b) ||
        timer_settime(b, 0, &far, NULL))
        return 1;
    return read_pipe(arg);
}

TEST(timers_are_told_to_all) {
    char text[512], wanted[512];
    CHECK(pipe(p) == 0);
    CHECK(read_file(getpid(), "timers", text, sizeof(text)) == 0);
    pid_t pid = test_fork(timers, NULL);
    CHECK(becomes(pid, "syscall", "63 ") && read_file(pid, "timers", text, sizeof(text)) > 0);
    snprintf(wanted, sizeof(wanted),
             "ID: 0\nsignal: 10/0000000000001234\nnotify: signal/pid.%d\nClockID: 0\n", pid);
    CHECK(strstr(text, wanted) && strstr(text, "ID: 1\nsignal: "));
    snprintf(wanted, sizeof(wanted), "notify: none/pid.%d\nClockID: 1\n", pid);
    CHECK(strstr(text, wanted));
    test_end(pid);
}

static void *sleep_and_wake(void *arg) {
    while (!*(volatile int *)arg)
        usleep(1);
    return NULL;
}

// Looking at threads that come, go, sleep and wake.
TEST(looking_and_going_race) {
    char text[4096];
    int over = 0;
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&t[i], NULL, sleep_and_wake, &over) == 0);
    for (int i = 0; i < 150; i++) {
        pid_t pid = fork();
        if (!pid)
            _exit(0);
        read_file(pid, "stack", text, sizeof(text)), read_file(pid, "syscall", text, sizeof(text)),
            read_file(pid, "timers", text, sizeof(text));
        for (pid_t tid = getpid() + 1; tid < getpid() + 4; tid++) {
            char name[64];
            snprintf(name, sizeof(name), "task/%d/%s", tid, i % 2 ? "stack" : "syscall");
            read_file(getpid(), name, text, sizeof(text));
        }
        CHECK(test_wait_exit(pid) == 0);
    }
    over = 1;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}
