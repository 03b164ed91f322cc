// SPDX-License-Identifier: MIT
// A test program holds tests; each runs in a child of its own, so that one that crashes or hangs fails alone.
// A test's name says what it claims. `CHECK` ends the test at the first claim that does not hold.
//
//     TEST(pipe_read_returns_0_when_writers_are_gone) { ... CHECK(read(p[0], b, 1) == 0); }
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};
void test_register(struct test *t);
// Prints file, line, the claim and errno, and ends the test's process with status 1.
void test_fail(const char *file, int line, const char *claim) __attribute__((noreturn));

#define TEST(name_)                                                                                          \
    static void name_(void);                                                                                 \
    static struct test test_##name_ = {#name_, name_, 0};                                                    \
    __attribute__((constructor)) static void register_##name_(void) {                                        \
        test_register(&test_##name_);                                                                        \
    }                                                                                                        \
    static void name_(void)

#define CHECK(cond)                                                                                          \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            test_fail(__FILE__, __LINE__, #cond);                                                            \
    } while (0)
// The call fails with this errno.
#define CHECK_ERRNO(call, err) CHECK((errno = 0, (call) == -1) && errno == (err))

// The program's tests start in a directory of its own, with this mode.
#define TEST_DIRECTORY(mode_)                                                                                \
    __attribute__((constructor)) static void enter_directory(void) {                                         \
        test_enter_directory(__FILE__, mode_);                                                               \
    }
void test_enter_directory(const char *file, mode_t mode);
extern char test_place[64]; // its path

// Makes a file with this text; its descriptor, behind the text.
int test_make(const char *path, const char *text);

// Writes the text to the file at once, which is there. 0, or -1 with errno.
int test_put(const char *path, const char *text);

// The file's text, as far as one read of 8,191 bytes gives it; until the next call.
const char *test_read(const char *path);
// Reads what is open to its end, or to an error, and closes it. -1: it is not open.
void test_read_to_end(int fd);

// A child that has called fn(arg), if there is one, and waits to be ended.
pid_t test_start_idle(void (*fn)(void *), void *arg);
void test_end(pid_t pid); // by SIGKILL; it is waited for

// The number behind `key` in the file, as /proc has them; the key has to be there.
long test_number_in(const char *path, const char *key);

// Waits for the child and gives its exit status; fails the test if it was killed.
int test_wait_exit(pid_t pid);
// Makes a child that runs fn(arg) and exits with its result.
pid_t test_fork(int (*fn)(void *), void *arg);

// An executable file whose only segment is at `addr`; it ends with status 42. In its memory is a secret.
#define TEST_SECRET        "secret of a test" // 16 bytes
#define TEST_SECRET_OFFSET 132
void test_make_program(const char *path, unsigned long addr, mode_t mode);

// The events now of those that are asked for.
short test_poll(int fd, short events);
// What a child writes into `to`, in pieces of 1 to 88,573 bytes, comes out of `from` in order, and then the end. Closes `to`.
void test_keeps_order(int from, int to);
