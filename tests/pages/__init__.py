"""The server's pages in Chromium, which starts once for all of them."""
