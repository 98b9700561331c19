"""Files on disk that requests send and responses fill."""
