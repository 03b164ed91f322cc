// SPDX-License-Identifier: MIT
// Unpacks cpio archives into a file tree behind a *sink*: in the kernel tmpfs, in tests a model. The rules
// are those of Linux's initramfs (init/initramfs.c), and where Linux drops something silently, this makes it
// or says so:
//
// - Names are relative to the root; leading '/', '.', doubled '/' mean nothing. A symlink in the middle of a
// name is followed
//   inside the root; `..` in a name may not climb out of it. "." is the root itself (its mode, owner, mtime).
// - A missing parent directory is made with mode 0755 and counted (*implied*).
// - Hard links: entries with nlink > 1 and equal (major, minor, inode, type) since the last trailer are one
// file, whichever of
//   them carries the data; a later body replaces an earlier. Symlinks are never linked.
// - A later entry replaces an earlier one: type differs: removed and made anew; file over file: rewritten in
// place, so that its
//   other names see it; directory over directory: attributes only. A directory that is not empty is never
//   removed.
// - Only a symlink does take the place of a directory that is not empty, if an earlier archive made that: what lies in it
//   goes along to where the symlink points (unpack_carry()). So a root with `bin -> usr/bin` goes over one with `bin`.
// - The entry METADATA!!! is the extended attributes of the entry before it (metadata.h). A file that an earlier archive made loses its own
//   when it is rewritten.
// - Attributes are the entry's; mtimes of directories are set at the end.
//
// A bad entry is reported and skipped; an error that makes the rest unreadable, and want of memory, end the
// buffer. What was made before stays.
//
// Vocabulary: a *node* is the sink's handle of one object in the tree. It is valid as long as the object has
// the name through which it was found, or is held. A *span* is data in the archive that the sink may keep
// pointing to (*borrow*): the buffer outlives the tree, or the sink sees to it.
//
// Between unpack_begin() and unpack_end() nothing else changes the tree. No locks: one caller at a time.
// Sleeps as the sink does. The unpacker allocates through the sink only, at most UNPACK_ALLOC_MAX bytes at
// once, and DECOMPRESS_ALLOC_MAX where there is compressed data.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/cpio.h"

#define UNPACK_ALLOC_MAX 4096

struct unpack_node; // the sink's

#define UNPACK_NO_OWNER 0xffffffff

struct unpack_attr {
    uint32_t mode;                   // type and permissions, as st_mode
    uint32_t uid, gid;               // UNPACK_NO_OWNER: as it is, 0 of what is new
    int64_t mtime;                   // seconds since 1970
    uint32_t rdev_major, rdev_minor; // devices only
};

struct unpack_span {
    const void *data; // in the buffer
    uint64_t size;
    uint64_t offset; // of `data` in the buffer
    uint64_t copied; // out, 0 on entry: how many of the bytes the sink copied instead of borrowing
};

enum unpack_severity {
    UNPACK_NOTE,    // worth knowing: the entry was used
    UNPACK_WARNING, // an entry was not used
    UNPACK_ERROR,   // the rest of the buffer was not used
};

