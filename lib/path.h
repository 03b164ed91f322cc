// SPDX-License-Identifier: MIT
// Path names as strings: taking them apart and putting them into one form. Nothing here looks at a file
// system: `..` is resolved by name only by pathname_normalise(), which is right where no symlink is involved.
//
// Vocabulary: a *part* is what stands between slashes; a *normal* name is relative to the root, without "."
// and "..", without doubled, leading or trailing slashes; the root's is "".
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define PATHNAME_MAX      4095 // bytes of a whole name, without NUL
#define PATHNAME_PART_MAX 255

// Takes the next part off the front of the `*length` bytes at *path: moves both behind it. False when there
// is none.
bool pathname_next(const char **path, size_t *length, const char **part, size_t *part_length);

static inline bool pathname_is_dot(const char *part, size_t length) {
    return length == 1 && part[0] == '.';
}

static inline bool pathname_is_dot_dot(const char *part, size_t length) {
    return length == 2 && part[0] == '.' && part[1] == '.';
}

// Writes the normal form of `name` into `out`, NUL-terminated. 0; -EXDEV where `..` climbs above the root;
// -ENAMETOOLONG where a part or the whole is too long for Linux, or the whole for `size`.
int pathname_normalise(const char *name, char *out, size_t size);

// As pathname_normalise() of `dir`/`name`, or of `name` alone where that begins with '/'.
int pathname_join(const char *dir, const char *name, char *out, size_t size);

// What follows the last slash of a normal name.
const char *pathname_base(const char *name);

// The length of a normal name's parent: 0 where that is the root.
size_t pathname_parent_length(const char *name);

// Whether the normal name `name` is `dir` or lies below it.
bool pathname_is_below(const char *name, const char *dir);
