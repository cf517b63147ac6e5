# The bindings' compiled half has no stubs of its own: what comes from it counts as Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
