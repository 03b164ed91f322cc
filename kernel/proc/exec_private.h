// SPDX-License-Identifier: MIT
// execve(2)'s working state; private to kernel/proc/exec*.c.
#pragma once
#include "fs/file.h"
#include "lib/elf.h"
#include "proc/exec.h"
#include "proc/process.h"
#include "vm/vmspace.h"

#define EXEC_HEAD_SIZE     768 // bytes read of a file at first: its headers, usually
#define EXEC_SCRIPT_LINE   256 // of a script's first line that count, as in Linux
#define EXEC_SCRIPT_LEVELS 5   // scripts that scripts name as their interpreter
#define EXEC_STRING_MAX    (128 * 1024)
#define EXEC_TOTAL_MAX     (4 * 1024 * 1024)

// A file that is to be run, its headers checked.
struct exec_image {
    struct file *file;
    bool executing; // inode_begin_executing() was called
    struct elf_image elf;
    char *head;       // EXEC_HEAD_SIZE bytes, kmalloc
    size_t head_size; // that were read
    char *phdrs;      // in `head`, or phdrs_memory
    char *phdrs_memory;
    unsigned long bias; // address minus what the file was linked for
    unsigned long end;  // of its last segment in memory
};

struct exec {
    const char *name;                       // as the caller gave it: AT_EXECFN
    bool name_closes;                       // it goes through a descriptor that execve closes
    struct exec_image program, interpreter; // interpreter.file NULL: none
    struct vmspace *vm;                     // the new address space
    struct cred *cred;                      // the new credentials, a reference
    bool set_ids;                           // the file has a set-id bit that counts
    bool secure;                            // AT_SECURE
    bool gaining;                           // ptrace_exec_begin() was called
    bool gains;                             // and `cred` has more than the old ones
    pid_t old_tid, old_own_tid;             // of the caller, which takes over its process's number
    struct fs_context *fs;                  // where `in_exec` was raised
    struct exec_entropy {
        uint32_t stack, map, program, heap; // where things go
        uint8_t random[16];                 // AT_RANDOM
    } entropy;
    unsigned long stack_top, map_top; // where the stack ends; below it the libraries, the lowest taken so far
    unsigned long stack_pointer, entry;
    // argv and envp as they will be in memory: NUL-terminated strings, one after the other.
    char *strings;
    size_t strings_size, strings_capacity, strings_limit;
    size_t env_offset; // of the first of envp
    unsigned int argc, envc;
};

// exec_file.c: opens a file to run and reads its head. 0 or -errno.
int exec_open(int dfd, const char *path, unsigned int lookup_flags, struct exec_image *image);
void exec_close(struct exec_image *image);
// Follows `#!` lines from e->program until a binary; puts the interpreters' names and arguments into
// e->strings. *skip_first: the caller's argv[0] is replaced.
int exec_resolve_scripts(struct exec *e, bool *skip_first);

// exec_strings.c
int exec_add_kernel_string(struct exec *e, const char *s);
int exec_add_strings(struct exec *e, const struct exec_strings *list, bool skip_first, unsigned int *count);

// exec_load.c: builds the new address space: program, interpreter, vDSO, stack. 0 or -errno.
int exec_load(struct exec *e);
// exec_stack.c: the stack and what the program finds there.
int exec_build_stack(struct exec *e);
// exec_explain.c: why `path` cannot be run, ": " and a sentence's end, as far as that can be told from the files; "" if
// not. And whether the name itself is there.
void exec_explain(const char *path, char *text, size_t size);
bool exec_is_there(const char *path);
