"""Parts of the page of a run: files, console, media and lineage."""
