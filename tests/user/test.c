// SPDX-License-Identifier: MIT
// main() of every test program: runs the tests in order, or those named on the command line; prints one line
// each in the Test Anything Protocol and exits with the number of failures.
#include "test.h"
#include <poll.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>

// A hung test is killed after this many seconds: generous, machines are shared and the guest is emulated.
enum { TEST_TIME_LIMIT = 120 };

static struct test *tests, **tests_end = &tests;

void test_register(struct test *t) {
    *tests_end = t;
    tests_end = &t->next;
}

char test_place[64];

void test_enter_directory(const char *file, mode_t mode) {
    const char *base = strrchr(file, '/');
    char name[64];
    snprintf(name, sizeof(name), "/tmp/%s.%d", base ? base + 1 : file, getpid());
    if (mkdir(name, mode) || chmod(name, mode) || chdir(name) || !getcwd(test_place, sizeof(test_place)))
        perror(name);
}

int test_make(const char *path, const char *text) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

const char *test_read(const char *path) {
    static char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    CHECK(n >= 0 && close(fd) == 0);
    text[n] = '\0';
    return text;
}

void test_read_to_end(int fd) {
    char text[4096];
    if (fd < 0)
        return;
    while (read(fd, text, sizeof(text)) > 0)
        ;
    close(fd);
}

long test_number_in(const char *path, const char *key) {
    char text[4096], *at;
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    CHECK(n > 0 && close(fd) == 0);
    text[n] = '\0';
    at = strstr(text, key);
    CHECK(at);
    return strtol(at + strlen(key), NULL, 10);
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

void test_make_program(const char *path, unsigned long addr, mode_t mode) {
    static const uint32_t code[] = {0x02a00513, 0x05d00893, 0x00000073}; // exit(42)
    struct {
        Elf64_Ehdr head;
        Elf64_Phdr segment;
        uint32_t code[3];
        char secret[16];
    } f = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_EXEC,
                 .e_machine = EM_RISCV,
                 .e_version = EV_CURRENT,
                 .e_entry = addr + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                 .e_phoff = sizeof(Elf64_Ehdr),
                 .e_ehsize = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 1},
        .segment = {.p_type = PT_LOAD,
                    .p_flags = PF_R | PF_X,
                    .p_vaddr = addr,
                    .p_paddr = addr,
                    .p_filesz = sizeof(f),
                    .p_memsz = sizeof(f),
                    .p_align = 4096},
        .secret = TEST_SECRET,
    };
    _Static_assert(offsetof(__typeof__(f), secret) == TEST_SECRET_OFFSET, "as test.h says");
    memcpy(f.code, code, sizeof(code));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    CHECK(fd >= 0 && write(fd, &f, sizeof(f)) == sizeof(f) && !fchmod(fd, mode) && !close(fd));
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

short test_poll(int fd, short events) {
    struct pollfd f = {fd, events, 0};
    CHECK(poll(&f, 1, 0) >= 0);
    return f.revents;
}

static char stretch[1 << 17];

static int write_stretches(int to) {
    unsigned char next = 0;
    for (size_t n = 1; n <= 100000; n = n * 3 + 1) {
        for (size_t i = 0; i < n; i++)
            stretch[i] = next++;
        for (size_t done = 0; done < n;)
            done += write(to, stretch + done, n - done);
    }
    return 0;
}

void test_keeps_order(int from, int to) {
    unsigned char expect = 0;
    ssize_t n;
    size_t total = 0;
    pid_t pid = fork();
    if (!pid)
        _exit(write_stretches(to));
    close(to);
    while ((n = read(from, stretch, 7777)) > 0)
        for (ssize_t i = 0; i < n; i++, total++)
            CHECK((unsigned char)stretch[i] == expect++);
    CHECK(n == 0 && total == 88573 + 29524 + 9841 + 3280 + 1093 + 364 + 121 + 40 + 13 + 4 + 1);
    CHECK(test_wait_exit(pid) == 0);
}

int test_put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int err = errno;
    close(fd);
    errno = err;
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

pid_t test_start_idle(void (*fn)(void *), void *arg) {
    int ready[2];
    char c;
    CHECK(!pipe(ready));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        if (fn)
            fn(arg);
        CHECK(write(ready[1], "r", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &c, 1) == 1 && !close(ready[0]) && !close(ready[1]));
    return pid;
}

void test_end(pid_t pid) {
    CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
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
