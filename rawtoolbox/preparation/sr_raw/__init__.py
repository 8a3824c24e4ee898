"""The SR-RAW photographs turned into pairs."""
