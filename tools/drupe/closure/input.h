// SPDX-License-Identifier: MIT
// From arguments to entries of the tree: host paths, manifests, globs. What is wrong is complained of.
#pragma once
#include "closure/view.h"

// Adds a sysroot.
void input_sysroot(struct view *v, const char *dir);

// Adds `[GUEST=]HOST`: what HOST is, with a directory's whole content. Without GUEST, something inside a
// sysroot goes where it is there, with the symlinks on the way; a file elsewhere goes to /NAME, a directory's
// content to /. Gives the guest path.
char *input_host(struct view *v, const char *argument);

// Adds all that a manifest in gen_init_cpio's format lists.
void input_manifest(struct view *v, const char *file);

// Adds what matches the pattern in the view; one without a slash is looked for in the libraries' default
// directories.
void input_also(struct view *v, const char *pattern);

// Where no sysroot was given, and something in the tree is for a glibc whose loader is nowhere: the root of
// Debian's cross compilers, if it is there.
void input_cross_root(struct view *v);
