# SPDX-License-Identifier: MIT
"""Runs test modules of CPython, each in a process of its own, and prints a line "RESULT MODULE TEST OUTCOME" for each test:
passed, failed or skipped. A test that takes longer than LIMIT seconds, or takes its process along, has failed, and those behind it
are run in a new process. What failed is told in full, behind "# "; the last line is "COMPLETE". The tests' own time-outs are those
of a slow machine.

usage: modules.py [MODULE...], or modules.py --one MODULE DONE-FILE CONSOLE
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
RESOURCES = ["cpu", "network", "subprocess", "decimal", "walltime"]  # the network is loopback; no large files, no sound
LIMIT = 2400


class Result(unittest.TestResult):
    """Writes each test's begin and end to a file that the parent reads, and its end to the console."""

    def __init__(self, module, log, console):
        super().__init__()
        self.module, self.log, self.console = module, log, console

    def say(self, what, test, outcome=""):
        name = test.id().removeprefix("test.")
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
        print(f"{test.id()}:\n{self._exc_info_to_string(err, test)}", flush=True)
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
    support.use_resources = RESOURCES
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
            tests = [test for test in flatten(suite) if test.id().removeprefix("test.") not in done]
            unittest.TestSuite(tests).run(Result(module, log, f))
        except unittest.SkipTest as e:  # of the module as a whole
            print(f"{module}: {e}", flush=True)
            print("RESULT", module, module, "skipped", file=f, flush=True)
        print(f"END {module}", file=log)


def submodules(module):
    """The package's modules that hold tests, or the module itself."""
    places = importlib.util.find_spec(f"test.{module}").submodule_search_locations
    if not places:
        return [module]
    return sorted(f"{module}.{file.stem}" for place in places for file in pathlib.Path(place).glob("test_*.py"))


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
    for module in sys.argv[1:] or MODULES:
        for each in submodules(module):
            run(each)
    print("COMPLETE")


if __name__ == "__main__":
    main()
