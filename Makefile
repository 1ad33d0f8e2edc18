PYTHON ?= python3
STAGE ?= dev
BIN = .venv/bin
# One more than there are cores: tests of processes that they start wait now and then
WORKERS ?= $(shell expr $$(nproc) + 1)
INSTALL = @$(PYTHON) -m apps.stack.install
LOCKS = $(PYTHON) -m apps.stack.locks
# Settings of a deployed stage, for checks only: nothing is reached with them.
PRODUCTION = QKD_STAGE=production DJANGO_SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	API_KEY_PEPPER=checked AUDIT_KEY=checked RECORD_KEY=checked METADATA_KEY=checked ROOT_KEY=kms:alias/checked DATABASE_URL=sqlite://:memory: \
	BASE_URL=https://qkd.example.com ALLOWED_HOSTS=qkd.example.com AWS_DEFAULT_REGION=us-east-1
# The CDK asks for a newer Node than distributions have, and works with it
SILENT = JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=1 JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION=1 JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1
.DEFAULT_GOAL := help
.PHONY: help install run run-two-sites manage demo backup restore undelete test coverage check e2e slow torture fuzz bench pages package check-infra roles plan deploy undeploy rollback e2e-deploy lock audit sbom clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / {printf "make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## make .venv (all tools) and .venv-stack (the embedded AWS) from the locked packages
	$(INSTALL) dev

run: ## start the platform on loopback; PORT, AWS_PORT, BIND and LOCAL_DIR change where; KME_PORT=8443 serves keys too
	$(INSTALL) run
	@exec $(BIN)/python -m apps.stack.run

run-two-sites: ## start two platforms that share a link, from PORT (8100) on: Alice at one, Bob at the other, keys at both
	$(INSTALL) run
	@exec $(BIN)/python -m apps.stack.two_sites

manage: ## a management command for the platform that runs here, or for STAGE: make manage [STAGE=dev] DO="root_key status"
	$(INSTALL) $(if $(filter command line,$(origin STAGE)),dev,run)
	@$(if $(filter command line,$(origin STAGE)),$(BIN)/python -m deploy manage $(STAGE) $(DO),exec $(BIN)/python -m apps.stack.manage $(DO))

demo: ## a walk through the platform that runs here, every command shown and run; docs/demo.md has what it prints
	$(INSTALL) run
	@exec deploy/demo.sh

backup: ## the stopped platform's LOCAL_DIR, or a STAGE, encrypted: make backup [STAGE=dev] TO=recipient.json OUT=monday.backup
	$(INSTALL) $(if $(filter command line,$(origin STAGE)),dev,run)
	@exec $(BIN)/python -m $(if $(filter command line,$(origin STAGE)),deploy backup $(STAGE) "$(TO)" "$(OUT)",apps.stack.backups make --to "$(TO)" --out "$(OUT)")

restore: ## a backup into a new LOCAL_DIR, or the empty tables of a STAGE: make restore BACKUP=monday.backup KEY=recipient.json LOCAL_DIR=restored
	$(INSTALL) $(if $(filter command line,$(origin STAGE)),dev,run)
	@exec $(BIN)/python -m $(if $(filter command line,$(origin STAGE)),deploy restore $(STAGE) "$(BACKUP)" "$(KEY)",apps.stack.backups restore "$(BACKUP)" --key "$(KEY)")

undelete: ## take back what was deleted from a bucket of a STAGE: make undelete STAGE=dev BUCKET=encrypted
	$(INSTALL) dev
	@$(BIN)/python -m deploy undelete $(STAGE) $(BUCKET)

test: ## all tests on all cores, the browser's and the embedded stack's among them
	$(INSTALL) dev
	$(BIN)/python -m tests.whole -n $(WORKERS) --dist loadscope --no-loadscope-reorder

coverage: ## the same, with coverage, which has to be above 90 %: 1.5 times slower
	$(INSTALL) dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder --cov --cov-report=
	$(BIN)/coverage report --skip-covered --skip-empty

check: ## locks, format, lint, types, import contracts, security, templates, Django's own checks
	$(INSTALL) dev
	$(LOCKS) check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --severity-level medium --recursive --configfile pyproject.toml apps qkd qkdseal qkdclient qkdplatform deploy
	$(BIN)/djlint --quiet --check --lint apps
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

check-infra: ## the stacks of AWS: types, templates, cfn-lint, cdk-nag, checkov, assertions; needs Node (apt-get install nodejs), not npm
	@command -v node >/dev/null || { echo "Node is missing: apt-get install nodejs"; exit 1; }
	$(INSTALL) dev
	$(INSTALL) infra
	$(PRODUCTION) $(BIN)/python -m deploy.tables
	cd infra && ../.venv/bin/mypy --strict --config-file= --python-executable ../.venv-infra/bin/python *.py
	cd infra && $(SILENT) ../.venv-infra/bin/python -m pytest -q

roles: ## the policies that given roles need (power-user mode), as: make roles STAGE=dev
	$(INSTALL) dev
	$(INSTALL) infra
	@cd infra && $(SILENT) ../.venv-infra/bin/python app.py $(STAGE) --roles

plan deploy undeploy: ## show, deploy or remove a stage: make deploy STAGE=dev [FROM=edge] [UNTIL=edge]; make undeploy STAGE=pr761 YES=pr761
	$(INSTALL) dev
	$(INSTALL) infra
	@$(SILENT) YES=$(YES) UNTIL=$(UNTIL) $(BIN)/python -m deploy $@ $(STAGE) $(FROM)

rollback: ## bring back the version of the code before: make rollback STAGE=dev [COUNT=1]
	$(INSTALL) dev
	@$(BIN)/python -m deploy rollback $(STAGE) $(COUNT)

e2e-deploy: ## deploy the package to a clean embedded cloud and drive it as a client would; needs Node; minutes
	$(INSTALL) dev
	$(INSTALL) infra
	$(SILENT) $(BIN)/python -m pytest -m slow tests/deploy

e2e: ## the main job over HTTP on the embedded stack, the console in a browser, two sites; or a stage's API: QKD_API_KEY=... make e2e URL=https://...
	$(INSTALL) dev
	$(if $(URL),E2E_URL="$(URL)" )$(BIN)/python -m pytest $(if $(URL),-m e2e tests/e2e/test_main_job.py,-m "(e2e or browser) and not slow")
	$(if $(URL),,$(BIN)/python -m pytest -m slow tests/e2e/test_two_sites.py)

slow: ## statistics, large files and long races: many minutes
	$(INSTALL) dev
	$(BIN)/python -m pytest -m slow

torture: ## kills, stops, faults of AWS, a full disk, a moved clock and poison for SECONDS (600), then all is read back
	$(INSTALL) dev
	TORTURE_SECONDS=$(or $(SECONDS),600) $(BIN)/python -m pytest -m slow -s tests/torture

fuzz: ## packages and the parties of a session fuzzed by atheris for FUZZ_SECONDS (300), in an environment of its own
	$(INSTALL) dev
	$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

bench: ## the measurements of README's performance table
	$(INSTALL) dev
	$(BIN)/python -m benchmarks

pages: ## write the pages of docs that are made from the code
	$(INSTALL) dev
	$(PRODUCTION) $(BIN)/python manage.py pages
	$(PRODUCTION) $(BIN)/python manage.py key_states --write

package: ## build/package.zip for Lambda, for the Python of .venv (3.11 to 3.13), checked and reproducible
	$(INSTALL) dev
	$(BIN)/python -m deploy.pack

lock: ## make uv.lock and the requirements files fit pyproject.toml; WITH="--upgrade" takes newer versions
	$(LOCKS) write $(WITH)

audit: ## look up known vulnerabilities of all locked packages at osv.dev; WITH="--ignore ID" leaves one out
	$(LOCKS) audit $(WITH)

sbom: ## write bills of materials (CycloneDX) to build/sbom
	$(LOCKS) sbom

clean: ## remove what can be made again, but neither .local nor the environments
	rm -rf build htmlcov staticfiles .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
