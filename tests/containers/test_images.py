"""The light images, built and used as pods use them: read-only, without rights, as a stranger."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Docker

VERSION = "test"
HARDENED = (
    "--rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "
    "--user 10001 -e HOME=/tmp"
).split()

DRAW = """
import asyncio, os
from playwright.async_api import async_playwright
async def main():
    async with async_playwright() as playwright:
        path = os.environ["KINDLING_CHROMIUM"]
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.set_content("<p id=x></p><script>x.textContent = 6 * 7</script>")
        print("drawn", await page.inner_text("#x"))
        await browser.close()
asyncio.run(main())
"""


USE = """
import boto3, pyarrow, s3fs
from pyarrow import parquet
parquet.write_table(pyarrow.table({"stars": [1, 2, 3]}), "/tmp/t.parquet")
print(parquet.read_table("/tmp/t.parquet").num_rows)
for service in ("s3", "sts"):
    print(boto3.client(service, region_name="eu-west-1").meta.service_model.service_name)
"""


@pytest.fixture(scope="session")
def built(docker: Docker) -> dict[str, str]:
    """Name -> tag, of the images that are built in minutes."""
    tags = {
        name: f"kindling-{name}:{VERSION}" for name in ("shop", "front", "pipeline")
    }
    for name, tag in tags.items():
        dockerfile = f"containers/{name}/Dockerfile"
        docker("build", "--network", "host", "-q", "-f", dockerfile, "-t", tag, ".")
    return tags


@pytest.mark.timeout(1800)
def test_every_stage_that_does_not_train_has_help_in_its_image(
    docker: Docker, built: dict[str, str]
) -> None:
    for stage in ("scrape", "dedupe", "synthesize", "challenge", "label"):
        command = ("python", "-m", "kindling", stage, "--help")
        assert stage in docker("run", *HARDENED, built["pipeline"], *command)


@pytest.mark.timeout(1800)
def test_chromium_draws_a_page_in_it(docker: Docker, built: dict[str, str]) -> None:
    said = docker("run", *HARDENED, built["pipeline"], "python", "-c", DRAW)
    assert "drawn 42" in said


@pytest.mark.timeout(1800)
def test_tables_and_s3_work_without_what_was_left_out(
    docker: Docker, built: dict[str, str]
) -> None:
    said = docker("run", *HARDENED, built["pipeline"], "python", "-c", USE)
    assert said.split() == ["3", "s3", "sts"]


@pytest.mark.timeout(1800)
def test_it_carries_no_torch(docker: Docker, built: dict[str, str]) -> None:
    find = (
        "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('nvidia'))"
    )
    said = docker("run", *HARDENED, built["pipeline"], "python", "-c", find)
    assert said.split() == ["None", "None"]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "package"), [("pipeline", "playwright"), ("shop", "starlette")]
)
def test_it_lists_what_is_in_it(
    docker: Docker, built: dict[str, str], name: str, package: str
) -> None:
    listed = docker(
        "run", "--rm", "--entrypoint", "cat", built[name], "/opt/venv/sbom.cdx.json"
    )
    bill = json.loads(listed)
    versions = {one["name"].lower(): one["version"] for one in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and versions[package]
    show = f"from importlib.metadata import version; print(version('{package}'))"
    run = ("run", "--rm", "--entrypoint", "python", built[name], "-c", show)
    assert docker(*run).strip() == versions[package]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["pipeline", "shop", "front"])
def test_nobody_is_root(docker: Docker, built: dict[str, str], name: str) -> None:
    said = docker("run", "--rm", "--entrypoint", "id", built[name], "-u")
    assert said.strip() == "10001"


@pytest.mark.timeout(1800)
def test_the_shop_says_when_it_is_healthy(
    docker: Docker, built: dict[str, str]
) -> None:
    run = ("run", "-d", "--rm", "-e", "CATALOGUE_KIND=bundled-smoke", built["shop"])
    container = docker(*run).strip()
    form = "{{.State.Health.Status}}"
    try:
        deadline = time.monotonic() + 180
        while docker("inspect", "-f", form, container).strip() != "healthy":
            assert time.monotonic() < deadline, docker("logs", container)
            time.sleep(1)
    finally:
        docker("kill", container)


def test_the_installer_is_a_shell_script_that_parses(root: Path) -> None:
    for script in ("containers/python.sh", "containers/compose/make-env"):
        subprocess.run(["sh", "-n", script], cwd=root, check=True)
