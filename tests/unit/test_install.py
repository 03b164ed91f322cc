# SPDX-License-Identifier: MIT
"""`make install` and what it leaves: a command that needs no source tree, manual pages, completion in three shells."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from packing import BUILD, Root

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = sorted((TOP / "man").glob("*.1"))
PLAIN = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def make(target, destination):
    subprocess.run(["make", "-s", target, f"DESTDIR={destination}", "PREFIX=/opt/stone"], cwd=TOP, env=PLAIN, check=True,
                   stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    destination = tmp_path_factory.mktemp("install") / "with a blank"
    make("install", destination)
    return destination / "opt/stone"


@pytest.fixture
def run(installed, tmp_path):
    """Runs the installed command in an empty directory, with nothing else in reach."""
    here = tmp_path / "empty"
    here.mkdir()

    def command(*arguments, status=0):
        done = subprocess.run([installed / "bin/drupe", *map(str, arguments)], cwd=here, env={"PATH": "/nonexistent"},
                              capture_output=True, check=False)
        assert done.returncode == status, done.stderr
        return done.stdout

    return command


def commands():
    text = subprocess.run([BUILD / "drupe", "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  ([a-z-]+)  ", text, re.MULTILINE)


def options(command):
    text = subprocess.run([BUILD / "drupe", command, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^ +(?:-[a-zA-Z], )?(--[a-z-]+)", text, re.MULTILINE)


def test_the_installed_command_packs_and_makes_images_alone(run, tmp_path):
    root = Root(tmp_path / "root")
    root.file("etc/motd", "hello\n")
    run("pack", "-o", "a.cpio", root)
    run("image", "--initrd", "a.cpio", "--append", "quiet", "-o", "image")
    assert run("ls", "image") == b"etc\netc/motd\n"
    assert run("image", "-k", "image", "--print-append") == b"quiet\n"


def test_the_installed_kernel_is_found_through_a_symlink(installed, tmp_path):
    (tmp_path / "drupe").symlink_to(installed / "bin/drupe")
    done = subprocess.run([tmp_path / "drupe", "image", "-x", "-o", "-"], capture_output=True, check=True)
    assert done.stdout == (BUILD / "root.cpio").read_bytes()


def test_a_command_that_was_only_built_takes_the_kernel_beside_it():
    done = subprocess.run([BUILD / "drupe", "image", "-x", "-o", "-"], capture_output=True, check=True)
    assert done.stdout == (BUILD / "root.cpio").read_bytes()


def test_a_kernel_that_is_not_there_is_told_with_both_places(installed, tmp_path):
    shutil.copy(installed / "bin/drupe", tmp_path / "drupe")
    done = subprocess.run([tmp_path / "drupe", "image", "-n", "-o", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{tmp_path.parent}/lib/drupe/Image, {tmp_path}/Image" in done.stderr and "--kernel" in done.stderr


def test_modes_are_those_of_programs_and_data(installed):
    executable = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file() and p.stat().st_mode & 0o111}
    assert executable == {"bin/drupe"}


def test_uninstall_removes_every_file(tmp_path):
    make("install", tmp_path)
    other = tmp_path / "opt/stone/bin/other"
    other.write_text("stays", encoding="ascii")
    make("uninstall", tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [other]
    assert not (tmp_path / "opt/stone/lib/drupe").exists()


# ---- manual pages ----

def test_every_command_has_a_page_with_all_its_options(installed):
    main = (installed / "share/man/man1/drupe.1").read_text(encoding="ascii")
    for command in commands():
        page = (installed / f"share/man/man1/drupe-{command}.1").read_text(encoding="ascii")
        for option in options(command):
            assert f"Fl Fl {option[2:]}" in page, f"drupe-{command}.1 does not tell of {option}"
        assert f".Xr drupe-{command} 1" in main, f"drupe.1 does not name {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_tells_of_no_option_that_is_not_there(page):
    described = re.findall(r"^\.It Fl (?:[a-zA-Z] , Fl )?Fl ([a-z-]+)", page.read_text(encoding="ascii"), re.MULTILINE)
    command = page.stem.partition("-")[2]
    assert described == [option[2:] for option in options(command)] if command else not described


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_sections_and_refers_to_pages_that_exist(page):
    text = page.read_text(encoding="ascii")
    sections = re.findall(r"^\.Sh (.*)", text, re.MULTILINE)
    assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and sections[-1] == "SEE ALSO"
    assert "EXIT STATUS" in sections and "EXAMPLES" in sections
    references = re.findall(r"^\.Xr (drupe[a-z-]*) 1", text, re.MULTILINE)
    assert "drupe" in references or page.stem == "drupe"
    assert {f"{name}.1" for name in references} <= {other.name for other in PAGES} - {page.name}


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc; make setup-test installs it")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_well_formed(page):
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True, check=False)
    assert done.stdout == "" and done.returncode == 0


# ---- completion ----

def complete_bash(installed, *words):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _drupe "$1"; '
              'printf "%s\\n" "${COMPREPLY[@]}"; complete -p drupe')
    file = installed / "share/bash-completion/completions/drupe"
    out = subprocess.run(["bash", "-c", script, "bash", file, installed / "bin/drupe", *words], capture_output=True,
                         text=True, check=True).stdout.split("\n")
    assert out[-2] == "complete -o default -F _drupe drupe"
    return [line for line in out[:-2] if line]


def complete_zsh(installed, *words):
    """With zsh's own completion functions replaced by ones that print what they are given."""
    script = ('_describe() { local what=$1 list=$2; print -l -- ${(P)list} }; _files() { print FILES }; '
              'file=$1; shift; words=("$@"); CURRENT=$#; source $file')
    file = installed / "share/zsh/site-functions/_drupe"
    out = subprocess.run(["zsh", "-fc", script, "zsh", file, installed / "bin/drupe", *words], capture_output=True,
                         text=True, check=True)
    assert out.stderr == ""
    lines = [line.split(":")[0] for line in out.stdout.split("\n") if line]
    return [line for line in lines if line == "FILES" or line.startswith(words[-1])]


