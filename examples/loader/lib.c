// SPDX-License-Identifier: MIT
// A library of two: ONE or TWO.
#include <stdio.h>
#ifdef ONE
#define NAME "one"
#else
#define NAME "two"
#endif

__thread long counter = 40;
__thread char large[70000] = {7};
static int state;

// Weak: a program may have its own.
__attribute__((weak)) const char *who(void) {
    return "from the library";
}

const char *name(void) {
    return NAME;
}

const char *asks(void) {
    return who();
}

long count(void) {
    return ++counter + large[0] - large[69999];
}

int step(void) {
    return ++state;
}

#ifdef ONE
extern int quiet;
__attribute__((constructor)) static void begin(void) {
    if (!quiet)
        fputs("constructor library,", stdout);
}

__attribute__((destructor)) static void end(void) {
    if (!quiet)
        puts("destructor library");
}
#endif
