# SPDX-License-Identifier: MIT
"""Runs test modules of CPython, each in a process of its own, and prints a line "RESULT MODULE TEST OUTCOME" for each test:
passed, failed or skipped. A test that takes longer than LIMIT seconds, or takes its process along, has failed, and those behind it
are run in a new process. What failed is told in full, behind "# "; the last line is "COMPLETE". The tests' own time-outs are those
of a slow machine.

usage: modules.py [MODULE|GROUP...], or modules.py --one MODULE DONE-FILE CONSOLE

A GROUP is one of GROUPS, or a range of letters ("a-b"): all modules that begin so and are in no other place. None: all of all.
"""
import faulthandler
import importlib.util
import os
import pathlib
import subprocess
import sys
import unittest

MODULES = ["test_socket", "test_selectors", "test_epoll", "test_ssl", "test_httpservers", "test_socketserver", "test_asyncio",
           "test_multiprocessing_fork", "test_multiprocessing_spawn", "test_multiprocessing_forkserver",
           "test_multiprocessing_main_handling"]
GROUPS = {
    "system": """
        os posix subprocess signal threadsignals thread threading threadedtempfile threading_local mmap fcntl ioctl pty openpty tty termios
        poll select wait3 wait4 fork1 popen eintr faulthandler resource pwd grp time timeout syslog getpass platform random uuid sched queue
        concurrent_futures interpreters _interpreters _interpchannels perf_profiler perfmaps external_inspection curses readline pyrepl
        repl atexit audit sys cmd_line cmd_line_script errno locale _locale c_locale_coercion utf8_mode embed""",
    "files": """
        pathlib glob posixpath genericpath ntpath stat file file_eintr fileio fileutils bufio io largefile shutil tempfile tarfile zipfile
        zipfile64 gzip bz2 lzma zlib filecmp fileinput mailbox logging sqlite3 dbm dbm_gnu dbm_ndbm dbm_dumb dbm_sqlite3 shelve univnewlines
        unicode_file unicode_file_functions linecache compileall py_compile zipimport zipimport_support zipapp venv ensurepip site runpy
        import importlib pkg pkgutil modulefinder""",
    "network": """
        ftplib smtplib poplib imaplib httplib http_cookies http_cookiejar urllib urllib2 urllib2_localnet urllib_response urlparse robotparser
        xmlrpc docxmlrpc wsgiref ipaddress""",
}
LETTERS = ["a-b", "c-c", "d-f", "g-i", "j-o", "p-r", "s-t", "u-z"]
OUTSIDE = ["test_smtpnet", "test_urllib2net", "test_urllibnet"]  # they want the network beyond the machine
RESOURCES = ["network", "subprocess"]  # the network is loopback; no large files, no sound
EXPENSIVE = ["cpu", "decimal", "walltime"]  # but for the ranges of letters, whose tests are of Python, not of what is below it
LIMIT = 2400


def members(group):
    """The test modules of a group; of a module, itself."""
    if group in GROUPS:
        return [f"test_{name}" for name in GROUPS[group].split()]
    if group not in LETTERS:
        return [group]
    elsewhere = {*MODULES, *OUTSIDE, *(module for name in GROUPS for module in members(name))}
    places = importlib.util.find_spec("test").submodule_search_locations
    there = {path.name.removesuffix(".py") for place in places for path in pathlib.Path(place).glob("test_*")
             if path.suffix == ".py" or (path / "__init__.py").exists()}
    return sorted(name for name in there - elsewhere if group[0] <= name.removeprefix("test_").lstrip("_")[0] <= group[2])


def resources(module):
    """What `regrtest -u` would be told for it."""
    name = module.split(".")[0]
    return RESOURCES + (EXPENSIVE if name in MODULES or any(name in members(group) for group in GROUPS) else [])


def name_of(test):
    return "_".join(type(test).id(test).removeprefix("test.").split())  # some have an `id` of their own


