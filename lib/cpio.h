// SPDX-License-Identifier: MIT
// Walker over cpio archives in memory: newc (070701) and crc (070702), as Linux's initramfs buffer format has
// them: archives one after the other, mixed by entry, zeros between entries and archives, the trailer
// optional.
//
// Vocabulary: an *archive* runs from its first header to its trailer (the entry named "TRAILER!!!") or to the
// end of the buffer; alignment to 4 counts from its first byte. A *header* is 110 bytes: the magic and 13
// fields of 8 hex digits. The *name field* follows it and may be padded with NULs behind the name (to align
// the data); the *data* follow at the next multiple of 4.
//
// The walker copies nothing and allocates nothing: names and data point into the buffer. Every offset and
// size is checked against what remains before it is used. It holds no global state; a reader belongs to one
// caller at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPIO_HEADER_SIZE  110
#define CPIO_FIELDS       13
#define CPIO_FIELD_PAIRS  7
#define CPIO_HEADER_WORDS 28   // of 4 bytes; the last one reaches two bytes behind it
#define CPIO_PATH_MAX     4096 // largest name field, NUL and padding included
#define CPIO_TRAILER_NAME "TRAILER!!!"

#define CPIO_NAME_ALIGNMENT                                                                                  \
    (CPIO_HEADER_SIZE & 3) // what an address of a name is, modulo 4, behind an aligned header

// Types in an entry's mode: the format's own numbers, and those of st_mode on Linux.
#define CPIO_IFMT   0170000u
#define CPIO_IFIFO  0010000u
#define CPIO_IFCHR  0020000u
#define CPIO_IFDIR  0040000u
#define CPIO_IFBLK  0060000u
#define CPIO_IFREG  0100000u
#define CPIO_IFLNK  0120000u
#define CPIO_IFSOCK 0140000u

enum cpio_result {
    CPIO_END,     // the buffer is used up
    CPIO_ENTRY,   // `entry` is filled in
    CPIO_TRAILER, // so it is, and it ends an archive
    CPIO_SKIPPED, // the entry cannot be used (`error`), but its end is known: the next call goes on behind it
    CPIO_ERROR,   // the buffer cannot be read further: `error`; every later call gives the same
};

enum cpio_problem {
    CPIO_OK,
    CPIO_MAGIC_UNKNOWN, // neither a header nor a zero
    CPIO_MAGIC_OTHER,   // another cpio format or a compressed archive: cpio_magic_name() of `offset` names it
    CPIO_MISALIGNED,    // bytes where only zeros may be: a header not on a multiple of 4
    CPIO_HEADER_CUT,    // fewer than 110 bytes remain
    CPIO_NOT_HEX,       // `offset` is the first byte that is no hex digit, `field` names its field
    CPIO_NAME_CUT,
    CPIO_NAME_NO_NUL, // the last byte of the name field is not NUL
    CPIO_DATA_CUT,
    CPIO_NAME_SIZE, // 0 or more than CPIO_PATH_MAX, in `needs`: skipped
    CPIO_CHECKSUM,  // cpio_verify(): sum of the data in `remains`, the header's in `needs`
};

struct cpio_error {
    enum cpio_problem problem;
    uint32_t archive; // from 1
    uint32_t entry;   // from 1, in its archive
    uint64_t offset;  // in the buffer: of the header, or of the bad byte
    uint64_t needs;   // bytes the part needs
    uint64_t remains; // bytes that are there
    const char *name; // in the buffer, NULL where not known; name_length bytes
    size_t name_length;
    const char *field; // name of a header field
    const char *found; // what cpio_magic_name() said
};

struct cpio_entry {
    const char *name;     // NUL-terminated, in the buffer
    uint32_t name_length; // up to its first NUL
    uint32_t base;        // offset in the name of what follows its last '/', 0 where it has none
    uint64_t header;      // offset in the buffer
    uint64_t data_offset; // in the buffer
    const uint8_t *data;  // data_size bytes; valid also where data_size is 0
    uint32_t archive;     // number, from 1
    uint32_t index;       // number in the archive, from 1
    union {
        uint32_t fields[CPIO_FIELDS]; // the header's, in its order:
        struct {
            uint32_t ino;
            uint32_t mode; // type and permissions, as st_mode
            uint32_t uid, gid;
            uint32_t nlink;
            uint32_t mtime; // seconds since 1970
            uint32_t data_size;
            uint32_t dev_major, dev_minor;
            uint32_t rdev_major, rdev_minor;
            uint32_t name_size; // of the name field, NUL and padding included
            uint32_t checksum;
        };
        uint64_t pairs[CPIO_FIELD_PAIRS]; // to copy them
    };
    bool has_checksum; // crc format
    bool in_prefix;    // the name is the reader's prefix and one part without a slash
};

// How names probably begin: the directory of the name before.
struct cpio_prefix {
    const char *text; // ends with '/', or is empty; at CPIO_NAME_ALIGNMENT behind a multiple of 4
    uint32_t length;
};

struct cpio_reader {
    const uint8_t *buffer;
    uint64_t size;
    uint64_t position;                // where the next header is looked for
    uint64_t base;                    // first byte of the current archive
    uint32_t archive;                 // its number, 0 before the first
    uint32_t index;                   // entries of it so far
    bool in_archive;                  // a header was read and no trailer since
    bool failed;                      // CPIO_ERROR was given
    const struct cpio_prefix *prefix; // the caller's, which may change it between calls; NULL: none
    struct cpio_error error;
    uint32_t words[CPIO_HEADER_WORDS]; // the last header, and what its fields mean
    union {
        uint32_t fields[CPIO_FIELDS];
        uint64_t pairs[CPIO_FIELD_PAIRS];
    };
};

// Starts a walk over `size` bytes at `buffer`, which must stay as they are until the walk is done.
void cpio_open(struct cpio_reader *r, const void *buffer, uint64_t size);

// The next entry. At CPIO_END, r->in_archive tells that the last archive had no trailer.
enum cpio_result cpio_next(struct cpio_reader *r, struct cpio_entry *entry);

// Reads eight hex digits. False: some are none.
bool cpio_read_hex8(const void *digits, uint32_t *value);

// Compares the sum of a crc entry's data with its header. False, with *error filled in, where they differ;
// true for newc, for anything but regular files, and where there are no data. Reads all the data.
bool cpio_verify(const struct cpio_entry *entry, struct cpio_error *error);

// What begins at `bytes`, by magic: "gzip", "xz", "zstd", "lz4", "lz4 (legacy)", "bzip2", "lzma", "lzo",
// "cpio odc", "cpio old binary"; NULL where it is none of them. A new cpio archive also gives NULL.
const char *cpio_magic_name(const void *bytes, uint64_t size);

// Writes the error as a sentence into `text` (NUL-terminated, cut to `size` bytes; control bytes of names as
// \xNN), such as
//   entry 41 ("lib/libc.so"): data needs 822608 bytes, 4096 remain; archive truncated?
// An archive behind the first is named in front: `archive 2, entry 1 (...)`. Gives the length written.
size_t cpio_error_text(const struct cpio_error *error, char *text, size_t size);

// The beginning of such a sentence, `entry 41 ("lib/libc.so")`, for callers with troubles of their own. Same
// rules.
size_t cpio_entry_text(uint32_t archive, uint32_t index, const char *name, size_t name_length, char *text,
                       size_t size);
