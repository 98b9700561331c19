"""Whether a server's schema still fits what is sent to it: compared, introspected or probed."""
