"""How operators watch over the engine."""
