"""Tests of `migrate`; real peers on loopback, no patching."""
