"""Laws of automatic differentiation."""
