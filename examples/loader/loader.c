// SPDX-License-Identifier: MIT
// What a loader has to get right, one claim for each first argument. It is linked with libone.so (with musl: libmusl.so, which is TWO).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *name(void);
const char *asks(void);

int quiet;
#define CHECK(c) ((c) ? 0 : (printf("line %d: %s\n", __LINE__, #c), exit(1)))

// The program's own goes before the library's.
const char *who(void) {
    return "from the program";
}

// The first argument decides before main() does: constructors get them, too (glibc), or /proc has them.
static int is_order(void) {
    char line[4096] = {0};
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, line, sizeof(line) - 1);
    close(fd);
    return n > 5 && !strcmp(line + n - 6, "order");
}

__attribute__((constructor)) static void begin(void) {
    if (is_order())
        fputs("constructor program,", stdout);
}

__attribute__((destructor)) static void end(void) {
    if (is_order())
        fputs("destructor program,", stdout);
}

static void *function(void *library, const char *symbol) {
    void *f = dlsym(library, symbol);
    CHECK(f);
    return f;
}

// Opened and closed many times over: its state is new each time, and nothing stays mapped.
static void opens(const char *path) {
    for (int i = 0; i < 200; i++) {
        void *library = dlopen(path, RTLD_NOW);
        CHECK(library);
        int (*step)(void) = (int (*)(void))function(library, "step");
        CHECK(step() == 1 && step() == 2);
        CHECK(dlclose(library) == 0);
    }
    CHECK(!dlopen(path, RTLD_NOW | RTLD_NOLOAD));
    CHECK(!dlopen("/srv/none.so", RTLD_NOW) && strstr(dlerror(), "none.so"));
}

static pthread_barrier_t barrier;

static void *counts(void *library) {
    pthread_barrier_wait(&barrier); // lives already when the library comes
    pthread_barrier_wait(&barrier);
    long (*count)(void) = (long (*)(void))function(*(void **)library, "count");
    for (long i = 1; i <= 1000; i++)
        CHECK(count() == 47 + i);
    return NULL;
}

static void threads(const char *path) {
    enum { N = 8 };
    pthread_t thread[N];
    void *library = NULL;
    pthread_barrier_init(&barrier, NULL, N + 1);
    for (int i = 0; i < N; i++)
        CHECK(!pthread_create(&thread[i], NULL, counts, &library));
    pthread_barrier_wait(&barrier);
    library = dlopen(path, RTLD_NOW);
    CHECK(library);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < N; i++)
        CHECK(!pthread_join(thread[i], NULL));
}

static void spaces(const char *path) {
#ifdef LM_ID_NEWLM
    void *a = dlmopen(LM_ID_NEWLM, path, RTLD_NOW), *b = dlmopen(LM_ID_NEWLM, path, RTLD_NOW);
    CHECK(a && b);
    int (*in_a)(void) = (int (*)(void))function(a, "step"),
        (*in_b)(void) = (int (*)(void))function(b, "step");
    CHECK(in_a != in_b && in_a() == 1 && in_b() == 1 && in_a() == 2);
#else
    (void)path;
#endif
}

struct object {
    const char *path;
    int found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
    struct object *wanted = data;
    (void)size;
    if (strcmp(info->dlpi_name, wanted->path))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        wanted->found |= info->dlpi_phdr[i].p_type == PT_LOAD  ? 1
                         : info->dlpi_phdr[i].p_type == PT_TLS ? 2
                                                               : 0;
    return 1;
}

static void iterates(const char *path) {
    char real[4096];
    CHECK(realpath(path, real));
    struct object wanted = {real, 0};
    CHECK(dlopen(path, RTLD_NOW));
    dl_iterate_phdr(look, &wanted);
    CHECK(wanted.found == 3);
}

static void copy(const char *from, const char *to) {
    char *line;
    CHECK(asprintf(&line, "cp %s %s", from, to) > 0);
    CHECK(system(line) == 0);
    free(line);
}

// As package managers replace a library: a new file takes its name, and who has mapped the old one keeps that.
static void replaced(const char *path, const char *by) {
    copy(path, "/srv/libnow.so");
    void *library = dlopen("/srv/libnow.so", RTLD_LAZY);
    CHECK(library);
    copy(by, "/srv/libnext.so");
    CHECK(rename("/srv/libnext.so", "/srv/libnow.so") == 0);
    const char *(*named)(void) = (const char *(*)(void))function(library, "name");
    CHECK(!strcmp(named(), "two"));
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    int deleted = 0;
    while (fgets(line, sizeof(line), maps))
        deleted += strstr(line, "/srv/libnow.so (deleted)") != NULL;
    fclose(maps);
    CHECK(deleted >= 2);
    CHECK(dlclose(library) == 0); // else it is found by its name
    library = dlopen("/srv/libnow.so", RTLD_NOW);
    CHECK(library && !strcmp(((const char *(*)(void))function(library, "name"))(), "one"));
}

// KiB of a line of smaps, of libc's text.
static long of_text(const char *what) {
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[4096];
    long n = -1;
    int inside = 0;
    while (fgets(line, sizeof(line), smaps)) {
        char *dash = strchr(line, '-'), *blank = strchr(line, ' ');
        if (dash && blank && dash < blank) // an area's first line
            inside = strstr(line, " r-xp ") && strstr(line, "/libc.so.6");
        if (inside && !strncmp(line, what, strlen(what)))
            n = atol(line + strlen(what));
    }
    fclose(smaps);
    return n;
}

static void shared(void) {
    CHECK(of_text("Size:") > 1000 && of_text("Rss:") > 0);
    CHECK(of_text("Private_Dirty:") == 0);
    CHECK(of_text("Shared_Clean:") > 0 &&
          of_text("Pss:") < of_text("Rss:")); // the shell that started this has it, too
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "order"))
        fputs("main,", stdout);
    else
        quiet = 1;
    if (!strcmp(what, "name"))
        printf("name %s\n", name());
    if (!strcmp(what, "interposed"))
        puts(asks());
    if (!strcmp(what, "opens"))
        opens(argv[2]);
    if (!strcmp(what, "threads"))
        threads(argv[2]);
    if (!strcmp(what, "spaces"))
        spaces(argv[2]);
    if (!strcmp(what, "iterates"))
        iterates(argv[2]);
    if (!strcmp(what, "replaced"))
        replaced(argv[2], argv[3]);
    if (!strcmp(what, "shared"))
        shared();
    return 0;
}
