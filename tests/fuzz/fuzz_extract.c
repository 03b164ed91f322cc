// SPDX-License-Identifier: MIT
// What `drupe run --out` writes, from any archive: nothing outside the directory it was given, whatever is in there already.
#include "packer.h"
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "tools/drupe/archive/extract.h"
#include "tools/drupe/common/room.h"

// ---- room.h, with room for one archive at a time

void *room_take(uint64_t *size) {
    static uint8_t room[16 << 20];
    *size = sizeof(room);
    return room;
}

void room_keep(void *room, uint64_t size, uint64_t used) {
    (void)room, (void)size, (void)used;
}

void *room_work(void *ctx, size_t size) {
    (void)ctx;
    return malloc(size);
}

void room_work_free(void *ctx, void *memory, size_t size) {
    (void)ctx, (void)size;
    free(memory);
}

// ---- directories

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void write_text(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    packer_check(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

// Symlinks in the way, by the names that the seeds have.
static void set_up(void) {
    packer_check(mkdir("in", 0700) == 0 && mkdir("beside", 0700) == 0);
    write_text("beside/text", "stays");
    static const char *const names[] = {"in/a", "in/bin", "in/dir", "in/f", "in/x", "in/lib"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        packer_check(symlink(i % 2 ? "../beside/text" : "../beside", names[i]) == 0);
}

static unsigned int entries;
static int count_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    char names[256];
    (void)st, (void)type, (void)at;
    packer_check(llistxattr(path, names, sizeof(names)) <= 0);
    entries++;
    return 0;
}

// Only those of users are set here.
static int check_attributes(const char *path, const struct stat *st, int type, struct FTW *at) {
    static char names[65536];
    (void)st, (void)type, (void)at;
    ssize_t size = llistxattr(path, names, sizeof(names));
    for (ssize_t name = 0; name < size; name += (ssize_t)strlen(names + name) + 1)
        packer_check(strncmp(names + name, "user.", 5) == 0);
    return 0;
}

static void check_beside(void) {
    char text[8] = "";
    int fd = open("beside/text", O_RDONLY);
    struct stat st;
    packer_check(fd >= 0 && read(fd, text, sizeof(text)) == 5 && fstat(fd, &st) == 0 && st.st_nlink == 1);
    close(fd);
    entries = 0;
    nftw("beside", count_one, 8, FTW_PHYS);
    packer_check(entries == 2); // itself and the text
}

static void extract(const uint8_t *bytes, size_t size) {
    struct root root;
    root_begin(&root);
    root_lay(&root, "archive", bytes, size);
    extract_tree(root.top, "in");
}

static char top[] = "/tmp/drupe-fuzz-XXXXXX"; // with `in`, which the archive goes to, and `beside`
static int here;

static void remove_top(void) {
    rmdir(top);
}

static void make_top(void) {
    here = open(".", O_RDONLY | O_DIRECTORY);
    packer_check(here >= 0 && mkdtemp(top) && atexit(remove_top) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!here)
        make_top();
    packer_check(chdir(top) == 0);
    set_up();
    packer_run(extract, bytes, size);
    check_beside();
    nftw("in", check_attributes, 64, FTW_PHYS);
    chmod("in", 0700);
    nftw("in", remove_one, 64, FTW_DEPTH | FTW_PHYS);
    nftw("beside", remove_one, 8, FTW_DEPTH | FTW_PHYS);
    packer_check(fchdir(here) == 0);
    return 0;
}
