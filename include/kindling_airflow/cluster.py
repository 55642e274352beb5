"""What the runtime `kubernetes` is told by its environment: read and checked at parse.

Standard library only: the Kubernetes client alone takes seconds to import, at every parse.
"""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from kindling.catalog import Stage, stage
from kindling_airflow.command import product_environment

IMAGE = "KINDLING_IMAGE"
#: Image of the stages that need torch; KINDLING_IMAGE where it is not set.
TRAIN_IMAGE = "KINDLING_TRAIN_IMAGE"
NAMESPACE = "KINDLING_NAMESPACE"
SECRET_NAME = "KINDLING_SECRET_NAME"
#: Where the cluster's address comes from: `true` from the pod that Airflow runs in, `false` from a
#: kubeconfig; not set: from the pod if there is one, else from the kubeconfig.
IN_CLUSTER = "KINDLING_IN_CLUSTER"
#: How long a pod may wait for a node before its task fails for good.
PENDING_HOURS = "KINDLING_PENDING_HOURS"
#: Seconds that a pod is given to be taken by a node before its task looks whether it should wait on,
#: and then to pull gigabytes of torch and start; the provider's default is 120 s.
START_S = "KINDLING_POD_START_S"
#: `true` for recipes that paint by diffusion or write by a model of their own process.
SYNTHESIZE_GPU = "KINDLING_SYNTHESIZE_GPU"
#: Most cores that a pod asks for, where nodes are smaller than what a stage would like.
POD_CPU = "KINDLING_POD_CPU"

#: Variables whose values are (or hold) credentials: named here, kept in the cluster's Secret under the
#: same key, never in a DAG. The value says whether a pod may start without it.
SECRETS: Mapping[str, bool] = {
    "KINDLING_DATABASE_URL": False,
    "KINDLING_MLFLOW_URL": False,
    "KINDLING_ELASTICSEARCH_URL": True,
    "KINDLING_LLM_API_KEY": True,
    "AWS_ACCESS_KEY_ID": True,
    "AWS_SECRET_ACCESS_KEY": True,
    "AWS_SESSION_TOKEN": True,
}

#: A version or a commit; no tag that says by its name that it moves.
_FIXED_TAG = re.compile(r"^[^@]+:(?![\w.-]*latest)(v?\d[\w.-]*|[0-9a-f]{7,40})$")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")

_LOOPBACK = re.compile(r"^(localhost|127(\.\d+){3}|::1|0\.0\.0\.0)$", re.IGNORECASE)
_TRUTH: Mapping[str, bool | None] = {"": None, "true": True, "false": False}


@dataclass(frozen=True)
class Cluster:
    """Settings of the pods. Strings and numbers only, so that an operator can hold them."""

    image: str
    train_image: str
    namespace: str
    secret: str
    in_cluster: bool | None
    pending_hours: float
    start_s: int
    #: Most cores that a pod asks for; infinite where only the stage decides.
    most_cpu: float
    #: Whether synthesize runs where training does.
    synthesize_gpu: bool
    #: The product's variables that are no credentials.
    environment: Mapping[str, str]

    def described(self, name: str) -> Stage:
        """The stage as its pod is made here."""
        found = stage(name)
        if name == "synthesize" and self.synthesize_gpu:
            train = stage("train")
            return replace(
                found,
                extras=(*found.extras, "train"),
                gpu=train.gpu,
                cpu=train.cpu,
                memory_gib=train.memory_gib,
            )
        return found

    def image_of(self, stage: Stage) -> str:
        """The image that has what the stage imports."""
        return self.train_image if "train" in stage.extras else self.image


def cluster(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The settings; ValueError names the variable that no pod could work with, and what is allowed."""
    _refuse_what_stays_behind(environment)
    image = fixed_image(environment.get(IMAGE, ""))
    train_image = environment.get(TRAIN_IMAGE, "")
    return Cluster(
        image=image,
        train_image=fixed_image(train_image, TRAIN_IMAGE) if train_image else image,
        namespace=environment.get(NAMESPACE) or "kindling",
        secret=environment.get(SECRET_NAME) or "kindling",
        in_cluster=_truth(environment, IN_CLUSTER),
        pending_hours=_number(environment, PENDING_HOURS, "24", 24 * 365),
        start_s=int(_number(environment, START_S, "600", 24 * 3600)),
        most_cpu=_most_cpu(environment),
        synthesize_gpu=bool(_truth(environment, SYNTHESIZE_GPU)),
        environment={
            name: value
            for name, value in product_environment(environment).items()
            if name not in SECRETS
        },
    )


def fixed_image(image: str, variable: str = IMAGE) -> str:
    """`image` itself if it names one build for good: a digest, or a tag with a version in it."""
    if _DIGEST.search(image) or _FIXED_TAG.match(image):
        return image
    raise ValueError(
        f"{variable}={image!r}; wanted: an image with a version tag or digest, such as "
        "registry.example/kindling:1.4.0 or …@sha256:…; a floating tag would change what a retry runs"
    )


def _refuse_what_stays_behind(environment: Mapping[str, str]) -> None:
    """A pod's disk is gone with the pod, and its loopback is its own."""
    wrong = []
    if environment.get("KINDLING_OBJECTS_URL", "").startswith("file:"):
        wrong.append(
            f"KINDLING_OBJECTS_URL={environment['KINDLING_OBJECTS_URL']!r}; "
            "wanted: s3://bucket/prefix (a pod's own disk is lost with it)"
        )
    # Not set means embedded to the stage.
    if (environment.get("KINDLING_KEYWORDS") or "embedded") == "embedded":
        wrong.append(
            "KINDLING_KEYWORDS='embedded'; wanted: elasticsearch, with KINDLING_ELASTICSEARCH_URL "
            "in the Secret (an embedded index is lost with its pod)"
        )
    wrong += [
        f"{name}: its host {host} is the pod itself there; wanted: an address that pods reach"
        for name in ("KINDLING_SHOP_URL", *SECRETS, "AWS_ENDPOINT_URL")
        if (host := _host(environment.get(name, ""))) and _LOOPBACK.match(host)
    ]
    if wrong:
        raise ValueError("KINDLING_RUNTIME='kubernetes' with " + "; ".join(wrong))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "" if "://" in url else ""
    except ValueError:
        return ""


def _truth(environment: Mapping[str, str], name: str) -> bool | None:
    value = environment.get(name, "")
    if value.lower() not in _TRUTH:
        raise ValueError(f"{name}={value!r}; allowed: true, false, or not set")
    return _TRUTH[value.lower()]


def _most_cpu(environment: Mapping[str, str]) -> float:
    if not environment.get(POD_CPU):
        return math.inf
    return _number(environment, POD_CPU, "", 1024)


def _number(
    environment: Mapping[str, str], name: str, default: str, most: float
) -> float:
    value = environment.get(name) or default
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0 < number < most:
        raise ValueError(f"{name}={value!r}; allowed: a number above 0, below {most}")
    return number
