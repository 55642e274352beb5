"""What both runtimes hand to a stage: the same arguments, the same environment names."""

from collections.abc import Mapping

from kindling.catalog import STAGE_ENVIRONMENT, stage

#: File that receives the stage's report.
REPORT_PATH = "KINDLING_REPORT_PATH"

#: The object store's own names, read by fsspec's S3 client (and by MLflow's) when the URL is `s3://`.
OBJECT_STORE_ENVIRONMENT = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
)

PRODUCT_ENVIRONMENT = STAGE_ENVIRONMENT + OBJECT_STORE_ENVIRONMENT


def stage_arguments(name: str) -> list[str]:
    """Arguments of the Python interpreter that runs the stage, as Jinja templates.

    `--name=value` keeps a value that begins with a dash a value. The raw conf goes along because
    Airflow accepts unknown keys in silence; the stage refuses them.
    """
    return [
        "-m",
        "kindling",
        stage(name).name,
        "--run={{ run_id }}",
        "--recipe={{ params.recipe }}",
        "--niche={{ params.niche or '' }}",
        "--target-size={{ '' if params.target_size is none else params.target_size }}",
        "--conf={{ (dag_run.conf or {}) | tojson }}",
    ]


def search_arguments(step: str) -> list[str]:
    """The same for a step of a search for settings."""
    return [
        "-m",
        "kindling",
        "search",
        f"--step={stage(step).name}",
        "--run={{ params.night }}",
        "--recipe={{ params.recipe }}",
        "--trials={{ params.trials }}",
        "--conf={{ (dag_run.conf or {}) | tojson }}",
    ]


def shard_arguments(shard: str) -> list[str]:
    """What tells the stage which part is its own, such as `0/2`; nothing where it does all."""
    return [f"--shard={shard}"] if shard else []


def product_environment(source: Mapping[str, str]) -> dict[str, str]:
    """The product's variables that `source` sets; an empty one counts as unset."""
    return {name: source[name] for name in PRODUCT_ENVIRONMENT if source.get(name)}
