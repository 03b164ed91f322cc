// SPDX-License-Identifier: MIT
// --volume and --here: directories of this side in the machine, by QEMU's 9P server. Pid 1 mounts them (tools/guest/volume.c).
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "common/util.h"
#include "run/run.h"

#define MOST                                                                                                 \
    6 // QEMU's machine has room for eight devices; the channel has one, and the network may have another

// Cuts ":ro" or ":rw" off the end. True: "ro".
static bool take_mode(char *text) {
    size_t length = strlen(text);
    bool is_ro = length > 3 && strcmp(text + length - 3, ":ro") == 0;
    if (is_ro || (length > 3 && strcmp(text + length - 3, ":rw") == 0))
        text[length - 3] = '\0';
    return is_ro;
}

// Cuts ":GUEST" off the end, which begins with the last ":/". NULL: there is none.
static char *take_guest(char *text) {
    for (size_t at = strlen(text); at-- > 1;) {
        if (text[at] == ':' && text[at + 1] == '/') {
            text[at] = '\0';
            return text + at + 1;
        }
    }
    return NULL;
}

// The path from here on without "." and double slashes; with "..", which a symlink may lead astray, as the file system has it. In
// the machine nobody knows where that leads: `real` is NULL then, and so is what comes back.
static char *absolute(const char *path, const char *real) {
    char *cwd = getcwd(NULL, 0),
         *whole = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", cwd ? cwd : "", path);
    char *to = whole, *out = xasprintf("%s/", whole);
    size_t used = 0;
    free(cwd);
    for (char *part = strtok_r(whole, "/", &to); part; part = strtok_r(NULL, "/", &to)) {
        if (strcmp(part, "..") == 0) {
            free(out);
            free(whole);
            return real ? xstrdup(strcmp(real, "/") == 0 ? "" : real) : NULL;
        }
        if (strcmp(part, ".") == 0)
            continue;
        size_t length = strlen(part);
        out[used++] = '/';
        memcpy(out + used, part, length);
        used += length;
    }
    out[used] = '\0';
    free(whole);
    return out;
}

static void check_host(const char *option, const char *host) {
    struct stat st;
    if (stat(host, &st) < 0)
        fail("%s: there is no %s here (%s); to have it: mkdir -p %s", option, host, strerror(errno), host);
    if (!S_ISDIR(st.st_mode))
        fail("%s: %s is no directory; a file goes into the machine with --file, and comes out with --out",
             option, host);
    if (access(host, R_OK | X_OK) < 0)
        fail("%s: %s: %s", option, host, strerror(errno));
}

static void add(struct request *r, const char *option, const char *host, const char *guest, bool is_ro) {
    check_host(option, host);
    char *real = realpath(host, NULL);
    if (!real)
        fail("%s: %s: %s", option, host, strerror(errno));
    char *place = absolute(guest ? guest : host, guest ? NULL : real);
    if (!place)
        misuse("run", "%s: GUEST is a path without \"..\", not %s", option, guest);
    if (!*place)
        misuse("run", "%s: the machine's root stays its own; GUEST is a directory below /", option);
    if (r->volumes.count / VOLUME_STRINGS == MOST)
        misuse("run", "more than %d volumes do not fit into QEMU's machine", MOST);
    char *tag = xasprintf("drupe%zu", r->volumes.count / VOLUME_STRINGS);
    strings_add(&r->volumes, real);
    strings_add(&r->volumes, tag);
    strings_add(&r->volumes, is_ro ? "ro" : "");
    char *trouble = xasprintf("%s: %s cannot be mounted on %s in the machine", option, host, place);
    run_order(r, trouble, "volume", tag, place, is_ro ? "ro" : "");
    free(trouble);
    free(place);
    free(tag);
    free(real);
}

void volume_add(struct request *r, const char *argument) {
    char *text = xstrdup(argument), *guest = NULL;
    char *option = xasprintf("--volume %s", argument);
    bool is_ro = false;
    if (!is_directory(text)) { // else the colons are its name's
        is_ro = take_mode(text);
        guest = is_directory(text) ? NULL : take_guest(text);
    }
    const char *colon = guest ? NULL : strrchr(text, ':');
    if (colon && access(text, F_OK) < 0)
        misuse("run", "--volume HOST[:GUEST][:ro]: GUEST is an absolute path, not %s", colon + 1);
    if (!*text)
        misuse("run", "--volume HOST[:GUEST][:ro]: which HOST?");
    add(r, option, text, guest, is_ro);
    free(option);
    free(text);
}

void volume_add_here(struct request *r) {
    char *here = getcwd(NULL, 0);
    if (!here)
        fail("--here: the current directory: %s", strerror(errno));
    if (strcmp(here, "/") == 0)
        misuse("run", "--here: the machine's root stays its own; go to a directory below /");
    add(r, "--here", here, here, false);
    r->here = here;
}

// A comma would end the option: QEMU has it doubled.
static char *escaped(const char *path) {
    char *out = xasprintf("%s%s", path, path), *to = out;
    for (; *path; *to++ = *path++)
        if (*path == ',')
            *to++ = ',';
    *to = '\0';
    return out;
}

void volume_qemu(struct strings *command, const struct request *r) {
    for (size_t i = 0; i < r->volumes.count; i += VOLUME_STRINGS) {
        const char *tag = r->volumes.at[i + 1];
        char *path = escaped(r->volumes.at[i]);
        strings_add(command, "-fsdev");
        strings_addf(command, "local,id=%s,path=%s,security_model=none,multidevs=remap%s", tag, path,
                     *r->volumes.at[i + 2] ? ",readonly=on" : "");
        strings_add(command, "-device");
        strings_addf(command, "virtio-9p-device,fsdev=%s,mount_tag=%s", tag, tag);
        free(path);
    }
}

uint64_t volume_bytes(const struct request *r) {
    uint64_t bytes = 0;
    struct statvfs st;
    for (size_t i = 0; i < r->volumes.count; i += VOLUME_STRINGS)
        if (statvfs(r->volumes.at[i], &st) == 0)
            bytes += (uint64_t)st.f_blocks * st.f_frsize;
    return bytes;
}
