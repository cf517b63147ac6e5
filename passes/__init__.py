"""Transformations, one a file, foldered by the phase they work in."""
