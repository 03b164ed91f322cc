# tests/: each folder has its own fragment. A suite is a target that runs tests, goes on after failures, and leaves one line
# "passed failed skipped" in $(B)/test/NAME.result; it adds its name to TEST_SUITES.
PYTHON ?= /usr/bin/python3

include $(sort $(wildcard tests/*/*.mk))
