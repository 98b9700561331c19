"""Engines that read runs in many processes, each an extra."""
