# tests/fresh: the first promise, on bare machines: what a newcomer types. Not part of `make test`: it needs root and debootstrap, and
# runs `make test` itself. The suites of FRESH_SUITES, each with the steps of FRESH_STEPS (tests/fresh/try).
FRESH_SUITES ?= bookworm trixie
FRESH_STEPS  ?= run user test

.PHONY: test-fresh
test-fresh: ## bare Debian 12 and 13 by debootstrap: make run as root and as a user, make test (FRESH_SUITES= FRESH_STEPS=)
	@mkdir -p $(B)/fresh
	@for suite in $(FRESH_SUITES); do tests/fresh/try $(B)/fresh/$$suite $$suite $(FRESH_STEPS) || exit 1; done
