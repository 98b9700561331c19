"""The HTML that shows a run inside a notebook."""

from __future__ import annotations

from html import escape

from runql.resources.run_query import positive

BUTTON = (
    "<button onClick=\"this.nextSibling.style.display='block';this.style.display='none';\">"
    "Display W&B run</button>"
)


def run_html(url: str, *, height: int, hidden: bool) -> str:
    """An iframe of the run's page; hidden, it waits behind a button."""
    style = f"border:none;width:100%;height:{positive('height', height)}px;" + (
        "display:none;" if hidden else ""
    )
    frame = f"<iframe src='{escape(url, quote=True)}?jupyter=true' style='{style}'></iframe>"
    return BUTTON + frame if hidden else frame
