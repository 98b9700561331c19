"""What writes an archive to a server: runs, rows, files and artifacts, from where an earlier call stopped."""
