// SPDX-License-Identifier: MIT
// Debian's packages: the files of a .deb, laid over others as dpkg would, without running anything of it.
#pragma once
#include <stdbool.h>
#include "root/layers.h"

// The root that packages expect: /bin, /lib and /sbin lead into /usr.
void deb_begin(struct layers *l);
// Ends the command where the file is no package. Gives whether it has scripts that have not been run.
bool deb_lay(struct layers *l, const char *path);
