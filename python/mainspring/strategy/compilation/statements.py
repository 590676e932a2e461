"""Statements of a method: control flow, own numbers, and quotes."""

# ruff: noqa: N802, D102 - a visitor's methods are named by `ast` and say by it what they translate

from __future__ import annotations

import ast
from typing import Any

from mainspring.strategy.compilation.expressions import Expressions
from mainspring.strategy.compilation.vocabulary import (
    POINTERS,
    PREFIX,
    SIZES,
    STATEMENTS,
    WORD,
    integer,
    price,
    quantity,
)


class Method(Expressions):
    """Translates one method."""

    # -- the whole -------------------------------------------------------------------------------

    def function(self) -> ast.FunctionDef:
        """The generated function."""
        body = self.tree.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        made = ast.FunctionDef(
            name=f"{PREFIX}m_{self.tree.name}",
            args=_arguments([PREFIX + name for name in POINTERS] + self.arguments),
            body=self.block(body) or [ast.Pass()],
            decorator_list=[],
        )
        ast.copy_location(made, self.tree)
        return ast.fix_missing_locations(made)

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Translates statements."""
        out: list[ast.stmt] = []
        for statement in statements:
            if not isinstance(statement, STATEMENTS):
                raise self.refusal(
                    statement, f"compiled code has no {type(statement).__name__.lower()}"
                )
            made = self.visit(statement)
            for one in made if isinstance(made, list) else [made]:
                ast.copy_location(one, statement)
                out.append(ast.fix_missing_locations(one))
        return out

    # -- statements ------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> ast.AST:
        return ast.If(self.visit(node.test), self.block(node.body), self.block(node.orelse))

    def visit_While(self, node: ast.While) -> ast.AST:
        return ast.While(self.visit(node.test), self.block(node.body), self.block(node.orelse))

    def visit_For(self, node: ast.For) -> Any:
        side = self.depth_call(node.iter)
        if side is None:
            body = self.block(node.body)
            return ast.For(
                self.visit(node.target), self.visit(node.iter), body, self.block(node.orelse)
            )
        target = node.target
        if not isinstance(target, ast.Tuple) or len(target.elts) != 2 or node.orelse:
            raise self.refusal(node, f"write: for price, qty in m.{side}(5)")
        assert isinstance(node.iter, ast.Call)
        count = self.depth_count(node.iter)
        k = self.fresh("k")
        first = WORD[side]
        word = "bid_depth" if side == "bids" else "ask_depth"
        levels = f"range(min({count}, {integer(WORD[word])}))"
        ticks = price(f"{first} + 2 * {k}")
        lots = quantity(f"{first + 1} + 2 * {k}")
        head: list[ast.stmt] = [
            ast.Assign([target.elts[0]], self.expression(ticks, node)),
            ast.Assign([target.elts[1]], self.expression(lots, node)),
        ]
        for one in head:
            ast.copy_location(one, node)
        return ast.For(
            ast.Name(k, ast.Store()),
            self.expression(levels, node),
            head + self.block(node.body),
            [],
        )

    def depth_call(self, node: ast.expr) -> str | None:
        """`bids` or `asks` when the expression is `m.bids(n)` or `m.asks(n)`."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            return None
        known = self.is_market(node.func.value) and node.func.attr in ("bids", "asks")
        return node.func.attr if known else None

    def depth_count(self, call: ast.Call) -> int:
        given = call.args + [k.value for k in call.keywords if k.arg == "count"]
        count = given[0].value if given and isinstance(given[0], ast.Constant) else None
        count = 10 if not given else count
        if not isinstance(count, int) or not 1 <= count <= SIZES["depth"]:
            raise self.refusal(
                call, f"the number of levels must be a number up to {SIZES['depth']}"
            )
        self.of.program.depth = max(self.of.program.depth, count)
        return count

    def visit_Return(self, node: ast.Return) -> Any:
        if node.value is None or (
            isinstance(node.value, ast.Constant) and node.value.value is None
        ):
            return ast.Return(None)
        if self.is_callback:
            return [*self.block([ast.copy_location(ast.Expr(node.value), node)]), ast.Return(None)]
        return ast.Return(self.visit(node.value))

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        # The callback runs again in Python, which raises it with its text.
        return ast.Raise(ast.Name("ValueError", ast.Load()), None)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        refused: list[ast.stmt] = [ast.Raise(ast.Name("AssertionError", ast.Load()), None)]
        return ast.If(ast.UnaryOp(ast.Not(), self.visit(node.test)), refused, [])

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if isinstance(call, ast.Constant):
            return ast.Pass()
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner, name = call.func.value, call.func.attr
            if self.is_market(owner) and name == "quote":
                return self.quote(call)
            if isinstance(owner, ast.Name) and owner.id in self.ladders:
                return self.change_ladder(owner.id, name, call)
        return ast.Expr(self.visit(call))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if node.value is None:
            return ast.Pass()
        return self.visit_Assign(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_Assign(self, node: ast.Assign) -> Any:
        target = node.targets[0]
        if len(node.targets) > 1:
            if any(isinstance(one, ast.Attribute) for one in node.targets):
                raise self.refusal(node, "assign to one name at a time")
        elif isinstance(target, ast.Attribute):
            return self.store(target, self.visit(node.value))
        elif isinstance(target, ast.Name) and target.id in self.ladders:
            ladder = self.ladders[target.id]
            clear = ast.Expr(self.call("clear", node, "ri", ladder))
            return [clear, *self.levels(node.value, ladder)]
        elif isinstance(target, ast.Tuple) and any(
            isinstance(t, ast.Attribute) for t in target.elts
        ):
            return self.store_several(node, target)
        return ast.Assign([self.visit(one) for one in node.targets], self.visit(node.value))

    def store_several(self, node: ast.Assign, target: ast.Tuple) -> list[ast.stmt]:
        """`self._a, self._b = x, y` through names."""
        names = [self.fresh("t") for _ in target.elts]
        stored = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        out: list[ast.stmt] = [ast.Assign([stored], self.visit(node.value))]
        for one, name in zip(target.elts, names, strict=True):
            value = ast.Name(name, ast.Load())
            if isinstance(one, ast.Attribute):
                out.append(self.store(one, value))
            else:
                out.append(ast.Assign([self.visit(one)], value))
        return out

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        target = node.target
        if isinstance(target, ast.Attribute):
            before = ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
            whole = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
            return self.store(target, self.visit(whole))
        if isinstance(target, ast.Name) and target.id in self.ladders:
            return self.levels(node.value, self.ladders[target.id])
        if not isinstance(target, ast.Name):
            raise self.refusal(node, "only names and attributes of self can be changed")
        before_name = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        whole = ast.copy_location(ast.BinOp(before_name, node.op, node.value), node)
        return ast.Assign([target], self.visit(whole))

    def store(self, target: ast.Attribute, value: ast.expr) -> ast.stmt:
        """Keeps a value in an own attribute."""
        if not self.is_self(target.value):
            raise self.refusal(target, "only attributes of self can be assigned")
        kind = self.of.kinds.get(target.attr)
        if kind is None:
            raise self.refusal(
                target,
                f"self.{target.attr} is not declared: write `{target.attr}: float = 0.0` (or int, "
                "bool) in the class; a leading underscore makes it state, not a parameter",
            )
        word = self.of.word(target.attr)
        if kind == "i":
            return ast.Expr(self.call("set_int", target, "si", word, value))
        if kind == "b":
            value = ast.IfExp(value, ast.Constant(1), ast.Constant(0))
        pointer = ast.Name(PREFIX + ("sf" if kind == "f" else "si"), ast.Load())
        return ast.Assign([ast.Subscript(pointer, ast.Constant(word), ast.Store())], value)

    # -- quotes ----------------------------------------------------------------------------------

    def quote(self, call: ast.Call) -> list[ast.stmt]:
        """`m.quote(bid=..., ask=...)`."""
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        wrong = set(given) - {"bid", "ask", "exact", "post_only"}
        if call.args or wrong:
            raise self.refusal(call, "quote takes bid=, ask=, exact= and post_only=")
        out: list[ast.stmt] = []
        for ladder, name in enumerate(("bid", "ask")):
            out.append(ast.Expr(self.call("clear", call, "ri", ladder)))
            if name in given:
                out += self.levels(given[name], ladder)
        exact = self.visit(given["exact"]) if "exact" in given else ast.Constant(False)
        post_only = self.visit(given["post_only"]) if "post_only" in given else ast.Constant(True)
        return [*out, ast.Expr(self.call("quote", call, "ri", "rf", exact, post_only))]

    def change_ladder(self, name: str, how: str, call: ast.Call) -> list[ast.stmt]:
        """`levels.append((price, qty))` and the like."""
        ladder = self.ladders[name]
        if how == "append" and len(call.args) == 1:
            return [self.one_level(call.args[0], ladder)]
        if how == "extend" and len(call.args) == 1:
            return self.levels(call.args[0], ladder)
        if how == "clear":
            return [ast.Expr(self.call("clear", call, "ri", ladder))]
        raise self.refusal(call, f"{name} holds quote levels: it can append, extend and clear")

    def levels(self, value: ast.expr, ladder: int) -> list[ast.stmt]:
        """Statements that add the levels of an expression to a ladder."""
        match value:
            case ast.Constant(value=None):
                return []
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                return [self.one_level(element, ladder) for element in elements]
            case ast.IfExp():
                test = self.visit(value.test)
                body, other = self.levels(value.body, ladder), self.levels(value.orelse, ladder)
                return [ast.If(test, body or [ast.Pass()], other)]
            case ast.GeneratorExp() | ast.ListComp():
                return self.comprehension(value, ladder)
            case ast.Call(func=ast.Name(id="tuple" | "list"), args=[inner]):
                return self.levels(inner, ladder)
            case ast.Call(func=ast.Name(id="tuple" | "list"), args=[]):
                return []
            case ast.BinOp(op=ast.Add()):
                return self.levels(value.left, ladder) + self.levels(value.right, ladder)
            case ast.Name(id=name) if name in self.ladders:
                return [
                    ast.Expr(self.call("extend", value, "ri", "rf", ladder, self.ladders[name]))
                ]
        raise self.refusal(
            value, "quote levels are written as ((price, qty), ...) or built with append"
        )

    def one_level(self, value: ast.expr, ladder: int) -> ast.stmt:
        if not isinstance(value, ast.Tuple | ast.List) or len(value.elts) != 2:
            raise self.refusal(value, "a quote level is written as (price, qty)")
        price, qty = (self.visit(one) for one in value.elts)
        made = ast.Expr(self.call("level", value, "ri", "rf", ladder, price, qty))
        return ast.copy_location(made, value)

    def comprehension(self, value: ast.GeneratorExp | ast.ListComp, ladder: int) -> list[ast.stmt]:
        """A comprehension of levels as loops; its names are its own."""
        names = {
            n.id: self.fresh(n.id)
            for one in value.generators for n in ast.walk(one.target) if isinstance(n, ast.Name)
        }  # fmt: skip
        renamed = _Rename(names).visit(value)
        body: list[ast.stmt] = [self.one_level(renamed.elt, ladder)]
        for one in reversed(renamed.generators):
            for test in reversed(one.ifs):
                body = [ast.If(self.visit(test), body, [])]
            body = [ast.For(self.visit(one.target), self.visit(one.iter), body, [])]
        return body


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)


def _arguments(names: list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
