// SPDX-License-Identifier: MIT
// Calls what a hundred libraries have; each was constructed after the one that it needs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

int constructed;

static int count(struct dl_phdr_info *info, size_t size, void *n) {
    (void)info, (void)size;
    ++*(int *)n;
    return 0;
}

int main(void) {
    int objects = 0, seen[101] = {0};
    for (int i = 0; i < 100; i++) {
        char name[32];
        sprintf(name, "value%d", i);
        int (*value)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, name);
        sprintf(name, "made%d", i);
        int (*made)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, name);
        if (!value || !made || value() < 1 || made() != 100 - i || seen[made()]++)
            return printf("library %d: made %d\n", i, made ? made() : -1), 1;
    }
    dl_iterate_phdr(count, &objects); // the program, the vDSO, libc, the loader
    printf("%d objects, %d constructed\n", objects, constructed);
    return constructed != 100;
}
