# SPDX-License-Identifier: MIT
"""The firmware that `drupe run` puts under its machines (tools/firmware)."""
import os
import pathlib
import resource
import subprocess

from conftest import CROSS, LIMIT

import machine

HERE = pathlib.Path(__file__).parent


def test_it_answers_as_the_specification_says(tmp_path):
    kernel = tmp_path / "kernel"
    flags = "-std=gnu11 -O1 -Wall -Werror -ffreestanding -nostdlib -static -fno-pic -no-pie -mcmodel=medany -march=rv64imac_zicsr_zifencei -mabi=lp64".split()
    subprocess.run([CROSS + "gcc", *flags, "-Wl,--section-start=.head=0x80200000,-Ttext=0x80200080,-e,0x80200000,--build-id=none,--no-warn-rwx-segments,-n", HERE / "sbi/supervisor.c", "-o", kernel.with_suffix(".elf")],
                   check=True)
    subprocess.run([CROSS + "objcopy", "-O", "binary", "-R", ".riscv.attributes", kernel.with_suffix(".elf"), kernel], check=True)
    done = subprocess.run(["qemu-system-riscv64", "-machine", "virt", "-cpu", "rv64,sstc=off", "-smp", "2", "-m", "64M", "-nographic", "-no-reboot", "-bios",
                           machine.BUILD / "firmware/firmware.bin", "-kernel", kernel], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=LIMIT, check=False)
    assert (done.returncode, done.stdout) == (1, b"all asked\n")


def test_all_harts_come_up(run):
    assert run("--smp", "8", "nproc").text == "8\n"


ENDS = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 500; i++)
        if (!fork())
            return pause();
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(0) > 0)
        ;
    return 0;
}
"""


def test_harts_that_wait_for_a_fence_leave_the_processor_to_whom_they_wait_for(run, compiled):
    """Eight on one processor: it took a second and more for each fence, all of it spent on waiting."""
    def took(*options):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert run(*options, "--smp", "8", program, preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})).status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    program = compiled(ENDS)
    assert min(took(), took()) < 1.5 * min(took("--firmware", "default"), took("--firmware", "default"))


def test_a_processor_without_a_timer_of_the_supervisors(run, tmp_path):
    (tmp_path / "qemu").write_text('#!/bin/sh\nexec qemu-system-riscv64 "$@" -cpu rv64,sstc=off\n')
    (tmp_path / "qemu").chmod(0o755)
    done = run("--qemu", tmp_path / "qemu", "--smp", "2", "sh", "-c", "sleep 0.1; grep -c sstc /proc/cpuinfo; nproc")
    assert done.text == "0\n2\n"


def test_qemus_own_firmware_instead(run):
    done = run("--firmware", "default", "--verbose", "--smp", "2", "nproc")
    assert done.text == "2\n" and "OpenSBI" in done.err
    done = run("--verbose", "nproc")
    assert done.text == "1\n" and done.err.startswith("[") and "OpenSBI" not in done.err


def test_firmware_that_is_not_there(run):
    done = run("--firmware", "/none/firmware", "true")
    assert done.status == 123 and "/none/firmware" in done.err
