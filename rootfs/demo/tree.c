// SPDX-License-Identifier: MIT
//
// A plugin that draws a branching tree with fruit. It needs libm's trigonometry (in musl, libc's own) and so
// the floating-point unit.
#include "demo.h"

#include <math.h>

#define CELL_ASPECT 2.2 // a character cell is about that much higher than wide

static void line(struct demo_canvas *canvas, double x0, double y0, double x1, double y1, char c) {
    double steps = fmax(fabs(x1 - x0), fabs(y1 - y0)) * 2 + 1;
    for (double i = 0; i <= steps; i++)
        demo_canvas_put(canvas, (int)lround(x0 + (x1 - x0) * i / steps),
                        (int)lround(y0 + (y1 - y0) * i / steps), c);
}

static void branch(struct demo_canvas *canvas, double x, double y, double angle, double length, int depth) {
    double end_x = x + cos(angle) * length * CELL_ASPECT;
    double end_y = y - sin(angle) * length;
    double lean = cos(angle);
    line(canvas, x, y, end_x, end_y, lean > 0.4 ? '/' : lean < -0.4 ? '\\' : '|');
    if (depth == 0) {
        demo_canvas_put(canvas, (int)lround(end_x), (int)lround(end_y), 'o');
        return;
    }
    branch(canvas, end_x, end_y, angle + 0.55, length * 0.72, depth - 1);
    branch(canvas, end_x, end_y, angle - 0.5, length * 0.75, depth - 1);
}

static void draw(struct demo_canvas *canvas) {
    double height = demo_canvas_height(canvas);
    branch(canvas, demo_canvas_width(canvas) / 2.0, height - 1, M_PI / 2, height / 3.6, 4);
}

const struct demo_plugin demo_plugin = {"tree", draw};
