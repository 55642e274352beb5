"""What a real cluster does to the nightly DAG's pods, measured by the lane that tests it.

    make bench NAME=pods

Runs `make test-kubernetes` and prints what its tests measured: `green` (the whole night as pods),
`overhead_s` (a task's time less its container's), `cancel_s` (from "mark as failed" until its pod is
gone; `cancel_told_s` until the pod is told to end), and whether a pod survived what its test did to it. A key is missing where its test could not
measure; `failed` names the tests that failed.
"""

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The summary line of a test that failed.
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S*?::(\w+)", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used")
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kindling-pods-") as folder:
        figures = Path(folder) / "figures.json"
        done = subprocess.run(
            [ROOT / ".ci/test-kubernetes"],
            env={**os.environ, "KINDLING_TEST_FIGURES": str(figures)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout)
        measured = json.loads(figures.read_text()) if figures.exists() else {}
    failed = sorted(set(_FAILED.findall(done.stdout)))
    print(json.dumps({**measured, "failed": failed}))
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
