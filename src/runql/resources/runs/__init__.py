"""One run, the runs of a project, and the flows that read and change them."""
