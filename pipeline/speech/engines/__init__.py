"""Model libraries behind plain signatures, each imported inside the function that needs it."""
