"""The page's examples run as they stand, within the lines that they promise."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "valuation.md").read_text(encoding="utf-8")


def test_the_examples_run(capsys):
    shared = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        assert len([line for line in code.splitlines() if line]) <= 16
        exec(compile(code, "docs/valuation.md", "exec"), shared)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 3
        assert lines[-1].startswith("turned -")


def test_every_name_is_on_the_page():
    from headwater.valuation import METHODS, UTILITIES

    assert all(f"`{name}`" in PAGE for name in (*METHODS, *UTILITIES))
