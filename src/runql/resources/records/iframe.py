"""HTML that shows a page of the web app in a notebook."""

from __future__ import annotations

from html import escape

from runql.arguments import positive


def page_html(url: str, what: str, *, height: int, hidden: bool) -> str:
    """Return an iframe of a page; with ``hidden``, a button that names ``what`` shows it."""
    style = f"border:none;width:100%;height:{positive('height', height)}px;" + (
        "display:none;" if hidden else ""
    )
    frame = f"<iframe src='{escape(url, quote=True)}?jupyter=true' style='{style}'></iframe>"
    return button(what) + frame if hidden else frame


def button(what: str) -> str:
    """Return a button that shows the next element and hides itself."""
    return (
        "<button onClick=\"this.nextSibling.style.display='block';this.style.display='none';\">"
        f"Display W&B {what}</button>"
    )
