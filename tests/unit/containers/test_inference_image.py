"""What the endpoint's image without torch would lack, found without Docker."""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
#: Refuses what the image has not got, then serves as its server does.
PROGRAM = """
import sys
from pathlib import Path
lacking = set(sys.argv[2].split())
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in lacking:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Lacking())
from kindling.serving.engine import Engines
engine = Engines(None, 1).open(Path(sys.argv[1]))
engine.model.predict(["soft"], [None])
engine.encoder.encode(["soft"])
print(engine.name)
"""


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(ROOT / "tests" / "contract" / "serving"))
    import tiny_server

    folder = tmp_path_factory.mktemp("champion")
    tiny_server.full_model(folder, 1)
    return folder


def in_the_image() -> set[str]:
    """Distributions that TORCH=none installs: those that the Dockerfile asks for, and what these ask for."""
    line = next(
        line
        for line in (ROOT / "containers/inference/Dockerfile").read_text().splitlines()
        if "TORCH=none sh python.sh" in line
    )
    extras, packages = line.partition("python.sh ")[2].partition(";")[0].split(" -- ")
    project = tomllib.loads((ROOT / "include/pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *packages.split()]
    for extra in extras.split():
        wanted += project["optional-dependencies"][extra]
    left, found = [Requirement(one) for one in wanted], set()
    while left:
        one = left.pop()
        known = (canonicalize_name(one.name), frozenset(one.extras))
        # python.sh overrides it away, since it asks for torch.
        if known in found or known[0] == "sentence-transformers":
            continue
        found.add(known)
        left += _asked_by(one)
    return {name for name, _ in found}


def _asked_by(one: Requirement) -> list[Requirement]:
    try:
        asked = [Requirement(line) for line in requires(one.name) or []]
    except PackageNotFoundError:  # Another platform's.
        return []
    extras = ("", *one.extras)
    return [
        other
        for other in asked
        if other.marker is None
        or any(other.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def test_a_champion_is_served_by_what_the_image_without_torch_holds(
    champion: Path,
) -> None:
    held = in_the_image()
    lacking = [
        module
        for module, distributions in packages_distributions().items()
        if module != "kindling"
        and not any(canonicalize_name(one) in held for one in distributions)
    ]
    assert {"torch", "transformers"} <= set(lacking)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(champion), " ".join(lacking)],
        cwd=ROOT / "include",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "onnx-int8"
