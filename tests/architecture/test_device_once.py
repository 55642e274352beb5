"""Device, precision and threads are chosen in one module: elsewhere is red."""

import re
from pathlib import Path

KINDLING = Path(__file__).resolve().parents[2] / "include" / "kindling"
HOME = KINDLING / "modeling" / "device.py"
CHOICES = re.compile(
    r"set_num_threads|cuda\.is_available|torch\.device\(|torch\.autocast|get_capabilities"
    r"|\.to\([\"'](?:cuda|cpu)"
)


def choices(text: str) -> list[str]:
    return CHOICES.findall(text)


def test_no_other_module_chooses_a_device() -> None:
    found = {
        path.relative_to(KINDLING).as_posix(): choices(path.read_text(encoding="utf-8"))
        for path in sorted(KINDLING.rglob("*.py"))
        if path != HOME
    }
    assert not {name: lines for name, lines in found.items() if lines}


def test_the_search_sees_what_it_is_for() -> None:
    assert len(set(choices(HOME.read_text(encoding="utf-8")))) == 5
    assert choices('model.to("cuda")')
