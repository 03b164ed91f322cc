# SPDX-License-Identifier: MIT
"""tools/check-locks: what it finds in a small tree. (`make check` runs it on ours.)"""
import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/check-locks"

SOURCE = """\
static struct spinlock big_lock = SPINLOCK_INIT, small_lock = SPINLOCK_INIT; // of all
struct queue {
    unsigned int n;
    struct mutex sleepers, others; // two
    struct bucket {
        int m;
    } b[2];
    struct spinlock lock;
};
static struct {
    struct mutex lock;
} state;

int take_locked(struct queue *q,
                int n) {
    ASSERT_HELD(&q->lock);
    return n;
}
"""
DOCUMENT = """\
### Mutexes
| lock | where | guards |
|---|---|---|
| `queue.sleepers` | core/queue.c | |
| `queue.others` | core/queue.c | |
| `state.lock` | core/queue.c | |
### Spinlocks
| `big_lock` | core/queue.c | |
| `queue.lock` | core/queue.c | |
| `small_lock` | core/queue.c | |
"""


@pytest.fixture
def check(tmp_path):
    def run(source=SOURCE, document=DOCUMENT):
        for name, text in (("kernel/core/queue.c", source), ("docs/locking.md", document)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        done = subprocess.run([TOOL, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == (1 if done.stdout else 0)
        return done.stdout.splitlines()
    return run


def test_a_tree_whose_locks_are_all_written_down_passes(check):
    assert check() == []


def test_a_lock_without_a_row_is_named(check):
    assert check(document=DOCUMENT.replace("| `queue.others` | core/queue.c | |\n", "")) == [
        "kernel/core/queue.c: queue.others is not in docs/locking.md"]


def test_a_row_without_a_lock_is_named(check):
    assert check(source=SOURCE.replace("big_lock", "all_lock")) == [
        "docs/locking.md:8: big_lock: there is no spinlock of that name in kernel/core/queue.c",
        "kernel/core/queue.c: all_lock is not in docs/locking.md"]


def test_a_row_that_names_another_file_or_kind_is_named(check):
    said = check(document=DOCUMENT.replace("`state.lock` | core/queue.c", "`state.lock` | core/state.c"))
    assert said == ["docs/locking.md:6: state.lock: there is no mutex of that name in kernel/core/state.c",
                    "kernel/core/queue.c: state.lock is not in docs/locking.md"]
    said = check(source=SOURCE.replace("struct mutex lock", "struct spinlock lock"))
    assert said == ["docs/locking.md:6: state.lock: there is no mutex of that name in kernel/core/queue.c"]


def test_two_rows_for_one_lock_are_named(check):
    assert check(document=DOCUMENT + "| `queue.lock` | core/queue.c | |\n") == [
        "docs/locking.md:11: queue.lock: named a second time"]


def test_a_function_that_does_not_assert_its_lock_is_named(check):
    assert check(source=SOURCE.replace("    ASSERT_HELD(&q->lock);\n", "")) == [
        "kernel/core/queue.c:16: take_locked() does not begin with ASSERT_HELD()"]
