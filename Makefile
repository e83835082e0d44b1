# Everything a developer or CI does. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv
PYTEST := $(BIN)/pytest
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' ocpp_mqtt_proxy/__init__.py)
ADDON := addon/ocpp_mqtt_proxy
FRAMES ?= 1000000
SOCKET_FRAMES ?= 100000
# The fallback broker is needed only where mosquitto is not; tests take one from Docker too.
HAS_MOSQUITTO = PATH="$$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v mosquitto >/dev/null
HAS_DOCKER = docker info >/dev/null 2>&1
export CONFIG
ifdef CONFIG
export OCPP_MQTT_PROXY_CONFIG := $(CONFIG)
endif

.PHONY: help install run demo test test-unit test-integration test-e2e test-quick test-coverage coverage-waiting \
	coverage-working test-home-assistant \
	lint format bench profile crash fuzz composites limits clean addon docker-build docker-run broker test-broker fallback-broker

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: .venv/.installed ## make .venv with the command in .venv/bin

.venv/.installed: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python3 with venv is needed (Debian: apt install python3-venv)"; exit 1; }
	@test -x $(UV) && $(UV) --version | grep -q "uv $(UV_VERSION)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(UV) sync --quiet --frozen --inexact --extra fast
	@touch $@

broker: install
	@$(HAS_MOSQUITTO) || $(MAKE) --no-print-directory fallback-broker

test-broker: install
	@$(HAS_MOSQUITTO) || $(HAS_DOCKER) || $(MAKE) --no-print-directory fallback-broker

fallback-broker: .venv-broker/.installed ## the small broker for machines without mosquitto

.venv-broker/.installed: uv.lock | .venv/.installed
	@test -x .venv-broker/bin/python || $(BIN)/python -m venv .venv-broker
	@UV_PROJECT_ENVIRONMENT=.venv-broker $(UV) sync --quiet --frozen --only-group broker
	@touch $@

run: broker ## serve, with the broker there is (CONFIG=file for a configuration of your own)
	@$(BIN)/python -m ocpp_mqtt_proxy.demo run

demo: broker ## the same with simulated chargers, so that every screen shows life
	@$(BIN)/python -m ocpp_mqtt_proxy.demo demo

# To run every test twice takes CI too long: there one run measures too.
test: $(if $(CI),test-coverage,test-broker) ## every test
	$(if $(CI),,$(PYTEST))

test-unit: install ## what needs neither sockets nor files
	$(PYTEST) -m "not integration and not e2e"

test-integration: test-broker ## what needs sockets, SQLite or a broker
	$(PYTEST) -m integration

test-e2e: test-broker ## whole journeys
	$(PYTEST) -m e2e

test-quick: install ## the unit tests, until the first that fails
	$(PYTEST) -q -x -m "not integration and not e2e"

# Half of the tests wait for sockets most of the time: they run beside those that do not.
WAITING = tests/conformance tests/crash tests/journeys tests/services
MEASURED = $(PYTEST) --cov --cov-report= --cov-fail-under=0

test-coverage: test-broker ## every test, with branch coverage: htmlcov/index.html
	@rm -f .coverage .coverage.*
	@$(MAKE) --no-print-directory -j2 --output-sync=target coverage-waiting coverage-working
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report
	@$(BIN)/coverage html --quiet
	@$(BIN)/coverage json --quiet -o htmlcov/coverage.json
	@$(BIN)/python -m tests.coverage_gate htmlcov/coverage.json

coverage-waiting:
	COVERAGE_FILE=.coverage.waiting $(MEASURED) $(WAITING)

coverage-working:
	COVERAGE_FILE=.coverage.working $(MEASURED) tests $(WAITING:%=--ignore=%)

test-home-assistant: test-broker ## against a real Home Assistant, where the rig for it lies beside the project
	$(PYTEST) --home-assistant tests/home_assistant

lint: install ## ruff, mypy, the lock file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(UV) lock --check --quiet

format: install ## let ruff put things right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: broker ## speed, against a bare relay in the same run
	$(BIN)/python -m tests.bench $(BENCH)

composites: install ## composite schedules of 10,000 random sets of charging profiles against the reference
	COMPOSITE_SETS=10000 $(PYTEST) -q tests/core/test_limits_by_the_book.py

limits: install ## 2,000 evenings of limits, refusals and restarts: what a charger holds is never more than is allowed
	LIMIT_EVENINGS=2000 $(PYTEST) -q tests/test_any_limits.py

crash: test-broker ## kill the service 2,000 times at random and see that nothing is lost (CRASH="--kills 500 --seed 1")
	$(BIN)/python -m tests.crash $(CRASH)

profile: broker ## where a frame's processor time goes, by function (PROFILE=--sample: undistorted)
	$(BIN)/python -m tests.bench.profile $(PROFILE)

fuzz: test-broker ## a million strange frames, led by coverage; some over sockets (FRAMES= SOCKET_FRAMES=)
	@$(UV) sync --quiet --frozen --inexact --extra fast --group fuzz
	$(BIN)/python -m tests.fuzz --frames $(FRAMES) --socket-frames $(SOCKET_FRAMES)

addon: install ## make addon/ocpp_mqtt_proxy a self-contained folder: wheel, pinned requirements, version
	@rm -f $(ADDON)/*.whl
	@$(BIN)/python -m hatchling build -t wheel -d $(ADDON) >/dev/null
	@$(UV) export --quiet --frozen --no-dev --no-emit-project --extra fast --output-file $(ADDON)/requirements.txt >/dev/null
	@sed -i.bak 's/^version: .*/version: "$(VERSION)"/' $(ADDON)/config.yaml && rm -f $(ADDON)/config.yaml.bak
	@echo "$(ADDON) is ready: $$(ls $(ADDON)/*.whl)"

docker-build: addon ## the add-on's image, for use without Home Assistant too
	docker build --tag ocpp-mqtt-proxy:$(VERSION) --tag ocpp-mqtt-proxy:latest $(ADDON)

docker-run: addon ## the service and a Mosquitto beside it
	docker compose up --build

clean: ## remove what was made here
	rm -rf .venv .venv-broker dist build htmlcov .coverage* coverage.xml run .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -f $(ADDON)/*.whl $(ADDON)/requirements.txt
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
