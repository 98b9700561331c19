"""The pages that a browser shows: projects, runs, sweeps and artifacts of this server."""
