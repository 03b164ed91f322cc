// SPDX-License-Identifier: MIT
// The commands of `drupe`, each with its own options and --help: argv[0] is the command's name. They give the
// exit status.
#pragma once

// What --version prints.
void print_version(void);

int command_pack(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_deps(int argc, char **argv);
int command_check(int argc, char **argv);
int command_run(int argc, char **argv);
int command_cache(int argc, char **argv);
int command_root(int argc, char **argv);
int command_image(int argc, char **argv);
