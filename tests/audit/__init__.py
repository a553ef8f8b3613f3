"""The audit trail: the Standard's messages, files without a gap, a collector that may be away."""
