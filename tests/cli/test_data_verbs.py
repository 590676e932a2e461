"""`mainspring data`: samples, description, checks, the catalog, imports, downloads."""

from __future__ import annotations

import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from command_line import Cli
from mainspring.cli.exits import Exit

SAMPLE = "sample:btcusdt,hours=0.1"
FILE = "BTCUSDT-trades-2024-01-0{}.zip"


def test_a_sample_is_the_same_again(cli: Cli) -> None:
    words = ("data", "sample", "btcusdt", "--hours", "0.1", "--json")
    first, second = cli(*words), cli(*words)
    assert first.code == 0, first.err
    assert first.json["hash"] == second.json["hash"]
    assert cli("data", "sample", "nothing").code == Exit.USAGE


def test_info(cli: Cli) -> None:
    done = cli("data", "info", SAMPLE, "--json")
    assert done.code == 0, done.err
    (document,) = done.json
    assert document["instruments"][0]["symbol"] == "BTCUSDT"
    assert document["rows"] > 10_000
    assert "BTCUSDT" in cli("data", "info", SAMPLE).out


def test_check_of_good_and_of_damaged_data(cli: Cli, tmp_path: Path) -> None:
    good = cli("data", "check", SAMPLE, "--json")
    assert good.code == 0, good.err
    path = Path(cli("data", "info", SAMPLE, "--json").json[0]["paths"][0])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bad.mse").write_bytes(content)
    bad = cli("data", "check", "bad.mse")
    assert bad.code == Exit.ERROR
    (tmp_path / "cut.mse").write_bytes(content[: len(content) // 3])
    cut = cli("data", "check", "cut.mse")
    assert cut.code == Exit.ERROR
    assert "cut.mse" in cut.err


def test_the_catalog(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert cli("data", "ls", "--root", str(home)).code == 0
    path = cli("data", "info", SAMPLE, "--json").json[0]["paths"][0]
    done = cli("data", "add", path, "--name", "mine/day1", "--root", str(home), "--json")
    assert done.code == 0, done.err
    (entry,) = cli("data", "ls", "--root", str(home), "--json").json
    assert entry["name"] == "mine/day1"
    again = cli("data", "add", path, "--name", "mine/day1", "--root", str(home))
    assert again.code == Exit.USAGE
    (home / "broken.mse").write_bytes(b"not an event file")
    assert cli("data", "ls", "--root", str(home)).code == Exit.PARTIAL
    environment = {"MAINSPRING_HOME": str(home)}
    assert cli("data", "info", "mine/day1", **environment).code == 0
    unknown = cli("data", "info", "mine/day2", **environment)
    assert unknown.code == Exit.USAGE
    assert "mine/day1" in unknown.err


def test_import_of_bars_and_of_nonsense(cli: Cli, tmp_path: Path) -> None:
    assert "lobster" in cli("data", "formats").out
    (tmp_path / "x.txt").write_text("this is no market data\n")
    done = cli("data", "import", "x.txt")
    assert done.code == Exit.ERROR
    assert "x.txt" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    assert cli("data", "import", "absent.csv").code == Exit.USAGE
    assert cli("data", "import", "x.txt", "--clock", "soon").code == Exit.USAGE


def test_import_of_tables(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{1704067200 + 60 * i},100.{i},101,99.5,100.5,{i + 1}" for i in range(5)]
    (tmp_path / "AAA.csv").write_text("time,open,high,low,close,volume\n" + "\n".join(rows))
    done = cli("data", "import", "AAA.csv", "--format", "csv-bars", "--json")
    assert done.code == 0, done.err
    assert done.json == {"output": "AAA.mse", "rows": 5}
    known = ("--tick", "0.25", "--lot", "0.5", "--venue", "here")
    assert cli("data", "import", "AAA.csv", "--format", "csv-bars", *known).code == Exit.ERROR
    known = ("--tick", "0.01", "--lot", "0.5", "--venue", "here")
    assert cli("data", "import", "AAA.csv", "--format", "csv-bars", *known).code == 0
    (one,) = cli("data", "info", "AAA.mse", "--json").json[0]["instruments"]
    assert (one["symbol"], one["venue"], one["lot"]) == ("AAA", "here", "0.5")
    assert one["grids"][0]["tick"] == "0.01"
    (tmp_path / "AAA.csv").write_text("time,open,high,low,close,volume\n1704067200,1,2,3,nan,4\n")
    bad = cli("data", "import", "AAA.csv", "--format", "csv-bars", "--out", "bad.mse")
    assert bad.code == Exit.ERROR
    assert not (tmp_path / "bad.mse").exists()


SESSION = """\
100 {"e":"depthUpdate","E":1700000000100,"s":"BTCUSDT","U":1,"u":4,"b":[["100.10","9"]],"a":[]}
120 {"lastUpdateId":4,"bids":[["100.10","1.5"]],"asks":[["100.20","1"]]}
130 {"e":"trade","E":1700000000130,"s":"BTCUSDT","p":"100.10","q":"0.25","T":1700000000130,"m":true}
140 {"e":"depthUpdate","E":1700000000140,"s":"BTCUSDT","U":5,"u":5,"b":[["100.10","0.5"]],"a":[]}
"""


def test_import_with_parts_of_a_definition(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "day.txt").write_text(SESSION)
    words = ("data", "import", "day.txt", "--kind", "inverse_perpetual", "--quote", "USD")
    bare = cli(*words)
    assert bare.code == Exit.CONFIG
    assert "--multiplier 100" in bare.err
    assert not (tmp_path / "day.mse").exists()
    done = cli(*words, "--multiplier", "100", "--maker-fee", "-0.0001")
    assert done.code == 0, done.err
    (one,) = cli("data", "info", "day.mse", "--json").json[0]["instruments"]
    told = [one[key] for key in ("kind", "quote", "multiplier", "maker_fee")]
    assert told == ["inverse_perpetual", "USD", "100", "-0.0001"]
    named = ("--instrument", "BTCUSDT:tick=0.01,lot=0.001")
    done = cli("data", "import", "day.txt", *named, "--json")
    assert done.code == 0, done.err
    (one,) = done.json["instruments"]
    assert (one["tick"], one["lot"]) == ("0.01", "0.001")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("BTCUSDT", Exit.USAGE, "SYMBOL:key=value"),
        ("BTCUSDT:tick", Exit.USAGE, "SYMBOL:key=value"),
        ("BTCUSDT:tick=soon", Exit.CONFIG, "not a number"),
        ("BTCUSDT:colour=red", Exit.CONFIG, "colour"),
        ("BTCUSDT:tick=0.3", Exit.ERROR, "line 2"),
        ("OTHER:tick=0.1", Exit.USAGE, "OTHER"),
    ],
)
def test_bad_definitions_leave_nothing(
    cli: Cli, tmp_path: Path, text: str, code: Exit, said: str
) -> None:
    (tmp_path / "day.txt").write_text(SESSION)
    done = cli("data", "import", "day.txt", "--instrument", text)
    assert done.code == code, done.err
    assert said in done.err
    assert "column" not in done.err, "a place in a text that nobody sees"
    assert [path.name for path in tmp_path.iterdir()] == ["day.txt"]


def test_export_comes_back(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "day.txt").write_text(SESSION)
    assert cli("data", "import", "day.txt").code == 0
    done = cli("data", "export", "day.mse", "--json")
    assert done.code == 0, done.err
    assert done.json == {"output": "day.parquet", "format": "parquet", "rows": 5}
    assert cli("data", "import", "day.parquet", "--out", "again.mse").code == 0
    hashes = [one["hash"] for one in cli("data", "info", "day.mse", "again.mse", "--json").json]
    assert hashes[0] == hashes[1]
    array = cli("data", "export", "day.mse", "--out", "day.npz")
    assert array.code == 0, array.err
    again = cli("data", "import", "day.npz", "--symbol", "BTCUSDT", "--out", "third.mse")
    assert again.code == 0, again.err
    assert cli("data", "export", "absent.mse").code == Exit.USAGE
    assert cli("data", "export", "day.mse", "--symbol", "BTCUSDT").code == Exit.USAGE


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[str]:
    """A local server laid out as the public archive, with two of three days."""
    root = tmp_path / "archive"
    folder = root / "data/spot/daily/trades/BTCUSDT"
    folder.mkdir(parents=True)
    for day in (1, 2):
        name = FILE.format(day)
        with zipfile.ZipFile(folder / name, "w") as file:
            file.writestr(
                name.replace(".zip", ".csv"), f"{day},42000.0,0.1,4200.0,1704067200000,True,True"
            )
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / f"{name}.CHECKSUM").write_text(f"{digest}  {name}\n")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_download(cli: Cli, archive: str, tmp_path: Path) -> None:
    words = ("data", "download", "BTCUSDT", "--start", "2024-01-01", "--base-url", archive)
    where = ("--folder", str(tmp_path / "got"), "--json")
    done = cli(*words, "--end", "2024-01-02", *where)
    assert done.code == 0, done.err
    assert [Path(path).name for path in done.json] == [FILE.format(1), FILE.format(2)]
    absent = cli(*words, "--end", "2024-01-03", *where)
    assert absent.code == Exit.USAGE
    skipped = cli(*words, "--end", "2024-01-03", "--skip-missing", *where)
    assert skipped.code == Exit.PARTIAL
    assert len(skipped.json) == 2


def test_bench_lists_its_benchmarks(cli: Cli) -> None:
    listed = {one["name"]: one["metrics"] for one in cli("bench", "--list", "--json").json}
    assert listed["replay"] == ["rows_per_s"]
    assert "help_seconds" in listed["footprint"]
