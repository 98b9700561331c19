"""Artifacts: types, collections, versions, manifests, bytes and lineage, as stored; one module per part."""
