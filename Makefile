# One list of commands. `make` alone prints it.
PYTHON ?= python3.11
LAKE := .venv/bin/lake
SERVICES := .venv/bin/python infra/services/services.py
PYTEST := .venv/bin/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup setup-airflow setup-services setup-storage services services-status services-stop demo test test-tiny-lake test-jobs test-dags test-long bench check fix lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Java 17, .venv, Delta jars; does nothing when all is there
	@$(PYTHON) infra/setup.py

setup-airflow: ## the same and .venv-airflow
	@$(PYTHON) infra/setup.py --airflow

setup-services: ## what make services needs: .venv-airflow, the PostgreSQL driver, a Java compiler
	@$(PYTHON) infra/setup.py --services

setup-storage: setup-services ## what tables on S3-compatible storage need (690 MB)
	@$(PYTHON) infra/setup.py --storage

services: setup-services ## PostgreSQL, Spark, lake server, Airflow on this machine, loopback only; ends when all are well
	@$(SERVICES) start

services-status: ## which of them is well, where its log is, how to get in
	@$(SERVICES) status

services-stop: ## all of them, in order
	@$(SERVICES) stop

demo: setup ## invented consortium -> lake -> marts -> PostgreSQL -> report, by the same commands as your own files
	@$(LAKE) demo

test: setup ## everything CI runs, two parts at a time; each tells when it has ended
	@$(MAKE) -j2 --output-sync --no-print-directory test-dags test-tiny-lake test-jobs check

test-tiny-lake:
	@$(PYTEST) -m "tiny_lake and not long"

test-jobs:
	@$(PYTEST) -m "not tiny_lake and not long and not airflow"

test-dags: setup-airflow
	@.venv-airflow/bin/python -m pytest --confcutdir=tests/dags -m airflow tests/dags

test-long: setup ## the full counts, part by part; goes on where it stopped (LONG="--list", "--only PART", "--again")
	@.venv/bin/python tests/long_run.py $(LONG)

bench: setup ## speed, growth, memory -> docs/performance.md (BENCH="--mb 1000 --data FOLDER --only NAME")
	@.venv/bin/python -m benchmarks $(BENCH)

check: setup ## formatting, lint, types, SQL, configuration
	@.venv/bin/ruff format --check -q . || (echo "check: run make fix"; exit 1)
	@.venv/bin/ruff check -q .
	@.venv/bin/mypy
	@.venv/bin/sqlfluff lint -q dbt_project/models dbt_project/tests
	@$(LAKE) config check

fix: setup ## format and mend what the tools can
	@.venv/bin/ruff format -q . ; .venv/bin/ruff check -q --fix . ; .venv/bin/sqlfluff fix -q dbt_project/models dbt_project/tests

lock: ## new lock files from requirements/*.in (exact pins, hashes, no addresses)
	@for n in uv lake airflow; do .venv/bin/uv pip compile -q --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links requirements/$$n.in -o requirements/$$n.txt; done

clean: ## the lake, its keys and the demo's files (asks nothing)
	@rm -rf .lake .lake-secrets demo
