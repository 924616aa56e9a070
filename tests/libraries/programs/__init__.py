"""One ordinary threaded program for each library; none of them knows of green threads."""
