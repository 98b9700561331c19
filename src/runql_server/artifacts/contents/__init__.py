"""What an artifact holds: manifests, entries and blobs."""
