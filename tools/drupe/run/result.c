// SPDX-License-Identifier: MIT
// What is brought out of the machine: --out, --save. It comes as archives, which are unpacked as the kernel would; a machine is not
// believed, so they are unpacked in memory, and written from there (archive/extract.h).
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "archive/archive.h"
#include "archive/extract.h"
#include "archive/root.h"
#include "common/output.h"
#include "machine/machine.h"
#include "run/run.h"

// ---- what is asked for

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void check_parent(const char *option, const char *path) {
    const char *slash = strrchr(path, '/');
    char *parent = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
    struct stat st;
    if (stat(parent, &st) < 0)
        fail("%s: %s: %s", option, parent, trouble(parent, errno));
    if (access(parent, W_OK) < 0)
        fail("%s: %s: a file cannot be made in %s: %s", option, path, parent, trouble(parent, errno));
    free(parent);
}

// Known before the program has run for an hour. A file is made anew beside an old one (common/output.h), whatever that allows.
void result_check_place(const char *option, const char *path, bool may_be_directory) {
    struct stat st;
    if (!*path)
        misuse("run", "%s: which file?", option);
    if (strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO))
            fail("%s: standard output is a terminal; name a file, or add: | a command that reads it", option);
        return;
    }
    int fd = output_descriptor(path);
    if (fd >= 0) {
        if (fcntl(fd, F_GETFD) < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
            fail("%s: %s: descriptor %d is not open for writing", option, path, fd);
        return;
    }
    bool exists = stat(path, &st) == 0, is_file = lstat(path, &st) == 0 && S_ISREG(st.st_mode);
    if (exists && is_directory(path) && !may_be_directory)
        fail("%s: %s is a directory; name a file in it", option, path);
    if (!exists || is_file)
        check_parent(option, path);
    else if (access(path, W_OK) < 0)
        fail("%s: %s: %s", option, path, trouble(path, errno));
}

// Where HOST begins: a path with a colon in its name is followed by one that begins with /, ./ or ../, else the first colon ends GUEST.
static const char *find_host(const char *argument) {
    for (const char *colon = strchr(argument, ':'); colon; colon = strchr(colon + 1, ':'))
        if (colon[1 + strspn(colon + 1, ".")] == '/' && strspn(colon + 1, ".") <= 2)
            return colon;
    return strchr(argument, ':');
}

void result_add(struct request *r, const char *argument) {
    const char *colon = find_host(argument);
    char *guest = xstrndup(argument, colon ? (size_t)(colon - argument) : strlen(argument));
    for (size_t n = strlen(guest); n > 1 && guest[n - 1] == '/';)
        guest[--n] = '\0';
    const char *name = last_part(guest), *host = colon ? colon + 1 : "./";
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        misuse("run",
               "--out GUEST[:HOST]: GUEST names a file or directory, not \"%s\"; the whole root: --save FILE",
               guest);
    size_t length = strlen(host);
    if (!length)
        misuse("run", "--out %s: there is nothing behind the colon", argument);
    char *to = host[length - 1] == '/' ? xasprintf("%s%s", host, name) : xstrdup(host);
    result_check_place("--out", to, true);
    strings_add(&r->outs, guest);
    strings_add(&r->outs_to, to);
    free(guest);
    free(to);
}

void result_set_save(struct request *r, const char *path) {
    result_check_place("--save", path, false);
    r->save = path;
}

void result_paths(const struct request *r, struct strings *paths) {
    const char *workdir = r->workdir ? r->workdir : r->here ? r->here : "";
    for (size_t i = 0; i < r->outs.count; i++)
        if (*r->outs.at[i] == '/')
            strings_add(paths, r->outs.at[i]);
        else
            strings_addf(paths, "%s/%s", workdir, r->outs.at[i]);
    if (r->save)
        strings_add(paths, "");
    if (r->json)
        strings_add(paths, KERNEL_LOG);
}

