// SPDX-License-Identifier: MIT
// What became of a run, as JSON: --json FILE.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/json.h"
#include "common/output.h"
#include "machine/machine.h"
#include "run/run.h"

#define CALL_BEGIN                                                                                           \
    "syscall " // N (NAME) is not implemented: as the kernel tells of a call that it does not have
#define CALL_END " is not implemented"

void report_set_file(struct request *r, const char *path) {
    result_check_place("--json", path, false);
    r->json = path;
}

static const char *promised; // NULL: it has been written
static pid_t promised_by;    // processes that write results end, too

static void remove_old(void) {
    struct stat st;
    if (promised && getpid() == promised_by && lstat(promised, &st) == 0 && S_ISREG(st.st_mode))
        unlink(promised);
}

void report_promise(const struct request *r) {
    promised = r->json;
    promised_by = getpid();
    atexit(remove_old);
}

void report_missing(const char *program, const struct strings *missing) {
    char *all = NULL;
    for (size_t i = 0; i < missing->count; i++) {
        char *longer = xasprintf("%s%s%s", all ? all : "", all ? ", " : "", missing->at[i]);
        free(all);
        all = longer;
    }
    if (all)
        note("%s used %s: not in this kernel", program, all);
    free(all);
}

// The names of the missing calls, or their numbers.
static void find_calls(char *log, struct strings *calls) {
    char *more;
    for (char *line = strtok_r(log, "\n", &more); line; line = strtok_r(NULL, "\n", &more)) {
        char *begin = strstr(line, CALL_BEGIN), *end = begin ? strstr(begin, CALL_END) : NULL;
        if (!end)
            continue;
        *end = '\0';
        char *name = strchr(begin, '(');
        if (name)
            name[strcspn(name, ")")] = '\0';
        strings_add(calls, name ? name + 1 : begin + strlen(CALL_BEGIN));
    }
}

static void write_seconds(FILE *f, const char *key, uint64_t us) {
    fprintf(f, ", \"%s\": %llu.%06llu", key, (unsigned long long)us / 1000000,
            (unsigned long long)us % 1000000);
}

static void write_exit(FILE *f, const struct frame_exit *e) {
    int number = WIFSIGNALED(e->status) ? WTERMSIG(e->status) : 0;
    const char *name = number ? sigabbrev_np(number) : NULL;
    char *text = !number ? NULL : name ? xasprintf("SIG%s", name) : xasprintf("%d", number);
    json_write_member(f, "signal", text);
    write_seconds(f, "user_seconds", e->user_us);
    write_seconds(f, "system_seconds", e->system_us);
    fprintf(f, ", \"peak_memory\": %llu", (unsigned long long)e->peak);
    free(text);
}

void report_write(const struct request *r, const struct ending *ending, int status,
                  const struct results *results) {
    struct strings calls = {0};
    struct output out;
    char *text, *log = results ? result_log(r, results) : NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        fail("out of memory");
    fprintf(f, "{\"status\": %d, \"seconds\": %.3f, \"timed_out\": %s, \"panicked\": %s, \"memory\": %llu",
            status, ending->seconds, ending->timed_out ? "true" : "false",
            ending->panicked ? "true" : "false", (unsigned long long)r->memory);
    if (ending->exited)
        write_exit(f, &ending->exit);
    if (log) {
        find_calls(log, &calls);
        fputs(", \"missing_calls\": ", f);
        json_write_strings(f, &calls);
    }
    fputs("}\n", f);
    if (fclose(f) != 0)
        fail("out of memory");
    output_open(&out, r->json, "JSON");
    output_write(&out, text, size);
    output_finish(&out);
    promised = NULL;
    strings_free(&calls);
    free(text);
    free(log);
}
