# tests/run: `drupe run` as a person or a script uses it, each test a machine of its own.
PATIENT_SUITES += test-run
.PHONY: test-run
test-run: all bare-kernel ## drupe run: programs of both libcs, scripts, terminals, pipes, signals, statuses
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) SYSROOT=$(abspath $(SYSROOT)) $(PYTHON) tests/pytest-suite --terminals $(B)/test/run.result tests/run
