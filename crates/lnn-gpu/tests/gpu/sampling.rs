//! Draws on the device against those of the processor.

use lnn_gpu::sampling::{Distribution, DrawSettings, StateSampler, Stream};
use lnn_physics::sampling;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::buffers::{buffer, contents, poisoned, run};
use crate::close::close;
use crate::ground::device;

fn on_host(distribution: Distribution) -> sampling::Distribution {
    match distribution {
        Distribution::Uniform { low, high } => sampling::Distribution::uniform(low, high),
        Distribution::Normal { mean, deviation } => sampling::Distribution::normal(mean, deviation),
        Distribution::BoundedNormal { bound, spread } => sampling::Distribution::bounded_normal(bound, spread),
    }
    .unwrap()
}

fn settings(seeds: &[u64], domain: u64, width: usize, rows: usize) -> DrawSettings<'_> {
    DrawSettings { seeds, domain, width, first_state: 0, rows, first_row: 0, model_rows: rows, draws: 1, tables: 1 }
}

fn draw(settings: DrawSettings<'_>, stream: u64, distributions: &[Distribution]) -> Vec<f32> {
    let states = poisoned("states", settings.seeds.len() * settings.model_rows * settings.width);
    let sampler = StateSampler::new(device(), settings, &states).unwrap();
    sampler.set_table(device(), 0, distributions).unwrap();
    sampler.set_streams(device(), 0, &[Stream { stream, table: 0 }]).unwrap();
    run(|recorder| sampler.record(recorder, 0));
    contents(&states)
}

/// The same on the processor, in double precision.
fn expected(settings: &DrawSettings<'_>, stream: u64, distributions: &[Distribution]) -> Vec<f64> {
    let host: Vec<_> = distributions.iter().map(|&distribution| on_host(distribution)).collect();
    let mut all = Vec::new();
    for &seed in settings.seeds {
        let mut states = vec![0.0; settings.rows * settings.width];
        sampling::StateSampler::new(seed, settings.domain).fill_from(stream, settings.first_state, &host, &mut states);
        all.extend(states);
    }
    all
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn single_bits(values: &[f64]) -> Vec<u32> {
    values.iter().map(|&x| (x as f32).to_bits()).collect()
}

#[test]
fn the_words_are_those_of_chacha_with_eight_rounds() {
    let (seed, domain, stream, count) =
        (0x0123_4567_89ab_cdef_u64, 0xfedc_ba98_0000_0001_u64, 0xffff_ffff_0000_0003, 500);
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&domain.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream);
    let words: Vec<u64> = (0..count).map(|_| generator.next_u64() >> 11).collect();
    // Of the 53 bits the upper 24, then those from bit k on: what is above cancels with the lower end.
    let unit = Distribution::Uniform { low: 0.0, high: 1.0 };
    let upper = draw(settings(&[seed], domain, 1, count), stream, &[unit]);
    let want: Vec<u32> = words.iter().map(|&word| (word as f64 * 2.0_f64.powi(-53)) as f32).map(f32::to_bits).collect();
    assert_eq!(bits(&upper), want);
    for (row, &word) in words.iter().enumerate().step_by(50) {
        let kept = word >> 24 << 24;
        let (low, high) = (-(kept as f64), 2.0_f64.powi(53) - kept as f64);
        let seeds = [seed];
        let one = DrawSettings { first_state: row as u64, ..settings(&seeds, domain, 1, 1) };
        let lower = draw(one, stream, &[Distribution::Uniform { low, high }]);
        assert_eq!(lower, [(word - kept) as f32], "the lower 24 bits of number {row}");
    }
}

/// Where a state of the paper's pendulum lies, and intervals of which the sum cancels, rounds or is far from zero.
const INTERVALS: [[f64; 2]; 6] =
    [[0.0, std::f64::consts::TAU], [-10.0, 10.0], [0.1, 0.3], [-1.0, 1e-9], [1e6, 1e6 + 0.5], [-3.7e-5, 2.9e11]];

