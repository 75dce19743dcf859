"""A Scrapy spider that hands all URLs of a file to Scrapy's images pipeline. Runs in the rivals' own environment:

python -m scrapy runspider _scrapy_images.py -a urls=FILE -s IMAGES_STORE=FOLDER
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import scrapy


class ImagesSpider(scrapy.Spider):  # type: ignore[misc]
    """One item with all URLs would be one transaction: an item an image, as a crawl of pages gives them."""

    name = "images"
    custom_settings: dict[str, Any] = {  # noqa: RUF012  Scrapy's own way
        "ITEM_PIPELINES": {"scrapy.pipelines.images.ImagesPipeline": 1},
        # As many as the others; its defaults are 16 requests, 8 a host.
        "CONCURRENT_REQUESTS": 128,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 128,
        "CONCURRENT_ITEMS": 256,
        "DOWNLOAD_DELAY": 0,
        "AUTOTHROTTLE_ENABLED": False,
        "COOKIES_ENABLED": False,
        "LOG_LEVEL": "ERROR",
    }

    def __init__(self, urls: str, **options: Any) -> None:
        super().__init__(**options)
        self._urls = Path(urls).read_text().split()

    async def start(self) -> AsyncIterator[dict[str, list[str]]]:
        for url in self._urls:
            yield {"image_urls": [url]}
