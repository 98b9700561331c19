"""The API key on its way: the header that carries it, and what keeps it out of logs, errors and the open network."""
