// SPDX-License-Identifier: MIT
// What all commands share: messages and exit statuses, memory that is there or ends the program, lists of
// strings, progress.
//
// Exit status 1: something in the input is wrong; 2: the command line is. The tool is short-lived: it frees
// what grows with work that is done again and again, and leaves the rest to exit.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EXIT_MISUSE 2

struct strings {
    char **at;
    size_t count;
};

// Ends the program as fail() does, when all has been said.
void give_up(void) __attribute__((noreturn));

// "drupe: ..." on stderr; fail() and misuse() do not return. complain() counts: complaints() then ends a
// command before it writes anything, so that a person sees all that is wrong at once.
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

// As misuse(), of what getopt_long(3) has just given '?' for; it is to say nothing of its own (opterr).
struct option;
void misuse_option(const char *command, const struct option *options, char **argv) __attribute__((noreturn));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned int complaints(void);

// How complain() and note() speak. Each finding should be told once; what is told in another way than as a
// complaint does not count.
enum saying {
    SAY_ALL,
    SAY_COMPLAINTS, // notes are for somebody else
    SAY_AS_NOTES,   // complaints too
    SAY_NOTHING,
};
enum saying set_saying(enum saying how); // gives the old one

// What is said, as it is said, goes into these lists instead of to standard error.
void gather_messages(struct strings *complaints, struct strings *notes);

// For a command whose own exit status must not be taken for another's.
void set_exit_statuses(int error, int misused);

// True the first time it is asked about a finding, a text that the caller gives away: what many closures
// share is told once.
bool is_new(char *finding);

// More lines of the message before, indented.
void complain_more(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A size in bytes, as in 4096, 512K, 256m, 1GB or 1GiB (all of them powers of 1024); 0 where it is none.
uint64_t parse_size(const char *text);

char *hex(const void *bytes, size_t count); // lower case

void strings_add(struct strings *s, const char *string); // copies it
void strings_addf(struct strings *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
// As argv is: with a NULL behind.
char **strings_list(struct strings *s);
void strings_sort(struct strings *s);
bool strings_have(const struct strings *s, const char *string);
void strings_free(struct strings *s);

// How many bytes the UTF-8 character at the start of a string has; 0 where it is none: too long for what it
// says, a surrogate, above U+10FFFF, cut, or the string is at its end.
size_t utf8_length(const char *string);
bool utf8_is_valid(const char *string);

// Prints a text in one line: control characters, and bytes that are not UTF-8, as \xNN; a backslash too where
// that is to be read back.
void print_visible(FILE *to, const char *text, bool escape_backslash);

// A line on stderr that is rewritten in place, a few times a second, when stderr is a terminal; `what` with a
// count and bytes.
void progress(const char *what, uint64_t count, uint64_t bytes);
void progress_end(void);

bool is_directory(const char *path); // or a symlink to one

// What an errno says of a path, and what to type to get further. Allocated.
char *trouble(const char *path, int error);

// Bytes of a whole file; ends the program where it cannot be read. The caller frees them; there is a NUL
// behind the last.
char *read_file(const char *path, size_t *size);
