//! The GARCH fit on returns of a known model, and on returns given from outside.

use mainspring_features::volatility::garch::Garch;
use mainspring_features::volatility::garch_fit::fit;

/// Returns that follow the model; twelve uniforms of xorshift64 (Marsaglia 2003) make a normal.
fn returns_of(model: &Garch, count: usize, scale: f64) -> Vec<f64> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut v = model.unconditional();
    let mut next = || {
        let noise = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let surprise = v.sqrt() * noise;
        v = model.omega + model.alpha * surprise * surprise + model.beta * v;
        scale * (model.mu + surprise)
    };
    (0..count).map(|_| next()).collect()
}

const TRUTH: Garch = Garch { mu: 0.05, omega: 0.02, alpha: 0.09, beta: 0.89 };

#[test]
fn a_known_model_is_found_again_at_any_scale() {
    for scale in [1.0, 1e-4, 1e3] {
        let found = fit(&returns_of(&TRUTH, 20_000, scale)).unwrap().model;
        assert!((found.alpha - TRUTH.alpha).abs() < 0.015, "{found:?}");
        assert!((found.beta - TRUTH.beta).abs() < 0.02, "{found:?}");
        assert!((found.mu / scale - TRUTH.mu).abs() < 0.02, "{found:?}");
        assert!((found.omega / (scale * scale) - TRUTH.omega).abs() < 0.008, "{found:?}");
    }
}

#[test]
fn nothing_near_the_fit_is_likelier() {
    let returns = returns_of(&TRUTH, 2_000, 1.0);
    let best = fit(&returns).unwrap();
    let at = |model: Garch| model.filter(&returns, best.initial_variance).unwrap().log_likelihood;
    assert!((at(best.model) - best.log_likelihood).abs() < 1e-9);
    assert!(best.log_likelihood >= at(TRUTH));
    // The first variance moves a little with the parameters, which is held fixed here.
    let slack = 0.02;
    for factor in [0.9, 0.97, 1.03, 1.1] {
        let Garch { mu, omega, alpha, beta } = best.model;
        for near in [
            Garch { mu: mu * factor, ..best.model },
            Garch { omega: omega * factor, ..best.model },
            Garch { alpha: alpha * factor, ..best.model },
            Garch { beta: (beta * factor).min(0.999 - alpha), ..best.model },
        ] {
            assert!(at(near) <= best.log_likelihood + slack, "{near:?} is likelier than {best:?}");
        }
    }
}

#[test]
fn too_little_and_unusable_data_is_refused() {
    assert!(fit(&[0.1; 500]).is_err());
    assert!(fit(&returns_of(&TRUTH, 50, 1.0)).is_err());
    let mut returns = returns_of(&TRUTH, 500, 1.0);
    returns[77] = f64::NAN;
    assert!(fit(&returns).is_err());
}
