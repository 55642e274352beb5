# Every target makes .venv first where it is missing or the lock has changed.
#   make run [RECIPE=smoke|demo|clothing|mine.yaml] [DATA=folder] [NICHE=A,B] [TARGET_SIZE=n]
#   make run DATA=reviews.csv|folder, or SHOP=https://…: the loop on reviews of your own
#   make look DATA=…|SHOP=…: what is recognised in them, and the recipe that a run would use
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
RECIPE ?=
DATA ?=
SHOP ?=
NICHE ?=
TARGET_SIZE ?=
NAME ?=
sources = $(if $(DATA),--data '$(DATA)') $(if $(SHOP),--shop '$(SHOP)')
options = $(if $(RECIPE),--recipe '$(RECIPE)') $(sources) $(if $(NICHE),--niche '$(NICHE)') $(if $(TARGET_SIZE),--target-size '$(TARGET_SIZE)')

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: .venv/.complete  ## .venv from requirements.txt

.venv/.complete: requirements.txt include/pyproject.toml .ci/venv
	@.ci/venv

run: venv  ## the whole loop: shop, Airflow, ten stages, gate, one answer; then all is stopped
	@exec $(PYTHON) -m kindling_local run $(options)

up: venv  ## Airflow UI, inference endpoint, MLflow UI, shop; left running
	@exec $(PYTHON) -m kindling_local up $(options)

look: venv  ## show what DATA=file|folder or SHOP=https://… holds, and write the recipe for it
	@exec $(PYTHON) -m kindling_local look $(sources) $(if $(NICHE),--niche '$(NICHE)')

down: venv  ## stop all of it
	@exec $(PYTHON) -m kindling_local down

status: venv  ## what runs where
	@exec $(PYTHON) -m kindling_local status

test: venv  ## every lane but containers and kubernetes
	@DATA='$(DATA)' .ci/test

test-containers: venv  ## images and compose, by a Docker Engine (DOCKER=path of its client)
	@LANES=containers .ci/test

test-kubernetes: venv  ## a night as pods on a real cluster, and what clusters do to it
	@.ci/test-kubernetes

bench: venv  ## one benchmark: NAME=x [DATA=folder]; its last line is one JSON object
	@test -n '$(NAME)' || { echo "NAME is missing; known:" $$(ls tests/bench | sed -n 's/\.py$$//p') >&2; exit 2; }
	@$(PYTHON) tests/bench/$(NAME).py $(if $(DATA),--data '$(DATA)')

key: venv  ## a key for the endpoint: FILE=path [SCOPES=analyze,search,feedback,observe,train]
	@test -n '$(FILE)' || { echo "FILE is missing: the file of keys that KINDLING_API_KEYS names" >&2; exit 2; }
	@PYTHONPATH=include $(PYTHON) -m kindling key --file '$(FILE)' $(if $(SCOPES),--scopes '$(SCOPES)')

lint: venv  ## formatter, linter (Airflow's rules too) and type checker
	@.venv/bin/ruff format --check --quiet include dags plugins tests containers || { echo "not formatted; run: make format" >&2; exit 1; }
	@.venv/bin/ruff check --quiet include dags plugins tests containers
	@.venv/bin/ruff check --quiet --preview --select AIR dags include/kindling_airflow
	@.venv/bin/mypy --no-error-summary

format: venv  ## lay the code out
	@.venv/bin/ruff format --quiet include dags plugins tests containers
	@.venv/bin/ruff check --quiet --fix include dags plugins tests containers

lock:  ## requirements.txt anew from include/pyproject.toml
	@.ci/lock

clean:  ## stop everything, then remove what runs have made (var/), not .venv
	@[ ! -x $(PYTHON) ] || $(PYTHON) -m kindling_local down
	@rm -rf var

.PHONY: help venv run up look down status test test-containers test-kubernetes bench key lint format lock clean
