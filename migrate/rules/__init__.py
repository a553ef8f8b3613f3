"""Normalization: rules change what they declare, record it, and change nothing else."""
