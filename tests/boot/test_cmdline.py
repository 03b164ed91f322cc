# SPDX-License-Identifier: MIT
"""What the command line does: which words init sees, and those that set something."""
import re

import machine
import pytest

BARE = machine.BUILD / "bare/Image"

SHOW = r"""
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mount.h>
    #include <sys/reboot.h>
    #include <sys/stat.h>
    #include <unistd.h>
    static void show(const char *path, const char *wanted) {
        char line[200];
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
            if (strstr(line, wanted))
                printf("%s", line);
        if (f)
            fclose(f);
    }
    int main(int argc, char **argv, char **envp) {
        for (int i = 1; i < argc; i++) printf("arg %s\n", argv[i]);
        for (; *envp; envp++) printf("env %s\n", *envp);
        mkdir("/proc", 0755);
        mount("proc", "/proc", "proc", 0, 0);
        show("/proc/meminfo", "MemTotal");
        show("/proc/sys/kernel/randomize_va_space", "");
        show("/proc/sys/kernel/hostname", "");
        printf("harts %ld\nstack %p heap %p code %p\n", sysconf(_SC_NPROCESSORS_ONLN), (void *)&argc, malloc(1), (void *)main);
        fflush(stdout);
        reboot(RB_POWER_OFF);
    }"""


@pytest.fixture(scope="module")
def show(musl_gcc, cpio, tmp_path_factory):
    """show(words, ...): the lines that init prints with this command line."""
    folder = tmp_path_factory.mktemp("show")
    (folder / "root").mkdir()
    musl_gcc(folder / "root/init", SHOW, "-static")
    (folder / "root/init.c").unlink()
    archive = cpio(folder / "root", folder / "show.cpio")

    def lines(words, **options):
        status, text = machine.run(kernel=BARE, initrd=archive, append=words, **options)
        assert status == 0, text
        return text.replace("\r", "").split("\n")
    return lines


def passed_on(lines):
    return [line for line in lines if line.startswith(("arg ", "env ")) and line not in ("env HOME=/", "env TERM=linux")]


def test_what_linux_keeps_does_not_reach_init(show):
    lines = show("root=/dev/ram0 rootfstype=ramfs rootflags=size=10m rootdelay=1 rootwait ro rw noinitrd nosmp maxcpus=1 nr_cpus=1 mem=256M "
                 "nokaslr panic=-1 oops=panic earlycon=sbi resume=/dev/sda2 crashkernel=128M isolcpus=1 hugepages=2 ip=dhcp "
                 "transparent-hugepage=never apparmor=0 security=none clk_ignore_unused usbcore.autosuspend=-1 quiet")
    assert passed_on(lines) == []


def test_all_else_reaches_init(show):
    # As on Linux: nothing with such a name; parameters that need a value, without one; after `--` all is init's.
    lines = show("quiet single splash noapic vga=791 BOOT_IMAGE=/vmlinuz root init -- ro mem=5 a.b=c")
    assert passed_on(lines) == ["arg single", "arg splash", "arg noapic", "arg root", "arg init", "arg ro", "arg mem=5", "arg a.b=c",
                                "env vga=791", "env BOOT_IMAGE=/vmlinuz"]


def test_words_without_effect_are_named_in_the_log(show):
    assert any(line.endswith("without effect here: rootwait reboot=warm") for line in show("rootwait reboot=warm nosmp"))


@pytest.mark.parametrize("words, harts", [("", 4), ("nosmp", 1), ("maxcpus=0", 1), ("maxcpus=2", 2), ("nr_cpus=3", 3), ("nr_cpus=3 maxcpus=2", 2),
                                          ("maxcpus=9 nr_cpus=0", 4)])
def test_harts_that_are_not_wanted_are_not_started(show, words, harts):
    assert f"harts {harts}" in show("quiet " + words, smp=4)


@pytest.mark.parametrize("words, kilobytes", [("mem=128M", 128 << 10), ("mem=0x6000000", 96 << 10), ("mem=1G", 512 << 10), ("mem=nonsense", 512 << 10),
                                              ("mem=2M", 512 << 10)])
def test_mem_limits_memory(show, words, kilobytes):
    # QEMU puts the loader's archive behind 64 MiB of it at the least; an archive that mem= cuts off is read all the same.
    lines = show(words)
    total = int(re.search(r"MemTotal:\s+(\d+)", "\n".join(lines))[1])
    assert total == kilobytes
    assert any("mem=2M is less than" in line for line in lines) == (words == "mem=2M")


def test_norandmaps_puts_programs_where_they_were(show):
    def places(words):
        return [line for line in show(words) if line.startswith("stack ")]
    assert places("norandmaps") == places("norandmaps") != places("")
    assert "0" in show("norandmaps") and "2" in show("")


