//! Every numeric vector of microstructure and volatility, at its tolerance.

use mainspring_core::Side;
use mainspring_features::imbalance::{multi_level_imbalance, LevelWeights};
use mainspring_features::impact::{
    kyle_lambda, roll_spread, weighted_spread_bps, TradeSigner, TradeWithMids,
};
use mainspring_features::microprice::{microprice_adjustment, microprice_fit, Transitions};
use mainspring_features::ofi::{multi_level_ofi, ofi_events};
use mainspring_features::toxicity::{bulk_volume_classification, vpin};
use mainspring_features::volatility::ewma::{ewma_variance, ewma_variance_irregular};
use mainspring_features::volatility::garch::Garch;
use mainspring_features::volatility::range::{ohlc_variance, Ohlc};
use mainspring_features::volatility::realized::realized_measures;
use mainspring_features::volatility::stochastic::{
    reweigh, systematic_indices, ParticleFilter, StochasticVolatility,
};
use mainspring_features::Quote;
use serde_json::{json, Value};

fn suite(name: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let suite: Value = serde_json::from_str(&text).expect("json");
    suite["vectors"].as_array().expect("vectors").clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().expect("a list").iter().map(numbers).collect()
}

fn quotes(value: &Value) -> Vec<Quote> {
    let quote = |q: Vec<f64>| Quote { bid: q[0], bid_qty: q[1], ask: q[2], ask_qty: q[3] };
    matrix(value).into_iter().map(quote).collect()
}

/// Compares each field of `got` with the expected one, lists and matrices number by number.
fn assert_close(id: &str, got: &Value, expected: &Value, tolerance: &Value) {
    match got {
        Value::Object(fields) => {
            for (name, field) in fields {
                assert!(!expected[name].is_null(), "{id} expects no {name}");
                assert_close(&format!("{id}.{name}"), field, &expected[name], tolerance);
            }
        }
        Value::Array(items) => {
            let expected = expected.as_array().unwrap_or_else(|| panic!("{id}: a list"));
            assert_eq!(items.len(), expected.len(), "{id}: length");
            for (n, (item, wanted)) in items.iter().zip(expected).enumerate() {
                assert_close(&format!("{id}[{n}]"), item, wanted, tolerance);
            }
        }
        _ => {
            let (got, wanted) = (number(got), number(expected));
            let error = (got - wanted).abs();
            let allowed = (number(&tolerance["rel"]) * got.abs().max(wanted.abs()))
                .max(number(&tolerance["abs"]));
            assert!(error <= allowed, "{id}: {got} is not {wanted} (error {error:e})");
        }
    }
}

/// Runs every vector of a suite through `compute`; all fields of `expected` must be given.
fn check(name: &str, compute: impl Fn(&str, &Value) -> Option<Value>) -> usize {
    let mut checked = 0;
    for vector in suite(name) {
        let (id, function) = (vector["id"].as_str().unwrap(), vector["fn"].as_str().unwrap());
        if let Some(got) = compute(function, &vector["inputs"]) {
            for field in vector["expected"].as_object().unwrap().keys() {
                assert!(!got[field].is_null(), "{id}: {field} is not compared");
            }
            assert_close(id, &got, &vector["expected"], &vector["tolerance"]);
            checked += 1;
        }
    }
    checked
}

#[test]
fn microstructure() {
    let compute = |function: &str, i: &Value| {
        Some(match function {
            "l1_features" => l1_features(i),
            "multi_level_imbalance" => imbalance(i),
            "ofi" => {
                let quotes = quotes(&i["quotes"]);
                let events: Vec<f64> = ofi_events(&quotes).collect();
                json!({"events": events, "ofi": events.iter().sum::<f64>()})
            }
            "ofi_multi_level" => level_flow(i),
            "microprice_adjustment" => adjustment(i),
            "microprice_fit" => fit(i),
            "queue_up_probability" => {
                let (bid_qty, ask_qty) = (number(&i["bid_size"]), number(&i["ask_size"]));
                let quote = Quote { bid: 1.0, bid_qty, ask: 2.0, ask_qty };
                json!({"p_up": quote.up_probability(number(&i["rho"]))})
            }
            "vpin" => volume_buckets(i),
            "bulk_volume_classification" => {
                let (closes, volumes) = (numbers(&i["closes"]), numbers(&i["volumes"]));
                let buckets = bulk_volume_classification(&closes, &volumes).unwrap();
                let (buy, sell): (Vec<_>, Vec<_>) = buckets.iter().map(|b| (b.buy, b.sell)).unzip();
                json!({"buy": buy, "sell": sell})
            }
            "kyle_lambda" => {
                let (volume, change) = (numbers(&i["signed_volume"]), numbers(&i["price_change"]));
                let f = kyle_lambda(&volume, &change).unwrap();
                json!({"intercept": f.intercept, "slope": f.slope, "r2": f.r2,
                       "slope_stderr": f.slope_stderr, "t_stat": f.t_stat})
            }
            "roll_spread" => {
                let roll = roll_spread(&numbers(&i["prices"])).unwrap();
                json!({"autocov": roll.autocovariance, "spread": roll.spread})
            }
            "trade_sign" => signs(i),
            "spread_decomposition" => spreads(i),
            _ => panic!("no function for {function}"),
        })
    };
    assert_eq!(check("microstructure", compute), 16);
}

