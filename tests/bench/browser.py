"""The first browser beside Chromium over 200 script pages of the bundled shop, in one run.

    make bench NAME=browser

Each browser draws the same pages, one tab each, in turns. `cpu_over_chromium` is the ratio of their CPU
seconds, all processes of the browser and of Playwright's driver's connection to it left out: what the
browser itself takes. `pss_mb` is the first browser's largest proportional set size in a tenth-second sampling,
`rss_growth_mb` how much larger it was after the last page than after the twentieth. `reviews_equal`
compares every field of every review that is read from the drawn pages.
"""

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from browser_peer.binary import lightpanda

from kindling.scraping.browser import BrowserOptions, Chromium, Drawing
from kindling.scraping.extract import extract
from kindling.scraping.fetch import Fetched
from kindling.scraping.lightpanda import Lightpanda
from kindling.scraping.mapping import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = 200
WARM = 20
EVERY_S = 0.1
MIB = 1024 * 1024


@dataclass
class Watch:
    """CPU seconds and memory of the browser's processes below this one, while it draws."""

    word: str
    cpu: dict[int, float] = field(default_factory=dict)
    pss: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def processes(self) -> list[psutil.Process]:
        found = []
        for one in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if self.word in one.name():
                    found.append(one)
        return found

    def _sample(self) -> None:
        while not self._over.wait(EVERY_S):
            pss = rss = 0.0
            for one in self.processes():
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    times, memory = one.cpu_times(), one.memory_full_info()
                    self.cpu[one.pid] = times.user + times.system
                    pss += memory.pss
                    rss += memory.rss
            if pss:
                self.pss.append(pss / MIB)
                self.rss.append(rss / MIB)


async def no_wait() -> None:
    """The shop is our own."""


def addresses(base: str, catalogue: Path, count: int) -> list[str]:
    """Addresses of script pages, each taken as often as it takes to make so many."""
    lines = (catalogue / "products.jsonl").read_text(encoding="utf-8").splitlines()
    paths = [f"{base}/p/{json.loads(line)['product_id']}" for line in lines]
    script = [
        path
        for path in paths
        if "reviews-root" in httpx.get(path, trust_env=False).text
    ]
    return [f"{script[n % len(script)]}?page=1&n={n}" for n in range(count)]


async def drawn_by(
    kind: type[Drawing], path: str, urls: list[str]
) -> dict[str, object]:
    rules = load("bundled_shop.yaml")
    word = kind.name.lower()[:6]
    with Watch(word) as watch:
        started = time.monotonic()
        options = BrowserOptions(path, 1, 30.0)
        async with kind(urls[0], options, rules.script, no_wait) as browser:
            pages = await browser.render(urls[:WARM])
            first = len(watch.rss)
            pages |= await browser.render(urls[WARM:])
            grown = watch.rss[-1] - watch.rss[max(0, first - 1)]
        wall = time.monotonic() - started
        left = len(watch.processes())
    reviews = {
        url: extract(page.body, url, rules, "text/html").reviews
        for url, page in pages.items()
        if isinstance(page, Fetched)
    }
    print(
        f"{kind.name} {browser.version}: {len(reviews)} of {len(urls)} pages in {wall:.1f} s"
    )
    return {
        "cpu": sum(watch.cpu.values()),
        "pss": max(watch.pss),
        "grown": grown,
        "left": left,
        "reviews": reviews,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not used")
    parser.add_argument("--pages", type=int, default=PAGES)
    count = parser.parse_args().pages
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no Chromium to compare with: sudo apt-get install chromium")
    program = [sys.executable, str(ROOT / "containers" / "shop")]
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Path(folder) / "demo"
        make = ["make", "--kind", "bundled-demo", "--out", str(catalogue)]
        subprocess.run([*program, *make], check=True, capture_output=True)
        serve = ["serve", "--catalogue", str(catalogue), "--port", "0"]
        with subprocess.Popen(
            [*program, *serve], stdout=subprocess.PIPE, text=True
        ) as shop:
            assert shop.stdout is not None
            line = shop.stdout.readline()
            base = next(word for word in line.split() if word.startswith("http://"))
            urls = addresses(base, catalogue, count)
            light = asyncio.run(drawn_by(Lightpanda, lightpanda(), urls))
            heavy = asyncio.run(drawn_by(Chromium, chromium, urls))
            shop.terminate()
    print(
        json.dumps(
            {
                "pages": count,
                "cpu_over_chromium": round(light["cpu"] / heavy["cpu"], 3),
                "cpu_s": round(light["cpu"], 2),
                "chromium_cpu_s": round(heavy["cpu"], 2),
                "pss_mb": round(light["pss"], 1),
                "chromium_pss_mb": round(heavy["pss"], 1),
                "reviews": sum(map(len, heavy["reviews"].values())),
                "reviews_equal": light["reviews"] == heavy["reviews"],
                "processes_left": light["left"],
                "rss_growth_mb": round(light["grown"], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
