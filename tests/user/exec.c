// SPDX-License-Identifier: MIT
// execve: programs, scripts, arguments, what survives and what does not.
#include "test.h"
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// Runs argv[0] and gives its exit status; its standard output goes to `out` (NUL-terminated).
static int run(char **argv, char **envp, char *out, size_t n) {
    int p[2];
    size_t got = 0;
    ssize_t r;
    CHECK(pipe(p) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        dup2(p[1], 1);
        close(p[0]);
        close(p[1]);
        execve(argv[0], argv, envp);
        _exit(errno == ENOENT    ? 127
              : errno == EACCES  ? 126
              : errno == ENOEXEC ? 125
              : errno == E2BIG   ? 124
                                 : 123);
    }
    close(p[1]);
    while (got < n - 1 && (r = read(p[0], out + got, n - 1 - got)) > 0)
        got += r;
    out[got] = 0;
    close(p[0]);
    return test_wait_exit(pid);
}

static void write_file(const char *path, const void *data, size_t n, int mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0 && chmod(path, mode) == 0);
}

static char output[65536];

TEST(exec_passes_arguments_and_environment) {
    char *argv[] = {"/bin/sh", "-c", "echo \"$0|$1|$X\"", "zero", "one two", NULL};
    char *envp[] = {"X=y z", NULL};
    CHECK(run(argv, envp, output, sizeof(output)) == 0);
    CHECK(!strcmp(output, "zero|one two|y z\n"));
}

TEST(exec_runs_scripts_through_their_interpreter) {
    static const char script[] = "#!/bin/sh -e\necho \"$0 $1\"\nexit 9\n";
    write_file("/tmp/script", script, sizeof(script) - 1, 0755);
    char *argv[] = {"/tmp/script", "arg", NULL};
    CHECK(run(argv, NULL, output, sizeof(output)) == 9);
    CHECK(!strcmp(output, "/tmp/script arg\n"));
}

TEST(exec_errors_are_those_of_linux) {
    char *missing[] = {"/tmp/does-not-exist", NULL}, *garbage[] = {"/tmp/garbage", NULL};
    char *noexec[] = {"/tmp/noexec", NULL}, *dir[] = {"/tmp", NULL}, *nointerp[] = {"/tmp/nointerp", NULL};
    write_file("/tmp/garbage", "\1\2\3\4garbage", 11, 0755);
    write_file("/tmp/noexec", "#!/bin/sh\n", 10, 0644);
    write_file("/tmp/nointerp", "#!/bin/none\n", 12, 0755);
    CHECK(run(missing, NULL, output, sizeof(output)) == 127);
    CHECK(run(garbage, NULL, output, sizeof(output)) == 125);
    CHECK(run(noexec, NULL, output, sizeof(output)) == 126);
    CHECK(run(dir, NULL, output, sizeof(output)) == 126);
    CHECK(run(nointerp, NULL, output, sizeof(output)) == 127);
}

TEST(exec_rejects_a_truncated_elf_file) {
    char head[512];
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head));
    for (size_t n = 4; n < 64; n += 10) {
        write_file("/tmp/cut", head, n, 0755);
        char *argv[] = {"/tmp/cut", NULL};
        CHECK(run(argv, NULL, output, sizeof(output)) == 125);
    }
}

TEST(exec_limits_one_argument_to_128_KiB) {
    char *big = malloc(200000);
    memset(big, 'x', 200000);
    big[131071] = 0;
    char *argv[] = {"/bin/sh", "-c", "echo ${#0}", big, NULL};
    CHECK(run(argv, NULL, output, sizeof(output)) == 0);
    CHECK(atoi(output) == 131071);
    big[131071] = 'x';
    big[131072] = 0;
    CHECK(run(argv, NULL, output, sizeof(output)) == 124);
}

TEST(exec_closes_only_close_on_exec_files) {
    int kept = open("/dev/null", O_RDONLY), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char command[100];
    snprintf(command, sizeof(command), "test -e /proc/self/fd/%d && ! test -e /proc/self/fd/%d", kept,
             closed);
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    CHECK(run(argv, NULL, output, sizeof(output)) == 0);
}

TEST(exec_resets_handlers_but_keeps_ignored_signals_and_the_mask) {
    sigset_t set;
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, (void (*)(int))exit);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    char *argv[] = {"/bin/sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/$$/status", NULL};
    CHECK(run(argv, NULL, output, sizeof(output)) == 0);
    unsigned long blocked, ignored, caught;
    CHECK(sscanf(strstr(output, "SigBlk:"), "SigBlk: %lx", &blocked) == 1);
    CHECK(sscanf(strstr(output, "SigIgn:"), "SigIgn: %lx", &ignored) == 1);
    CHECK(sscanf(strstr(output, "SigCgt:"), "SigCgt: %lx", &caught) == 1);
    CHECK(blocked & 1ul << (SIGHUP - 1));
    CHECK(ignored & 1ul << (SIGUSR1 - 1));
    CHECK(!(caught & 1ul << (SIGUSR2 - 1)));
}

