# SPDX-License-Identifier: MIT
"""Directories of the host in the machine: --volume and --here."""
import os
import subprocess
import textwrap

import pytest

from conftest import DRUPE, LIMIT

FILES = 10000


def test_a_volume_goes_both_ways(run, tmp_path):
    (tmp_path / "d/sub").mkdir(parents=True)
    (tmp_path / "d/in").write_text("from the host\n")
    (tmp_path / "link").symlink_to("d")
    done = run("-v", "d:/v", "sh", "-c", "cat /v/in; echo from the machine >/v/sub/out; ln -s in /v/soft; mv /v/in /v/moved; pwd")
    assert (done.status, done.text, done.err) == (0, "from the host\n/\n", "")
    assert (tmp_path / "d/sub/out").read_text() == "from the machine\n" and os.readlink(tmp_path / "d/soft") == "in"
    assert (tmp_path / "d/moved").stat().st_uid == os.getuid() and (tmp_path / "d/sub/out").stat().st_uid == os.getuid()
    assert run("--volume", "link", "cat", tmp_path / "link/moved").text == "from the host\n"
    assert run("--volume", "d/../d", "cat", tmp_path / "d/moved").text == "from the host\n"


def test_a_read_only_volume(run, tmp_path):
    (tmp_path / "f").write_text("text")
    done = run("-v", f"{tmp_path}:/v:ro", "sh", "-c", "cat /v/f; echo more >>/v/f || rm /v/f || mkdir /v/d || chmod 0 /v/f || echo refused")
    assert done.text == "textrefused\n" and done.err.count("Read-only file system") == 4 and (tmp_path / "f").read_text() == "text"


@pytest.mark.parametrize("name", ["a,b", "a:b", "with space", "x:ro", "ü"])
def test_names_of_volumes(run, tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "f").write_text(name)
    assert run("-v", name, "cat", tmp_path / name / "f").text == name
    assert run("-v", f"{name}:/a, b/c", "cat", "/a, b/c/f").text == name


def test_several_volumes(run, tmp_path):
    options = []
    for i in range(3):
        (tmp_path / f"d{i}").mkdir()
        (tmp_path / f"d{i}/f").write_text(f"{i}")
        options += ["-v", f"d{i}:/v/{i}"]
    assert run(*options, "cat", "/v/0/f", "/v/1/f", "/v/2/f").text == "012"


@pytest.mark.parametrize("option, words", [("none:/v", "mkdir -p none"), ("f:/v", "--file"), (".:v", "absolute"), (".:/", "below /"), ("", "HOST"),
                                           (".:/etc/passwd", "Not a directory"), (".:/x/../data", '".."')])
def test_volumes_that_cannot_be(run, tmp_path, option, words):
    (tmp_path / "f").touch()
    done = run("-v", option, "true")
    assert done.status == 125 and words in done.err and "--volume" in done.err and len(done.err.splitlines()) <= 2


def test_here_is_where_the_program_is(run, compiled, tmp_path):
    (tmp_path / "data").write_text("7")
    program = compiled("#include <stdio.h>\nint main(void) { int n = 0; FILE *f = fopen(\"data\", \"r+\"); fscanf(f, \"%d\", &n); rewind(f);"
                       "fprintf(f, \"%d\", n + 1); return n; }")
    assert run("--here", program).status == 7 and run("--here", "./program").status == 8 and (tmp_path / "data").read_text() == "9"
    assert run("--here", "sh", "-c", "pwd; ./program; echo $?").text == f"{tmp_path}\n9\n"
    assert run("--here", "--workdir", "/tmp", "pwd").text == "/tmp\n"
    assert run("--here", "pwd", cwd="/").status == 125


def test_what_is_in_memory_at_the_end_is_written(run, compiled, tmp_path):
    program = compiled("""
        #include <fcntl.h>
        #include <signal.h>
        #include <sys/mman.h>
        #include <unistd.h>
        int main(void) {
            int fd = open("map", O_RDWR | O_CREAT, 0600);
            ftruncate(fd, 100000);
            char *p = mmap(0, 100000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            for (int i = 0; i < 100000; i++)
                p[i] = 'x';
            raise(SIGKILL);
        }""")
    assert run("--here", program).status == 137 and (tmp_path / "map").read_bytes() == b"x" * 100000


def test_ten_thousand_files(run, tmp_path):
    """Found, read in and written."""
    for i in range(FILES):
        (tmp_path / "in" / f"{i % 10}").mkdir(parents=True, exist_ok=True) if i < 10 else None
        (tmp_path / f"in/{i % 10}/{i}").write_text(f"{i}\n")
    done = run("--here", "sh", "-c", "cp -r in out && find out -type f | wc -l")
    assert (done.status, done.text) == (0, f"{FILES}\n"), done.err
    assert all((tmp_path / f"out/{i % 10}/{i}").read_text() == f"{i}\n" for i in range(FILES))


def test_a_project_is_built_in_it(run, tmp_path):
    """A makefile's worth of work by busybox: what is newer is made anew, through links, renames and temporary files."""
    (tmp_path / "src").mkdir()
    for i in range(30):
        (tmp_path / f"src/{i}.in").write_text(f"part {i}\n" * 50)
    (tmp_path / "build").write_text(textwrap.dedent("""\
        set -e
        mkdir -p obj
        for f in src/*.in; do
            o=obj/$(basename $f .in).o
            test -e $o && ! test $f -nt $o && continue
            sed s/part/made/ $f >$o.tmp && mv $o.tmp $o && echo made $o
        done
        cat obj/*.o >whole.new && chmod 755 whole.new && ln -f whole.new whole && rm whole.new
        """))
    first = run("--here", "sh", "build")
    assert (first.status, first.text.count("made")) == (0, 30), first.err
    assert (tmp_path / "whole").read_text().count("made") == 1500 and (tmp_path / "whole").stat().st_mode & 0o777 == 0o755
    assert run("--here", "sh", "build").text == ""
    os.utime(tmp_path / "src/7.in", (2e9, 2e9))
    assert run("--here", "sh", "build").text == "made obj/7.o\n"


def test_the_host_and_the_machine_take_turns(tmp_path):
    """What one side writes the other sees, without anybody closing the machine."""
    child = subprocess.Popen([DRUPE, "run", "--here", "sh", "-c", "while read n; do cat shared; echo guest $n >shared; echo ok; done"], cwd=tmp_path,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(50):
        (tmp_path / "shared").write_text(f"host {i:03}\n")
        child.stdin.write(b"%03d\n" % i)
        child.stdin.flush()
        assert child.stdout.readline() == b"host %03d\n" % i and child.stdout.readline() == b"ok\n"
        assert (tmp_path / "shared").read_text() == f"guest {i:03}\n"
    child.stdin.close()
    assert child.wait(LIMIT) == 0
