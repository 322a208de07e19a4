"""Bulk fuzzing: stanzas by the thousand, judged by standing rules; what breaks is narrowed down, shrunk and kept."""