fn l1_features(i: &Value) -> Value {
    let quote = Quote {
        bid: number(&i["bid"]),
        bid_qty: number(&i["bid_size"]),
        ask: number(&i["ask"]),
        ask_qty: number(&i["ask_size"]),
    };
    json!({
        "mid": quote.mid(), "spread": quote.spread(), "spread_bps": quote.spread_bps(),
        "imbalance": quote.bid_share(), "queue_imbalance": quote.queue_imbalance(),
        "weighted_mid": quote.weighted_mid(),
    })
}

fn sizes(levels: &Value) -> Vec<f64> {
    matrix(levels).iter().map(|level| level[1]).collect()
}

fn imbalance(i: &Value) -> Value {
    let weights = match i["weights"].as_str().unwrap() {
        "flat" => LevelWeights::Flat,
        "inverse" => LevelWeights::Inverse,
        other => {
            let decay = other.strip_prefix("exp:").unwrap().parse().unwrap();
            LevelWeights::Exponential { decay }
        }
    };
    let depth = i["depth"].as_u64().unwrap() as usize;
    let sums = multi_level_imbalance(&sizes(&i["bids"]), &sizes(&i["asks"]), depth, weights);
    json!({"weighted_bid": sums.bid, "weighted_ask": sums.ask, "imbalance": sums.ratio()})
}

fn level_flow(i: &Value) -> Value {
    let levels = i["levels"].as_u64().unwrap() as usize;
    let book = |book: &Value| -> Vec<Quote> {
        let pairs = matrix(&book["bids"]).into_iter().zip(matrix(&book["asks"]));
        pairs.map(|(b, a)| Quote { bid: b[0], bid_qty: b[1], ask: a[0], ask_qty: a[1] }).collect()
    };
    let books: Vec<_> = i["books"].as_array().unwrap().iter().map(book).collect();
    let flow = multi_level_ofi(&books, levels);
    json!({"events": flow.events, "mlofi": flow.totals, "mean_depth": flow.mean_depth,
           "normalised": flow.normalised()})
}

fn adjustment(i: &Value) -> Value {
    let transitions =
        Transitions { stay: matrix(&i["Q"]), moves: matrix(&i["R1"]), moved: matrix(&i["R2"]) };
    let a = microprice_adjustment(&transitions, &numbers(&i["K"])).unwrap();
    json!({"G1": a.first, "B": a.next_state, "G6": a.after_six, "G_star": a.limit})
}

fn fit(i: &Value) -> Value {
    let size = |name: &str| i[name].as_u64().unwrap() as usize;
    let (imbalances, spreads) = (size("n_imbalance"), size("n_spread"));
    let fit =
        microprice_fit(&quotes(&i["quotes"]), number(&i["tick"]), imbalances, spreads).unwrap();
    fit.table.validate().unwrap();
    json!({
        "transitions_used": fit.transitions_used, "Q": fit.transitions.stay,
        "R1": fit.transitions.moves, "R2": fit.transitions.moved,
        "G1": fit.adjustment.first, "G_star": fit.adjustment.limit,
    })
}

fn volume_buckets(i: &Value) -> Value {
    let window = i["window"].as_u64().unwrap() as usize;
    let (buckets, values) =
        vpin(&numbers(&i["signed_volumes"]), number(&i["bucket_size"]), window).unwrap();
    let (buy, sell): (Vec<_>, Vec<_>) = buckets.iter().map(|b| (b.buy, b.sell)).unzip();
    json!({"buy": buy, "sell": sell, "vpin": values})
}

fn signs(i: &Value) -> Value {
    let mut signer = TradeSigner::default();
    let trades = numbers(&i["prices"]).into_iter().zip(numbers(&i["mids"]));
    let sign = trades.map(|(p, m)| signer.sign(p, m).map_or(0, Side::sign));
    json!({"sign": sign.collect::<Vec<_>>()})
}

fn spreads(i: &Value) -> Value {
    let column = |name: &str| numbers(&i[name]);
    let (side, price, mid) = (column("side"), column("price"), column("mid"));
    let (mid_after, qty) = (column("mid_after"), column("qty"));
    let trade = |n: usize| TradeWithMids {
        side: side[n],
        price: price[n],
        mid: mid[n],
        mid_after: mid_after[n],
        qty: qty[n],
    };
    let trades: Vec<_> = (0..side.len()).map(trade).collect();
    let parts: Vec<_> = trades.iter().map(TradeWithMids::components).collect();
    let bps = weighted_spread_bps(&trades).unwrap();
    json!({
        "effective": parts.iter().map(|p| p.effective).collect::<Vec<_>>(),
        "realized": parts.iter().map(|p| p.realized).collect::<Vec<_>>(),
        "impact": parts.iter().map(|p| p.impact).collect::<Vec<_>>(),
        "effective_bps_vw": bps.effective, "realized_bps_vw": bps.realized,
        "impact_bps_vw": bps.impact,
    })
}

