// SPDX-License-Identifier: MIT
// `drupe image`: another archive and command line in a built kernel image, or the ones that are there.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "commands.h"
#include "archive/archive.h"
#include "image/image.h"
#include "lib/cpio.h"
#include "lib/magic.h"
#include "lib/path.h"
#include "common/output.h"
#include "common/util.h"
#include "root/whole.h"

#define MIB                (1024.0 * 1024.0)
#define FIRMWARE_TREE_ROOM 0x02000000 // OpenSBI's fw_jump: 34 MiB behind the start of RAM, the image at 2 MiB
#define QEMU_TREE_ROOM     0x3fc00000 // QEMU: 2 MiB below 3 GiB, RAM begins at 2 GiB

static const char help[] =
    "Usage: drupe image [OPTION...] -o FILE\n"
    "       drupe image [OPTION...] --extract -o FILE\n"
    "       drupe image [OPTION...] --print-append\n"
    "Puts another archive and another command line into a built kernel image; no compiler is needed. Or "
    "takes\n"
    "them out of it.\n"
    "\n"
    "  -k, --kernel FILE    the image, flat or ELF; '-': standard input. Without it, the kernel that came\n"
    "                       with this command\n"
    "  -i, --initrd FILE    the archive: all that Linux takes as an initramfs, compressed or not; '-': "
    "standard\n"
    "                       input. More than one come one after the other, later files over earlier ones\n"
    "  -r, --root WHAT      the archive is a whole root as it is: a directory, a cpio, a tar or an OCI "
    "image, with\n"
    "                       /dev/console if it has none\n"
    "  -n, --no-initrd      no archive: the boot loader's will be the root\n"
    "  -a, --append LINE    the built-in command line, before the boot loader's; '' for none\n"
    "  -o, --output FILE    the new image (it may be the old one); '-': standard output\n"
    "  -x, --extract        write the image's archive to the output instead\n"
    "  -p, --print-append   print the image's command line instead\n"
    "  -f, --force          take an archive whatever it looks like\n"
    "  -v, --verbose        say what was written\n"
    "  -h, --help           this text\n"
    "\n"
    "What is not named stays as it is. The new image takes the old one's place when it is whole.\n";

struct request {
    const char *kernel, *root, *output, *append;
    struct strings initrds;
    bool no_initrd, extract, print_append, force, verbose;
};

static const struct option options[] = {
    {"kernel", required_argument, NULL, 'k'}, {"root", required_argument, NULL, 'r'},
    {"initrd", required_argument, NULL, 'i'}, {"no-initrd", no_argument, NULL, 'n'},
    {"append", required_argument, NULL, 'a'}, {"output", required_argument, NULL, 'o'},
    {"extract", no_argument, NULL, 'x'},      {"print-append", no_argument, NULL, 'p'},
    {"force", no_argument, NULL, 'f'},        {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},         {0},
};

static void check_request(struct request *r, int left) {
    bool change = r->initrds.count || r->root || r->no_initrd || r->append;
    unsigned int inputs = r->kernel && strcmp(r->kernel, "-") == 0;
    for (size_t i = 0; i < r->initrds.count; i++)
        inputs += strcmp(r->initrds.at[i], "-") == 0;
    if (left)
        misuse("image", "arguments without an option; is --initrd or --kernel missing before one?");
    if (inputs > 1)
        misuse("image", "standard input can be one file only");
    if ((r->initrds.count != 0) + r->no_initrd + (r->root != NULL) > 1)
        misuse("image", "--root, --initrd and --no-initrd exclude each other");
    if (change && (r->extract || r->print_append))
        misuse("image",
               "--extract and --print-append read; they go with no --initrd, --no-initrd or --append");
    if (r->print_append && (r->extract || r->output))
        misuse("image",
               "--print-append prints to standard output; it goes with neither --extract nor --output");
    if (!r->print_append && !r->output)
        misuse("image", "where should the %s go? (-o FILE, or -o - for standard output)",
               r->extract ? "archive" : "image");
    if (!change && !r->extract && !r->print_append)
        misuse("image", "nothing to change: --root, --initrd, --no-initrd or --append is needed");
}

static void parse(int argc, char **argv, struct request *r) {
    for (int c; (c = getopt_long(argc, argv, "k:r:i:na:o:xpfvh", options, NULL)) != -1;) {
        switch (c) {
        case 'k':
            r->kernel = optarg;
            break;
        case 'r':
            r->root = optarg;
            break;
        case 'i':
            strings_add(&r->initrds, optarg);
            break;
        case 'n':
            r->no_initrd = true;
            break;
        case 'a':
            r->append = optarg;
            break;
        case 'o':
            r->output = optarg;
            break;
        case 'x':
            r->extract = true;
            break;
        case 'p':
            r->print_append = true;
            break;
        case 'f':
            r->force = true;
            break;
        case 'v':
            r->verbose = true;
            break;
        case 'h':
            fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            misuse_option("image", options, argv);
        }
    }
    check_request(r, argc - optind);
}

// ---- archives

// Whether the bytes begin as one of the archives that kernels unpack, behind zeros if there are some.
static void check_archive(const char *name, const uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (at < size && bytes[at] == '\0')
        at++;
    if (at == size)
        fail("%s: %s; for an image without an archive: --no-initrd", name,
             size ? "nothing but zeros in it" : "it is empty");
    const struct magic *found = magic_find(bytes + at, size - at);
    if (found && found->kind != MAGIC_NAMED)
        return;
    fail("%s: no cpio archive (newc or crc), nor a compressed one%s%s; --force takes it as it is", name,
         found ? ": by its first bytes " : "", found ? found->name : "");
}