// Bytes of memory that this system can give without taking any from its programs.
static uint64_t memory_available(void) {
    unsigned long long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib ? kib << 10 : (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

// Results are in memory until the machine has ended. No machine has more files than memory and what others hold for it, but for
// holes in them, and none is believed further than half of what there is.
static void set_most(struct results *results, const struct request *r) {
    uint64_t machines = 2 * (r->memory + r->kept.size + volume_bytes(r)), ours = memory_available() / 2;
    bool is_ours = ours < machines;
    results->most = is_ours ? ours : machines;
    results->most_is =
        is_ours ? "half of the memory that was free here; bring out less of it, or have the program write "
                  "it to a directory of this side: --volume DIR:GUEST"
                : "twice what the machine's memory and its volumes hold; bring out less of it, or give more: "
                  "--mem SIZE";
}

struct results *result_open(const struct request *r) {
    size_t count = r->outs.count + (r->save ? 1 : 0) + (r->json ? 1 : 0);
    if (!count)
        return NULL;
    struct results *results = xcalloc(1, sizeof(*results));
    results->count = count;
    results->each = xcalloc(count, sizeof(*results->each));
    results->fd = memfd_create("results", MFD_CLOEXEC);
    if (results->fd < 0)
        fail("memory for the results: %s", trouble("results", errno));
    set_most(results, r);
    return results;
}

// ---- what came

static struct unpack_node *find(struct root *root, const char *name) {
    for (struct unpack_node *n = root_first(root->top); n; n = root_next(n))
        if (strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

static bool put_result(struct root *root, const struct frame_result *result, const char *guest,
                       const char *to) {
    if (result->is_directory && strcmp(to, "-") == 0) {
        complain("--out %s:-: it is a directory, which standard output cannot be; name one: --out %s:DIR",
                 guest, guest);
        return false;
    }
    if (result->is_directory)
        return extract_tree(root->top, to);
    struct unpack_node *file = find(root, RESULT_FILE);
    if (!file || !S_ISREG(file->object->attr.mode)) {
        complain("--out %s: it is no regular file and no directory", guest);
        return false;
    }
    char *inside = is_directory(to) ? xasprintf("%s/%s", to, last_part(guest)) : xstrdup(to);
    extract_file(file, inside);
    free(inside);
    return true;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

// Whether the name is an archive's, and how that is compressed.
static bool is_archive_name(const char *path, struct compression *how) {
    static const struct {
        const char *end, *how;
    } names[] = {{".cpio", "none"},
                 {".cpio.gz", "gzip"},
                 {".cpio.xz", "xz"},
                 {".cpio.zst", "zstd"},
                 {".cpio.lz4", "lz4"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ends_with(path, names[i].end))
            return compression_parse(names[i].how, how);
    return false;
}

static void save_image(struct tree *tree, struct archive_options *options, const char *kernel,
                       const char *path) {
    struct archive_totals totals;
    struct base base;
    int fd = memfd_create("archive", MFD_CLOEXEC);
    char *archive = xasprintf("/dev/fd/%d", fd);
    options->output = archive;
    archive_write(tree, options, &totals);
    void *bytes = mmap(NULL, totals.bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (fd < 0 || bytes == MAP_FAILED)
        fail("memory for the archive: %s", trouble("results", errno));
    base_open(&base, kernel, NULL); // once more: what ran had another command line
    image_write(&base.image, bytes, totals.bytes, NULL, path);
    munmap(bytes, totals.bytes);
    close(fd);
    free(archive);
}

static bool save(struct root *root, const struct request *r) {
    const struct unpack_attr *attr = &root->top->object->attr;
    struct archive_options options = {.output = r->save, .keep_mtime = true};
    struct archive_totals totals;
    struct tree tree = {0};
    tree_add(&tree, &(struct entry){.path = "",
                                    .xattrs = root->top->object->xattrs,
                                    .mode = attr->mode,
                                    .uid = attr->uid,
                                    .gid = attr->gid,
                                    .mtime = attr->mtime});
    root_to_tree(root, "the machine", &tree);
    if (is_archive_name(r->save, &options.compression))
        archive_write(&tree, &options, &totals);
    else
        save_image(&tree, &options, r->kernel, r->save);
    return true;
}

static bool take(const struct request *r, const struct frame_result *result, size_t i, const void *bytes,
                 uint64_t size) {
    bool whole = i == r->outs.count;
    const char *guest = whole ? "--save" : r->outs.at[i];
    struct root root;
    if (result->error && !result->left_out) {
        complain("%s%s: %s in the machine", whole ? "" : "--out ", guest, strerror(result->error));
        return false;
    }
    root_begin(&root);
    root.uncompressed = true; // pid 1 compresses nothing
    unsigned int before = complaints();
    root_lay(&root, guest, bytes, size);
    bool all = whole ? save(&root, r) : put_result(&root, result, guest, r->outs_to.at[i]);
    if (result->left_out)
        complain("%s: %u %s missing, the first of them for: %s", guest, result->left_out,
                 result->left_out == 1 ? "entry is" : "entries are", strerror(result->error));
    return all && complaints() == before;
}

// By a process of its own: what ends that, such as a place that has become full, costs no other result.
static bool take_apart(const struct request *r, const struct frame_result *result, size_t i,
                       const void *bytes, uint64_t size) {
    pid_t parent = getpid();
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        fail("a process for the results: %s", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            exit(MACHINE_ERROR);
        exit(take(r, result, i, bytes, size) ? EXIT_SUCCESS : MACHINE_ERROR);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        complain("what brings %s out was ended by signal %d (%s)",
                 i < r->outs.count ? r->outs.at[i] : "the root", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

// The bytes of all that came.
static const char *map_results(const struct results *results, uint64_t *size) {
    struct stat st;
    if (fstat(results->fd, &st) < 0)
        fail("memory for the results: %s", trouble("results", errno));
    *size = (uint64_t)st.st_size;
    const char *bytes = *size ? mmap(NULL, *size, PROT_READ, MAP_SHARED, results->fd, 0) : "";
    if (bytes == MAP_FAILED)
        fail("memory for the results: %s", trouble("results", errno));
    return bytes;
}

char *result_log(const struct request *r, const struct results *results) {
    uint64_t size, at = results->count > 1 ? results->each[results->count - 2].end : 0;
    const char *bytes = map_results(results, &size);
    const struct frame_result *last = &results->each[results->count - 1];
    struct root root;
    if (!r->json || results->came < results->count || last->error || last->end > size)
        return NULL;
    root_begin(&root);
    root.uncompressed = true;
    enum saying old = set_saying(SAY_NOTHING);
    root_lay(&root, KERNEL_LOG, bytes + at, last->end - at);
    set_saying(old);
    struct unpack_node *file = find(&root, RESULT_FILE);
    return file ? xstrndup((const char *)file->object->data, file->object->size) : NULL;
}

bool result_finish(const struct request *r, const struct results *results) {
    uint64_t at = 0, size;
    const char *bytes = map_results(results, &size);
    size_t wanted = results->count - (r->json ? 1 : 0); // the log is for the report
    size_t came = 0;
    bool all = true;
    for (; came < wanted && came < results->came && results->each[came].end <= size; came++) {
        const struct frame_result *result = &results->each[came];
        all &= take_apart(r, result, came, bytes + at, result->end - at);
        at = result->end;
    }
    if (came < wanted)
        complain("the machine ended before %s was brought out",
                 came < r->outs.count ? r->outs.at[came] : "its root");
    return all && came == wanted;
}
