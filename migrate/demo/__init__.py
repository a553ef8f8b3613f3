"""The embedded legacy PACS and DI-r: real peers with misbehaviours to order, for demos and tests.

`EmbeddedPeer` (pacs.py) speaks DICOM over a folder of files or over a formula, `simulated.py`
answers the same questions without a network, `samples.py` makes the archive that the demo moves.
Everything listens on the loopback interface alone and holds synthetic data.
"""
