// SPDX-License-Identifier: MIT
// One of a hundred libraries: the check renames what is in it. (hundred.c counts.)
extern int constructed;
__thread int value_of_thread = 1;
static int made_at;

__attribute__((constructor)) static void construct(void) {
    made_at = ++constructed;
}

int value(void) {
    return value_of_thread++;
}

int made(void) {
    return made_at;
}
