"""Record, open, replay and export sessions; count false accepts over hours. Imports nothing heavy by itself."""
