"""Rows are held to their suite before the next stage reads them; what fails is kept with its reason."""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import great_expectations as gx
import pandas as pd
import yaml
from great_expectations.core import ExpectationSuite
from great_expectations.core.expectation_validation_result import (
    ExpectationValidationResult,
)
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.expectation_configuration import (
    ExpectationConfiguration,
)

from kindling.errors import ConfigurationError, DataError
from kindling.records import Record, Rejection

_SOURCE = "mappings/quality.yaml"

Rule = Mapping[str, Any]


def check(records: Sequence[Record], suite: str) -> list[Rejection]:
    """Rejections for the rows that fail `suite`: one a key, in the order of the rows.

    Rows that share a key fail together, for nothing here can tell which of them is right.
    Raises DataError when the table as a whole is unfit, ConfigurationError when the suite is.
    """
    rules = _rules(suite)
    results = _validate(_frame(records, rules), rules, suite)
    for rule, result in zip(rules, results, strict=True):
        if "table" in rule and not result.success:
            raise DataError(
                f"quality suite {suite!r}: {rule['table']} ({_expectation(rule)}, observed "
                f"{result.result.get('observed_value')} in {len(records)} rows; see {_SOURCE})"
            )
    return _rejections(records, rules, results)


@functools.cache
def _suites() -> dict[str, list[Rule]]:
    text = (resources.files("kindling") / _SOURCE).read_text(encoding="utf-8")
    suites: dict[str, list[Rule]] = yaml.safe_load(text)
    return suites


def _rules(suite: str) -> list[Rule]:
    if suite not in _suites():
        raise ConfigurationError(
            f"{_SOURCE}: no suite {suite!r}; known: {', '.join(sorted(_suites()))}"
        )
    return _suites()[suite]


def _frame(records: Sequence[Record], rules: Sequence[Rule]) -> pd.DataFrame:
    """The columns that rules name, as Python objects: pandas may repair no value before it is judged."""
    columns = sorted({rule["column"] for rule in rules if "column" in rule})
    values = {
        column: [getattr(record, column) for record in records] for column in columns
    }
    return pd.DataFrame(
        {
            column: pd.Series(
                [None if value == "" else value for value in found], dtype=object
            )
            for column, found in values.items()
        }
    )


def _rule_of(result: Any) -> int:
    """Number of the rule that a result of Great Expectations belongs to."""
    return int(result.expectation_config.meta["rule"])


def _validate(
    frame: pd.DataFrame, rules: Sequence[Rule], name: str
) -> list[ExpectationValidationResult]:
    """One result a rule, in their order. The context is ephemeral: no file, no service, no progress bar."""
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(
                init_temp_docs_sites=False
            ),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        ),
    )
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        {"dataframe": frame}
    )
    suite = ExpectationSuite(
        name=name,
        expectations=[
            ExpectationConfiguration(
                type=rule["expectation"],
                meta={"rule": number},
                kwargs={
                    **({"column": rule["column"]} if "column" in rule else {}),
                    **rule.get("kwargs", {}),
                },
            ).to_domain_obj()
            for number, rule in enumerate(rules)
        ],
    )
    complete = {"result_format": "COMPLETE", "include_unexpected_rows": False}
    found = batch.validate(suite, result_format=complete)
    # Great Expectations regroups results by column; the rules' order decides which reason is given.
    results = sorted(found.results, key=_rule_of)
    for rule, result in zip(rules, results, strict=True):
        if _raised(result):
            raise ConfigurationError(
                f"{_SOURCE}: {name}: {_expectation(rule)} cannot run: {_raised(result)}"
            )
    return results


def _raised(result: ExpectationValidationResult) -> str | None:
    """The exception's message; filed flat or by metric, depending on where in the engine it was raised."""
    info = result.exception_info or {}
    for one in [info] if "raised_exception" in info else info.values():
        if one["raised_exception"]:
            return str(one["exception_message"])
    return None


def _rejections(
    records: Sequence[Record],
    rules: Sequence[Rule],
    results: Sequence[ExpectationValidationResult],
) -> list[Rejection]:
    first: dict[int, Rule] = {}
    for rule, result in zip(rules, results, strict=True):
        if "reason" in rule:
            for position in result.result.get("unexpected_index_list") or ():
                first.setdefault(position, rule)
    shared = Counter(getattr(record, record.key) for record in records)
    rejections: dict[str, Rejection] = {}
    for position in sorted(first):
        record, rule = records[position], first[position]
        key = str(getattr(record, record.key))
        value = repr(getattr(record, rule["column"]))
        note = f"; {shared[key]} rows have this key" if shared[key] > 1 else ""
        rejections.setdefault(
            key,
            Rejection(
                key,
                f"quality:{rule['reason']}",
                f"{_expectation(rule)}, observed {value if len(value) <= 80 else value[:77] + '...'}{note}",
            ),
        )
    return list(rejections.values())


def _expectation(rule: Rule) -> str:
    kwargs = ", ".join(
        f"{key}={value}" for key, value in rule.get("kwargs", {}).items()
    )
    return f"{rule['expectation']}({', '.join(part for part in (rule.get('column'), kwargs) if part)})"
