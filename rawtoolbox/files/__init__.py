"""Every kind of file that is not a raw, written whole or not at all."""