#[test]
fn volatility() {
    let compute = |function: &str, i: &Value| {
        Some(match function {
            "ewma_variance" => {
                let v =
                    ewma_variance(&numbers(&i["returns"]), number(&i["lam"]), number(&i["init"]));
                json!({"variance": v.unwrap()})
            }
            "ewma_variance_irregular" => {
                let (returns, dt) = (numbers(&i["returns"]), numbers(&i["dt"]));
                let (halflife, start) = (number(&i["half_life"]), number(&i["init"]));
                let v = ewma_variance_irregular(&returns, &dt, halflife, start);
                json!({"variance_rate": v.unwrap()})
            }
            "ohlc_variance" => ranges(i),
            "realized_measures" => realized(i),
            "garch_filter" => garch(i),
            "particle_step" => particle_step(i),
            // One needs a particle filter (below), the other a data set that is not here.
            "sv_filter" | "garch_fit_arch_sp500" => return None,
            _ => panic!("no function for {function}"),
        })
    };
    assert_eq!(check("volatility", compute), 6);
}

fn ranges(i: &Value) -> Value {
    let column = |name: &str| numbers(&i[name]);
    let (open, high, low, close) = (column("open"), column("high"), column("low"), column("close"));
    let bar = |n: usize| Ohlc { open: open[n], high: high[n], low: low[n], close: close[n] };
    let v = ohlc_variance(&(0..open.len()).map(bar).collect::<Vec<_>>()).unwrap();
    let yz = v.yang_zhang;
    json!({
        "parkinson": v.parkinson, "garman_klass": v.garman_klass,
        "rogers_satchell": v.rogers_satchell, "yang_zhang": yz.variance,
        "yz_overnight": yz.overnight, "yz_open_close": yz.open_close,
        "yz_rs": yz.rogers_satchell, "yz_k": yz.k,
    })
}

fn realized(i: &Value) -> Value {
    let m = realized_measures(&numbers(&i["prices"]), i["K"].as_u64().unwrap() as usize).unwrap();
    json!({
        "rv": m.variance, "rv_all": m.variance, "bipower": m.bipower,
        "bipower_scaled": m.bipower_scaled, "rv_avg": m.subsampled, "nbar": m.returns_per_grid,
        "tsrv": m.two_scale, "tsrv_adj": m.two_scale_adjusted, "noise_var": m.noise_variance,
    })
}

fn garch(i: &Value) -> Value {
    let field = |name: &str| number(&i[name]);
    let (mu, omega, alpha, beta) = (field("mu"), field("omega"), field("alpha"), field("beta"));
    let model = Garch { mu, omega, alpha, beta };
    let path = model.filter(&numbers(&i["returns"]), field("var0")).unwrap();
    json!({
        "variance": path.variance, "loglik": path.log_likelihood,
        "forecast_1": model.forecast(path.next_variance, 1),
        "forecast_10": model.forecast(path.next_variance, 10),
        "unconditional": model.unconditional(),
    })
}

fn particle_step(i: &Value) -> Value {
    let (h, mut weights) = (numbers(&i["h"]), numbers(&i["weights"]));
    let belief = reweigh(&h, &mut weights, number(&i["y"]), number(&i["dt"]));
    let mut indices = vec![0; h.len()];
    systematic_indices(&weights, number(&i["u"]), &mut indices);
    json!({
        "weights": weights, "loglik_increment": belief.log_likelihood,
        "ess": belief.effective_particles, "sigma_mean": belief.sigma_mean,
        "sigma_std": belief.sigma_sd, "systematic_indices": indices,
    })
}

#[test]
fn the_particle_filter_is_near_the_exact_filter() {
    let vector = suite("volatility").into_iter().find(|v| v["fn"] == "sv_filter").unwrap();
    let (i, expected) = (&vector["inputs"], &vector["expected"]);
    let (mu, phi) = (number(&i["mu"]), number(&i["phi"]));
    let model =
        StochasticVolatility::from_autoregression(mu, phi, number(&i["sigma_eta"])).unwrap();
    let (means, sds) = (numbers(&expected["sigma_mean"]), numbers(&expected["sigma_std"]));
    let tolerance = &vector["tolerance"]["particle_filter_N20000"];
    for seed in [1, 7, 42] {
        let mut filter = ParticleFilter::new(model, 20_000, seed).unwrap();
        let mut log_likelihood = 0.0;
        for (n, y) in numbers(&i["y"]).into_iter().enumerate() {
            let belief = filter.update(y, 1.0);
            let off = |got: f64, wanted: f64| (got / wanted - 1.0).abs();
            assert!(off(belief.sigma_mean, means[n]) <= number(&tolerance["sigma_mean_rel"]));
            assert!(off(belief.sigma_sd, sds[n]) <= number(&tolerance["sigma_std_rel"]));
            log_likelihood += belief.log_likelihood;
        }
        let error = (log_likelihood - number(&expected["loglik"])).abs();
        assert!(error <= number(&tolerance["loglik_abs"]), "log-likelihood off by {error}");
    }
}
