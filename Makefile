.PHONY: help demo test check format bench clean
.DEFAULT_GOAL := help

ready = . scripts/lib.sh; ensure_prerequisites; ensure_venv

help:    ## Show this
	@sed -n 's/^\([a-z]*\): *## */\1\t/p' $(MAKEFILE_LIST)
demo:    ## Place real calls and show what happened (demo-output/)
	@./scripts/demo
test:    ## Run all tests against a real Asterisk
	@./scripts/test
check:   ## Format, lint, types, import contracts
	@./scripts/check
format:  ## Format the code, and mend what can be mended
	@set -eu; . scripts/lib.sh; ensure_python; ensure_venv; \
	"$$VENV/bin/ruff" format .; "$$VENV/bin/ruff" check --fix .
bench:   ## Measure latency beside a dialplan-only notice
	@set -eu; $(ready); PYTHONPATH=tests "$$VENV/bin/python" -m benchmarks
clean:   ## Remove virtual environments, caches and results; the root file system stays
	rm -rf .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  .coverage dist build demo-output benchmarks/out
