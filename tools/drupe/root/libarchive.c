// SPDX-License-Identifier: MIT
#include "root/libarchive.h"
#include <dlfcn.h>
#include "common/util.h"

#define LIBRARY "libarchive.so.13"

const struct libarchive *libarchive(void) {
    static struct libarchive found;
    if (found.read_new)
        return &found;
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    if (!library)
        fail("a tar is read by libarchive: %s; it is in Debian's package libarchive13", dlerror());
#define FIND(name)                                                                                           \
    found.name = (__typeof__(found.name))dlsym(library, "archive_" #name);                                   \
    if (!found.name)                                                                                         \
        fail("%s has no archive_%s()", LIBRARY, #name);
    LIBARCHIVE_CALLS(FIND)
#undef FIND
    return &found;
}
