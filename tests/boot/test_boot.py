# SPDX-License-Identifier: MIT
"""Starting and ending: memory sizes, harts, both images, arguments, power-off, panics."""
import re

import machine
import pytest


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("memory", ["128M", "4G"])
def test_boots_to_a_shell(boot, smp, memory):
    m = boot(smp=smp, memory=memory)
    start = m.shell()
    assert m.run("grep -c ^processor /proc/cpuinfo").strip() == str(smp)
    # Any hart may win the firmware's race to be the first.
    assert m.run("grep -m1 ^hart /proc/cpuinfo").split()[-1] == re.search(r"Boot HART ID\s*: (\d+)", start).group(1)
    assert "cannot be started" not in start
    total = int(re.search(r"MemTotal:\s+(\d+)", m.run("cat /proc/meminfo")).group(1))
    expected = {"128M": 128, "4G": 4096}[memory] * 1024
    assert 0.85 * expected < total <= expected
    m.send("poweroff\r")
    assert m.wait() == 0


def test_the_elf_file_boots_too(boot):
    m = boot(kernel=machine.BUILD / "drupe.elf")
    m.shell()
    assert m.run("echo ok").strip() == "ok"


def test_leaving_the_shell_powers_off(boot):
    m = boot()
    m.shell()
    m.send("exit\r")
    assert m.wait() == 0


def test_a_console_is_all_it_needs():
    status, text = machine.run(append='quiet rdinit=/bin/sh -- -c "echo up; poweroff -f"',
                               extra=["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio"])
    assert status == 0 and "up\n" in text.replace("\r", ""), text


def test_reboot_resets_the_machine(boot):
    m = boot()
    m.shell()
    m.send("reboot\r")
    assert m.wait() == 0  # -no-reboot: QEMU ends instead


