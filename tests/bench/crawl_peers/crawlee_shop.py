"""The bench's shop crawled with crawlee's ParselCrawler as its guide has it; prints CPU seconds, pages and items."""

import asyncio
import json
import logging
import resource
import sys
from datetime import timedelta

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

COUNTS = {"pages": 0, "items": 0}


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    crawler = ParselCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=32, desired_concurrency=32, max_concurrency=32
        ),
        storage_client=MemoryStorageClient(),
        respect_robots_txt_file=True,
        configure_logging=False,
        request_handler_timeout=timedelta(seconds=60),
    )

    @crawler.router.default_handler
    async def handle(context: ParselCrawlingContext) -> None:
        COUNTS["pages"] += 1
        await context.enqueue_links(selector="a.product-link, a[rel=next]")
        product = context.selector.css("section.product::attr(data-product-id)").get()
        items = [
            {
                "product": product,
                "id": review.attrib["data-review-id"],
                "title": review.css("h3.review-title::text").get(),
                "body": review.css("div.review-text::text").get(),
                "rating": review.css("div.review-stars::attr(aria-label)").get(),
                "date": review.css("time.review-date::attr(datetime)").get(),
            }
            for review in context.selector.css("li.customer-review")
        ]
        COUNTS["items"] += len(items)
        if items:
            await context.push_data(items)

    await crawler.run([sys.argv[1]])


logging.disable(logging.INFO)
before = cpu()
asyncio.run(main())
print(json.dumps({"cpu_s": cpu() - before, **COUNTS}))
