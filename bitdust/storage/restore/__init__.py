"""Downloads: from a version to files under a local folder."""
