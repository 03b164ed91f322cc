// SPDX-License-Identifier: MIT
// The firmware as a console, a call for each line where the firmware can, else for each character.
#include "core/earlycon.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/sbi.h"
#include "core/cmdline.h"
#include "core/printk.h"
#include "lib/string.h"

#define CHUNK 512

// The firmware takes physical addresses, and only the image's own data is known to be contiguous. The log's
// lock guards it.
static char chunk[CHUNK];

static void earlycon_write(const char *text, size_t n) {
    while (n) {
        size_t part = MIN(n, (size_t)CHUNK);
        memcpy(chunk, text, part);
        sbi_console_write(virt_to_phys(chunk), chunk, part);
        text += part;
        n -= part;
    }
}

static struct console earlycon = {"sbi", earlycon_write};

void earlycon_register(void) {
    console_register(&earlycon);
}

void earlycon_init(void) {
    if (cmdline_has("earlycon"))
        earlycon_register();
}
