"""How fast a client sends requests, by what the server says and does."""
