"""A million inputs each for the protocol core and for the reader of objects: `make bench BENCH=fuzz`.

One input again: `python -m benchmarks.fuzz.again conversations 123456` (or `sessions`, `objects`).
"""
