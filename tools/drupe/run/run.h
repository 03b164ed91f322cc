// SPDX-License-Identifier: MIT
// What `drupe run` is asked for, and what becomes of it.
//
//   options.c  the command line
//   files.c    the program's root: what was asked for, and all that it needs
//   root.c     or a whole root, as it is
//   script.c   scripts that start this command by their first line
//   image.c    the kernel with that root
//   network.c  its network, and ports that lead there
//   qemu.c     QEMU's command
//   volume.c   directories of this side in the machine
//   result.c   what is brought out of the machine
//   report.c   what became of the run, as JSON
//   boot.c     a built image instead of all that
//   start.c    what the machine's pid 1 is told (tools/guest)
//   run.c      all of it in turn
//
// What is to be done in the machine before the program starts is an *order* for its pid 1; what QEMU needs for it is a few
// words more of its command.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "closure/base.h"
#include "closure/input.h"
#include "common/util.h"
#include "image/image.h"
#include "machine/machine.h"
#include "root/cache.h"
#include "tools/guest/frames.h"

#define RUN_INIT ".drupe-run" // pid 1's name in the root, which it removes
#define RUN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" // the machine's $PATH

#define RUN_MEMORY (256ull << 20) // bytes; more if the image is large

// A port of the machine's that can be reached from here.
struct publication {
    const char *text, *address; // as typed; here
    unsigned int here, there;   // ports; here 0: any
    bool udp, picked;
};

struct request {
    struct strings files, globs, variables;
    struct strings orders;   // for pid 1, ORDER_STRINGS of each
    struct strings troubles; // what to say when an order could not be carried out; the error's name follows
    struct strings outs;     // --out: paths in the machine, as typed; outs_to: and here
    struct strings outs_to;
    struct strings volumes; // VOLUME_STRINGS of each: its real path here, its tag, "ro" or ""
    char *here;             // --here: the directory; NULL
    const char *json;       // where to tell of the run; NULL: nowhere
    const char *save;       // where the whole root goes; NULL: nowhere
    const char *kernel, *qemu, *firmware, *append, *log;
    const char *harts;
    const char *library_path;
    const char *root;           // a whole one; NULL: what the program needs, over the kernel's own
    struct kept kept;           // and what was made of it
    uint64_t ram;               // bytes of the machine with it
    const char *user, *workdir; // in the machine; NULL: root, and /
    uint64_t memory;            // bytes, a whole root not counted; 0: as the image wants it
    uint64_t timeout;           // ms; 0: none
    struct publication *publications;
    size_t publication_count;
    bool network, no_network; // it was said which
    unsigned int gdb_port;
    bool bare, gdb, dry_run, no_stdin, quiet, verbose;
};

// Fills in what the options say, sysroots in `v`; optind is the program's. Ends the command for --help and mistakes.
void run_parse(int argc, char **argv, struct view *v, struct request *r);

// Puts our own options into the place of words that people know from docker, podman and QEMU, or ends the command with what to type instead.
// `letters` and `options` are what getopt_long(3) will be given.
struct option;
void habits_replace(int argc, char **argv, const char *letters, const struct option *options);
#define RUN_INTERACTIVE "interactive" // the name of an option without effect: what it asks for is always so

// Has pid 1 do something before the program starts (tools/guest/orders.c has the kinds; arguments it does not have are "").
// They are carried out in the order in which they are given.
void run_order(struct request *r, const char *trouble, const char *kind, const char *first,
               const char *second, const char *third);

// Where the program, or an argument, is a file here whose first line starts this command, adds that and puts its path in
// the machine into the arguments; without an interpreter in the line, it is a shell's.
void run_script(struct view *v, int *argc, char ***argv);

// Adds the program and all that it needs to the view's tree. Gives the program's path in the machine.
char *run_files(struct view *v, const struct request *r, const char *program);
// HOST[:GUEST] of --file.
void run_add_file(struct view *v, const char *argument);
// And the machine's pid 1.
void run_add_init(struct view *v);

// Finds or makes the whole root; takes what it says of how it is run where the command line says nothing, the program too.
void run_root_open(struct request *r, int *argc, char ***argv);
// As run_files() with a whole root, in which nothing is looked for here.
char *run_root_files(struct view *v, const struct request *r, const char *program);
// QEMU's words for the memory of a machine with a whole root, and the kernel's.
void run_root_qemu(struct strings *command, const struct request *r);
char *run_root_words(const struct request *r);

// What QEMU loads: paths, and what the kernel is told behind its built-in line. NULL: the kernel's file has that.
struct payload {
    const char *kernel, *archive, *command_line;
};

// Makes what is to be made of it in memory, which QEMU inherits: there is nothing to be removed, however this ends. Gives the machine as much
// memory as it needs unless the request says how much.
void run_image(struct view *v, struct request *r, struct base *base, const char *command_line,
               struct payload *payload);
// What the kernel is told behind its built-in line.
char *run_command_line(const struct request *r);

// The firmware's path: what was asked for, or our own, in memory.
const char *run_firmware_path(const struct request *r);
// Adds the words of QEMU's command.
void run_qemu(struct strings *command, const struct request *r, const struct payload *payload,
              const struct channel *channel);

// Whether a file is a built image, by its header; and its machine, whose exit status it gives.
bool boot_is_image(const char *path);
int boot_image(struct request *r, const struct view *v, int argc, char **argv);

// The content of FRAME_START.
void *run_start(const struct request *r, const char *path, int argc, char **argv, size_t *size);

// Ends the command where a file at `path`, or "-", could not be made; `option` is for messages. A directory may be the place of some.
void result_check_place(const char *option, const char *path, bool may_be_directory);
// --network KIND, --publish [ADDR:]HOSTPORT:PORT[/udp]. End the command for what cannot be.
void network_set(struct request *r, const char *kind);
void network_publish(struct request *r, const char *text);
// All options are known: looks for ports. Has pid 1 get an address. Tells of the ports that were picked.
void network_prepare(struct request *r);
void network_order(struct request *r);
void network_tell(const struct request *r);
void network_qemu(struct strings *command, const struct request *r);

#define VOLUME_STRINGS 3
// --volume HOST[:GUEST][:ro], and --here. They end the command where that can come to nothing.
void volume_add(struct request *r, const char *argument);
void volume_add_here(struct request *r);
void volume_qemu(struct strings *command, const struct request *r);
uint64_t volume_bytes(const struct request *r); // no volume holds more, but for holes in files

// --out GUEST[:HOST]. Ends the command where that can come to nothing.
void result_add(struct request *r, const char *argument);
void result_set_save(struct request *r, const char *path);
// The paths that pid 1 is told, in the order of m->results: those of --out, "" for --save, and the kernel's log for --json.
void result_paths(const struct request *r, struct strings *paths);
// Room for what the machine will send; NULL: nothing is wanted.
struct results *result_open(const struct request *r);
// Puts all of it where it belongs. Gives whether nothing is missing; it has been complained of otherwise.
bool result_finish(const struct request *r, const struct results *results);
// The kernel's log, as it came for --json, with a NUL behind; NULL where it did not come. Allocated.
char *result_log(const struct request *r, const struct results *results);

// One line: which things that the program used are not in the kernel.
void report_missing(const char *program, const struct strings *missing);
// Writes what --json asks for.
void report_set_file(struct request *r, const char *path);
// From here on the command does not end with an earlier run's report in the file, which might be taken for this one's.
void report_promise(const struct request *r);
void report_write(const struct request *r, const struct ending *ending, int status,
                  const struct results *results);
