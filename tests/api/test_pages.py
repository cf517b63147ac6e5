"""The examples of the pages in docs/, each page run in order like one program."""

import re
from pathlib import Path

import pytest

PAGES = {"embedding": 4, "encodings": 5}
"""Page -> how many examples it has."""


@pytest.mark.parametrize(("page", "count"), PAGES.items())
def test_examples_of_the_page_run(page: str, count: int):
    path = Path(__file__).parents[2] / "docs" / f"{page}.md"
    blocks = re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == count
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(path), "exec"), names)
