// SPDX-License-Identifier: MIT
// What the files of procfs share: procfs.c (the tree), proc_text.c (files of generated text), proc_files.c
// and proc_sys.c (the files about the machine).
#pragma once
#include "fs/proc.h"

// proc_text.c: the ops of regular files whose inode stands for a proc_node.
extern const struct inode_ops proc_file_inode_ops;
extern const struct file_ops proc_file_ops;
// Of regular files that bring their own file_ops.
extern const struct inode_ops proc_raw_inode_ops;
off_t proc_lseek(struct file *f, off_t offset, int whence);

// Registers each of the n entries; panics without memory (boot).
void proc_register_all(const struct proc_entry *entries, size_t n);
// Zeros until the layer above has registered the processes.
struct proc_counts proc_get_counts(void);
void proc_files_init(void);
void proc_sys_init(void);
