// SPDX-License-Identifier: MIT
// The messages of 9P2000.L (https://github.com/chaos/diod/blob/master/protocol.md): making requests and reading replies.
// Nothing here knows who sends them.
//
// A message is size[4] type[1] tag[2] and what its type has, little-endian; a string is its length in two bytes and its bytes.
// What is in one is told by a pattern: b, w, d, q are numbers of 1, 2, 4, 8 bytes, s is a string.
// A reply comes from outside: every length in it is checked against what is left of it.
#pragma once
#include "core/types.h"
#include <stdarg.h>

enum p9_type {
    P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TATTACH = 104,
    P9_TFLUSH = 108,
    P9_TWALK = 110,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
};
// The reply to each has the next number.

#define P9_HEADER    7u  // bytes of size, type and tag
#define P9_READ_HEAD 11u // of a reply to Tread before the data; as long as an error
#define P9_NO_TAG    0xffffu
#define P9_NO_FID    0xffffffffu
#define P9_NAME_MAX  255u

// A file's identity: of what kind, which, and a number that changes with it.
struct p9_qid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
};

struct p9_stat {
    struct p9_qid qid;
    uint32_t mode, uid, gid;
    uint64_t nlink, rdev, size, blksize, blocks;
    uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
};

struct p9_statfs {
    uint32_t type, bsize, namelen;
    uint64_t blocks, bfree, bavail, files, ffree, fsid;
};

// A string within a message.
struct p9_text {
    const char *at; // not terminated
    uint16_t length;
};

// A request that is being made.
struct p9_writer {
    uint8_t *start, *at, *end;
    bool too_long; // it did not fit
};
void p9_begin(struct p9_writer *w, void *to, size_t room, enum p9_type type, uint16_t tag);
// s takes a const char * and its length as a size_t.
void p9_put(struct p9_writer *w, const char *pattern, ...);
void p9_put_list(struct p9_writer *w, const char *pattern, va_list list);
// Writes the size, with `more` bytes that follow from elsewhere. The bytes here; 0: it did not fit.
size_t p9_end(struct p9_writer *w, size_t more);

// A reply that is being read.
struct p9_reader {
    const uint8_t *at;
    size_t left;
    bool bad; // something was cut off
};
// Looks at the head of a reply of which `n` bytes have come to a request of that type and tag. 0 with what follows in *r; the
// error that it tells, one of Linux's; -EIO: it is no such reply. `n` may be more than the message, never less.
int __must_check p9_open(struct p9_reader *r, const void *from, size_t n, enum p9_type type, uint16_t tag);
// False: it ended before all of the pattern; then the rest of what was asked for is 0. s gives a struct p9_text.
bool p9_get(struct p9_reader *r, const char *pattern, ...);

bool p9_get_qid(struct p9_reader *r, struct p9_qid *qid);
bool p9_get_stat(struct p9_reader *r, struct p9_stat *st);
bool p9_get_statfs(struct p9_reader *r, struct p9_statfs *st);

// One entry of a directory, behind the count of a reply to Treaddir.
struct p9_entry {
    struct p9_qid qid;
    uint64_t next; // where the one behind it is
    uint8_t type;  // DT_*
    struct p9_text name;
};
// 1, 0 at the end, -EIO: what follows is no entry, or its name is none (empty, too long, with a slash or a NUL).
int __must_check p9_get_entry(struct p9_reader *r, struct p9_entry *e);
