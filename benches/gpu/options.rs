//! The bench's command line.

use std::error::Error;

use lnn_gpu::device::AdapterChoice;

use crate::peer::PeerWork;
use crate::tune::Shape;

pub(crate) const PURPOSE: &str = "\
`gpu` is started by `cargo xtask bench gpu`, which shows its figures as tables. By itself it prints one JSON document:

  gpu [--adapter NAME] [--quick] [--whole] [FILTER…]
  gpu --tune [--adapter NAME] [--quick] [--shape LxW,B[,M]]… [FILTER…]
  gpu adapter [--adapter NAME]
  gpu peer step|rollout --hidden W --layers L --batch B --repeat N --recipe FILE [--adapter NAME] [--end-with-stdin]

  --adapter NAME   best, discrete, integrated, virtual, cpu, or a part of an adapter's name
  --quick          tiny sizes, few rounds: to see that all runs, not how fast
  --whole          makes all steps of the authors' training, instead of those that give its rate
  --tune           times every tile on this adapter, and keeps the fastest for later runs
  --shape …        layers x width, batch, models side by side: what to tune for
  FILTER…          only cases with all of these words in their names; × may be written x

`adapter` says what computes. `peer` is the work of benches/peers/jax_peer.py with --device gpu: some training steps, or some
Runge–Kutta steps of learned motions, without a wait among them.";

/// The command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) help: bool,
    pub(crate) adapter: AdapterChoice,
    pub(crate) quick: bool,
    pub(crate) whole: bool,
    pub(crate) tune: bool,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) filters: Vec<String>,
    /// Nothing but the adapter is asked for.
    pub(crate) names_adapter: bool,
    pub(crate) peer: Option<PeerWork>,
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        let mut arguments = arguments.filter(|argument| argument != "--bench").peekable();
        if arguments.next_if(|first| first == "peer").is_some() {
            options.peer = Some(PeerWork::named(arguments.next().as_deref())?);
        } else if arguments.next_if(|first| first == "adapter").is_some() {
            options.names_adapter = true;
        }
        while let Some(argument) = arguments.next() {
            let mut value = |what: &str| {
                let given = arguments.next_if(|next| !next.starts_with("--"));
                given.ok_or_else(|| format!("`{argument}` takes {what}"))
            };
            match (&*argument, &mut options.peer) {
                ("--adapter", _) => {
                    options.adapter = value("`best`, a kind such as `discrete`, or a part of a name")?.parse()?;
                }
                (name, Some(peer)) => peer.set(name, value)?,
                ("--help" | "-h", None) => options.help = true,
                ("--quick", None) => options.quick = true,
                ("--whole", None) => options.whole = true,
                ("--tune", None) => options.tune = true,
                ("--shape", None) => options.shapes.push(Shape::parse(&value("a shape such as 4x500,4096")?)?),
                (option, None) if option.starts_with('-') => {
                    return Err(format!("there is no option `{option}`; `--help` lists those that are").into());
                }
                _ => options.filters.push(argument),
            }
        }
        if !options.tune && !options.shapes.is_empty() {
            return Err("`--shape` says what to tune for: add `--tune`".into());
        }
        if options.tune && options.whole {
            return Err("`--tune` makes no trainings: leave out `--whole`".into());
        }
        Ok(options)
    }
}
