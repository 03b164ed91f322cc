// SPDX-License-Identifier: MIT
// main() of every test program: runs the tests in order, or those named on the command line; prints one line
// each in the Test Anything Protocol and exits with the number of failures.
#include "test.h"
#include <signal.h>
#include <sys/wait.h>

// A hung test is killed after this many seconds: generous, machines are shared and the guest is emulated.
enum { TEST_TIME_LIMIT = 120 };

static struct test *tests, **tests_end = &tests;

void test_register(struct test *t) {
    *tests_end = t;
    tests_end = &t->next;
}

void test_fail(const char *file, int line, const char *claim) {
    const char *why = strerror(errno);
    const char *base = strrchr(file, '/');
    fprintf(stdout, "# %s:%d: does not hold: %s (errno %d: %s)\n", base ? base + 1 : file, line, claim, errno,
            why);
    fflush(stdout);
    _exit(1);
}

int test_wait_exit(pid_t pid) {
    int status;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got == -1 && errno == EINTR);
    CHECK(got == pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

pid_t test_fork(int (*fn)(void *), void *arg) {
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(fn(arg));
    return pid;
}

static int run_one(struct test *t) {
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        alarm(TEST_TIME_LIMIT);
        t->run();
        fflush(stdout);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    kill(-pid, SIGKILL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        printf("ok %s\n", t->name);
        return 0;
    }
    if (WIFSIGNALED(status))
        printf("# killed by signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (hung)" : "");
    printf("not ok %s\n", t->name);
    return 1;
}

int main(int argc, char **argv) {
    int failed = 0;
    for (struct test *t = tests; t; t = t->next) {
        int wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= !strcmp(argv[i], t->name);
        if (wanted)
            failed += run_one(t);
    }
    fflush(stdout);
    return failed;
}
