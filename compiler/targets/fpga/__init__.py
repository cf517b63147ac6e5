"""Quantised models as accelerators on FPGAs."""
