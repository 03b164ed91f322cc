// SPDX-License-Identifier: MIT
// A .deb is an ar(5) archive of debian-binary, control.tar and data.tar, in this order, the last two compressed (deb(5)).
#include "root/deb.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/util.h"
#include "root/tar.h"

#define MAGIC       "!<arch>\n"
#define MAGIC_SIZE  8
#define HEADER_SIZE 60
#define SIZE_AT     48 // of ten decimal digits
#define END_AT      58

// The next member: its name, without blanks and slashes behind it, and where it is. *at is moved behind it. False at the end.
static bool next_member(int fd, uint64_t file_size, uint64_t *at, char *name, struct piece *out) {
    char header[HEADER_SIZE + 1] = "";
    if (*at > file_size || file_size - *at < HEADER_SIZE ||
        pread(fd, header, HEADER_SIZE, (off_t)*at) != HEADER_SIZE || memcmp(header + END_AT, "`\n", 2) != 0)
        return false;
    header[END_AT] = '\0';
    uint64_t size = strtoull(header + SIZE_AT, NULL, 10), from = *at + HEADER_SIZE;
    if (size > file_size - from)
        return false;
    memcpy(name, header, 16);
    name[strcspn(name, " /")] = '\0';
    *out = (struct piece){.fd = fd, .at = from, .size = size};
    *at = from + size + size % 2;
    return true;
}

void deb_begin(struct layers *l) {
    static const char *const links[] = {"bin", "lib", "sbin"};
    layers_open(l);
    layers_next(l);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        char *to = xasprintf("usr/%s", links[i]);
        layers_add(l, to, &(struct layers_object){.mode = S_IFDIR | 0755});
        layers_add(l, links[i], &(struct layers_object){.mode = S_IFLNK | 0777, .target = to});
        free(to);
    }
}

bool deb_lay(struct layers *l, const char *path) {
    char magic[MAGIC_SIZE], name[17] = "";
    struct tar_findings findings;
    struct piece member;
    struct stat st;
    uint64_t at = MAGIC_SIZE;
    bool has_scripts = false, has_data = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        fail("%s: %s", path, trouble(path, errno));
    if (pread(fd, magic, sizeof(magic), 0) != sizeof(magic) || memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
        fail("%s: it is no Debian package", path);
    while (!has_data && next_member(fd, (uint64_t)st.st_size, &at, name, &member)) {
        if (strncmp(name, "control.tar", 11) == 0)
            has_scripts = tar_has(member, "./postinst") || tar_has(member, "./preinst");
        has_data = strncmp(name, "data.tar", 8) == 0;
    }
    if (!has_data)
        fail("%s: it is no Debian package: there is no data.tar in it", path);
    tar_lay(l, member, TAR_PACKAGE, path, &findings);
    close(fd);
    return has_scripts;
}
