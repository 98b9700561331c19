"""Comparison with mlflow's client against its own server."""
