"""What a client shows of its work: log lines, spans of OpenTelemetry."""
