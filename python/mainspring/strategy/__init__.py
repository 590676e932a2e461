"""What a strategy author imports: the base class, parameter types, and native strategies."""

from mainspring.strategy.base import Strategy, Trigger
from mainspring.strategy.parameters import Parameter, Price, Qty

__all__ = ["Parameter", "Price", "Qty", "Strategy", "Trigger"]
