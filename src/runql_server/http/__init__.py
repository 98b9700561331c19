"""HTTP routes: GraphQL, and the REST side of files, artifacts and exports."""
