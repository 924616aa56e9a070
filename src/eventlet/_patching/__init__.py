"""What patching replaces, and what it has replaced."""
