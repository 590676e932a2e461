"""From strategy classes to machine code; `mainspring.strategy.compiled` is the way in."""
