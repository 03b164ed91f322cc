// SPDX-License-Identifier: MIT
// Why execve(2) of a file fails, in words, for the one who waits for a prompt: an error number does not tell which of the
// files on the way (a script's interpreter, a program's loader) is missing.
#include "core/errno.h"
#include "fs/path.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec_private.h"
#include <linux/fcntl.h>
#include <linux/limits.h>

bool exec_is_there(const char *path) {
    struct path p;
    if (path_lookup(AT_FDCWD, path, 0, &p))
        return false;
    path_put(&p);
    return true;
}

static const char *reason_of(const char *path, long err) {
    switch (-err) {
    case ENOENT:
        return exec_is_there(path) ? "is a symlink to nothing" : "is not there";
    case ENOTDIR:
        return "is not there";
    case EACCES:
        return "may not be executed (mode, or no regular file)";
    default:
        return "cannot be opened";
    }
}

// The interpreter that a script names: the first word behind "#!".
static void name_in_script(const struct exec_image *image, char *name) {
    size_t at = 2, n = 0;
    while (at < image->head_size && (image->head[at] == ' ' || image->head[at] == '\t'))
        at++;
    while (at < image->head_size && n < PATH_MAX - 1 && image->head[at] && !strchr(" \t\n", image->head[at]))
        name[n++] = image->head[at++];
    name[n] = '\0';
}

// The loader that an ELF file names, "" if none; what is wrong with the file, else NULL.
static const char *name_in_elf(struct exec_image *image, char *name) {
    struct elf_image *elf = &image->elf;
    *name = '\0';
    if (elf_parse_header(image->head, image->head_size, elf))
        return elf->problem == ELF_NOT_ELF ? "is neither a program nor a script"
                                           : "is no program for this machine";
    size_t size = elf_phdrs_size(elf);
    if (elf->phoff > image->head_size || size > image->head_size - elf->phoff)
        return NULL;
    if (elf_parse_segments(image->head + elf->phoff, size, image->file->inode->size, elf))
        return "is a damaged program";
    if (!elf->has_interp || elf->interp_size > PATH_MAX)
        return NULL;
    ssize_t n = file_read_kernel(image->file, name, elf->interp_size, elf->interp_offset);
    name[n > 0 ? n - 1 : 0] = '\0';
    return NULL;
}

void exec_explain(const char *path, char *text, size_t size) {
    char *name = kmalloc(PATH_MAX);
    *text = '\0';
    if (!name)
        return;
    strlcpy(name, path, PATH_MAX);
    const char *fault = NULL;
    for (int level = 0; *name && !fault && level <= EXEC_SCRIPT_LEVELS; level++) {
        struct exec_image image;
        long err = exec_open(AT_FDCWD, name, LOOKUP_FOLLOW, &image);
        lib_snprintf(text, size, level ? ": its interpreter %s" : ": it", name);
        if (err)
            fault = reason_of(name, err);
        else if (image.head_size >= 2 && !memcmp(image.head, "#!", 2))
            name_in_script(&image, name);
        else
            fault = name_in_elf(&image, name);
        exec_close(&image);
    }
    size_t n = fault ? strlen(text) : 0;
    lib_snprintf(text + n, size - n, fault ? " %s" : "", fault);
    kfree(name);
}
