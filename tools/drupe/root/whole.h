// SPDX-License-Identifier: MIT
// Whole roots (--root WHAT): a directory, a cpio, a tar or an OCI image, as it is: owners, modes, hard links, devices. No program in
// it is looked at, and no library for it is looked for.
//
//   whole.c      what WHAT is
//   directory.c  a directory of the host
//   tar.c        a tar, laid over
//   layers.c     names and attributes, to which
//   spool.c      the files' bytes belong
//   oci.c        images: which one, which layers, what is run
//   deb.c      packages, for `drupe root`
//   cache.c      what has been made once; header.c, how that is told
#pragma once
#include "root/cache.h"

// Finds or makes the root. Ends the command, saying why, where WHAT is none.
void whole_open(const char *what, struct kept *out);
