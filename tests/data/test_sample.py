"""Generated markets through the public interface."""

import mainspring as ms
import pytest
from mainspring.errors import InvalidValue, NotFoundError


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path))
    return tmp_path


def test_a_sample_is_made_once_and_kept_by_its_parameters(data_home):
    first = ms.sample("btcusdt", hours=0.02)
    made = list((data_home / "samples").iterdir())
    stamp = made[0].stat().st_mtime_ns
    again = ms.sample("btcusdt", hours=0.02)
    assert len(made) == 1
    assert made[0].stat().st_mtime_ns == stamp
    assert first.hash == again.hash
    assert ms.sample("btcusdt", hours=0.02, seed=2).hash != first.hash


def test_several_markets_share_a_file_and_orders_come_when_asked():
    pair = ms.sample(["btcusdt", "ethusdt"], hours=0.01)
    assert [one.symbol for one in pair.instruments] == ["BTCUSDT", "ETHUSDT"]
    assert ms.sample("btcusdt", hours=0.01, l3=True).schema == "order"


def test_samples_pass_the_checks_of_market_data():
    assert ms.sample("altusdt", hours=0.05).check()[0].is_clean


@pytest.mark.parametrize("name", ["dogeusdt", "../btcusdt", ""])
def test_an_unknown_market_is_refused_and_leaves_nothing(name, data_home):
    with pytest.raises(NotFoundError, match="btcusdt"):
        ms.sample(name)
    assert not (data_home / "samples").exists()


@pytest.mark.parametrize("wrong", [{"hours": 0}, {"hours": -1}, {"hours": 1e9}, {"seed": -1}])
def test_impossible_parameters_are_refused(wrong, data_home):
    with pytest.raises(InvalidValue):
        ms.sample("btcusdt", **wrong)
    assert not list(data_home.rglob("*.mse"))
