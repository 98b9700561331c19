"""How a report is said: for people, for programs and for CI systems."""
