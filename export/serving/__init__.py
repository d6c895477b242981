"""A SavedModel for TF Serving, the files that start the server, and a client for it."""
