// SPDX-License-Identifier: MIT
// The file that execve(2) names: may it be run, and is it a script?
#include "core/errno.h"
#include "fs/dentry.h"
#include "fs/mount.h"
#include "fs/path.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/exec_private.h"
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/stat.h>

#define MAY_EXECUTE 1

static int check_runnable(const struct path *path) {
    struct inode *inode = path->dentry->inode;
    if (S_ISLNK(inode->mode))
        return -ELOOP;
    if (!S_ISREG(inode->mode) || path->mount->flags & MS_NOEXEC)
        return -EACCES;
    return inode_permission(inode, MAY_EXECUTE);
}

static int read_head(struct exec_image *image) {
    image->head = kmalloc(EXEC_HEAD_SIZE);
    if (!image->head)
        return -ENOMEM;
    ssize_t n = file_read_kernel(image->file, image->head, EXEC_HEAD_SIZE, 0);
    if (n < 0)
        return n;
    image->head_size = n;
    return 0;
}

int exec_open(int dfd, const char *name, unsigned int lookup_flags, struct exec_image *image) {
    struct path path;
    *image = (struct exec_image){0};
    int err = path_lookup(dfd, name, lookup_flags, &path);
    if (err)
        return err;
    err = check_runnable(&path);
    if (!err) {
        image->file = file_open_path(&path, O_RDONLY);
        if (IS_ERR(image->file)) {
            err = PTR_ERR(image->file);
            image->file = NULL;
        }
    }
    if (!err) {
        err = inode_begin_executing(image->file->inode);
        image->executing = !err;
    }
    path_put(&path);
    if (!err)
        err = read_head(image);
    if (err)
        exec_close(image);
    return err;
}

void exec_close(struct exec_image *image) {
    if (image->executing)
        inode_end_executing(image->file->inode);
    if (image->file)
        file_put(image->file);
    kfree(image->head);
    kfree(image->phdrs_memory);
    *image = (struct exec_image){0};
}

// ---- scripts

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Cuts "#! interpreter argument" of `line`, of whose first n bytes all that there are count, into its two parts,
// NUL-terminated there; *argument NULL if there is none. Where the line goes on behind them the argument is cut off;
// -ENOEXEC: the name may be, or there is none.
static int parse_line(char *line, size_t n, char **interpreter, char **argument) {
    size_t start = 2, end = 2, name_end, at;
    while (end < n && line[end] != '\n')
        end++;
    while (start < end && is_blank(line[start]))
        start++;
    for (name_end = start; name_end < end && line[name_end] && !is_blank(line[name_end]);)
        name_end++;
    if (end == EXEC_SCRIPT_LINE && name_end == end--)
        return -ENOEXEC;
    while (end > start && is_blank(line[end - 1]))
        end--;
    line[end] = '\0';
    if (!line[start])
        return -ENOEXEC;
    at = line[name_end] ? name_end + 1 : name_end;
    line[name_end] = '\0';
    while (is_blank(line[at]))
        at++;
    *interpreter = line + start;
    *argument = line[at] ? line + at : NULL;
    return 0;
}

static bool is_script(const struct exec_image *image) {
    return image->head_size >= 2 && image->head[0] == '#' && image->head[1] == '!';
}

// The strings of one level go in front of those of the levels before.
static int add_level(struct exec *e, const char *interpreter, const char *argument) {
    size_t before = e->strings_size;
    int err = exec_add_kernel_string(e, interpreter);
    if (!err && argument)
        err = exec_add_kernel_string(e, argument);
    if (err)
        return err;
    e->argc += argument ? 2 : 1;
    size_t added = e->strings_size - before;
    char *copy = kmalloc(added);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, e->strings + before, added);
    memmove(e->strings + added, e->strings, before);
    memcpy(e->strings, copy, added);
    kfree(copy);
    return 0;
}

int exec_resolve_scripts(struct exec *e, bool *skip_first) {
    *skip_first = false;
    for (int level = 0; is_script(&e->program); level++) {
        char *interpreter, *argument;
        struct exec_image script = e->program;
        if (level == EXEC_SCRIPT_LEVELS)
            return -ELOOP;
        if (e->name_closes)
            return -ENOENT;
        int err =
            parse_line(script.head, MIN(script.head_size, (size_t)EXEC_SCRIPT_LINE), &interpreter, &argument);
        if (!err && level == 0) {
            *skip_first = true;
            err = exec_add_kernel_string(e, e->name);
            e->argc = 1;
        }
        if (!err)
            err = add_level(e, interpreter, argument);
        if (!err)
            err = exec_open(AT_FDCWD, interpreter, LOOKUP_FOLLOW, &e->program);
        else
            return err;
        exec_close(&script);
        if (err)
            return err;
    }
    return 0;
}
