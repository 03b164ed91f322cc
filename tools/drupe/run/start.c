// SPDX-License-Identifier: MIT
// What the machine's pid 1 is told (tools/guest/frames.h).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/util.h"
#include "run/run.h"
#include "tools/guest/frames.h"

void run_order(struct request *r, const char *trouble, const char *kind, const char *first,
               const char *second, const char *third) {
    const char *strings[ORDER_STRINGS] = {kind, first, second, third};
    for (size_t i = 0; i < ORDER_STRINGS; i++)
        strings_add(&r->orders, strings[i]);
    strings_add(&r->troubles, trouble);
}

static void add_string(FILE *to, const char *string) {
    fwrite(string, 1, strlen(string) + 1, to);
}

static bool has_variable(const struct strings *variables, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < variables->count; i++)
        if (strncmp(variables->at[i], name, length) == 0 &&
            (variables->at[i][length] == '=' || variables->at[i][length] == '\0'))
            return true;
    return false;
}

static void add_variable(const struct request *r, FILE *to, const char *name, const char *value) {
    if (value && !has_variable(&r->variables, name))
        fprintf(to, "%s=%s%c", name, value, '\0');
}

static void add_environment(const struct request *r, FILE *to) {
    add_variable(r, to, "PATH", RUN_PATH);
    add_variable(r, to, "HOME", r->user ? NULL : "/root"); // another user's is where its passwd(5) says
    add_variable(r, to, "LANG", "C.UTF-8");
    add_variable(r, to, "TERM", getenv("TERM"));
    add_variable(r, to, "LD_LIBRARY_PATH", r->library_path);
    for (size_t i = 0; i < r->variables.count; i++) {
        const char *variable = r->variables.at[i], *value = getenv(variable);
        if (strchr(variable, '='))
            add_string(to, variable);
        else if (value)
            fprintf(to, "%s=%s%c", variable, value, '\0');
    }
}

void *run_start(const struct request *r, const char *path, int argc, char **argv, size_t *size) {
    struct strings results = {0};
    result_paths(r, &results);
    struct frame_start head = {.arguments = (uint32_t)argc,
                               .orders = (uint32_t)(r->orders.count / ORDER_STRINGS),
                               .results = (uint32_t)results.count};
    char *bytes;
    FILE *f = open_memstream(&bytes, size);
    if (!f)
        fail("out of memory");
    fwrite(&head, 1, sizeof(head), f);
    add_string(f, path);
    add_string(f, r->user ? r->user : "");
    add_string(f, r->workdir ? r->workdir : r->here ? r->here : "/");
    for (size_t i = 0; i < r->orders.count; i++)
        add_string(f, r->orders.at[i]);
    for (size_t i = 0; i < results.count; i++)
        add_string(f, results.at[i]);
    strings_free(&results);
    for (int i = 0; i < argc; i++)
        add_string(f, argv[i]);
    add_environment(r, f);
    if (fclose(f) != 0)
        fail("out of memory");
    return bytes;
}
