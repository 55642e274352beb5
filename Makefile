# Every target makes .venv first where it is missing or the lock has changed.
#   make run [RECIPE=smoke|demo|clothing] [DATA=folder] [NICHE=A,B] [TARGET_SIZE=n]
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
RECIPE ?= demo
DATA ?=
NICHE ?=
TARGET_SIZE ?=
NAME ?=
options = --recipe '$(RECIPE)' $(if $(DATA),--data '$(DATA)') $(if $(NICHE),--niche '$(NICHE)') $(if $(TARGET_SIZE),--target-size '$(TARGET_SIZE)')

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.complete  ## .venv from requirements.txt

.venv/.complete: requirements.txt include/pyproject.toml .ci/venv
	@.ci/venv

run: venv  ## the whole loop: shop, Airflow, eight stages, gate, one answer; then all is stopped
	@exec $(PYTHON) -m kindling_local run $(options)

up: venv  ## Airflow UI, inference endpoint, MLflow UI, shop; left running
	@exec $(PYTHON) -m kindling_local up $(options)

down: venv  ## stop all of it
	@exec $(PYTHON) -m kindling_local down

status: venv  ## what runs where
	@exec $(PYTHON) -m kindling_local status

test: venv  ## every lane but containers and kubernetes
	@DATA='$(DATA)' .ci/test

bench: venv  ## one benchmark: NAME=x [DATA=folder]; its last line is one JSON object
	@test -n '$(NAME)' || { echo "NAME is missing; known:" $$(ls tests/bench | sed -n 's/\.py$$//p') >&2; exit 2; }
	@$(PYTHON) tests/bench/$(NAME).py $(if $(DATA),--data '$(DATA)')

key: venv  ## a key for the endpoint: FILE=path [SCOPES=analyze,search,feedback,observe]
	@test -n '$(FILE)' || { echo "FILE is missing: the file of keys that KINDLING_API_KEYS names" >&2; exit 2; }
	@PYTHONPATH=include $(PYTHON) -m kindling key --file '$(FILE)' $(if $(SCOPES),--scopes '$(SCOPES)')

lint: venv  ## ruff, Airflow's rules included
	@.venv/bin/ruff check include dags plugins tests containers
	@.venv/bin/ruff check --preview --select AIR dags include/kindling_airflow

lock:  ## requirements.txt anew from include/pyproject.toml
	@.ci/lock

clean:  ## stop everything, then remove what runs have made (var/), not .venv
	@[ ! -x $(PYTHON) ] || $(PYTHON) -m kindling_local down
	@rm -rf var

.PHONY: help venv run up down status test bench key lint lock clean
