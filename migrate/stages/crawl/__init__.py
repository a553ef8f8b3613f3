"""Finding everything the source holds, and proving that nothing was missed."""

from migrate.stages.crawl.crawl import crawl
from migrate.stages.crawl.request import CrawlRequest, CrawlResult, Estimate, Finder, Progress

__all__ = ["CrawlRequest", "CrawlResult", "Estimate", "Finder", "Progress", "crawl"]
