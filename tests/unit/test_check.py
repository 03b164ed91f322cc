# SPDX-License-Identifier: MIT
"""What `drupe check` says of an archive before it is booted."""
import subprocess

import pytest

from packing import BUILD, GLIBC, MUSL, Root, drupe


@pytest.fixture
def here(tmp_path):
    return Root(tmp_path / "in")


def packed(here, out, compressor=None):
    """An archive of these files as they are, made by another tool; nothing they need is added."""
    names = sorted(str(p.relative_to(here.path)) for p in here.path.rglob("*"))
    data = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], input="\n".join(names).encode(), cwd=here.path,
                          stdout=subprocess.PIPE, check=True).stdout
    if compressor:
        data = subprocess.run(compressor, input=data, stdout=subprocess.PIPE, check=True).stdout
    out.write_bytes(data)
    return out


def check(archive, *arguments, status=0):
    """What is said of it, without the command's name."""
    text, error = drupe("check", *arguments, archive, status=status)
    assert text == b""
    return [line.removeprefix("drupe: ") for line in error.splitlines()]


def test_a_whole_root_is_not_complained_of(musl, here, out):
    here.elf("init", ["libc.so"], MUSL).chmod(0o755)
    here.elf("lib/libc.so", soname="libc.so")
    here.link("lib/ld-musl-riscv64.so.1", "libc.so")
    assert check(packed(here, out)) == []
    assert check(packed(here, out, ["zstd", "-q"])) == []


def test_the_projects_own_image_is_not_complained_of():
    assert check(BUILD / "Image", "--mem", "128M", "--check-symbols") == []
    assert check(BUILD / "drupe.elf") == []


def test_what_is_in_it_is_said_on_request(here, out):
    here.file("init", "x" * 10, 0o755)
    said, = check(packed(here, out), "-v")
    assert said == f"note: {out}: 1 names, 10 bytes of data"


def test_a_missing_loader_and_library_are_named(here, out):
    here.elf("init", ["libc.so", "libx.so"], MUSL)
    said = "\n".join(check(packed(here, out), status=1))
    assert f"/init needs {MUSL}" in said and "/init needs libx.so, which is in none of the places searched:" in said
    assert f"needed by  {out}:/init" in said and "searched   /lib\n" in said and "sysroot" not in said


def test_libraries_of_the_host_do_not_count(here, out):
    here.elf("init", ["libc.so.6"], GLIBC)
    assert any("needs libc.so.6" in line for line in check(packed(here, out), status=1))


def test_a_library_for_another_machine_is_named(here, out):
    here.elf("init", ["libx.so"])
    here.elf("lib/libx.so", soname="libx.so", machine=62)
    assert any("is for x86-64, 64 bits; the machine is RISC-V, 64 bits" in line and "libx.so" in line
               for line in check(packed(here, out), status=1))


def test_a_missing_interpreter_of_the_init_is_an_error(here, out):
    here.file("init", "#!/bin/nothing\n", 0o755)
    for arguments in ([], ["--init", "/init"]):
        said = check(packed(here, out), *arguments, status=1)
        assert said[0] == f"the script /init ({out}:/init) needs /bin/nothing, which is neither in the archive nor in a sysroot"
        assert said[1] == "    pack it anew: drupe pack -s DIR ... adds it from DIR/bin/nothing"


def test_a_missing_interpreter_of_another_inits_interpreter_is_an_error(here, out):
    here.file("sbin/init", "#!/bin/second\n", 0o755)
    here.file("bin/second", "#!/bin/nothing -x\n", 0o755)
    said = check(packed(here, out), status=1)
    assert said[0] == "note: there is no /init; the kernel will run /sbin/init" and "the script /bin/second" in said[1]


def test_a_missing_interpreter_of_another_script_is_noted(musl, here, out):
    here.elf("init", ["libc.so"], MUSL).chmod(0o755)
    here.elf("lib/libc.so", soname="libc.so")
    here.link("lib/ld-musl-riscv64.so.1", "libc.so")
    here.file("example", "#!/bin/nothing\n", 0o755)
    assert check(packed(here, out)) == ["note: the script /example needs /bin/nothing, which is neither in the archive nor in a sysroot"]


def test_symbols_are_checked_on_request(musl, here, out):
    here.elf("init", ["libx.so"], source="extern void gone(void); void start(void) { gone(); }", flags=["-Wl,-e,start"])
    here.elf("lib/libx.so", soname="libx.so")
    assert check(packed(here, out)) == []
    assert any("gone" in line for line in check(packed(here, out), "--check-symbols", status=1))


def test_nothing_to_start_with(here, out):
    here.file("a")
    assert check(packed(here, out), status=1) == [
        "there is nothing to start with: no /init, /sbin/init, /etc/init, /bin/init or /bin/sh; "
        "pack one: drupe pack -o FILE /init=PROGRAM ..."]


