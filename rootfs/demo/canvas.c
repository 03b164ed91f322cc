// SPDX-License-Identifier: MIT
//
// The library's only file: see demo.h.
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct demo_canvas {
    int width, height;
    char cells[]; // row by row
};

struct demo_canvas *demo_canvas_create(int width, int height) {
    size_t cells = (size_t)width * (size_t)height;
    struct demo_canvas *canvas = malloc(sizeof *canvas + cells);
    if (!canvas)
        return NULL;
    canvas->width = width;
    canvas->height = height;
    memset(canvas->cells, ' ', cells);
    return canvas;
}

void demo_canvas_destroy(struct demo_canvas *canvas) {
    free(canvas);
}

int demo_canvas_width(const struct demo_canvas *canvas) {
    return canvas->width;
}

int demo_canvas_height(const struct demo_canvas *canvas) {
    return canvas->height;
}

void demo_canvas_put(struct demo_canvas *canvas, int x, int y, char c) {
    if (x >= 0 && x < canvas->width && y >= 0 && y < canvas->height)
        canvas->cells[y * canvas->width + x] = c;
}

void demo_canvas_print(const struct demo_canvas *canvas) {
    for (int y = 0; y < canvas->height; y++) {
        const char *row = canvas->cells + (size_t)y * (size_t)canvas->width;
        int end = canvas->width;
        while (end > 0 && row[end - 1] == ' ')
            end--;
        printf("%.*s\n", end, row);
    }
}