def test_arguments_reach_init_as_on_linux(boot, musl_gcc, cpio, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    musl_gcc(root / "showargs", """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/reboot.h>
        int main(int argc, char **argv, char **envp) {
            for (int i = 0; i < argc; i++) printf("arg %s\\n", argv[i]);
            for (; *envp; envp++) printf("env %s\\n", *envp);
            fflush(stdout);
            reboot(RB_POWER_OFF);
        }""")
    (root / "showargs.c").unlink()
    archive = cpio(root, tmp_path / "a.cpio")
    status, text = machine.run(initrd=archive, append='rdinit=/showargs quiet colour=blue word "two words=x y" -- -v last')
    lines = text.replace("\r", "").split("\n")
    assert [line for line in lines if line.startswith("arg ")] == \
        ["arg /showargs", "arg word", "arg -v", "arg last"]
    environment = [line for line in lines if line.startswith("env ")]
    assert "env HOME=/" in environment and "env TERM=linux" in environment and "env colour=blue" in environment
    assert status == 0


def test_a_missing_init_panics_with_the_path_and_a_failure_status():
    status, text = machine.run(append="rdinit=/none init=/no/such/init")
    assert "/no/such/init" in text and re.search(r"panic", text, re.I)
    assert status != 0


def test_init_that_exits_panics():
    status, text = machine.run(append="rdinit=/bin/false")
    assert "Attempted to kill init" in text
    assert status != 0


def test_a_panic_shows_registers_process_and_functions():
    _, text = machine.run(append="rdinit=/bin/false")
    assert re.search(r"\bsepc|\bpc\b.*\bra\b|ra\s*[:=]", text)
    assert re.search(r"\w+\+0x[0-9a-f]+.*\.c:\d+", text)


def test_trace_prints_a_line_for_each_call():
    status, text = machine.run(append="rdinit=/bin/echo trace -- traced")
    assert re.search(r"\[1 echo\] brk\(NULL\) = 0x[0-9a-f]+", text)
    assert '[1 echo] write(1, "traced\\n", 7) = 7' in text
    assert "[1 echo] exit_group(0)" in text
    assert status != 0  # echo was init, and ended


def test_trace_of_one_name_traces_only_that(boot):
    m = boot(append="trace=uname")
    m.shell()
    out = m.run("uname -s")
    assert "uname(" in out and "Linux" in out and "openat(" not in out


def test_rootflags_set_the_limits_of_the_root(boot):
    m = boot(append="rootflags=size=4m,nr_inodes=1000")
    m.shell()
    assert "No space left on device" in m.run("dd if=/dev/zero of=/big bs=64k")
    assert 3 << 20 < int(m.run("wc -c </big")) <= 4 << 20
    assert "size=4096k,nr_inodes=1000" in m.run("grep ' / ' /proc/mounts")
    m = boot(append="rootflags=size=4m,bogus")
    m.shell()
    assert "rootflags=size=4m,bogus: not all of it is an option of tmpfs" in m.run("dmesg")


def test_a_full_root_and_a_hog_leave_the_shell_alone(boot):
    m = boot(memory="64M")
    m.shell()
    assert "No space left on device" in m.run("dd if=/dev/zero of=/tmp/big bs=64k")
    m.run("tail /dev/zero")
    assert m.run("echo $?").strip() == "137"
    assert m.run("rm /tmp/big; ls /tmp; echo gone").strip().endswith("gone")
    assert "Out of memory: Killed process" in m.run("dmesg")


def test_quiet_keeps_the_log_off_the_console(boot):
    m = boot(append="quiet")
    assert "initrd:" not in m.shell()
    assert "initrd:" in m.run("dmesg | grep initrd:")


def test_an_unknown_call_is_named_once(boot, musl_gcc, cpio, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    musl_gcc(root / "odd", "#include <unistd.h>\n#include <sys/syscall.h>\nint main(void) "
             "{ for (int i = 0; i < 5; i++) syscall(SYS_swapon, 0); return 0; }")
    m = boot(initrd=cpio(root, tmp_path / "a.cpio"))
    m.shell()
    m.run("/odd; /odd")
    assert m.run("dmesg | grep -c 'not implemented'").strip() == "1"


def test_a_fault_of_a_program_is_one_line_in_the_log(boot, musl_gcc, cpio, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    musl_gcc(root / "crash", "int main(void) { *(volatile int *)16 = 1; return 0; }")
    m = boot(initrd=cpio(root, tmp_path / "a.cpio"))
    m.shell()
    assert "139" in m.run("/crash; echo $?")
    out = m.run("dmesg | grep crash")
    assert len(out.strip().splitlines()) == 1 and "signal 11" in out and "10" in out


def test_programs_are_told_only_of_extensions_whose_state_is_kept(boot):
    m = boot(extra=["-cpu", "rv64,v=true"])
    assert "rv64imafdcv" in m.shell()
    words = m.run("od -A n -t x8 -v /proc/self/auxv").split()
    assert dict(zip(words[::2], words[1::2]))[f"{16:016x}"] == f"{0x112d:016x}"  # AT_HWCAP: imafdc


@pytest.mark.parametrize("cpu", ["rv64,f=false,d=false", "rv64,d=false"])
def test_harts_without_floating_point_give_programs_sigill(musl_gcc, cpio, tmp_path, cpu):
    root = tmp_path / "root"
    root.mkdir()
    musl_gcc(root / "illegal", """
        #include <signal.h>
        #include <sys/reboot.h>
        #include <unistd.h>
        static void caught(int sig) { write(1, "SIGILL\\n", 7); reboot(RB_POWER_OFF); }
        int main(void) {
            signal(SIGILL, caught);
            __asm__ volatile("fmv.d.x fa0, zero");
            return 0;
        }""")
    (root / "illegal.c").unlink()
    options = {"initrd": cpio(root, tmp_path / "a.cpio"), "append": "rdinit=/illegal"}
    status, text = machine.run(**options, extra=["-cpu", cpu])
    if "Zfa extension requires F" in text:  # QEMU since 8.1; those before do not know the word
        status, text = machine.run(**options, extra=["-cpu", cpu + ",zfa=false"])
    assert status == 0 and "no floating point" in text and "SIGILL\r" in text, text