def test_another_init_that_the_kernel_finds_is_noted(here, out):
    here.file("bin/sh", "", 0o755)
    assert check(packed(here, out)) == ["note: there is no /init; the kernel will run /bin/sh"]


def test_the_init_asked_for(here, out):
    here.file("init", "", 0o755)
    here.file("bin/mine", "", 0o755)
    assert check(packed(here, out), "--init", "/bin/mine") == []
    assert check(packed(here, out), "--init", "/bin/other", status=1) == [
        "there is no /bin/other to start with; pack one: drupe pack -o FILE /bin/other=PROGRAM ..."]


def test_an_init_that_cannot_run(here, out):
    here.file("init", "", 0o644)
    here.file("etc/a")
    assert check(packed(here, out), status=1) == [
        "/init is not executable; the kernel cannot run it; chmod +x its file, and pack it anew"]
    assert check(packed(here, out), "--init", "/etc", status=1) == [
        "/etc is no regular file; the kernel cannot run it; name a program, and pack it anew"]


def test_symlinks_to_nothing_are_noted_and_loops_complained_of(here, out):
    here.file("init", "", 0o755)
    here.link("nowhere", "a/b")
    here.link("later", "/proc/self/mounts")
    assert check(packed(here, out)) == ["note: /nowhere is a symlink to a/b, which is not there"]
    here.link("x", "y")
    here.link("y", "x")
    assert check(packed(here, out), status=1)[1:] == [
        "/x is a symlink that leads back to itself (to y); give it another target, and pack it anew",
        "/y is a symlink that leads back to itself (to x); give it another target, and pack it anew"]


def test_what_the_kernel_would_not_unpack_is_said_in_its_words(here, out):
    here.file("init", "kept", 0o755)
    data = packed(here, out).read_bytes()
    out.write_bytes(data[:data.index(b"kept") + 2])
    said = check(out, status=1)
    assert said[0].startswith(f'{out}: entry 1 ("init")') and "data needs 4 bytes, 2 remain" in said[0]
    out.write_bytes(data.replace(b"070701", b"07070x", 2))
    assert check(out, status=1)[0].startswith(f"{out}: ")


def test_damaged_compressed_data_are_complained_of(here, out):
    here.file("init", bytes(range(256)) * 64, 0o755)
    data = bytearray(packed(here, out, ["xz", "--check=crc32"]).read_bytes())
    data[len(data) // 2] ^= 0xff
    out.write_bytes(data)
    assert any("xz data at offset 0" in line for line in check(out, status=1))


def test_memory_that_is_too_little_for_it(here, out):
    here.file("init", bytes(20 << 20), 0o755)
    plain = packed(here, out)
    assert check(plain, "--mem", "64M") == []
    said, = check(plain, "--mem", "16M", status=1)
    assert "and the machine has 16 MiB" in said
    compressed = packed(here, out, ["zstd", "-q"])
    said, = check(compressed, "--mem", "16M", status=1)
    assert "and what it decompresses to" in said


@pytest.mark.parametrize("arguments", [["--mem", "0"], ["--mem", "12Q"], ["--mem", "-1"], ["--mem", "99999999999G"], [], ["a", "b"]])
def test_misuse(arguments):
    assert "drupe check --help" in drupe("check", *arguments, *(["x"] if "--mem" in arguments else []), status=2)[1]


def test_a_file_that_is_not_there(tmp_path):
    assert check(tmp_path / "none", status=1) == [f"{tmp_path}/none: No such file or directory; what is there: ls {tmp_path}"]


def test_a_file_that_is_no_archive(here):
    assert "no cpio header at offset 0" in check(here.file("text", "hello, this is no archive at all" * 8), status=1)[0]


def test_a_libc_that_is_a_program_too_is_found_by_what_it_loads(here, out):
    """As glibc's libc.so.6, which has a loader and is looked at as a program; libgcc_s needs versions of it."""
    here.elf("lib/ld-linux-riscv64-lp64d.so.1", soname="ld-linux-riscv64-lp64d.so.1")
    here.elf("lib/libc.so.6", ["ld-linux-riscv64-lp64d.so.1", "libgcc_s.so.1"], soname="libc.so.6", versions="V1 { start; };",
             source=f'const char loader[] __attribute__((section(".interp"))) = "{GLIBC}"; void start(void) {{}}')
    here.elf("lib/libgcc_s.so.1", soname="libgcc_s.so.1", link=[here / "lib/libc.so.6"],
             source="extern void start(void); void other(void) { start(); }")
    here.file("init", "", 0o755)
    assert check(packed(here, out)) == []
