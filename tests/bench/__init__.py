"""The benchmark: runql, the official SDK and a bare HTTP client on the same prepared responses, in one run."""
