"""Contents of artifacts: manifests, entries and blobs."""
