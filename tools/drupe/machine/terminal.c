// SPDX-License-Identifier: MIT
#include "machine/terminal.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool is_raw;

void terminal_restore(void) {
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    is_raw = false;
}

bool terminal_make_raw(void) {
    if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    struct termios raw = before;
    cfmakeraw(&raw);
    raw.c_lflag |= ISIG;
    is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
    atexit(terminal_restore);
    return is_raw;
}

void terminal_pass_signals(void) {
    struct termios raw;
    if (!is_raw || tcgetattr(STDIN_FILENO, &raw) < 0)
        return;
    raw.c_lflag &= ~(tcflag_t)ISIG;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_size(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size;
    *rows = *columns = 0;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return;
    *rows = size.ws_row;
    *columns = size.ws_col;
}
