"""Programs of the project itself, which no package carries: they write pages, and set up machines."""
