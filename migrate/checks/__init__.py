"""Reconciliation: do the two sides hold the same, and do the books balance."""
