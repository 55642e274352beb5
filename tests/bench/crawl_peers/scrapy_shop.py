"""The bench's shop crawled with Scrapy as its tutorial has it; prints CPU seconds, pages and items."""

import json
import resource
import sys

import scrapy
from scrapy.crawler import CrawlerProcess

COUNTS = {"pages": 0, "items": 0}


class Shop(scrapy.Spider):
    name = "shop"

    async def start(self):
        yield scrapy.Request(sys.argv[1])

    def parse(self, response):
        COUNTS["pages"] += 1
        for href in response.css("a.product-link::attr(href)").getall():
            yield response.follow(href, self.parse)
        following = response.css("a[rel=next]::attr(href)").get()
        if following:
            yield response.follow(following, self.parse)
        product = response.css("section.product::attr(data-product-id)").get()
        for review in response.css("li.customer-review"):
            COUNTS["items"] += 1
            yield {
                "product": product,
                "id": review.attrib["data-review-id"],
                "title": review.css("h3.review-title::text").get(),
                "body": review.css("div.review-text::text").get(),
                "rating": review.css("div.review-stars::attr(aria-label)").get(),
                "date": review.css("time.review-date::attr(datetime)").get(),
            }


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


process = CrawlerProcess(
    {
        "LOG_LEVEL": "WARNING",
        "ROBOTSTXT_OBEY": True,
        "CONCURRENT_REQUESTS": 32,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
        "DOWNLOAD_DELAY": 0,
        "TELNETCONSOLE_ENABLED": False,
    }
)
process.crawl(Shop)
before = cpu()
process.start()
print(json.dumps({"cpu_s": cpu() - before, **COUNTS}))
