"""Renders ``infra/statemachine.asl.json`` into the template.

``python -m backend.orchestration.render [--check]`` writes the block between the two marks of ``infra/template.yaml``,
or compares. CloudFormation reads no file beside a template, and a definition in a bucket would be a second thing to
deploy; the file is what editors and validators of Amazon States Language know.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

DEFINITION: Final = Path("infra/statemachine.asl.json")
TARGET: Final = Path("infra/template.yaml")
BEGIN: Final = "      # Rendered from infra/statemachine.asl.json by `python -m backend.orchestration.render`; begin\n"
END: Final = "      # Rendered from infra/statemachine.asl.json; end\n"
_INDENT: Final = " " * 8


def rendered_into(template: str, definition: str) -> str:
    """The template with its block written anew. Raises ValueError when it has not exactly one."""
    if template.count(BEGIN) != 1 or template.count(END) != 1 or template.index(END) < template.index(BEGIN):
        raise ValueError(f"{TARGET} must have the two lines of marks once each, begin before end")
    before, _, rest = template.partition(BEGIN)
    after = rest.partition(END)[2]
    body = "".join(f"{_INDENT}{line}\n" for line in definition.splitlines())
    return f"{before}{BEGIN}      DefinitionString: |\n{body}{END}{after}"


def main(arguments: list[str]) -> int:
    """Writes the block, or with ``--check`` compares: 1 and one line when they differ."""
    template = TARGET.read_text("utf-8")
    wanted = rendered_into(template, DEFINITION.read_text("utf-8"))
    if "--check" not in arguments:
        TARGET.write_text(wanted, "utf-8")
        return 0
    if template == wanted:
        return 0
    sys.stderr.write(f"{TARGET}: differs from {DEFINITION}; run: python -m backend.orchestration.render\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
