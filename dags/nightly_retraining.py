"""### From the shop's pages to a champion that is a little better, every night

Each task is one stage, `python -m kindling <stage> --run=<run id>`, on this machine or in a pod
(`KINDLING_RUNTIME`). It returns its report: rows in and out, rejections by reason, figures with
intervals. Stages are idempotent by run id, so **clearing a task is always safe**.

**A task is red.** Its log ends with the reason; how the stage ended says what to do:

- **75, or killed by a signal**: an outside service did not answer, or memory ran out. It was tried
  five times. Mend the service, or give it memory; then clear the task.
- **2**: a setting, recipe or parameter is wrong. The message names the key and what is allowed.
- **3**: the input is missing, damaged or too poor. See the stage:

  - **scrape**: the shop is down, forbids it in robots.txt, or shows fewer reviews than the recipe's
    `min_reviews`. Open the shop's address; read the rejections by reason.
  - **dedupe**: no review is left, or none for one of the splits. Compare its rows in with the last
    good run's: what did scrape bring?
  - **synthesize**: the niche has no real train rows to start from. Is `niche` spelt as in the shop?
  - **challenge**: a synthetic row lacks its origin. Clear synthesize and all after it. Synthetic rows
    that are told from real ones are no failure: they are left out, and the figures say how many.
  - **label**: too few products, or one sentiment only, to fit a model on. More data, or a wider niche.
  - **appraise**: weights are damaged. Synthetic rows that do not help are no failure: the night goes
    on without them, and the report's cold-start curve says why.
  - **train**: a sentiment has no row, preflight found a model that cannot learn, or weights are
    damaged: the message says which. Killed: lower `batch_size` or `max_rows` in the recipe.
  - **evaluate**: no golden row, or no model of this run. Clear train and all after it.
  - **promote**: MLflow does not answer. A candidate that is not good enough is no failure: the
    report says which bar it missed, and the old champion goes on serving.
  - **index**: counts or recall differ from the record. The old index goes on serving; clear the task.

- **anything else**: a fault of the stage. Its traceback is in the log, and worth an issue.

**Where things are.** Logs: each task's own. Reports: Browse, *Data health*, and there the evaluation's
HTML report of each run. Unpausing starts nothing: the next run is at 02:00 UTC, or the one you trigger.
"""

from airflow.sdk import DAG

from kindling_airflow.parameters import run_parameters
from kindling_airflow.stage_factory import stage_task
from kindling_airflow.timetable import NightlyTimetable

with DAG(
    dag_id="nightly_retraining",
    schedule=NightlyTimetable("0 2 * * *"),
    catchup=False,
    # Two runs would share the machine's cores and race for the champion alias.
    max_active_runs=1,
    is_paused_upon_creation=True,
    params=run_parameters(),
    tags=["kindling", "nightly"],
    doc_md=__doc__,
):
    scrape = stage_task("scrape")
    dedupe = stage_task("dedupe")
    synthesize = stage_task("synthesize")
    challenge = stage_task("challenge")
    label = stage_task("label")
    appraise = stage_task("appraise")
    train = stage_task("train")
    evaluate = stage_task("evaluate")
    promote = stage_task("promote")
    index = stage_task("index")

(
    scrape
    >> dedupe
    >> synthesize
    >> challenge
    >> label
    >> appraise
    >> train
    >> evaluate
    >> promote
)
label >> index
