"""Escapes: what a server or a file named never becomes a line, a command or a link of its own in a report."""

from __future__ import annotations

import re
from typing import Final

from runql.escaping import one_line

LONGEST_ESCAPE: Final = 10
COMMANDS: Final = ("::", "##[")
"""How a line begins that GitHub Actions or Azure Pipelines takes as a command."""

NOT_IN_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape_line(content: str) -> str:
    """Return the content as one line in which unprintable characters are escapes, and which is no command of a CI system."""
    line = one_line(content, LONGEST_ESCAPE * len(content))
    return f"\\{line}" if line.lstrip().startswith(COMMANDS) else line


def escape_markdown(content: str) -> str:
    """Return the content as one line of Markdown without markup, links and mentions."""
    line = escape_line(content).replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def code_span(content: str) -> str:
    """Return the content as code in a cell of a Markdown table."""
    line = escape_line(content).replace("|", "\\|")
    if not line:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    inner = f" {line} " if line.startswith("`") or line.endswith("`") else line
    return f"{fence}{inner}{fence}"


def escape_xml(content: str) -> str:
    """Return the content without the characters that XML 1.0 cannot hold, which become Python's escapes."""
    return NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), content)
