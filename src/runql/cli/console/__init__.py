"""What all commands share: the server they ask, the rows they write, and how they end."""
