"""Bodies of responses, read within `runql.Limits`."""
