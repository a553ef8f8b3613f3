"""What the Standard says: parsing, digests, splicing, names and codes; no network, no run folder."""
