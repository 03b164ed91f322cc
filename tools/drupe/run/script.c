// SPDX-License-Identifier: MIT
// Scripts whose first line starts this command: `#!/usr/bin/env -S drupe run [OPTION...] [INTERPRETER]`. The script is a file of
// this machine, so it goes along.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/util.h"
#include "run/run.h"

#define LINE_MOST 256 // as the kernel reads of one

// Whether the first line of a file has the words `drupe run`, by whatever path.
static bool starts_this_command(const char *path) {
    char line[LINE_MOST] = "";
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    if (!fgets(line, sizeof(line), f))
        *line = '\0';
    fclose(f);
    if (strncmp(line, "#!", 2) != 0)
        return false;
    const char *words = strstr(line, "drupe run");
    return words && (words[-1] == ' ' || words[-1] == '/') && strchr(" \n", words[strlen("drupe run")]);
}

void run_script(struct view *v, int *argc, char ***argv) {
    int script = 0;
    while (script < *argc && !(strchr((*argv)[script], '/') && starts_this_command((*argv)[script])))
        script++;
    if (script == *argc)
        return;
    char *argument = xasprintf("=%s", (*argv)[script]), *guest = input_host(v, argument);
    int first = script == 0; // nobody said what runs it
    char **words = xcalloc((size_t)(*argc + first) + 1, sizeof(char *));
    words[0] = "sh";
    for (int i = 0; i < *argc; i++)
        words[i + first] = i == script ? xasprintf("/%s", guest) : (*argv)[i];
    *argc += first;
    *argv = words;
    free(argument);
    free(guest);
}
