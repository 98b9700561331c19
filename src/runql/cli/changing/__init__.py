"""The commands that change runs: `tag`, `untag`, `set` and `delete`."""
