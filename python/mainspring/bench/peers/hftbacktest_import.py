"""hftbacktest's side of `import`: its converter of raw Binance USD-M recordings.

    python hftbacktest_import.py RECORDING.gz

Prints one JSON object: rows converted and seconds, compilation of the converter's parts outside.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time

from hftbacktest.data.utils import binancefutures


def convert(path: str) -> int:
    with contextlib.redirect_stdout(io.StringIO()):
        return len(binancefutures.convert(path, combined_stream=True, buffer_size=4_000_000))


def main() -> None:
    convert(sys.argv[1])
    begin = time.perf_counter()
    rows = convert(sys.argv[1])
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
