PYTHON ?= python3
BIN = .venv/bin
INSTALL = @$(PYTHON) -m apps.stack.install
LOCKS = $(PYTHON) -m apps.stack.locks
# Settings of a deployed stage, for checks only: nothing is reached with them.
PRODUCTION = QKD_STAGE=production DJANGO_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	API_KEY_PEPPER=checked AUDIT_KEY=checked RECORD_KEY=checked METADATA_KEY=checked ROOT_KEY=kms:alias/checked DATABASE_URL=sqlite://:memory: \
	BASE_URL=https://qkd.example.com ALLOWED_HOSTS=qkd.example.com AWS_DEFAULT_REGION=us-east-1
.DEFAULT_GOAL := help
.PHONY: help install run manage test coverage check e2e slow fuzz bench pages lock audit sbom clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## make .venv (all tools) and .venv-stack (the embedded AWS) from the locked packages
	$(INSTALL) dev

run: ## start the platform on loopback; PORT, AWS_PORT, BIND and LOCAL_DIR change where
	$(INSTALL) run
	@exec $(BIN)/python -m apps.stack.run

manage: ## a management command for the platform that runs, as: make manage DO="root_key status"
	$(INSTALL) run
	@exec $(BIN)/python -m apps.stack.manage $(DO)

test: ## all tests on all cores, the browser's and the embedded stack's among them
	$(INSTALL) dev
	$(BIN)/python -m pytest -n auto --dist loadscope

coverage: ## the same, with coverage, which has to be above 90 %: 1.5 times slower
	$(INSTALL) dev
	$(BIN)/python -m pytest -n auto --dist loadscope --cov --cov-report=
	$(BIN)/coverage report --skip-covered --skip-empty

check: ## locks, format, lint, types, import contracts, security, templates, Django's own checks
	$(INSTALL) dev
	$(LOCKS) check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --severity-level medium --recursive --configfile pyproject.toml apps qkd qkdseal qkdclient qkdplatform
	$(BIN)/djlint --quiet --check --lint apps
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

e2e: ## only the main job over HTTP on the embedded stack, and the console in a browser
	$(INSTALL) dev
	$(BIN)/python -m pytest -m "(e2e or browser) and not slow"

slow: ## statistics, large files and long races: many minutes
	$(INSTALL) dev
	$(BIN)/python -m pytest -m slow

fuzz: ## packages fuzzed by atheris for FUZZ_SECONDS (300), in an environment of its own
	$(INSTALL) dev
	$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

bench: ## the measurements of README's performance table
	$(INSTALL) dev
	$(BIN)/python -m benchmarks

pages: ## write the pages of docs that are made from the code
	$(INSTALL) dev
	$(PRODUCTION) $(BIN)/python manage.py pages
	$(PRODUCTION) $(BIN)/python manage.py key_states --write

lock: ## make uv.lock and the requirements files fit pyproject.toml; WITH="--upgrade" takes newer versions
	$(LOCKS) write $(WITH)

audit: ## look up known vulnerabilities of all locked packages at osv.dev; WITH="--ignore ID" leaves one out
	$(LOCKS) audit $(WITH)

sbom: ## write bills of materials (CycloneDX) to build/sbom
	$(LOCKS) sbom

clean: ## remove what can be made again, but neither .local nor the environments
	rm -rf build htmlcov staticfiles .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
