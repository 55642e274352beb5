"""Tasks' logs in a bucket: sent and read back by Airflow's own handler, over a real S3 API."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from kindling_local import environment
from kindling_local.errors import SupervisorError
from kindling_local.layout import PORTS, Layout

#: What a task's supervisor does when the task ends, and the api-server when somebody looks.
PROGRAM = """
import os, sys
from types import SimpleNamespace
from airflow.config_templates.airflow_local_settings import REMOTE_TASK_LOG as remote
assert remote is not None, "remote logging is off"
name = "dag_id=d/run_id=r/task_id=train/attempt=1.log"
remote.upload(name, SimpleNamespace())
_, found = remote.read(name, SimpleNamespace())
print("\\n".join(found))
"""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server with one bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    credentials = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", **credentials
    ).create_bucket(Bucket="logs")
    yield url
    server.stop()


def test_a_log_goes_to_the_bucket_and_comes_back(
    s3: str, tmp_path: Path, repository: Path
) -> None:
    layout = Layout(repository, tmp_path / "var", PORTS)
    layout.make()
    outer = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KINDLING_LOGS_URL": "s3://logs/nightly/",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ENDPOINT_URL": s3,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    product = environment.product_environment(layout, Path("/sockets"), "demo", outer)
    secrets = environment.read_or_make_secrets(layout)
    told = environment.airflow_environment(layout, Path("/sockets"), secrets, product)
    log = layout.task_logs / "dag_id=d/run_id=r/task_id=train/attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text('{"event": "the last words"}')
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=told,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "the last words" in done.stdout


def test_logs_stay_here_unless_a_bucket_is_named() -> None:
    assert environment.remote_logs("") == {}


@pytest.mark.parametrize("url", ["s3://", "logs", "file:///logs"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(SupervisorError, match="KINDLING_LOGS_URL=.*s3://bucket/prefix"):
        environment.remote_logs(url)
