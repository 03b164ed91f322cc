// SPDX-License-Identifier: MIT
// Handles: a file's number, by which it is found again without a name (name_to_handle_at(2)).
//
// A handle is of file systems whose names are the tree of dentries, and which give no number twice. Nothing is kept for it: it is made
// of the inode, and whoever comes with one has the tree searched, which only those may ask for who may read everything.
#pragma once
#include "core/types.h"

struct dentry;
struct inode;
struct path;

// What goes out; programs take it for bytes.
struct file_id {
    uint32_t generation; // the same number in another file system has another one
    uint32_t ino, ino_high;
};

struct file_id handle_of(const struct inode *inode);

#define HANDLE_NUMBER 1
#define HANDLE_ANY_FS 0x81 // FILEID_INO64_GEN: of a file system that finds none again

// As programs are told of it, in Linux's order.
struct told_handle {
    int type;
    uint32_t words[3];
};
struct told_handle handle_told_of(const struct inode *inode);
// A name of that file in the file system of `place`, referenced. ERR_PTR: -ESTALE: there is none (any more); -EINTR: killed.
struct dentry *__must_check handle_find(const struct path *place, const struct file_id *id);
