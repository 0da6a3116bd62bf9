//! What is to be tried, how often, and in which form to tell.

use std::path::PathBuf;

use portcullis_store::EngineKind;

/// The command line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// JSON on standard output, an object a line.
    pub(crate) json: bool,
    pub(crate) kills: usize,
    pub(crate) power_loss: usize,
    pub(crate) disk_full: usize,
    /// Truncated stores, and as many with a byte flipped.
    pub(crate) damage: usize,
    pub(crate) seed: u64,
    pub(crate) engines: Vec<EngineKind>,
    /// Files whose flushes the power-loss model does not count. Where that is an engine's alone, stores must be refused, and where
    /// it is all that tells of commits, records must be lost: or the model is worth nothing.
    pub(crate) deaf_to: Vec<String>,
    /// A folder that a run kept: the cut in it is made and looked at again, and nothing else.
    pub(crate) replay: Option<PathBuf>,
    /// Whether writers that are killed log what they submit as acknowledged at once: with it, records must be lost, too.
    pub(crate) acknowledge_early: bool,
    only: Option<Kind>,
}

/// What can be tried alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kill,
    Power,
    Full,
    Damage,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>, seed: u64) -> Result<Self, String> {
        let mut arguments = Self {
            json: false,
            kills: 1000,
            power_loss: 200,
            disk_full: 20,
            damage: 80,
            seed,
            engines: EngineKind::ALL.to_vec(),
            deaf_to: Vec::new(),
            replay: None,
            acknowledge_early: false,
            only: None,
        };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--json" => arguments.json = true,
                "--acknowledge-early" => arguments.acknowledge_early = true,
                _ => {
                    let value = given.next().ok_or_else(|| format!("`{argument}` is unknown, or lacks its value"))?;
                    arguments.set(&argument, &value)?;
                }
            }
        }
        Ok(arguments)
    }

    fn set(&mut self, argument: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<usize>().map_err(|_| format!("`{argument}` takes a number, not `{value}`"));
        match argument {
            "--kills" => self.kills = number()?,
            "--power-loss" => self.power_loss = number()?,
            "--disk-full" => self.disk_full = number()?,
            "--damage" => self.damage = number()?,
            "--seed" => self.seed = value.parse().map_err(|_| "`--seed` takes a number".to_owned())?,
            "--engine" => self.engines = vec![value.parse()?],
            "--only" => self.only = Some(Kind::parse(value)?),
            "--deaf-to" => self.deaf_to.push(value.to_owned()),
            "--replay" => self.replay = Some(PathBuf::from(value)),
            _ => return Err(format!("there is no `{argument}`")),
        }
        Ok(())
    }

    /// Whether records are meant to be lost.
    pub(crate) fn meant_to_fail(&self) -> bool {
        self.acknowledge_early || !self.deaf_to.is_empty()
    }

    /// Whether this is to be tried.
    pub(crate) fn wants(&self, kind: Kind) -> bool {
        let times = match kind {
            Kind::Kill => self.kills,
            Kind::Power => self.power_loss,
            Kind::Full => self.disk_full,
            Kind::Damage => self.damage,
        };
        times > 0 && self.only.is_none_or(|only| only == kind)
    }
}

impl Kind {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "kill" => Self::Kill,
            "power" => Self::Power,
            "full" => Self::Full,
            "damage" => Self::Damage,
            _ => return Err(format!("`{name}` is none of kill, power, full, damage")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Arguments, String> {
        Arguments::parse(text.split_whitespace().map(str::to_owned), 7)
    }

    #[test]
    fn without_flags_everything_is_tried_as_often_as_the_project_promises() {
        let all = parse("").unwrap();
        assert_eq!((all.kills, all.power_loss, all.disk_full, all.damage, all.seed), (1000, 200, 20, 80, 7));
        assert_eq!(all.engines, EngineKind::ALL);
        assert!([Kind::Kill, Kind::Power, Kind::Full, Kind::Damage].into_iter().all(|kind| all.wants(kind)));
    }

    #[test]
    fn one_engine_or_one_kind_can_be_tried_alone() {
        let one = parse("--engine redb --only damage --damage 3 --json --seed 5").unwrap();
        assert_eq!((one.engines.as_slice(), one.damage, one.json, one.seed), (&[EngineKind::Redb][..], 3, true, 5));
        assert!(one.wants(Kind::Damage) && !one.wants(Kind::Kill));
        assert!(!parse("--kills 0").unwrap().wants(Kind::Kill));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in ["--kill 5", "--kills", "--kills many", "--engine lmdb", "--only fire"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
