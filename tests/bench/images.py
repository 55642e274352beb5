"""Compressed size of the images, as a registry keeps and a node pulls them.

    make bench NAME=images

Builds each from this tree (`DOCKER` names the client, `BASE_IMAGE` another base) and compresses what
`docker save` writes with gzip, one image alone. `train_mb` is that of the index's own build of torch,
which carries CUDA; `KINDLING_TORCH=cpu` builds without. `KINDLING_INFERENCE_TORCH=none` for the endpoint
without torch.
"""

import argparse
import json
import os
import subprocess
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKER = os.environ.get("DOCKER") or "docker"
#: Key of the figure -> folder of the image's Dockerfile.
IMAGES = {
    "shop_mb": "shop",
    "stages_mb": "pipeline",
    "inference_mb": "inference",
    "train_mb": "train",
}
#: What picks the build of torch; not set: as the image's Dockerfile says.
TORCH = {"inference": "KINDLING_INFERENCE_TORCH", "train": "KINDLING_TORCH"}
CHUNK = 1 << 20
MB = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted(IMAGES), action="append")
    parser.add_argument("--data", help="not used")
    options = parser.parse_args()
    figures = {}
    for key in options.only or IMAGES:
        tag = _build(IMAGES[key])
        figures[key] = round(_compressed(tag) / MB)
        print(f"{tag}: {figures[key]} MB", flush=True)
    print(json.dumps(figures))


def _build(name: str) -> str:
    tag = f"kindling-{name}:bench"
    arguments = []
    if base := os.environ.get("BASE_IMAGE"):
        arguments += ["--build-arg", f"BASE_IMAGE={base}"]
    torch = os.environ.get(TORCH.get(name, ""))
    if torch is not None:
        arguments += ["--build-arg", f"TORCH={torch}"]
    subprocess.run(
        [
            *(DOCKER, "build", "--network", "host", "-q", *arguments),
            *("-f", f"containers/{name}/Dockerfile", "-t", tag, "."),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return tag


def _compressed(tag: str) -> int:
    """Bytes of the saved image under gzip's default level."""
    packer, size = zlib.compressobj(level=6, wbits=31), 0
    with subprocess.Popen([DOCKER, "save", tag], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        while chunk := saved.stdout.read(CHUNK):
            size += len(packer.compress(chunk))
    if saved.returncode:
        raise SystemExit(f"{DOCKER} save {tag} ended with {saved.returncode}")
    return size + len(packer.flush())


if __name__ == "__main__":
    main()
