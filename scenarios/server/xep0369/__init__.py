"""XEP-0369 (MIX): channels as they are found, made, joined, spoken in, left and destroyed."""
