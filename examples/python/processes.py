# SPDX-License-Identifier: MIT
"""multiprocessing in each way that it can start processes: pools, managers, pipes, a descriptor handed over."""
import multiprocessing
import multiprocessing.reduction
import os
import sys


def square(x):
    return x * x


def note(numbers, names):
    numbers["seen"] = os.getpid()
    names.append("child")


def write_to(connection):
    fd = multiprocessing.reduction.recv_handle(connection)
    os.write(fd, b"from the child")
    os.close(fd)


def check(method):
    context = multiprocessing.get_context(method)
    with context.Pool(3) as pool:
        assert pool.map(square, range(10)) == [x * x for x in range(10)]
    with context.Manager() as manager:
        numbers, names = manager.dict(), manager.list()
        child = context.Process(target=note, args=(numbers, names))
        child.start()
        child.join()
        assert numbers["seen"] == child.pid and list(names) == ["child"]
    here, there = context.Pipe()
    child = context.Process(target=write_to, args=(there,))
    child.start()
    read, write = os.pipe()
    multiprocessing.reduction.send_handle(here, write, child.pid)
    assert os.read(read, 100) == b"from the child"
    child.join()


if __name__ == "__main__":
    check(sys.argv[1])
    print("all " "is well")