def test_randomize_boot_draws_once_a_boot(show):
    """But for programs that get privileges: here busybox, setuid and run by another user."""
    def places(m, command="cat /proc/self/maps"):
        return [line.split()[0] for line in m.run(command).splitlines() if "lib" in line or "[stack]" in line]
    first = []
    for words, same in (("randomize=boot", True), ("randomize=boot", True), ("randomize=exec", False)):
        with machine.Machine(append=words) as m:
            m.shell()
            first.append(places(m))
            assert len(first[-1]) > 2 and (places(m) == first[-1]) == same
            m.run("cp /bin/busybox /tmp/cat; chmod 4755 /tmp/cat; echo 'u:x:1000:1000::/:/bin/sh' >>/etc/passwd")
            assert places(m, "su u -c '/tmp/cat /proc/self/maps'") != places(m, "su u -c '/tmp/cat /proc/self/maps'") != []
            assert m.run("cat /proc/sys/kernel/randomize_va_space").strip() == ("3" if same else "2")
            m.run("echo 2 >/proc/sys/kernel/randomize_va_space")
            assert places(m) != places(m)
    assert first[0] != first[1]
    assert any("neither boot nor exec" in line for line in show("randomize=some"))


def test_uaccess_open(show):
    assert "2" in show("uaccess=open") and "2" in show("uaccess=open uaccess=closed")
    assert any("neither open nor closed" in line for line in show("uaccess=some"))


@pytest.mark.parametrize("processor, said", [("mimpid=0x70216", "open"), ("mimpid=0x800ff", "open"), ("mimpid=0x80100", "closed all the same"),
                                             ("mimpid=0x70216,mvendorid=1", "closed all the same")])
def test_uaccess_open_is_for_qemus_that_need_it(show, processor, said):
    lines = show("uaccess=open loglevel=8", extra=["-cpu", f"rv64,{processor}"])
    assert any(line.endswith(f"user memory: {said}") for line in lines), lines


def test_hostname_names_the_machine(show):
    assert "stone" in show("hostname=stone")


# ---- an init that cannot run

@pytest.fixture
def fails(tmp_path, cpio, musl_gcc):
    """fails(make, words): the console's lines with a root that `make` has filled, and a shell in it."""
    def lines(make, words="quiet"):
        root = tmp_path / "root"
        (root / "bin").mkdir(parents=True)
        musl_gcc(root / "bin/sh", '#include <stdio.h>\n#include <sys/reboot.h>\nint main(void) '
                 '{ puts("the shell runs"); fflush(stdout); reboot(RB_POWER_OFF); }', "-static")
        (root / "bin/sh.c").unlink()
        make(root)
        status, text = machine.run(kernel=BARE, initrd=cpio(root, tmp_path / "x.cpio"), append=words)
        assert status == 0 or "panic" in text
        return text
    return lines


def script(text, mode=0o755, name="init"):
    def make(root):
        (root / name).write_bytes(text)
        (root / name).chmod(mode)
    return make


def other_machine(root):
    program = bytearray((root / "bin/sh").read_bytes())
    program[18:20] = (62).to_bytes(2, "little")  # e_machine: x86-64
    script(bytes(program))(root)


def test_a_script_without_its_interpreter_is_said(fails):
    text = fails(script(b"#! /bin/bash -e\n"))
    assert "Failed to execute /init (error -2): its interpreter /bin/bash is not there" in text and "the shell runs" in text


def test_a_program_without_its_loader_is_said(fails, musl_gcc):
    text = fails(lambda root: musl_gcc(root / "init", "int main(void) { return 0; }"))
    assert "Failed to execute /init (error -2): its interpreter /lib/ld-musl-riscv64.so.1 is not there" in text


def test_a_script_of_a_script_is_followed(fails):
    def make(root):
        script(b"#!/second\n")(root)
        script(b"#!/third\n", name="second")(root)
    assert "Failed to execute /init (error -2): its interpreter /third is not there" in fails(make)


@pytest.mark.parametrize("make, message", [
    (script(b"#!/bin/sh\n", mode=0o644), "(error -13): it may not be executed"),
    (script(b"hello\n"), "(error -8): it is neither a program nor a script"),
    (other_machine, "(error -8): it is no program for this machine"),
    (lambda root: (root / "init").symlink_to("/sbin/nothing"), "(error -2): it is a symlink to nothing"),
    (lambda root: (root / "init").mkdir(), "(error -13): it may not be executed"),
])
def test_what_is_wrong_with_init_is_said(fails, make, message):
    assert "Failed to execute /init " + message in fails(make)


def test_a_missing_rdinit_is_said(fails):
    assert "Failed to execute /mine (error -2): it is not there" in fails(lambda root: None, "quiet rdinit=/mine")


def test_a_root_without_init_is_no_fault(fails):
    text = fails(lambda root: None)
    assert "Failed" not in text and "the shell runs" in text


def test_init_that_was_asked_for_and_fails_stops_the_machine(fails):
    text = fails(script(b"#!/none\n", name="mine"), "quiet init=/mine panic=-1")
    assert "Requested init /mine failed (error -2): its interpreter /none is not there" in text and "the shell runs" not in text


def test_a_usual_init_that_is_there_and_fails_is_said(fails):
    text = fails(script(b"#!/none\n", name="bin/init"))
    assert "Starting init: /bin/init exists but couldn't execute it (error -2): its interpreter /none is not there" in text
