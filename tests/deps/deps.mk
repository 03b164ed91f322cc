# tests/deps: the parts of set-up and fetching, each by itself.
PATIENT_SUITES += test-deps
.PHONY: test-deps
test-deps: all ## the parts of set-up and fetching, and whether the kernel builds with Debian 13's headers
	@mkdir -p $(B)/test
	@DRUPE_BUILD=$(abspath $(B)) $(PYTHON) tests/pytest-suite $(B)/test/deps.result tests/deps
