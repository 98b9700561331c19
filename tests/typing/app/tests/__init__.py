"""Tests of the gate, against an embedded server."""
