// SPDX-License-Identifier: MIT
// seeds DIRECTORY: writes the fuzzers' first inputs: archives with every kind of entry, and small ELF files,
// into DIRECTORY/unpack and DIRECTORY/elf.
#include <linux/elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "archive.h"
#include "lib/cpio.h"

static void save(const char *directory, const char *kind, const char *name, const void *bytes, size_t size) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, kind);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", directory, kind, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static void save_archive(const char *directory, const char *name, struct archive *a) {
    save(directory, "unpack", name, a->bytes, a->size);
    archive_free(a);
}

static void add(struct archive *a, const char *name, uint32_t mode, const char *data) {
    archive_add(a, .name = name, .mode = mode, .data = data, .mtime = 5);
}

static void archives(const char *directory) {
    struct archive a = {0};
    add(&a, ".", CPIO_IFDIR | 0755, NULL);
    add(&a, "dev", CPIO_IFDIR | 0755, NULL);
    archive_add(&a, .name = "dev/console", .mode = CPIO_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1);
    add(&a, "fifo", CPIO_IFIFO | 0600, NULL);
    add(&a, "implied/file", CPIO_IFREG | 0644, "text");
    archive_end(&a);
    save_archive(directory, "kinds", &a);

    add(&a, "lib", CPIO_IFLNK | 0777, "usr/lib");
    add(&a, "usr/up", CPIO_IFLNK | 0777, "/../lib/..");
    add(&a, "lib/x", CPIO_IFREG | 0644, "x");
    add(&a, "usr/up/../y", CPIO_IFREG | 0644, "y");
    add(&a, "loop", CPIO_IFLNK | 0777, "loop/loop");
    add(&a, "loop/z", CPIO_IFREG | 0644, "z");
    add(&a, "lib", CPIO_IFDIR | 0755, NULL);
    archive_end(&a);
    save_archive(directory, "symlinks", &a);

    for (uint32_t i = 0; i < 6; i++)
        archive_add(&a, .name = (const char *[]){"a", "b", "a", "d/c", "e", "b"}[i],
                    .mode = CPIO_IFREG | 0644, .nlink = 2, .ino = i / 4, .data = i % 2 ? "body" : NULL);
    add(&a, "a", CPIO_IFDIR | 0755, NULL);
    archive_end(&a);
    archive_zeros(&a, 8);
    archive_add(&a, .name = "crc", .mode = CPIO_IFREG, .crc = true, .data = "aa", .checksum = 2 * 'a');
    archive_add(&a, .name = "padded", .name_size = 300, .mode = CPIO_IFREG, .data = "1");
    archive_end(&a);
    save_archive(directory, "links-and-more", &a);

    add(&a, "cut", CPIO_IFREG | 0644, "data");
    a.size -= 2;
    save_archive(directory, "cut", &a);
}

static void elves(const char *directory) {
    struct {
        Elf64_Ehdr h;
        Elf64_Phdr ph[4];
        char interp[32];
    } f;
    memset(&f, 0, sizeof(f));
    f.h = (Elf64_Ehdr){.e_type = ET_DYN,
                       .e_machine = 243,
                       .e_version = 1,
                       .e_phoff = sizeof(f.h),
                       .e_ehsize = sizeof(f.h),
                       .e_phentsize = sizeof(f.ph[0]),
                       .e_phnum = 4};
    memcpy(f.h.e_ident, ELFMAG "\2\1\1", 7);
    strcpy(f.interp, "/lib/ld-musl-riscv64.so.1");
    f.ph[0] = (Elf64_Phdr){
        .p_type = PT_INTERP, .p_offset = sizeof(f) - sizeof(f.interp), .p_filesz = strlen(f.interp) + 1};
    f.ph[1] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = 5, .p_filesz = sizeof(f), .p_memsz = sizeof(f), .p_align = 4096};
    f.ph[2] =
        (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = 6, .p_vaddr = 0x2000, .p_memsz = 64, .p_align = 4096};
    f.ph[3] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = 6};
    save(directory, "elf", "dynamic", &f, sizeof(f));
    f.h.e_type = ET_EXEC;
    f.ph[0].p_type = PT_NULL;
    save(directory, "elf", "static", &f, sizeof(f));
}

// A dump request; and one with a string, a number and an address behind 8 bytes of its own.
static void netlink_requests(const char *directory) {
    static const uint8_t requests[] = {
        32, 0, 0, 0, 18, 0,  1,   3,   1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,
        0,  0, 0, 0, 0,  48, 0,   0,   0, 8, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0,  0, 0, 1, 0,
        0,  0, 7, 0, 1,  0,  'l', 'o', 0, 0, 8, 0, 3, 0, 1, 0, 0, 0, 8, 0, 7, 0, 10, 0, 0, 1,
    };
    save(directory, "netlink", "requests", requests, sizeof(requests));
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: seeds DIRECTORY\n", stderr);
        return 2;
    }
    archives(argv[1]);
    elves(argv[1]);
    netlink_requests(argv[1]);
    return 0;
}
