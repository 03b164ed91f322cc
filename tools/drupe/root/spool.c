// SPDX-License-Identifier: MIT
#include "root/spool.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common/util.h"
#include "root/cache.h"

void spool_open(struct spool *s) {
    *s = (struct spool){.fd = cache_nameless_file()};
}

void spool_write(struct spool *s, uint64_t at, const void *bytes, size_t count, const char *name) {
    const char *from = bytes;
    if (at > SPOOL_MOST || count > SPOOL_MOST - at)
        fail("%s: what is in it comes to more than %llu GiB; that is no root", name, SPOOL_MOST >> 30);
    while (count) {
        ssize_t n = pwrite(s->fd, from, count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail("%s: a temporary file for it: %s", name, trouble(cache_place(), errno));
        from += n;
        at += (uint64_t)n;
        count -= (size_t)n;
    }
}

void spool_end_at(struct spool *s, uint64_t at, const char *name) {
    if (at > SPOOL_MOST)
        fail("%s: what is in it comes to more than %llu GiB; that is no root", name, SPOOL_MOST >> 30);
    if (ftruncate(s->fd, (off_t)at) < 0)
        fail("%s: a temporary file for it: %s", name, trouble(cache_place(), errno));
    s->size = at;
}

void spool_map(struct spool *s) {
    void *bytes = s->size ? mmap(NULL, s->size, PROT_READ, MAP_SHARED, s->fd, 0) : "";
    if (bytes == MAP_FAILED)
        fail("no addresses for %llu bytes of a root: %s", (unsigned long long)s->size, strerror(errno));
    s->bytes = bytes;
}
