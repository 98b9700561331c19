"""The command `runql drift`: `commands.py` has its options, `checks.py` does its work and needs graphql-core."""
