// SPDX-License-Identifier: MIT
// What the table says of the parameters: their types and their names. A name means the same thing in every call, so the
// table is the place where a new call tells the fuzzer what it takes: nothing is to be written here for it.
#define _GNU_SOURCE
#include "tests/fuzz-calls/calls.h"
#include "kernel/sys/numbers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call calls[] = {
#define SYSCALL(name_, kinds, ...) {.name = #name_, .number = __NR_##name_},
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};
const unsigned int call_count = sizeof(calls) / sizeof(calls[0]);

static const char *const parameter_texts[] = {
#define SYSCALL(name_, kinds, ...) #__VA_ARGS__,
#include "kernel/sys/syscalls.def"
#undef SYSCALL
};

// The first word that fits decides.
static const struct {
    const char *names; // of parameters, between spaces
    enum type type;
} meanings[] = {
    {" dfd old_dfd new_dfd ", TYPE_DIR_FD},
    {" fd old_fd new_fd in_fd out_fd epfd pidfd first last socket ", TYPE_FD},
    {" pid tid pgrp who id ", TYPE_PID},
    {" uid gid r e s ", TYPE_UID},
    {" sig ", TYPE_SIGNAL},
    {" n len size old_n new_n count nlocal nremote mask_size ", TYPE_SIZE},
    {" pos offset msgtype ", TYPE_OFFSET},
    {" flags prot mode ", TYPE_FLAGS},
    {" cmd op option level family protocol how which whence advice type clock policy resource options what ",
     TYPE_CHOICE},
    {" addr stack tls start end new_addr ", TYPE_ADDRESS},
};
static const struct {
    const char *names;
    enum type type;
} pointer_meanings[] = {
    {" path old_path new_path target source new_root put_old name type ", TYPE_PATH},
    {" iov local remote ", TYPE_IOV},
    {" timeout request ts value times tv ", TYPE_TIME},
    {" argv envp ", TYPE_STRINGS},
    {" address ", TYPE_SOCKET_NAME},
    {" message messages ", TYPE_MESSAGE},
};

static bool listed(const char *names, const char *name, size_t length) {
    char word[64];
    snprintf(word, sizeof(word), " %.*s ", (int)length, name);
    return strstr(names, word) != NULL;
}

// Of a parameter as the table writes it, "const char __user *path".
static enum type type_of(const char *text, size_t length) {
    size_t start = length;
    while (start && text[start - 1] != ' ' && text[start - 1] != '*')
        start--;
    const char *name = text + start;
    size_t name_length = length - start;
    if (memchr(text, '*', length)) {
        for (size_t i = 0; i < sizeof(pointer_meanings) / sizeof(pointer_meanings[0]); i++) {
            if (listed(pointer_meanings[i].names, name, name_length))
                return pointer_meanings[i].type;
        }
        return TYPE_BUFFER;
    }
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (listed(meanings[i].names, name, name_length))
            return meanings[i].type;
    }
    return TYPE_NUMBER;
}

void calls_read(void) {
    for (unsigned int i = 0; i < call_count; i++) {
        const char *text = parameter_texts[i];
        while (*text) {
            size_t length = strcspn(text, ",");
            calls[i].types[calls[i].parameters++] = type_of(text, length);
            text += length;
            text += strspn(text, ", ");
        }
    }
}

const struct call *call_find(const char *name) {
    for (unsigned int i = 0; i < call_count; i++) {
        if (!strcmp(calls[i].name, name))
            return &calls[i];
    }
    return NULL;
}
