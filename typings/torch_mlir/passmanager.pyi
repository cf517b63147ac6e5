# What the compiled half of the bindings gives counts as Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