// All archives, each from a page on, as files in them are aligned to pages.
static uint8_t *read_archives(const struct request *r, size_t *size) {
    uint8_t *all = NULL;
    *size = 0;
    for (size_t i = 0; i < r->initrds.count; i++) {
        size_t one_size, from = (*size + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
        uint8_t *one = (uint8_t *)read_file(r->initrds.at[i], &one_size);
        if (!r->force)
            check_archive(r->initrds.at[i], one, one_size);
        if (i == 0) {
            all = one;
        } else {
            all = xrealloc(all, from + one_size + 1);
            memset(all + *size, 0, from - *size);
            memcpy(all + from, one, one_size);
            free(one);
        }
        *size = from + one_size;
    }
    return all;
}

// An embedded archive takes the place of the kernel's own /dev/console, as in Linux: without one in it, init
// is mute. Nothing is said of what cannot be read to its end here, such as compressed archives.
static bool lacks_console(const uint8_t *bytes, size_t size) {
    struct cpio_reader reader;
    struct cpio_entry entry;
    enum cpio_result result;
    char name[PATHNAME_MAX + 1];
    cpio_open(&reader, bytes, size);
    while ((result = cpio_next(&reader, &entry)) != CPIO_END) {
        if (result == CPIO_ERROR)
            return false;
        if (result == CPIO_ENTRY && pathname_normalise(entry.name, name, sizeof(name)) == 0 &&
            strcmp(name, "dev/console") == 0)
            return false;
    }
    return true;
}

static void warn_of_console(void) {
    note("no /dev/console in the archive: its init will start without input and output "
         "(`drupe pack --manifest` makes one from the line \"nod /dev/console 600 0 0 c 5 1\")");
}

// The root, and behind it an archive with a console if it has none: who made it was perhaps not allowed to.
static const uint8_t *read_whole(const char *what, size_t *size) {
    struct kept kept;
    whole_open(what, &kept);
    *size = kept.size;
    if (!lacks_console(kept.archive, kept.size))
        return kept.archive;
    struct tree t = {.count = 0};
    struct archive_options archive = {.below = kept.archive, .below_size = kept.size};
    struct archive_totals totals;
    int fd = memfd_create("archive", MFD_CLOEXEC);
    archive.output = xasprintf("/dev/fd/%d", fd);
    tree_add(
        &t, &(struct entry){.path = "dev/console", .mode = S_IFCHR | 0600, .rdev_major = 5, .rdev_minor = 1});
    archive_write(&t, &archive, &totals);
    void *bytes = mmap(NULL, totals.bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail("memory for %s: %s", what, strerror(errno));
    close(fd);
    *size = totals.bytes;
    return bytes;
}

// ---- the three things to do

static void warn_of_size(const struct image *image, uint64_t archive_size) {
    uint64_t room = image_memory_size(image, archive_size);
    const char *name = "the new image";
    if (room > QEMU_TREE_ROOM)
        note("%s takes %.1f MiB of memory; QEMU's virt machine puts the device tree %.0f MiB behind its "
             "beginning, so it will not boot there with -kernel",
             name, room / MIB, QEMU_TREE_ROOM / MIB);
    else if (room > FIRMWARE_TREE_ROOM)
        note("%s takes %.1f MiB of memory; firmware with a fixed place for the device tree (OpenSBI's "
             "fw_jump) puts it %.0f MiB behind the image's beginning, into it; QEMU and U-Boot do not",
             name, room / MIB, FIRMWARE_TREE_ROOM / MIB);
}

static void extract(const struct image *image, const struct request *r) {
    struct output out;
    if (image->descriptor.archive_size == 0)
        fail("%s: this kernel carries no archive; put one in: drupe image -k %s --initrd ARCHIVE -o FILE",
             image->name, image->name);
    output_open(&out, r->output, "an archive");
    output_write(&out, image->bytes + image->archive_at, image->descriptor.archive_size);
    output_finish(&out);
    if (r->verbose)
        note("%llu bytes of archive", (unsigned long long)image->descriptor.archive_size);
}

static void change(struct image *image, const struct request *r) {
    const uint8_t *archive = image->bytes + image->archive_at;
    const char *line = r->append ? r->append : image_command_line(image);
    size_t size = image->descriptor.archive_size;
    if (r->root) {
        archive = read_whole(r->root, &size);
    } else if (r->initrds.count) {
        archive = read_archives(r, &size);
        if (lacks_console(archive, size))
            warn_of_console();
    } else if (r->no_initrd) {
        size = 0;
    }
    image_write(image, archive, size, r->append, r->output);
    warn_of_size(image, size);
    if (r->verbose)
        note("%zu bytes of archive; command line \"%s\"; %.1f MiB of memory", size, line,
             image_memory_size(image, size) / MIB);
}

int command_image(int argc, char **argv) {
    struct request r = {.kernel = NULL};
    struct image image;
    size_t size;
    parse(argc, argv, &r);
    if (!r.kernel) {
        char *tried;
        r.kernel = image_default_kernel(&tried);
        if (!r.kernel)
            misuse("image",
                   "which kernel? None came with this command (looked for: %s); name it with --kernel",
                   tried);
    }
    uint8_t *bytes = (uint8_t *)read_file(r.kernel, &size);
    image_open(&image, r.kernel, bytes, size);
    if (r.print_append) {
        puts(image_command_line(&image));
        if (fflush(stdout) != 0)
            fail("standard output cannot be written; is its disk full? df -h, or write elsewhere");
    } else if (r.extract) {
        extract(&image, &r);
    } else {
        change(&image, &r);
    }
    return EXIT_SUCCESS;
}
