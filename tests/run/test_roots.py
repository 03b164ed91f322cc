# SPDX-License-Identifier: MIT
"""Whole roots in machines: `drupe run --root`, images that say what is run, and built images."""
import io
import os
import subprocess
import tarfile

import pytest

import machine
from images import Image, gz, tar

SHOW = """
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char where[4096];
    const char *names[] = {"PATH", "GREETING", "HOME"};
    for (int i = 0; i < argc; i++)
        printf("%s|", argv[i]);
    printf("%s|%d:%d", getcwd(where, sizeof(where)), getuid(), getgid());
    extern char **environ;
    for (char **v = environ; *v; v++)
        if (!__builtin_strncmp(*v, "PATH=", 5) || !__builtin_strncmp(*v, "GREETING=", 9))
            printf("|%s", *v);
    putchar('\\n');
}"""


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    place = tmp_path_factory.mktemp("cache")
    before = os.environ.get("XDG_CACHE_HOME"), os.environ.pop("DRUPE_CACHE", None)
    os.environ["XDG_CACHE_HOME"] = str(place)
    yield place / "drupe/roots"
    for name, value in zip(("XDG_CACHE_HOME", "DRUPE_CACHE"), before):
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def show(compiled):
    return compiled(SHOW, "-static", name="show").read_bytes()


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """Debian's bash and coreutils as a tar, with owners that are not ours."""
    sysroot = machine.debian_programs()
    path = tmp_path_factory.mktemp("debian") / "debian.tar"
    subprocess.run(["tar", "--owner=0", "--group=0", "--exclude=./usr/share/doc", "--exclude=./usr/share/locale", "-cf", path, "-C", sysroot,
                    "."], check=True)
    return path


def program(content, **more):
    return {"body": content, "mode": 0o755} | more


# ---- what is run

def test_a_root_has_its_own_programs_and_nothing_else(run, debian):
    done = run("--root", debian, "--", "bash", "-c", "echo $BASH_VERSION; ls /; stat -c '%u:%g %a %N' /bin /usr/bin/env; ls -A /")
    assert done.status == 0 and not done.err, done.err
    lines = done.text.splitlines()
    assert lines[0].startswith("5.") and {"usr", "bin", "etc"} <= set(lines) and not {"init", "demo", ".drupe-run"} & set(lines)
    assert "0:0 777 '/bin' -> 'usr/bin'" in lines and "0:0 755 '/usr/bin/env'" in lines


ROOTS = {
    "directory": lambda place: place / "root",
    "cpio": lambda place: subprocess.run("find . | cpio -o -H newc --quiet >../root.cpio", shell=True, cwd=place / "root", check=True) and place / "root.cpio",
    "tar": lambda place: subprocess.run(["tar", "-C", place / "root", "-cf", place / "root.tar", "."], check=True) and place / "root.tar",
    "compressed tar": lambda place: subprocess.run(["tar", "-C", place / "root", "-czf", place / "root.tgz", "."], check=True) and place / "root.tgz",
}


@pytest.mark.parametrize("kind", ROOTS)
def test_a_root_of_each_kind_runs(run, show, tmp_path, kind):
    (tmp_path / "root/bin").mkdir(parents=True)
    (tmp_path / "root/bin/show").write_bytes(show)
    (tmp_path / "root/bin/show").chmod(0o755)
    (tmp_path / "root/bin/other").symlink_to("show")
    done = run("--root", ROOTS[kind](tmp_path), "other", "a")
    assert done.text.startswith("other|a|/|0:0|"), done.err


