"""How well aligners line up pairs whose displacement is known."""
