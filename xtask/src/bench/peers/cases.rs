//! What is compared, and what it must show: the one table of cases and targets.

/// What both sides do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One training step.
    Step,
    /// Runge–Kutta steps of a learned motion.
    Rollout,
    /// One acceleration of a field on a periodic line.
    Lattice,
}

/// What both sides do at what size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// Width of the hidden layers.
    pub(crate) hidden: usize,
    /// Number of hidden layers.
    pub(crate) layers: usize,
    /// States at once, or sites of the lattice.
    pub(crate) size: usize,
    /// Timings in one round: a second or two of the slower side.
    pub(crate) repeat: usize,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) case: Case,
    /// Ratio that must be reached.
    pub(crate) must: f64,
    /// Ratio that is wanted.
    pub(crate) goal: f64,
}

/// The network and batch whose rate is compared with the matrix product's, and whose memory has a limit.
pub(crate) const LARGE_STEP: &str = "training step 4×500, batch 512";

/// Bytes that [`LARGE_STEP`] must stay under.
pub(crate) const LARGE_STEP_MEMORY: u64 = 200_000_000;

use Work::{Lattice, Rollout, Step};

/// All cases, in the table's order.
#[rustfmt::skip]
pub(crate) const TARGETS: [Target; 8] = [
    Target { case: Case { name: LARGE_STEP,
                          work: Step,    hidden: 500, layers: 4, size: 512,  repeat: 8 }, must: 4.0, goal: 4.6 },
    Target { case: Case { name: "training step 4×500, batch 32",
                          work: Step,    hidden: 500, layers: 4, size: 32,   repeat: 60 }, must: 3.5, goal: 4.3 },
    Target { case: Case { name: "training step 3×64, batch 512",
                          work: Step,    hidden: 64,  layers: 3, size: 512,  repeat: 150 }, must: 9.0, goal: 12.0 },
    Target { case: Case { name: "RK4 step 3×64, 1 state",
                          work: Rollout, hidden: 64,  layers: 3, size: 1,    repeat: 200 }, must: 4.0, goal: 8.0 },
    Target { case: Case { name: "RK4 step 3×64, 1024 states",
                          work: Rollout, hidden: 64,  layers: 3, size: 1024, repeat: 5 }, must: 6.0, goal: 9.0 },
    Target { case: Case { name: "RK4 step 4×500, 1 state",
                          work: Rollout, hidden: 500, layers: 4, size: 1,    repeat: 20 }, must: 3.0, goal: 5.0 },
    Target { case: Case { name: "lattice 3×400, 100 points",
                          work: Lattice, hidden: 400, layers: 3, size: 100,  repeat: 10 }, must: 50.0, goal: 100.0 },
    Target { case: Case { name: "lattice 3×400, 300 points",
                          work: Lattice, hidden: 400, layers: 3, size: 300,  repeat: 3 }, must: 50.0, goal: 200.0 },
];

/// The part of faer's best product rate that the large step must reach, and the part that is wanted.
pub(crate) const PRODUCT_FRACTION: (f64, f64) = (0.78, 0.88);

impl Work {
    /// Its name on the command line of both programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step => "step",
            Rollout => "rollout",
            Lattice => "lattice",
        }
    }

    /// What its size counts, by its name on the command line of both programs.
    pub(crate) fn size_name(self) -> &'static str {
        match self {
            Step | Rollout => "batch",
            Lattice => "points",
        }
    }
}

impl Case {
    /// The work and its size on the command line of both programs.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let size = (self.work.size_name(), self.size);
        let options = [("hidden", self.hidden), ("layers", self.layers), size, ("repeat", self.repeat)];
        let options = options.iter().flat_map(|(name, value)| [format!("--{name}"), value.to_string()]);
        [self.work.name().to_owned()].into_iter().chain(options).collect()
    }

    /// Whether all of these words are in its name.
    ///
    /// A word is compared without regard to upper and lower case, and × may be written x.
    pub(crate) fn is_named(&self, words: &[String]) -> bool {
        let plain = |text: &str| text.to_lowercase().replace('×', "x");
        words.iter().all(|word| plain(self.name).contains(&plain(word)))
    }
}

/// Those whose case has all of these words in its name; all for no word.
pub(crate) fn matching(words: &[String]) -> Vec<&'static Target> {
    TARGETS.iter().filter(|target| target.case.is_named(words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &str) -> Vec<&'static str> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        matching(&words).iter().map(|target| target.case.name).collect()
    }

    #[test]
    fn words_narrow_the_cases_down_and_may_leave_none() {
        assert_eq!(names("").len(), TARGETS.len());
        assert_eq!(names("rk4 4X500"), ["RK4 step 4×500, 1 state"]);
        assert_eq!(names("training 3×64"), ["training step 3×64, batch 512"]);
        assert_eq!(names("lattice 300"), ["lattice 3×400, 300 points"]);
        assert!(names("7x7").is_empty());
    }

    #[test]
    fn the_command_line_says_the_whole_size() {
        let line = "rollout --hidden 64 --layers 3 --batch 1024 --repeat 5";
        assert_eq!(TARGETS[4].case.arguments().join(" "), line);
        let line = "lattice --hidden 400 --layers 3 --points 100 --repeat 10";
        assert_eq!(TARGETS[6].case.arguments().join(" "), line);
    }

    #[test]
    fn a_goal_is_above_what_must_be() {
        for Target { case, must, goal } in &TARGETS {
            assert!(must < goal && case.repeat > 0, "{}", case.name);
        }
        assert!(PRODUCT_FRACTION.0 < PRODUCT_FRACTION.1);
        assert!(TARGETS.iter().any(|target| target.case.name == LARGE_STEP && target.case.work == Step));
    }
}
