"""Archives: a project in a folder, written from a server and written to another one."""
