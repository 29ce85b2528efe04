# Needs Python 3.11 or later and make. Everything else is brought along: uv in .uv/ where there is none, the
# dependencies of uv.lock in .venv/, and for the browser tests Chromium from apt (tests/browser/chromium.sh),
# for two tests Debian's Alertmanager and Redis (tests/e2e/alertmanager.sh, chaos/redis.sh).

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export UV_PYTHON_DOWNLOADS = never
# The virtual environment below is meant, not one that happens to be active.
unexport VIRTUAL_ENV
# Some thirty processes of the demo and the tests import the same libraries: compiled once, not in each of them.
unexport PYTHONDONTWRITEBYTECODE

UV := $(shell command -v uv || echo .uv/bin/uv)
PYTHON := .venv/bin/python
# Files of one browser or engine stay with one worker.
WORKERS ?= 2

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: .venv/.demo ## Run the whole product on this machine: http://127.0.0.1:8050
	@exec .venv/bin/pulseboard demo

.PHONY: test
test: .venv/.all chromium alertmanager redis ## Run every test, end to end and in the browser too
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: check
check: .venv/.all ## Lint, types, template, docs drift, lock file, secrets
	$(UV) lock --check
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/cfn-lint infra/template.yaml infra/dashboard.yaml
	$(PYTHON) -m pytest -q -p no:cacheprovider tests/supply_chain/test_lock.py
	$(PYTHON) -m tests.supply_chain.scan
	$(PYTHON) -m backend.contract.docs --check
	$(PYTHON) -m backend.contract.alarms --check

# Needs PyPI's database of vulnerabilities, so it is no part of the checks of every change; without it, it fails.
.PHONY: audit
audit: .venv/.all ## Look every locked version up for known vulnerabilities
	@mkdir -p build
	$(UV) export --quiet --frozen --all-groups --all-extras --no-emit-project --output-file build/audit.txt
	$(UV) tool run pip-audit --strict --requirement build/audit.txt --require-hashes --disable-pip

# Minutes: every way of every function, the dashboard and jobs is gone on an engine that evaluates policies.
.PHONY: record
record: .venv/.all ## Record anew what each role asks AWS for
	$(PYTHON) -m tests.permissions.record

.PHONY: bench
bench: .venv/.all chromium ## Run every benchmark and print its figures
	@failed=; for file in $$(grep -l '^def main' benchmarks/*.py | sort); do \
		echo "== $$file"; $(PYTHON) -m "benchmarks.$$(basename $$file .py)" || failed="$$failed $$file"; \
	done; \
	if [ -n "$$failed" ]; then echo "Figures not reached:$$failed" >&2; exit 1; fi

.PHONY: chaos
chaos: .venv/.demo ## Put every dependency at fault in turn and count what is lost: SECONDS=60 each
	@chaos/redis.sh
	@$(UV) sync --quiet --frozen --inexact --group demo --extra redis
	@$(PYTHON) -m chaos --seconds $(or $(SECONDS),60) --write

.PHONY: package
package: .venv/.demo ## Build the Lambda functions' zip for AWS in build/
	@PATH="$(CURDIR)/.uv/bin:$$PATH" $(PYTHON) -m backend.local.package

.PHONY: deploy
deploy: .venv/.demo ## Create or update the stack on AWS through a change set (docs/deploy.md)
	@$(PYTHON) -m backend.deployment deploy $(if $(STACK),--stack $(STACK)) $(if $(CODE_BUCKET),--code-bucket $(CODE_BUCKET)) \
		$(if $(CODE_KEY),--parameter CodeKey=$(CODE_KEY)) $(if $(ALLOW_REPLACEMENT),--allow-replacement) \
		$(if $(ADOPT),--adopt) $(if $(YES),--yes)

.PHONY: teardown
teardown: .venv/.demo ## Delete the stack; bucket and tables stay
	@$(PYTHON) -m backend.deployment teardown $(if $(STACK),--stack $(STACK)) $(if $(YES),--yes)

.PHONY: sbom
sbom: | $(UV) ## Write build/sbom.json: what the dashboard's container brings along, as CycloneDX
	@mkdir -p build
	@$(UV) export --quiet --frozen --extra redis --no-dev --format cyclonedx1.5 --output-file build/sbom.json
	@echo build/sbom.json

.PHONY: chromium
chromium:
	@tests/browser/chromium.sh

.PHONY: alertmanager
alertmanager:
	@tests/e2e/alertmanager.sh

.PHONY: redis
redis:
	@chaos/redis.sh

.PHONY: clean
clean: ## Remove what was built and installed here
	rm -rf .venv .uv .demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --inexact: what one target needs never removes what another one has installed.
.venv/.demo: pyproject.toml uv.lock | $(UV)
	$(UV) sync --quiet --frozen --inexact --group demo
	@touch $@

.venv/.all: pyproject.toml uv.lock | $(UV)
	$(UV) sync --quiet --frozen --inexact --all-groups --all-extras
	@touch $@ .venv/.demo

.uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv
