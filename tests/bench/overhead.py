"""What Airflow adds: CPU seconds to parse the DAG file by each runtime, and seconds around a stage.

    make bench NAME=overhead

`parse_s`: CPU of the first parse in a fresh process that has Airflow imported already, the median of
`--repeats`. `stage_s`: wall time of a run whose stages do nothing (`dag.test`, on a database of its own),
divided by the number of stages, less what the empty stages themselves take.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DAG_FILE = ROOT / "dags" / "nightly_retraining.py"
RUNTIMES = ("process", "kubernetes")

PARSE = """
import resource, runpy, sys
import airflow.sdk, airflow.dag_processing.dagbag, airflow.timetables.trigger
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before = cpu()
runpy.run_path(sys.argv[1])
print(cpu() - before)
"""

RUN = """
import json, runpy, sys, time
dag = runpy.run_path(sys.argv[1])["scrape"].dag
began = time.monotonic()
run = dag.test()
print(json.dumps({"seconds": time.monotonic() - began, "state": str(run.state), "stages": len(dag.tasks)}))
"""

#: A stage that does nothing but leave its report.
STAGE = """#!/bin/sh
printf '{"stage": "%s", "rows_in": 0, "rows_out": 0}' "$3" >"$KINDLING_REPORT_PATH"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", help="not used")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kindling-overhead-") as folder:
        environment = _environment(Path(folder))
        parse = {
            runtime: _parse(environment, runtime, options.repeats)
            for runtime in RUNTIMES
        }
        for runtime, seconds in parse.items():
            print(f"parse, {runtime}: {seconds:.2f} s of CPU")
        stage = _stage(environment, Path(folder))
        print(f"around a stage: {stage:.2f} s")
    figures = {"parse_s": max(parse.values()), "parse_s_by_runtime": parse}
    print(json.dumps({**figures, "stage_s": round(stage, 3)}))


def _environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT / "include"),
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # What a pod's settings have to be; nothing is asked of them here.
        "KINDLING_IMAGE": "registry.example/kindling:1.0.0",
        "KINDLING_KEYWORDS": "elasticsearch",
    }


def _parse(environment: Mapping[str, str], runtime: str, repeats: int) -> float:
    told = {**environment, "KINDLING_RUNTIME": runtime}
    taken = [
        float(_python(told, "-c", PARSE, str(DAG_FILE)).split()[-1])
        for _ in range(repeats)
    ]
    return round(statistics.median(taken), 3)


def _stage(environment: Mapping[str, str], home: Path) -> float:
    script = home / "stage"
    script.write_text(STAGE)
    script.chmod(0o755)
    told = {**environment, "KINDLING_PYTHON": str(script)}
    _python(told, "-m", "airflow", "db", "migrate")
    _python(told, "-m", "airflow", "dags", "reserialize")
    ended = json.loads(_python(told, "-c", RUN, str(DAG_FILE)).splitlines()[-1])
    if ended["state"] != "success":
        raise SystemExit(f"the run of empty stages ended as {ended['state']}")
    began = time.monotonic()
    report = {**told, "KINDLING_REPORT_PATH": str(home / "report.json")}
    subprocess.run([script, "-m", "kindling", "scrape"], env=report, check=True)
    empty = time.monotonic() - began
    return float(ended["seconds"]) / int(ended["stages"]) - empty


def _python(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{arguments[:3]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
