// SPDX-License-Identifier: MIT
// fuzz_NAME FILE...: a fuzz target without libFuzzer: runs it on files, such as the seeds, or inputs that it
// failed with.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        long size = -1;
        FILE *f = fopen(argv[i], "rb");
        if (!f || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
            perror(argv[i]);
            return 2;
        }
        uint8_t *bytes = malloc((size_t)size);
        if (fread(bytes, 1, (size_t)size, f) != (size_t)size) {
            perror(argv[i]);
            return 2;
        }
        fclose(f);
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
        free(bytes);
    }
    return 0;
}