// Names are `length` bytes, one component, never empty, ".", ".." or with '/' in it, not NUL-terminated;
// longer than the sink allows: -ENAMETOOLONG. Every operation gives 0 or -errno; -ENOMEM and -ENOSPC end the
// buffer.
struct unpack_sink {
    // Makes a regular file, device, FIFO or socket with these attributes; `span` (never NULL) holds a regular
    // file's data and may be empty. -EEXIST, and no change, where the name is taken. The new node in *out.
    int (*create)(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  const struct unpack_attr *attr, struct unpack_span *span, struct unpack_node **out);
    // Makes a directory; else as create.
    int (*mkdir)(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                 const struct unpack_attr *attr, struct unpack_node **out);
    // Makes a symlink to `target` (1 to 4095 bytes, without NUL; the sink copies it); else as create.
    int (*symlink)(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                   const struct unpack_attr *attr, const char *target, size_t target_length);
    // Makes one more name for `node`, not a directory. -EEXIST where the name is taken.
    int (*link)(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                struct unpack_node *node);
    // Removes a name, be it of a directory (-ENOTEMPTY where it is not empty) or anything else.
    int (*remove)(void *ctx, struct unpack_node *dir, const char *name, size_t length);
    // Finds a name, without following a symlink: node and st_mode. -ENOENT.
    int (*lookup)(void *ctx, struct unpack_node *dir, const char *name, size_t length,
                  struct unpack_node **out, uint32_t *mode);
    // Directory `dir`'s parent; the root's is the root.
    struct unpack_node *(*parent)(void *ctx, struct unpack_node *dir);
    // A number of a node that is larger than those of all nodes made before; of NULL: what the next one made will have at
    // least.
    uint64_t (*serial)(void *ctx, struct unpack_node *node);
    // Any child of a directory, its name (valid as long as the child has it) and st_mode; NULL where it is empty.
    struct unpack_node *(*first)(void *ctx, struct unpack_node *dir, const char **name, size_t *length,
                                 uint32_t *mode);
    // Moves `name`, whatever it is, from one directory to another that is not below it and has no such name.
    int (*move)(void *ctx, struct unpack_node *from, const char *name, size_t length, struct unpack_node *to);
    // A symlink's target, NUL-terminated, valid until the tree changes.
    const char *(*readlink)(void *ctx, struct unpack_node *node);
    // Replaces a regular file's content.
    int (*set_data)(void *ctx, struct unpack_node *node, struct unpack_span *span);
    // Sets owner, permissions (the type is the node's own already) and mtime.
    int (*set_attr)(void *ctx, struct unpack_node *node, const struct unpack_attr *attr);
    // Gives it an extended attribute (xattr(7)), in the place of one of that name; `name` ends with a NUL, the value is copied. NULL: takes all
    // away that it has.
    int (*set_xattr)(void *ctx, struct unpack_node *node, const char *name, const void *value, size_t size);
    int (*set_mtime)(void *ctx, struct unpack_node *node, int64_t mtime);
    // A held node stays valid without its name until it is dropped as often as it was held.
    void (*hold)(void *ctx, struct unpack_node *node);
    void (*drop)(void *ctx, struct unpack_node *node);
    // Memory for the unpacker itself: aligned for any object, not cleared; NULL where there is none.
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *memory, size_t size);
    // Memory for decompressed archives: the largest piece there is, aligned to a page, *size bytes; NULL and 0 where
    // there is none. No other memory is asked for but the decompressor's own until keep() says how much of it
    // is used; the rest goes back. What is kept stays as the buffer does.
    void *(*room)(void *ctx, uint64_t *size);
    void (*keep)(void *ctx, void *room, uint64_t size, uint64_t used);
    // How far the unpacker has read. It begins at `at`, of the buffer or of what was kept; it will not read again what
    // lies before `end`; it has ended, and goes on in the buffer around it. Data for files (create, set_data) come in
    // the order in which they lie there; what is before them will not be read again once the next come, or pass().
    void (*open)(void *ctx, const void *at);
    void (*pass)(void *ctx, const void *end);
    void (*close)(void *ctx);
    // One sentence about the archive, without a newline, such as cpio_error_text() makes.
    void (*report)(void *ctx, enum unpack_severity severity, const char *sentence);
};

struct unpack_summary {
    uint64_t archives, entries; // trailers do not count
    uint64_t bytes;             // of all data and link targets
    uint64_t borrowed, copied;  // bytes of files' data
    uint64_t decompressed;      // bytes that came out of compressed archives
    uint64_t implied;           // directories made without an entry
    uint64_t notes, warnings, errors;
};

struct unpack_link;
struct unpack_chunk;
struct unpack_times;

#define UNPACK_DEPTH 32 // directories of the last parent that are remembered

struct unpack {
    const struct unpack_sink *sink;
    void *ctx;
    struct unpack_node *root;
    struct unpack_summary summary;
    // The last parent directory: its name as the archive wrote it, and the nodes of its leading directories.
    char *names;               // CPIO_PATH_MAX bytes
    struct cpio_prefix parent; // in there
    struct unpack_node *parent_node;
    uint32_t depth; // nodes known of it
    struct {
        uint32_t length; // of the leading part of `parent` that names the node
        struct unpack_node *node;
    } levels[UNPACK_DEPTH];
    char *walk[2];             // CPIO_PATH_MAX bytes each, allocated when the first symlink is met on a way
    struct unpack_link *links; // tree of files with more than one name
    struct unpack_chunk *link_chunks;
    struct unpack_times *times, *times_last; // mtimes of directories, in order
    char *text;                              // for reports
    uint64_t archives;                       // of this buffer so far
    uint64_t first_serial;                   // of what the archive at hand makes
    struct unpack_node *last; // what the last entry made, or is; NULL: it was left out, or is a symlink
};

// Starts unpacking into the tree at `root`. -ENOMEM. On success unpack_end() must follow.
int unpack_begin(struct unpack *u, const struct unpack_sink *sink, void *ctx, struct unpack_node *root);

// Unpacks all archives of one buffer. May be called again for further buffers (an initrd over an embedded
// archive): they are laid over what is there. 0, or -errno with the cause reported: -EINVAL for a bad
// archive, -ENOMEM, -ENOSPC; entries that were skipped are counted in the summary only.
int unpack_buffer(struct unpack *u, const void *buffer, uint64_t size);

// Sets the directories' mtimes, drops what was held and frees all memory; u->summary stays readable.
void unpack_end(struct unpack *u);
