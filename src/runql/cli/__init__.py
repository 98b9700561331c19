"""The `runql` command."""
