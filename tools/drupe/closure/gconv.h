// SPDX-License-Identifier: MIT
// glibc's iconv: modules for a character set, which it opens by itself.
#pragma once
#include "closure/view.h"

// Adds the modules that convert a character set, named as for iconv, with the files by which glibc finds
// them. Complains where the view has none.
void gconv_add(struct view *v, const char *charset);
