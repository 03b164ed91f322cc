// SPDX-License-Identifier: MIT
// What pid 1 is asked to do before the program starts (run_order() of tools/drupe/run/run.h).
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tools/guest/guest.h"

// hostname NAME
static int set_hostname(char *const *arguments) {
    return sethostname(arguments[0], strlen(arguments[0])) < 0 ? errno : 0;
}

// directory PATH: it is there, with all above it
static int make_directory(char *const *arguments) {
    char *path = arguments[0];
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    return mkdir(path, 0755) < 0 && errno != EEXIST ? errno : 0;
}

// Each gives 0 or an errno.
static const struct {
    const char *kind;
    int (*carry_out)(char *const *arguments);
} kinds[] = {
    {"hostname", set_hostname},
    {"directory", make_directory},
    {"network", network_start},
    {"volume", volume_mount},
};

int order_carry_out(char *const *order) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(order[0], kinds[i].kind) == 0)
            return kinds[i].carry_out(order + 1);
    return ENOSYS;
}
