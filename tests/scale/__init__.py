"""Many runs: one process beside two workers, and what a million runs would take."""
