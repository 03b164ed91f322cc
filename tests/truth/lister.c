// SPDX-License-Identifier: MIT
// The init of the machine in which loaders are asked: for each line of /list (a root, a loader, LD_LIBRARY_PATH,
// a program; separated by tabs) prints "== ROOT PROGRAM" and what `LOADER --list PROGRAM` prints in that root,
// without addresses.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(char **field, int to) {
    char library_path[4096], *argv[] = {field[1], "--list", field[3], NULL}, *envp[] = {library_path, NULL};
    snprintf(library_path, sizeof(library_path), "LD_LIBRARY_PATH=%s", field[2]);
    if (!*field[2])
        envp[0] = NULL;
    dup2(to, 1);
    dup2(to, 2);
    if (chroot(field[0]) == 0 && chdir("/") == 0)
        execve(field[1], argv, envp);
    perror(field[1]);
    _exit(127);
}

static void ask(char **field) {
    char line[8192];
    int ends[2], status;
    if (pipe2(ends, 0) < 0)
        return;
    printf("== %s %s\n", field[0], field[3]);
    pid_t pid = fork();
    if (pid == 0)
        become(field, ends[1]);
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    while (from && fgets(line, sizeof(line), from)) {
        char *address = strstr(line, " (0x");
        line[address ? (size_t)(address - line) : strcspn(line, "\n")] = '\0';
        puts(line);
    }
    if (from)
        fclose(from);
    waitpid(pid, &status, 0);
    if (status)
        printf("status %d\n", status);
}

int main(void) {
    static char buffer[1 << 16];
    char line[8192];
    FILE *list = fopen("/list", "r");
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    puts("BEGIN");
    while (list && fgets(line, sizeof(line), list)) {
        char *rest = line, *field[4];
        line[strcspn(line, "\n")] = '\0';
        for (int i = 0; i < 4; i++)
            field[i] = strsep(&rest, "\t");
        fflush(stdout);
        if (field[3])
            ask(field);
    }
    puts("END");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
