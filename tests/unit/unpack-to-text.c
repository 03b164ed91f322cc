// SPDX-License-Identifier: MIT
// unpack-to-text [--groups] FILE...: unpacks archives, one over the other, into the model file system, with the
// kernel's own lib/, and prints the tree that comes of it, with --groups also which names are one file's.
// Reports go to stderr. Exit status 1 if a file was not read to its end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "model.h"

static char *read_all(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) < 0) {
        perror(path);
        exit(2);
    }
    char *bytes = malloc((size_t)st.st_size + 1);
    *size = fread(bytes, 1, (size_t)st.st_size, f);
    fclose(f);
    return bytes;
}

int main(int argc, char **argv) {
    struct model m;
    struct unpack u;
    char **bytes = calloc((size_t)argc, sizeof(char *)); // borrowed until the tree is printed
    int status = 0;
    model_init(&m);
    m.groups = argc > 1 && strcmp(argv[1], "--groups") == 0;
    unpack_begin(&u, &model_sink, &m, m.root);
    for (int i = 1 + m.groups; i < argc; i++) {
        size_t size;
        bytes[i] = read_all(argv[i], &size);
        status |= unpack_buffer(&u, bytes[i], size) != 0;
    }
    unpack_end(&u);
    char *dump = model_dump(&m);
    fputs(dump, stdout);
    fputs(m.reports, stderr);
    free(dump);
    model_free(&m);
    for (int i = 1; i < argc; i++)
        free(bytes[i]);
    free(bytes);
    return status;
}
