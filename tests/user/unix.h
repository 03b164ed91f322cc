// SPDX-License-Identifier: MIT
// Names of UNIX sockets, for the tests of these.
#pragma once
#include "test.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline struct sockaddr_un name_of(const char *path, socklen_t *len) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = *path ? strlen(path) + 1 : 1 + strlen(path + 1);
    memcpy(a.sun_path, path, n);
    *len = offsetof(struct sockaddr_un, sun_path) + n;
    return a;
}

static inline int bound(int type, const char *path) {
    socklen_t len;
    struct sockaddr_un a = name_of(path, &len);
    int s = socket(AF_UNIX, type, 0);
    CHECK(s >= 0 && bind(s, (void *)&a, len) == 0);
    return s;
}

static inline int connect_to(int s, const char *path) {
    socklen_t len;
    struct sockaddr_un a = name_of(path, &len);
    return connect(s, (void *)&a, len);
}