def complete_fish(installed, *words):
    file = installed / "share/fish/vendor_completions.d/drupe.fish"
    environment = {**os.environ, "PATH": f"{installed / 'bin'}:{os.environ['PATH']}", "HOME": str(installed)}
    out = subprocess.run(["fish", "--no-config", "-c", f"source '{file}'; complete -C '{' '.join(('drupe', *words))}'"],
                         capture_output=True, text=True, check=True, env=environment, cwd=TOP)
    assert out.stderr == ""
    return [line.split("\t")[0] for line in out.stdout.split("\n") if line]


@pytest.fixture(params=[complete_bash, complete_zsh, complete_fish], ids=["bash", "zsh", "fish"])
def complete(request, installed):
    shell = request.param.__name__[len("complete_"):]
    if not shutil.which(shell):
        pytest.skip(f"no {shell}; make setup-test installs it")
    return lambda *words: request.param(installed, *words)


def test_commands_are_completed(complete):
    assert sorted(complete("")) == sorted(commands())
    assert complete("im") == ["image"]


def test_options_of_a_command_are_completed(complete):
    for command in commands():
        assert sorted(set(complete(command, "--"))) == sorted(options(command))
    assert complete("image", "-o", "x", "--pri") == ["--print-append"]


def test_other_words_are_files(complete, request):
    """In bash they are left to the default, which complete_bash() has seen to be files."""
    expected = {"bash": [], "zsh": ["FILES"], "fish": ["README.md"]}
    assert complete("image", "-k", "READ") == expected[request.node.callspec.id]


def test_a_kernel_without_a_root_is_installed(installed):
    assert (installed / "lib/drupe/Image.bare").stat().st_size < (installed / "lib/drupe/Image").stat().st_size
