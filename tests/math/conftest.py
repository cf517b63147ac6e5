"""Property tests are the same in every run, and as many as half a minute allows."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("math", deadline=None, max_examples=120, derandomize=True)
settings.load_profile("math")
