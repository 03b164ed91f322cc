// SPDX-License-Identifier: MIT
//
// demo [PLUGIN...]: has each plugin draw a picture, by default every one in /usr/lib/demo, and tells which
// object each part was found in. The program is linked against libdemo.so and opens the plugins itself, with
// dlopen; the plugins use libdemo.so too, and must find the program's copy of it.
#define _GNU_SOURCE
#include "demo.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH   72
#define HEIGHT  20
#define PLUGINS "/usr/lib/demo/*.so"

/// Says which loaded object holds this address.
static void tell(const char *what, const void *address) {
    Dl_info info;
    if (dladdr(address, &info))
        printf("%-8s %p in %s\n", what, address, info.dli_fname);
}

static int run_plugin(const char *path) {
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct demo_plugin *plugin = object ? dlsym(object, "demo_plugin") : NULL;
    if (!plugin) {
        fprintf(stderr, "demo: %s\n", dlerror());
        return 1;
    }
    struct demo_canvas *canvas = demo_canvas_create(WIDTH, HEIGHT);
    if (!canvas) {
        fprintf(stderr, "demo: no memory for a canvas\n");
        return 1;
    }
    plugin->draw(canvas);
    demo_canvas_print(canvas);
    demo_canvas_destroy(canvas);
    printf("plugin \"%s\", drawn by three objects that met at run time:\n", plugin->name);
    tell("plugin", plugin);
    dlclose(object);
    return 0;
}

int main(int argc, char **argv) {
    glob_t found = {0};
    int failed = 0;
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            failed |= run_plugin(argv[i]);
    } else if (glob(PLUGINS, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            failed |= run_plugin(found.gl_pathv[i]);
        globfree(&found);
    } else {
        fprintf(stderr, "demo: no plugin matches " PLUGINS "\n");
        failed = 1;
    }
    tell("library", (void *)demo_canvas_create);
    tell("libc", (void *)malloc);
    tell("program", (void *)main);
    return failed;
}
