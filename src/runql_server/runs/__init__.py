"""Runs in the database: fields, config and summary values, histories, line streams and forks."""
