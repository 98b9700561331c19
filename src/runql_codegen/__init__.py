"""Development only: turns `queries/` and `schema/` into the package `runql_graphql`. Not part of the wheel."""
