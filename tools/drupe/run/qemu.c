// SPDX-License-Identifier: MIT
// The words of QEMU's command, and what the kernel is told.
#include <stdio.h>
#include "common/util.h"
#include "run/run.h"
#include "tools/guest/frames.h"

char *run_command_line(const struct request *r) {
    return xasprintf("%s uaccess=open rdinit=/" RUN_INIT "%s%s%s%s", r->gdb ? "norandmaps" : "randomize=boot",
                     r->root ? run_root_words(r) : "", r->verbose || r->log ? "" : " quiet",
                     r->append ? " " : "", r->append ? r->append : "");
}

// An option of two words.
#define ADD(command, option, ...) (strings_add(command, option), strings_addf(command, __VA_ARGS__))

// The ports of the channel, and the console device that has them.
static void add_ports(struct strings *command, const struct channel *channel) {
    static const char *const names[] = {
        [PORT_CONTROL] = "control", [PORT_INPUT] = "input",       [PORT_OUTPUT] = "output",
        [PORT_ERROR] = "error",     [PORT_TERMINAL] = "terminal", [PORT_RESULT] = "result"};
    ADD(command, "-device", "virtio-serial-device,max_ports=%d", PORT_COUNT);
    for (int port = PORT_CONTROL; port < PORT_COUNT; port++) {
        ADD(command, "-chardev", "socket,id=%s,fd=%d", names[port], channel->qemus[port]);
        ADD(command, "-device", "virtserialport,nr=%d,chardev=%s,name=drupe.%s", port, names[port],
            names[port]);
    }
}

void run_qemu(struct strings *command, const struct request *r, const struct payload *payload,
              const struct channel *channel) {
    static const char *const fixed[] = {"-display", "none",  "-monitor",  "none",
                                        "-serial",  "stdio", "-no-reboot"};
    strings_add(command, r->qemu);
    if (r->root) {
        run_root_qemu(command, r);
    } else {
        ADD(command, "-machine", "virt");
        ADD(command, "-m", "%lluK", (unsigned long long)(r->memory >> 10));
    }
    ADD(command, "-smp", "%s", r->harts);
    // QEMU looks at both whenever code jumps to where it has not jumped before: 3 to 5 % of its time, and nobody is here for them.
    ADD(command, "-cpu", "rv64,h=false,debug=false");
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        strings_add(command, fixed[i]);
    if (r->firmware || !r->dry_run) // of what is only told, ours would be gone; QEMU's own does
        ADD(command, "-bios", "%s", run_firmware_path(r));
    ADD(command, "-kernel", "%s", payload->kernel);
    if (payload->archive)
        ADD(command, "-initrd", "%s", payload->archive);
    if (payload->command_line)
        ADD(command, "-append", "%s", payload->command_line);
    add_ports(command, channel);
    network_qemu(command, r);
    volume_qemu(command, r);
    if (r->gdb) {
        strings_add(command, "-S");
        ADD(command, "-gdb", "tcp:127.0.0.1:%u", r->gdb_port);
    }
}