#[test]
fn uniform_states_have_the_bits_of_the_processor() {
    let distributions = INTERVALS.map(|[low, high]| Distribution::Uniform { low, high });
    for width in 1..=INTERVALS.len() {
        for rows in [1, 7, 8, 9, 200] {
            let settings = settings(&[7], 1, width, rows);
            for stream in [0, 41, u64::MAX] {
                let got = draw(settings, stream, &distributions[..width]);
                let want = expected(&settings, stream, &distributions[..width]);
                assert_eq!(bits(&got), single_bits(&want), "{width} components, {rows} rows, stream {stream}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_interval_seed_and_position_gives_the_bits_of_the_processor(
        ends in prop::collection::vec((-1.0_f64..1.0, -160_i32..120, 0.0_f64..1.0, -160_i32..120), 1..5),
        seed in any::<u64>(), domain in any::<u64>(), stream in any::<u64>(), first_state in 0..u64::MAX / 8,
    ) {
        let distributions: Vec<_> = ends
            .iter()
            .map(|&(low, low_power, span, span_power)| {
                let low = low * 2.0_f64.powi(low_power);
                // At least the next number, where the span is below the rounding of the lower end.
                let high = (low + span * 2.0_f64.powi(span_power)).max(low.next_up());
                Distribution::Uniform { low, high }
            })
            .collect();
        let seeds = [seed];
        let settings = DrawSettings { first_state, ..settings(&seeds, domain, ends.len(), 40) };
        let got = draw(settings, stream, &distributions);
        prop_assert_eq!(bits(&got), single_bits(&expected(&settings, stream, &distributions)));
    }
}

#[test]
fn an_interval_at_the_ends_of_single_precision_is_rounded_to_nearest() {
    // Subnormal numbers, infinities, and an interval with one number of single precision in it.
    let intervals = [[-1e-44, 1e-42], [-1e-300, 1e-300], [3.4e38, 3.5e38], [1.0, 1.0 + 1e-9]];
    let distributions = intervals.map(|[low, high]| Distribution::Uniform { low, high });
    let settings = settings(&[3], 9, 4, 300);
    let got = draw(settings, 5, &distributions);
    assert_eq!(bits(&got), single_bits(&expected(&settings, 5, &distributions)));
    assert!(got.iter().any(|x| x.is_subnormal()) && got.iter().any(|x| x.is_infinite()));
}

#[test]
fn normal_and_bounded_states_are_near_those_of_the_processor() {
    let distributions = [
        Distribution::Normal { mean: 0.0, deviation: 1.0 },
        Distribution::BoundedNormal { bound: 0.99999, spread: 2.0 },
        Distribution::BoundedNormal { bound: 3.0, spread: 0.1 },
        Distribution::Normal { mean: -5.0, deviation: 2.5 },
        Distribution::Uniform { low: 0.1, high: 0.3 },
    ];
    let settings = settings(&[11], 0, 5, 20_000);
    let got = draw(settings, 2, &distributions);
    let want = expected(&settings, 2, &distributions);
    let scale: Vec<f64> = want.iter().enumerate().map(|(i, x)| x.abs() + if i % 5 == 3 { 5.0 } else { 0.0 }).collect();
    // The approximation is good for seven figures, and rounds some ten times.
    close(&got, &want, &scale, 16.0).unwrap_or_else(|far| panic!("{far:?}"));
    let widest = want.iter().step_by(5).fold(0.0_f64, |widest, x| widest.max(x.abs()));
    assert!(widest > 3.9, "draws reach the tails: {widest}");
    assert!(got.iter().skip(1).step_by(5).all(|x| x.abs() < 1.0));
}

#[test]
fn the_tails_and_the_centre_keep_their_digits() {
    let distributions = [Distribution::Normal { mean: 0.0, deviation: 1.0 }];
    let count = 1 << 20;
    let settings = settings(&[1], 0, 1, count);
    let (got, want) = (draw(settings, 0, &distributions), expected(&settings, 0, &distributions));
    let scale: Vec<f64> = want.iter().map(|x| x.abs()).collect();
    close(&got, &want, &scale, 16.0).unwrap_or_else(|far| panic!("{far:?}"));
    let least = want.iter().fold(1.0_f64, |least, x| least.min(x.abs()));
    let most = want.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    // Beyond |N| = 6.6 the approximation has a third piece, of which one draw in 10¹⁰ is.
    assert!(least < 1e-5 && most > 4.7, "{least} {most}");
}

#[test]
fn models_of_an_ensemble_draw_their_own_states_beside_each_other() {
    let seeds = [5, 6, 1 << 40];
    let distributions = [Distribution::Uniform { low: 0.0, high: 1.0 }, Distribution::Uniform { low: -1.0, high: 1.0 }];
    let together = draw(settings(&seeds, 3, 2, 13), 4, &distributions);
    let alone: Vec<f32> = seeds.iter().flat_map(|&seed| draw(settings(&[seed], 3, 2, 13), 4, &distributions)).collect();
    assert_eq!(bits(&together), bits(&alone));
}

/// As a batch with a tail does: some rows from one table, the rest from another, for several steps in one submission.
#[test]
fn parts_of_a_batch_and_steps_have_their_own_tables() {
    let seeds = [8, 9];
    let (wide, core) =
        ([Distribution::Uniform { low: -9.0, high: 9.0 }], [Distribution::Uniform { low: 0.0, high: 1.0 }]);
    let states = buffer("states", &[f32::NAN; 2 * 10]);
    let part = |first_row: usize, rows: usize| {
        let first_state = first_row as u64;
        DrawSettings { first_state, first_row, model_rows: 10, draws: 3, tables: 2, ..settings(&seeds, 0, 1, rows) }
    };
    let parts = [part(0, 3), part(3, 7)].map(|settings| StateSampler::new(device(), settings, &states).unwrap());
    for sampler in &parts {
        sampler.set_table(device(), 0, &wide).unwrap();
        sampler.set_table(device(), 1, &core).unwrap();
    }
    parts[0].set_streams(device(), 2, &[Stream { stream: 77, table: 0 }]).unwrap();
    parts[1].set_streams(device(), 0, &[Stream { stream: 1, table: 1 }, Stream { stream: 77, table: 1 }]).unwrap();
    run(|recorder| {
        parts[1].record(recorder, 0);
        parts[0].record(recorder, 2);
        parts[1].record(recorder, 1);
    });
    let whole = |distributions: &[Distribution]| draw(settings(&seeds, 0, 1, 10), 77, distributions);
    let (wide, core) = (whole(&wide), whole(&core));
    let want: Vec<f32> = (0..20).map(|row| if row % 10 < 3 { wide[row] } else { core[row] }).collect();
    assert_eq!(bits(&contents(&states)), bits(&want));
}

#[test]
fn another_seed_domain_stream_or_position_is_another_draw() {
    let distributions = [Distribution::Uniform { low: 0.0, high: 1.0 }];
    let base = settings(&[1], 2, 1, 16);
    let draws = [
        draw(base, 3, &distributions),
        draw(DrawSettings { seeds: &[1 << 32], ..base }, 3, &distributions),
        draw(DrawSettings { domain: 2 << 32, ..base }, 3, &distributions),
        draw(base, 3 << 32, &distributions),
        draw(DrawSettings { first_state: 1 << 35, ..base }, 3, &distributions),
    ];
    for (i, one) in draws.iter().enumerate() {
        assert!(draws[..i].iter().all(|other| other != one), "draw {i}");
    }
}
