"""Uploads: from a local path to a safe version."""
