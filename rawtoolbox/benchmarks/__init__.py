"""What was measured, measured again."""
