// SPDX-License-Identifier: MIT
//
// libdemo: a canvas of characters. The program prints one, the library keeps it, a plugin draws on it; three
// objects that the loader has to bring together, which is what the demonstration is about.
#pragma once

struct demo_canvas;

/// An empty canvas of that many columns and rows, both at least 1. NULL if there is no memory.
struct demo_canvas *demo_canvas_create(int width, int height);
void demo_canvas_destroy(struct demo_canvas *canvas);

int demo_canvas_width(const struct demo_canvas *canvas);
int demo_canvas_height(const struct demo_canvas *canvas);

/// Puts a character at a place; outside the canvas that does nothing.
void demo_canvas_put(struct demo_canvas *canvas, int x, int y, char c);

/// Writes the canvas to standard output, without blanks at the ends of lines.
void demo_canvas_print(const struct demo_canvas *canvas);

/// What a plugin exports under the name "demo_plugin".
struct demo_plugin {
    const char *name;
    void (*draw)(struct demo_canvas *canvas);
};
