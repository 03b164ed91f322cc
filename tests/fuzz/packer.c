// SPDX-License-Identifier: MIT
#include "packer.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next, *previous;
    max_align_t memory[];
};

static struct block blocks = {.next = &blocks, .previous = &blocks};
static jmp_buf end;

void packer_check(bool good) {
    if (!good)
        abort();
}

void packer_exit(int status) {
    packer_check(status != 0);
    longjmp(end, status);
}

static void *insert(struct block *b) {
    b->next = blocks.next;
    b->previous = &blocks;
    b->next->previous = b->previous->next = b;
    return b->memory;
}

static struct block *extract(void *memory) {
    struct block *b = (struct block *)((char *)memory - offsetof(struct block, memory));
    b->next->previous = b->previous;
    b->previous->next = b->next;
    return b;
}

void *packer_calloc(size_t count, size_t size) {
    return insert(calloc(1, sizeof(struct block) + count * size));
}

void *packer_realloc(void *old, size_t size) {
    return insert(realloc(old ? extract(old) : NULL, sizeof(struct block) + size));
}

void packer_free(void *memory) {
    if (memory)
        free(extract(memory));
}

char *packer_strndup(const char *s, size_t n) {
    size_t length = strnlen(s, n);
    char *copy = packer_calloc(1, length + 1);
    memcpy(copy, s, length);
    return copy;
}

int packer_vasprintf(char **out, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return length;
    *out = packer_calloc(1, (size_t)length + 1);
    return vsnprintf(*out, (size_t)length + 1, format, args);
}

// What goes to a person's terminal.
static ssize_t hear(void *cookie, const char *bytes, size_t size) {
    (void)cookie;
    for (size_t i = 0; i < size; i++)
        packer_check((unsigned char)bytes[i] >= ' ' ? bytes[i] != 0x7f : bytes[i] == '\n');
    return (ssize_t)size;
}

int packer_run(void (*body)(const uint8_t *bytes, size_t size), const uint8_t *bytes, size_t size) {
    static FILE *ear;
    FILE *terminal = stderr;
    if (!ear)
        ear = fopencookie(NULL, "w", (cookie_io_functions_t){.write = hear});
    stderr = ear;
    int status = setjmp(end);
    if (!status)
        body(bytes, size);
    fflush(ear);
    stderr = terminal;
    while (blocks.next != &blocks)
        packer_free(blocks.next->memory);
    return status;
}
