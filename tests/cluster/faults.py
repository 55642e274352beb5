"""Tasks that are stages in all but their work, which takes as many seconds as a test wants.

Airflow loads this file beside the product's DAG; the operator, its policy and its pods are the product's.
"""

import os
from dataclasses import replace
from datetime import timedelta

from airflow.sdk import DAG

from kindling.catalog import stage
from kindling_airflow.cluster import cluster
from kindling_airflow.pod_operator import StagePodOperator
from kindling_airflow.policies import task_policy

#: Says what it does, as a stage would, and leaves a stage's report.
WORK = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
name, seconds = sys.argv[1], int(sys.argv[2])
for second in range(seconds):
    print("second", second, "of", seconds, flush=True)
    time.sleep(1)
with open(os.environ["KINDLING_REPORT_PATH"], "w") as report:
    json.dump({"stage": name, "rows_in": 0, "rows_out": 0}, report)
"""

#: DAG -> the stage whose pod it gets, and how long its task may take.
CASES = {
    "light": ("scrape", 600),
    "gpu": ("train", 600),
    "hasty": ("scrape", 15),
}

# Python and nothing else, and no settings of the product: a case takes seconds.
bare = replace(cluster(), image=os.environ["BARE_IMAGE"], environment={})
bare = replace(bare, train_image=bare.image)

for case, (name, limit_s) in CASES.items():
    with DAG(dag_id=case, params={"seconds": 5}, max_active_runs=1):
        policy = task_policy(stage(name))
        policy |= {"task_id": "work", "execution_timeout": timedelta(seconds=limit_s)}
        StagePodOperator(
            stage=name,
            arguments=["-c", WORK, name, "{{ params.seconds }}"],
            cluster=bare,
            **policy,
        )
