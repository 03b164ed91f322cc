// SPDX-License-Identifier: MIT
// Between unpack.c, which makes what one entry says, and unpack_buffer.c, which goes through buffers.
#pragma once
#include "lib/metadata.h"
#include "lib/unpack.h"

#define UNPACK_TEXT_MAX 512

// Makes the entry. What is wrong with it is reported; 0, or -errno where the buffer ends with it.
int unpack_entry(struct unpack *u, const struct cpio_entry *e);
// Forgets the files with several names: an archive has ended.
void unpack_links_forget(struct unpack *u);

// Goes the target of a symlink in *dir, to the directory that it leads to: missing ones are made. `avoid` is the directory
// whose place the symlink takes: -ENOTEMPTY where the way leads through it. Else as a path: -ENOTDIR, -ELOOP, ...
int unpack_walk_target(struct unpack *u, struct unpack_node **dir, const char *target, size_t length,
                       int64_t mtime, const struct unpack_node *avoid);
// Empties the directory `top`: what lies in it goes to `target`, which is not in it. What has a name there already
// stays, and what came with that name goes; of two directories the content is joined. mtime: of directories implied.
int unpack_carry(struct unpack *u, struct unpack_node *top, struct unpack_node *target, int64_t mtime);

// ---- unpack_attr.c

// The mtime of a directory, to be set when nothing changes in it any more; and now they are.
int unpack_time_add(struct unpack *u, struct unpack_node *node, int64_t mtime);
void unpack_times_set(struct unpack *u);

// Sets the extended attributes that the entry holds of the one before it. An attribute that the sink does not want ends that: -errno.
int unpack_xattrs(struct unpack *u, const struct cpio_entry *e);

static inline bool unpack_is_xattrs(const struct cpio_entry *e) {
    return __builtin_expect(e->name_length == sizeof(METADATA_NAME) - 1, 0) && metadata_is(e);
}

// ---- reports

#define UNPACK_SKIPPED 1 // the entry was reported and is done with: unpack_skip() gives it
int unpack_skip(struct unpack *u, const struct cpio_entry *e, const char *why);
void unpack_report(struct unpack *u, enum unpack_severity severity, const char *sentence);
void unpack_report_error(struct unpack *u, enum unpack_severity severity, const struct cpio_error *error);
