"""The command `runql plot`: curves of metrics on the terminal, as a page, or as a picture."""
