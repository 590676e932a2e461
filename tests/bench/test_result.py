"""What a benchmark prints."""

import json

import pytest
from mainspring.bench import Measurement, benchmarks, find
from mainspring.bench.registry import Benchmark
from mainspring.bench.timing import BenchmarkFailed, in_turn
from mainspring.cli.bench import bench
from mainspring.cli.exits import Exit
from mainspring.cli.output import Output
from mainspring.errors import NotFoundError


def test_a_ratio_above_one_means_that_we_are_faster():
    rate = Measurement("replay", "rows_per_s", "rows/s", 20e6, "hftbacktest", 10e6)
    time = Measurement("cold_mm_native", "seconds", "s", 0.5, "hftbacktest", 10.0)
    assert rate.ratio == 2
    assert time.ratio == 20


@pytest.mark.parametrize("peer_value", [None, 0.0, -3.0])
def test_without_a_peer_there_is_no_ratio(peer_value):
    assert Measurement("scan", "bytes_per_s", "bytes/s", 1e9, "floor", peer_value).ratio is None


def test_the_document_has_the_promised_fields():
    document = Measurement("scan", "bytes_per_s", "bytes/s", 123456.7, "floor", 3e5).document()
    assert list(document) == [
        "name", "metric", "unit", "value", "peer", "peer_value", "ratio", "machine", "versions",
    ]  # fmt: skip
    assert document["value"] == 123457
    assert document["ratio"] == 0.4115


def test_sides_take_turns_and_medians_count():
    order, left = [], {"a": [9.0, 1.0, 2.0, 9.0], "b": [0.0, 5.0, 6.0, 7.0]}

    def side(name):
        order.append(name)
        return left[name].pop(0)

    figures = in_turn({"a": lambda: side("a"), "b": lambda: side("b")}, 3)
    assert order == ["a", "b"] * 4
    assert figures == {"a": 2.0, "b": 6.0}


def test_every_benchmark_can_be_found_and_an_unknown_one_lists_them():
    assert [find(one.name) for one in benchmarks()] == list(benchmarks())
    with pytest.raises(NotFoundError, match="replay_mm"):
        find("speed")


def test_one_that_fails_does_not_lose_the_others(monkeypatch, capsys):
    def breaks(_session):
        raise BenchmarkFailed("the peer was killed")
        yield

    def works(_session):
        yield Measurement("scan", "bytes_per_s", "bytes/s", 2.0)

    runs = {"router": breaks, "scan": works}
    monkeypatch.setattr(Benchmark, "run", lambda self, session: runs[self.name](session))
    assert bench("router", "scan", output=Output(json=True)) == Exit.PARTIAL
    said = capsys.readouterr()
    assert json.loads(said.out)["name"] == "scan"
    assert "router failed: the peer was killed" in said.err
    with pytest.raises(BenchmarkFailed):
        bench("router", output=Output(json=True))
