"""HTTP endpoints: GraphQL, the file stream, and transfers of files, artifacts and exports."""
