# Set-up: what it says on machines where it cannot go on.
PATIENT_SUITES += test-setup
.PHONY: test-setup
test-setup: ## set-up's and the fetchers' messages
	@mkdir -p $(B)/test
	@$(PYTHON) tests/pytest-suite $(B)/test/setup.result tests/setup
