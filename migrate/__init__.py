"""Move every study of a legacy PACS into a shared diagnostic imaging repository, and prove it."""
