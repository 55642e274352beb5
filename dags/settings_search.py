"""### Better settings for the model, searched on a night's own train rows

`trials` are mapped over `KINDLING_SHARDS` workers, which share one study: each draws settings, trains
with a quarter of the rows, then half, then all, and stops where others did better. `verdict` compares
the best with the recipe's on products that no trial learned from, takes each change back once to see
what it was worth, and says whether a training with the best is warranted. Validation and golden rows
are not looked at, and nothing is registered: put `best` under `train.model_options` of the recipe.

**Clearing a task is always safe.** The study is kept by night, recipe and seed: trials that have ended
count, and `trials` adds what is missing.

**A task is red.** Its log ends with the reason:

- **75, or killed by a signal**: an outside service did not answer, or memory ran out. Clear the task.
- **2**: a setting or recipe is wrong, or the recipe's classifier has no settings to search in.
- **3**: see the task:

  - **trials**: the night has no labels, or too few products to judge on. Is `night` the run id of one
    whose label is green?
  - **verdict**: no trial was finished under these settings. Clear `trials`, and this after it.
"""

from airflow.sdk import DAG

from kindling_airflow.parameters import search_parameters
from kindling_airflow.stage_factory import search_task

with DAG(
    dag_id="settings_search",
    schedule=None,
    # Two searches would share the machine's cores, and each would take longer.
    max_active_runs=1,
    is_paused_upon_creation=False,
    params=search_parameters(),
    tags=["kindling"],
    doc_md=__doc__,
):
    trials = search_task("trials")
    verdict = search_task("verdict")

trials >> verdict
