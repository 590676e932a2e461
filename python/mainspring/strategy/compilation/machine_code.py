"""Machine code of compiled strategies: made by numba once, then kept on disk.

The kept file is an object file for this processor. Loading it needs llvmlite alone, which is there
wherever numba is and imports in a tenth of the time.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import math
import os
import platform
import re
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError, StrategyError
from mainspring.strategy.compilation import kernels
from mainspring.strategy.compilation.program import Program
from mainspring.strategy.compilation.vocabulary import PREFIX

SYMBOL = "mainspring_entry"
_MAGIC = b"mainspring machine code 1\n"

# What generated code may call besides LLVM's own operations: pure functions of the C library.
_LIBRARY = frozenset(
    {
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign",
        "cos", "cosh", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "frexp",
        "hypot", "ldexp", "lgamma", "log", "log10", "log1p", "log2", "memcpy", "memmove", "memset",
        "pow", "rint", "round", "sin", "sinh", "sqrt", "tan", "tanh", "tgamma", "trunc",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Machine code in memory.

    Attributes:
        entry: address of the entry point; valid while this object lives.
        engine: llvmlite's execution engine, which owns the memory.
    """

    entry: int
    engine: Any


def load(program: Program) -> Code:
    """The machine code of a program, from disk where an equal one was compiled before.

    Raises:
        ConfigError: numba is not installed.
        StrategyError: numba cannot compile it; the message has the author's line.
    """
    llvm = _llvm()
    path = cache_folder() / f"{_key(program, llvm)}.o"
    object_code = _read(path)
    if object_code is None:
        object_code = _compile(program, llvm)
        _write(path, object_code)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine(llvm))
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(object_code))
    engine.finalize_object()
    return Code(engine.get_function_address(SYMBOL), engine)


def cache_folder() -> Path:
    """Where machine code is kept: where numba is told to, or in the user's cache folder."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"]) / "mainspring"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mainspring" / "strategies"


def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigError(
            "compiled strategies need numba: pip install 'mainspring[compiled]'"
        ) from error
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _machine(llvm: Any) -> Any:
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
    )


def _key(program: Program, llvm: Any) -> str:
    """Everything that the machine code depends on."""
    try:
        numba = importlib.metadata.version("numba")
    except importlib.metadata.PackageNotFoundError:
        numba = ""
    parts = (
        program.text(),
        Path(kernels.__file__).read_text(),
        Path(__file__).read_text(),
        repr(kernels.LAYOUT),
        numba,
        importlib.metadata.version("llvmlite"),
        sys.version,
        platform.platform(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """Kept object code; nothing where there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head = len(_MAGIC)
    digest, code = content[head : head + 32], content[head + 32 :]
    if not content.startswith(_MAGIC) or hashlib.sha256(code).digest() != digest:
        return None
    return code


def _write(path: Path, code: bytes) -> None:
    """Keeps object code, as a whole or not at all; a cache that cannot be written is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(code).digest() + code)
        Path(temporary).replace(path)
    except OSError:
        return


def _compile(program: Program, llvm: Any) -> bytes:
    """Object code of a program with the entry point under `SYMBOL`."""
    try:
        import numba
        from numba.core.errors import NumbaError
    except ImportError as error:
        raise ConfigError(
            "compiled strategies need numba: pip install 'mainspring[compiled]'"
        ) from error
    pointer: Any = numba.types.CPointer
    words, floats = pointer(numba.int64), pointer(numba.float64)
    signature = numba.int32(numba.int64, words, floats, words, floats, words, floats)
    options: dict[str, Any] = {
        "no_cpython_wrapper": True,
        "no_cfunc_wrapper": True,
        "error_model": "python",
    }
    entry = _functions(program, numba.njit(**options))[f"{PREFIX}entry"]
    try:
        entry.compile(signature)
    except NumbaError as error:
        raise StrategyError(f"{program.name} cannot be compiled: {_reason(error)}") from error
    compiled = entry.overloads[signature.args]
    module = llvm.parse_assembly(compiled.library.get_llvm_str())
    function = module.get_function(compiled.fndesc.llvm_func_name)
    if len(list(function.arguments)) != 9:
        raise ConfigError(f"numba {numba.__version__} calls functions in a way that is not known")
    _refuse_outside_calls(program, module)
    function.name = SYMBOL
    return bytes(_machine(llvm).emit_object(module))


def _functions(program: Program, jit: Callable[[Any], Any]) -> dict[str, Any]:
    """Everything generated code sees: its own functions, ours, constants and `math`."""
    ours: dict[str, Any] = {"__name__": kernels.__name__, "math": math}
    names: dict[str, Any] = {"__name__": program.module, "math": math, f"{PREFIX}math": math}
    for name, value in vars(kernels).items():
        if isinstance(value, types.FunctionType):
            ours[name] = names[PREFIX + name] = jit(types.FunctionType(value.__code__, ours, name))
        elif isinstance(value, int | float):
            ours[name] = value
    names |= program.constants
    for function in program.functions:
        tree = ast.Module([function.tree], type_ignores=[])
        exec(compile(tree, function.file, "exec"), names)  # noqa: S102 - made by `translation`
        names[function.tree.name] = jit(names[function.tree.name])
    return names


def _refuse_outside_calls(program: Program, module: Any) -> None:
    """Kept code must stand alone: numba's run-time library would need numba to be loaded."""
    outside = [f.name for f in module.functions if f.is_declaration]
    unknown = [n for n in outside if not n.startswith("llvm.") and n not in _LIBRARY]
    unknown += [v.name for v in module.global_variables if v.is_declaration]
    if unknown:
        raise StrategyError(
            f"{program.name} cannot be compiled: it uses lists, arrays or text that would allocate "
            f"memory ({', '.join(sorted(unknown)[:3])}); compiled callbacks know numbers and tuples"
        )


def _reason(error: Exception) -> str:
    """The heart of numba's message: what it did not understand, and the author's line."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    place = re.search(r'File "([^"]+)", line (\d+)', text)
    lines = (line.strip() for line in text.splitlines())
    what = next((line for line in lines if line and not line.startswith("Failed in ")), "")
    return f"{place[1]}:{place[2]}: {what}" if place else what
