"""The errors that a server sends for a document it refuses."""
