// SPDX-License-Identifier: MIT
// Whose the programs are that may be the first process: a later archive may bring a root of its own, whose init is not
// named /init, over one that has an /init.
#pragma once
#include "fs/inode.h"

// Remembers what the names of inits stand for now.
void inits_look(void);
// A file gets other content, and keeps its name: the unpacker tells.
void inits_rewritten(const struct inode *inode);
// If /init is as it was, and what has another init's name is not: that name, else NULL. Forgets all.
const char *inits_of_later_archive(void);