class Result(unittest.TestResult):
    """Writes each test's begin and end to a file that the parent reads, and its end to the console."""

    def __init__(self, module, log, console):
        super().__init__()
        self.module, self.log, self.console = module, log, console

    def say(self, what, test, outcome=""):
        name = name_of(test)
        print(f"{what} {name} {outcome}".strip(), file=self.log, flush=True)
        if outcome:
            print("RESULT", self.module, name, outcome, file=self.console, flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.outcome = "passed"
        self.say("BEGIN", test)
        faulthandler.dump_traceback_later(LIMIT, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self.say("RESULT", test, self.outcome)

    def failed(self, test, err):
        self.outcome = "failed"
        print(f"{name_of(test)}:\n{self._exc_info_to_string(err, test)}", flush=True)
        if not isinstance(test, unittest.TestCase):  # of a class or a module: nothing of it was run
            self.say("RESULT", test, "failed")

    addError = addFailure = failed

    def addSubTest(self, test, subtest, err):
        if err:
            self.failed(test, err)

    def addSkip(self, test, reason):
        self.outcome = "skipped"
        if not isinstance(test, unittest.TestCase):
            self.say("RESULT", test, "skipped")

    def addUnexpectedSuccess(self, test):
        self.outcome = "failed"


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def set_up(module):
    """What `regrtest -u RESOURCES --timeout LIMIT` does, and the same for barriers, whose time-out is a constant of their test."""
    from test import support
    support.use_resources = resources(module)
    support.verbose = 0
    support.LOOPBACK_TIMEOUT = max(support.LOOPBACK_TIMEOUT, LIMIT / 120)
    support.SHORT_TIMEOUT = max(support.SHORT_TIMEOUT, LIMIT / 40)
    support.LONG_TIMEOUT = max(support.LONG_TIMEOUT, LIMIT / 4)
    if module.startswith("test_multiprocessing_"):
        from test import _test_multiprocessing as tests
        tests._TestBarrier.defaultTimeout = support.LONG_TIMEOUT


def run_one(module, log_name, console):
    os.set_inheritable(int(console), False)
    set_up(module)
    done = {line.split()[1] for line in pathlib.Path(log_name).read_text().splitlines()}
    with open(log_name, "a", encoding="utf-8") as log, open(int(console), "w", encoding="utf-8") as f:
        try:
            suite = unittest.defaultTestLoader.loadTestsFromName(f"test.{module}")
            tests = [test for test in flatten(suite) if name_of(test) not in done]
            unittest.TestSuite(tests).run(Result(module, log, f))
        except unittest.SkipTest as e:  # of the module as a whole
            print(f"{module}: {e}", flush=True)
            print("RESULT", module, module, "skipped", file=f, flush=True)
        print(f"END {module}", file=log)


def submodules(module):
    """The package's modules that hold tests, which may be itself, or the module."""
    spec = importlib.util.find_spec(f"test.{module}")
    if spec is None or not spec.submodule_search_locations:
        return [module]
    found = []
    for place in map(pathlib.Path, spec.submodule_search_locations):
        if "def load_tests(" not in (place / "__init__.py").read_text(encoding="utf-8"):
            found.append(module)
        for file in place.rglob("test_*.py"):
            if all((parent / "__init__.py").exists() for parent in file.parents if parent.is_relative_to(place)):
                found.append(".".join([module, *file.relative_to(place).with_suffix("").parts]))
    return sorted(found)


def tell(text):
    for line in text.splitlines():
        print("#", line, flush=True)


def run(module):
    log = pathlib.Path(f"/tmp/{module}.log")
    log.touch()
    console = os.dup(1)
    while True:
        child = subprocess.run([sys.executable, __file__, "--one", module, str(log), str(console)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd="/tmp", pass_fds=[console])
        lines = log.read_text().splitlines()
        text = child.stdout.decode("utf-8", "replace")
        if lines and lines[-1].startswith("END "):
            break
        begun = lines[-1].split()[1] if lines and lines[-1].startswith("BEGIN") else module
        print("RESULT", module, begun, "failed")
        tell(f"{text}{begun}: the process ended with {child.returncode}\n")
        with log.open("a") as f:
            print(f"RESULT {begun} failed", file=f)
        if begun == module:  # it does not even begin
            break
    os.close(console)
    tell(text)


def main():
    if sys.argv[1:2] == ["--one"]:
        run_one(*sys.argv[2:])
        return
    for group in sys.argv[1:] or [*MODULES, *GROUPS, *LETTERS]:
        for module in members(group):
            for each in submodules(module):
                run(each)
    print("COMPLETE")


if __name__ == "__main__":
    main()
