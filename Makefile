# Everything a person does with Pilot Light. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := .venv/bin/python
PARTS := gateway claude-adapter local-llm native tests

.PHONY: help setup run stop up down drill test test-unit test-integration test-page screenshots test-monitoring test-containers lint format bench

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what is missing: uv, nginx, a compiler, the Python environment (first time: builds llama.cpp)
	@native/setup.sh

run: setup  ## start everything here, in the foreground; Ctrl-C stops it
	@$(PYTHON) native/run.py

stop:  ## stop what `make run` started
	@if [ -x $(PYTHON) ]; then $(PYTHON) native/stop.py; else echo "Pilot Light is not running."; fi

up:  ## start everything in containers, and wait until it is healthy
	docker compose up --build --detach --wait

down:  ## stop the containers; volumes stay
	docker compose down

drill: setup  ## make Claude unusable for 20 s on the running stack, ask throughout, and judge
	@$(PYTHON) native/drill.py

test: test-unit test-integration test-page test-monitoring test-containers  ## all tests; installs what they need

test-unit: setup  ## the rooms one by one, and the stand-in for Anthropic
	$(PYTHON) -m pytest gateway claude-adapter local-llm tests/unit tests/fake_anthropic

test-integration: setup  ## the real stack, started as `make run` starts it
	$(PYTHON) -m pytest tests/integration

test-page: setup  ## the status page in Chromium, if one is installed
	$(PYTHON) -m pytest tests/page

screenshots: setup  ## the status page in each of its states, into docs/screenshots
	KEEP_SCREENSHOTS=1 $(PYTHON) -m pytest tests/page/test_status_page.py

test-monitoring: setup  ## alert rules and dashboard, against a real Prometheus if one is installed
	$(PYTHON) -m pytest tests/monitoring

test-containers: setup  ## the compose project, if a Docker engine runs
	$(PYTHON) -m pytest -s tests/containers

lint: setup  ## ruff and mypy --strict
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	for part in $(PARTS); do $(PYTHON) -m mypy $$part || exit 1; done

format: setup  ## let ruff rewrite the files
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

bench: setup  ## CPU, latency and memory of the stack against a fast stand-in, beside the budgets
	$(PYTHON) tests/bench/bench.py