TEST(the_auxiliary_vector_is_complete) {
    CHECK(getauxval(AT_PAGESZ) == 4096);
    CHECK(getauxval(AT_PHDR) && getauxval(AT_PHNUM) && getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK(getauxval(AT_ENTRY) && getauxval(AT_BASE));
    CHECK(getauxval(AT_RANDOM) && getauxval(AT_SYSINFO_EHDR));
    CHECK(!memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG));
    CHECK(getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_SECURE) == 0 && getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
    CHECK(strstr((char *)getauxval(AT_EXECFN), "exec"));
#ifdef __riscv
    CHECK((getauxval(AT_HWCAP) & 0x112d) == 0x112d); // a c d f i m
#endif
}

TEST(addresses_are_the_same_with_ADDR_NO_RANDOMIZE) {
    char *argv[] = {"/bin/sh", "-c",
                    "cat /proc/self/personality; grep -E 'stack|heap|libc.so' /proc/self/maps", NULL};
    static char again[65536];
    CHECK(personality(0xffffffff) == 0 && personality(ADDR_NO_RANDOMIZE) == 0);
    CHECK(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
    CHECK(run(argv, NULL, output, sizeof(output)) == 0 && run(argv, NULL, again, sizeof(again)) == 0);
    CHECK(!strncmp(output, "00040000\n", 9) && strstr(output, "[stack]") && !strcmp(output, again));
}

TEST(addresses_are_random) {
    char *argv[] = {"/bin/sh", "-c", "grep -E 'stack|libc.so|ld-musl' /proc/self/maps | head -n 2", NULL};
    static char again[65536];
    CHECK(run(argv, NULL, output, sizeof(output)) == 0 && run(argv, NULL, again, sizeof(again)) == 0);
    CHECK(strlen(output) > 20 && strcmp(output, again) != 0);
}

TEST(setuid_programs_change_the_effective_user) {
    char *argv[] = {"/tmp/suid-id", "-u", NULL};
    int from = open("/bin/busybox", O_RDONLY), to = open("/tmp/suid-id", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n;
    CHECK(from >= 0 && to >= 0);
    while ((n = read(from, output, sizeof(output))) > 0)
        CHECK(write(to, output, n) == n);
    close(to);
    write_file("/tmp/suid-id.sh", "#!/bin/sh\n", 10, 0755);
    CHECK(chown("/tmp/suid-id", 42, 42) == 0 && chmod("/tmp/suid-id", 04755) == 0);
    CHECK(rename("/tmp/suid-id", "/tmp/id") == 0);
    argv[0] = "/tmp/id";
    pid_t pid = fork();
    if (!pid) {
        if (setgid(1000) || setuid(1000))
            _exit(1);
        CHECK(run(argv, NULL, output, sizeof(output)) == 0);
        _exit(atoi(output) == 42 ? 0 : 2);
    }
    CHECK(test_wait_exit(pid) == 0);
}

// ---- what is executed is not written

TEST(a_running_program_cannot_be_written) {
    static const char *const path = "/tmp/text-busy";
    int fd;
    unlink(path);
    test_make_program(path, 0x20000, 0755);
    fd = open(path, O_WRONLY);
    pid_t pid = fork();
    if (!pid) {
        execl(path, path, (char *)NULL);
        _exit(errno);
    }
    CHECK(fd >= 0 && test_wait_exit(pid) == ETXTBSY && !close(fd)); // it is open for writing
    int self = open("/proc/self/exe", O_RDONLY),
        copy = open("/tmp/busy-copy", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    char block[4096];
    for (ssize_t n; (n = read(self, block, sizeof(block))) > 0;)
        CHECK(write(copy, block, n) == n);
    CHECK(!close(copy));
    pid = fork();
    if (!pid) {
        execl("/tmp/busy-copy", "x", "no-such-test", (char *)NULL);
        _exit(99);
    }
    CHECK(test_wait_exit(pid) == 0);
    CHECK_ERRNO(open("/proc/self/exe", O_WRONLY), ETXTBSY);
    CHECK_ERRNO(open("/proc/self/exe", O_RDWR), ETXTBSY);
    CHECK_ERRNO(open("/proc/self/exe", O_RDONLY | O_TRUNC), ETXTBSY);
    CHECK_ERRNO(truncate("/proc/self/exe", 0), ETXTBSY);
    CHECK(open("/tmp/busy-copy", O_RDWR) >= 0); // nobody runs it any more
}

TEST(a_memfd_can_be_executed_while_it_is_open) {
    char *argv[] = {"memfd", NULL}, block[4096];
    int fd = syscall(SYS_memfd_create, "program", 0), from;
    test_make_program("/tmp/program", 0x20000, 0755);
    from = open("/tmp/program", O_RDONLY);
    ssize_t n = read(from, block, sizeof(block));
    CHECK(n > 0 && write(fd, block, n) == n);
    pid_t pid = fork();
    if (!pid) {
        syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
        _exit(errno);
    }
    CHECK(test_wait_exit(pid) == 42);
}