def test_the_second_start_makes_nothing(run, debian, cache):
    run("--root", debian, "true")
    before = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    done = run("--root", debian, "bash", "-c", "exit 7")
    assert done.status == 7 and {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == before


def test_what_the_machine_changes_is_its_own(run, debian):
    change = "for f in /usr/bin/* /usr/lib/riscv64-linux-gnu/*; do echo x >>$f; done 2>/dev/null; rm -r /etc /usr/share; sync; ls /etc"
    assert run("--root", debian, "bash", "-c", change).status == 2
    assert run("--root", debian, "ls", "-d", "/etc", "/usr/share").text == "/etc\n/usr/share\n"


def test_an_image_of_debian_by_its_own_words(run, debian, tmp_path):
    """An OCI archive with compressed layers: Debian, and one that takes something away and adds something."""
    more = tar(".wh.home", "etc/", ("etc/greeting", {"body": b"hello from a layer\n", "uid": 12, "mode": 0o640}))
    image = Image([debian.read_bytes(), more], compress=gz,
                  config={"Entrypoint": ["bash", "-c"], "Cmd": ["cat /etc/greeting; stat -c %u:%a /etc/greeting; ls -d /home; echo $0 $GREETING $PWD"],
                          "Env": ["PATH=/usr/bin", "GREETING=hi"], "WorkingDir": "/srv/made"})
    path = tmp_path / "image.tar"
    path.write_bytes(image.archive())
    done = run("--root", path)
    assert done.text == "hello from a layer\n12:640\nbash hi /srv/made\n", done.err
    assert "cannot access '/home'" in done.err and done.status == 0


def test_an_images_defaults_and_what_options_say(run, show, tmp_path):
    image = Image([tar("bin/", ("bin/show", program(show)), "etc/", ("etc/passwd", {"body": b"eve:x:7:8::/home/eve:/bin/sh\n"}))],
                  config={"Entrypoint": ["show", "a b"], "Cmd": ["c"], "Env": ["PATH=/bin", "GREETING=hi"], "WorkingDir": "/w", "User": "eve"})
    path = tmp_path / "image.tar"
    path.write_bytes(image.archive())
    assert run("--root", path).text == "show|a b|c|/w|7:8|PATH=/bin|GREETING=hi\n"
    done = run("--root", path, "-u", "5:6", "-w", "/etc", "-e", "GREETING=ho", "--", "/bin/show", "x")
    assert done.text == "/bin/show|x|/etc|5:6|GREETING=ho|PATH=/bin\n"
    assert f"|{tmp_path}|0:0|" in run("--root", path, "--here", "-u", "0:0").text


def test_a_program_and_files_of_this_side(run, show, tmp_path):
    (tmp_path / "show").write_bytes(show)
    (tmp_path / "show").chmod(0o755)
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/a").write_text("root's")
    done = run("--root", root, "./show", "1")
    assert done.text == "./show|1|/|0:0|PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    done = run("--root", root, "--file", f"{tmp_path / 'show'}:/etc/a", "/etc/a")
    assert done.text.startswith("/etc/a|/|"), done.err


@pytest.mark.parametrize("what, status, why", [
    (["none"], 127, "none is not there in the machine"), (["/none"], 127, "/none is not there in the machine"),
    (["/etc/text"], 126, "Permission denied"), (["text"], 126, "Permission denied"), (["orphan"], 127, "its loader or interpreter is missing"),
    ([], 125, "which program?"), (["./none"], 127, "No such file"), (["-s", "/", "x"], 125, "as it is"), (["-a", "*", "x"], 125, "as it is")])
def test_what_cannot_be_run(run, tmp_path, what, status, why):
    path = tmp_path / "root.tar"
    path.write_bytes(tar("etc/", ("etc/text", {"body": b"text"}), "bin/", ("bin/text", {"body": b"text"}), ("bin/orphan", program(b"#!/no/where\n"))))
    done = run("--root", path, *what)
    assert done.status == status and why in done.err, done.err


def test_a_root_that_is_none(run, tmp_path):
    for what in tmp_path / "none", "/dev/null":
        done = run("--root", what, "true")
        assert done.status == 125 and done.err.count("\n") == 1, done.err


# ---- memory

@pytest.mark.parametrize("option, least, most", [([], 1000, 1100), (["-m", "200M"], 150, 200), (["-m", "1500"], 1400, 1600)])
def test_the_memory_besides_the_root(run, debian, option, least, most):
    done = run("--root", debian, *option, "--", "bash", "-c", "while read -r name n unit; do echo $n; break; done </proc/meminfo")
    assert least <= int(done.text) >> 10 <= most, done.text


@pytest.mark.parametrize("where", ["0x1000,4096", "0x80200000,4096", "0x80000000,0xffffffffffffffff", "0xffffffffffff0000,0x20000", "nonsense",
                                   "0x80000000", "1,2,3"])
def test_a_place_of_a_root_that_is_none(run, where):
    done = run("-A", f"rootmem={where}", "--verbose", "true")
    assert done.status == 0 and "rootmem" in done.err.split("command line")[1].split("\n", 1)[1], done.err


def test_results_may_be_as_large_as_the_root_makes_them(run, show, tmp_path):
    """Twice the machine's memory is the limit, and the root is part of that."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin/show").write_bytes(show)
    (root / "bin/show").chmod(0o755)
    with open(root / "large", "wb") as f:
        f.truncate(150 << 20)
    done = run("-m", "64M", "--root", root, "--out", "/large:large", "show")
    assert done.status == 0 and (tmp_path / "large").stat().st_size == 150 << 20, done.err


# ---- built images

def test_the_image_of_a_root_boots(run, debian, tmp_path):
    with tarfile.open(debian, "a") as archive:
        script = b"#!/bin/bash\necho appliance says $((6 * 7)) $1\nexec /bin/false\n"
        info = tarfile.TarInfo("init")
        info.mode, info.size = 0o755, len(script)
        archive.addfile(info, io.BytesIO(script))
    image = tmp_path / "appliance"
    subprocess.run([machine.BUILD / "drupe", "image", "-k", machine.BUILD / "Image", "--root", debian, "--append", "panic=-1 quiet", "-o", image],
                   check=True, stderr=subprocess.DEVNULL)
    done = run("-t", "60", image, "an argument")
    console = done.text
    assert done.status == 0 and "appliance says 42 an argument" in console and "false[1]" in console


def test_a_built_image_and_what_goes_with_it(run, tmp_path):
    image = machine.BUILD / "Image"
    assert run("--dry-run", "-m", "300M", image, "x").text.endswith(f"-kernel {image} -smp 1 -m 307200K -append -- x\n")
    for wrong in ["-f", "/etc/passwd"], ["-e", "A=B"], ["-s", "/"], ["-k", image], ["--bare"], ["-u", "1"], ["--json", "j"], ["-l", "l"], ["-n"]:
        done = run(*wrong, image)
        assert done.status == 125 and "an image has its own root" in done.err
    assert run("-t", "0.5", "--qemu", "sleep", image).status in (1, 124)
    cut = tmp_path / "cut"
    cut.write_bytes(image.read_bytes()[:100000])
    assert run(cut).status == 125


CAPABLE = """
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
int main(void) {
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "CapEff:", 7))
            printf("%s", line + 8);
    printf("%zd %zd\\n", getxattr("/data", "user.note", line, sizeof(line)), getxattr("/dir", "user.d", line, sizeof(line)));
    return 0;
}"""
BIND_TO_ALL_PORTS = "\1\0\0\2" + "\0\4\0\0" + "\0" * 12


def test_capabilities_of_a_file_go_through(run, compiled, tmp_path):
    """From a tar into a machine, by another name of the file as well; out of it by --save, and in again."""
    binary = compiled(CAPABLE, "-static", name="capable").read_bytes()
    (tmp_path / "root.tar").write_bytes(tar(
        ("capable", program(binary, pax_headers={"SCHILY.xattr.security.capability": BIND_TO_ALL_PORTS})), ("other", {"kind": "link", "to": "capable"}),
        ("plain", program(binary)), ("data", {"pax_headers": {"SCHILY.xattr.user.note": "hello"}}), ("dir/", {"pax_headers": {"SCHILY.xattr.user.d": ""}})))
    capable = "0000000000000400\n5 0\n"
    assert run("--root", "root.tar", "-u", "1000", "--save", "saved.cpio", "/capable").text == capable
    for root in "root.tar", "saved.cpio":
        assert run("--root", root, "-u", "1000", "/other").text == capable
        assert run("--root", root, "-u", "1000", "/plain").text == "0000000000000000\n5 0\n"
