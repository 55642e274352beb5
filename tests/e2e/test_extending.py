"""Every recipe of docs/extending.md, done literally: one file in a package of its own, and stages of `smoke` with it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

PARTS = {
    "source": ("notebook", "a source of reviews"),
    "writer": ("plain", "a writer of reviews"),
    "editor": ("blots", "an editor of photos"),
    "classifier": ("counts", "a classifier"),
}


@pytest.fixture(scope="module")
def page(repository: Path) -> Callable[[str], list[str]]:
    """The Python blocks under a heading of extending.md."""
    text = (repository / "include/docs/extending.md").read_text(encoding="utf-8")

    def blocks(heading: str) -> list[str]:
        section = text.split(f"## … {heading}")[1].split("\n## ")[0]
        found = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        assert found, f"{heading}: no code to follow"
        return found

    return blocks


def run(stage: str, environment: dict[str, str], recipe: str, run_id: str = "r") -> Any:
    """The stage's report; the whole output where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "kindling", stage, "--run", run_id, "--recipe", recipe],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{stage}: {done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def smoke(repository: Path) -> dict[str, Any]:
    content = (repository / "include/kindling/recipes/smoke.yaml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(content)
    return loaded


def test_a_package_adds_a_source_a_writer_an_editor_and_a_classifier(
    tmp_path: Path,
    repository: Path,
    page: Callable[[str], list[str]],
    make_laptop: Callable[[], dict[str, str]],
) -> None:
    package = tmp_path / "site" / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    named = []
    for kind, (name, heading) in PARTS.items():
        (package / f"{name}.py").write_text(page(heading)[0])
        named += [f"[kindling.{kind}s]", f"{name} = my_package.{name}"]
    about = tmp_path / "site" / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text("\n".join(named))
    content = smoke(repository)
    content["name"] = "mine"
    content["sources"].append({"kind": "notebook", "products": 40})
    content["synthesize"] |= {"writer": "plain", "editor": "blots", "studies": 4}
    content["synthesize"]["writer_options"] = {"word": "quite"}
    content["train"] = {"model": "counts", "model_options": {"smoothing": 0.5}}
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(content))
    environment = make_laptop()
    path = [str(package.parent), str(repository / "include")]
    environment["PYTHONPATH"] = os.pathsep.join(path)

    scraped = run("scrape", environment, str(recipe))
    assert set(scraped["figures"]["sources"]) == {"bundled-smoke", "a notebook"}
    run("dedupe", environment, str(recipe))
    made = run("synthesize", environment, str(recipe))
    assert made["implementation"] == made["implementation"] | {
        "text": "plain/1",
        "image": "blots/1",
    }
    assert made["rows_out"] > 0 and made["figures"]["studies"] > 0
    run("challenge", environment, str(recipe))
    run("label", environment, str(recipe))
    appraised = run("appraise", environment, str(recipe))
    assert appraised["figures"]["curve"] and appraised["figures"]["reason"]
    trained = run("train", environment, str(recipe))
    evaluated = run("evaluate", environment, str(recipe))
    assert (
        trained["figures"]["model_version"] == evaluated["figures"]["candidate_version"]
    )

    # The package's code is part of the identity of the stage that uses it, and of no other.
    (package / "plain.py").write_text(page(PARTS["writer"][1])[0] + "\n# changed\n")
    assert run("dedupe", environment, str(recipe))["unchanged"]
    assert not run("synthesize", environment, str(recipe))["unchanged"]


@pytest.fixture
def copied(tmp_path: Path, repository: Path) -> Path:
    """A copy of the package, for what is added to the package itself."""
    shutil.copytree(
        repository / "include/kindling",
        tmp_path / "copy/kindling",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copytree(repository / "sql", tmp_path / "sql")
    return tmp_path / "copy/kindling"


def test_a_metric_is_one_place(copied: Path, page: Callable[[str], list[str]]) -> None:
    metrics = copied / "measure/metrics.py"
    metrics.write_text(metrics.read_text() + "\n\n" + page("a metric")[0])
    program = (
        "import numpy as np\n"
        "from kindling.evaluation import report\n"
        "from kindling.measure.metrics import HEADLINES\n"
        "metric = HEADLINES[-1]\n"
        "truth = np.array([0, 2, 2, 1])\n"
        "assert metric(truth, np.eye(3)[[2, 2, 2, 0]]) == 0.75\n"
        "assert report.METRICS['positive_share'].title == 'Answers that are positive'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(copied.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_stage_is_its_module_its_row_and_its_recipe_class(
    copied: Path,
    page: Callable[[str], list[str]],
    make_laptop: Callable[[], dict[str, str]],
) -> None:
    module, row, configuration = page("a stage")
    (copied / "stages/count.py").write_text(module)
    catalog = (copied / "catalog.py").read_text()
    table = "STAGES: tuple[Stage, ...] = (\n"
    dedupe = catalog.index('    Stage(\n        "synthesize"')
    assert table in catalog
    (copied / "catalog.py").write_text(
        catalog[:dedupe] + row.split("\n", 1)[1].rstrip() + ",\n" + catalog[dedupe:]
    )
    recipe = (copied / "recipe.py").read_text()
    place = recipe.index("class Recipe(_Frozen):")
    field = "    index: IndexConfig = IndexConfig()\n"
    assert field in recipe
    (copied / "recipe.py").write_text(
        recipe[:place]
        + configuration.split("\n", 1)[1]
        + "\n\n"
        + recipe[place:].replace(
            field, field + "    count: CountConfig = CountConfig()\n"
        )
    )
    environment = make_laptop()
    environment["PYTHONPATH"] = str(copied.parent)
    run("scrape", environment, "smoke")
    run("dedupe", environment, "smoke")
    report = run("count", environment, "smoke")
    assert (
        report["figures"]["words"]["positive"] > 0 and report["figures"]["least"] == 1
    )
    assert run("count", environment, "smoke")["unchanged"]
