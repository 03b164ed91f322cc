// SPDX-License-Identifier: MIT
// libarchive, loaded when the first tar is read: it brings a dozen libraries along, and the commands that read none start without. Each member is
// the function of that name behind archive_.
#pragma once
#include <archive.h>
#include <archive_entry.h>

#define LIBARCHIVE_CALLS(X)                                                                                  \
    X(entry_acl_types)                                                                                       \
    X(entry_gid)                                                                                             \
    X(entry_hardlink)                                                                                        \
    X(entry_mode)                                                                                            \
    X(entry_mtime)                                                                                           \
    X(entry_pathname)                                                                                        \
    X(entry_rdevmajor)                                                                                       \
    X(entry_rdevminor)                                                                                       \
    X(entry_size)                                                                                            \
    X(entry_symlink)                                                                                         \
    X(entry_uid)                                                                                             \
    X(entry_xattr_next)                                                                                      \
    X(entry_xattr_reset)                                                                                     \
    X(error_string)                                                                                          \
    X(filter_count)                                                                                          \
    X(read_data_block)                                                                                       \
    X(read_free)                                                                                             \
    X(read_new)                                                                                              \
    X(read_next_header)                                                                                      \
    X(read_open)                                                                                             \
    X(read_support_filter_bzip2)                                                                             \
    X(read_support_filter_compress)                                                                          \
    X(read_support_filter_gzip)                                                                              \
    X(read_support_filter_lz4)                                                                               \
    X(read_support_filter_lzma)                                                                              \
    X(read_support_filter_xz)                                                                                \
    X(read_support_filter_zstd)                                                                              \
    X(read_support_format_empty)                                                                             \
    X(read_support_format_tar)                                                                               \
    X(set_error)

#define LIBARCHIVE_MEMBER(name) __typeof__(&archive_##name) name;
struct libarchive {
    LIBARCHIVE_CALLS(LIBARCHIVE_MEMBER)
};
#undef LIBARCHIVE_MEMBER

// Loads it at the first call. Ends the program where it is not there.
const struct libarchive *libarchive(void);
