"""The SQLite database and the blob folder: projects, files of runs, migrations."""
