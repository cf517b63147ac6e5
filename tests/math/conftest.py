"""Property tests are the same in every run, and as many as a quarter of a minute allows."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("math", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("math")
