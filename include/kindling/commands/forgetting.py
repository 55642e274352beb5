"""Commands about what may no longer be known: forget a review, and name the models that saw one."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindling import settings as environment
from kindling.errors import ConfigurationError

if TYPE_CHECKING:
    from kindling.forgetting.work import Certificate

EPILOG = (
    "Run it between two nights. It prints a certificate of hashes; a forgetting that was killed is"
    " finished by the next one. Exit codes: 0 done or already forgotten, 3 nothing fits or a trace"
    " is left (the message says where), 75 a store did not answer: run it again."
)


def add(commands: Any) -> None:
    """`forget` and `seen`."""
    forget = commands.add_parser(
        "forget",
        help="remove reviews from every store, and keep them from coming back",
        epilog=EPILOG,
    )
    forget.add_argument("review", nargs="*", help="review ids")
    forget.add_argument("--source", default="", help="a host, a file or a namespace")
    forget.add_argument("--author-mark", default="", help="the author of the rows")
    forget.add_argument(
        "--opted-out",
        default="",
        metavar="RUN",
        help="a night that met AI opt-outs: forget what earlier nights took from those pages",
    )
    forget.add_argument("--out", type=Path, help="file for the certificates as JSON")
    forget.set_defaults(act=_forget)

    seen = commands.add_parser("seen", help="which models were trained on a review")
    seen.add_argument("review", nargs="+", help="review ids")
    seen.add_argument("--json", action="store_true", help="JSON instead of text")
    seen.set_defaults(act=_seen)


def _forget(arguments: argparse.Namespace) -> None:
    from kindling import wiring
    from kindling.forgetting.models import without_manifest
    from kindling.forgetting.work import forget
    from kindling.ports.forgetting import Selection

    selection = Selection(
        tuple(arguments.review),
        arguments.source,
        arguments.author_mark,
        arguments.opted_out,
    )
    if selection == Selection():
        raise ConfigurationError(
            "nothing is named; allowed: review ids, --source, --author-mark, --opted-out"
        )
    settings = environment.from_environment()
    unknown = without_manifest(wiring.registry(settings))
    certificates = forget(
        selection, wiring.journal(settings), wiring.forgetful(settings), unknown
    )
    content = json.dumps([asdict(one) for one in certificates], indent=1)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(content, encoding="utf-8")
    print("\n".join(map(_printed, certificates)) or "forgotten already")


def _printed(certificate: "Certificate") -> str:
    models = ", ".join(certificate.models_that_saw_it) or "none with a manifest"
    lines = [
        f"certificate {certificate.number}, {certificate.certified_at}",
        f"  reviews {len(certificate.reviews)}, synthetic children {certificate.synthetic_children},"
        f" photos {certificate.photos}",
        f"  models that saw them: {models}",
    ]
    if certificate.models_unknown:
        unknown = ", ".join(certificate.models_unknown)
        lines.append(f"  models without a manifest, which may have: {unknown}")
    if certificate.texts_of_others:
        lines.append(
            f"  {certificate.texts_of_others} texts are too short or are also written by"
            " others: their rows are gone, the words are not searched for"
        )
    lines += [
        f"  {one.store} {one.where}: {one.before[:12]} -> {one.after[:12] or 'gone'} ({one.gone})"
        for one in certificate.changes
    ]
    lines.append(
        f"  searched afterwards: {', '.join(certificate.searched)};"
        f" found in {certificate.found_after} places"
    )
    return "\n".join([*lines, f"  {certificate.note}"])


def _seen(arguments: argparse.Namespace) -> None:
    settings = environment.from_environment()
    settings.required("mlflow_url")
    from kindling import wiring
    from kindling.forgetting.models import seen_by, without_manifest

    registry = wiring.registry(settings)
    found = seen_by(registry, arguments.review)
    unknown = without_manifest(registry)
    if arguments.json:
        print(json.dumps({"seen": found, "models_without_manifest": unknown}))
        return
    for review_id, versions in found.items():
        said = "; ".join(
            f"version {version} ({', '.join(f'{n} {how}' for how, n in how_many.items())})"
            for version, how_many in versions.items()
        )
        print(f"{review_id}: {said or 'no model with a manifest'}")
    if unknown:
        print(f"models without a manifest, which may have: {', '.join(unknown)}")
