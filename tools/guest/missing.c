// SPDX-License-Identifier: MIT
// What programs asked for that is not in the kernel, which notes each such thing once in its log:
//     syscall 425 (io_uring_setup) is not implemented, used by ...
//     socket family 40 (AF_VSOCK) is not implemented, used by ...
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include "tools/guest/guest.h"

#define SYSLOG_ACTION_READ_ALL    3
#define SYSLOG_ACTION_SIZE_BUFFER 10

// Of a line of the log's, "<7>[    0.123456] text", the text; NULL: it is not the kernel's own.
static const char *kernel_text(const char *line) {
    const char *text = strstr(line, "] ");
    return line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>' && text ? text + 2 : NULL;
}

static void look_at(const char *line) {
    const char *text = kernel_text(line);
    char told[FRAME_MAX] = "", name[40];
    unsigned int number;
    if (!text || !strstr(text, " is not implemented"))
        return;
    if (sscanf(text, "syscall %u (%39[a-z0-9_])", &number, name) == 2)
        snprintf(told, sizeof(told), "%s", name);
    else if (sscanf(text, "syscall %u", &number) == 1)
        snprintf(told, sizeof(told), "system call %u", number);
    else if (sscanf(text, "socket family %u (%39[A-Z0-9_])", &number, name) == 2)
        snprintf(told, sizeof(told), "socket(%s)", name);
    if (*told)
        channel_send(FRAME_MISSING, told, strlen(told));
}

void missing_send(void) {
    int size = klogctl(SYSLOG_ACTION_SIZE_BUFFER, NULL, 0);
    char *text = size > 0 ? malloc((size_t)size + 1) : NULL, *more;
    int n = text ? klogctl(SYSLOG_ACTION_READ_ALL, text, size) : -1;
    if (n > 0) {
        text[n] = '\0';
        for (char *line = strtok_r(text, "\n", &more); line; line = strtok_r(NULL, "\n", &more))
            look_at(line);
    }
    free(text);
}
